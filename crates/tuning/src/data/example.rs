//! One example: a conversation whose last message is the answer to be learned.

use domain::{Author, Message};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// A conversation as a model is to carry it on: the line of OpenAI's chat format for fine-tuning,
/// <https://platform.openai.com/docs/guides/supervised-fine-tuning#formatting-your-data>.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// System first where there is one; the last is the assistant's.
    pub messages: Vec<Message>,
}

/// Why a conversation teaches nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// There is no message at all.
    #[error("there is no message")]
    NoMessage,
    /// Nobody asks.
    #[error("no message is the user's")]
    NoQuestion,
    /// Nobody answers at the end.
    #[error("the last message is not the assistant's, so there is no answer to learn")]
    NoAnswer,
    /// A message says nothing.
    #[error("a message is empty")]
    Empty,
    /// Instructions in the middle.
    #[error("a system message stands behind others")]
    SystemLate,
}

impl Flaw {
    /// One word for the wire; the pages translate by it.
    pub fn code(self) -> &'static str {
        match self {
            Flaw::NoMessage => "no_message",
            Flaw::NoQuestion => "no_question",
            Flaw::NoAnswer => "no_answer",
            Flaw::Empty => "empty",
            Flaw::SystemLate => "system_late",
        }
    }
}

impl Example {
    /// A question with its answer.
    pub fn pair(question: impl Into<String>, answer: impl Into<String>) -> Example {
        Example { messages: vec![Message::new(Author::User, question), Message::new(Author::Assistant, answer)] }
    }

    /// The same under instructions.
    pub fn under(mut self, system: impl Into<String>) -> Example {
        self.messages.insert(0, Message::new(Author::System, system));
        self
    }

    /// Whether it can be learned from.
    pub fn check(&self) -> Result<(), Flaw> {
        let by = |author| self.messages.iter().any(|message| message.author == author);
        let Some(last) = self.messages.last() else { return Err(Flaw::NoMessage) };
        if self.messages.iter().any(|message| message.text.trim().is_empty()) {
            return Err(Flaw::Empty);
        }
        if !by(Author::User) {
            return Err(Flaw::NoQuestion);
        }
        if last.author != Author::Assistant {
            return Err(Flaw::NoAnswer);
        }
        if self.messages.iter().skip(1).any(|message| message.author == Author::System) {
            return Err(Flaw::SystemLate);
        }
        Ok(())
    }

    /// What is asked last; empty where nobody asks.
    pub fn question(&self) -> &str {
        self.last(Author::User)
    }

    /// What is to be learned; empty where nobody answers.
    pub fn answer(&self) -> &str {
        self.last(Author::Assistant)
    }

    fn last(&self, author: Author) -> &str {
        self.messages.iter().rev().find(|message| message.author == author).map_or("", |message| &message.text)
    }

    /// The same for two examples that differ in nothing but letter case, width and white space: SHA-256 in hex.
    pub fn key(&self) -> String {
        let mut sum = Sha256::new();
        for message in &self.messages {
            sum.update(message.author.as_str());
            sum.update([0]);
            sum.update(normal(&message.text));
            sum.update([0]);
        }
        sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A text as it is compared: NFKC (so that full-width letters are the plain ones), lower case, white space as one blank.
pub(super) fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.nfkc().flat_map(char::to_lowercase) {
        match letter.is_whitespace() {
            true if out.is_empty() || out.ends_with(' ') => {}
            true => out.push(' '),
            false => out.push(letter),
        }
    }
    out.truncate(out.trim_end().len());
    out
}
