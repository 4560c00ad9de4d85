//! Anthropic's Messages API (<https://platform.claude.com/docs/en/api/messages>), version 2026-10-21, whose shapes were read in
//! the package `anthropic` 2.13.0. A request in the OpenAI dialect is translated, parameter by parameter ([`request::TABLE`]); an
//! Anthropic client's own bytes go out as they came, but for model and key, and the answer's bytes travel back.
//!
//! It neither waits nor retries, and it sends no beta headers.

mod fault;
mod listener;
mod request;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use domain::{BoxFuture, Dialect, ModelError, ModelProvider, Offered, Prompt, Reply, Task, TimedOut};
use egress::Egress;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::clocks::{Clocks, LONGEST_ANSWER, collect};
use super::memory::Memory;
use super::translation::{client, worded, wrong};
use super::wire::{Line, PROBE, rejected, secret};
use super::{address, reading};
use crate::{Key, Timeouts};
use listener::Messages;
#[cfg(test)]
pub(super) use request::TABLE;

/// Its name in the configuration.
pub(crate) const KIND: &str = "anthropic";
const KEY: HeaderName = HeaderName::from_static("x-api-key");
const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
/// What our own translation is written in.
const OURS: HeaderValue = HeaderValue::from_static("2026-10-21");
/// What a client's own bytes may be written in: the newer version only takes words away.
const THEIRS: HeaderValue = HeaderValue::from_static("2023-06-01");
/// More pages of a list than any account has.
const MOST_PAGES: usize = 20;

/// An address as it will be kept.
pub(crate) fn base(text: &str) -> Result<String, String> {
    address::versioned(text, &["/messages", "/models"], "/v1")
}

/// One back end.
pub(crate) struct Anthropic {
    line: Line,
    base: String,
    timeouts: Timeouts,
    known: RwLock<HashMap<String, Known>>,
    memory: Arc<Memory>,
}

/// What the list of models tells of one.
#[derive(Debug, Clone, Default)]
struct Known {
    max_tokens: Option<u64>,
    /// The ways of thinking and the efforts it takes; empty where the list does not tell.
    thinking: Vec<String>,
    efforts: Vec<String>,
    told: bool,
}

impl Anthropic {
    pub(crate) fn new(
        egress: Arc<Egress>,
        base: &str,
        key: Option<&Key>,
        timeouts: Timeouts,
    ) -> Result<Anthropic, String> {
        let base = self::base(base)?;
        let line = Line::new(egress, secret(KEY, "", key)?.into_iter().collect());
        Ok(Anthropic { line, base, timeouts, known: RwLock::default(), memory: Arc::default() })
    }

    async fn ask(&self, prompt: Prompt) -> Result<Reply, ModelError> {
        if prompt.task != Task::Chat {
            let message = format!("Anthropic's models are not asked for {:?}", prompt.task);
            return Err(rejected("unsupported_task", message));
        }
        let clocks = Clocks::new(Instant::now(), &self.timeouts, prompt.stream);
        let own = prompt.body.as_ref().and_then(|body| body.original.as_ref());
        let own = own.filter(|wire| wire.dialect == Dialect::Anthropic);
        let (body, version, dropped) = match own {
            Some(own) => (retarget(&own.bytes, &prompt)?, THEIRS, Vec::new()),
            None => {
                let (body, dropped) = request::write(&prompt, &self.known(&prompt.model), &self.memory)?;
                (Bytes::from(body.to_string()), OURS, dropped)
            }
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.at("/messages")?;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(VERSION, version);
        if prompt.stream {
            headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        }
        let answer = self.line.send(request, &clocks, &self.base).await?;
        if answer.status() != StatusCode::OK {
            let keeps = client(&prompt) == Some(Dialect::Anthropic);
            return Err(fault::read(answer, &self.base, &prompt.model, keeps).await);
        }
        let listener = Messages::new(&prompt.model, self.memory.clone());
        let keeps = own.map(|wire| wire.dialect);
        let reply = reading::open(answer, listener, clocks, &self.base, prompt.stream, keeps).await?;
        Ok(Reply { dropped, ..reply })
    }

    /// The models, page after page.
    async fn list(&self) -> Result<Vec<Offered>, ModelError> {
        let clocks = Clocks::until(Instant::now() + PROBE, TimedOut::FirstToken);
        let (mut offered, mut after) = (Vec::new(), String::new());
        for _ in 0..MOST_PAGES {
            let mut request = Request::new(Full::default());
            *request.uri_mut() = self.at(&format!("/models?limit=1000{after}"))?;
            request.headers_mut().insert(VERSION, OURS);
            let answer = self.line.send(request, &clocks, &self.base).await?;
            if answer.status() != StatusCode::OK {
                return Err(fault::read(answer, &self.base, "", false).await);
            }
            let body = collect(answer.into_body(), LONGEST_ANSWER, &clocks, &self.base).await?;
            let page: Page = serde_json::from_slice(&body).map_err(|_| fault::nothing_there(&self.base))?;
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            for model in page.data {
                known.insert(model.id.clone(), model.known());
                offered.push(model.offered());
            }
            match page.last_id.filter(|_| page.has_more) {
                Some(last) => after = format!("&after_id={last}"),
                None => break,
            }
        }
        Ok(offered)
    }

    fn known(&self, model: &str) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(model).cloned().unwrap_or_default()
    }

    fn at(&self, path: &str) -> Result<Uri, ModelError> {
        address::at(&self.base, path)
    }
}

/// The client's own bytes for another model name.
fn retarget(own: &Bytes, prompt: &Prompt) -> Result<Bytes, ModelError> {
    let bytes = openai::retarget(own, &prompt.model, false).map_err(|error| wrong(error.to_string()))?;
    let mut fields: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    if (fields.get("stream") == Some(&Value::Bool(true))) == prompt.stream {
        return Ok(bytes);
    }
    fields.insert("stream".to_owned(), Value::Bool(prompt.stream));
    Ok(Bytes::from(Value::Object(fields).to_string()))
}

/// `GET /v1/models`
#[derive(Deserialize)]
struct Page {
    data: Vec<Entry>,
    #[serde(default)]
    has_more: bool,
    #[serde(default)]
    last_id: Option<String>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    #[serde(default)]
    max_input_tokens: Option<u32>,
    #[serde(default)]
    max_tokens: Option<u64>,
    #[serde(default)]
    capabilities: Option<Value>,
}

impl Entry {
    fn offered(self) -> Offered {
        let does = |name: &str| self.capabilities.as_ref().and_then(|all| all.pointer(&format!("/{name}/supported")));
        let words = [("vision", does("image_input")), ("thinking", does("thinking"))];
        let words = words.into_iter().filter(|(_, does)| *does == Some(&Value::Bool(true)));
        let all = ["completion", "tools"].into_iter().chain(words.map(|(word, _)| word)).map(str::to_owned).collect();
        let capabilities = self.capabilities.is_some().then_some(all);
        Offered { context: self.max_input_tokens, chat_template: Some(true), capabilities, ..Offered::named(self.id) }
    }

    fn known(&self) -> Known {
        let supported = |path: &str| -> Vec<String> {
            let all = self.capabilities.as_ref().and_then(|all| all.pointer(path)).and_then(Value::as_object);
            let yes = all.into_iter().flatten().filter(|(_, one)| one.get("supported") == Some(&Value::Bool(true)));
            yes.map(|(name, _)| name.clone()).collect()
        };
        Known {
            max_tokens: self.max_tokens,
            thinking: supported("/thinking/types"),
            efforts: supported("/effort"),
            told: self.capabilities.is_some(),
        }
    }
}

impl ModelProvider for Anthropic {
    fn open(&self, prompt: Prompt) -> BoxFuture<'_, Result<Reply, ModelError>> {
        let client = client(&prompt);
        Box::pin(async move { self.ask(prompt).await.map_err(|error| worded(error, client)) })
    }

    fn offered(&self) -> BoxFuture<'_, Result<Vec<Offered>, ModelError>> {
        Box::pin(self.list())
    }
}
