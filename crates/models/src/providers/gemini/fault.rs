//! Google's refusals as one [`ModelError`]: `google.rpc.Status` (<https://ai.google.dev/gemini-api/docs/troubleshooting>), by HTTP
//! status before an answer, by `error.code` inside one.

use std::time::Duration;

use bytes::Bytes;
use domain::ModelError;
use http::{HeaderMap, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use crate::providers::wire;

/// An error object.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Fault {
    /// The HTTP status again.
    code: u16,
    message: String,
    /// `INVALID_ARGUMENT`, `RESOURCE_EXHAUSTED` …
    status: String,
    /// `google.rpc.ErrorInfo`, `google.rpc.RetryInfo` …
    details: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Body {
    One {
        error: Fault,
    },
    /// A stream that is refused is answered with a list of one, unless it was asked for as events.
    Listed(Vec<Listed>),
}

#[derive(Deserialize)]
struct Listed {
    error: Fault,
}

/// An address where Google's interface is not.
pub(super) fn nothing_there(url: &str) -> ModelError {
    let reason = "there is no Gemini API at this address; check the path".to_owned();
    ModelError::Garbled { url: url.to_owned(), reason }
}

/// An answer whose status is not 200.
pub(super) async fn read(answer: Response<egress::Body>, url: &str, model: &str) -> ModelError {
    let (head, body) = answer.into_parts();
    let body = wire::refusal(body, url).await;
    match parse(&body) {
        Some(fault) => sort(head.status.as_u16(), &fault, wire::retry_after(&head.headers), url, model),
        None => unworded(head.status, &head.headers, url),
    }
}

fn parse(body: &Bytes) -> Option<Fault> {
    match serde_json::from_slice(body).ok()? {
        Body::One { error } => Some(error),
        Body::Listed(all) => all.into_iter().next().map(|one| one.error),
    }
}

/// What no words of Google's came with: a proxy's, or nobody's.
fn unworded(status: StatusCode, headers: &HeaderMap, url: &str) -> ModelError {
    let (message, retry_after) = (wire::words(status), wire::retry_after(headers));
    let url = url.to_owned();
    match status.as_u16() {
        300..=399 => wire::redirected(headers, &url),
        status @ (401..=403) => ModelError::Refused { url, status },
        404 | 405 => nothing_there(&url),
        429 => ModelError::OverLimit { url, message, retry_after, body: None },
        status @ (408 | 500..) => ModelError::Broken { status: Some(status), message, retry_after },
        status @ 400..=499 => ModelError::Rejected { status, code: None, message, body: None },
        _ => ModelError::Garbled { url, reason: message },
    }
}

/// An error that came in place of an answer, or in the middle of one.
pub(super) fn inside(fault: &Fault, url: &str, model: &str) -> ModelError {
    match sort(fault.code, fault, None, url, model) {
        // Its head had said 200.
        ModelError::Broken { message, retry_after, .. } => ModelError::Broken { status: None, message, retry_after },
        error => error,
    }
}

fn sort(status: u16, fault: &Fault, waits: Option<Duration>, url: &str, model: &str) -> ModelError {
    let message = match fault.message.trim() {
        "" => "it gave no reason".to_owned(),
        message => message.chars().take(600).collect(),
    };
    let (url, retry_after) = (url.to_owned(), waits.or(fault.retry_delay()));
    // A key that is none is an invalid argument, and so are an account and a country that are not served.
    if fault.is_about_the_key() || fault.status == "FAILED_PRECONDITION" {
        return ModelError::Refused { url, status: 403 };
    }
    match status {
        401..=403 => ModelError::Refused { url, status },
        404 => ModelError::NoSuchModel { url, model: model.to_owned() },
        429 => ModelError::OverLimit { url, message, retry_after, body: None },
        400..=499 if status != 408 => ModelError::Rejected { status, code: fault.word(), message, body: None },
        _ => ModelError::Broken { status: Some(status), message, retry_after },
    }
}

impl Fault {
    fn detail(&self, kind: &str) -> Option<&Value> {
        self.details.iter().find(|one| one["@type"].as_str().is_some_and(|name| name.ends_with(kind)))
    }

    fn is_about_the_key(&self) -> bool {
        let reason = self.detail("google.rpc.ErrorInfo").and_then(|info| info["reason"].as_str());
        reason.is_some_and(|reason| reason.starts_with("API_KEY_"))
    }

    /// `retryDelay`, a duration as JSON writes it: `"7s"`, `"0.5s"`.
    fn retry_delay(&self) -> Option<Duration> {
        let text = self.detail("google.rpc.RetryInfo")?["retryDelay"].as_str()?;
        Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
    }

    fn word(&self) -> Option<String> {
        // There is no code for it; this is the sentence that is sent.
        let lower = self.message.to_lowercase();
        if lower.contains("token count") && lower.contains("exceeds") {
            return Some("context_length_exceeded".to_owned());
        }
        Some(self.status.to_lowercase()).filter(|word| !word.is_empty())
    }
}
