//! What a model is asked for besides words: vectors, ranks, speech and pictures as JSON, recordings as a form. The body goes on
//! as it came, but for the model's name, and so does the answer.

use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::{ClientBody, Task, Tokens};
use openai::Form;

use super::{DialectProblem, refused};
use crate::door::{self, Guest};
use crate::{Problem, Server};

pub(crate) async fn embeddings(State(server): State<Server>, request: Request) -> Response {
    take(server, request, Task::Embeddings, "openai.embeddings").await
}

pub(crate) async fn rerank(State(server): State<Server>, request: Request) -> Response {
    take(server, request, Task::Rerank, "openai.rerank").await
}

pub(crate) async fn transcription(State(server): State<Server>, request: Request) -> Response {
    take(server, request, Task::Transcription, "openai.transcription").await
}

pub(crate) async fn translation(State(server): State<Server>, request: Request) -> Response {
    take(server, request, Task::Translation, "openai.translation").await
}

pub(crate) async fn speech(State(server): State<Server>, request: Request) -> Response {
    take(server, request, Task::Speech, "openai.speech").await
}

pub(crate) async fn images(State(server): State<Server>, request: Request) -> Response {
    take(server, request, Task::Image, "openai.image").await
}

async fn take(server: Server, request: Request, task: Task, door: &'static str) -> Response {
    let id = door::request_id(&request);
    door::named(pass(server, request, task, door).await.into_response(), id)
}

async fn pass(server: Server, request: Request, task: Task, door: &'static str) -> Result<Response, DialectProblem> {
    let (head, body) = request.into_parts();
    let guest = Guest::of(&server, &head.headers, &head.extensions)?;
    let body = crate::portal::body::read(body, server.doors.body_limit()).await?;
    let asked = match task {
        Task::Transcription | Task::Translation => {
            let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            recording(task, door, kind, body)?
        }
        _ => {
            let scan = openai::scan_task(task, &body).map_err(refused)?;
            door::Asked {
                model: scan.model.as_ref().to_owned(),
                door,
                task,
                stream: scan.stream,
                prompt_tokens: scan.prompt_tokens,
                max_tokens: scan.max_tokens.map(Tokens),
                body: ClientBody::json(body.clone(), false),
            }
        }
    };
    Ok(door::raw(&server, guest, asked, task == Task::Speech).await?)
}

/// A recording costs what its model tells; nobody else can count its tokens.
fn recording(task: Task, door: &'static str, kind: &str, body: Bytes) -> Result<door::Asked, Problem> {
    let missing = |field: &str| Problem::wrong(field, format!("{field}: is missing"));
    let form = Form::read(kind, body.clone()).map_err(refused)?;
    let model = form.text("model").filter(|model| !model.is_empty()).ok_or_else(|| missing("model"))?;
    if form.part("file").is_none() {
        return Err(missing("file"));
    }
    let stream = form.text("stream").is_some_and(|stream| stream == "true");
    let body = ClientBody { bytes: body, content_type: Some(kind.to_owned()), original: None, wants_usage: false };
    Ok(door::Asked { model, door, task, stream, prompt_tokens: Tokens(0), max_tokens: Some(Tokens(0)), body })
}
