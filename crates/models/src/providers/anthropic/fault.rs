//! Anthropic's refusals as one [`ModelError`] (<https://platform.claude.com/docs/en/api/errors>): by status before an answer, by
//! `error.type` inside one.

use bytes::Bytes;
use domain::ModelError;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;

use crate::providers::wire;

/// An error object.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fault {
    #[serde(rename = "type")]
    kind: String,
    message: String,
}

#[derive(Deserialize)]
struct Body {
    error: Fault,
}

/// An address where Anthropic's interface is not.
pub(super) fn nothing_there(url: &str) -> ModelError {
    let reason = "there is no Anthropic-compatible interface at this address; check the path".to_owned();
    ModelError::Garbled { url: url.to_owned(), reason }
}

/// An answer whose status is not 200. Its body is kept for a client of the same dialect.
pub(super) async fn read(answer: Response<egress::Body>, url: &str, model: &str, keeps: bool) -> ModelError {
    let (head, body) = answer.into_parts();
    let body = wire::refusal(body, url).await;
    sort(head.status, &head.headers, body, url, model, keeps)
}

fn sort(status: StatusCode, headers: &HeaderMap, body: Bytes, url: &str, model: &str, keeps: bool) -> ModelError {
    let fault = serde_json::from_slice::<Body>(&body).ok().map(|body| body.error);
    let retry_after = wire::retry_after(headers);
    let (in_dialect, fault) = (fault.is_some(), fault.unwrap_or_default());
    let message = said(&fault, &wire::words(status));
    let (url, body) = (url.to_owned(), Some(body).filter(|_| keeps));
    match status.as_u16() {
        number @ (401..=403) => ModelError::Refused { url, status: number },
        404 if in_dialect => ModelError::NoSuchModel { url, model: model.to_owned() },
        404 | 405 => nothing_there(&url),
        429 => ModelError::OverLimit { url, message, retry_after, body },
        300..=399 => wire::redirected(headers, &url),
        number @ (408 | 500..) => ModelError::Broken { status: Some(number), message, retry_after },
        number @ 400..=499 => {
            let code = code(&fault);
            ModelError::Rejected { status: number, code, message, body }
        }
        _ => ModelError::Garbled { url, reason: message },
    }
}

/// An error that came in place of an answer, or in the middle of one.
pub(super) fn inside(fault: &Fault, url: &str, model: &str) -> ModelError {
    let message = said(fault, "it gave no reason");
    let url = url.to_owned();
    match fault.kind.as_str() {
        "authentication_error" | "permission_error" => ModelError::Refused { url, status: 403 },
        "billing_error" => ModelError::Refused { url, status: 402 },
        "not_found_error" => ModelError::NoSuchModel { url, model: model.to_owned() },
        "rate_limit_error" => ModelError::OverLimit { url, message, retry_after: None, body: None },
        "invalid_request_error" | "request_too_large" => {
            let status = if fault.kind == "request_too_large" { 413 } else { 400 };
            ModelError::Rejected { status, code: code(fault), message, body: None }
        }
        _ => ModelError::Broken { status: None, message, retry_after: None },
    }
}

fn code(fault: &Fault) -> Option<String> {
    // The reference promises a type for it and no more; these are the sentences that are sent.
    let lower = fault.message.to_lowercase();
    if lower.contains("prompt is too long") || lower.contains("context limit") || lower.contains("context window") {
        return Some("context_length_exceeded".to_owned());
    }
    Some(fault.kind.clone()).filter(|kind| !kind.is_empty())
}

fn said(fault: &Fault, otherwise: &str) -> String {
    match fault.message.trim() {
        "" => otherwise.to_owned(),
        message => message.chars().take(600).collect(),
    }
}
