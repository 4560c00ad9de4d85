//! Server-sent events on the way out: the headers that keep proxies from holding them back, and heartbeats while nothing
//! happens. Which events there are is the doors' business.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, Sleep, sleep};

/// Nothing is silent for longer: proxies and phones cut connections that are.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(10);

/// A comment line: it stands between events, is no event itself, and wakes no client.
const PING: Bytes = Bytes::from_static(b": ping\n");

/// Something that yields whole SSE events until it ends. `next` must be cancel safe: it is dropped at every heartbeat.
pub(crate) trait Frames: Send + 'static {
    /// The next bytes: whole events; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

/// A response that streams `frames`, with a heartbeat whenever they are silent for 10 s.
pub(crate) fn response(frames: impl Frames) -> Response {
    let body = stream::unfold((frames, Silence::new()), |(mut frames, mut silence)| async move {
        let bytes = tokio::select! {
            biased;
            bytes = frames.next() => bytes?,
            () = silence.lasted() => PING,
        };
        silence.broken();
        Some((Ok::<_, Infallible>(bytes), (frames, silence)))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// The clock of the heartbeat. One timer for the whole stream, moved only when it fires: to set one for every piece costs more
/// than to write the piece.
struct Silence {
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl Silence {
    fn new() -> Self {
        Silence { since: Instant::now(), timer: Box::pin(sleep(HEARTBEAT)) }
    }

    fn broken(&mut self) {
        self.since = Instant::now();
    }

    async fn lasted(&mut self) {
        loop {
            self.timer.as_mut().await;
            let (now, due) = (Instant::now(), self.since + HEARTBEAT);
            let silent = due <= now;
            self.timer.as_mut().reset(if silent { now + HEARTBEAT } else { due });
            if silent {
                return;
            }
        }
    }
}
