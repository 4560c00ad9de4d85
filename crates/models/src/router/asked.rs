//! A request as the router looks at it: whose it is, what it belongs to, and how it begins.

use std::borrow::Cow;
use std::sync::Arc;

use domain::{Author, Caller, OnBehalf, Prompt};
use serde::Deserialize;
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
        hashed(&text)
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use domain::testing::somebody;
    use domain::{ClientBody, Message, Sampling, Tokens};

    use super::*;

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
