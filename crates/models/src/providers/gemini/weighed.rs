//! Log probabilities. The house's events have no word for them, so an answer that was asked for them is written in OpenAI's own
//! chunks here and travels on as if it had come so.

use bytes::Bytes;
use domain::{Task, TurnEvent};
use openai::{ChunkWriter, Encoder, LogprobContent, Logprobs, TopLogprob, Whole};
use serde::Deserialize;

/// Who an answer says it is, and what of it was written.
pub(super) struct Weighed {
    model: String,
    /// Seconds since 1970.
    created: i64,
    wants_usage: bool,
    writer: Option<ChunkWriter>,
}

/// `candidates[].logprobsResult`
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Result {
    chosen_candidates: Vec<Token>,
    /// The likeliest at each step.
    top_candidates: Vec<Step>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Step {
    candidates: Vec<Token>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Token {
    token: String,
    log_probability: f32,
}

impl Weighed {
    /// For a client that asked for it.
    pub(super) fn new(model: &str, created: i64, wants_usage: bool) -> Weighed {
        Weighed { model: model.to_owned(), created, wants_usage, writer: None }
    }

    /// One response of a stream: what it says and how likely that was.
    pub(super) fn write(&mut self, response: &str, events: &[TurnEvent], weights: Option<Result>) -> Vec<u8> {
        let Weighed { model, created, wants_usage, writer } = self;
        let made = || ChunkWriter::new(Task::Chat, named(response), model.clone(), *created, *wants_usage);
        let writer = writer.get_or_insert_with(made);
        let mut out = Encoder::new();
        writer.write(events, &mut out);
        if let Some(weights) = weights {
            writer.weigh(weights.into_logprobs(), &mut out);
        }
        out.take().to_vec()
    }

    /// A whole answer.
    pub(super) fn whole(&self, response: &str, events: &[TurnEvent], weights: Option<Result>) -> Option<Bytes> {
        let mut whole = Whole::new(Task::Chat, named(response), self.model.clone(), self.created);
        events.iter().for_each(|event| whole.take(event));
        if let Some(weights) = weights {
            whole.weigh(weights.into_logprobs());
        }
        whole.body().ok().map(Bytes::from)
    }
}

fn named(response: &str) -> String {
    format!("chatcmpl-{response}")
}

impl Result {
    fn into_logprobs(self) -> Logprobs {
        let mut steps = self.top_candidates.into_iter();
        let content = self.chosen_candidates.into_iter().map(|chosen| LogprobContent {
            bytes: Some(chosen.token.as_bytes().to_vec()),
            token: chosen.token,
            logprob: chosen.log_probability,
            top_logprobs: steps.next().unwrap_or_default().candidates.into_iter().map(top).collect(),
        });
        Logprobs { content: content.collect() }
    }
}

fn top(token: Token) -> TopLogprob {
    TopLogprob { bytes: Some(token.token.as_bytes().to_vec()), token: token.token, logprob: token.log_probability }
}
