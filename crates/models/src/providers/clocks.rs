//! The four clocks of one request, and a whole body read within them. Which of them runs is the reader's to say; the connect
//! clock is the way out's own.

use std::time::Duration;

use bytes::Bytes;
use domain::{ModelError, TimedOut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::{Instant, timeout_at};

use crate::Timeouts;

/// The longest answer in one piece, in bytes.
pub(super) const LONGEST_ANSWER: usize = 64 << 20;
/// The longest single event, in bytes: an image in a chunk may be large, an endless one is an attack.
pub(super) const LONGEST_EVENT: usize = 16 << 20;
/// How long is waited for usage and the end mark once the answer has ended.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(5);

/// The clocks of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) started: Instant,
    pub(super) first: Instant,
    pub(super) first_is: TimedOut,
    pub(super) idle: Duration,
    pub(super) total: Option<Instant>,
}

impl Clocks {
    pub(super) fn new(started: Instant, timeouts: &Timeouts, stream: bool) -> Self {
        let total = timeouts.total.map(|total| started + total);
        let (first, first_is) = match stream {
            true => (started + timeouts.first_token, TimedOut::FirstToken),
            false => (started + timeouts.plain, TimedOut::Total),
        };
        Clocks { started, first, first_is, idle: timeouts.idle, total }
    }

    /// One clock only.
    pub(super) fn until(deadline: Instant, which: TimedOut) -> Self {
        Clocks { started: Instant::now(), first: deadline, first_is: which, idle: Duration::ZERO, total: None }
    }

    /// When the first event must be there.
    pub(super) fn first_deadline(&self) -> Instant {
        self.total.map_or(self.first, |total| total.min(self.first))
    }

    /// The error of the clock that ran out before the first event.
    pub(super) fn ran_out(&self, url: &str) -> ModelError {
        let total = self.total.is_some_and(|total| total <= self.first);
        self.late(url, if total { TimedOut::Total } else { self.first_is })
    }

    pub(super) fn late(&self, url: &str, clock: TimedOut) -> ModelError {
        let after = if clock == TimedOut::Idle { self.idle } else { self.started.elapsed() };
        ModelError::TimedOut { url: url.to_owned(), clock, after }
    }
}

/// A whole body, within its clock and a limit of bytes.
pub(super) async fn collect(body: egress::Body, limit: usize, clocks: &Clocks, url: &str) -> Result<Bytes, ModelError> {
    match timeout_at(clocks.first_deadline(), Limited::new(body, limit).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(ModelError::Garbled { url: url.to_owned(), reason: format!("its answer is longer than {limit} bytes") })
        }
        Ok(Err(_)) => Err(ModelError::Cut { url: url.to_owned() }),
        Err(_) => Err(clocks.ran_out(url)),
    }
}
