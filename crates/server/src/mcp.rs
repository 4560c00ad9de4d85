//! The MCP door: `/mcp`, streamable HTTP without sessions (<https://modelcontextprotocol.io/specification/2025-11-25>), by API key.
//! What it offers is `mcp/offer.rs`'s: the assistants that the key's person may ask, as tools, and their kept texts, as prompts.
//!
//! Each request is answered by itself, as JSON. There is no stream for words of the server's own, for it has none.

mod offer;

use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use identity::Keyholder;
use serde_json::{Value, json};

use crate::key::keyholder;
use crate::{Problem, Server};

/// The versions of the protocol that are spoken, the newest first.
const VERSIONS: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];

/// JSON-RPC 2.0, 5.1.
const PARSE: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const NO_METHOD: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const INTERNAL: i64 = -32603;

/// Why a request has no result.
#[derive(Debug)]
struct Fault {
    code: i64,
    message: String,
}

impl Fault {
    fn new(code: i64, message: impl Into<String>) -> Fault {
        Fault { code, message: message.into() }
    }

    fn params(message: impl Into<String>) -> Fault {
        Fault::new(INVALID_PARAMS, message)
    }
}

impl From<Problem> for Fault {
    fn from(problem: Problem) -> Fault {
        metrics::counter!("portico_refusals_total", "code" => problem.code).increment(1);
        Fault::new(INTERNAL, problem.message)
    }
}

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Fault {
        Problem::from(error).into()
    }
}

/// A message for the server.
pub(crate) async fn post(State(server): State<Server>, request: Request) -> Response {
    match take(&server, request).await {
        Ok(response) => response,
        Err(refusal) => refusal.into_response(),
    }
}

/// There is no stream to listen to, and no session to end.
pub(crate) async fn only_post() -> Response {
    (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response()
}

/// A request that is refused before its message is read, as HTTP says it and as JSON-RPC does.
struct Refusal {
    problem: Box<Problem>,
    code: i64,
}

impl Refusal {
    fn new(status: StatusCode, code: i64, message: impl Into<String>) -> Refusal {
        Refusal { problem: Box::new(Problem::new(status, "invalid_request", message)), code }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Refusal {
        Refusal { problem: Box::new(problem), code: INVALID_REQUEST }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        metrics::counter!("portico_refusals_total", "code" => self.problem.code).increment(1);
        let message = &self.problem.message;
        let error = json!({ "code": self.code, "message": message, "data": { "code": self.problem.code } });
        let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
        self.problem.respond("application/json", body.to_string())
    }
}

async fn take(server: &Server, request: Request) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    known_origin(server, &head.headers)?;
    let holder = keyholder(server, &head.headers, &head.extensions)?;
    well_made(&head.headers)?;
    let bytes = crate::portal::body::read(body, server.doors.body_limit()).await?;
    let message = read(&bytes)?;
    let Some(id) = message.get("id").filter(|_| message.get("method").is_some()) else {
        // A notification, or an answer to a question that was never asked.
        return Ok(StatusCode::ACCEPTED.into_response());
    };
    let method = message["method"].as_str().unwrap_or_default();
    let answer = match Box::pin(done(server, &holder, method, &message["params"])).await {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(Fault { code, message }) => {
            json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
        }
    };
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((json, answer.to_string()).into_response())
}

/// A page of another site, in somebody's browser, is nobody we know (Security Warning, DNS rebinding). Programs send no `Origin`.
fn known_origin(server: &Server, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let near = origin.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]")) && uri.path_and_query().is_none_or(|p| p == "/")
    });
    let ours = server.doors.public_url.parse::<Uri>().is_ok_and(|ours| {
        let (scheme, authority) = (ours.scheme_str().unwrap_or("http"), ours.authority());
        authority.is_some_and(|authority| origin.eq_ignore_ascii_case(&format!("{scheme}://{authority}")))
    });
    if near || ours { Ok(()) } else { Err(Problem::cross_origin().into()) }
}

fn well_made(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let is_json =
        |kind: &str| kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
    if !text(header::CONTENT_TYPE).is_some_and(is_json) {
        let message = "send JSON, and say so: Content-Type: application/json";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, INVALID_REQUEST, message));
    }
    let takes = |accept: &str| {
        accept.contains("application/json") || accept.contains("*/*") || accept.contains("application/*")
    };
    if !text(header::ACCEPT).is_none_or(takes) {
        let message = "answers are JSON: Accept: application/json, text/event-stream";
        return Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, INVALID_REQUEST, message));
    }
    match headers.get("mcp-protocol-version").map(|version| version.to_str().unwrap_or_default()) {
        Some(version) if !VERSIONS.contains(&version) => {
            let message =
                format!("version {version:?} of the protocol is not spoken here; there are {}", VERSIONS.join(", "));
            Err(Refusal::new(StatusCode::BAD_REQUEST, INVALID_REQUEST, message))
        }
        _ => Ok(()),
    }
}

/// One message. Lists of them were taken out of the protocol.
fn read(bytes: &Bytes) -> Result<Value, Refusal> {
    let wrong = |code, message: &str| Refusal::new(StatusCode::BAD_REQUEST, code, message);
    let message: Value =
        serde_json::from_slice(bytes).map_err(|error| wrong(PARSE, &format!("the body is no JSON: {error}")))?;
    if message["jsonrpc"] != "2.0" || !message.is_object() {
        return Err(wrong(INVALID_REQUEST, "the body is no message of JSON-RPC 2.0"));
    }
    let named = message.get("method").map(Value::is_string);
    let numbered = message.get("id").is_none_or(|id| id.is_string() || id.is_i64() || id.is_u64());
    let answers = message.get("result").is_some() || message.get("error").is_some();
    if named == Some(false) || named.is_none() && !answers || !numbered {
        return Err(wrong(INVALID_REQUEST, "a message has a method, and an id that is a text or a whole number"));
    }
    Ok(message)
}

/// What can be asked here.
async fn done(server: &Server, holder: &Keyholder, method: &str, params: &Value) -> Result<Value, Fault> {
    match method {
        "initialize" => greet(server, params),
        "ping" => Ok(json!({})),
        "tools/list" => offer::tools(server, &holder.caller, params).await,
        "tools/call" => offer::call(server, holder, params).await,
        "prompts/list" => offer::prompts(server, &holder.caller, params).await,
        "prompts/get" => offer::prompt(server, &holder.caller, params).await,
        _ => Err(Fault::new(NO_METHOD, format!("there is no method {method:?} here"))),
    }
}

fn greet(server: &Server, params: &Value) -> Result<Value, Fault> {
    let wanted = params["protocolVersion"].as_str();
    let wanted = wanted.ok_or_else(|| Fault::params("protocolVersion: say which version of the protocol you speak"))?;
    let version = VERSIONS.into_iter().find(|one| *one == wanted).unwrap_or(VERSIONS[0]);
    Ok(json!({
        "protocolVersion": version,
        "capabilities": { "tools": {}, "prompts": {} },
        "serverInfo": { "name": "portico", "title": server.doors.brand, "version": env!("CARGO_PKG_VERSION") },
        "instructions": "Each tool asks one assistant one question and returns its whole answer; nothing is remembered in between. \
                         Prompts are texts that the person keeps.",
    }))
}
