//! What is asked of a model.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Dialect, Message, ToolRound, ToolSpec, Wire};

/// What a model is asked for. Each is one endpoint of the OpenAI dialect, and all of them take the same line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// The next message of a conversation: `/v1/chat/completions`
    Chat,
    /// A bare text to go on from, or a gap to fill (`suffix`): `/v1/completions`
    Completion,
    /// Vectors of texts: `/v1/embeddings`
    Embeddings,
    /// Documents in the order in which they answer a query: `/v1/rerank`
    Rerank,
    /// What a recording says: `/v1/audio/transcriptions`
    Transcription,
    /// What a recording says, in English: `/v1/audio/translations`
    Translation,
    /// A text spoken: `/v1/audio/speech`
    Speech,
    /// Pictures of a description: `/v1/images/generations`
    Image,
}

/// How long a request may be kept waiting where there is not room for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Somebody is watching.
    #[default]
    Interactive,
    /// Nobody is: it waits for those who watch, but never for ever.
    Batch,
}

/// How the next token is chosen. Absent means the model's own default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// 0 is greedy; the OpenAI range is 0 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Nucleus: the smallest set of tokens whose probabilities sum to this, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// Only the k likeliest tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Only tokens at least this fraction as likely as the likeliest, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    /// -2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
    /// -2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    /// Same seed, same text, on the same build of the same model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The longest answer, in tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// Texts that end the answer and do not appear in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
}

/// The body a client sent, kept so that a back end of the same dialect gets its bytes.
///
/// The OpenAI dialect is the one that every adapter reads: a door of another dialect translates on the way in, and keeps what
/// came beside it.
#[derive(Debug, Clone)]
pub struct ClientBody {
    /// In the OpenAI dialect: a complete JSON object, or whatever `content_type` says.
    pub bytes: Bytes,
    /// The media type of `bytes` where it is not JSON: `multipart/form-data; boundary=…` of a recording.
    pub content_type: Option<String>,
    /// What the client sent, where that was another dialect.
    pub original: Option<Wire>,
    /// Whether the client itself asked for usage in the stream (`stream_options.include_usage`). Where it did not, the
    /// adapter asks all the same and takes the usage chunk out of what travels on.
    pub wants_usage: bool,
}

impl ClientBody {
    /// A JSON body of an OpenAI client.
    pub fn json(bytes: Bytes, wants_usage: bool) -> Self {
        ClientBody { bytes, content_type: None, original: None, wants_usage }
    }

    /// The language the client speaks, and so the one in which an answer's bytes may travel on to it.
    pub fn dialect(&self) -> Dialect {
        self.original.as_ref().map_or(Dialect::OpenAi, |wire| wire.dialect)
    }
}

/// Whom a request is for: what a back end of the house has to know to share itself evenly.
#[derive(Clone)]
pub struct OnBehalf {
    /// Tells people apart and names nobody.
    pub person: String,
    /// Whether somebody is watching.
    pub priority: Priority,
    /// Told where the request stands in the back end's own queue, before its first event: its place (1 is next) and the expected wait in
    /// milliseconds.
    pub queued: Arc<dyn Fn(u32, Option<u64>) + Send + Sync>,
}

impl fmt::Debug for OnBehalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnBehalf")
            .field("person", &self.person)
            .field("priority", &self.priority)
            .finish_non_exhaustive()
    }
}

/// One request to a model.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// The name the back end knows the model by; the router writes it.
    pub model: String,
    /// What for.
    pub task: Task,
    /// The conversation, oldest first. Empty where `body` carries the client's own.
    pub messages: Vec<Message>,
    /// The tools on offer.
    pub tools: Vec<ToolSpec>,
    /// What was called already for the last of `messages`, oldest first.
    pub rounds: Vec<ToolRound>,
    /// How tokens are chosen. Not looked at where `body` carries the client's own.
    pub sampling: Sampling,
    /// Whether the back end is asked to stream.
    pub stream: bool,
    /// The client's own body, when the turn came through an API door.
    pub body: Option<ClientBody>,
    /// Said to a back end of the house, and to no other; the router writes it.
    pub on_behalf: Option<OnBehalf>,
}

impl Prompt {
    /// A streamed chat from its messages; the router fills in the model.
    pub fn chat(messages: Vec<Message>, sampling: Sampling) -> Self {
        let (model, task) = (String::new(), Task::Chat);
        let (tools, rounds) = (Vec::new(), Vec::new());
        Prompt { model, task, messages, tools, rounds, sampling, stream: true, body: None, on_behalf: None }
    }
}
