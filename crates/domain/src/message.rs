//! What was said, as a model reads it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Author {
    /// Instructions for the model.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

impl Author {
    /// The word used in the database and in the OpenAI dialect's `role`.
    pub fn as_str(self) -> &'static str {
        match self {
            Author::System => "system",
            Author::User => "user",
            Author::Assistant => "assistant",
            Author::Tool => "tool",
        }
    }

    /// The author behind a word of [`Author::as_str`].
    pub fn parse(word: &str) -> Option<Author> {
        match word {
            "system" => Some(Author::System),
            "user" => Some(Author::User),
            "assistant" => Some(Author::Assistant),
            "tool" => Some(Author::Tool),
            _ => None,
        }
    }
}

/// One message of a prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Who said it.
    #[serde(rename = "role")]
    pub author: Author,
    /// The text.
    #[serde(rename = "content")]
    pub text: String,
    /// Pictures beside it, as `data:` URLs. A dialect writes them as parts; they are not in this form of a message.
    #[serde(skip)]
    pub pictures: Vec<Arc<str>>,
}

impl Message {
    /// A message from its author and text.
    pub fn new(author: Author, text: impl Into<String>) -> Self {
        Message { author, text: text.into(), pictures: Vec::new() }
    }
}

/// What a person thinks of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// Good or bad.
    pub verdict: Verdict,
    /// Why: words that the pages offer, and the person's own.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// In the person's own words; empty where there are none.
    #[serde(default)]
    pub note: String,
    /// What should have been answered.
    #[serde(default)]
    pub correction: Option<String>,
    /// Whether administrators may read the conversation up to here and teach models with it.
    #[serde(default)]
    pub shared: bool,
    /// When it was given.
    pub at: Timestamp,
}

/// Good or bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
}
