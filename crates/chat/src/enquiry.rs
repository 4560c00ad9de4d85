//! One question that the house itself puts to a model, outside any conversation: written as a client of the dialect writes it, led
//! through the line of a passing turn, and heard to its end. Replays, evaluations and the trying out of assistants ask so.

use std::sync::Arc;

use bytes::Bytes;
use domain::{Batch, Caller, ClientBody, Failure, KeyScope, Message, Priority, Sampling, Task, Tokens, TurnEvent};
use openai::ChatMessage;
use serde::Serialize;

use crate::answer::{self, Ending};
use crate::turn::Request;
use crate::{Chat, Error, context};

/// Whom to ask what, and how.
#[derive(Debug)]
pub(crate) struct Enquiry<'a> {
    /// The door's name in usage rows and metrics.
    pub(crate) door: &'static str,
    /// Whether somebody waits.
    pub(crate) priority: Priority,
    pub(crate) model: &'a str,
    /// The model's context, where it is known.
    pub(crate) window: Option<u32>,
    pub(crate) system: Option<&'a str>,
    /// Up to the question; the oldest are left out where they do not fit.
    pub(crate) history: Vec<Message>,
    pub(crate) sampling: &'a Sampling,
    /// What it may use, and on whose account.
    pub(crate) scope: Arc<KeyScope>,
}

impl Chat {
    /// Asks, and waits for the whole answer. Dropping this tells the model at once that nobody listens.
    pub(crate) async fn enquire(&self, caller: &Caller, enquiry: Enquiry<'_>) -> Result<(String, Ending), Error> {
        let Enquiry { door, priority, model, window, system, history, sampling, scope } = enquiry;
        let budget = context::prompt_budget(window, sampling.max_tokens);
        let context = context::assemble(system, history, budget);
        let body = Body { model, stream: true, messages: said(&context.messages), sampling };
        let request = Request {
            model: model.to_owned(),
            door,
            task: Task::Chat,
            priority,
            stream: true,
            body: ClientBody::json(body.bytes(), false),
            prompt_tokens: context.tokens,
            max_tokens: sampling.max_tokens.map(Tokens),
            scope,
        };
        let mut passing = self.pass(caller, request).await?;
        let mut text = String::new();
        while let Some(Batch { events, .. }) = passing.next().await {
            for event in events {
                if let TurnEvent::Delta { text: piece } = event {
                    text.push_str(&piece);
                }
            }
        }
        Ok((text, passing.settle().await))
    }
}

/// The request as a client of the dialect writes it: adapters read that.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    stream: bool,
    messages: Vec<ChatMessage>,
    #[serde(flatten)]
    sampling: &'a Sampling,
}

/// Messages as the dialect writes them, pictures among their parts.
fn said(messages: &[Message]) -> Vec<ChatMessage> {
    messages.iter().map(ChatMessage::from).collect()
}

impl Body<'_> {
    fn bytes(&self) -> Bytes {
        // Texts and numbers: there is nothing in it that cannot be written as JSON.
        serde_json::to_vec(self).map(Bytes::from).unwrap_or_default()
    }
}

/// The failure that an error is in a row: the next question is asked all the same.
pub(crate) fn failure(error: &Error) -> Failure {
    let code = match error {
        Error::Model(error) => return answer::failure_of(error),
        Error::Ledger(error) => error.code(),
        Error::NoSuchModel { .. } => "model_not_found",
        Error::Draining => "draining",
        _ => "internal",
    };
    Failure { code: code.into(), message: error.to_string() }
}
