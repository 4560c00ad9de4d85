//! A partial, borrowed look at one chunk or whole answer: text, reasoning, tool calls, ending, usage, error. The rest is skipped,
//! so that an upstream's extras cost nothing and break nothing.

use std::borrow::Cow;
use std::fmt;

use domain::{Finish, TurnEvent};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::{Error, UsageBody, finish_from_word};

/// One chunk of a stream, or one whole answer.
#[derive(Debug, Default, Deserialize)]
pub struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<UsageBody>,
    #[serde(borrow, default)]
    error: Option<Fault<'a>>,
}

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: u32,
    #[serde(borrow, default, alias = "message")]
    delta: Option<Piece<'a>>,
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Text<'a>>,
}

#[derive(Debug, Deserialize)]
struct Piece<'a> {
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    refusal: Option<Text<'a>>,
    #[serde(borrow, default)]
    reasoning_content: Option<Text<'a>>,
    #[serde(borrow, default)]
    reasoning: Option<Text<'a>>,
    #[serde(borrow, default)]
    tool_calls: Option<Vec<Call<'a>>>,
}

#[derive(Debug, Deserialize)]
struct Call<'a> {
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    function: Option<Function<'a>>,
}

#[derive(Debug, Deserialize)]
struct Function<'a> {
    #[serde(borrow, default)]
    name: Option<Text<'a>>,
    #[serde(borrow, default)]
    arguments: Option<Text<'a>>,
}

/// What a back end says went wrong.
#[derive(Debug, Default)]
pub struct Fault<'a> {
    /// Its own words.
    pub message: Cow<'a, str>,
    /// `code`, where it is a word.
    pub code: Option<Cow<'a, str>>,
    /// `type`, where given.
    pub kind: Option<Cow<'a, str>>,
    /// `code`, where it is a number: an HTTP status.
    pub status: Option<u16>,
}

/// How the usage chunks of a stream look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usages {
    /// No usage in it.
    None,
    /// Usage beside content (some send a running count with every chunk).
    Beside,
    /// Nothing but usage: the chunk that `stream_options.include_usage` asks for.
    Only,
}

/// Reads the data of one frame, or a whole body.
pub fn parse_chunk(data: &[u8]) -> Result<Chunk<'_>, Error> {
    serde_json::from_slice(data).map_err(|error| Error::NotJson(error.to_string()))
}

impl<'a> Chunk<'a> {
    /// The error it carries instead of an answer.
    pub fn fault(&self) -> Option<&Fault<'a>> {
        self.error.as_ref()
    }

    /// The usage in it, and whether it carries anything else.
    pub fn usages(&self) -> Usages {
        match (&self.usage, self.choices.as_ref().is_none_or(Vec::is_empty)) {
            (None, _) => Usages::None,
            (Some(_), true) => Usages::Only,
            (Some(_), false) => Usages::Beside,
        }
    }

    /// The tokens it reports.
    pub fn usage(&self) -> Option<domain::Usage> {
        self.usage.as_ref().map(UsageBody::usage)
    }

    /// How the first answer ended, where this chunk says so.
    pub fn finish(&self) -> Option<Finish> {
        let first = self.choices.iter().flatten().find(|choice| choice.index == 0)?;
        let word = first.finish_reason.as_ref().filter(|word| !word.0.is_empty())?;
        Some(finish_from_word(&word.0))
    }

    /// Appends its events in order: thoughts, text, tool calls of the first answer (`n` > 1 travels as bytes only). Returns
    /// whether a call index was changed: the back end used one index for two calls (Ollama does).
    pub fn events(&self, calls: &mut CallIndexes, out: &mut Vec<TurnEvent>) -> bool {
        let mut changed = false;
        for choice in self.choices.iter().flatten().filter(|choice| choice.index == 0) {
            let piece = choice.delta.as_ref();
            let thought = piece.and_then(|piece| said(&piece.reasoning_content).or(said(&piece.reasoning)));
            let text = piece.and_then(|piece| said(&piece.content).or(said(&piece.refusal))).or(said(&choice.text));
            if let Some(text) = thought {
                out.push(TurnEvent::Thought { text });
            }
            if let Some(text) = text {
                out.push(TurnEvent::Delta { text });
            }
            for (place, call) in piece.iter().flat_map(|piece| piece.tool_calls.iter().flatten()).enumerate() {
                let given = call.index.unwrap_or(u32::try_from(place).unwrap_or(u32::MAX));
                let id = said(&call.id);
                let index = calls.settle(given, id.as_deref());
                changed |= index != given;
                let function = call.function.as_ref();
                out.push(TurnEvent::ToolCalled {
                    index,
                    id,
                    name: function.and_then(|function| said(&function.name)),
                    arguments: function.and_then(|function| said(&function.arguments)).unwrap_or_default(),
                });
            }
        }
        changed
    }
}

fn said(text: &Option<Text<'_>>) -> Option<String> {
    text.as_ref().filter(|text| !text.0.is_empty()).map(|text| text.0.to_string())
}

/// Which of our call indexes each of the back end's stands for. A new id at a known index is a new call.
#[derive(Debug, Default)]
pub struct CallIndexes {
    calls: Vec<KnownCall>,
}

#[derive(Debug)]
struct KnownCall {
    given: u32,
    id: Option<String>,
    ours: u32,
}

impl CallIndexes {
    /// Our index for a piece that came with this index and, perhaps, id.
    fn settle(&mut self, given: u32, id: Option<&str>) -> u32 {
        let mut at_index = self.calls.iter_mut().rev().filter(|call| call.given == given);
        let known = match id {
            // Pieces without an id belong to the latest call at their index.
            None => at_index.next(),
            Some(id) => at_index.find(|call| call.id.as_deref().is_none_or(|seen| seen == id)),
        };
        if let Some(call) = known {
            call.id = call.id.take().or(id.map(str::to_owned));
            return call.ours;
        }
        // The back end's own number, unless it stands for another call already.
        let taken = self.calls.iter().any(|call| call.ours == given);
        let next = self.calls.iter().map(|call| call.ours.saturating_add(1)).max().unwrap_or(0);
        let ours = if taken { next } else { given };
        self.calls.push(KnownCall { given, id: id.map(str::to_owned), ours });
        ours
    }
}

/// Text that borrows where it has no escapes. `null` is empty; a list of parts is joined; anything else is skipped.
#[derive(Debug, Default)]
struct Text<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(AnyText).map(Text)
    }
}

struct AnyText;

impl<'de> Visitor<'de> for AnyText {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(""))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let mut all = String::new();
        while let Some(part) = parts.next_element::<Text<'de>>()? {
            all.push_str(&part.0);
        }
        Ok(Cow::Owned(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut text = Cow::Borrowed("");
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "text" {
                text = map.next_value::<Text<'de>>()?.0;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fault<'a> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(AnyFault)
    }
}

struct AnyFault;

impl<'de> Visitor<'de> for AnyFault {
    type Value = Fault<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an error object or a sentence")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Fault { message: Cow::Borrowed(text), ..Fault::default() })
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Fault { message: Cow::Owned(text.to_owned()), ..Fault::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fault = Fault::default();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let slot = match &*key {
                "message" => {
                    fault.message = map.next_value::<Text<'de>>()?.0;
                    continue;
                }
                "code" => &mut fault.code,
                "type" => &mut fault.kind,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            let word = map.next_value::<Text<'de>>()?.0;
            match word.parse() {
                Ok(status) => fault.status = Some(status),
                Err(_) if word.is_empty() => {}
                Err(_) => *slot = Some(word),
            }
        }
        Ok(fault)
    }
}
