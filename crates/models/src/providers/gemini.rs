//! Google's Gemini API (<https://ai.google.dev/api/generate-content>), version v1beta, whose shapes were read in the package
//! `google-genai` 3.6.1. A request in the OpenAI dialect is translated, parameter by parameter ([`request::TABLE`]).
//!
//! It neither waits nor retries, and it knows nothing of Vertex AI, which has other addresses and other keys.

mod fault;
mod listener;
mod request;
mod vectors;
mod weighed;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use bytes::Bytes;
use domain::{BoxFuture, Dialect, ModelError, ModelProvider, Offered, Prompt, Reply, Task, TimedOut};
use egress::Egress;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use serde::Deserialize;
use tokio::time::Instant;

use super::clocks::{Clocks, LONGEST_ANSWER, collect};
use super::memory::Memory;
use super::translation::{client, worded};
use super::wire::{Line, PROBE, rejected, secret};
use super::{address, reading};
use crate::{Key, Timeouts};
use listener::Candidates;
#[cfg(test)]
pub(super) use request::TABLE;
use weighed::Weighed;

/// Its name in the configuration.
pub(crate) const KIND: &str = "gemini";
const KEY: HeaderName = HeaderName::from_static("x-goog-api-key");
/// More pages of a list than there are models.
const MOST_PAGES: usize = 20;

/// An address as it will be kept: what people paste may hold a model and a method, or Google's door for OpenAI clients.
pub(crate) fn base(text: &str) -> Result<String, String> {
    let text = text.split_once("/models").map_or(text, |(base, _)| base);
    address::versioned(text, &["/openai"], "/v1beta")
}

/// One back end.
pub(crate) struct Gemini {
    line: Line,
    base: String,
    timeouts: Timeouts,
    known: RwLock<HashMap<String, Known>>,
    memory: Arc<Memory>,
}

/// What the list of models tells of one.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// Whether it thinks; `None` where the list does not tell.
    thinks: Option<bool>,
}

impl Gemini {
    pub(crate) fn new(
        egress: Arc<Egress>,
        base: &str,
        key: Option<&Key>,
        timeouts: Timeouts,
    ) -> Result<Gemini, String> {
        let base = self::base(base)?;
        let line = Line::new(egress, secret(KEY, "", key)?.into_iter().collect());
        Ok(Gemini { line, base, timeouts, known: RwLock::default(), memory: Arc::default() })
    }

    async fn ask(&self, prompt: Prompt) -> Result<Reply, ModelError> {
        match prompt.task {
            Task::Chat => self.chat(prompt).await,
            Task::Embeddings => self.embed(prompt).await,
            other => Err(rejected("unsupported_task", format!("Gemini models are not asked for {other:?}"))),
        }
    }

    async fn chat(&self, prompt: Prompt) -> Result<Reply, ModelError> {
        let clocks = Clocks::new(Instant::now(), &self.timeouts, prompt.stream);
        let written = request::write(&prompt, self.known(&prompt.model), &self.memory)?;
        let method = if prompt.stream { "streamGenerateContent?alt=sse" } else { "generateContent" };
        let mut request = self.call(&prompt.model, method, written.body.to_string().into())?;
        if prompt.stream {
            request.headers_mut().insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        }
        let answer = self.line.send(request, &clocks, &self.base).await?;
        if answer.status() != StatusCode::OK {
            return Err(fault::read(answer, &self.base, &prompt.model).await);
        }
        let usage = prompt.body.as_ref().is_some_and(|body| body.wants_usage);
        let weighed = written.weighed.then(|| Weighed::new(&prompt.model, self.line.now(), usage));
        let keeps = weighed.as_ref().map(|_| Dialect::OpenAi);
        let listener = Candidates::new(&prompt.model, self.memory.clone(), weighed);
        let reply = reading::open(answer, listener, clocks, &self.base, prompt.stream, keeps).await?;
        Ok(Reply { dropped: written.dropped, ..reply })
    }

    async fn embed(&self, prompt: Prompt) -> Result<Reply, ModelError> {
        let clocks = Clocks::new(Instant::now(), &self.timeouts, false);
        let asked = vectors::Asked::read(&prompt, &format!("models/{}", bare(&prompt.model)))?;
        let request = self.call(&prompt.model, "batchEmbedContents", asked.body.to_string().into())?;
        let answer = self.line.send(request, &clocks, &self.base).await?;
        if answer.status() != StatusCode::OK {
            return Err(fault::read(answer, &self.base, &prompt.model).await);
        }
        let bytes = collect(answer.into_body(), LONGEST_ANSWER, &clocks, &self.base).await?;
        asked.answer(&bytes, &self.base, &prompt.model)
    }

    /// `POST {base}/models/{model}:{method}`
    fn call(&self, model: &str, method: &str, body: Bytes) -> Result<Request<Full<Bytes>>, ModelError> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.at(&format!("/{}:{method}", resource(model)))?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(request)
    }

    /// The models, page after page.
    async fn list(&self) -> Result<Vec<Offered>, ModelError> {
        let clocks = Clocks::until(Instant::now() + PROBE, TimedOut::FirstToken);
        let (mut offered, mut after) = (Vec::new(), String::new());
        for _ in 0..MOST_PAGES {
            let mut request = Request::new(Full::default());
            *request.uri_mut() = self.at(&format!("/models?pageSize=1000{after}"))?;
            let answer = self.line.send(request, &clocks, &self.base).await?;
            if answer.status() != StatusCode::OK {
                return Err(fault::read(answer, &self.base, "").await);
            }
            let body = collect(answer.into_body(), LONGEST_ANSWER, &clocks, &self.base).await?;
            let page: Page = serde_json::from_slice(&body).map_err(|_| fault::nothing_there(&self.base))?;
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            for model in page.models {
                known.insert(bare(&model.name).to_owned(), Known { thinks: model.thinking });
                offered.push(model.offered());
            }
            match page.next_page_token.filter(|token| !token.is_empty()) {
                Some(token) => after = format!("&pageToken={}", escaped(&token)),
                None => break,
            }
        }
        Ok(offered)
    }

    fn known(&self, model: &str) -> Known {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(bare(model)).copied().unwrap_or_default()
    }

    fn at(&self, path: &str) -> Result<Uri, ModelError> {
        address::at(&self.base, path)
    }
}

/// A model's name without its collection: `gemini-2.5-flash` for `models/gemini-2.5-flash`.
fn bare(model: &str) -> &str {
    model.strip_prefix("models/").unwrap_or(model)
}

/// A model as a resource: `models/gemini-2.5-flash`, `tunedModels/mine`.
fn resource(model: &str) -> String {
    let collection = if model.contains('/') { "" } else { "models/" };
    format!("{collection}{}", escaped(model))
}

/// Fit for a path or a query.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// `GET /v1beta/models`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    models: Vec<Entry>,
    #[serde(default)]
    next_page_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    name: String,
    #[serde(default)]
    input_token_limit: Option<u32>,
    #[serde(default)]
    supported_generation_methods: Vec<String>,
    #[serde(default)]
    thinking: Option<bool>,
}

impl Entry {
    fn offered(self) -> Offered {
        let name = bare(&self.name).to_owned();
        let does = |method: &str| self.supported_generation_methods.iter().any(|one| one == method);
        // The list does not tell voices from those that answer, nor what a model takes; the names do.
        let talks = does("generateContent") && !name.contains("-tts");
        let able = talks && name.starts_with("gemini-");
        let words = [
            ("completion", talks),
            ("tools", able),
            ("vision", able),
            ("thinking", talks && self.thinking == Some(true)),
            ("embedding", does("embedContent") || does("batchEmbedContents")),
        ];
        let capabilities = words.into_iter().filter(|word| word.1).map(|word| word.0.to_owned()).collect();
        Offered {
            context: self.input_token_limit,
            chat_template: Some(talks),
            capabilities: Some(capabilities),
            ..Offered::named(name)
        }
    }
}

impl ModelProvider for Gemini {
    fn open(&self, prompt: Prompt) -> BoxFuture<'_, Result<Reply, ModelError>> {
        let client = client(&prompt);
        Box::pin(async move { self.ask(prompt).await.map_err(|error| worded(error, client)) })
    }

    fn offered(&self) -> BoxFuture<'_, Result<Vec<Offered>, ModelError>> {
        Box::pin(self.list())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_as_people_paste_it() {
        let base = |text: &str| super::base(text);
        for given in [
            "https://generativelanguage.googleapis.com",
            "https://generativelanguage.googleapis.com/v1beta/",
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-flash:generateContent?key=x",
        ] {
            assert_eq!(base(given).as_deref(), Ok("https://generativelanguage.googleapis.com/v1beta"), "{given}");
        }
        assert_eq!(base("https://gateway.example/google/v1").as_deref(), Ok("https://gateway.example/google/v1"));
        assert!(base("nonsense").is_err());
    }

    #[test]
    fn a_model_is_a_resource() {
        for (model, path) in [
            ("gemini-2.5-flash", "models/gemini-2.5-flash"),
            ("models/gemini-2.5-flash", "models/gemini-2.5-flash"),
            ("tunedModels/mine", "tunedModels/mine"),
            ("a b?c", "models/a%20b%3Fc"),
        ] {
            assert_eq!(resource(model), path);
        }
    }
}
