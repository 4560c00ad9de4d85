//! Responses that were stored: read, their items listed, deleted, by their person alone.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::{Extensions, HeaderMap, StatusCode};
use domain::{Caller, TurnId};
use serde::Deserialize;
use serde_json::{Value, json};
use store::ResponseRow;

use super::items::kind;
use super::request;
use crate::key::keyholder;
use crate::openai::{DialectProblem, listing};
use crate::portal::body::Query;
use crate::{Problem, Server};

pub(crate) async fn read(
    State(server): State<Server>,
    headers: HeaderMap,
    extensions: Extensions,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, DialectProblem> {
    let caller = keyholder(&server, &headers, &extensions)?.caller;
    if query.as_deref().unwrap_or_default().split('&').any(|pair| pair == "stream=true") {
        let message = "stream: a stored response is not told again as a stream; ask for it without";
        return Err(Problem::wrong("stream", message).into());
    }
    Ok(Json(find(&server, &caller, &id).await?.body))
}

async fn find(server: &Server, caller: &Caller, id: &str) -> Result<ResponseRow, Problem> {
    let found = match request::turn_of(id) {
        Some(turn) => server.store.response(caller, turn).await?,
        None => None,
    };
    found.ok_or_else(|| request::no_such_response("response_id", id))
}

/// How items are listed.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    after: Option<String>,
    limit: Option<u32>,
    order: Option<String>,
}

/// What was asked in the request of a response, without what it went on from.
pub(crate) async fn items(
    State(server): State<Server>,
    headers: HeaderMap,
    extensions: Extensions,
    Path(id): Path<String>,
    query: Result<Query<Asked>, Problem>,
) -> Result<Json<Value>, DialectProblem> {
    let caller = keyholder(&server, &headers, &extensions)?.caller;
    let Query(asked) = query?;
    let limit = listing::limit(asked.limit, 20, 100)? as usize;
    let newest_first = listing::newest_first(asked.order.as_deref())?;
    let row = find(&server, &caller, &id).await?;
    let mut all: Vec<Value> = row.items.iter().enumerate().map(|(at, item)| listed(row.id, at, item)).collect();
    if newest_first {
        all.reverse();
    }
    if let Some(after) = asked.after {
        let at = all.iter().position(|item| item["id"] == after.as_str());
        let at = at.ok_or_else(|| Problem::wrong("after", "after: there is no such item in this response"))?;
        all.drain(..=at);
    }
    let more = all.len() > limit;
    all.truncate(limit);
    Ok(Json(listing::framed(&all, more)))
}

/// An item as a list has it: with an id, and with what its sender may leave out.
fn listed(turn: TurnId, at: usize, item: &Value) -> Value {
    let mut item = item.clone();
    let set = |item: &mut Value, name: &str, value: Value| {
        if item[name].is_null() {
            item[name] = value;
        }
    };
    let (named, answers) = match kind(&item) {
        "" | "message" => ("message", item["role"] == "assistant"),
        "function_call" => ("function_call", false),
        "function_call_output" => ("function_call_output", false),
        _ => ("reasoning", false),
    };
    item["type"] = named.into();
    let prefix = match named {
        "function_call" => "fc",
        "function_call_output" => "fco",
        "reasoning" => "rs",
        _ => "msg",
    };
    set(&mut item, "id", format!("{prefix}_{turn}_in{at}").into());
    if named == "reasoning" {
        set(&mut item, "summary", json!([]));
        return item;
    }
    set(&mut item, "status", "completed".into());
    if named != "message" {
        return item;
    }
    if let Some(text) = item["content"].as_str() {
        let part = if answers { "output_text" } else { "input_text" };
        item["content"] = json!([{ "type": part, "text": text }]);
    }
    for part in item["content"].as_array_mut().into_iter().flatten() {
        match kind(part) {
            "output_text" => set(part, "annotations", json!([])),
            "input_image" => set(part, "detail", "auto".into()),
            _ => {}
        }
    }
    item
}

pub(crate) async fn delete(
    State(server): State<Server>,
    headers: HeaderMap,
    extensions: Extensions,
    Path(id): Path<String>,
) -> Result<Json<Value>, DialectProblem> {
    let caller = keyholder(&server, &headers, &extensions)?.caller;
    let none = || request::no_such_response("response_id", &id);
    let turn = request::turn_of(&id).ok_or_else(none)?;
    match server.store.delete_response(&caller, turn).await {
        Err(store::Error::NotFound { .. }) => Err(none().into()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(Json(json!({ "id": id, "object": "response", "deleted": true }))),
    }
}

/// Nothing is made in the background here, so there is nothing to cancel: whoever hangs up ends their response.
pub(crate) async fn cancel(
    State(server): State<Server>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Json<Value>, DialectProblem> {
    keyholder(&server, &headers, &extensions)?;
    let message = "responses are not made in the background here; end a stream by hanging up";
    Err(Problem::new(StatusCode::BAD_REQUEST, "invalid_request", message).into())
}
