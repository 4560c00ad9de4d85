//! A scripted Azure OpenAI on a real socket: it answers with the fixtures of `tests/fixtures/azure`, in both forms of address, and
//! refuses as the question's words tell it to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Body, Seen, plain};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("../../tests/fixtures/azure/", $name))
    };
}

/// A running resource; it stops when dropped.
pub struct ScriptedAzure {
    /// `http://127.0.0.1:PORT`: the endpoint.
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _running: JoinSet<()>,
}

impl ScriptedAzure {
    /// At a free port.
    pub async fn start() -> ScriptedAzure {
        ScriptedAzure::at(([127, 0, 0, 1], 0).into()).await
    }

    /// At this address.
    pub async fn at(address: SocketAddr) -> ScriptedAzure {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let address = listener.local_addr().expect("an address");
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let mut running = JoinSet::new();
        running.spawn(accept(listener, seen.clone()));
        ScriptedAzure { url: format!("http://{address}"), seen, _running: running }
    }

    /// The latest question; its path has its query.
    pub fn latest(&self) -> Seen {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().rev().find(|seen| seen.path.contains("completions")).expect("a request arrived").clone()
    }
}

async fn accept(listener: TcpListener, seen: Arc<Mutex<Vec<Seen>>>) {
    let mut connections = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        let _ = socket.set_nodelay(true);
        let seen = seen.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(seen.clone(), request));
            let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(seen: Arc<Mutex<Vec<Seen>>>, request: Request<Incoming>) -> Result<Response<Body>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let signed = head.headers.contains_key("api-key") || head.headers.contains_key("authorization");
    let one = Seen { path: path.clone(), headers: head.headers, body };
    let asked = one.json();
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(one);
    if !signed {
        return Ok(json(401, fixture!("refused.json")));
    }
    let Some(what) = rest(&path) else { return Ok(json(404, fixture!("no_resource.json"))) };
    Ok(match (head.method, what) {
        (Method::GET, "models") => json(200, fixture!("models.json")),
        (Method::POST, "chat/completions") => chat(&asked),
        (Method::POST, "embeddings") => json(200, fixture!("embeddings.json")),
        _ => json(404, fixture!("no_resource.json")),
    })
}

/// What is asked of which deployment, without the address around it.
fn rest(path: &str) -> Option<&str> {
    if let Some(rest) = path.strip_prefix("/openai/v1/") {
        return rest.split('?').next();
    }
    let (rest, query) = path.strip_prefix("/openai/")?.split_once('?')?;
    let versioned = query.split('&').any(|pair| pair.starts_with("api-version=20"));
    let rest = match rest.strip_prefix("deployments/") {
        Some(rest) => rest.split_once('/')?.1,
        None => rest,
    };
    versioned.then_some(rest)
}

fn chat(asked: &Value) -> Response<Body> {
    let last = asked["messages"].as_array().and_then(|all| all.last());
    match last.and_then(|message| message["content"].as_str()).unwrap_or_default() {
        "filter the prompt" => json(400, fixture!("filtered_prompt.json")),
        "no deployment" => json(404, fixture!("no_model.json")),
        "bad key" => json(401, fixture!("refused.json")),
        "too many" => {
            let mut response = json(429, fixture!("over_limit.json"));
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("7"));
            response
        }
        "filter the answer" => events(fixture!("filtered.sse")),
        "weather?" if asked["stream"] == true => events(fixture!("tools.sse")),
        _ if asked["stream"] == true => {
            // The last chunk, with usage, comes only where it was asked for.
            let all = fixture!("text.sse");
            let wants = asked["stream_options"]["include_usage"] == true;
            let kept = all.split_inclusive("\n\n").filter(|event| wants || !event.contains("\"usage\": {"));
            events(&kept.collect::<String>())
        }
        _ => json(200, fixture!("text.json")),
    }
}

fn json(status: u16, text: &str) -> Response<Body> {
    let mut response = plain(status, text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn events(text: &str) -> Response<Body> {
    let mut response = plain(200, text);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response
}
