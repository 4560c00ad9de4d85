//! The OpenAI door: `/v1/chat/completions`, `/v1/completions`, `/v1/models`, by API key. It takes the same line as the portal,
//! so nothing passes unadmitted, unmetered or unaudited; errors are that dialect's error objects.

pub(crate) mod completions;
pub(crate) mod files;
pub(crate) mod listing;
pub(crate) mod models;
pub(crate) mod tasks;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::{Bytes, BytesMut};
use serde_json::json;

use crate::Problem;

/// A problem as this dialect tells it. An upstream's own error object goes through as it came.
#[derive(Debug)]
pub(crate) struct DialectProblem(pub(crate) Problem);

impl<E: Into<Problem>> From<E> for DialectProblem {
    fn from(error: E) -> Self {
        DialectProblem(error.into())
    }
}

impl IntoResponse for DialectProblem {
    fn into_response(self) -> Response {
        let problem = self.0;
        metrics::counter!("portico_refusals_total", "code" => problem.code).increment(1);
        match &problem.upstream {
            Some(body) => problem.respond("application/json", body.clone()),
            None => problem.respond("application/json", error_object(&problem).to_string()),
        }
    }
}

/// `{"error": {message, type, code, param}}`
pub(crate) fn error_object(problem: &Problem) -> serde_json::Value {
    let kind = match problem.status {
        StatusCode::UNAUTHORIZED => "authentication_error",
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_client_error() => "invalid_request_error",
        _ => "server_error",
    };
    let param = problem.params.get("field");
    let mut error = json!({ "message": problem.message, "type": kind, "code": problem.code, "param": param });
    // Ours: when a spent budget comes back. Clients of the dialect pass over fields they do not know.
    if let Some(at) = problem.params.get("resets_at").filter(|at| !at.is_null()) {
        error["resets_at"] = at.clone();
    }
    json!({ "error": error })
}

/// The last event of a stream that broke off.
pub(crate) fn error_event(problem: &Problem) -> Bytes {
    let mut bytes = BytesMut::from(&b"data: "[..]);
    bytes.extend_from_slice(error_object(problem).to_string().as_bytes());
    bytes.extend_from_slice(b"\n\n");
    bytes.freeze()
}

/// A body that cannot be meant.
pub(crate) fn refused(error: openai::Error) -> Problem {
    match error {
        openai::Error::Invalid { ref field, .. } => Problem::wrong(field, error.to_string()),
        other => Problem::new(StatusCode::BAD_REQUEST, "invalid_json", format!("the body is not valid JSON: {other}")),
    }
}
