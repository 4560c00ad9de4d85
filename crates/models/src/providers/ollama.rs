//! Ollama: its own interface for what models there are and which are in memory, its OpenAI door for answers.
//!
//! A model that is installed but not in memory is *cold*: the next request loads it, and until then nothing is wrong with it.
//! Ollama's OpenAI door gives several tool calls one index; `openai` tells them apart by id.

mod adapt;
mod api;
mod pull;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use domain::{BoxFuture, ModelError, ModelProvider, Offered, Prompt, Reply, TimedOut};
use egress::Egress;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::Instant;

pub use api::{Installed, Loaded};
use api::{Processes, Shown, Tags};
pub(crate) use pull::{Progress, Pulling};

use super::clocks::{Clocks, collect};
use super::openai::{Base, OpenAi, fault};
use super::wire::{Line, PROBE, secret};
use crate::{Key, Timeouts};

/// Its name in the configuration.
pub(crate) const KIND: &str = "ollama";

/// The longest answer of its own interface, in bytes; `show` holds whole licences.
const LONGEST: usize = 16 << 20;

/// One Ollama.
pub(crate) struct Ollama {
    line: Line,
    /// Without `/v1` or `/api`.
    root: String,
    dialect: OpenAi,
    timeouts: Timeouts,
    /// What `show` said, by digest: it does not change.
    shown: Mutex<HashMap<String, Arc<Shown>>>,
}

impl std::fmt::Debug for Ollama {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ollama").field("root", &self.root).finish_non_exhaustive()
    }
}

/// The address without what people paste behind it.
pub(crate) fn root(text: &str) -> Result<String, String> {
    let base = Base::read(text)?;
    let mut root = base.shown();
    for tail in ["/api/chat", "/api/generate", "/api/tags", "/api", "/v1"] {
        root = root.strip_suffix(tail).unwrap_or(root).trim_end_matches('/');
    }
    Ok(root.to_owned())
}

impl Ollama {
    pub(crate) fn new(
        egress: Arc<Egress>,
        base_url: &str,
        key: Option<&Key>,
        timeouts: Timeouts,
    ) -> Result<Ollama, String> {
        let root = root(base_url)?;
        let dialect = OpenAi::new(egress.clone(), Base::read(&format!("{root}/v1"))?, key, timeouts)?;
        let line = Line::new(egress, secret(AUTHORIZATION, "Bearer ", key)?.into_iter().collect());
        Ok(Ollama { line, root, dialect, timeouts, shown: Mutex::default() })
    }

    /// What is installed, with what is in memory of it.
    pub(crate) async fn installed(&self) -> Result<Vec<Installed>, ModelError> {
        let tags: Tags = self.get("/api/tags").await?;
        let running: Processes = self.get("/api/ps").await?;
        let mut all = Vec::with_capacity(tags.models.len());
        for tag in tags.models {
            let shown = self.show(&tag.name, &tag.digest).await;
            let loaded = running.models.iter().find(|process| process.name == tag.name).map(Loaded::from);
            all.push(Installed::new(tag, shown.as_deref(), loaded));
        }
        Ok(all)
    }

    /// Details of one model; `None` where it does not tell: then less is known, and nothing fails.
    async fn show(&self, model: &str, digest: &str) -> Option<Arc<Shown>> {
        let known = |digest: &str| self.shown.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned();
        if let Some(shown) = known(digest) {
            return Some(shown);
        }
        let deadline = Instant::now() + PROBE;
        let asked = self.post("/api/show", &json!({ "model": model }), model, deadline).await;
        let shown: Arc<Shown> = Arc::new(self.read(asked.ok()?, deadline).await.ok()?);
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).insert(digest.to_owned(), shown.clone());
        Some(shown)
    }

    /// Brings a model into memory, or keeps it there. Returns when it is. `keep_alive` is Ollama's own: `10m`, `-1` for ever;
    /// absent means what the server is set to.
    pub(crate) async fn load(&self, model: &str, keep_alive: Option<&str>) -> Result<(), ModelError> {
        let mut body = json!({ "model": model, "stream": false });
        if let Some(time) = keep_alive {
            // A bare number is seconds, and has to be one in JSON, too.
            body["keep_alive"] = time.parse::<i64>().map_or_else(|_| json!(time), |seconds| json!(seconds));
        }
        self.generate(model, &body).await
    }

    /// Takes a model out of memory.
    pub(crate) async fn unload(&self, model: &str) -> Result<(), ModelError> {
        self.generate(model, &json!({ "model": model, "stream": false, "keep_alive": 0 })).await
    }

    /// `generate` without a prompt loads or unloads, by `keep_alive`. It may take as long as a first token.
    async fn generate(&self, model: &str, body: &Value) -> Result<(), ModelError> {
        let deadline = Instant::now() + self.timeouts.first_token;
        let answer = self.post("/api/generate", body, model, deadline).await?;
        let _: Value = self.read(answer, deadline).await?;
        Ok(())
    }

    /// Removes a model from its disk.
    pub(crate) async fn delete(&self, model: &str) -> Result<(), ModelError> {
        let deadline = Instant::now() + PROBE;
        let request = self.request(Method::DELETE, "/api/delete", &json!({ "model": model }))?;
        self.send(request, model, deadline).await.map(drop)
    }

    /// Fetches a model from Ollama's own library, onto Ollama's disk. What an interrupted pull had fetched is not fetched
    /// again.
    pub(crate) async fn pull(&self, model: &str) -> Result<Pulling, ModelError> {
        let deadline = Instant::now() + self.timeouts.first_token;
        let answer = self.post("/api/pull", &json!({ "model": model, "stream": true }), model, deadline).await?;
        Ok(Pulling::new(answer, &self.root))
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ModelError> {
        let deadline = Instant::now() + PROBE;
        let mut request = self.request(Method::GET, path, &Value::Null)?;
        *request.body_mut() = Full::default();
        let answer = self.send(request, "", deadline).await?;
        self.read(answer, deadline).await
    }

    async fn post(
        &self,
        path: &str,
        body: &Value,
        model: &str,
        deadline: Instant,
    ) -> Result<Response<egress::Body>, ModelError> {
        self.send(self.request(Method::POST, path, body)?, model, deadline).await
    }

    fn request(&self, method: Method, path: &str, body: &Value) -> Result<Request<Full<Bytes>>, ModelError> {
        let url = format!("{}{path}", self.root);
        let mut request = Request::new(Full::new(Bytes::from(body.to_string())));
        *request.method_mut() = method;
        *request.uri_mut() =
            url.parse().map_err(|_| ModelError::Unreachable { url, reason: "it is not an address".to_owned() })?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(request)
    }

    /// The head of a good answer.
    async fn send(
        &self,
        request: Request<Full<Bytes>>,
        model: &str,
        deadline: Instant,
    ) -> Result<Response<egress::Body>, ModelError> {
        let clocks = Clocks::until(deadline, TimedOut::FirstToken);
        let answer = self.line.send(request, &clocks, &self.root).await?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            // It says `{"error": "model \"x\" not found"}`, and plain text where there is no such path.
            _ => Err(fault::read(answer, &self.root, model).await),
        }
    }

    async fn read<T: DeserializeOwned>(
        &self,
        answer: Response<egress::Body>,
        deadline: Instant,
    ) -> Result<T, ModelError> {
        let clocks = Clocks::until(deadline, TimedOut::Total);
        let body = collect(answer.into_body(), LONGEST, &clocks, &self.root).await?;
        serde_json::from_slice(&body).map_err(|error| {
            let reason = format!("this is not what Ollama answers: {error}");
            ModelError::Garbled { url: self.root.clone(), reason }
        })
    }

    async fn list(&self) -> Result<Vec<Offered>, ModelError> {
        Ok(self.installed().await?.iter().map(Offered::from).collect())
    }
}

impl ModelProvider for Ollama {
    fn open(&self, prompt: Prompt) -> BoxFuture<'_, Result<Reply, ModelError>> {
        self.dialect.open(prompt)
    }

    fn offered(&self) -> BoxFuture<'_, Result<Vec<Offered>, ModelError>> {
        Box::pin(self.list())
    }
}

impl From<&Installed> for Offered {
    fn from(model: &Installed) -> Self {
        Offered {
            name: model.name.clone(),
            context: model.context,
            chat_template: model.chat_template,
            loaded: Some(model.loaded.is_some()),
            loading: None,
            capabilities: model.capabilities.clone(),
            concurrency: None,
            created: None,
        }
    }
}
