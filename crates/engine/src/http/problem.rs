//! What goes wrong with one request, as an error object of the OpenAI dialect. Why the worker itself ends is `error.rs`.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

/// A request that gets no answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Problem {
    Unauthorized,
    NoSuchRoute {
        path: String,
    },
    WrongMethod,
    Loading {
        progress: f32,
    },
    Busy,
    Gone,
    TooLarge,
    Unreadable {
        why: String,
    },
    Invalid {
        parameter: &'static str,
        why: String,
    },
    TooLong {
        prompt: usize,
        context: u32,
    },
    TextTooLong {
        text: String,
        tokens: usize,
        context: u32,
    },
    /// Another kind of model is needed.
    OtherModel {
        needs: &'static str,
    },
    Template {
        why: String,
    },
    NoSuchModel {
        name: String,
    },
    NoSuchAdapter {
        name: String,
    },
    AdapterExists {
        name: String,
    },
    AdapterInUse {
        name: String,
        requests: u32,
    },
    AdapterRefused {
        why: String,
    },
    NoRoomToPin {
        why: String,
    },
    NoSuchPrefix {
        id: String,
    },
    Failed {
        why: String,
    },
}

impl Problem {
    pub(super) fn invalid(parameter: &'static str, why: impl Into<String>) -> Self {
        Problem::Invalid { parameter, why: why.into() }
    }

    fn facts(&self) -> (StatusCode, &'static str, &'static str) {
        const INVALID: &str = "invalid_request_error";
        match self {
            Problem::Unauthorized => (StatusCode::UNAUTHORIZED, INVALID, "invalid_api_key"),
            Problem::NoSuchRoute { .. } => (StatusCode::NOT_FOUND, INVALID, "unknown_url"),
            Problem::WrongMethod => (StatusCode::METHOD_NOT_ALLOWED, INVALID, "method_not_allowed"),
            Problem::Loading { .. } => (StatusCode::SERVICE_UNAVAILABLE, "server_error", "model_loading"),
            Problem::Busy => (StatusCode::TOO_MANY_REQUESTS, "server_error", "queue_full"),
            Problem::Gone => (StatusCode::SERVICE_UNAVAILABLE, "server_error", "engine_stopped"),
            Problem::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, INVALID, "request_too_large"),
            Problem::Unreadable { .. } => (StatusCode::BAD_REQUEST, INVALID, "invalid_json"),
            Problem::Invalid { .. } => (StatusCode::BAD_REQUEST, INVALID, "invalid_value"),
            Problem::TooLong { .. } | Problem::TextTooLong { .. } => {
                (StatusCode::BAD_REQUEST, INVALID, "context_length_exceeded")
            }
            Problem::OtherModel { .. } => (StatusCode::BAD_REQUEST, INVALID, "wrong_kind_of_model"),
            Problem::Template { .. } => (StatusCode::BAD_REQUEST, INVALID, "chat_template_refused"),
            Problem::NoSuchModel { .. } => (StatusCode::NOT_FOUND, INVALID, "model_not_found"),
            Problem::NoSuchAdapter { .. } => (StatusCode::NOT_FOUND, INVALID, "adapter_not_found"),
            Problem::AdapterExists { .. } => (StatusCode::CONFLICT, INVALID, "adapter_exists"),
            Problem::AdapterInUse { .. } => (StatusCode::CONFLICT, INVALID, "adapter_in_use"),
            Problem::AdapterRefused { .. } => (StatusCode::BAD_REQUEST, INVALID, "adapter_refused"),
            Problem::NoRoomToPin { .. } => (StatusCode::CONFLICT, INVALID, "no_room_to_pin"),
            Problem::NoSuchPrefix { .. } => (StatusCode::NOT_FOUND, INVALID, "no_such_prefix"),
            Problem::Failed { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", "inference_failed"),
        }
    }

    fn sentence(&self) -> String {
        match self {
            Problem::Unauthorized => "the key is missing or wrong (header Authorization: Bearer KEY)".into(),
            Problem::NoSuchRoute { path } => format!("there is nothing at {path}"),
            Problem::WrongMethod => "this address does not take that method".into(),
            Problem::Loading { progress } => format!("the model is still loading ({:.0} %)", progress * 100.0),
            Problem::Busy => "too many requests are waiting for the model".into(),
            Problem::Gone => "the engine is stopping".into(),
            Problem::TooLarge => "the request is larger than 32 MiB".into(),
            Problem::Unreadable { why } => format!("the request cannot be read: {why}"),
            Problem::Invalid { parameter, why } => format!("{parameter} {why}"),
            Problem::TooLong { prompt, context } => format!(
                "the prompt has {prompt} tokens and the context of this model is {context}, of which the answer needs at least one"
            ),
            Problem::TextTooLong { text, tokens, context } => {
                format!("{text} has {tokens} tokens and this model reads at most {context}")
            }
            Problem::OtherModel { needs } => (*needs).into(),
            Problem::NoSuchModel { name } => format!("there is no model {name} here; /v1/models lists those that are"),
            Problem::NoSuchAdapter { name } => format!("there is no adapter {name}"),
            Problem::AdapterExists { name } => {
                format!("there is an adapter {name} already (replace: true puts this one in its place)")
            }
            Problem::AdapterInUse { name, requests } => {
                format!("{requests} requests want the adapter {name} (?wait=true lets them come to their end)")
            }
            Problem::NoSuchPrefix { id } => format!("no prefix {id} is pinned"),
            Problem::Template { why }
            | Problem::NoRoomToPin { why }
            | Problem::AdapterRefused { why }
            | Problem::Failed { why } => why.clone(),
        }
    }

    /// The error object, as it stands in a body or in an event of a stream that has begun.
    pub(super) fn body(&self) -> Value {
        let (_, kind, code) = self.facts();
        let parameter = match self {
            Problem::Invalid { parameter, .. } => Some(*parameter),
            Problem::OtherModel { .. } => Some("model"),
            _ => None,
        };
        json!({"error": {"message": self.sentence(), "type": kind, "param": parameter, "code": code}})
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, ..) = self.facts();
        let mut response = (status, Json(self.body())).into_response();
        if matches!(self, Problem::Loading { .. } | Problem::Busy) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
