//! The one table from errors to (status, code, sentence). The portal gets it as `application/problem+json` (RFC 9457), the
//! OpenAI door as that dialect's error object; the code is also the metric label and the audit value.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::{ModelError, TimedOut};
use serde_json::{Map, Value, json};

/// An answer that says what went wrong and what to do.
#[derive(Debug, Clone)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// One word; the portal translates by it.
    pub code: &'static str,
    /// A sentence in English.
    pub message: String,
    /// What a translation needs, by name.
    pub params: Map<String, Value>,
    /// When to ask again.
    pub retry_after: Option<Duration>,
    /// The upstream's own error body, for a client of its dialect.
    pub upstream: Option<Bytes>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Problem { status, code, message: message.into(), params: Map::new(), retry_after: None, upstream: None }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn after(mut self, retry_after: Option<Duration>) -> Self {
        self.retry_after = retry_after;
        self
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Problem::new(StatusCode::NOT_FOUND, "not_found", format!("there is no such {what}")).with("what", what)
    }

    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Self {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", message).with("field", field)
    }

    /// A field of a program's request that cannot be meant. Unlike the portal's 422, 400 is what the dialects' clients know.
    pub(crate) fn wrong(field: &str, message: impl Into<String>) -> Self {
        Problem { status: StatusCode::BAD_REQUEST, ..Problem::invalid(field, message) }
    }

    pub(crate) fn unauthenticated() -> Self {
        Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", "sign in first")
    }

    pub(crate) fn forbidden() -> Self {
        Problem::new(StatusCode::FORBIDDEN, "forbidden", "this needs an administrator")
    }

    pub(crate) fn cross_origin() -> Self {
        let message = "this request came from another site; open Portico at the address it is served at \
                       (behind a proxy: pass Host and Origin on unchanged, or set public_url)";
        Problem::new(StatusCode::FORBIDDEN, "cross_origin", message)
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("the request is larger than {limit} bytes; send less, or raise limits.body_bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message).with("limit_bytes", limit)
    }

    /// As the portal reads it.
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({ "status": self.status.as_u16(), "code": self.code, "message": self.message });
        if !self.params.is_empty() {
            body["params"] = Value::Object(self.params.clone());
        }
        if let Some(after) = self.retry_after {
            body["retry_after"] = json!(after.as_secs().max(1));
        }
        body
    }

    /// A response with this status, the `Retry-After` header and a body.
    pub(crate) fn respond(&self, content_type: &'static str, body: impl Into<axum::body::Body>) -> Response {
        let mut response = Response::new(body.into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED && content_type == "application/json" {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        metrics::counter!("portico_refusals_total", "code" => self.code).increment(1);
        self.respond("application/problem+json", self.body().to_string())
    }
}

/// A fault of ours: logged with its source, told without it.
fn internal(error: &dyn std::error::Error) -> Problem {
    let mut chain = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        chain = format!("{chain}: {inner}");
        source = inner.source();
    }
    tracing::error!(error = %chain, "internal error");
    let message = "something went wrong inside Portico; the log has the details";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Problem {
        let message = error.to_string();
        match error {
            store::Error::Full => {
                let message = "the disk is full, so your message could not be stored and was not sent; \
                               free some space and send it again";
                Problem::new(StatusCode::INSUFFICIENT_STORAGE, "storage_full", message)
            }
            store::Error::NotFound { what } => Problem::not_found(what),
            store::Error::Conflict { .. } | store::Error::Duplicate { .. } => {
                Problem::new(StatusCode::CONFLICT, "conflict", message)
            }
            store::Error::Closed => Problem::from(chat::Error::Draining),
            store::Error::Busy | store::Error::Unreachable { .. } => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "storage_failed", message)
                    .after(Some(Duration::from_secs(2)))
            }
            error => internal(&error),
        }
    }
}

impl From<identity::Error> for Problem {
    fn from(error: identity::Error) -> Problem {
        let (code, message) = (error.code(), error.to_string());
        let status = match &error {
            identity::Error::WrongCredentials => StatusCode::UNAUTHORIZED,
            identity::Error::KeyUnknown | identity::Error::KeyExpired => StatusCode::UNAUTHORIZED,
            identity::Error::AddressNotAllowed { .. } => StatusCode::FORBIDDEN,
            identity::Error::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            identity::Error::LinkSpent => StatusCode::GONE,
            identity::Error::NameTaken { .. } | identity::Error::LastOwner => StatusCode::CONFLICT,
            identity::Error::Invalid { field, .. } => return Problem::invalid(field, message),
            identity::Error::Forbidden { .. } => StatusCode::FORBIDDEN,
            identity::Error::NotFound { what } => return Problem::not_found(what),
            identity::Error::Sealed => StatusCode::CONFLICT,
            identity::Error::NoRandomness { .. } | identity::Error::Hashing { .. } => return internal(&error),
            identity::Error::Store(error) => return error.clone().into(),
        };
        let problem = Problem::new(status, code, message);
        match error {
            identity::Error::Throttled { retry_after } => problem.after(Some(retry_after)),
            identity::Error::NameTaken { name } => problem.with("name", name),
            identity::Error::AddressNotAllowed { address } => problem.with("address", address.to_string()),
            _ => problem,
        }
    }
}

impl From<ledger::Error> for Problem {
    fn from(error: ledger::Error) -> Problem {
        let over = Problem::new(StatusCode::TOO_MANY_REQUESTS, error.code(), error.to_string());
        match error {
            ledger::Error::OverDailyLimit { limit, used, resets_at } => {
                over.with("limit", limit).with("used", used).with("resets_at", resets_at.0)
            }
            ledger::Error::OverKeyBudget { limit, used, resets_at } => {
                over.with("limit", limit).with("used", used).with("resets_at", resets_at.map(|at| at.0))
            }
            ledger::Error::OverKeyRate { limit, retry_after } => over.with("limit", limit).after(Some(retry_after)),
            ledger::Error::Store(error) => error.into(),
        }
    }
}

impl From<chat::Error> for Problem {
    fn from(error: chat::Error) -> Problem {
        let message = error.to_string();
        match error {
            chat::Error::TurnRunning { turn } => {
                Problem::new(StatusCode::CONFLICT, "turn_running", message).with("turn", turn.to_string())
            }
            chat::Error::NoModel => Problem::new(StatusCode::CONFLICT, "no_model", message),
            chat::Error::NoSuchModel { model } => {
                Problem::new(StatusCode::NOT_FOUND, "model_not_found", message).with("model", model)
            }
            chat::Error::ModelNotAllowed { model } => {
                Problem::new(StatusCode::FORBIDDEN, "model_not_allowed", message).with("model", model)
            }
            chat::Error::TaskNotAllowed => Problem::new(StatusCode::FORBIDDEN, "task_not_allowed", message),
            chat::Error::NotFound { what } => Problem::not_found(what),
            chat::Error::TooManyFiles { .. } => Problem::invalid("files", message),
            chat::Error::Unreadable { code, .. } => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, message),
            chat::Error::Batch { field, .. } => Problem::invalid(field, message),
            chat::Error::MayNotDecide => Problem::new(StatusCode::FORBIDDEN, "may_not_decide", message),
            chat::Error::Decided => Problem::new(StatusCode::CONFLICT, "already_decided", message),
            chat::Error::Empty => Problem::invalid("text", message),
            chat::Error::Draining => {
                Problem::new(StatusCode::SERVICE_UNAVAILABLE, "draining", message).after(Some(Duration::from_secs(2)))
            }
            chat::Error::Ledger(error) => error.into(),
            chat::Error::Store(error) => error.into(),
            chat::Error::Model(error) => error.into(),
        }
    }
}

impl From<ModelError> for Problem {
    fn from(error: ModelError) -> Problem {
        let (code, message) = (error.code(), error.to_string());
        let status = match &error {
            ModelError::Unreachable { .. } | ModelError::Cut { .. } | ModelError::Garbled { .. } => {
                StatusCode::BAD_GATEWAY
            }
            ModelError::Forbidden { .. } | ModelError::Refused { .. } => StatusCode::BAD_GATEWAY,
            ModelError::Loading { .. } | ModelError::Failed { .. } => StatusCode::SERVICE_UNAVAILABLE,
            ModelError::TimedOut { clock: TimedOut::Connect, .. } => StatusCode::BAD_GATEWAY,
            ModelError::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
            ModelError::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            ModelError::OverLimit { .. } => StatusCode::TOO_MANY_REQUESTS,
            ModelError::NoSuchModel { .. } => StatusCode::NOT_FOUND,
            ModelError::Rejected { status, .. } => StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST),
            // A real 5xx is passed on as what it was; an error event has no status of its own.
            ModelError::Broken { status, .. } => {
                status.and_then(|s| StatusCode::from_u16(s).ok()).unwrap_or(StatusCode::BAD_GATEWAY)
            }
        };
        let mut problem = Problem::new(status, code, message);
        match error {
            ModelError::Loading { retry_after, .. } | ModelError::Broken { retry_after, .. } => {
                problem.retry_after = retry_after
            }
            ModelError::Busy { retry_after, .. } => {
                problem.retry_after = Some(retry_after.unwrap_or(Duration::from_secs(1)))
            }
            ModelError::OverLimit { retry_after, body, .. } => {
                problem.retry_after = retry_after;
                problem.upstream = body;
            }
            ModelError::Rejected { body, code, .. } => {
                if code.as_deref() == Some("context_length_exceeded") {
                    problem.code = "context_length_exceeded";
                }
                problem.upstream = body;
            }
            _ => {}
        }
        problem
    }
}
