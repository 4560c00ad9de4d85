//! Anthropic's answers as events (<https://platform.claude.com/docs/en/build-with-claude/streaming>): blocks by index become text,
//! thoughts and calls. Blocks of Anthropic's own server tools are passed over.

use std::sync::Arc;

use domain::{Finish, ModelError, Tokens, TurnEvent, Usage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::{self, Fault};
use crate::providers::memory::Memory;
use crate::providers::reading::{Keep, Listener, Said};

/// One answer being listened to.
pub(super) struct Messages {
    model: String,
    memory: Arc<Memory>,
    open: Block,
    /// Calls so far.
    calls: u32,
    /// Thoughts since the last call, as the vendor wants to see them again.
    thoughts: Vec<Value>,
    counts: Option<Counts>,
    finish: Option<Finish>,
    done: bool,
}

/// The block that is being written. Blocks follow one another; none is interleaved.
enum Block {
    None,
    /// Its text and its signature.
    Thought(String, String),
    /// Whether arguments have come.
    Call(u32, bool),
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Event {
    MessageStart {
        message: Start,
    },
    ContentBlockStart {
        content_block: Value,
    },
    ContentBlockDelta {
        delta: Delta,
    },
    ContentBlockStop,
    MessageDelta {
        delta: Ending,
        #[serde(default)]
        usage: Counts,
    },
    MessageStop,
    Error {
        error: Fault,
    },
    /// `ping`, and what may be added: the reference asks clients to pass over what they do not know.
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    usage: Counts,
}

#[derive(Deserialize)]
#[serde(tag = "type")]
enum Delta {
    #[serde(rename = "text_delta")]
    Text { text: String },
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: String },
    #[serde(rename = "signature_delta")]
    Signature { signature: String },
    #[serde(rename = "input_json_delta")]
    Input { partial_json: String },
    #[serde(other)]
    Other,
}

#[derive(Default, Deserialize)]
struct Ending {
    #[serde(default)]
    stop_reason: Option<String>,
}

/// `usage`; in a stream each count stands until a later event says another.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Counts {
    input_tokens: Option<u32>,
    cache_creation_input_tokens: Option<u32>,
    cache_read_input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    output_tokens_details: Option<Details>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(default)]
struct Details {
    thinking_tokens: u32,
}

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    content: Vec<Value>,
    #[serde(default)]
    stop_reason: Option<String>,
    #[serde(default)]
    usage: Counts,
    #[serde(default)]
    error: Option<Fault>,
}

impl Messages {
    pub(super) fn new(model: &str, memory: Arc<Memory>) -> Messages {
        Messages {
            model: model.to_owned(),
            memory,
            open: Block::None,
            calls: 0,
            thoughts: Vec::new(),
            counts: None,
            finish: None,
            done: false,
        }
    }

    fn begin(&mut self, block: &Value, events: &mut Vec<TurnEvent>) {
        let text = |name: &str| block.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        self.open = Block::None;
        match block.get("type").and_then(Value::as_str).unwrap_or_default() {
            "text" => say(text("text"), events),
            "thinking" => {
                self.open = Block::Thought(text("thinking"), text("signature"));
                think(text("thinking"), events);
            }
            "redacted_thinking" => self.thoughts.push(block.clone()),
            "tool_use" => {
                let (index, id, name) = (self.calls, text("id"), text("name"));
                self.calls += 1;
                let thoughts = std::mem::take(&mut self.thoughts);
                if !thoughts.is_empty() {
                    self.memory.keep(&id, Value::Array(thoughts).to_string());
                }
                // A stream begins with an empty input and sends it in pieces; an answer in one piece has it here.
                let arguments =
                    match block.get("input").filter(|input| input.as_object().is_some_and(|o| !o.is_empty())) {
                        Some(input) => input.to_string(),
                        None => String::new(),
                    };
                self.open = Block::Call(index, !arguments.is_empty());
                events.push(TurnEvent::ToolCalled { index, id: Some(id), name: Some(name), arguments });
            }
            _ => {}
        }
    }

    fn go_on(&mut self, delta: Delta, events: &mut Vec<TurnEvent>) {
        match (delta, &mut self.open) {
            (Delta::Text { text }, _) => say(text, events),
            (Delta::Thinking { thinking }, open) => {
                if let Block::Thought(known, _) = open {
                    known.push_str(&thinking);
                }
                think(thinking, events);
            }
            (Delta::Signature { signature }, Block::Thought(_, known)) => known.push_str(&signature),
            (Delta::Input { partial_json }, Block::Call(index, came)) if !partial_json.is_empty() => {
                *came = true;
                let arguments = partial_json;
                events.push(TurnEvent::ToolCalled { index: *index, id: None, name: None, arguments });
            }
            _ => {}
        }
    }

    fn close(&mut self, events: &mut Vec<TurnEvent>) {
        match std::mem::replace(&mut self.open, Block::None) {
            Block::Thought(thinking, signature) if !signature.is_empty() => {
                self.thoughts.push(json!({"type": "thinking", "thinking": thinking, "signature": signature}));
            }
            // A call without arguments is an empty object in the OpenAI dialect.
            Block::Call(index, false) => {
                let arguments = "{}".to_owned();
                events.push(TurnEvent::ToolCalled { index, id: None, name: None, arguments });
            }
            _ => {}
        }
    }

    fn count(&mut self, new: Counts) {
        let known = self.counts.unwrap_or_default();
        self.counts = Some(Counts {
            input_tokens: new.input_tokens.or(known.input_tokens),
            cache_creation_input_tokens: new.cache_creation_input_tokens.or(known.cache_creation_input_tokens),
            cache_read_input_tokens: new.cache_read_input_tokens.or(known.cache_read_input_tokens),
            output_tokens: new.output_tokens.or(known.output_tokens),
            output_tokens_details: new.output_tokens_details.or(known.output_tokens_details),
        });
    }
}

impl Listener for Messages {
    fn hear(&mut self, said: &Said<'_>, events: &mut Vec<TurnEvent>) -> Result<Keep, ModelError> {
        match serde_json::from_slice(said.data).map_err(|error| said.garbled(error))? {
            Event::MessageStart { message } => self.count(message.usage),
            Event::ContentBlockStart { content_block } => self.begin(&content_block, events),
            Event::ContentBlockDelta { delta } => self.go_on(delta, events),
            Event::ContentBlockStop => self.close(events),
            Event::MessageDelta { delta, usage } => {
                self.count(usage);
                self.finish = delta.stop_reason.as_deref().map(finish).or(self.finish);
            }
            Event::MessageStop => {
                self.done = true;
                return Ok(Keep::Not);
            }
            Event::Error { error } => return Err(fault::inside(&error, said.url, &self.model)),
            Event::Other => {
                let ping = said.data.windows(6).any(|part| part == b"\"ping\"");
                return Ok(if ping { Keep::Not } else { Keep::AsItCame });
            }
        }
        Ok(Keep::AsItCame)
    }

    fn hear_whole(&mut self, said: &Said<'_>, events: &mut Vec<TurnEvent>) -> Result<(), ModelError> {
        let whole: Whole = serde_json::from_slice(said.data).map_err(|error| said.garbled(error))?;
        if let Some(error) = whole.error {
            return Err(fault::inside(&error, said.url, &self.model));
        }
        for block in &whole.content {
            self.begin(block, events);
            self.close(events);
        }
        self.count(whole.usage);
        self.finish = whole.stop_reason.as_deref().map(finish);
        Ok(())
    }

    fn finish(&self) -> Option<Finish> {
        self.finish
    }

    fn done(&self) -> bool {
        self.done
    }

    fn usage(&self) -> Option<Usage> {
        let counts = self.counts?;
        let sum = |all: &[Option<u32>]| all.iter().map(|count| Tokens(count.unwrap_or(0))).sum();
        Some(Usage {
            prompt: sum(&[counts.input_tokens, counts.cache_creation_input_tokens, counts.cache_read_input_tokens]),
            completion: sum(&[counts.output_tokens]),
            cached: sum(&[counts.cache_read_input_tokens]),
            reasoning: Tokens(counts.output_tokens_details.map_or(0, |details| details.thinking_tokens)),
            confidence: None,
            reported: true,
        })
    }
}

fn say(text: String, events: &mut Vec<TurnEvent>) {
    if !text.is_empty() {
        events.push(TurnEvent::Delta { text });
    }
}

fn think(text: String, events: &mut Vec<TurnEvent>) {
    if !text.is_empty() {
        events.push(TurnEvent::Thought { text });
    }
}

/// `stop_reason` in the house's words.
fn finish(word: &str) -> Finish {
    match word {
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        // `end_turn`, `stop_sequence`, `pause_turn`
        _ => Finish::Stop,
    }
}
