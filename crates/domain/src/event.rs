//! What happens in a turn. One enum travels from the engine to the browser, the metrics and the audit log.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{ModelState, TurnId, Usage};

/// A wire language. Bytes travel on untouched between two ends that speak the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI's, as an SSE stream or one whole body.
    OpenAi,
    /// Anthropic messages, as an SSE stream or one JSON object.
    Anthropic,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model had said what it wanted to, or met a stop string.
    Stop,
    /// The answer reached its longest allowed length, or the context was full.
    Length,
    /// The model asks for tools.
    ToolCalls,
    /// The back end withheld the rest.
    ContentFilter,
    /// A person pressed stop.
    Stopped,
    /// The client left; nobody is reading.
    Cancelled,
    /// The portal went down while the answer was being written.
    Interrupted,
    /// It could not be finished; the failure says why.
    Failed,
    /// A tool is to be called that somebody has to agree to first; another turn goes on from here.
    Waiting,
}

impl Finish {
    /// The word used in the database, in JSON and as a metric label.
    pub fn as_str(self) -> &'static str {
        match self {
            Finish::Stop => "stop",
            Finish::Length => "length",
            Finish::ToolCalls => "tool_calls",
            Finish::ContentFilter => "content_filter",
            Finish::Stopped => "stopped",
            Finish::Cancelled => "cancelled",
            Finish::Interrupted => "interrupted",
            Finish::Failed => "failed",
            Finish::Waiting => "waiting",
        }
    }

    /// The ending behind a word of [`Finish::as_str`].
    pub fn parse(word: &str) -> Option<Finish> {
        Some(match word {
            "stop" => Finish::Stop,
            "length" => Finish::Length,
            "tool_calls" => Finish::ToolCalls,
            "content_filter" => Finish::ContentFilter,
            "waiting" => Finish::Waiting,
            "stopped" => Finish::Stopped,
            "cancelled" => Finish::Cancelled,
            "interrupted" => Finish::Interrupted,
            "failed" => Finish::Failed,
            _ => return None,
        })
    }
}

/// Why a turn could not be finished, for people and for machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// One word of the error table (`server/problem.rs`): `unreachable`, `model_loading`, `timed_out` ... It is also the metric
    /// label and the audit value.
    pub code: Cow<'static, str>,
    /// A sentence in English that names the input and says what to do. The portal translates by `code`.
    pub message: String,
}

/// One thing that happened in a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum TurnEvent {
    /// The turn was admitted and has its id.
    Started {
        /// Which turn.
        turn: TurnId,
        /// The model as the person chose it.
        model: String,
    },
    /// It waits for a place.
    Queued {
        /// 1 is next.
        position: u32,
        /// Expected wait in milliseconds, where it can be told.
        eta_ms: Option<u64>,
    },
    /// It waits for the model to become ready.
    Warming {
        /// What the model is doing.
        state: ModelState,
    },
    /// The model that was asked gave no answer, and another is asked in its place. Only before the first token.
    FellBack {
        /// The model that failed.
        from: String,
        /// The model that is asked now.
        to: String,
        /// Why: a word of the error table.
        code: Cow<'static, str>,
    },
    /// The oldest messages did not fit the context and were left out; the system prompt was kept.
    Trimmed {
        /// How many messages were left out.
        messages: u32,
        /// About how many tokens they are.
        tokens: u32,
    },
    /// The end of an attached file did not fit the context and was left out.
    LeftOut {
        /// Which file, and how much of it.
        #[serde(flatten)]
        what: crate::LeftOut,
    },
    /// A piece of the answer.
    Delta {
        /// Whole characters, never empty.
        text: String,
    },
    /// A piece of the model's reasoning.
    Thought {
        /// Whole characters, never empty.
        text: String,
    },
    /// A piece of a tool call by the model.
    ToolCalled {
        /// Which of the turn's calls; parallel ones follow each other.
        index: u32,
        /// The call's id, on its first piece.
        id: Option<String>,
        /// The tool's name, on its first piece.
        name: Option<String>,
        /// A piece of the JSON arguments.
        arguments: String,
    },
    /// A tool was asked before the model, by a file or by the question; its answer stands in the context.
    Consulted {
        /// What was done.
        step: crate::ToolStep,
        /// The beginning of what it answered, or why it failed.
        text: String,
    },
    /// A tool's answer to a call; the model goes on with it.
    ToolAnswered {
        /// The `index` of its call.
        index: u32,
        /// What was done.
        step: crate::ToolStep,
        /// The beginning of what it answered, or why it failed.
        text: String,
    },
    /// What it used. At most one, before `Finished`.
    Used {
        /// Tokens read and written.
        usage: Usage,
    },
    /// The last event of every turn.
    Finished {
        /// How it ended.
        finish: Finish,
        /// Why, where it failed.
        failure: Option<Failure>,
    },
}

/// Bytes as they came from a back end: whole frames of its dialect.
#[derive(Debug, Clone)]
pub struct Wire {
    /// The language of the bytes.
    pub dialect: Dialect,
    /// Whole SSE events (each ending in a blank line), or one whole JSON body. The stream's own end mark (`[DONE]`), comments and a
    /// usage chunk that the client did not ask for are not among them. Of an answer that is neither (`Reply::content_type`), a
    /// piece of it as it came.
    pub bytes: Bytes,
}

/// What one read brought: the events, and the bytes they came from.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// In order.
    pub events: Vec<TurnEvent>,
    /// The same, as it came; absent where the events were made in the house or translated.
    pub wire: Option<Wire>,
}
