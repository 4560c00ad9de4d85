//! Any back end that speaks the OpenAI dialect: OpenAI, Ollama, vLLM, TGI, llama-server, our own worker.
//!
//! A client's own bytes go out as they came, but for model, key and `stream_options`, and the answer's bytes travel on beside
//! the events that were read from them. It neither waits nor retries for a model's sake; the one request it repeats is its own
//! question for usage, where a back end does not know it.

mod adapters;
mod base;
pub(super) mod fault;
mod opaque;
mod stream;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use domain::{
    BoxFuture, ClientBody, Dialect, ModelError, ModelProvider, Offered, OnBehalf, Priority, Prompt, Reply, Task,
    TimedOut,
};
use egress::Egress;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use openai::ModelList;
use tokio::sync::OnceCell;
use tokio::time::Instant;

pub(crate) use base::{Base, Endpoints};

use super::clocks::{Clocks, LONGEST_ANSWER, collect};
use super::reading;
use super::wire::{Line, PROBE, rejected, secret};
use crate::{Key, Timeouts};
use stream::Chunks;

/// Its name in the configuration.
pub(crate) const KIND: &str = "openai";

/// What our own worker is told of whose a request is. A body that came from a client travels as it is.
const PERSON: HeaderName = HeaderName::from_static("x-portico-person");
const PRIORITY: HeaderName = HeaderName::from_static("x-portico-priority");
/// That its place in the worker's queue may be told in comments of the stream.
const TELL: HeaderName = HeaderName::from_static("x-portico-tell");

/// One back end.
pub(crate) struct OpenAi {
    line: Line,
    base: Base,
    endpoints: OnceCell<Endpoints>,
    timeouts: Timeouts,
    usage: AskForUsage,
    /// Whether it is asked how sure it is: an extension of our own engine.
    asks_confidence: bool,
}

/// Whether the back end may be asked for usage in the stream.
#[derive(Debug, Default)]
struct AskForUsage {
    /// It has answered a request that asked.
    accepted: AtomicBool,
    /// It refused a request only because it asked.
    refused: AtomicBool,
}

impl OpenAi {
    pub(crate) fn new(egress: Arc<Egress>, base: Base, key: Option<&Key>, timeouts: Timeouts) -> Result<Self, String> {
        let key = secret(AUTHORIZATION, "Bearer ", key)?;
        Ok(OpenAi::over(Line::new(egress, key.into_iter().collect()), base, timeouts))
    }

    /// A back end that takes another credential than a bearer key.
    pub(super) fn over(line: Line, base: Base, timeouts: Timeouts) -> Self {
        let (endpoints, usage) = (OnceCell::new(), AskForUsage::default());
        OpenAi { line, base, endpoints, timeouts, usage, asks_confidence: false }
    }

    /// The same, asked with each question of ours how sure it is.
    pub(crate) fn asking_confidence(self) -> Self {
        OpenAi { asks_confidence: true, ..self }
    }

    /// The base URL in use, once it is known.
    pub(crate) fn base_url(&self) -> &str {
        self.endpoints.get().map_or_else(|| self.base.shown(), |endpoints| &endpoints.base)
    }

    async fn ask(&self, prompt: Prompt) -> Result<Reply, ModelError> {
        let clocks = Clocks::new(Instant::now(), &self.timeouts, prompt.stream);
        let endpoints = self.endpoints(clocks.first_deadline()).await?;
        self.ask_at(endpoints.of(prompt.task), &endpoints.base, prompt, clocks).await
    }

    /// Asks at this very address; `shown` is what errors call it.
    async fn ask_at(&self, uri: &Uri, shown: &str, prompt: Prompt, clocks: Clocks) -> Result<Reply, ModelError> {
        if opaque::is(prompt.task) {
            let answer = self.post(uri, &prompt, false, &clocks).await?;
            return Box::pin(opaque::open(answer, shown, &prompt, clocks)).await;
        }
        let client_asks = prompt.body.as_ref().is_some_and(|body| body.wants_usage);
        let ask_usage = prompt.stream && !client_asks && !self.usage.refused.load(Ordering::Relaxed);
        let mut asked = self.post(uri, &prompt, ask_usage, &clocks).await;
        if ask_usage && self.was_the_question_for_usage(&asked) {
            asked = Box::pin(self.post(uri, &prompt, false, &clocks)).await;
            self.usage.refused.store(asked.is_ok(), Ordering::Relaxed);
        } else if ask_usage && asked.is_ok() {
            self.usage.accepted.store(true, Ordering::Relaxed);
        }
        let own = prompt.body.as_ref().map(ClientBody::dialect);
        let keeps = own.filter(|dialect| *dialect == Dialect::OpenAi);
        reading::open(asked?, Chunks::new(&prompt), clocks, shown, prompt.stream, keeps).await
    }

    /// Asks at an address that another adapter knows.
    pub(super) async fn open_at(&self, uri: &Uri, prompt: Prompt) -> Result<Reply, ModelError> {
        let clocks = Clocks::new(Instant::now(), &self.timeouts, prompt.stream);
        self.ask_at(uri, self.base.shown(), prompt, clocks).await
    }

    /// The models listed at an address that another adapter knows.
    pub(super) async fn list_at(&self, uri: &Uri) -> Result<Vec<Offered>, ModelError> {
        self.list(uri, self.base.shown(), Instant::now() + PROBE).await
    }

    /// Whether a refusal may have no other reason than that usage was asked for: it names it, or no such request was ever
    /// accepted here.
    fn was_the_question_for_usage<T>(&self, asked: &Result<T, ModelError>) -> bool {
        let Err(ModelError::Rejected { status: 400 | 422, message, body, .. }) = asked else { return false };
        let named = |text: &[u8]| {
            [&b"stream_options"[..], b"include_usage"]
                .iter()
                .any(|word| text.windows(word.len()).any(|part| part == *word))
        };
        let words = body.as_deref().is_some_and(named) || named(message.as_bytes());
        words || !self.usage.accepted.load(Ordering::Relaxed)
    }

    /// Sends the prompt and returns the head of a good answer.
    async fn post(
        &self,
        uri: &Uri,
        prompt: &Prompt,
        ask_usage: bool,
        clocks: &Clocks,
    ) -> Result<Response<egress::Body>, ModelError> {
        let mut request = Request::new(Full::new(body(prompt, ask_usage, self.asks_confidence)?));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, content_type(prompt));
        if let Some(OnBehalf { person, priority, .. }) = &prompt.on_behalf {
            headers.insert(TELL, HeaderValue::from_static("place"));
            headers.extend(HeaderValue::from_str(person).ok().map(|person| (PERSON, person)));
            if *priority == Priority::Batch {
                headers.insert(PRIORITY, HeaderValue::from_static("batch"));
            }
        }
        if prompt.stream {
            headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        }
        let answer = self.line.send(request, clocks, self.base_url()).await?;
        if answer.status() == StatusCode::OK {
            return Ok(answer);
        }
        Err(Box::pin(fault::read(answer, self.base_url(), &prompt.model)).await)
    }

    async fn endpoints(&self, deadline: Instant) -> Result<&Endpoints, ModelError> {
        if let Some(known) = self.endpoints.get() {
            return Ok(known);
        }
        match self.base.settled() {
            Some(endpoints) => Ok(self.endpoints.get_or_init(|| std::future::ready(endpoints)).await),
            None => {
                self.endpoints
                    .get_or_try_init(|| async { Box::pin(self.find(deadline)).await.map(|found| found.0) })
                    .await
            }
        }
    }

    /// Which of the addresses that can be meant has a list of models, and the list. The first one that is there counts, even
    /// where it wants another key.
    async fn find(&self, deadline: Instant) -> Result<(Endpoints, Vec<Offered>), ModelError> {
        let mut failed = None;
        for endpoints in self.base.candidates() {
            match self.list(&endpoints.models, &endpoints.base, deadline).await {
                Ok(offered) => return Ok((endpoints, offered)),
                Err(error @ (ModelError::Garbled { .. } | ModelError::NoSuchModel { .. })) => {
                    failed = failed.or(Some(error));
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| fault::nothing_there(self.base.shown())))
    }

    async fn list(&self, at: &Uri, shown: &str, deadline: Instant) -> Result<Vec<Offered>, ModelError> {
        let mut request = Request::new(Full::default());
        *request.uri_mut() = at.clone();
        let clocks = Clocks::until(deadline, TimedOut::FirstToken);
        let answer = self.line.send(request, &clocks, shown).await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Err(fault::nothing_there(shown));
        }
        if answer.status() != StatusCode::OK {
            return Err(fault::read(answer, shown, "").await);
        }
        let body = collect(answer.into_body(), LONGEST_ANSWER, &clocks, shown).await?;
        let list: ModelList = serde_json::from_slice(&body).map_err(|_| fault::nothing_there(shown))?;
        if list.data.is_empty() && list.object.is_empty() {
            return Err(fault::nothing_there(shown));
        }
        Ok(list.data.into_iter().map(base::offered).collect())
    }
}

pub(super) fn unsupported(task: Task) -> ModelError {
    rejected("unsupported_task", format!("this back end is not asked for {task:?}"))
}

fn content_type(prompt: &Prompt) -> HeaderValue {
    let own = prompt.body.as_ref().and_then(|body| body.content_type.as_deref());
    let own = own.and_then(|kind| HeaderValue::from_str(kind).ok());
    own.unwrap_or(HeaderValue::from_static("application/json"))
}

/// The bytes of the request: the client's own with another model name, or made from the messages.
fn body(prompt: &Prompt, ask_usage: bool, ask_confidence: bool) -> Result<Bytes, ModelError> {
    let wrong = |message| ModelError::Rejected { status: 400, code: None, message, body: None };
    if let Some(own) = &prompt.body {
        if let Some(kind) = &own.content_type {
            let form = openai::Form::read(kind, own.bytes.clone()).map_err(|error| wrong(error.to_string()))?;
            return Ok(form.replace("model", &prompt.model));
        }
        return openai::retarget(&own.bytes, &prompt.model, ask_usage).map_err(|error| wrong(error.to_string()));
    }
    let made = match prompt.task {
        Task::Chat => {
            let mut request = openai::ChatRequest::of(prompt);
            request.params.stream_options = request.params.stream_options.filter(|_| ask_usage);
            if ask_confidence {
                request.params.extra.insert("confidence".to_owned(), true.into());
            }
            serde_json::to_vec(&request)
        }
        Task::Completion => {
            let mut request = openai::CompletionRequest::of(prompt);
            request.params.stream_options = request.params.stream_options.filter(|_| ask_usage);
            serde_json::to_vec(&request)
        }
        other => return Err(unsupported(other)),
    };
    made.map(Bytes::from).map_err(|error| wrong(error.to_string()))
}

impl ModelProvider for OpenAi {
    fn open(&self, prompt: Prompt) -> BoxFuture<'_, Result<Reply, ModelError>> {
        Box::pin(self.ask(prompt))
    }

    fn offered(&self) -> BoxFuture<'_, Result<Vec<Offered>, ModelError>> {
        Box::pin(async {
            let deadline = Instant::now() + PROBE;
            if let Some(endpoints) = self.endpoints.get() {
                return self.list(&endpoints.models, &endpoints.base, deadline).await;
            }
            let (endpoints, offered) = self.find(deadline).await?;
            // Lost against a request that found the same; either is right.
            let _ = self.endpoints.set(endpoints);
            Ok(offered)
        })
    }
}
