//! The port to models: whatever answers a prompt, near or far.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use serde::{Deserialize, Serialize};

use crate::{Batch, Prompt};

/// A boxed future, as the ports return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A boxed stream, as the ports return.
pub type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + Send + 'a>>;

/// Where a model stands between disk and answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ModelState {
    /// Known, not loaded (or not yet asked).
    Cold,
    /// Its weights are being read.
    Loading {
        /// 0 to 100, where the back end tells.
        percent: Option<u8>,
        /// Milliseconds left, where it can be told.
        eta_ms: Option<u64>,
    },
    /// Loaded; the first real request is running so that no person waits for it.
    Warming,
    /// Answers.
    Ready,
    /// Does not answer.
    Failed {
        /// One word of the error table.
        code: String,
        /// What happened and what to do.
        message: String,
    },
}

/// Which clock ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TimedOut {
    /// No connection was made.
    Connect,
    /// Connected, but no first event came.
    FirstToken,
    /// The stream fell silent.
    Idle,
    /// The whole answer took longer than allowed.
    Total,
}

/// Why a model gave no (or no whole) answer. Each variant says what the caller can do next.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ModelError {
    /// Nothing answers at that address: try another deployment, or tell the person to start it.
    #[error("nothing answers at {url}: {reason}")]
    Unreachable {
        /// The address asked.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// It is there but still reading its weights: wait, or try another.
    #[error("{model} is still loading")]
    Loading {
        /// The model asked for.
        model: String,
        /// When to ask again, where told.
        retry_after: Option<Duration>,
    },
    /// A clock ran out.
    #[error("{url} did not answer in time ({clock:?} after {after:?})")]
    TimedOut {
        /// The address asked.
        url: String,
        /// Which clock.
        clock: TimedOut,
        /// How long it ran.
        after: Duration,
    },
    /// Over its rate or quota (429): wait as told.
    #[error("{url} is over its limit: {message}")]
    OverLimit {
        /// The address asked.
        url: String,
        /// Its own words.
        message: String,
        /// `Retry-After`, where it was sent.
        retry_after: Option<Duration>,
        /// Its own body, to be forwarded to a client of the same dialect.
        body: Option<Bytes>,
    },
    /// It will not accept our key (401, 403): an administrator must look.
    #[error("{url} refused our credentials ({status})")]
    Refused {
        /// The address asked.
        url: String,
        /// The HTTP status.
        status: u16,
    },
    /// It does not know the model (404).
    #[error("{url} does not offer the model {model:?}")]
    NoSuchModel {
        /// The address asked.
        url: String,
        /// The model asked for.
        model: String,
    },
    /// It will not take this request (another 4xx): the client must change it. Never counts against the back end.
    #[error("the model refused the request ({status}): {message}")]
    Rejected {
        /// The HTTP status.
        status: u16,
        /// The upstream's error code (`context_length_exceeded` ...), where it sent one.
        code: Option<String>,
        /// Its own words.
        message: String,
        /// Its own body, to be forwarded to a client of the same dialect.
        body: Option<Bytes>,
    },
    /// It failed (5xx, or an error event inside the stream).
    #[error("the model failed: {message}")]
    Broken {
        /// The HTTP status, where it had not yet said 200.
        status: Option<u16>,
        /// Its own words.
        message: String,
        /// `Retry-After`, where it was sent.
        retry_after: Option<Duration>,
    },
    /// The stream ended before the answer did.
    #[error("the connection to {url} was cut before the answer was complete")]
    Cut {
        /// The address asked.
        url: String,
    },
    /// What it sent is not its dialect.
    #[error("{url} sent something that is not an answer: {reason}")]
    Garbled {
        /// The address asked.
        url: String,
        /// What was wrong with it.
        reason: String,
    },
    /// A worker of the house could not load its model: an administrator must look. Waiting does not help.
    #[error("{model} could not be loaded: {message}")]
    Failed {
        /// The model asked for.
        model: String,
        /// The worker's own sentence.
        message: String,
    },
    /// There is no room, in the queue or at all: ask again as told.
    #[error("{model} takes no more requests just now ({waiting} wait); ask again in a moment")]
    Busy {
        /// The model asked for.
        model: String,
        /// How many wait for it.
        waiting: u32,
        /// When there is likely to be room.
        retry_after: Option<Duration>,
    },
    /// The address may not be contacted from here (egress policy).
    #[error("{url} may not be contacted: {reason}")]
    Forbidden {
        /// The address asked.
        url: String,
        /// Which rule.
        reason: String,
    },
}

impl ModelError {
    /// The word of the error table: metric label, audit value and the key the portal translates by.
    pub fn code(&self) -> &'static str {
        match self {
            ModelError::Unreachable { .. } => "unreachable",
            ModelError::Loading { .. } => "model_loading",
            ModelError::TimedOut { .. } => "timed_out",
            ModelError::OverLimit { .. } => "upstream_over_limit",
            ModelError::Refused { .. } => "upstream_refused",
            ModelError::NoSuchModel { .. } => "model_not_found",
            ModelError::Rejected { code: Some(code), .. } if code == "context_length_exceeded" => {
                "context_length_exceeded"
            }
            ModelError::Rejected { .. } => "request_rejected",
            ModelError::Failed { .. } => "model_failed",
            ModelError::Busy { .. } => "model_busy",
            ModelError::Broken { .. } => "upstream_failed",
            ModelError::Cut { .. } => "cut",
            ModelError::Garbled { .. } => "garbled",
            ModelError::Forbidden { .. } => "egress_forbidden",
        }
    }

    /// Whether the same request may be sent again (before the first token): the fault lies with the back end, and waiting or
    /// another try can help. A spent quota and a client's own mistake are never retried.
    pub fn retryable(&self) -> bool {
        match self {
            ModelError::Unreachable { .. } | ModelError::Loading { .. } | ModelError::Cut { .. } => true,
            ModelError::Broken { status, .. } => !matches!(status, Some(501 | 505)),
            _ => false,
        }
    }
}

/// A model as its back end lists it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Offered {
    /// The name the back end knows it by.
    pub name: String,
    /// Context length in tokens, where told.
    pub context: Option<u32>,
    /// Whether it has a chat template; `None` where the back end does not tell.
    pub chat_template: Option<bool>,
    /// Whether its weights are in memory now; `None` where the back end does not tell.
    pub loaded: Option<bool>,
    /// How much of its weights is read, 0 to 100, while the back end reads them and where it tells.
    pub loading: Option<u8>,
    /// What it can do, in the back end's own words (`completion`, `embedding`, `tools`, `vision`, `thinking` …); `None` where
    /// it does not tell.
    pub capabilities: Option<Vec<String>>,
    /// How many requests it answers at the same time, where told.
    pub concurrency: Option<u32>,
    /// When it was made, in seconds since 1970, where told.
    pub created: Option<i64>,
}

impl Offered {
    /// A model of which no more is known than its name.
    pub fn named(name: impl Into<String>) -> Self {
        Offered { name: name.into(), ..Offered::default() }
    }
}

/// An answer on its way. Its first event has been seen: what failed before it failed in [`ModelProvider::open`].
pub struct Reply {
    /// Batches in order. It ends after a batch with `Finished`, or with one `Err`; never silently. Dropping it tells the
    /// back end within 100 ms.
    pub batches: BoxStream<'static, Result<Batch, ModelError>>,
    /// Parameters of the request that this back end's dialect has no word for and that were left out. The client is told.
    pub dropped: Vec<String>,
    /// The media type of the bytes, where they are neither the dialect's JSON nor its events: `audio/mpeg` …
    pub content_type: Option<String>,
    /// Who answers; the router writes it.
    pub route: Route,
}

/// The deployment that answers and the way to it, for the usage row and the details of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// Its provider's slug.
    pub provider: String,
    /// The deployment's id, `provider/name`; empty where nobody answered.
    pub model: String,
    /// Who was asked before it and gave no answer, in order.
    pub tried: Vec<Tried>,
    /// How long the request waited for a place, in milliseconds.
    pub queued_ms: u32,
    /// What a question and its answer take on the way to the deployment at least, in milliseconds, as its list of models showed; absent
    /// where nobody has measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_ms: Option<u32>,
}

/// Where the time of a kept turn went, in milliseconds, all rounds together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Waiting for a place.
    pub queue: u32,
    /// On the way to the model's machine and back.
    pub network: u32,
    /// Until the first token, with everything above taken off: reading the prompt.
    pub prefill: u32,
    /// From the first token to the last.
    pub decode: u32,
    /// Plugins and the reading of files.
    pub tools: u32,
}

impl Spent {
    /// Each part by its word, in the order in which a turn meets them.
    pub fn parts(&self) -> [(&'static str, u32); 5] {
        [
            ("tools", self.tools),
            ("queue", self.queue),
            ("network", self.network),
            ("prefill", self.prefill),
            ("decode", self.decode),
        ]
    }

    /// The part that took longest; `None` where nothing took any time.
    pub fn slowest(&self) -> Option<&'static str> {
        let slowest = self.parts().into_iter().max_by_key(|(_, ms)| *ms)?;
        (slowest.1 > 0).then_some(slowest.0)
    }
}

/// An attempt that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// The deployment that was asked, `provider/name`; of a model of which none could be asked, that model.
    pub model: String,
    /// Why: a word of the error table.
    pub code: Cow<'static, str>,
}

/// How a kept answer came about: its route, and what of the request never reached the model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Who answered, and who was asked before.
    #[serde(flatten)]
    pub route: Route,
    /// As [`Reply::dropped`].
    pub dropped: Vec<String>,
    /// What tools did for it, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<crate::ToolStep>,
    /// What of the attached files did not fit the context.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<crate::LeftOut>,
    /// Where its time went; absent of answers from before that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spent: Option<Spent>,
}

impl Reply {
    /// A reply of these batches.
    pub fn new(batches: BoxStream<'static, Result<Batch, ModelError>>) -> Self {
        Reply { batches, dropped: Vec::new(), content_type: None, route: Route::default() }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply")
    }
}

/// One back end that answers prompts.
pub trait ModelProvider: Send + Sync + 'static {
    /// Asks, and returns once the first event is there. Retries, waiting and choosing are the caller's; dropping the future
    /// cancels the request at the back end.
    fn open(&self, prompt: Prompt) -> BoxFuture<'_, Result<Reply, ModelError>>;

    /// The models it offers now. Also the probe: an answer means that it can be reached and accepts our credentials.
    fn offered(&self) -> BoxFuture<'_, Result<Vec<Offered>, ModelError>>;
}
