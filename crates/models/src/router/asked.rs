//! A request as the router looks at it: whose it is, what it belongs to, and how it begins.

use std::borrow::Cow;

use domain::{Author, Caller, Prompt};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::balance::hashed;
use crate::Errand;

/// How much of a prompt counts as its beginning, in bytes: about the shortest prefix that is worth finding again.
const BEGINNING: usize = 1_024;
/// Tokens of an answer that nobody bounded.
const ANSWER: u64 = 512;

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
        hashed(&text)
    }

    /// About how many tokens it will cost: four bytes each.
    pub(crate) fn cost(&self) -> u64 {
        let read: usize = match &self.prompt.body {
            Some(body) => body.bytes.len(),
            None => self.prompt.messages.iter().map(|message| message.text.len()).sum(),
        };
        read as u64 / 4 + self.prompt.sampling.max_tokens.map_or(ANSWER, u64::from)
    }
}

/// The beginning of a client's own body. What is not JSON begins as it begins.
fn first_words(body: &[u8], text: &mut Vec<u8>) {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow, default)]
        messages: Vec<Said<'a>>,
        #[serde(borrow, default)]
        prompt: Option<&'a RawValue>,
        #[serde(borrow, default)]
        input: Option<&'a RawValue>,
    }
    #[derive(Deserialize)]
    struct Said<'a> {
        #[serde(borrow, default)]
        role: Cow<'a, str>,
        #[serde(borrow, default)]
        content: Option<&'a RawValue>,
    }
    let Ok(body) = serde_json::from_slice::<Body<'_>>(body) else { return add(text, body) };
    for said in &body.messages {
        add(text, said.content.map_or("", RawValue::get).as_bytes());
        if said.role == "user" {
            break;
        }
    }
    for other in [body.prompt, body.input].into_iter().flatten() {
        add(text, other.get().as_bytes());
    }
}

fn add(text: &mut Vec<u8>, more: &[u8]) {
    let room = BEGINNING - text.len().min(BEGINNING);
    text.extend_from_slice(&more[..more.len().min(room)]);
}
