//! A small company's service on a real socket: files, orders, tokens; it remembers every request.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) line: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub(crate) struct Service {
    /// `http://127.0.0.1:PORT`
    pub(crate) url: String,
    state: Shared,
    _running: JoinSet<()>,
}

/// What it remembers.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    seen: Arc<Mutex<Vec<Seen>>>,
    /// How often it has forgotten its MCP sessions.
    forgotten: Arc<AtomicU32>,
}

impl Service {
    pub(crate) async fn start() -> Service {
        let state = Shared::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new().fallback(answer).with_state(state.clone());
        let mut running = JoinSet::new();
        running.spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Service { url, state, _running: running }
    }

    /// The requests since the last look, but for probes of an address.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let mut seen = std::mem::take(&mut *self.state.seen.lock().unwrap_or_else(PoisonError::into_inner));
        seen.retain(|one| one.line != "HEAD /");
        seen
    }

    /// It knows none of its MCP sessions any more.
    pub(crate) fn forget(&self) {
        self.state.forgotten.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

async fn answer(State(state): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 26).await.expect("a body");
    let line = format!("{} {}", head.method, head.uri);
    let count = {
        let mut seen = state.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(Seen { line: line.clone(), headers: head.headers.clone(), body: body.clone() });
        seen.iter().filter(|one| one.line == line).count()
    };
    let sent: Value = serde_json::from_slice(&body).unwrap_or_default();
    let redirect = |to: &str| (StatusCode::FOUND, [(header::LOCATION, to.to_owned())]).into_response();
    match head.uri.path() {
        path if path.starts_with("/mcp/") => {
            let seen = state.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
            crate::mcp_service::answer(&head, &sent, &seen, state.forgotten.load(Ordering::Relaxed)).await
        }
        "/file/upload" => axum::Json(json!({ "file_id": format!("f-{}", body.len()) })).into_response(),
        "/file/extract" => axum::Json(json!({ "text": format!("甲方：某公司 ({})", sent["file_id"]) })).into_response(),
        "/token" => axum::Json(json!({ "access_token": "tok-123456", "expires_in": 3600 })).into_response(),
        "/flaky" if count == 1 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        "/broken" => (StatusCode::INTERNAL_SERVER_ERROR, "out of order").into_response(),
        "/large" => "x".repeat(3 << 20).into_response(),
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            StatusCode::OK.into_response()
        }
        "/picture" => ([(header::CONTENT_TYPE, "image/png")], [1_u8, 2, 3].as_slice()).into_response(),
        "/moved" => redirect("/orders/1"),
        "/away" => redirect("http://169.254.169.254/latest/meta-data"),
        "/around" => redirect("/around"),
        "/sideways" => redirect(&format!(
            "http://localhost:{}/orders/1",
            head.headers
                .get("host")
                .and_then(|host| host.to_str().ok())
                .and_then(|host| host.rsplit(':').next())
                .unwrap_or("1")
        )),
        path => axum::Json(json!({ "path": path, "query": head.uri.query(), "sent": sent })).into_response(),
    }
}

/// Its description; 3.1 as these are found in the world, references and all.
pub(crate) fn description(url: &str) -> Value {
    let get = |id: &str| json!({ "get": { "operationId": id, "summary": id, "responses": {} } });
    json!({
        "openapi": "3.1.0",
        "info": { "title": "ERP demo", "version": "1" },
        "servers": [{ "url": url }],
        "paths": {
            "/orders/{id}": {
                "parameters": [{ "name": "id", "in": "path", "required": true, "schema": { "type": "integer", "minimum": 1 } }],
                "get": { "operationId": "getOrder", "summary": "An order", "responses": {},
                    "parameters": [
                        { "name": "fields", "in": "query", "schema": { "type": "array", "items": { "type": "string" } } },
                        { "name": "X-Trace", "in": "header", "schema": { "type": "string" } },
                        { "name": "Authorization", "in": "header", "schema": { "type": "string" } }
                    ] }
            },
            "/files/{name}": { "get": { "operationId": "getFile", "summary": "A file", "responses": {},
                "parameters": [{ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } }] } },
            "/orders": { "post": { "operationId": "创建订单", "summary": "A new order", "responses": {},
                "requestBody": { "required": true, "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Order" } } } } } },
            "/upload": { "post": { "operationId": "upload", "responses": {},
                "requestBody": { "required": true, "content": { "multipart/form-data": { "schema": { "type": "object" } } } } } },
            "/flaky": get("flaky"), "/broken": get("broken"), "/large": get("large"), "/slow": get("slow"),
            "/picture": get("picture"), "/moved": get("moved"), "/away": get("away"), "/around": get("around"),
            "/sideways": get("sideways")
        },
        "components": { "schemas": {
            "Order": { "type": "object", "required": ["item"], "properties": {
                "item": { "type": "string" }, "count": { "type": "integer" }, "example": { "type": "boolean" },
                "parts": { "type": "array", "items": { "$ref": "#/components/schemas/Order" } } } } } }
    })
}
