//! Reading one answer in any dialect: bytes in, batches of events out, and an ending that is never better than the truth. What an
//! event means is the adapter's [`Listener`]'s to say.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use domain::{Batch, Dialect, Finish, ModelError, Reply, TimedOut, TurnEvent, Usage, Wire};
use futures_core::Stream;
use http::Response;
use http::header::CONTENT_TYPE;
use openai::{Decoder, frames};
use tokio::time::{Instant, Sleep, sleep_until};

use super::arriving::{Arrived, Arriving};
use super::clocks::{Clocks, LAST_WORDS, LONGEST_ANSWER, LONGEST_EVENT, collect};
use super::kept::{Kept, append};
use super::wire::Once;

/// Understands one answer.
pub(super) trait Listener: Send + Unpin + 'static {
    /// Takes one event, appends what it says, and tells what becomes of its bytes. The error is the back end's own.
    fn hear(&mut self, said: &Said<'_>, events: &mut Vec<TurnEvent>) -> Result<Keep, ModelError>;
    /// Takes a frame without data: comments, which mean nothing to most.
    fn hear_comment(&mut self, _text: &[u8]) {}
    /// Takes an answer in one piece.
    fn hear_whole(&mut self, said: &Said<'_>, events: &mut Vec<TurnEvent>) -> Result<(), ModelError>;
    /// How the answer ended, once the back end has said so.
    fn finish(&self) -> Option<Finish>;
    /// How it ended when nothing more will come; `None` where that is a cut. The error is an ending that is none.
    fn ending(&self) -> Result<Option<Finish>, ModelError> {
        Ok(self.finish())
    }
    /// Whether its end mark was read: nothing follows.
    fn done(&self) -> bool;
    /// What it used, as far as it has said so.
    fn usage(&self) -> Option<Usage>;
    /// The last words of a stream whose bytes are written here ([`Keep::Instead`]).
    fn last(&mut self, _events: &[TurnEvent]) -> Vec<u8> {
        Vec::new()
    }
    /// A whole answer, where its bytes are written here.
    fn whole(&mut self, _events: &[TurnEvent]) -> Option<Bytes> {
        None
    }
}

/// Something a back end said.
pub(super) struct Said<'a> {
    /// An event's data, or a whole answer.
    pub(super) data: &'a [u8],
    /// The event's name, where it has one.
    pub(super) event: Option<&'a [u8]>,
    /// Who said it, for errors.
    pub(super) url: &'a str,
}

impl Said<'_> {
    /// That it makes no sense.
    pub(super) fn garbled(&self, reason: impl ToString) -> ModelError {
        ModelError::Garbled { url: self.url.to_owned(), reason: reason.to_string() }
    }
}

/// What becomes of an event's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Keep {
    AsItCame,
    Not,
    /// These travel on in their place.
    Instead(Vec<u8>),
}

/// An answer being read.
pub(super) struct Reading<L> {
    arrived: Arriving,
    decoder: Decoder,
    clocks: Clocks,
    /// Fires at `deadline` or before it; it is moved only when it fires, which spares a timer per read.
    timer: Pin<Box<Sleep>>,
    deadline: Instant,
    due: TimedOut,
    url: String,
    listener: L,
    /// The dialect in which bytes travel on, where the client speaks it too.
    keeps: Option<Dialect>,
    spoke: bool,
    /// What was read while the first event was awaited.
    held: Option<Batch>,
    failed: Option<ModelError>,
    over: bool,
}

/// Waits for the first event of an answer: what goes wrong before it is an error of the request, not of the stream.
pub(super) async fn open<L: Listener>(
    answer: Response<egress::Body>,
    listener: L,
    clocks: Clocks,
    url: &str,
    stream: bool,
    keeps: Option<Dialect>,
) -> Result<Reply, ModelError> {
    let json = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !stream || json {
        return whole(answer, listener, clocks, url, keeps.filter(|_| !stream)).await;
    }
    let deadline = clocks.first_deadline();
    let mut reading = Reading {
        arrived: Arriving::of(answer.into_body()),
        decoder: Decoder::new(LONGEST_EVENT),
        clocks,
        timer: Box::pin(sleep_until(deadline)),
        deadline,
        due: clocks.first_is,
        url: url.to_owned(),
        listener,
        keeps,
        spoke: false,
        held: None,
        failed: None,
        over: false,
    };
    let mut held = Batch::default();
    while !reading.spoke && !reading.over {
        match poll_fn(|cx| reading.poll_batch(cx)).await {
            Some(batch) => append(&mut held, batch?),
            None => break,
        }
    }
    reading.held = Some(held);
    reading.rewind();
    Ok(Reply::new(Box::pin(reading)))
}

async fn whole<L: Listener>(
    answer: Response<egress::Body>,
    mut listener: L,
    clocks: Clocks,
    url: &str,
    keeps: Option<Dialect>,
) -> Result<Reply, ModelError> {
    let bytes = collect(answer.into_body(), LONGEST_ANSWER, &clocks, url).await?;
    let mut batch = Batch::default();
    listener.hear_whole(&Said { data: &bytes, event: None, url }, &mut batch.events)?;
    let Some(finish) = listener.finish() else {
        let reason = "the answer does not say how it ended".to_owned();
        return Err(ModelError::Garbled { url: url.to_owned(), reason });
    };
    batch.events.extend(listener.usage().map(|usage| TurnEvent::Used { usage }));
    batch.events.push(TurnEvent::Finished { finish, failure: None });
    let bytes = listener.whole(&batch.events).unwrap_or(bytes);
    batch.wire = keeps.map(|dialect| Wire { dialect, bytes });
    Ok(Reply::new(Box::pin(Once(Some(batch)))))
}

impl<L: Listener> Reading<L> {
    /// The next batch that holds anything.
    fn poll_batch(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, ModelError>>> {
        loop {
            if let Some(error) = self.failed.take() {
                self.over = true;
                return Poll::Ready(Some(Err(error)));
            }
            if self.over {
                return Poll::Ready(None);
            }
            let batch = match self.arrived.poll(cx) {
                Poll::Ready(Arrived::Bytes(read)) => self.take_read(read),
                Poll::Ready(Arrived::Broken) => self.end(Batch::default()),
                Poll::Ready(Arrived::End) => self.take_rest(),
                Poll::Pending => {
                    ready!(self.poll_late(cx));
                    if self.listener.finish().is_none() {
                        self.failed = Some(self.clocks.late(&self.url, self.due));
                        continue;
                    }
                    self.end(Batch::default())
                }
            };
            if batch.events.is_empty() && batch.wire.is_none() {
                continue;
            }
            if self.spoke {
                self.rewind();
            }
            return Poll::Ready(Some(Ok(batch)));
        }
    }

    /// Ready when a clock has run out.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if Instant::now() >= self.deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.deadline);
        }
    }

    /// Starts the idle clock again.
    fn rewind(&mut self) {
        let ended = self.listener.finish().is_some();
        let idle = if ended { self.clocks.idle.min(LAST_WORDS) } else { self.clocks.idle };
        let quiet = Instant::now() + idle;
        (self.deadline, self.due) = match self.clocks.total {
            Some(total) if total < quiet => (total, TimedOut::Total),
            _ => (quiet, TimedOut::Idle),
        };
        if self.deadline < self.timer.deadline() {
            self.timer.as_mut().reset(self.deadline);
        }
    }

    fn take_read(&mut self, read: Bytes) -> Batch {
        match self.decoder.feed(read) {
            Ok(whole) if whole.is_empty() => Batch::default(),
            Ok(whole) => self.take(&whole),
            Err(error) => {
                self.failed = Some(ModelError::Garbled { url: self.url.clone(), reason: error.to_string() });
                Batch::default()
            }
        }
    }

    /// The connection has ended cleanly: an event without its blank line may be left.
    fn take_rest(&mut self) -> Batch {
        let rest = self.decoder.finish();
        let batch = if rest.is_empty() { Batch::default() } else { self.take(&rest) };
        if matches!(self.failed, Some(ModelError::Garbled { .. })) {
            // Half an event is a cut, not nonsense.
            self.failed = Some(ModelError::Cut { url: self.url.clone() });
        }
        if self.over || self.failed.is_some() { batch } else { self.end(batch) }
    }

    fn take(&mut self, whole: &Bytes) -> Batch {
        let mut batch = Batch::default();
        let mut kept = Kept::of(whole);
        for frame in frames(whole) {
            let data = frame.data.as_deref().map(<[u8]>::trim_ascii).filter(|data| !data.is_empty());
            let heard = match data {
                Some(data) => self.listener.hear(&Said { data, event: frame.event, url: &self.url }, &mut batch.events),
                None => {
                    self.listener.hear_comment(frame.raw.trim_ascii());
                    Ok(Keep::Not)
                }
            };
            match heard {
                Ok(Keep::AsItCame) => kept.keep(frame.raw.len()),
                Ok(Keep::Not) => kept.skip(frame.raw.len()),
                Ok(Keep::Instead(bytes)) => kept.replace(frame.raw.len(), &bytes),
                Err(error) => self.failed = Some(error),
            }
            if self.listener.done() || self.failed.is_some() {
                break;
            }
        }
        self.spoke |= !batch.events.is_empty() || self.listener.finish().is_some();
        batch.wire = self.keeps.and_then(|dialect| kept.bytes().map(|bytes| Wire { dialect, bytes }));
        if self.listener.done() && self.failed.is_none() { self.end(batch) } else { batch }
    }

    /// No more will come. The answer is whole where the back end said how it ended; else it was cut.
    fn end(&mut self, mut batch: Batch) -> Batch {
        let finish = match self.listener.ending() {
            Ok(Some(finish)) => finish,
            Ok(None) => {
                self.failed = Some(ModelError::Cut { url: self.url.clone() });
                return batch;
            }
            Err(error) => {
                self.failed = Some(error);
                return batch;
            }
        };
        let finished = TurnEvent::Finished { finish, failure: None };
        let ending: Vec<TurnEvent> =
            self.listener.usage().map(|usage| TurnEvent::Used { usage }).into_iter().chain([finished]).collect();
        let last = Bytes::from(self.listener.last(&ending));
        let wire = self.keeps.filter(|_| !last.is_empty()).map(|dialect| Wire { dialect, bytes: last });
        append(&mut batch, Batch { events: ending, wire });
        self.over = true;
        batch
    }
}

impl<L: Listener> Stream for Reading<L> {
    type Item = Result<Batch, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(held) = self.held.take() {
            return Poll::Ready(Some(Ok(held)));
        }
        self.poll_batch(cx)
    }
}
