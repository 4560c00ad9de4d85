//! An answer as a response: one object, or the typed events of a stream. Before the last word leaves, it is kept where that is
//! asked for.

use std::sync::Arc;

use axum::http::StatusCode;
use bytes::Bytes;
use chat::Ending;
use domain::{Batch, BoxFuture, Caller, Clock, Dialect, Finish, TurnEvent, TurnId, Usage};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use store::{NewResponse, Record, Store};

use super::output::{Events, Output};
use super::request::Request;
use crate::door::Voice;
use crate::{Problem, Server};

pub(super) struct Responses {
    clock: Arc<dyn Clock>,
    caller: Caller,
    model: String,
    /// Where it is to be kept, with what it goes on from and what was asked.
    keeping: Option<(Store, Option<TurnId>, Vec<Value>)>,
    echo: Map<String, Value>,
    logprobs: bool,
    turn: Option<TurnId>,
    created_at: i64,
    greeted: bool,
    events: Events,
    output: Output,
    /// The response, once it has ended.
    last: Option<Value>,
}

impl Responses {
    pub(super) fn new(server: &Server, caller: Caller, model: String, asked: Request) -> Self {
        let Request { store, previous, logprobs, items, echo, stream, .. } = asked;
        Responses {
            created_at: server.clock.now().0 / 1000,
            clock: Arc::clone(&server.clock),
            caller,
            model,
            keeping: store.then(|| (server.store.clone(), previous, items)),
            echo,
            logprobs,
            turn: None,
            greeted: false,
            events: Events::new(!stream),
            output: Output::default(),
            last: None,
        }
    }

    fn response(&self, turn: TurnId, status: &str, output: Value) -> Value {
        let mut response = Value::Object(self.echo.clone());
        let rest = json!({ "id": format!("resp_{turn}"), "object": "response", "created_at": self.created_at,
            "status": status, "model": self.model, "output": output, "background": false, "truncation": "disabled",
            "error": null, "incomplete_details": null, "usage": null, "completed_at": null });
        if let (Some(response), Value::Object(rest)) = (response.as_object_mut(), rest) {
            response.extend(rest);
        }
        response
    }

    fn greet(&mut self) {
        let Some(turn) = self.turn.filter(|_| !std::mem::replace(&mut self.greeted, true)) else { return };
        for name in ["response.created", "response.in_progress"] {
            let response = self.response(turn, "in_progress", json!([]));
            self.events.tell(name, json!({ "response": response }));
        }
    }

    fn take(&mut self, batch: &Batch) {
        self.greet();
        let mut logprobs = self.logprobs_of(batch);
        for happened in &batch.events {
            let here = matches!(happened, TurnEvent::Delta { .. });
            let likely = if here { std::mem::take(&mut logprobs) } else { Vec::new() };
            self.output.take(happened, likely, &mut self.events);
        }
    }

    /// What a model that speaks OpenAI's dialect told of its tokens' likelihoods. They are in its bytes alone.
    fn logprobs_of(&self, batch: &Batch) -> Vec<Value> {
        let Some(wire) = batch.wire.as_ref().filter(|wire| self.logprobs && wire.dialect == Dialect::OpenAi) else {
            return Vec::new();
        };
        if self.events.silent {
            return likelihoods(&wire.bytes);
        }
        openai::frames(&wire.bytes).filter_map(|frame| frame.data).flat_map(|data| likelihoods(&data)).collect()
    }

    /// Ends the answer once: its open items, and the response as it stays.
    fn finish(&mut self, ending: &Ending) -> Option<Value> {
        if self.last.is_none() {
            self.greet();
            let why = match ending.finish {
                Finish::Length => Some("max_output_tokens"),
                Finish::ContentFilter => Some("content_filter"),
                _ => None,
            };
            let output = self.output.finish(why.is_some(), &mut self.events);
            let status = if why.is_some() { "incomplete" } else { "completed" };
            let mut response = self.response(self.turn?, status, output);
            response["usage"] = usage(&ending.usage);
            match why {
                Some(why) => response["incomplete_details"] = json!({ "reason": why }),
                None => response["completed_at"] = (self.clock.now().0 / 1000).into(),
            }
            self.last = Some(response);
        }
        self.last.clone()
    }
}

impl Voice for Responses {
    fn begin(&mut self, turn: TurnId) {
        self.turn = Some(turn);
        self.output.begin(turn.to_string());
    }

    fn say(&mut self, batch: Batch) -> Bytes {
        self.take(&batch);
        std::mem::take(&mut self.events.bytes).into()
    }

    fn end(&mut self, ending: &Ending) -> Bytes {
        if let Some(response) = self.finish(ending) {
            let name = format!("response.{}", response["status"].as_str().unwrap_or("completed"));
            self.events.tell(&name, json!({ "response": response }));
        }
        std::mem::take(&mut self.events.bytes).into()
    }

    fn fault(&mut self, problem: &Problem) -> Bytes {
        let Some(turn) = self.turn else {
            let told = json!({ "code": problem.code, "message": problem.message, "param": null });
            self.events.tell("error", told);
            return std::mem::take(&mut self.events.bytes).into();
        };
        self.greet();
        let mut response = self.response(turn, "failed", self.output.broken());
        // The dialect has two words for it; ours, which says more, stands beside them.
        let code = match problem.status {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_exceeded",
            _ => "server_error",
        };
        response["error"] = json!({ "code": code, "message": problem.message, "type": problem.code });
        self.events.tell("response.failed", json!({ "response": response }));
        std::mem::take(&mut self.events.bytes).into()
    }

    fn gather(&mut self, batch: Batch) {
        self.take(&batch);
    }

    fn whole(&mut self, ending: &Ending) -> Result<Bytes, Problem> {
        Ok(self.finish(ending).unwrap_or_default().to_string().into())
    }

    fn keep(&mut self, ending: &Ending) -> Option<BoxFuture<'static, Result<(), Problem>>> {
        let (body, id) = (self.finish(ending)?, self.turn?);
        let (store, previous, items) = self.keeping.take()?;
        let new = NewResponse { id, caller: self.caller, previous, items, body, at: self.clock.now() };
        Some(Box::pin(async move {
            store.writer().submit(Record::Responded(Box::new(new))).await.await?;
            Ok(())
        }))
    }
}

fn usage(usage: &Usage) -> Value {
    json!({ "input_tokens": usage.prompt.0, "output_tokens": usage.completion.0,
        "input_tokens_details": { "cached_tokens": usage.cached.0, "cache_write_tokens": 0 },
        "output_tokens_details": { "reasoning_tokens": usage.reasoning.0 },
        "total_tokens": usage.prompt.0.saturating_add(usage.completion.0) })
}

#[derive(Deserialize)]
struct Told {
    #[serde(default)]
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct Logprobs {
    content: Option<Vec<Value>>,
}

/// One chunk's, or a whole answer's. Tokens that come without their bytes get those of their text.
fn likelihoods(data: &[u8]) -> Vec<Value> {
    let Ok(Told { choices }) = serde_json::from_slice(data) else { return Vec::new() };
    let first = choices.into_iter().next().and_then(|choice| choice.logprobs);
    let tokens = first.and_then(|told| told.content).unwrap_or_default();
    tokens.into_iter().filter_map(|token| likelihood(token, true)).collect()
}

/// One token's, with the others that might have stood there. What is none is left out.
fn likelihood(mut told: Value, with_others: bool) -> Option<Value> {
    let token = told["token"].as_str()?.to_owned();
    let others = match told["top_logprobs"].take() {
        Value::Array(others) => others,
        _ => Vec::new(),
    };
    let bytes = Some(told["bytes"].take()).filter(Value::is_array).unwrap_or_else(|| json!(token.as_bytes()));
    let mut known = json!({ "token": token, "logprob": told["logprob"].as_f64()?, "bytes": bytes });
    if with_others {
        known["top_logprobs"] = others.into_iter().filter_map(|other| likelihood(other, false)).collect();
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: Value, expected: Value) {
        let told = json!({ "choices": [{ "logprobs": { "content": content } }] }).to_string();
        assert_eq!(Value::from(likelihoods(told.as_bytes())), expected, "{told}");
    }

    #[test]
    fn likelihoods_are_told_as_far_as_they_are_some() {
        let dot = json!({ "token": "你", "logprob": -0.5, "bytes": [228, 189, 160], "top_logprobs": [] });
        check(json!([dot]), json!([dot]));
        check(json!([{ "token": "你", "logprob": -0.5, "bytes": null }]), json!([dot]));
        check(
            json!([{ "token": "a", "logprob": -1, "top_logprobs": [{ "token": "b", "logprob": -2 }, "b", { "token": "c" }] }]),
            json!([{ "token": "a", "logprob": -1.0, "bytes": [97],
                "top_logprobs": [{ "token": "b", "logprob": -2.0, "bytes": [98] }] }]),
        );
        for none in [
            json!(["a", 1, null, [], {}]),
            json!([{ "token": 1, "logprob": -1 }]),
            json!([{ "token": "a" }]),
            Value::Null,
        ] {
            check(none, json!([]));
        }
        for other in
            ["", "[]", "{\"choices\":[]}", "{\"choices\":[{\"logprobs\":5}]}", "{\"choices\":[{\"logprobs\":null}]}"]
        {
            assert!(likelihoods(other.as_bytes()).is_empty(), "{other}");
        }
    }
}
