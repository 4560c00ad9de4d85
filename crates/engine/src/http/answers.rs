//! Answers of the OpenAI dialect: the plain object and the chunks of a stream, for both endpoints. It formats; it waits for nothing.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::{
    confidence::{Calibration, Confidence, WINDOW},
    scheduler::{Delta, Finish, Scored, Usage},
    tools::Call,
};

/// JSON has no infinity; this stands for a probability of zero, as elsewhere in this dialect.
const IMPOSSIBLE: f32 = -9999.0;

/// Which endpoint is answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Chat,
    Completion,
}

/// What an answer says beside its text.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) thought: String,
    pub(super) calls: Vec<Call>,
}

/// What every object of one answer has in common.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) kind: Kind,
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) created: i64,
    pub(super) model: String,
    /// Said of chats only: whether the model's own template formed the prompt.
    pub(super) chat_template: Option<bool>,
    pub(super) include_usage: bool,
    pub(super) calibration: Arc<Calibration>,
}

impl Envelope {
    fn object(&self, object: &str, choices: Value) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("id".into(), json!(self.id));
        fields.insert("object".into(), json!(object));
        fields.insert("created".into(), json!(self.created));
        fields.insert("model".into(), json!(self.model));
        fields.insert("choices".into(), choices);
        fields
    }

    fn mark_template(&self, fields: &mut Map<String, Value>) {
        if let Some(chat_template) = self.chat_template {
            fields.insert("portico".into(), json!({"chat_template": chat_template}));
        }
    }

    /// The whole answer.
    pub(super) fn plain(&self, answer: &Delta, said: &Said, scored: bool, finish: Finish, usage: Usage) -> Value {
        let calls = &said.calls;
        let logprobs = if scored { self.logprobs(&answer.tokens, 0) } else { Value::Null };
        let (object, choice) = match self.kind {
            Kind::Chat => {
                let mut message = json!({"role": "assistant", "content": answer.text, "refusal": null});
                let mut finish = word(finish);
                if !said.thought.is_empty() {
                    message["reasoning_content"] = said.thought.as_str().into();
                }
                if !calls.is_empty() {
                    message["tool_calls"] =
                        calls.iter().enumerate().map(|(nth, call)| self.call_object(nth, call)).collect();
                    if answer.text.is_empty() {
                        message["content"] = Value::Null;
                    }
                    finish = word_of_calls(finish);
                }
                (
                    "chat.completion",
                    json!({"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish}),
                )
            }
            Kind::Completion => (
                "text_completion",
                json!({"index": 0, "text": answer.text, "logprobs": logprobs, "finish_reason": word(finish)}),
            ),
        };
        let mut fields = self.object(object, json!([choice]));
        fields.insert("usage".into(), usage_object(usage, &self.calibration));
        self.mark_template(&mut fields);
        Value::Object(fields)
    }

    fn chunk(&self, choices: Value) -> Map<String, Value> {
        let object = match self.kind {
            Kind::Chat => "chat.completion.chunk",
            Kind::Completion => "text_completion",
        };
        let mut fields = self.object(object, choices);
        if self.include_usage {
            fields.insert("usage".into(), Value::Null);
        }
        fields
    }

    fn call_object(&self, nth: usize, call: &Call) -> Value {
        let id = self.id.rsplit('-').next().unwrap_or_default();
        json!({
            "id": format!("call_{id}_{nth}"), "type": "function",
            "function": {"name": call.name, "arguments": call.arguments},
        })
    }

    /// The chunk that begins a tool call.
    pub(super) fn begin(&self, nth: usize, name: &str) -> Value {
        let mut object = self.call_object(nth, &Call { name: name.to_owned(), arguments: String::new() });
        object["index"] = nth.into();
        self.of_delta(json!({"tool_calls": [object]}))
    }

    /// A chunk with more of a call's arguments.
    pub(super) fn arguments(&self, nth: usize, more: &str) -> Value {
        self.of_delta(json!({"tool_calls": [{"index": nth, "function": {"arguments": more}}]}))
    }

    /// A chunk with what the model thinks.
    pub(super) fn thought(&self, text: &str) -> Value {
        self.of_delta(json!({"reasoning_content": text}))
    }

    fn of_delta(&self, delta: Value) -> Value {
        Value::Object(self.chunk(self.choice(delta, "", Value::Null, None)))
    }

    fn choice(&self, delta: Value, text: &str, logprobs: Value, finish: Option<&str>) -> Value {
        match self.kind {
            Kind::Chat => json!([{"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}]),
            Kind::Completion => json!([{"index": 0, "text": text, "logprobs": logprobs, "finish_reason": finish}]),
        }
    }

    /// The chunk before the first text; completions have none.
    pub(super) fn first(&self) -> Option<Value> {
        if self.kind == Kind::Completion {
            return None;
        }
        let mut fields = self.chunk(self.choice(json!({"role": "assistant", "content": ""}), "", Value::Null, None));
        self.mark_template(&mut fields);
        Some(Value::Object(fields))
    }

    /// A chunk with text; `letters` is the number of characters before it.
    pub(super) fn delta(&self, delta: &Delta, letters: usize) -> Value {
        let logprobs = if delta.tokens.is_empty() { Value::Null } else { self.logprobs(&delta.tokens, letters) };
        Value::Object(self.chunk(self.choice(json!({"content": delta.text}), &delta.text, logprobs, None)))
    }

    /// The chunks at the end: why, and what it took when that was asked for.
    pub(super) fn last(&self, finish: Finish, called: bool, usage: Usage) -> Vec<Value> {
        let finish = if called { word_of_calls(word(finish)) } else { word(finish) };
        let mut chunks = vec![Value::Object(self.chunk(self.choice(json!({}), "", Value::Null, Some(finish))))];
        if self.include_usage {
            let mut fields = self.chunk(json!([]));
            fields.insert("usage".into(), usage_object(usage, &self.calibration));
            chunks.push(Value::Object(fields));
        }
        chunks
    }

    fn logprobs(&self, tokens: &[Scored], letters: usize) -> Value {
        match self.kind {
            Kind::Chat => json!({"content": tokens.iter().map(chat_token).collect::<Vec<_>>(), "refusal": null}),
            Kind::Completion => completion_tokens(tokens, letters),
        }
    }
}

fn chat_token(scored: &Scored) -> Value {
    let alternatives = scored.likelihood.top.iter().zip(&scored.top_bytes);
    let alternatives: Vec<_> = alternatives.map(|(&(_, logprob), bytes)| token_object(bytes, logprob)).collect();
    let mut object = token_object(&scored.bytes, scored.likelihood.chosen);
    object["top_logprobs"] = Value::Array(alternatives);
    object
}

fn token_object(bytes: &[u8], logprob: f32) -> Value {
    json!({"token": String::from_utf8_lossy(bytes), "logprob": logprob.max(IMPOSSIBLE), "bytes": bytes})
}

fn completion_tokens(tokens: &[Scored], mut letters: usize) -> Value {
    let (mut texts, mut offsets, mut logprobs, mut tops) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for scored in tokens {
        let text = String::from_utf8_lossy(&scored.bytes).into_owned();
        offsets.push(letters);
        letters += text.chars().count();
        texts.push(text);
        logprobs.push(scored.likelihood.chosen.max(IMPOSSIBLE));
        let alternatives = scored.likelihood.top.iter().zip(&scored.top_bytes);
        let top: Map<_, _> = alternatives
            .map(|(&(_, logprob), bytes)| (String::from_utf8_lossy(bytes).into_owned(), json!(logprob.max(IMPOSSIBLE))))
            .collect();
        tops.push(Value::Object(top));
    }
    json!({"tokens": texts, "token_logprobs": logprobs, "top_logprobs": tops, "text_offset": offsets})
}

fn word(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    }
}

/// An answer that was cut is cut, with calls or without.
fn word_of_calls(finish: &'static str) -> &'static str {
    if finish == "stop" { "tool_calls" } else { finish }
}

fn usage_object(usage: Usage, calibration: &Calibration) -> Value {
    let Usage { prompt, completion, confidence, cached, drafted, accepted } = usage;
    let mut object = json!({
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt.saturating_add(completion),
        "prompt_tokens_details": {"cached_tokens": cached},
    });
    if let Some(Confidence { mean, worst, worst_from, tokens }) = confidence {
        object["confidence"] = json!({
            "mean": calibration.of(mean),
            "worst": calibration.of(worst),
            "worst_from": worst_from,
            "window": WINDOW.min(tokens as usize),
            "tokens": tokens,
        });
    }
    if drafted > 0 {
        // OpenAI's words for predicted outputs.
        object["completion_tokens_details"] = json!({
            "accepted_prediction_tokens": accepted,
            "rejected_prediction_tokens": drafted - accepted,
        });
    }
    object
}
