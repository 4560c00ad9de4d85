//! The responses door: `/v1/responses`, by API key. It takes the same line as every other door. What came is read as a chat
//! request (`responses/request.rs`, its items in `items.rs`), with what was said before where it goes on from a stored response,
//! and answered as one response or its typed events (`voice.rs`, with the items of an answer in `output.rs`). Files that it names
//! are read in `attached.rs`; what was stored is found in `kept.rs`.

mod attached;
mod items;
pub(crate) mod kept;
mod output;
mod request;
mod voice;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use domain::{Caller, ClientBody, Task, Tokens, TurnId};
use serde_json::Value;

use crate::door::{self, Guest};
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
    let attached = attached::read(&server, &guest.holder.caller, before.iter().chain(&read.items)).await?;
    let body = read.body(&before, &attached)?;
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
            return Err(Problem::wrong("previous_response_id", message));
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
