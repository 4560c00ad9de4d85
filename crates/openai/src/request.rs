//! Requests as a client writes them, every unknown field kept.

use std::borrow::Cow;

use domain::{Author, Message, Prompt, Sampling, Task, ToolCall, ToolRound};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::{Error, FunctionPiece, ToolCallPiece};

/// The body of `POST /v1/chat/completions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatRequest {
    /// Which model.
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<ChatMessage>,
    /// Whether the log probability of each token is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<bool>,
    /// How many alternatives with each, 0 to 20.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_logprobs: Option<u32>,
    /// What both kinds of request share.
    #[serde(flatten)]
    pub params: Params,
}

/// The body of `POST /v1/completions`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CompletionRequest {
    /// Which model.
    pub model: String,
    /// The text to go on from.
    pub prompt: TextPrompt,
    /// How many alternatives with each token's log probability, 0 to 5; absent means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logprobs: Option<u32>,
    /// Whether the prompt is said again before the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub echo: Option<bool>,
    /// What both kinds of request share.
    #[serde(flatten)]
    pub params: Params,
}

/// What chat and completion requests share, and whatever else came.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Params {
    /// Whether the answer is wanted as a stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
    /// How the stream is wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_options: Option<StreamOptions>,
    /// 0 is greedy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Nucleus, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// Only the k likeliest tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// Only tokens at least this fraction as likely as the likeliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_p: Option<f32>,
    /// -2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
    /// -2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    /// Same seed, same text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// The longest answer, in tokens (the older name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u32>,
    /// The longest answer, in tokens (the newer name, which wins).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_completion_tokens: Option<u32>,
    /// How many answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<u32>,
    /// Texts that end the answer; one may be written without a list.
    #[serde(deserialize_with = "one_or_many", skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// What is not named here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How a stream is wanted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StreamOptions {
    /// A last chunk with usage.
    pub include_usage: Option<bool>,
    /// What is not named here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The text, or texts, of a completion request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TextPrompt {
    /// One.
    One(String),
    /// Several: an answer to each.
    Many(Vec<String>),
    /// Token ids, as some clients send.
    Tokens(Vec<u32>),
}

impl Default for TextPrompt {
    fn default() -> Self {
        TextPrompt::One(String::new())
    }
}

/// One message of a chat request or answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatMessage {
    /// `system`, `developer`, `user`, `assistant`, `tool`.
    pub role: String,
    /// Text, parts, or nothing beside tool calls.
    pub content: Option<Content>,
    /// The reasoning of a reasoning model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
    /// The calls it made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCallPiece>,
    /// What is not named here (`name`, `tool_call_id`, `refusal` ...).
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The content of a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Plain text.
    Text(String),
    /// Parts: `{"type":"text","text":...}`, `{"type":"image_url",...}` ...
    Parts(Vec<Value>),
}

impl Content {
    /// The text of it; the text parts joined by a line end where there are several.
    pub fn text(&self) -> Cow<'_, str> {
        let parts = match self {
            Content::Text(text) => return Cow::Borrowed(text),
            Content::Parts(parts) => parts,
        };
        let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect();
        Cow::Owned(texts.join("\n"))
    }
}

impl From<&Message> for ChatMessage {
    fn from(message: &Message) -> Self {
        let content = match message.pictures.as_slice() {
            [] => Content::Text(message.text.clone()),
            pictures => {
                let shown = |url: &str| json!({ "type": "image_url", "image_url": { "url": url } });
                let text = json!({ "type": "text", "text": message.text });
                Content::Parts(pictures.iter().map(|url| shown(url)).chain([text]).collect())
            }
        };
        ChatMessage { role: message.author.as_str().to_owned(), content: Some(content), ..ChatMessage::default() }
    }
}

impl Params {
    /// How tokens are to be chosen.
    pub fn sampling(&self) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_p: self.top_p,
            top_k: self.top_k,
            min_p: self.min_p,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            seed: self.seed,
            max_tokens: self.max_completion_tokens.or(self.max_tokens),
            stop: self.stop.clone(),
        }
    }

    fn of(prompt: &Prompt) -> Params {
        let sampling = &prompt.sampling;
        let options = StreamOptions { include_usage: Some(true), ..StreamOptions::default() };
        Params {
            stream: prompt.stream.then_some(true),
            stream_options: prompt.stream.then_some(options),
            temperature: sampling.temperature,
            top_p: sampling.top_p,
            top_k: sampling.top_k,
            min_p: sampling.min_p,
            frequency_penalty: sampling.frequency_penalty,
            presence_penalty: sampling.presence_penalty,
            seed: sampling.seed,
            max_tokens: sampling.max_tokens,
            stop: sampling.stop.clone(),
            ..Params::default()
        }
    }

    /// Whether the answer is wanted as a stream.
    pub fn streams(&self) -> bool {
        self.stream == Some(true)
    }

    /// Whether the stream shall end with a usage chunk.
    pub fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().and_then(|options| options.include_usage) == Some(true)
    }
}

impl ChatRequest {
    /// Reads a body; an error names the field.
    pub fn parse(body: &[u8]) -> Result<ChatRequest, Error> {
        parse(body)
    }

    /// The request for a prompt made in the house; asks for usage where it streams.
    pub fn of(prompt: &Prompt) -> ChatRequest {
        let mut messages: Vec<ChatMessage> = prompt.messages.iter().map(ChatMessage::from).collect();
        prompt.rounds.iter().for_each(|round| messages.extend(said_and_answered(round)));
        let mut params = Params::of(prompt);
        if !prompt.tools.is_empty() {
            let tools = prompt.tools.iter().map(|tool| json!({ "type": "function", "function": tool })).collect();
            params.extra.insert("tools".to_owned(), Value::Array(tools));
        }
        ChatRequest { model: prompt.model.clone(), messages, params, ..ChatRequest::default() }
    }
}

/// A round of calls as the dialect says it: what the model asked for, and a message for each answer.
fn said_and_answered(round: &ToolRound) -> Vec<ChatMessage> {
    let call = |call: &ToolCall| ToolCallPiece {
        id: Some(call.id.clone()),
        kind: Some("function".to_owned()),
        function: FunctionPiece { name: Some(call.name.clone()), arguments: call.arguments.clone() },
        ..ToolCallPiece::default()
    };
    let said = ChatMessage {
        role: Author::Assistant.as_str().to_owned(),
        content: Some(Content::Text(round.text.clone())).filter(|_| !round.text.is_empty()),
        tool_calls: round.calls.iter().map(call).collect(),
        ..ChatMessage::default()
    };
    let answer = |(call, text): (&ToolCall, &String)| {
        let mut extra = Map::new();
        extra.insert("tool_call_id".to_owned(), call.id.clone().into());
        let (role, content) = (Author::Tool.as_str().to_owned(), Some(Content::Text(text.clone())));
        ChatMessage { role, content, extra, ..ChatMessage::default() }
    };
    std::iter::once(said).chain(round.calls.iter().zip(&round.answers).map(answer)).collect()
}

impl CompletionRequest {
    /// Reads a body; an error names the field.
    pub fn parse(body: &[u8]) -> Result<CompletionRequest, Error> {
        parse(body)
    }

    /// The request for a prompt made in the house: its messages' texts, one after the other.
    pub fn of(prompt: &Prompt) -> CompletionRequest {
        let text = prompt.messages.iter().map(|message| message.text.as_str()).collect();
        let prompt_text = TextPrompt::One(text);
        CompletionRequest {
            model: prompt.model.clone(),
            prompt: prompt_text,
            params: Params::of(prompt),
            ..CompletionRequest::default()
        }
    }
}

/// The body of a request for a prompt made in the house; asks for usage where it streams.
pub fn body_of(prompt: &Prompt) -> serde_json::Result<Vec<u8>> {
    match prompt.task {
        Task::Completion => serde_json::to_vec(&CompletionRequest::of(prompt)),
        _ => serde_json::to_vec(&ChatRequest::of(prompt)),
    }
}

/// serde loses the field's name behind `flatten`; on failure each field is tried alone, which finds it.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let wrong = match serde_json::from_slice::<T>(body) {
        Ok(request) => return Ok(request),
        Err(error) => error,
    };
    let fields = serde_json::from_slice::<Map<String, Value>>(body).map_err(|_| Error::NotJson(wrong.to_string()))?;
    for (name, value) in fields {
        let alone = Value::Object(Map::from_iter([(name.clone(), value)]));
        if let Err(error) = serde_json::from_value::<T>(alone) {
            return Err(Error::Invalid { field: name, message: error.to_string() });
        }
    }
    Err(Error::NotJson(wrong.to_string()))
}

fn one_or_many<'de, D: Deserializer<'de>>(reader: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stop {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Option::<Stop>::deserialize(reader)? {
        None => Vec::new(),
        Some(Stop::One(text)) => vec![text],
        Some(Stop::Many(texts)) => texts,
    })
}
