//! A scripted back end on a real socket, for the tests of this crate and of every crate above it: it speaks the OpenAI dialect,
//! misbehaves as it is told to, and remembers what became of its requests. It runs no model.
//!
//! What a request should meet is written in its model name, its `user` field or its last message, whichever gets through, as
//! `mock;ttft=20;itl=5;n=64;fault=stall@3`; see [`Spec`].

#![expect(clippy::expect_used, reason = "a scripted back end that cannot do what a test tells it to ends the test")]

mod adapters;
mod azure;
mod choice;
mod ollama;
mod prefixes;
mod replay;
mod spec;
mod steps;
mod tasks;
mod worker;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

pub use azure::ScriptedAzure;
pub use ollama::ScriptedOllama;
pub use replay::{Case, Index};
pub use spec::Spec;
use steps::Play;
pub use worker::{play_worker, scripted_worker};

type Body = BoxBody<Bytes, std::io::Error>;

/// A running back end; it stops when dropped.
pub struct Scripted {
    /// `http://127.0.0.1:PORT`, without `/v1`.
    pub url: String,
    /// Its socket.
    pub address: SocketAddr,
    state: Arc<State>,
    _running: JoinSet<()>,
}

/// What became of its requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Chat and completion requests that arrived.
    pub requests: u64,
    /// Answered to the end.
    pub completed: u64,
    /// Left by the client before the end.
    pub cancelled: u64,
    /// Ended by a fault of the script.
    pub faulted: u64,
    /// Under way.
    pub active: u64,
    /// Connections accepted.
    pub connections: u64,
    /// When each cancelled request was noticed to be gone.
    pub cancels: Vec<Instant>,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `/v1/chat/completions` ...
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Seen {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

#[derive(Default)]
struct State {
    default: Mutex<Spec>,
    /// Asked of every request, where set.
    key: Mutex<Option<String>>,
    started: OnceLock<Instant>,
    stats: Mutex<Stats>,
    seen: Mutex<Vec<Seen>>,
    count: AtomicU64,
    adapters: adapters::Adapters,
    /// Answers come from here, where there is one.
    files: Option<replay::Files>,
}

impl Scripted {
    /// A back end that answers well unless told otherwise.
    pub async fn start() -> Scripted {
        Scripted::start_with("").await
    }

    /// A back end whose every request meets `spec`, unless it says otherwise itself.
    pub async fn start_with(spec: &str) -> Scripted {
        let scripted = Scripted::begin(State::default()).await;
        scripted.set(spec);
        scripted
    }

    async fn begin(state: State) -> Scripted {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(state);
        let _ = state.started.set(Instant::now());
        let mut running = JoinSet::new();
        running.spawn(accept(listener, state.clone()));
        Scripted { url: format!("http://{address}"), address, state, _running: running }
    }

    /// From now on every request meets `spec`, unless it says otherwise itself.
    pub fn set(&self, spec: &str) {
        let mut default = Spec::default();
        default.apply(&format!("mock;{spec}"));
        *self.state.default.lock().unwrap_or_else(PoisonError::into_inner) = default;
    }

    /// From now on every request must carry this key.
    pub fn require_key(&self, key: &str) {
        *self.state.key.lock().unwrap_or_else(PoisonError::into_inner) = Some(format!("Bearer {key}"));
    }

    /// What became of its requests so far.
    pub fn stats(&self) -> Stats {
        self.state.stats().clone()
    }

    /// Every request so far, lists of models included.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The latest chat or completion request.
    pub fn latest(&self) -> Seen {
        let seen = self.seen();
        seen.iter().rev().find(|seen| seen.path.ends_with("completions")).expect("a request arrived").clone()
    }

    /// Waits until the statistics are as wanted; panics with them after five seconds.
    pub async fn until(&self, wanted: impl Fn(&Stats) -> bool) -> Stats {
        for _ in 0..5_000 {
            let stats = self.stats();
            if wanted(&stats) {
                return stats;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let stats = self.stats();
        assert!(wanted(&stats), "it never came to that: {stats:?}");
        stats
    }
}

impl State {
    fn stats(&self) -> std::sync::MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lets_in(&self, headers: &HeaderMap) -> bool {
        let key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        key.as_ref().is_none_or(|key| headers.get("authorization").is_some_and(|given| given == key.as_str()))
    }

    /// How far it is with loading, below 1 while it does.
    fn progress(&self, spec: &Spec) -> Option<f64> {
        let elapsed = self.started.get().map_or(Duration::ZERO, Instant::elapsed).as_secs_f64() * 1_000.0;
        let whole = f64::from(spec.load_ms);
        (elapsed < whole).then(|| elapsed / whole)
    }
}

/// Counts a request as cancelled unless it was told its end.
struct Guard {
    state: Arc<State>,
    over: bool,
}

impl Guard {
    fn new(state: &Arc<State>) -> Self {
        let mut stats = state.stats();
        stats.requests += 1;
        stats.active += 1;
        Guard { state: state.clone(), over: false }
    }

    fn end(&mut self, count: impl Fn(&mut Stats) -> &mut u64) {
        if !std::mem::replace(&mut self.over, true) {
            *count(&mut self.state.stats()) += 1;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let mut stats = self.state.stats();
        stats.active -= 1;
        if !self.over {
            stats.cancelled += 1;
            stats.cancels.push(Instant::now());
        }
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
        state.stats().connections += 1;
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(state.clone(), request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let path = head.uri.path().to_owned();
    let default = state.default.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let is_ask = state.files.is_none() && head.method == Method::POST && path.ends_with("completions");
    let guard = is_ask.then(|| Guard::new(&state));
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let let_in = state.lets_in(&head.headers);
    let seen = Seen { path: path.clone(), headers: head.headers, body: body.clone() };
    state.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
    if let Some(files) = &state.files {
        return Ok(replay::answer(&state, files, &head.method, &seen));
    }
    let rest = path.strip_prefix(default.only_under.as_deref().unwrap_or("/v1"));
    let task = rest.filter(|rest| tasks::answers(rest));
    let known = matches!(rest, Some("/chat/completions" | "/completions" | "/models" | "/health"));
    let prefixes = default.prefixes.as_deref().zip(rest.and_then(|rest| rest.strip_prefix("/prefixes")));
    let of_adapters = default.adapters.as_deref().zip(rest.filter(|rest| rest.contains("adapter")));
    if !known && task.is_none() && path != "/health" && prefixes.is_none() && of_adapters.is_none() {
        return Ok(plain(404, "404 page not found"));
    }
    if !let_in {
        return Ok(refusal(&default, 401));
    }
    if let Some(progress) = state.progress(&default) {
        return Ok(reply(
            503,
            &json!({"status": "loading", "progress": progress, "error": {"message": "loading", "code": "model_loading"}}),
        ));
    }
    if let Some((file, rest)) = prefixes {
        return Ok(prefixes::answer(file, &head.method, rest.trim_start_matches('/'), &body));
    }
    if let Some((file, rest)) = of_adapters {
        let answer = state.adapters.answer(file, &head.method, rest, &body);
        return Ok(answer.unwrap_or_else(|| plain(405, "no")));
    }
    let model = || serde_json::from_slice::<Value>(&body).unwrap_or_default()["model"].as_str().map(str::to_owned);
    if is_ask && default.adapters.is_some() && model().is_some_and(|model| state.adapters.lacks(&model)) {
        return Ok(reply(404, &json!({"error": {"message": "no such adapter", "code": "model_not_found"}})));
    }
    if let Some(file) = default.people.as_ref().filter(|_| is_ask) {
        let word = |name: &str| seen.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("-").to_owned();
        let line = format!("{} {}\n", word("x-portico-person"), word("x-portico-priority"));
        let file = std::fs::File::options().create(true).append(true).open(file);
        std::io::Write::write_all(&mut file?, line.as_bytes())?;
    }
    match (guard, path.rsplit('/').next().unwrap_or_default()) {
        (Some(guard), _) => ask(&state, guard, default, &body, path.ends_with("/chat/completions")).await,
        (None, _) if task.is_some() => Ok(tasks::answer(&default, task.unwrap_or_default(), &body)),
        (None, "models") => models(&default, &state.adapters.list()).await,
        (None, "health") => Ok(reply(200, &json!({"status": "ok"}))),
        _ => Ok(plain(404, "404 page not found")),
    }
}

async fn models(spec: &Spec, adapters: &[Value]) -> Result<Response<Body>, std::io::Error> {
    if spec.is_fault("hang") {
        std::future::pending::<()>().await;
    }
    if spec.status != 200 {
        return Ok(refusal(spec, spec.status));
    }
    let names = spec
        .models
        .split(',')
        .map(|name| json!({"id": name, "object": "model", "owned_by": "mock", "max_model_len": 4096}));
    let mut names: Vec<Value> = names.collect();
    if let Some(word) = &spec.can {
        names.iter_mut().for_each(|name| name["meta"] = json!({"capabilities": [word]}));
    }
    names.extend(adapters.iter().cloned());
    Ok(reply(200, &json!({"object": "list", "data": names})))
}

async fn ask(
    state: &State,
    mut guard: Guard,
    mut spec: Spec,
    body: &Bytes,
    chat: bool,
) -> Result<Response<Body>, std::io::Error> {
    let count = state.count.fetch_add(1, Ordering::SeqCst) + 1;
    let Ok(asked) = serde_json::from_slice::<Value>(body) else {
        guard.end(|stats| &mut stats.faulted);
        return Ok(reply(400, &json!({"error": {"message": "not JSON", "type": "invalid_request_error"}})));
    };
    let last = asked["messages"].as_array().and_then(|all| all.last()).and_then(|message| message["content"].as_str());
    for text in [asked["model"].as_str(), asked["user"].as_str(), asked["prompt"].as_str(), last].into_iter().flatten()
    {
        if text.starts_with("mock;") {
            spec.apply(text);
        }
    }
    if spec.is_fault("hang") {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(Duration::from_millis(spec.ttft_ms)).await;
    if spec.is_fault("drop") {
        guard.end(|stats| &mut stats.faulted);
        return Err(std::io::Error::other("the script drops the connection"));
    }
    if spec.can.as_ref().is_some_and(|word| word != "completion") {
        guard.end(|stats| &mut stats.faulted);
        return Ok(refusal(&spec, 400));
    }
    if let Some(status) = failing(&spec, count, &asked) {
        guard.end(|stats| &mut stats.faulted);
        return Ok(refusal(&spec, status));
    }
    if asked["stream"] == true && !spec.is_fault("nostream") {
        let usage = asked["stream_options"]["include_usage"] == true;
        let mut response = Response::new(Play::new(steps::stream(&spec, chat, usage), guard).boxed());
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
        return Ok(response);
    }
    tokio::time::sleep(Duration::from_millis(spec.itl_ms * u64::from(spec.n))).await;
    guard.end(|stats| &mut stats.completed);
    Ok(reply(200, &steps::whole(&spec, chat)))
}

/// The status of a request that is to fail.
fn failing(spec: &Spec, count: u64, asked: &Value) -> Option<u16> {
    if count <= spec.loading {
        return Some(503);
    }
    if count <= spec.failing || (spec.flaky > 0 && count.is_multiple_of(spec.flaky)) {
        return Some(500);
    }
    if spec.is_fault("nousage") && asked.get("stream_options").is_some() {
        return Some(400);
    }
    (spec.status != 200).then_some(spec.status)
}

fn refusal(spec: &Spec, status: u16) -> Response<Body> {
    let error = match status {
        503 if spec.loading > 0 => json!({"message": "Loading model", "type": "unavailable_error", "code": 503}),
        400 if spec.is_fault("nousage") => {
            json!({"message": "Extra inputs are not permitted: stream_options", "code": 400})
        }
        _ => {
            let code = spec.code.clone().unwrap_or_else(|| format!("mock_{status}"));
            json!({"message": format!("mock status {status}"), "type": "server_error", "code": code})
        }
    };
    let mut response = reply(status, &json!({ "error": error }));
    if let Some(seconds) = &spec.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_str(seconds).expect("a header value"));
    }
    response
}

fn reply(status: u16, body: &Value) -> Response<Body> {
    let mut response = plain(status, &body.to_string());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn plain(status: u16, body: &str) -> Response<Body> {
    let body = Full::new(Bytes::from(body.to_owned())).map_err(|never: Infallible| match never {});
    let mut response = Response::new(body.boxed());
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    response
}
