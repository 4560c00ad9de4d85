//! Answers, chunks, model lists and errors as they are written, every unknown field kept.

use domain::{Confidence, Finish, Tokens, Usage};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ChatMessage;

/// One chunk of a streamed chat answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatChunk {
    /// The same in every chunk of an answer.
    pub id: String,
    /// `chat.completion.chunk`
    pub object: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Which model.
    pub model: String,
    /// Pieces; empty in a usage chunk.
    pub choices: Vec<ChunkChoice>,
    /// In the last chunk, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageBody>,
    /// What is not named here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A piece of one of the answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChunkChoice {
    /// Which of the `n` answers.
    pub index: u32,
    /// What is new.
    pub delta: Delta,
    /// Log probabilities, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Logprobs>,
    /// `stop`, `length`, `tool_calls`, `content_filter`; null until then.
    pub finish_reason: Option<String>,
    /// What is not named here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What is new in an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Delta {
    /// In the first chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// Pieces of tool calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCallPiece>,
    /// What is not named here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A tool call, or a piece of one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ToolCallPiece {
    /// Which of the parallel calls; only in streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// On the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `function`, on the first piece.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Name and arguments.
    pub function: FunctionPiece,
    /// What is not named here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Name and arguments of a call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FunctionPiece {
    /// On the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// JSON, or a piece of it.
    pub arguments: String,
}

/// One whole chat answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatCompletion {
    /// Its id.
    pub id: String,
    /// `chat.completion`
    pub object: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Which model.
    pub model: String,
    /// The answers.
    pub choices: Vec<ChatChoice>,
    /// What it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageBody>,
    /// What is not named here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One of the answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatChoice {
    /// Which of the `n` answers.
    pub index: u32,
    /// The answer.
    pub message: ChatMessage,
    /// Log probabilities, where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<Logprobs>,
    /// `stop`, `length`, `tool_calls`, `content_filter`.
    pub finish_reason: Option<String>,
    /// What is not named here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Log probabilities of a chat answer's tokens.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logprobs {
    /// One entry per token.
    pub content: Vec<LogprobContent>,
}

/// One token and its alternatives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogprobContent {
    /// As text; bytes that are no text are shown as U+FFFD.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes.
    pub bytes: Option<Vec<u8>>,
    /// The likeliest tokens in its place.
    pub top_logprobs: Vec<TopLogprob>,
}

/// An alternative token.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TopLogprob {
    /// As text.
    pub token: String,
    /// Natural logarithm of its probability.
    pub logprob: f32,
    /// Its bytes.
    pub bytes: Option<Vec<u8>>,
}

/// A whole text completion, or one chunk of it: they have one shape.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Completion {
    /// Its id.
    pub id: String,
    /// `text_completion`
    pub object: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Which model.
    pub model: String,
    /// Texts, or pieces of them.
    pub choices: Vec<CompletionChoice>,
    /// What it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageBody>,
    /// What is not named here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One of the texts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompletionChoice {
    /// Which of them.
    pub index: u32,
    /// Text, or what is new of it.
    pub text: String,
    /// Log probabilities, where asked for.
    pub logprobs: Option<CompletionLogprobs>,
    /// `stop`, `length`; null until then.
    pub finish_reason: Option<String>,
    /// What is not named here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Log probabilities of a text completion, column by column.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompletionLogprobs {
    /// The tokens as text.
    pub tokens: Vec<String>,
    /// Natural logarithm of each one's probability; null for the first of an echoed prompt.
    pub token_logprobs: Vec<Option<f32>>,
    /// Token text to log probability, per token.
    pub top_logprobs: Vec<Map<String, Value>>,
    /// Where each begins in the text, in characters.
    pub text_offset: Vec<u32>,
}

/// `usage`, as back ends report it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UsageBody {
    /// Tokens read.
    pub prompt_tokens: Option<u64>,
    /// Tokens written.
    pub completion_tokens: Option<u64>,
    /// The sum.
    pub total_tokens: Option<u64>,
    /// `cached_tokens` is the part of the prompt that was in a cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_tokens_details: Option<PromptDetails>,
    /// `reasoning_tokens` is the part of the answer that was hidden reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion_tokens_details: Option<CompletionDetails>,
    /// Portico's own engine tells how sure its model was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<ConfidenceBody>,
}

/// See [`UsageBody`]; probabilities from 0 to 1.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ConfidenceBody {
    /// Of all tokens.
    pub mean: f32,
    /// Of the few in a row of which it was least sure.
    pub worst: f32,
    /// The first of these.
    pub worst_from: u32,
}

impl ConfidenceBody {
    /// In the house's words; `None` where a figure is no probability.
    fn confidence(&self) -> Option<Confidence> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
        let thousandths = |share: f32| (0.0..=1.0).contains(&share).then(|| (share * 1000.0).round() as u16);
        Some(Confidence { mean: thousandths(self.mean)?, worst: thousandths(self.worst)?, worst_from: self.worst_from })
    }
}

/// See [`UsageBody`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PromptDetails {
    /// Tokens.
    pub cached_tokens: Option<u64>,
}

/// See [`UsageBody`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompletionDetails {
    /// Tokens.
    pub reasoning_tokens: Option<u64>,
}

impl UsageBody {
    /// In the house's words; a count that is missing is 0.
    pub fn usage(&self) -> Usage {
        let tokens = |count: Option<u64>| Tokens(u32::try_from(count.unwrap_or(0)).unwrap_or(u32::MAX));
        Usage {
            prompt: tokens(self.prompt_tokens),
            completion: tokens(self.completion_tokens),
            cached: tokens(self.prompt_tokens_details.as_ref().and_then(|details| details.cached_tokens)),
            reasoning: tokens(self.completion_tokens_details.as_ref().and_then(|details| details.reasoning_tokens)),
            confidence: self.confidence.as_ref().and_then(ConfidenceBody::confidence),
            reported: true,
        }
    }
}

impl From<&Usage> for UsageBody {
    fn from(usage: &Usage) -> Self {
        let count = |tokens: Tokens| Some(u64::from(tokens.0));
        let some = |tokens: Tokens| (tokens.0 > 0).then_some(u64::from(tokens.0));
        UsageBody {
            prompt_tokens: count(usage.prompt),
            completion_tokens: count(usage.completion),
            total_tokens: Some(u64::from(usage.prompt.0) + u64::from(usage.completion.0)),
            prompt_tokens_details: some(usage.cached).map(|cached| PromptDetails { cached_tokens: Some(cached) }),
            completion_tokens_details: some(usage.reasoning)
                .map(|reasoning| CompletionDetails { reasoning_tokens: Some(reasoning) }),
            confidence: usage.confidence.map(|told| ConfidenceBody {
                mean: f32::from(told.mean) / 1000.0,
                worst: f32::from(told.worst) / 1000.0,
                worst_from: told.worst_from,
            }),
        }
    }
}

/// `GET /v1/models`
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelList {
    /// `list`
    pub object: String,
    /// The models.
    pub data: Vec<ModelEntry>,
}

/// One model of a list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModelEntry {
    /// What a request names it by.
    pub id: String,
    /// `model`
    pub object: String,
    /// Seconds since 1970.
    pub created: i64,
    /// Who made it.
    pub owned_by: String,
    /// What is not named here (`max_model_len` of vLLM, `meta` of llama-server ...).
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// An error answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorObject,
}

/// What went wrong.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ErrorObject {
    /// For people.
    pub message: String,
    /// `invalid_request_error`, `server_error` ...
    #[serde(rename = "type")]
    pub kind: String,
    /// Which field.
    pub param: Option<String>,
    /// For machines.
    pub code: Option<String>,
}

/// A `finish_reason` in the house's words; one that nobody knows counts as a plain stop.
pub fn finish_from_word(word: &str) -> Finish {
    match word {
        "length" | "max_tokens" | "model_length" => Finish::Length,
        "tool_calls" | "function_call" => Finish::ToolCalls,
        "content_filter" | "sensitive" => Finish::ContentFilter,
        "error" | "network_error" | "abort" => Finish::Failed,
        _ => Finish::Stop,
    }
}

/// The `finish_reason` for an ending, `None` where the answer did not end well: an error event says so instead.
pub fn finish_to_word(finish: Finish) -> Option<&'static str> {
    match finish {
        Finish::Stop => Some("stop"),
        Finish::Length => Some("length"),
        Finish::ToolCalls => Some("tool_calls"),
        Finish::ContentFilter => Some("content_filter"),
        Finish::Stopped | Finish::Cancelled | Finish::Interrupted | Finish::Failed | Finish::Waiting => None,
    }
}
