//! What went wrong, told apart in words: every vendor's refusals as one [`ModelError`].

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use domain::ModelError;
use http::{HeaderMap, Response, StatusCode};
use openai::Fault;

use crate::providers::wire::{self, words};

/// An address where no OpenAI interface is.
pub(in crate::providers) fn nothing_there(url: &str) -> ModelError {
    let reason = "there is no OpenAI-compatible interface at this address; check the path".to_owned();
    ModelError::Garbled { url: url.to_owned(), reason }
}

/// An answer whose status is not 200.
pub(in crate::providers) async fn read(answer: Response<egress::Body>, url: &str, model: &str) -> ModelError {
    let (head, body) = answer.into_parts();
    let body = wire::refusal(body, url).await;
    sort(head.status, &head.headers, body, url, model)
}

fn sort(status: StatusCode, headers: &HeaderMap, body: Bytes, url: &str, model: &str) -> ModelError {
    let (url, model, number) = (url.to_owned(), model.to_owned(), status.as_u16());
    let said = Said::read(&body, status);
    let retry_after = wire::retry_after(headers).or(said.wait);
    if said.loading && (number == 503 || number == 500 || number == 425) {
        return ModelError::Loading { model, retry_after };
    }
    match number {
        401 | 403 => ModelError::Refused { url, status: number },
        // Our engine's word for an address that it does not have: the model is there, and this is not among what it does.
        404 if said.code.as_deref() == Some("unknown_url") => {
            let message = format!("the server of this model does not offer this: {}", said.message);
            ModelError::Rejected { status: number, code: said.code, message, body: None }
        }
        404 if said.in_dialect => ModelError::NoSuchModel { url, model },
        404 | 405 => nothing_there(&url),
        429 => ModelError::OverLimit { url, message: said.message, retry_after, body: Some(body) },
        300..=399 => wire::redirected(headers, &url),
        408 | 425 | 500.. => ModelError::Broken { status: Some(number), message: said.message, retry_after },
        400..=499 => ModelError::Rejected { status: number, code: said.code, message: said.message, body: Some(body) },
        _ => ModelError::Garbled { url, reason: format!("it answered {status}") },
    }
}

/// An error that came in place of an answer, inside a 200.
pub(super) fn inside(fault: &Fault<'_>, model: &str) -> ModelError {
    let said = Said::of(fault, None);
    let status = fault.status.unwrap_or(0);
    if said.loading && matches!(status, 0 | 503) {
        return ModelError::Loading { model: model.to_owned(), retry_after: None };
    }
    match status {
        400 | 413 | 422 => ModelError::Rejected { status, code: said.code, message: said.message, body: None },
        _ => ModelError::Broken { status: None, message: said.message, retry_after: None },
    }
}

/// The words of a refusal.
struct Said {
    message: String,
    code: Option<String>,
    loading: bool,
    /// Whether it was an error object, not some web server's page.
    in_dialect: bool,
    /// Hugging Face's `estimated_time`.
    wait: Option<Duration>,
}

impl Said {
    fn read(body: &[u8], status: StatusCode) -> Said {
        #[derive(serde::Deserialize)]
        struct Loose<'a> {
            #[serde(borrow, default)]
            message: Option<Cow<'a, str>>,
            #[serde(default)]
            detail: Option<serde_json::Value>,
            #[serde(default)]
            code: Option<serde_json::Value>,
            #[serde(default)]
            estimated_time: Option<f64>,
        }
        let loose: Option<Loose<'_>> = serde_json::from_slice(body).ok();
        if let Some(fault) = openai::parse_chunk(body).ok().as_ref().and_then(|chunk| chunk.fault()) {
            let wait = loose.and_then(|loose| loose.estimated_time).and_then(|s| Duration::try_from_secs_f64(s).ok());
            return Said { wait, ..Said::of(fault, Some(status)) };
        }
        let Some(loose) = loose else {
            let code = None;
            return Said { message: words(status), code, loading: false, in_dialect: false, wait: None };
        };
        // FastAPI says `detail`, vLLM before 0.10 and some others say `message` without an `error` around it.
        let detail = loose.detail.map(|detail| detail.as_str().map_or_else(|| detail.to_string(), str::to_owned));
        let in_dialect = loose.message.is_some();
        let message = loose.message.map(Cow::into_owned).or(detail).unwrap_or_else(|| words(status));
        let code = loose.code.and_then(|code| code.as_str().map(str::to_owned));
        let fault = Fault { message: message.into(), code: code.map(Cow::Owned), ..Fault::default() };
        Said { in_dialect, ..Said::of(&fault, Some(status)) }
    }

    fn of(fault: &Fault<'_>, status: Option<StatusCode>) -> Said {
        let lower = fault.message.to_lowercase();
        let code = fault.code.as_deref();
        let kind = fault.kind.as_deref();
        let loading =
            code == Some("model_loading") || lower.contains("loading") || lower.contains("model is not ready");
        let too_long = code == Some("context_length_exceeded")
            || kind == Some("exceed_context_size_error")
            || lower.contains("maximum context length")
            || lower.contains("context window");
        let message: String = match fault.message.trim() {
            "" => status.map_or_else(|| "it gave no reason".to_owned(), words),
            said => said.chars().take(600).collect(),
        };
        let code = if too_long { Some("context_length_exceeded") } else { code };
        Said { message, code: code.map(str::to_owned), loading, in_dialect: true, wait: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn not_found(code: &str) -> ModelError {
        let body = format!(r#"{{"error":{{"message":"there is nothing at /v1/embeddings","code":{code}}}}}"#);
        sort(StatusCode::NOT_FOUND, &HeaderMap::new(), Bytes::from(body), "http://engine/v1", "m")
    }

    #[test]
    fn an_address_that_the_engine_lacks_is_no_missing_model() {
        assert_eq!(not_found("\"unknown_url\"").code(), "request_rejected");
        let ModelError::Rejected { status, code, .. } = not_found("\"unknown_url\"") else { unreachable!() };
        assert_eq!((status, code.as_deref()), (404, Some("unknown_url")));
        assert_eq!(not_found("\"model_not_found\"").code(), "model_not_found");
        assert_eq!(not_found("null").code(), "model_not_found");
    }
}
