//! A model backend that costs almost nothing: it speaks the OpenAI wire format
//! with fixed delays, stamps each chunk with the time it was written, and can
//! misbehave on request. `GET /__stats` says what became of its requests.

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::body::Incoming;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use load::{Args, Spec, mono_ns};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

#[derive(Default)]
struct Stats {
    requests: AtomicU64,
    completed: AtomicU64,
    cancelled: AtomicU64,
    faulted: AtomicU64,
    active: AtomicU64,
    chunks: AtomicU64,
    connections: AtomicU64,
}

static STATS: OnceLock<Stats> = OnceLock::new();
fn stats() -> &'static Stats {
    STATS.get_or_init(Stats::default)
}

type Body = BoxBody<Bytes, std::io::Error>;

fn full(b: impl Into<Bytes>) -> Body {
    Full::new(b.into()).map_err(|e: Infallible| match e {}).boxed()
}

/// When each named request was left by its client: (id, CLOCK_MONOTONIC ns).
static LEFT: Mutex<Vec<(u64, u64)>> = Mutex::new(Vec::new());

/// Counts a request as cancelled unless it was marked done before being dropped.
struct Guard {
    done: bool,
    id: u64,
}
impl Guard {
    fn new() -> Self {
        stats().active.fetch_add(1, Relaxed);
        Guard { done: false, id: 0 }
    }
    fn finish(&mut self, counter: &AtomicU64) {
        self.done = true;
        counter.fetch_add(1, Relaxed);
    }
}
impl Drop for Guard {
    fn drop(&mut self) {
        stats().active.fetch_sub(1, Relaxed);
        if !self.done {
            stats().cancelled.fetch_add(1, Relaxed);
            if self.id != 0
                && let Ok(mut left) = LEFT.lock()
            {
                left.push((self.id, mono_ns()));
            }
        }
    }
}

struct Stream {
    spec: Spec,
    guard: Guard,
    index: u32,
    phase: Phase,
    timer: Option<Pin<Box<Sleep>>>,
    /// Second half of a frame that was split on purpose.
    rest: Option<Bytes>,
    usage: bool,
    prompt_tokens: u64,
}

#[derive(PartialEq)]
enum Phase {
    Role,
    Content,
    Finish,
    Usage,
    Done,
    End,
}

const HEAD: &str = r#"{"id":"chatcmpl-mock","object":"chat.completion.chunk","created":1700000000,"model":"mock","system_fingerprint":"fp_mock","choices":["#;

impl Stream {
    fn event(&self, json: &str) -> Bytes {
        let eol = if self.spec.is_fault("crlf") { "\r\n" } else { "\n" };
        let tag = if self.spec.is_fault("nospace") { "data:" } else { "data: " };
        let mut s = String::with_capacity(json.len() + 64);
        if self.spec.is_fault("comment") {
            let _ = write!(s, ": keep-alive{eol}{eol}");
        }
        if self.spec.is_fault("eventname") {
            let _ = write!(s, "event: message{eol}id: {}{eol}", self.index);
        }
        if self.spec.is_fault("multiline") && json.starts_with('{') {
            // Legal SSE: one event over two data lines, joined by a newline.
            let cut = json.find(',').map_or(0, |i| i + 1);
            let _ = write!(s, "{tag}{}{eol}{tag}{}{eol}{eol}", &json[..cut], &json[cut..]);
        } else {
            let _ = write!(s, "{tag}{json}{eol}{eol}");
        }
        Bytes::from(s)
    }

    fn content(&self) -> Bytes {
        let mut s = String::with_capacity(320 + self.spec.pad);
        s.push_str(HEAD);
        if self.spec.is_fault("tools") {
            // First fragment names the call, the rest are argument pieces of two parallel calls.
            let call = self.index % 2;
            if self.index < 2 {
                let _ = write!(
                    s,
                    r#"{{"index":0,"delta":{{"tool_calls":[{{"index":{call},"id":"call_{call}","type":"function","function":{{"name":"f{call}","arguments":""}}}}]}},"finish_reason":null}}]}}"#
                );
            } else {
                let _ = write!(
                    s,
                    r#"{{"index":0,"delta":{{"tool_calls":[{{"index":{call},"function":{{"arguments":"{}"}}}}]}},"finish_reason":null}}]}}"#,
                    self.index % 10
                );
            }
        } else {
            let _ = write!(s, r#"{{"index":0,"delta":{{"content":"t{} "#, mono_ns());
            if self.spec.is_fault("splitutf8") {
                s.push_str("你好，世界🌍");
            }
            for _ in 0..self.spec.pad {
                s.push('x');
            }
            s.push_str(r#""},"logprobs":null,"finish_reason":null}]}"#);
        }
        self.event(&s)
    }

    fn ready(&mut self, b: Bytes) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        if self.spec.is_fault("splitutf8") {
            // Cut inside a multi-byte character when there is one.
            if let Some(i) = b.iter().rposition(|&c| c >= 0xC0) {
                let mut b = b;
                self.rest = Some(b.split_off(i + 1));
                return Poll::Ready(Some(Ok(Frame::data(b))));
            }
        }
        Poll::Ready(Some(Ok(Frame::data(b))))
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let me = &mut *self;
        if let Some(t) = me.timer.as_mut() {
            if t.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            me.timer = None;
        }
        if let Some(rest) = me.rest.take() {
            return Poll::Ready(Some(Ok(Frame::data(rest))));
        }
        match me.phase {
            Phase::Role => {
                me.phase = Phase::Content;
                let s = format!(
                    r#"{HEAD}{{"index":0,"delta":{{"role":"assistant","content":""}},"finish_reason":null}}]}}"#
                );
                let b = me.event(&s);
                me.ready(b)
            }
            Phase::Content => {
                if me.index >= me.spec.n {
                    me.phase = Phase::Finish;
                    return self.poll_frame(cx);
                }
                let i = me.index;
                if me.spec.fault_at("abort", i) {
                    me.guard.finish(&stats().faulted);
                    me.phase = Phase::End;
                    return Poll::Ready(Some(Err(std::io::Error::other("mock abort"))));
                }
                if me.spec.fault_at("stall", i) {
                    return Poll::Pending;
                }
                if me.spec.fault_at("eof", i) {
                    // A clean end of the body without finish_reason and without [DONE].
                    me.guard.finish(&stats().faulted);
                    me.phase = Phase::End;
                    return Poll::Ready(None);
                }
                if me.spec.fault_at("error", i) {
                    me.guard.finish(&stats().faulted);
                    me.phase = Phase::End;
                    let b = me.event(r#"{"error":{"message":"mock failure in the stream","type":"server_error","code":"mock_error"}}"#);
                    return Poll::Ready(Some(Ok(Frame::data(b))));
                }
                let b = me.content();
                me.index += 1;
                stats().chunks.fetch_add(1, Relaxed);
                if me.spec.itl_ms > 0 && me.index < me.spec.n {
                    me.timer = Some(Box::pin(sleep(Duration::from_millis(me.spec.itl_ms))));
                }
                me.ready(b)
            }
            Phase::Finish => {
                me.phase = if me.usage { Phase::Usage } else { Phase::Done };
                let reason = if me.spec.is_fault("tools") { "tool_calls" } else { "stop" };
                let s = format!(r#"{HEAD}{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{reason}"}}]}}"#);
                let b = me.event(&s);
                me.ready(b)
            }
            Phase::Usage => {
                me.phase = Phase::Done;
                let head = HEAD.trim_end_matches('[');
                let (p, c) = (me.prompt_tokens, me.spec.n);
                let s = format!(
                    r#"{head}[],"usage":{{"prompt_tokens":{p},"completion_tokens":{c},"total_tokens":{}}}}}"#,
                    p + c as u64
                );
                let b = me.event(&s);
                me.ready(b)
            }
            Phase::Done => {
                me.phase = Phase::End;
                me.guard.finish(&stats().completed);
                if me.spec.is_fault("nodone") {
                    return Poll::Ready(None);
                }
                let b = me.event("[DONE]");
                me.ready(b)
            }
            Phase::End => Poll::Ready(None),
        }
    }
}

fn json(status: u16, body: String) -> Response<Body> {
    let mut r = Response::new(full(body));
    *r.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or_default();
    r.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    r
}

async fn chat(mut spec: Spec, req: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let mut guard = Guard::new();
    let count = stats().requests.fetch_add(1, Relaxed) + 1;
    let started = Instant::now();
    let header = req.headers().get("x-mock").and_then(|v| v.to_str().ok()).map(str::to_owned);
    let body = req.into_body().collect().await.map_err(std::io::Error::other)?.to_bytes();
    let v: serde_json::Value = match serde_json::from_slice(&body) {
        Ok(v) => v,
        Err(e) => {
            guard.finish(&stats().faulted);
            return Ok(json(400, format!(r#"{{"error":{{"message":"{e}","type":"invalid_request_error"}}}}"#)));
        }
    };
    // The last message survives gateways that drop `user` and unknown headers.
    let last = v["messages"]
        .as_array()
        .and_then(|m| m.last())
        .and_then(|m| m["content"].as_str())
        .filter(|t| t.starts_with("mock;"));
    for text in [v["model"].as_str(), v["user"].as_str(), header.as_deref(), last].into_iter().flatten() {
        spec.apply(text);
    }
    guard.id = spec.id;
    if spec.is_fault("hang") {
        std::future::pending::<()>().await;
    }
    if spec.ttft_ms > 0 {
        tokio::time::sleep_until(started + Duration::from_millis(spec.ttft_ms)).await;
    }
    if spec.is_fault("drop") {
        guard.finish(&stats().faulted);
        return Err(std::io::Error::other("mock drops the connection"));
    }
    let failing = spec.flaky > 0 && count % spec.flaky == 0;
    if failing || spec.status != 200 {
        guard.finish(&stats().faulted);
        let status = if failing { 500 } else { spec.status };
        let mut r = json(
            status,
            format!(r#"{{"error":{{"message":"mock status {status}","type":"server_error","code":"mock_{status}"}}}}"#),
        );
        if let Some(s) = spec.retry_after {
            r.headers_mut().insert("retry-after", s.into());
        }
        return Ok(r);
    }
    let prompt_tokens = body.len() as u64 / 4;
    if v["stream"].as_bool() == Some(true) {
        let usage = v["stream_options"]["include_usage"].as_bool() == Some(true);
        let stream =
            Stream { spec, guard, index: 0, phase: Phase::Role, timer: None, rest: None, usage, prompt_tokens };
        let mut r = Response::new(BodyExt::boxed(stream));
        r.headers_mut()
            .insert("content-type", hyper::header::HeaderValue::from_static("text/event-stream; charset=utf-8"));
        r.headers_mut().insert("cache-control", hyper::header::HeaderValue::from_static("no-cache"));
        return Ok(r);
    }
    let mut text = format!("t{} ", mono_ns());
    for _ in 1..spec.n {
        text.push_str("word ");
    }
    text.extend(std::iter::repeat_n('x', spec.pad));
    guard.finish(&stats().completed);
    let n = spec.n as u64;
    Ok(json(
        200,
        format!(
            r#"{{"id":"chatcmpl-mock","object":"chat.completion","created":1700000000,"model":"mock","system_fingerprint":"fp_mock","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":{prompt_tokens},"completion_tokens":{n},"total_tokens":{}}}}}"#,
            prompt_tokens + n
        ),
    ))
}

async fn handle(spec: Spec, req: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let path = req.uri().path().trim_start_matches("/v1");
    match (req.method(), path) {
        (&Method::POST, "/chat/completions") => chat(spec, req).await,
        (&Method::POST, "/embeddings") => Ok(json(200, r#"{"object":"list","model":"mock","data":[{"object":"embedding","index":0,"embedding":[0.1,0.2,0.3]}],"usage":{"prompt_tokens":1,"total_tokens":1}}"#.into())),
        (&Method::GET, "/models") => Ok(json(200, r#"{"object":"list","data":[{"id":"mock","object":"model","created":1700000000,"owned_by":"mock"}]}"#.into())),
        (&Method::GET, "/health" | "/healthz" | "/readyz" | "/") => Ok(json(200, r#"{"status":"ok"}"#.into())),
        (&Method::GET, "/get_server_info" | "/server_info" | "/get_model_info" | "/model_info") => Ok(json(200, r#"{"model_path":"mock","served_model_name":"mock","is_generation":true}"#.into())),
        // Emptied by reading: one `id ns` line for each named request that was left.
        (&Method::GET, "/__left") => {
            let left = LEFT.lock().map(|mut left| std::mem::take(&mut *left)).unwrap_or_default();
            let mut lines = String::with_capacity(left.len() * 32);
            for (id, ns) in left {
                let _ = writeln!(lines, "{id} {ns}");
            }
            Ok(Response::new(full(lines)))
        }
        (&Method::GET, "/__stats") => {
            let s = stats();
            let l = |c: &AtomicU64| c.load(Relaxed);
            Ok(json(200, format!(
                r#"{{"requests":{},"completed":{},"cancelled":{},"faulted":{},"active":{},"chunks":{},"connections":{}}}"#,
                l(&s.requests), l(&s.completed), l(&s.cancelled), l(&s.faulted), l(&s.active), l(&s.chunks), l(&s.connections)
            )))
        }
        _ => Ok(json(404, r#"{"error":{"message":"no such path","type":"invalid_request_error"}}"#.into())),
    }
}

async fn serve(args: Args) -> std::io::Result<()> {
    let mut spec = Spec::default();
    spec.apply(&format!("mock;{}", args.str("spec", "")));
    let listener = tokio::net::TcpListener::bind(args.str("listen", "127.0.0.1:9100")).await?;
    eprintln!("mock-openai on {} with {spec:?}", listener.local_addr()?);
    loop {
        let (socket, _) = listener.accept().await?;
        let _ = socket.set_nodelay(true);
        stats().connections.fetch_add(1, Relaxed);
        let spec = spec.clone();
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |req| handle(spec.clone(), req));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
    }
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let threads = args.num("threads", 1usize);
    let mut rt = if threads <= 1 {
        tokio::runtime::Builder::new_current_thread()
    } else {
        tokio::runtime::Builder::new_multi_thread()
    };
    if threads > 1 {
        rt.worker_threads(threads);
    }
    rt.enable_all().build()?.block_on(serve(args))
}
