//! What a worker answers about pinned beginnings. They lie in a file, one a line, so that a test sees them, and the next life of the worker.

use bytes::Bytes;
use http::{Method, Response};
use serde_json::{Value, json};

use super::{Body, plain, reply};

/// `id` is what stands behind the address, where anything does.
pub(super) fn answer(file: &str, method: &Method, id: &str, body: &Bytes) -> Response<Body> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let mut pinned: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let answer = match *method {
        Method::GET => return reply(200, &json!({"object": "list", "data": pinned})),
        Method::PUT => {
            let asked: Value = serde_json::from_slice(body).expect("JSON");
            let id = format!("{:x}", asked.to_string().len());
            let new = !pinned.iter().any(|known| known["id"] == *id);
            if new {
                pinned.push(json!({"id": id, "asked": asked}));
            }
            reply(200, &json!({"object": "prefix", "id": id, "tokens": 100, "computed": if new { 100 } else { 0 }}))
        }
        Method::DELETE => {
            pinned.retain(|known| known["id"] != *id);
            plain(204, "")
        }
        _ => plain(405, "no"),
    };
    let lines: String = pinned.iter().map(|known| format!("{known}\n")).collect();
    std::fs::write(file, lines).expect("written");
    answer
}
