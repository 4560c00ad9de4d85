//! A scripted Ollama on a real socket: its own interface as docs/api.md of the ollama repository describes it, and its OpenAI
//! door. It runs no model: a question is answered with its own words. What it says of its models is in
//! `tests/fixtures/ollama`, which the adapter's tests and PyPI's `ollama` client both read.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Body, Seen, plain, reply};

const TAGS: &str = include_str!("../../tests/fixtures/ollama/tags.json");
const SHOW: &str = include_str!("../../tests/fixtures/ollama/show.json");
const PULL: &str = include_str!("../../tests/fixtures/ollama/pull.ndjson");

/// A running Ollama; it stops when dropped.
pub struct ScriptedOllama {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    state: Arc<State>,
    _running: JoinSet<()>,
}

struct State {
    /// By name, as `/api/tags` lists them.
    installed: Mutex<BTreeMap<String, Value>>,
    /// Names of those in memory.
    loaded: Mutex<Vec<String>>,
    seen: Mutex<Vec<Seen>>,
    /// Between two lines of a pull, in milliseconds.
    pull_ms: Mutex<u64>,
    /// How long a load takes, in milliseconds.
    load_ms: Mutex<u64>,
    /// Digests of what was sent to it.
    blobs: Mutex<Vec<String>>,
    /// Pulls that their client left.
    left: Mutex<u32>,
    pulling: Mutex<JoinSet<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ScriptedOllama {
    /// With the models of the fixture, none in memory, at a free port.
    pub async fn start() -> ScriptedOllama {
        ScriptedOllama::at(([127, 0, 0, 1], 0).into()).await
    }

    /// The same, at this address.
    pub async fn at(address: SocketAddr) -> ScriptedOllama {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("an address");
        let tags: Value = serde_json::from_str(TAGS).expect("the fixture is JSON");
        let named = |tag: &Value| (tag["model"].as_str().unwrap_or_default().to_owned(), tag.clone());
        let installed = tags["models"].as_array().into_iter().flatten().map(named).collect();
        let state = Arc::new(State {
            installed: Mutex::new(installed),
            loaded: Mutex::default(),
            seen: Mutex::default(),
            pull_ms: Mutex::new(0),
            load_ms: Mutex::new(0),
            blobs: Mutex::default(),
            left: Mutex::new(0),
            pulling: Mutex::default(),
        });
        let mut running = JoinSet::new();
        running.spawn(accept(listener, state.clone()));
        ScriptedOllama { url: format!("http://{address}"), state, _running: running }
    }

    /// How long it takes between two lines of a pull, and to load a model.
    pub fn slow(&self, pull_ms: u64, load_ms: u64) {
        *lock(&self.state.pull_ms) = pull_ms;
        *lock(&self.state.load_ms) = load_ms;
    }

    /// Names of what is in memory.
    pub fn loaded(&self) -> Vec<String> {
        lock(&self.state.loaded).clone()
    }

    /// How many pulls were left before their end.
    pub fn left(&self) -> u32 {
        *lock(&self.state.left)
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.state.seen).clone()
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
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
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let path = head.uri.path().to_owned();
    lock(&state.seen).push(Seen { path: path.clone(), headers: head.headers, body: body.clone() });
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(match (head.method, path.as_str()) {
        (Method::GET | Method::HEAD, "/") => plain(200, "Ollama is running"),
        (Method::GET, "/api/version") => reply(200, &json!({"version": "0.12.6"})),
        (Method::GET, "/api/tags") => {
            reply(200, &json!({"models": lock(&state.installed).values().collect::<Vec<_>>()}))
        }
        (Method::GET, "/api/ps") => reply(200, &json!({"models": state.processes()})),
        (Method::GET, "/v1/models") => reply(200, &state.list()),
        (Method::DELETE, "/api/delete") => state.delete(&asked),
        (Method::POST, "/api/pull") => state.pull(&asked),
        (Method::POST, "/api/create") => state.create(&asked),
        (Method::HEAD | Method::POST, blob) if blob.starts_with("/api/blobs/sha256:") => {
            state.blob(&blob["/api/blobs/".len()..], &body)
        }
        (Method::POST, "/api/show") => match state.find(&asked) {
            Some(tag) => reply(200, &shown(&tag)),
            None => missing(&asked),
        },
        (Method::POST, "/api/chat" | "/api/generate" | "/api/embed" | "/v1/chat/completions" | "/v1/embeddings") => {
            let Some(tag) = state.find(&asked) else {
                return Ok(if path.starts_with("/v1") { missing_in_dialect(&asked) } else { missing(&asked) });
            };
            state.load(&tag, &asked).await;
            match path.as_str() {
                "/api/chat" => native_chat(&asked),
                "/api/generate" => native_generate(&asked),
                "/api/embed" => reply(200, &embedded(&asked)),
                "/v1/embeddings" => reply(200, &embeddings(&asked)),
                _ => dialect_chat(&asked),
            }
        }
        _ => plain(404, "404 page not found"),
    })
}

impl State {
    fn find(&self, asked: &Value) -> Option<Value> {
        let name = asked["model"].as_str().or(asked["name"].as_str())?;
        let installed = lock(&self.installed);
        installed.get(name).or_else(|| installed.get(&format!("{name}:latest"))).cloned()
    }

    async fn load(&self, tag: &Value, asked: &Value) {
        let name = tag["model"].as_str().unwrap_or_default().to_owned();
        if unloads(asked) {
            return lock(&self.loaded).retain(|loaded| *loaded != name);
        }
        if !lock(&self.loaded).contains(&name) {
            let time = *lock(&self.load_ms);
            tokio::time::sleep(Duration::from_millis(time)).await;
            lock(&self.loaded).push(name);
        }
    }

    fn processes(&self) -> Vec<Value> {
        let installed = lock(&self.installed);
        let loaded = lock(&self.loaded);
        let process = |name: &String| {
            let mut process = installed.get(name)?.clone();
            process["size_vram"] = process["size"].clone();
            process["expires_at"] = json!("2026-11-25T03:05:00.000000001Z");
            process["context_length"] = json!(4096);
            Some(process)
        };
        loaded.iter().filter_map(process).collect()
    }

    fn list(&self) -> Value {
        let entry =
            |name: &String| json!({"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "library"});
        json!({"object": "list", "data": lock(&self.installed).keys().map(entry).collect::<Vec<_>>()})
    }

    fn delete(&self, asked: &Value) -> Response<Body> {
        let Some(tag) = self.find(asked) else { return missing(asked) };
        let name = tag["model"].as_str().unwrap_or_default();
        lock(&self.installed).remove(name);
        lock(&self.loaded).retain(|loaded| loaded != name);
        plain(200, "")
    }

    /// A blob is there once its bytes came; their digest has to be the address's.
    fn blob(&self, digest: &str, body: &Bytes) -> Response<Body> {
        use sha2::Digest as _;
        if body.is_empty() {
            return plain(if lock(&self.blobs).iter().any(|known| known == digest) { 200 } else { 404 }, "");
        }
        let found: String = sha2::Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        if digest != format!("sha256:{found}") {
            return reply(400, &json!({"error": "digest mismatch"}));
        }
        lock(&self.blobs).push(digest.to_owned());
        plain(201, "")
    }

    fn create(&self, asked: &Value) -> Response<Body> {
        let known = json!({"model": asked["from"]});
        if self.find(&known).is_none() {
            return missing(&known);
        }
        let mut adapters = asked["adapters"].as_object().into_iter().flatten().map(|(_, digest)| digest);
        if !adapters.all(|digest| lock(&self.blobs).iter().any(|known| *digest == **known)) {
            return reply(400, &json!({"error": "invalid digest"}));
        }
        self.install(asked["model"].as_str().unwrap_or_default());
        reply(200, &json!({"status": "success"}))
    }

    fn pull(self: &Arc<Self>, asked: &Value) -> Response<Body> {
        let name = asked["model"].as_str().unwrap_or_default().to_owned();
        let mut lines: Vec<String> = PULL.lines().map(str::to_owned).collect();
        if name.contains("no-such") {
            lines.truncate(1);
            lines.push(json!({"error": "pull model manifest: file does not exist"}).to_string());
        }
        if asked["stream"] == false {
            self.install(&name);
            return reply(200, &json!({"status": "success"}));
        }
        let (out, lines_out) = mpsc::channel::<Result<Frame<Bytes>, std::io::Error>>(1);
        let state = self.clone();
        let pause = *lock(&self.pull_ms);
        lock(&self.pulling).spawn(async move {
            for line in lines {
                if out.send(Ok(Frame::data(Bytes::from(format!("{line}\n"))))).await.is_err() {
                    *lock(&state.left) += 1;
                    return;
                }
                if line.contains("\"success\"") {
                    state.install(&name);
                }
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(pause)) => {}
                    () = out.closed() => {
                        *lock(&state.left) += 1;
                        return;
                    }
                }
            }
        });
        ndjson(lines_out)
    }

    fn install(&self, name: &str) {
        let full = if name.contains(':') { name.to_owned() } else { format!("{name}:latest") };
        let mut installed = lock(&self.installed);
        let Some(mut tag) = installed.values().next().cloned() else { return };
        (tag["name"], tag["model"]) = (json!(full), json!(full));
        installed.insert(full, tag);
    }
}

fn ndjson(mut lines: mpsc::Receiver<Result<Frame<Bytes>, std::io::Error>>) -> Response<Body> {
    let body = StreamBody::new(futures(move |cx| lines.poll_recv(cx)));
    let mut response = Response::new(body.boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// A stream of what a function polls.
fn futures<T>(
    poll: impl FnMut(&mut std::task::Context<'_>) -> std::task::Poll<Option<T>> + Unpin,
) -> impl futures_core::Stream<Item = T> {
    struct Polled<F>(F);
    impl<T, F: FnMut(&mut std::task::Context<'_>) -> std::task::Poll<Option<T>> + Unpin> futures_core::Stream
        for Polled<F>
    {
        type Item = T;
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            cx: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<T>> {
            (self.0)(cx)
        }
    }
    Polled(poll)
}

/// `0`, `0.0` and `"0"` are one time to stay.
fn unloads(asked: &Value) -> bool {
    asked["keep_alive"].as_f64() == Some(0.0) || asked["keep_alive"] == "0"
}

/// What is answered: the last question's own words, in pieces.
fn words(asked: &Value) -> Vec<String> {
    let last = asked["messages"].as_array().and_then(|all| all.last());
    let text = last.and_then(|message| message["content"].as_str()).or(asked["prompt"].as_str()).unwrap_or_default();
    let mut words: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
    words.insert(0, "You said: ".to_owned());
    words
}

fn shown(tag: &Value) -> Value {
    let all: Value = serde_json::from_str(SHOW).expect("the fixture is JSON");
    let name = tag["model"].as_str().unwrap_or_default();
    let own = &all[name];
    if own.is_null() { all["llama3:latest"].clone() } else { own.clone() }
}

fn missing(asked: &Value) -> Response<Body> {
    let name = asked["model"].as_str().or(asked["name"].as_str()).unwrap_or_default();
    reply(404, &json!({"error": format!("model '{name}' not found")}))
}

fn missing_in_dialect(asked: &Value) -> Response<Body> {
    let message = format!("model '{}' not found", asked["model"].as_str().unwrap_or_default());
    reply(404, &json!({"error": {"message": message, "type": "not_found_error", "param": null, "code": null}}))
}

fn lines(all: Vec<Value>) -> Response<Body> {
    let mut text = String::new();
    for line in all {
        text.push_str(&line.to_string());
        text.push('\n');
    }
    let mut response = plain(200, &text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

const CREATED: &str = "2026-11-25T03:00:00.123456789Z";

fn counts(line: &mut Value, words: usize) {
    line["done"] = json!(true);
    line["total_duration"] = json!(5_191_566_416_u64);
    line["load_duration"] = json!(2_154_458_u64);
    line["prompt_eval_count"] = json!(7);
    line["prompt_eval_duration"] = json!(383_809_000_u64);
    line["eval_count"] = json!(words);
    line["eval_duration"] = json!(4_799_921_000_u64);
}

fn native_chat(asked: &Value) -> Response<Body> {
    let line = |content: &str| json!({"model": asked["model"], "created_at": CREATED, "message": {"role": "assistant", "content": content}, "done": false});
    let words = words(asked);
    if asked["stream"] == false {
        let mut whole = line(&words.concat());
        counts(&mut whole, words.len());
        whole["done_reason"] = json!("stop");
        return reply(200, &whole);
    }
    let mut all: Vec<Value> = words.iter().map(|word| line(word)).collect();
    let mut last = line("");
    counts(&mut last, words.len());
    last["done_reason"] = json!("stop");
    all.push(last);
    lines(all)
}

fn native_generate(asked: &Value) -> Response<Body> {
    let line = |text: &str| json!({"model": asked["model"], "created_at": CREATED, "response": text, "done": false});
    let Some(_prompt) = asked["prompt"].as_str().filter(|prompt| !prompt.is_empty()) else {
        let mut only = line("");
        only["done"] = json!(true);
        only["done_reason"] = json!(if unloads(asked) { "unload" } else { "load" });
        return reply(200, &only);
    };
    let words = words(asked);
    if asked["stream"] == false {
        let mut whole = line(&words.concat());
        counts(&mut whole, words.len());
        whole["done_reason"] = json!("stop");
        return reply(200, &whole);
    }
    let mut all: Vec<Value> = words.iter().map(|word| line(word)).collect();
    let mut last = line("");
    counts(&mut last, words.len());
    last["done_reason"] = json!("stop");
    all.push(last);
    lines(all)
}

/// Three numbers per text, the first its length in characters.
fn vectors(asked: &Value) -> Vec<[f64; 3]> {
    let one = |text: &Value| {
        let length = text.as_str().unwrap_or_default().chars().count();
        [f64::from(u32::try_from(length).unwrap_or(u32::MAX)), 0.5, -0.25]
    };
    match &asked["input"] {
        Value::Array(all) => all.iter().map(one).collect(),
        text => vec![one(text)],
    }
}

fn embedded(asked: &Value) -> Value {
    json!({"model": asked["model"], "embeddings": vectors(asked), "total_duration": 14_143_917_u64, "load_duration": 1_019_500_u64, "prompt_eval_count": 8})
}

fn embeddings(asked: &Value) -> Value {
    let entry =
        |(index, vector): (usize, [f64; 3])| json!({"object": "embedding", "index": index, "embedding": vector});
    let data: Vec<Value> = vectors(asked).into_iter().enumerate().map(entry).collect();
    json!({"object": "list", "data": data, "model": asked["model"], "usage": {"prompt_tokens": 8, "total_tokens": 8}})
}

fn dialect_chat(asked: &Value) -> Response<Body> {
    let words = words(asked);
    let usage = json!({"prompt_tokens": 7, "completion_tokens": words.len(), "total_tokens": 7 + words.len()});
    let head = |object: &str| json!({"id": "chatcmpl-271", "object": object, "created": 1_764_039_600, "model": asked["model"], "system_fingerprint": "fp_ollama"});
    if asked["stream"] != true {
        let mut whole = head("chat.completion");
        whole["choices"] =
            json!([{"index": 0, "message": {"role": "assistant", "content": words.concat()}, "finish_reason": "stop"}]);
        whole["usage"] = usage;
        return reply(200, &whole);
    }
    let chunk = |delta: Value, finish: Option<&str>| {
        let mut chunk = head("chat.completion.chunk");
        chunk["choices"] = json!([{"index": 0, "delta": delta, "finish_reason": finish}]);
        chunk
    };
    let mut all: Vec<Value> = if asked["tools"].is_array() {
        // Two calls under one index, told apart by id alone, as Ollama before 0.12 sent them.
        let call = |id: &str, place: &str| json!({"role": "assistant", "content": "", "tool_calls": [{"id": id, "index": 0, "type": "function", "function": {"name": "weather", "arguments": json!({"city": place}).to_string()}}]});
        vec![
            chunk(call("call_a", "Paris"), None),
            chunk(call("call_b", "北京"), None),
            chunk(json!({"role": "assistant", "content": ""}), Some("tool_calls")),
        ]
    } else {
        let mut all: Vec<Value> =
            words.iter().map(|word| chunk(json!({"role": "assistant", "content": word}), None)).collect();
        all.push(chunk(json!({"role": "assistant", "content": ""}), Some("stop")));
        all
    };
    if asked["stream_options"]["include_usage"] == true {
        let mut last = head("chat.completion.chunk");
        (last["choices"], last["usage"]) = (json!([]), usage);
        all.push(last);
    }
    let mut text: String = all.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    text.push_str("data: [DONE]\n\n");
    let mut response = plain(200, &text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}
