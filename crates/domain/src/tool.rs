//! The port to tools: whatever a model or an event may have done, near or far.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BoxFuture, Caller};

/// A tool as a model reads it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// 1 to 64 letters, digits, `_` and `-`.
    pub name: String,
    /// What it is good for.
    pub description: String,
    /// The JSON Schema of its arguments, an object.
    pub parameters: Value,
}

/// A call as a model makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The model's own id of it.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// The arguments as they came: JSON, if the model kept to it.
    pub arguments: String,
}

/// The calls of one answer, and what came of them: goes before the model once more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolRound {
    /// What the model said before it called.
    pub text: String,
    /// Its calls.
    pub calls: Vec<ToolCall>,
    /// What each was answered, in the order of the calls.
    pub answers: Vec<String>,
}

/// A file that is handed to a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// As the person named it; never a path here.
    pub name: String,
    /// Its media type.
    pub media_type: String,
    /// What is in it.
    pub bytes: Bytes,
}

/// What a tool is called with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolInput {
    /// They fit the tool's schema.
    pub arguments: Value,
    /// Empty for a tool that may not read files.
    pub files: Vec<Attachment>,
}

/// A step of a turn that a tool took: kept with the answer and shown with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolStep {
    /// Whose tool.
    pub plugin: String,
    /// Which tool.
    pub tool: String,
    /// Why it failed: a word of [`ToolError::code`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'static, str>>,
    /// How long it took, in milliseconds.
    pub ms: u32,
    /// What it answered beside its text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<ToolPart>,
}

/// What a tool answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolAnswer {
    /// What a model reads: all of it in words.
    pub text: String,
    /// What a person is shown beside it.
    pub parts: Vec<ToolPart>,
}

impl From<String> for ToolAnswer {
    fn from(text: String) -> ToolAnswer {
        ToolAnswer { text, parts: Vec::new() }
    }
}

/// A piece of an answer, as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToolPart {
    /// Words for a person.
    Text {
        /// Plain text.
        text: String,
    },
    /// Rows under headings.
    Table {
        /// The headings.
        columns: Vec<String>,
        /// As many cells as there are headings, each a text, a number, a boolean or null.
        rows: Vec<Vec<Value>>,
        /// Whether there are more rows than these.
        #[serde(default)]
        cut: bool,
    },
    /// A picture.
    Image {
        /// A file's name, never a path.
        name: String,
        /// `image/png`, `image/jpeg`, `image/gif` or `image/webp`.
        media_type: String,
        /// In base64.
        data: String,
    },
    /// A file to be kept.
    File {
        /// A file's name, never a path.
        name: String,
        /// Its media type.
        media_type: String,
        /// In base64.
        data: String,
    },
}

/// Why a tool gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// There is none of that name, or it is switched off.
    #[error("there is no tool {name:?}")]
    NotFound {
        /// As it was called.
        name: String,
    },
    /// The arguments do not fit: call again with others.
    #[error("{field}: {reason}")]
    Invalid {
        /// Where, as a path of the arguments.
        field: String,
        /// What is wrong.
        reason: String,
    },
    /// It lacks a permission: an administrator may grant it.
    #[error("this needs the permission {permission}, which was not granted")]
    NotPermitted {
        /// As it is written in a manifest.
        permission: String,
    },
    /// The address may not be contacted.
    #[error("{url} may not be contacted: {reason}")]
    Forbidden {
        /// The address asked.
        url: String,
        /// Which rule.
        reason: String,
    },
    /// Nobody answers there.
    #[error("{url} cannot be reached: {reason}")]
    Unreachable {
        /// The address asked.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// It took too long.
    #[error("no answer within {after:?}")]
    TimedOut {
        /// How long was waited.
        after: Duration,
    },
    /// It answered that it could not.
    #[error("it failed: {reason}")]
    Failed {
        /// What it said.
        reason: String,
    },
    /// What it was to be sent, or sent back, is larger than allowed.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// `the request` or `the answer`.
        what: &'static str,
        /// In bytes.
        limit: usize,
    },
}

impl ToolError {
    /// The word of the error table: metric label, audit value and the key the portal translates by.
    pub fn code(&self) -> &'static str {
        match self {
            ToolError::NotFound { .. } => "tool_not_found",
            ToolError::Invalid { .. } => "arguments_invalid",
            ToolError::NotPermitted { .. } => "not_permitted",
            ToolError::Forbidden { .. } => "egress_forbidden",
            ToolError::Unreachable { .. } => "unreachable",
            ToolError::TimedOut { .. } => "timed_out",
            ToolError::Failed { .. } => "tool_failed",
            ToolError::TooLarge { .. } => "too_large",
        }
    }
}

/// One tool.
pub trait Tool: Send + Sync + 'static {
    /// What a model is told of it; the same as long as it lives.
    fn spec(&self) -> &ToolSpec;

    /// Does it once. Arguments that do not fit its schema are refused, never guessed at; dropping the future
    /// ends it.
    fn call<'a>(&'a self, caller: &'a Caller, input: ToolInput) -> BoxFuture<'a, Result<ToolAnswer, ToolError>>;
}
