//! A request on its way out and what became of it, in any dialect: the headers every one carries, and failures that have no
//! dialect. What a body says is the adapters' to read.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::{Batch, ModelError, TimedOut};
use egress::{Egress, Error};
use futures_core::Stream;
use http::header::{HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Full;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Instant, timeout_at};

use super::clocks::{Clocks, collect};
use crate::Key;

/// How long a back end may take to say what it offers, or what it did not like.
pub(super) const PROBE: Duration = Duration::from_secs(5);
const LONGEST_REFUSAL: usize = 64 << 10;

/// The way to one back end: the client, and what every request to it carries.
pub(super) struct Line {
    egress: Arc<Egress>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Line {
    pub(super) fn new(egress: Arc<Egress>, headers: Vec<(HeaderName, HeaderValue)>) -> Line {
        Line { egress, headers }
    }

    /// Seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.egress.now().0 / 1_000
    }

    /// The head of an answer, whatever its status.
    pub(super) async fn send(
        &self,
        mut request: Request<Full<Bytes>>,
        clocks: &Clocks,
        url: &str,
    ) -> Result<Response<egress::Body>, ModelError> {
        for (name, value) in &self.headers {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        match timeout_at(clocks.first_deadline(), self.egress.request(request)).await {
            Ok(answer) => answer.map_err(unsent),
            Err(_) => Err(clocks.ran_out(url)),
        }
    }
}

/// A header that holds a key: `name: BEFORE KEY`.
pub(super) fn secret(
    name: HeaderName,
    before: &str,
    key: Option<&Key>,
) -> Result<Option<(HeaderName, HeaderValue)>, String> {
    let Some(key) = key else { return Ok(None) };
    let mut value = HeaderValue::try_from(format!("{before}{}", key.reveal()))
        .map_err(|_| "the key holds characters that cannot be sent".to_owned())?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

/// A request that got no answer.
pub(super) fn unsent(error: Error) -> ModelError {
    match error {
        Error::Forbidden { url, reason } => ModelError::Forbidden { url, reason },
        Error::ConnectTimeout { url, after } => ModelError::TimedOut { url, clock: TimedOut::Connect, after },
        Error::Cut { url, .. } => ModelError::Cut { url },
        Error::Unreachable { url, reason } | Error::BadUrl { url, reason } => ModelError::Unreachable { url, reason },
        Error::Certificates { file, reason } => ModelError::Unreachable { url: file, reason },
        Error::BadRule { rule } => ModelError::Forbidden { reason: rule.clone(), url: rule },
    }
}

/// The body of a refusal; empty where it does not come in time.
pub(super) async fn refusal(body: egress::Body, url: &str) -> Bytes {
    let clocks = Clocks::until(Instant::now() + PROBE, TimedOut::Idle);
    collect(body, LONGEST_REFUSAL, &clocks, url).await.unwrap_or_default()
}

/// What a status means where nobody says anything.
pub(super) fn words(status: StatusCode) -> String {
    format!("it answered {status}")
}

/// An address that sends us elsewhere.
pub(super) fn redirected(headers: &HeaderMap, url: &str) -> ModelError {
    let to = headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
    let reason = format!("it redirects to {to}, which is not followed; give that address");
    ModelError::Garbled { url: url.to_owned(), reason }
}

/// `retry-after-ms` as OpenAI sends it, or `Retry-After` in seconds. A date is passed over: clocks of two machines differ.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<f64>().ok();
    if let Some(ms) = number("retry-after-ms") {
        return Duration::try_from_secs_f64(ms / 1_000.0).ok();
    }
    number(RETRY_AFTER.as_str()).and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// A request that the dialect has no words for.
pub(super) fn rejected(code: &str, message: impl Into<String>) -> ModelError {
    ModelError::Rejected { status: 400, code: Some(code.to_owned()), message: message.into(), body: None }
}

/// A stream of one batch.
pub(super) struct Once(pub(super) Option<Batch>);

impl Stream for Once {
    type Item = Result<Batch, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}
