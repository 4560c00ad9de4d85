//! A client's own request body: looked at without copying it, and edited in two places without touching the rest.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use bytes::Bytes;
use domain::Tokens;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::Error;

/// What the house must know of a client's body before it is let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan<'a> {
    /// `model`
    pub model: Cow<'a, str>,
    /// `stream`, false where absent.
    pub stream: bool,
    /// `stream_options.include_usage`, false where absent.
    pub wants_usage: bool,
    /// `max_completion_tokens`, or `max_tokens`: the longest answer.
    pub max_tokens: Option<u32>,
    /// `n`, 1 where absent.
    pub n: u32,
    /// About how many tokens `messages` or `prompt` and `tools` are, by [`Tokens::estimate`]'s rule over the raw JSON; an
    /// inlined image counts as 1,000.
    pub prompt_tokens: Tokens,
}

/// Looks at a body of chat completions (`messages`) or completions (`prompt`). Every error names the field.
pub fn scan(body: &[u8]) -> Result<Scan<'_>, Error> {
    let fields = Fields::read(
        text(body)?,
        &[
            "model",
            "stream",
            "stream_options",
            "max_tokens",
            "max_completion_tokens",
            "n",
            "messages",
            "prompt",
            "tools",
        ],
    )?;
    let model = model_of(fields.raw(0))?;
    match (fields.raw(6), fields.raw(7)) {
        (None, None) => return Err(Error::invalid("messages", "is missing")),
        (Some(raw), _) if !raw.starts_with('[') => return Err(Error::invalid("messages", "must be an array")),
        (Some(raw), _) if raw[1..].trim_start().starts_with(']') => return Err(Error::invalid("messages", "is empty")),
        _ => {}
    }
    let wants_usage = match fields.raw(2) {
        None => false,
        Some(raw) if !raw.starts_with('{') => return Err(Error::invalid("stream_options", "must be an object")),
        Some(raw) => Fields::read(raw, &["include_usage"])?.flag(0, "stream_options.include_usage")?,
    };
    let stated = [(4, "max_completion_tokens"), (3, "max_tokens")];
    let mut max_tokens = None;
    for (at, name) in stated {
        max_tokens = max_tokens.or(fields.count(at, name)?);
    }
    let n = fields.count(5, "n")?.unwrap_or(1);
    if n == 0 {
        return Err(Error::invalid("n", "must be at least 1"));
    }
    let prompt_tokens = [6, 7, 8].into_iter().filter_map(|at| fields.raw(at)).map(estimate).sum();
    Ok(Scan { model, stream: fields.flag(1, "stream")?, wants_usage, max_tokens, n, prompt_tokens })
}

/// The name of a model, as written.
pub(crate) fn model_of(raw: Option<&str>) -> Result<Cow<'_, str>, Error> {
    let raw = raw.ok_or_else(|| Error::invalid("model", "is missing"))?;
    let read = serde_json::from_str::<CowStr<'_>>(raw);
    let model = read.map_err(|_| Error::invalid("model", "must be a string"))?.0;
    if model.is_empty() {
        return Err(Error::invalid("model", "is empty"));
    }
    Ok(model)
}

/// The same body for another model name, asking for usage in the stream where `ask_usage`. Nothing else changes: order,
/// spacing, unknown fields and numbers stay as the client wrote them. A body that names one of the two fields twice is
/// refused, since two readers could read it differently.
pub fn retarget(body: &Bytes, model: &str, ask_usage: bool) -> Result<Bytes, Error> {
    let whole = text(body)?;
    let fields = Fields::read(whole, &["model", "stream_options"])?;
    let mut edits: Vec<(Range<usize>, Vec<u8>)> = Vec::with_capacity(2);
    let name = serde_json::to_vec(model).map_err(|error| Error::NotJson(error.to_string()))?;
    let span = fields.spans[0].clone().ok_or_else(|| Error::invalid("model", "is missing"))?;
    edits.push((span, name));
    if ask_usage {
        match fields.raw(1).filter(|raw| raw.starts_with('{')) {
            None => edits.push(fields.set(1, "stream_options", br#"{"include_usage":true}"#.to_vec())),
            Some(options) => {
                let inner = Fields::read(options, &["include_usage"])?;
                if inner.spans[0].as_ref().map(|span| &options[span.clone()]) != Some("true") {
                    let (span, new) = inner.set(0, "include_usage", b"true".to_vec());
                    let base = fields.spans[1].as_ref().map_or(0, |span| span.start);
                    edits.push((base + span.start..base + span.end, new));
                }
            }
        }
    }
    edits.sort_by_key(|(span, _)| span.start);
    let grown: usize = edits.iter().map(|(_, new)| new.len()).sum();
    let mut out = Vec::with_capacity(body.len() + grown);
    let mut at = 0;
    for (span, new) in &edits {
        out.extend_from_slice(&body[at..span.start]);
        out.extend_from_slice(new);
        at = span.end;
    }
    out.extend_from_slice(&body[at..]);
    Ok(Bytes::from(out))
}

pub(crate) fn text(body: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(body)
        .map_err(|error| Error::NotJson(format!("it is not UTF-8 at byte {}", error.valid_up_to())))
}

/// Tokens of raw JSON: `\uXXXX` is one character, a `data:` URL a picture.
pub(crate) fn estimate(raw: &str) -> Tokens {
    const PICTURE: u32 = 1_000;
    let mut sum = Tokens(0);
    let mut rest = raw;
    while let Some(at) = memchr::memmem::find(rest.as_bytes(), b"\"data:") {
        let (before, from) = rest.split_at(at);
        sum = sum + estimate_text(before) + Tokens(PICTURE);
        let end = memchr::memchr(b'"', &from.as_bytes()[1..]).map_or(from.len(), |end| end + 2);
        rest = from.get(end..).unwrap_or_default();
    }
    sum + estimate_text(rest)
}

fn estimate_text(text: &str) -> Tokens {
    let escapes = memchr::memmem::find_iter(text.as_bytes(), b"\\u").count();
    let plain = Tokens::estimate(text).0.saturating_sub(u32::try_from(escapes * 6 / 4).unwrap_or(u32::MAX));
    Tokens(plain.saturating_add(u32::try_from(escapes).unwrap_or(u32::MAX)))
}

/// Where the values of some named fields of one JSON object lie.
pub(crate) struct Fields<'a> {
    whole: &'a str,
    spans: Vec<Option<Range<usize>>>,
    /// Right after `{`, and whether the object has any field.
    inside: usize,
    empty: bool,
}

impl<'a> Fields<'a> {
    pub(crate) fn read(whole: &'a str, names: &[&str]) -> Result<Self, Error> {
        let mut fields = Fields { whole, spans: vec![None; names.len()], inside: 0, empty: true };
        let mut reader = serde_json::Deserializer::from_str(whole);
        let mut duplicate = None;
        let walk = Walk { fields: &mut fields, names, duplicate: &mut duplicate };
        walk.deserialize(&mut reader).and_then(|()| reader.end()).map_err(|error| Error::NotJson(error.to_string()))?;
        if let Some(name) = duplicate {
            return Err(Error::invalid(name, "is there twice"));
        }
        fields.inside = memchr::memchr(b'{', whole.as_bytes()).map_or(0, |at| at + 1);
        Ok(fields)
    }

    /// The value as written; `null` counts as absent.
    pub(crate) fn raw(&self, at: usize) -> Option<&'a str> {
        self.spans[at].as_ref().map(|span| &self.whole[span.clone()]).filter(|raw| *raw != "null")
    }

    pub(crate) fn flag(&self, at: usize, name: &str) -> Result<bool, Error> {
        match self.raw(at) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::invalid(name, "must be true or false")),
        }
    }

    fn count(&self, at: usize, name: &str) -> Result<Option<u32>, Error> {
        let Some(raw) = self.raw(at) else { return Ok(None) };
        raw.parse().map(Some).map_err(|_| Error::invalid(name, "must be a whole number from 0 to 4294967295"))
    }

    /// The edit that gives this field a value.
    fn set(&self, at: usize, name: &str, value: Vec<u8>) -> (Range<usize>, Vec<u8>) {
        if let Some(span) = &self.spans[at] {
            return (span.clone(), value);
        }
        let mut new = format!("\"{name}\":").into_bytes();
        new.extend_from_slice(&value);
        if !self.empty {
            new.push(b',');
        }
        (self.inside..self.inside, new)
    }
}

struct Walk<'w, 'a, 'n> {
    fields: &'w mut Fields<'a>,
    names: &'n [&'n str],
    duplicate: &'w mut Option<&'n str>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<CowStr<'de>>()? {
            let value: &'de RawValue = map.next_value()?;
            self.fields.empty = false;
            let Some(at) = self.names.iter().position(|name| *name == key.0) else { continue };
            let start = value.get().as_ptr() as usize - self.fields.whole.as_ptr() as usize;
            let old = self.fields.spans[at].replace(start..start + value.get().len());
            if old.is_some() {
                *self.duplicate = Some(self.names[at]);
            }
        }
        Ok(())
    }
}

/// Text that borrows where it has no escapes (serde's own `Option<Cow<str>>` and keys always copy).
#[derive(serde::Deserialize)]
struct CowStr<'a>(#[serde(borrow)] Cow<'a, str>);
