//! A request as the router looks at it: whose it is, what it belongs to, and how it begins.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use domain::{Author, Caller, OnBehalf, Prompt};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::balance::hashed;
use crate::Errand;

/// How much of a prompt counts as its beginning, in bytes: about the shortest prefix that is worth finding again.
const BEGINNING: usize = 1_024;
/// Tokens of an answer that nobody bounded.
const ANSWER: u64 = 512;
/// Tokens that a bound counts as at the most: clients that allow every answer all there is do not mean to wait for it.
const LONGEST: u64 = 4_096;

pub(crate) struct Asked<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) errand: Errand,
    pub(crate) prompt: &'a Prompt,
}

impl Asked<'_> {
    /// What stays with one deployment: the conversation, or else the person.
    pub(crate) fn affinity(&self) -> u64 {
        match self.errand.conversation {
            Some(conversation) => hashed(conversation.0.as_bytes()),
            None => hashed(self.caller.person.0.as_bytes()),
        }
    }

    /// What a worker of the house is told of whose it is.
    pub(crate) fn on_behalf(&self, queued: Arc<dyn Fn(u32, Option<u64>) + Send + Sync>) -> OnBehalf {
        let person = format!("{:016x}", hashed(self.caller.person.0.as_bytes()));
        OnBehalf { person, priority: self.errand.priority, queued }
    }

    /// The instructions and the first question, as far as they count. The whole beginning stays the same while a conversation
    /// grows.
    pub(crate) fn beginning(&self) -> u64 {
        let mut text = Vec::with_capacity(BEGINNING);
        match &self.prompt.body {
            Some(body) => first_words(&body.bytes, &mut text),
            None => {
                for message in &self.prompt.messages {
                    add(&mut text, message.text.as_bytes());
                    if message.author == Author::User {
                        break;
                    }
                }
            }
        }
        digest(&text)
    }

    /// About how many tokens it will cost: four bytes each of what is read, and the answer as long as it may be.
    pub(crate) fn cost(&self) -> u64 {
        let read: usize = match &self.prompt.body {
            Some(body) => body.bytes.len(),
            None => self.prompt.messages.iter().map(|message| message.text.len()).sum(),
        };
        let longest = self.errand.longest.map(|longest| longest.0).or(self.prompt.sampling.max_tokens);
        read as u64 / 4 + longest.map_or(ANSWER, u64::from).min(LONGEST)
    }
}

/// The beginning of a client's own body, read no further than the first question. What is not JSON begins as it begins.
fn first_words(body: &[u8], text: &mut Vec<u8>) {
    let mut words = Words { text, asked: false };
    let read = Deserializer::deserialize_map(&mut serde_json::Deserializer::from_slice(body), &mut words);
    if read.is_err() && !words.asked {
        text.clear();
        add(text, body);
    }
}

/// Gathers the words of a body. Reading ends with an error at the first question, after which nothing counts.
struct Words<'t> {
    text: &'t mut Vec<u8>,
    asked: bool,
}

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    role: Cow<'a, str>,
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

impl<'de> Visitor<'de> for &mut Words<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a request or its messages")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut body: A) -> Result<(), A::Error> {
        while let Some(name) = body.next_key::<Cow<'de, str>>()? {
            match &*name {
                "messages" => body.next_value_seed(&mut *self)?,
                "prompt" | "input" => {
                    let value: Option<&RawValue> = body.next_value()?;
                    add(self.text, value.map_or("", RawValue::get).as_bytes());
                }
                _ => {
                    body.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut messages: A) -> Result<(), A::Error> {
        while let Some(said) = messages.next_element::<Said<'de>>()? {
            add(self.text, said.content.map_or("", RawValue::get).as_bytes());
            if said.role == "user" {
                self.asked = true;
                return Err(A::Error::custom(""));
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for &mut Words<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, messages: D) -> Result<(), D::Error> {
        messages.deserialize_seq(self)
    }
}

fn add(text: &mut Vec<u8>, more: &[u8]) {
    let room = BEGINNING - text.len().min(BEGINNING);
    text.extend_from_slice(&more[..more.len().min(room)]);
}

/// Eight bytes at a time, as the hasher of rustc does: a kilobyte in a fifth of a microsecond, where [`hashed`](super::balance::hashed)
/// takes one and a half. The same on every node, and nobody gains by a collision.
fn digest(text: &[u8]) -> u64 {
    const ODD: u64 = 0x517c_c1b7_2722_0a95;
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        u64::from_le_bytes(word)
    };
    text.chunks(8).fold(text.len() as u64, |hash, chunk| (hash.rotate_left(5) ^ word(chunk)).wrapping_mul(ODD))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::testing::somebody;
    use domain::{ClientBody, Message, Sampling, Tokens};

    use super::*;

    #[test]
    fn a_body_begins_with_its_instructions_and_first_question() {
        let words = |body: &str| {
            let mut text = Vec::new();
            first_words(body.as_bytes(), &mut text);
            String::from_utf8(text).unwrap()
        };
        let system = r#"{"role":"system","content":"Be brief."}"#;
        let question = r#"{"content":[{"type":"text","text":"Why?"}],"role":"user","name":null}"#;
        let cases = [
            (
                format!(r#"{{"model":"m","messages":[{system},{question},{system}]}}"#),
                r#""Be brief."[{"type":"text","text":"Why?"}]"#,
            ),
            // The rest is not read, whatever it is.
            (
                format!(r#"{{"messages":[{system},{question},{{"role":7]"#),
                r#""Be brief."[{"type":"text","text":"Why?"}]"#,
            ),
            (format!(r#"{{"messages":[{system}],"stream":true}}"#), r#""Be brief.""#),
            (r#"{"prompt":"Once","max_tokens":3}"#.to_owned(), r#""Once""#),
            (r#"{"input":["a","b"]}"#.to_owned(), r#"["a","b"]"#),
            (r#"{"messages":null}"#.to_owned(), r#"{"messages":null}"#),
            ("--boundary".to_owned(), "--boundary"),
            (String::new(), ""),
        ];
        for (body, begins) in cases {
            assert_eq!(words(&body), begins, "{body}");
        }
        assert_eq!(words(&format!(r#"{{"prompt":"{}"}}"#, "x".repeat(5_000))).len(), BEGINNING);
        let different: std::collections::HashSet<u64> = ["", "\0", "\0\0", "12345678", "12345678\0", "123456789"]
            .iter()
            .map(|text| digest(text.as_bytes()))
            .collect();
        assert_eq!(different.len(), 6);
    }

    #[test]
    fn a_request_costs_what_is_read_and_the_answer_it_asks_for() {
        let said = |text: &str, most| {
            let sampling = Sampling { max_tokens: most, ..Sampling::default() };
            Prompt::chat(vec![Message::new(Author::User, text)], sampling)
        };
        let sent = |bytes: &'static str| Prompt {
            body: Some(ClientBody::json(Bytes::from_static(bytes.as_bytes()), false)),
            ..said("", None)
        };
        let cases = [
            (said("12345678", None), None, 2 + 512, "nobody bounded it"),
            (said("12345678", Some(10)), None, 2 + 10, "the portal bounds it"),
            (sent("{\"12\":456}"), None, 2 + 512, "a client that does not"),
            (sent("{\"12\":456}"), Some(7), 2 + 7, "a client's own bound"),
            (sent("{\"12\":456}"), Some(0), 2, "a client that wants nothing said"),
            (sent("{\"12\":456}"), Some(u32::MAX), 2 + 4_096, "a client that always allows all there is"),
        ];
        let caller = somebody(1);
        for (prompt, longest, cost, case) in cases {
            let errand = Errand { longest: longest.map(Tokens), ..Errand::default() };
            assert_eq!(Asked { caller: &caller, errand, prompt: &prompt }.cost(), cost, "{case}");
        }
    }
}
