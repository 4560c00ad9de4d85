//! The Anthropic door: `/v1/messages` and its count of tokens, by API key. It takes the same line as every other door. What
//! came is read as OpenAI's dialect (`anthropic/request.rs`), kept beside it for a model that speaks Anthropic's own, and
//! answered in Anthropic's (`anthropic/voice.rs`).

mod request;
mod voice;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::{ClientBody, Dialect, Task, Tokens, Wire};
use serde_json::{Value, json};

use crate::door::{self, Guest};
use crate::openai::refused;
use crate::{Problem, Server};

/// A problem as this dialect tells it.
#[derive(Debug)]
pub(crate) struct AnthropicProblem(Problem);

impl<E: Into<Problem>> From<E> for AnthropicProblem {
    fn from(error: E) -> Self {
        AnthropicProblem(error.into())
    }
}

impl IntoResponse for AnthropicProblem {
    fn into_response(self) -> Response {
        metrics::counter!("portico_refusals_total", "code" => self.0.code).increment(1);
        self.0.respond("application/json", error_object(&self.0).to_string())
    }
}

/// `{"type": "error", "error": {type, message}}`; `code` is ours.
fn error_object(problem: &Problem) -> Value {
    let kind = match problem.status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::NOT_FOUND => "not_found_error",
        StatusCode::PAYLOAD_TOO_LARGE => "request_too_large",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        StatusCode::SERVICE_UNAVAILABLE => "overloaded_error",
        StatusCode::GATEWAY_TIMEOUT => "timeout_error",
        status if status.is_client_error() => "invalid_request_error",
        _ => "api_error",
    };
    json!({ "type": "error", "error": { "type": kind, "message": problem.message, "code": problem.code } })
}

pub(crate) async fn messages(State(server): State<Server>, request: Request) -> Response {
    let id = door::request_id(&request);
    let answer = answer(server, request).await.map_err(AnthropicProblem);
    let mut response = door::named(answer.into_response(), id);
    // The name under which this dialect's clients look for it.
    if let Some(id) = response.headers().get("x-request-id").cloned() {
        response.headers_mut().insert(HeaderName::from_static("request-id"), id);
    }
    response
}

async fn answer(server: Server, request: Request) -> Result<Response, Problem> {
    let guest = Guest::of(&server, request.headers(), request.extensions())?;
    let original = crate::portal::body::read(request.into_body(), server.doors.body_limit()).await?;
    let read = request::read(&original, true)?;
    let bytes = Bytes::from(read.body.to_string());
    let scan = openai::scan(&bytes).map_err(refused)?;
    let (model, prompt_tokens) = (scan.model.as_ref().to_owned(), scan.prompt_tokens);
    let asked = door::Asked {
        model: model.clone(),
        door: "anthropic.messages",
        task: Task::Chat,
        stream: scan.stream,
        prompt_tokens,
        max_tokens: scan.max_tokens.map(Tokens),
        body: ClientBody {
            original: Some(Wire { dialect: Dialect::Anthropic, bytes: original }),
            ..ClientBody::json(bytes.clone(), false)
        },
    };
    door::answer(&server, guest, asked, voice::Anthropic::new(model, prompt_tokens)).await
}

/// An estimate, by the rule that requests are held with: no model is asked.
pub(crate) async fn count(State(server): State<Server>, request: Request) -> Result<Json<Value>, AnthropicProblem> {
    Guest::of(&server, request.headers(), request.extensions())?;
    let original = crate::portal::body::read(request.into_body(), server.doors.body_limit()).await?;
    let read = request::read(&original, false)?;
    let bytes = read.body.to_string();
    let scan = openai::scan(bytes.as_bytes()).map_err(refused)?;
    Ok(Json(json!({ "input_tokens": scan.prompt_tokens.0.max(1) })))
}
