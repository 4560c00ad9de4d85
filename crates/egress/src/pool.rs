//! Connections to other machines, one exchange at a time on each, kept for a moment after it.
//!
//! A connection is driven by whoever waits for its answer, inside that task, and by nobody while it is idle. The usual client
//! gives each connection a task of its own and hands every piece of a body across: two wake-ups a piece, and never more than
//! one piece at a time. Driven from within, all that one read brought is there at once, and dropping the answer closes the
//! socket there and then. HTTP/1.1 only: it is what model servers speak, and one exchange per connection is what lets an
//! answer be dropped.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper::rt::{Read, Write};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tower_service::Service;

use crate::Origin;

/// How long an unused connection is kept: shorter than the five seconds after which uvicorn, behind vLLM and others, closes it
/// on its side, which would hit the next request.
const IDLE: Duration = Duration::from_secs(3);

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A byte stream to some host, TLS or not.
pub(crate) trait Io: Read + Write + Send + Unpin + 'static {}
impl<T: Read + Write + Send + Unpin + 'static> Io for T {}

/// Why no answer came.
pub(crate) enum Trouble {
    /// There is no connection.
    NotConnected(Failed),
    /// There was one, and it ended before the answer began.
    HungUp(hyper::Error),
}

/// One connection and the right to use it.
struct Line {
    sender: SendRequest<Full<Bytes>>,
    connection: Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>,
}

struct Idle {
    line: Line,
    since: Instant,
}

#[derive(Default)]
struct Parked {
    lines: HashMap<Origin, Vec<Idle>>,
    /// Ends connections that nobody came back for; runs only while there are any.
    sweeper: JoinSet<()>,
}

/// The connections that are not in use. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Pool {
    parked: Arc<Mutex<Parked>>,
}

impl Pool {
    /// Sends one request and returns once the head of the answer is there. `dial` makes a connection where none is idle. A
    /// request that an idle connection turned out to be closed for was not sent, and goes out on another one.
    pub(crate) async fn exchange<D>(
        &self,
        origin: &Origin,
        mut request: Request<Full<Bytes>>,
        dial: &D,
    ) -> Result<Response<Body>, Trouble>
    where
        D: Service<Uri, Error = Failed> + Clone,
        D::Response: Io,
    {
        let address = std::mem::take(request.uri_mut());
        address_to_host(&address, &mut request);
        while let Some(line) = self.take(origin).await {
            match line.send(request).await {
                Ok((line, head)) => return Ok(self.answer(origin, line, head)),
                Err((_, Some(unsent))) => request = unsent,
                Err((error, None)) => return Err(Trouble::HungUp(error)),
            }
        }
        // Boxed: a connection is made for one request of many, and the way there is longer than all the rest of this.
        let line = Box::pin(Line::open(address, dial)).await.map_err(Trouble::NotConnected)?;
        let (line, head) = line.send(request).await.map_err(|(error, _)| Trouble::HungUp(error))?;
        Ok(self.answer(origin, line, head))
    }

    fn answer(&self, origin: &Origin, line: Line, head: Response<Incoming>) -> Response<Body> {
        let home = Home { pool: Arc::downgrade(&self.parked), origin: origin.clone() };
        head.map(|incoming| Body { incoming, line: Some((line, home)) })
    }

    /// The connection that was used last, if one is fresh and still open.
    async fn take(&self, origin: &Origin) -> Option<Line> {
        loop {
            let Idle { mut line, since } = {
                let mut parked = lock(&self.parked);
                parked.lines.get_mut(origin)?.pop()?
            };
            if since.elapsed() < IDLE && line.is_open().await {
                return Some(line);
            }
        }
    }
}

/// What goes on the wire is the path; the host travels in its header.
fn address_to_host(address: &Uri, request: &mut Request<Full<Bytes>>) {
    let path = address.path_and_query().cloned().unwrap_or_else(|| http::uri::PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from(path);
    if let Some(authority) = address.authority()
        && let Ok(host) = http::HeaderValue::from_str(authority.as_str())
    {
        request.headers_mut().entry(http::header::HOST).or_insert(host);
    }
}

impl Line {
    async fn open<D>(address: Uri, dial: &D) -> Result<Line, Failed>
    where
        D: Service<Uri, Error = Failed> + Clone,
        D::Response: Io,
    {
        let mut dial = dial.clone();
        poll_fn(|cx| dial.poll_ready(cx)).await?;
        let io = dial.call(address).await?;
        let (sender, connection): (_, Connection<D::Response, Full<Bytes>>) = handshake(io).await?;
        Ok(Line { sender, connection: Box::pin(connection) })
    }

    /// Whether the other side has not hung up meanwhile.
    async fn is_open(&mut self) -> bool {
        let ended = poll_fn(|cx| Poll::Ready(self.connection.as_mut().poll(cx).is_ready())).await;
        !ended && self.sender.is_ready()
    }

    /// Drives the connection until the head of the answer is there. Gives the request back where it was not sent.
    async fn send(
        mut self,
        request: Request<Full<Bytes>>,
    ) -> Result<(Line, Response<Incoming>), (hyper::Error, Option<Request<Full<Bytes>>>)> {
        let mut head = pin!(self.sender.try_send_request(request));
        let mut ended = false;
        let head = poll_fn(|cx| {
            loop {
                if let Poll::Ready(head) = head.as_mut().poll(cx) {
                    return Poll::Ready(head);
                }
                if ended || self.connection.as_mut().poll(cx).is_pending() {
                    // What it has just read may be the head.
                    return head.as_mut().poll(cx);
                }
                ended = true;
            }
        })
        .await;
        match head {
            Ok(head) => Ok((self, head)),
            Err(mut failed) => {
                let unsent = failed.take_message();
                Err((failed.into_error(), unsent))
            }
        }
    }
}

/// Where a connection goes back to.
struct Home {
    pool: Weak<Mutex<Parked>>,
    origin: Origin,
}

impl Home {
    fn park(self, line: Line) {
        let Some(pool) = self.pool.upgrade() else { return };
        let mut parked = lock(&pool);
        parked.lines.entry(self.origin).or_default().push(Idle { line, since: Instant::now() });
        if parked.sweeper.is_empty() {
            parked.sweeper.spawn(sweep(self.pool));
        }
    }
}

/// Closes what has been idle for too long, until nothing is.
async fn sweep(pool: Weak<Mutex<Parked>>) {
    loop {
        sleep(IDLE / 3).await;
        let Some(pool) = pool.upgrade() else { return };
        let mut parked = lock(&pool);
        parked.lines.retain(|_, idle| {
            idle.retain(|one| one.since.elapsed() < IDLE);
            !idle.is_empty()
        });
        if parked.lines.is_empty() {
            // The set forgets this task when the next one is spawned.
            parked.sweeper.detach_all();
            return;
        }
    }
}

fn lock(parked: &Mutex<Parked>) -> std::sync::MutexGuard<'_, Parked> {
    parked.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The body of an answer. Polling it drives the connection; dropping it before its end closes the connection at once.
pub struct Body {
    incoming: Incoming,
    line: Option<(Line, Home)>,
}

impl Body {
    /// The answer is over: the connection waits for the next request, where both sides want that.
    fn finish(&mut self, cx: &mut Context<'_>) {
        let Some((mut line, home)) = self.line.take() else { return };
        let ended = line.connection.as_mut().poll(cx).is_ready();
        if !ended && line.sender.is_ready() {
            home.park(line);
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        loop {
            match Pin::new(&mut this.incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => return Poll::Ready(Some(Ok(frame))),
                Poll::Ready(Some(Err(error))) => {
                    this.line = None;
                    return Poll::Ready(Some(Err(error)));
                }
                Poll::Ready(None) => {
                    this.finish(cx);
                    return Poll::Ready(None);
                }
                Poll::Pending => {}
            }
            let Some((line, _)) = &mut this.line else { return Poll::Pending };
            match line.connection.as_mut().poll(cx) {
                // Its last words are in the channel, or the channel has been closed: both are seen above.
                Poll::Ready(_) => this.line = None,
                Poll::Pending => {
                    return match Pin::new(&mut this.incoming).poll_frame(cx) {
                        Poll::Ready(None) => {
                            this.finish(cx);
                            Poll::Ready(None)
                        }
                        other => other,
                    };
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Body")
    }
}
