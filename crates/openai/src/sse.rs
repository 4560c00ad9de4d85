//! Server-sent events over bytes (<https://html.spec.whatwg.org/multipage/server-sent-events.html>): reads in, whole events out.
//!
//! It never decodes text, so a character split across reads cannot be hurt. It does not know what the data means.

use std::borrow::Cow;
use std::mem;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;
use serde::Serialize;

use crate::Error;

/// The data of the frame that ends an OpenAI stream.
pub const DONE: &[u8] = b"[DONE]";

/// Cuts reads into whole events. Where a read holds whole events and nothing is left from before, its bytes are not copied.
#[derive(Debug)]
pub struct Decoder {
    carry: BytesMut,
    /// How far `carry` has been looked at, and where the line begins that reaches there.
    seen: usize,
    line: usize,
    limit: usize,
}

impl Decoder {
    /// A decoder that gives up on an event longer than `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Decoder { carry: BytesMut::new(), seen: 0, line: 0, limit }
    }

    /// Takes one read and returns the whole events known by now, one after the other as they came (empty when none is
    /// whole yet). Pass the result to [`frames`].
    pub fn feed(&mut self, read: Bytes) -> Result<Bytes, Error> {
        if self.carry.is_empty() {
            let end = self.scan(&read);
            let whole = read.slice(..end);
            self.keep(&read[end..], end)?;
            return Ok(whole);
        }
        self.carry.extend_from_slice(&read);
        let buffer = mem::take(&mut self.carry);
        let end = self.scan(&buffer);
        let whole = buffer.freeze();
        if end == 0 {
            // Nothing ended: take the buffer back, so that a long event grows in place.
            self.carry = whole.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
            return if self.carry.len() > self.limit {
                Err(Error::FrameTooLong { limit: self.limit })
            } else {
                Ok(Bytes::new())
            };
        }
        self.keep(&whole[end..], end)?;
        Ok(whole.slice(..end))
    }

    /// What is left when the stream has ended, made whole. Empty when the last event was complete.
    pub fn finish(&mut self) -> Bytes {
        let mut rest = mem::take(&mut self.carry);
        (self.seen, self.line) = (0, 0);
        if rest.is_empty() {
            return Bytes::new();
        }
        rest.extend_from_slice(b"\n\n");
        rest.freeze()
    }

    /// Where the last whole event ends; goes on from where the last scan stopped.
    fn scan(&mut self, buffer: &[u8]) -> usize {
        let mut end = 0;
        while let Some(found) = memchr2(b'\n', b'\r', &buffer[self.seen..]) {
            let at = self.seen + found;
            let next = match (buffer[at], buffer.get(at + 1)) {
                (b'\n', _) => at + 1,
                (_, Some(b'\n')) => at + 2,
                (_, Some(_)) => at + 1,
                // A CR that ends the read: the next one tells whether an LF belongs to it.
                (_, None) => {
                    self.seen = at;
                    return end;
                }
            };
            if at == self.line {
                end = next;
            }
            (self.seen, self.line) = (next, next);
        }
        self.seen = buffer.len();
        end
    }

    fn keep(&mut self, rest: &[u8], cut: usize) -> Result<(), Error> {
        if rest.len() > self.limit {
            return Err(Error::FrameTooLong { limit: self.limit });
        }
        self.carry.extend_from_slice(rest);
        self.seen = self.seen.saturating_sub(cut);
        self.line = self.line.saturating_sub(cut);
        Ok(())
    }
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame<'a> {
    /// All of it as it came, its blank line included.
    pub raw: &'a [u8],
    /// `event:`, where named.
    pub event: Option<&'a [u8]>,
    /// The data lines joined by LF; `None` where it has none (a comment, a blank line).
    pub data: Option<Cow<'a, [u8]>>,
}

/// The events of bytes that [`Decoder::feed`] returned.
pub fn frames(whole: &[u8]) -> Frames<'_> {
    Frames { rest: whole }
}

/// See [`frames`].
#[derive(Debug, Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let all = self.rest;
        let mut frame = Frame { raw: all, event: None, data: None };
        let mut at = 0;
        while at < all.len() {
            let length = memchr2(b'\n', b'\r', &all[at..]).unwrap_or(all.len() - at);
            let line = &all[at..at + length];
            at = match &all[at + length..] {
                [b'\r', b'\n', ..] => at + length + 2,
                [_, ..] => at + length + 1,
                [] => all.len(),
            };
            if line.is_empty() {
                frame.raw = &all[..at];
                break;
            }
            take_line(line, &mut frame);
        }
        self.rest = &all[at..];
        Some(frame)
    }
}

fn take_line<'a>(line: &'a [u8], frame: &mut Frame<'a>) {
    let line = line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line);
    let (name, value) = match memchr::memchr(b':', line) {
        Some(colon) => (&line[..colon], &line[colon + 1..]),
        None => (line, &line[line.len()..]),
    };
    let value = value.strip_prefix(b" ").unwrap_or(value);
    match name {
        b"data" => match &mut frame.data {
            None => frame.data = Some(Cow::Borrowed(value)),
            Some(data) => {
                let data = data.to_mut();
                data.push(b'\n');
                data.extend_from_slice(value);
            }
        },
        b"event" => frame.event = Some(value),
        _ => {}
    }
}

/// Writes the events of one batch into one buffer.
#[derive(Debug, Default)]
pub struct Encoder {
    buffer: Vec<u8>,
}

impl Encoder {
    /// An empty batch.
    pub fn new() -> Self {
        Encoder { buffer: Vec::with_capacity(512) }
    }

    /// One event whose data is this value as JSON. A value that cannot be written as JSON is left out.
    pub fn json(&mut self, value: &impl Serialize) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(b"data: ");
        match serde_json::to_writer(&mut self.buffer, value) {
            Ok(()) => self.buffer.extend_from_slice(b"\n\n"),
            Err(_) => self.buffer.truncate(start),
        }
    }

    /// Whole events that were written before, as they are.
    pub fn raw(&mut self, whole: &[u8]) {
        self.buffer.extend_from_slice(whole);
    }

    /// The end mark of an OpenAI stream.
    pub fn done(&mut self) {
        self.buffer.extend_from_slice(b"data: [DONE]\n\n");
    }

    /// What was written since the last call.
    pub fn take(&mut self) -> Bytes {
        Bytes::from(mem::take(&mut self.buffer))
    }
}
