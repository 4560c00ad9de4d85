//! The responses door: `/v1/responses`, by API key. It takes the same line as every other door. What came is read as a chat
//! request (`responses/request.rs`, its items in `items.rs`), with what was said before where it goes on from a stored response,
//! and answered as one response or its typed events (`voice.rs`, with the items of an answer in `output.rs`).

mod items;
mod output;
mod request;
mod voice;

use axum::Json;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{Extensions, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::{Caller, ClientBody, Task, Tokens, TurnId};
use serde_json::{Value, json};

use crate::door::{self, Guest};
use crate::key::keyholder;
use crate::openai::{DialectProblem, refused};
use crate::{Problem, Server};

/// The most responses that one request goes on from.
const LONGEST_CHAIN: usize = 1_000;

pub(crate) async fn create(State(server): State<Server>, request: Request) -> Response {
    let id = door::request_id(&request);
    door::named(respond(server, request).await.map_err(DialectProblem).into_response(), id)
}

async fn respond(server: Server, request: Request) -> Result<Response, Problem> {
    let guest = Guest::of(&server, request.headers(), request.extensions())?;
    let body = crate::portal::body::read(request.into_body(), server.doors.body_limit()).await?;
    let read = request::read(&body)?;
    let before = match read.previous {
        Some(previous) => before(&server, &guest.holder.caller, previous).await?,
        None => Vec::new(),
    };
    let body = read.body(&before)?;
    let scan = openai::scan(&body).map_err(refused)?;
    let asked = door::Asked {
        model: scan.model.as_ref().to_owned(),
        door: "openai.responses",
        task: Task::Chat,
        stream: scan.stream,
        prompt_tokens: scan.prompt_tokens,
        max_tokens: scan.max_tokens.map(Tokens),
        body: ClientBody::json(body.clone(), false),
    };
    debug_assert_eq!(asked.stream, read.stream);
    let voice = voice::Responses::new(&server, guest.holder.caller, asked.model.clone(), read);
    door::answer(&server, guest, asked, voice).await
}

/// Everything that was said up to and with this response, in order. It is to be read by a model again, so it may not be larger
/// than a request.
async fn before(server: &Server, caller: &Caller, last: TurnId) -> Result<Vec<Value>, Problem> {
    let (mut told, mut bytes, mut next) = (Vec::new(), 0, Some(last));
    while let Some(id) = next {
        let name = || format!("resp_{id}");
        let row = server.store.response(caller, id).await?;
        let row = row.ok_or_else(|| request::no_such_response("previous_response_id", &name()))?;
        bytes += row.bytes;
        if bytes > server.doors.body_limit() {
            return Err(Problem::too_large(server.doors.body_limit()));
        }
        if told.len() >= LONGEST_CHAIN {
            let message = format!("previous_response_id: more than {LONGEST_CHAIN} responses stand before this one");
            return Err(request::wrong("previous_response_id", message));
        }
        next = row.previous;
        told.push(row);
    }
    let mut items = Vec::new();
    for mut row in told.into_iter().rev() {
        items.append(&mut row.items);
        if let Value::Array(mut output) = row.body["output"].take() {
            items.append(&mut output);
        }
    }
    Ok(items)
}

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
        return Err(request::wrong("stream", message).into());
    }
    let found = match request::turn_of(&id) {
        Some(turn) => server.store.response(&caller, turn).await?,
        None => None,
    };
    let row = found.ok_or_else(|| request::no_such_response("response_id", &id))?;
    Ok(Json(row.body))
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
