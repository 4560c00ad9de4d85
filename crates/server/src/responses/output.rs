//! The items of an answer while it is written: messages, reasoning, calls, each with its events. Calls that come side by side
//! are told side by side; text and reasoning stand one after the other.

use domain::TurnEvent;
use serde_json::{Value, json};

/// Events as they leave, numbered from 0. Silent where the answer leaves in one piece.
pub(super) struct Events {
    pub(super) bytes: Vec<u8>,
    pub(super) silent: bool,
    next: u64,
}

impl Events {
    pub(super) fn new(silent: bool) -> Events {
        Events { bytes: Vec::new(), silent, next: 0 }
    }

    /// One event; its name is its type, too.
    pub(super) fn tell(&mut self, name: &str, mut data: Value) {
        if self.silent {
            return;
        }
        data["type"] = name.into();
        data["sequence_number"] = self.next.into();
        self.next += 1;
        self.bytes.extend_from_slice(format!("event: {name}\ndata: {data}\n\n").as_bytes());
    }
}

/// The items so far.
#[derive(Default)]
pub(super) struct Output {
    turn: String,
    items: Vec<Item>,
}

struct Item {
    id: String,
    what: What,
    /// Text, reasoning, or a call's arguments.
    text: String,
    closed: bool,
}

enum What {
    Message { logprobs: Vec<Value> },
    Reasoning,
    Call { index: u32, id: String, name: String },
}

impl Output {
    pub(super) fn begin(&mut self, turn: String) {
        self.turn = turn;
    }

    /// Takes what happened, and the likelihoods of its tokens.
    pub(super) fn take(&mut self, happened: &TurnEvent, logprobs: Vec<Value>, events: &mut Events) {
        match happened {
            TurnEvent::Delta { text } => {
                let at = match self.items.last() {
                    Some(Item { what: What::Message { .. }, closed: false, .. }) => self.items.len() - 1,
                    _ => self.open(What::Message { logprobs: Vec::new() }, "msg", events),
                };
                let item = &mut self.items[at];
                item.text.push_str(text);
                let told = json!({ "item_id": item.id, "output_index": at, "content_index": 0, "delta": text,
                    "logprobs": logprobs });
                if let What::Message { logprobs: all } = &mut item.what {
                    all.extend(logprobs);
                }
                events.tell("response.output_text.delta", told);
            }
            TurnEvent::Thought { text } => {
                let at = match self.items.last() {
                    Some(Item { what: What::Reasoning, closed: false, .. }) => self.items.len() - 1,
                    _ => self.open(What::Reasoning, "rs", events),
                };
                let item = &mut self.items[at];
                item.text.push_str(text);
                let told = json!({ "item_id": item.id, "output_index": at, "content_index": 0, "delta": text });
                events.tell("response.reasoning_text.delta", told);
            }
            TurnEvent::ToolCalled { index, id, name, arguments } => {
                let known = self.items.iter().position(
                    |item| matches!(item.what, What::Call { index: known, .. } if known == *index && !item.closed),
                );
                let at = known.unwrap_or_else(|| {
                    let id = id.clone().unwrap_or_else(|| format!("call_{}_{index}", self.turn));
                    let call = What::Call { index: *index, id, name: name.clone().unwrap_or_default() };
                    self.open(call, "fc", events)
                });
                let item = &mut self.items[at];
                item.text.push_str(arguments);
                if !arguments.is_empty() {
                    let told = json!({ "item_id": item.id, "output_index": at, "delta": arguments });
                    events.tell("response.function_call_arguments.delta", told);
                }
            }
            _ => {}
        }
    }

    /// Opens an item, after closing what it cannot stand beside: only calls stand beside calls.
    fn open(&mut self, what: What, kind: &str, events: &mut Events) -> usize {
        let call = matches!(what, What::Call { .. });
        for at in 0..self.items.len() {
            if !(call && matches!(self.items[at].what, What::Call { .. })) {
                self.close(at, "completed", events);
            }
        }
        let at = self.items.len();
        let item = Item { id: format!("{kind}_{}_{at}", self.turn), what, text: String::new(), closed: false };
        let mut told = item.json("in_progress");
        if !call {
            told["content"] = json!([]);
        }
        events.tell("response.output_item.added", json!({ "output_index": at, "item": told }));
        if !call {
            let part = item.part();
            let told = json!({ "item_id": item.id, "output_index": at, "content_index": 0, "part": part });
            events.tell("response.content_part.added", told);
        }
        self.items.push(item);
        at
    }

    fn close(&mut self, at: usize, status: &str, events: &mut Events) {
        let item = &mut self.items[at];
        if std::mem::replace(&mut item.closed, true) {
            return;
        }
        let place = json!({ "item_id": item.id, "output_index": at });
        let with = |more: Value| {
            let mut told = place.clone();
            if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
                told.extend(more);
            }
            told
        };
        match &item.what {
            What::Message { logprobs } => {
                let done = with(json!({ "content_index": 0, "text": item.text, "logprobs": logprobs }));
                events.tell("response.output_text.done", done);
            }
            What::Reasoning => {
                let done = with(json!({ "content_index": 0, "text": item.text }));
                events.tell("response.reasoning_text.done", done);
            }
            What::Call { name, .. } => {
                let done = with(json!({ "name": name, "arguments": item.arguments() }));
                events.tell("response.function_call_arguments.done", done);
            }
        }
        if !matches!(item.what, What::Call { .. }) {
            events.tell("response.content_part.done", with(json!({ "content_index": 0, "part": item.part() })));
        }
        events.tell("response.output_item.done", json!({ "output_index": at, "item": item.json(status) }));
    }

    /// Closes what is open; `cut`: the last item did not come to its end.
    pub(super) fn finish(&mut self, cut: bool, events: &mut Events) -> Value {
        let last = self.items.len().saturating_sub(1);
        let status = |at| if cut && at == last { "incomplete" } else { "completed" };
        for at in 0..self.items.len() {
            self.close(at, status(at), events);
        }
        self.items.iter().enumerate().map(|(at, item)| item.json(status(at))).collect()
    }

    /// What there is of an answer that broke off.
    pub(super) fn broken(&self) -> Value {
        self.items.iter().map(|item| item.json(if item.closed { "completed" } else { "incomplete" })).collect()
    }
}

impl Item {
    fn json(&self, status: &str) -> Value {
        match &self.what {
            What::Message { .. } => json!({ "id": self.id, "type": "message", "role": "assistant", "status": status,
                "content": [self.part()] }),
            What::Reasoning => json!({ "id": self.id, "type": "reasoning", "status": status, "summary": [],
                "content": [self.part()] }),
            What::Call { id, name, .. } => json!({ "id": self.id, "type": "function_call", "status": status,
                "call_id": id, "name": name, "arguments": self.arguments() }),
        }
    }

    fn part(&self) -> Value {
        match &self.what {
            What::Message { logprobs } => json!({ "type": "output_text", "text": self.text, "annotations": [],
                "logprobs": logprobs }),
            _ => json!({ "type": "reasoning_text", "text": self.text }),
        }
    }

    /// A function without parameters is called with no arguments at all by some models.
    fn arguments(&self) -> &str {
        if self.closed && self.text.trim().is_empty() { "{}" } else { &self.text }
    }
}
