//! Server-sent events as they came: strict about what an event is, with the moment of every piece.

use std::time::Instant;

use serde_json::Value;

use super::http::header;

/// A stream that was heard to its end.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    /// Each chunk of the body, and when it came.
    pub(crate) pieces: Vec<(Instant, Vec<u8>)>,
    /// Whether the body broke off.
    pub(crate) cut: bool,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: Option<u64>,
    pub(crate) data: String,
}

impl Event {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {}", self.data))
    }
}

/// The events of whole text. Comments are none, and what has no `data:` line is none.
pub(crate) fn events_of(wire: &str) -> Vec<Event> {
    let wire = wire.replace("\r\n", "\n");
    let mut events = Vec::new();
    for block in wire.split("\n\n") {
        let field = |line: &'_ str, name: &str| {
            line.strip_prefix(name).map(|value| value.strip_prefix(' ').unwrap_or(value).to_owned())
        };
        let data: Vec<String> = block.lines().filter_map(|line| field(line, "data:")).collect();
        let id = block.lines().find_map(|line| field(line, "id:")).and_then(|id| id.parse().ok());
        if !data.is_empty() {
            events.push(Event { id, data: data.join("\n") });
        }
    }
    events
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// All of it, which must be whole characters.
    pub(crate) fn wire(&self) -> String {
        let bytes: Vec<u8> = self.pieces.iter().flat_map(|(_, piece)| piece.clone()).collect();
        String::from_utf8(bytes).expect("whole characters")
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        events_of(&self.wire())
    }

    /// The events of the OpenAI dialect, its end mark excepted.
    pub(crate) fn chunks(&self) -> Vec<Value> {
        self.events().iter().filter(|event| event.data != "[DONE]").map(Event::json).collect()
    }

    pub(crate) fn text(&self) -> String {
        let chunks = self.chunks();
        chunks.iter().filter_map(|chunk| chunk.pointer("/choices/0/delta/content")?.as_str()).collect()
    }

    pub(crate) fn finish(&self) -> Option<String> {
        let chunks = self.chunks();
        chunks.iter().find_map(|chunk| Some(chunk.pointer("/choices/0/finish_reason")?.as_str()?.to_owned()))
    }

    /// Whether it ended in the end mark, and only there.
    pub(crate) fn is_done(&self) -> bool {
        let events = self.events();
        let marks = events.iter().filter(|event| event.data == "[DONE]").count();
        marks == 1 && !self.cut && events.last().is_some_and(|event| event.data == "[DONE]")
    }

    /// The code of the error event it ended with.
    pub(crate) fn error(&self) -> Option<String> {
        let last = self.chunks().pop()?;
        Some(last.pointer("/error/code")?.as_str()?.to_owned())
    }
}
