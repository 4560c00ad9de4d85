//! An answer in Anthropic's dialect: events in, named SSE events or one message out. Where the model speaks the dialect itself,
//! its bytes travel on.

use axum::http::StatusCode;
use bytes::Bytes;
use chat::Ending;
use domain::{Batch, Dialect, Finish, Tokens, TurnEvent, TurnId, Usage};
use serde_json::{Value, json};

use super::error_object;
use crate::Problem;
use crate::door::Voice;

pub(super) struct Anthropic {
    id: String,
    model: String,
    /// Estimated; the last event says what was counted.
    prompt: Tokens,
    greeted: bool,
    /// The number of the block that is open or comes next.
    index: u32,
    open: Option<Block>,
    thought: String,
    text: String,
    /// Blocks of a message stand one after the other, but models write calls side by side: one is written as it comes, the
    /// others wait for the end.
    calls: Vec<Call>,
    /// What the model wrote in the dialect itself.
    wire: Option<Bytes>,
    stopped: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Text,
    Thinking,
    Call(u32),
}

#[derive(Debug, Default)]
struct Call {
    index: u32,
    id: Option<String>,
    name: Option<String>,
    arguments: String,
    /// How much of the arguments has been written.
    written: usize,
    begun: bool,
}

impl Anthropic {
    pub(super) fn new(model: String, prompt: Tokens) -> Self {
        Anthropic {
            id: String::new(),
            model,
            prompt,
            greeted: false,
            index: 0,
            open: None,
            thought: String::new(),
            text: String::new(),
            calls: Vec::new(),
            wire: None,
            stopped: false,
        }
    }

    fn greet(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.greeted, true) {
            return;
        }
        let usage = json!({ "input_tokens": self.prompt.0, "output_tokens": 0 });
        let message = self.message(Vec::new(), Value::Null, usage);
        event(out, "message_start", json!({ "message": message }));
    }

    fn message(&self, content: Vec<Value>, stop_reason: Value, usage: Value) -> Value {
        json!({ "id": self.id, "type": "message", "role": "assistant", "model": self.model, "content": content,
            "stop_reason": stop_reason, "stop_sequence": null, "usage": usage })
    }

    fn take(&mut self, happened: &TurnEvent, out: &mut Vec<u8>) {
        match happened {
            TurnEvent::Delta { text } => {
                self.turn_to(Block::Text, json!({ "type": "text", "text": "" }), out);
                self.delta(json!({ "type": "text_delta", "text": text }), out);
            }
            TurnEvent::Thought { text } => {
                self.turn_to(Block::Thinking, json!({ "type": "thinking", "thinking": "", "signature": "" }), out);
                self.delta(json!({ "type": "thinking_delta", "thinking": text }), out);
            }
            TurnEvent::ToolCalled { .. } => {
                let at = self.note(happened);
                let busy = matches!(self.open, Some(Block::Call(open)) if open != self.calls[at].index);
                if !busy {
                    self.write_call(at, out);
                }
            }
            _ => {}
        }
    }

    /// Adds a piece to its call and says which that is.
    fn note(&mut self, happened: &TurnEvent) -> usize {
        let TurnEvent::ToolCalled { index, id, name, arguments } = happened else { return 0 };
        let at = self.calls.iter().position(|call| call.index == *index).unwrap_or_else(|| {
            self.calls.push(Call { index: *index, ..Call::default() });
            self.calls.len() - 1
        });
        let call = &mut self.calls[at];
        call.id = call.id.take().or(id.clone());
        call.name = call.name.take().or(name.clone());
        call.arguments.push_str(arguments);
        at
    }

    fn write_call(&mut self, at: usize, out: &mut Vec<u8>) {
        let call = &self.calls[at];
        let (index, begun) = (call.index, call.begun);
        if !begun {
            let start = json!({ "type": "tool_use", "id": id_of(call), "name": call.name, "input": {} });
            self.turn_to(Block::Call(index), start, out);
        } else if self.open != Some(Block::Call(index)) {
            // Closed by what came between; a block is never opened again.
            return;
        }
        let call = &mut self.calls[at];
        call.begun = true;
        let piece = call.arguments[call.written..].to_owned();
        call.written = call.arguments.len();
        if !piece.is_empty() {
            self.delta(json!({ "type": "input_json_delta", "partial_json": piece }), out);
        }
    }

    fn turn_to(&mut self, block: Block, start: Value, out: &mut Vec<u8>) {
        if self.open == Some(block) {
            return;
        }
        self.close(out);
        self.open = Some(block);
        event(out, "content_block_start", json!({ "index": self.index, "content_block": start }));
    }

    fn delta(&self, delta: Value, out: &mut Vec<u8>) {
        event(out, "content_block_delta", json!({ "index": self.index, "delta": delta }));
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            event(out, "content_block_stop", json!({ "index": self.index }));
            self.index += 1;
        }
    }
}

impl Voice for Anthropic {
    fn begin(&mut self, turn: TurnId) {
        self.id = format!("msg_{turn}");
    }

    fn say(&mut self, batch: Batch) -> Bytes {
        if let Some(wire) = batch.wire.filter(|wire| wire.dialect == Dialect::Anthropic) {
            self.greeted = true;
            self.stopped |= memchr::memmem::find(&wire.bytes, b"\"message_stop\"").is_some();
            self.wire = Some(Bytes::new());
            return wire.bytes;
        }
        let mut out = Vec::with_capacity(256);
        self.greet(&mut out);
        for happened in &batch.events {
            self.take(happened, &mut out);
        }
        Bytes::from(out)
    }

    fn end(&mut self, ending: &Ending) -> Bytes {
        let mut out = Vec::with_capacity(256);
        if self.wire.is_none() {
            self.greet(&mut out);
            for at in 0..self.calls.len() {
                if !self.calls[at].begun {
                    self.close(&mut out);
                }
                self.write_call(at, &mut out);
            }
            self.close(&mut out);
            let delta = json!({ "stop_reason": reason(ending.finish), "stop_sequence": null });
            event(&mut out, "message_delta", json!({ "delta": delta, "usage": usage(&ending.usage) }));
        }
        if !self.stopped {
            event(&mut out, "message_stop", json!({}));
        }
        Bytes::from(out)
    }

    fn fault(&mut self, problem: &Problem) -> Bytes {
        let mut out = Vec::new();
        event(&mut out, "error", error_object(problem));
        Bytes::from(out)
    }

    fn gather(&mut self, batch: Batch) {
        if let Some(wire) = batch.wire.filter(|wire| wire.dialect == Dialect::Anthropic) {
            self.wire = Some(wire.bytes);
            return;
        }
        for happened in &batch.events {
            match happened {
                TurnEvent::Delta { text } => self.text.push_str(text),
                TurnEvent::Thought { text } => self.thought.push_str(text),
                TurnEvent::ToolCalled { .. } => drop(self.note(happened)),
                _ => {}
            }
        }
    }

    fn whole(&mut self, ending: &Ending) -> Result<Bytes, Problem> {
        if let Some(bytes) = self.wire.take() {
            return Ok(bytes);
        }
        let mut content = Vec::new();
        if !self.thought.is_empty() {
            content.push(json!({ "type": "thinking", "thinking": self.thought, "signature": "" }));
        }
        if !self.text.is_empty() {
            content.push(json!({ "type": "text", "text": self.text }));
        }
        for call in &self.calls {
            let written = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_str() };
            let input: Value = serde_json::from_str(written).map_err(|error| {
                let message = format!("the model called {:?} with something that is not JSON: {error}", id_of(call));
                Problem::new(StatusCode::BAD_GATEWAY, "garbled", message)
            })?;
            content.push(json!({ "type": "tool_use", "id": id_of(call), "name": call.name, "input": input }));
        }
        let message = self.message(content, reason(ending.finish).into(), usage(&ending.usage));
        Ok(Bytes::from(message.to_string()))
    }
}

fn id_of(call: &Call) -> String {
    call.id.clone().unwrap_or_else(|| format!("toolu_{}", call.index))
}

/// Which stop string was met no other dialect tells.
fn reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Length => "max_tokens",
        Finish::ToolCalls => "tool_use",
        Finish::ContentFilter => "refusal",
        _ => "end_turn",
    }
}

/// Tokens that came from a cache are not among `input_tokens` here.
fn usage(usage: &Usage) -> Value {
    json!({ "input_tokens": usage.prompt.0.saturating_sub(usage.cached.0), "output_tokens": usage.completion.0,
        "cache_read_input_tokens": usage.cached.0, "cache_creation_input_tokens": 0 })
}

/// One event; its name is its type, too.
fn event(out: &mut Vec<u8>, name: &str, mut data: Value) {
    data["type"] = name.into();
    out.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
}
