//! MCP servers at an address, one a path: with JSON or events, with sessions or none, and those that do it wrong.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Value, json};

use crate::service::Seen;

pub(crate) async fn answer(head: &Parts, sent: &Value, seen: &[Seen], forgotten: u32) -> Response {
    let path = head.uri.path().trim_start_matches("/mcp/");
    let session = format!("s-{}", forgotten + 1);
    match path {
        "closed" => {
            return (StatusCode::UNAUTHORIZED, axum::Json(json!({ "error": { "message": "who are you?" } })))
                .into_response();
        }
        "old" => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
        "page" => return ([(header::CONTENT_TYPE, "text/html")], "<p>Hello</p>").into_response(),
        "large" => return ([(header::CONTENT_TYPE, "application/json")], " ".repeat(9 << 20)).into_response(),
        "endless" => {
            let pieces = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 65_536])));
            return ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(pieces)).into_response();
        }
        "away" => {
            let to = [(header::LOCATION, "http://169.254.169.254/mcp")];
            return (StatusCode::TEMPORARY_REDIRECT, to).into_response();
        }
        _ => {}
    }
    if head.method == Method::DELETE {
        return StatusCode::NO_CONTENT.into_response();
    }
    if head.method == Method::GET {
        // The stream goes on where it broke off: with the answer to what was asked last.
        let posts = seen.iter().rev().filter(|one| one.line.starts_with("POST"));
        let asked =
            posts.filter_map(|one| serde_json::from_slice::<Value>(&one.body).ok()).find(|one| one["id"].is_u64());
        return events(&[result(&asked.expect("a question"), path)]);
    }
    let hello = sent["method"] == "initialize";
    let shown = head.headers.get("mcp-session-id").and_then(|id| id.to_str().ok());
    if path != "stateless" && !hello && shown != Some(&session) {
        return StatusCode::NOT_FOUND.into_response();
    }
    if sent.get("id").is_none() || sent.get("method").is_none() {
        return StatusCode::ACCEPTED.into_response();
    }
    if sent["params"]["name"] == "wait" {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    let answer = result(sent, path);
    let mut response = match path {
        "events" if sent["method"] == "tools/call" => events(&[
            json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": 1, "progress": 1 } }),
            json!({ "jsonrpc": "2.0", "id": "p1", "method": "ping" }),
            json!({ "jsonrpc": "2.0", "id": "e1", "method": "elicitation/create", "params": { "message": "?", "requestedSchema": {} } }),
            answer,
        ]),
        "events" => events(&[answer]),
        "resumed" => {
            let first = "id: e-1\nretry: 10\ndata: \n\n";
            ([(header::CONTENT_TYPE, "text/event-stream")], first).into_response()
        }
        _ => axum::Json(answer).into_response(),
    };
    if hello && path != "stateless" {
        response.headers_mut().insert("mcp-session-id", session.parse().expect("a header"));
    }
    response
}

fn events(messages: &[Value]) -> Response {
    let whole: String =
        messages.iter().map(|message| format!(": a comment\r\nevent: message\r\ndata: {message}\r\n\r\n")).collect();
    // In small pieces, as networks deliver them.
    let pieces: Vec<_> =
        whole.as_bytes().chunks(7).map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece))).collect();
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream::iter(pieces))).into_response()
}

fn result(sent: &Value, path: &str) -> Value {
    let id = if path == "other" { json!(999) } else { sent["id"].clone() };
    let params = &sent["params"];
    let output = json!({ "type": "object", "properties": { "sum": { "type": "integer" } }, "required": ["sum"] });
    let result = match sent["method"].as_str().unwrap_or_default() {
        "initialize" => json!({
            "protocolVersion": if path == "future" { "2999-01-01" } else { "2025-06-18" },
            "capabilities": { "tools": {}, "resources": {}, "prompts": {} },
            "serverInfo": { "name": "scripted", "version": "1" },
            "instructions": "Add with care.",
        }),
        "tools/list" if params["cursor"] == "2" => {
            json!({ "tools": [{ "name": "second.page", "inputSchema": { "type": "object" } }, { "no": "name" }] })
        }
        "tools/list" => json!({ "nextCursor": "2", "tools": [
            { "name": "add", "description": "Adds", "outputSchema": output, "inputSchema": { "type": "object",
              "properties": { "a": { "type": "number" }, "b": { "type": "number" } }, "required": ["a", "b"] } },
            { "name": "wait", "inputSchema": { "type": "object" } },
            { "name": "wrong", "outputSchema": output, "inputSchema": {} },
        ] }),
        "resources/list" => json!({ "resources": [{ "uri": "a://b", "name": "b" }] }),
        "resources/read" => {
            json!({ "contents": [{ "uri": params["uri"], "text": format!("the words of {}", params["uri"].as_str().unwrap_or("?")) }] })
        }
        "prompts/list" => json!({ "prompts": [{ "name": "greet" }] }),
        "prompts/get" => {
            json!({ "messages": [{ "role": "user", "content": { "type": "text", "text": format!("Greet {}", params["arguments"]["who"].as_str().unwrap_or("?")) } }] })
        }
        "tools/call" if params["name"] == "wrong" => json!({ "content": [], "structuredContent": { "sum": "much" } }),
        "tools/call" => {
            let sum = params["arguments"]["a"].as_i64().unwrap_or(0) + params["arguments"]["b"].as_i64().unwrap_or(0);
            json!({ "content": [{ "type": "text", "text": sum.to_string() }], "structuredContent": { "sum": sum } })
        }
        _ => {
            return json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "there is no such method" } });
        }
    };
    json!({ "jsonrpc": "2.0", "id": id, "result": result })
}
