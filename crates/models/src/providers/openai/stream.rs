//! Reading one answer: bytes in, batches out, and an ending that is never better than the truth.

mod renumbered;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use domain::{Batch, Dialect, Finish, ModelError, Prompt, Reply, TimedOut, TurnEvent, Usage, Wire};
use futures_core::Stream;
use http::Response;
use http::header::CONTENT_TYPE;
use openai::{CallIndexes, DONE, Decoder, Frame, Usages, frames, parse_chunk};
use tokio::time::{Instant, Sleep, sleep_until};

use super::fault;
use crate::providers::arriving::{Arrived, Arriving};
use crate::providers::clocks::{Clocks, LAST_WORDS, LONGEST_ANSWER, LONGEST_EVENT, collect};
use crate::providers::kept::{Kept, append};
use crate::providers::wire::Once;
use renumbered::renumbered;

/// An answer being read.
pub(super) struct Reading {
    arrived: Arriving,
    decoder: Decoder,
    clocks: Clocks,
    /// Fires at `deadline` or before it; it is moved only when it fires, which spares a timer per read.
    timer: Pin<Box<Sleep>>,
    deadline: Instant,
    due: TimedOut,
    url: String,
    model: String,
    /// Whether the client speaks the dialect, so that the bytes travel on.
    keeps_bytes: bool,
    wants_usage: bool,
    /// Asked for as a stream; and whether it came as one.
    asked_to_stream: bool,
    streamed: bool,
    calls: CallIndexes,
    called: bool,
    spoke: bool,
    done: bool,
    finish: Option<Finish>,
    usage: Option<Usage>,
    /// What was read while the first event was awaited.
    held: Option<Batch>,
    failed: Option<ModelError>,
    over: bool,
}

impl Reading {
    pub(super) fn new(answer: Response<egress::Body>, url: &str, prompt: &Prompt, clocks: Clocks) -> Self {
        let json =
            answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let deadline = clocks.first_deadline();
        Reading {
            arrived: Arriving::of(answer.into_body()),
            decoder: Decoder::new(LONGEST_EVENT),
            clocks,
            timer: Box::pin(sleep_until(deadline)),
            deadline,
            due: clocks.first_is,
            url: url.to_owned(),
            model: prompt.model.clone(),
            keeps_bytes: prompt.body.as_ref().is_some_and(|body| body.dialect() == Dialect::OpenAi),
            wants_usage: prompt.body.as_ref().is_some_and(|body| body.wants_usage),
            asked_to_stream: prompt.stream,
            streamed: prompt.stream && !json,
            calls: CallIndexes::default(),
            called: false,
            spoke: false,
            done: false,
            finish: None,
            usage: None,
            held: None,
            failed: None,
            over: false,
        }
    }

    /// Waits for the first event: what goes wrong before it is an error of the request, not of the stream.
    pub(super) async fn open(self) -> Result<Reply, ModelError> {
        if !self.streamed {
            return self.whole().await;
        }
        let mut reading = self;
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

    /// An answer in one piece. Where a stream was asked for and did not come, the bytes are left behind: the door writes its
    /// own from the events.
    async fn whole(mut self) -> Result<Reply, ModelError> {
        let bytes = collect(self.arrived.whole(), LONGEST_ANSWER, &self.clocks, &self.url).await?;
        let garbled = |reason: String| ModelError::Garbled { url: self.url.clone(), reason };
        let chunk = parse_chunk(&bytes).map_err(|error| garbled(error.to_string()))?;
        if let Some(fault) = chunk.fault() {
            return Err(fault::inside(fault, &self.model));
        }
        let mut batch = Batch::default();
        chunk.events(&mut self.calls, &mut batch.events);
        let finish = match chunk.finish() {
            Some(finish) => finish,
            None if batch.events.is_empty() => return Err(garbled("there is no answer in it".to_owned())),
            None => Finish::Stop,
        };
        batch.events.extend(chunk.usage().map(|usage| TurnEvent::Used { usage }));
        batch.events.push(TurnEvent::Finished { finish, failure: None });
        let keeps = self.keeps_bytes && !self.asked_to_stream;
        batch.wire = keeps.then(|| Wire { dialect: Dialect::OpenAi, bytes: bytes.clone() });
        Ok(Reply::new(Box::pin(Once(Some(batch)))))
    }

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
                    if self.finish.is_some() {
                        self.end(Batch::default())
                    } else {
                        self.failed = Some(self.clocks.late(&self.url, self.due));
                        continue;
                    }
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
        let idle = if self.finish.is_some() { self.clocks.idle.min(LAST_WORDS) } else { self.clocks.idle };
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
            Ok(whole) => self.take(whole),
            Err(error) => {
                self.failed = Some(ModelError::Garbled { url: self.url.clone(), reason: error.to_string() });
                Batch::default()
            }
        }
    }

    /// The connection has ended cleanly: an event without its blank line may be left.
    fn take_rest(&mut self) -> Batch {
        let rest = self.decoder.finish();
        let batch = if rest.is_empty() { Batch::default() } else { self.take(rest) };
        if matches!(self.failed, Some(ModelError::Garbled { .. })) {
            // Half an event is a cut, not nonsense.
            self.failed = Some(ModelError::Cut { url: self.url.clone() });
        }
        if self.over || self.failed.is_some() { batch } else { self.end(batch) }
    }

    fn take(&mut self, whole: Bytes) -> Batch {
        let mut batch = Batch::default();
        let mut kept = Kept::of(&whole);
        for frame in frames(&whole) {
            match self.take_frame(&frame, &mut batch) {
                Keep::AsItCame => kept.keep(frame.raw.len()),
                Keep::Not => kept.skip(frame.raw.len()),
                Keep::Instead(bytes) => kept.replace(frame.raw.len(), &bytes),
            }
            if self.done || self.failed.is_some() {
                break;
            }
        }
        if self.keeps_bytes {
            batch.wire = kept.bytes().map(|bytes| Wire { dialect: Dialect::OpenAi, bytes });
        }
        if self.done && self.failed.is_none() { self.end(batch) } else { batch }
    }

    fn take_frame(&mut self, frame: &Frame<'_>, batch: &mut Batch) -> Keep {
        let Some(data) = frame.data.as_deref().map(<[u8]>::trim_ascii).filter(|data| !data.is_empty()) else {
            return Keep::Not;
        };
        if data == DONE {
            self.done = true;
            return Keep::Not;
        }
        let chunk = match parse_chunk(data) {
            Ok(chunk) => chunk,
            Err(_) if frame.event == Some(b"error") => {
                let message = String::from_utf8_lossy(data).chars().take(600).collect();
                self.failed = Some(ModelError::Broken { status: None, message, retry_after: None });
                return Keep::Not;
            }
            Err(error) => {
                self.failed = Some(ModelError::Garbled { url: self.url.clone(), reason: error.to_string() });
                return Keep::Not;
            }
        };
        if let Some(fault) = chunk.fault() {
            self.failed = Some(fault::inside(fault, &self.model));
            return Keep::Not;
        }
        let before = batch.events.len();
        let changed = chunk.events(&mut self.calls, &mut batch.events);
        let new = &batch.events[before..];
        self.spoke |= !new.is_empty();
        self.called |= new.iter().any(|event| matches!(event, TurnEvent::ToolCalled { .. }));
        self.usage = chunk.usage().or(self.usage);
        if let Some(finish) = chunk.finish() {
            self.spoke = true;
            self.finish = Some(finish);
        }
        if changed {
            return renumbered(data, new).map_or(Keep::AsItCame, Keep::Instead);
        }
        if chunk.usages() == Usages::Only && !self.wants_usage { Keep::Not } else { Keep::AsItCame }
    }

    /// No more will come. The answer is whole where the back end said so, by a reason or by its end mark; else it was cut.
    fn end(&mut self, mut batch: Batch) -> Batch {
        let finish = match self.finish {
            Some(Finish::Failed) => {
                let message = "it ended the answer with an error of its own".to_owned();
                self.failed = Some(ModelError::Broken { status: None, message, retry_after: None });
                return batch;
            }
            Some(finish) => finish,
            None if self.done && self.called => Finish::ToolCalls,
            None if self.done && self.spoke => Finish::Stop,
            None => {
                self.failed = Some(ModelError::Cut { url: self.url.clone() });
                return batch;
            }
        };
        batch.events.extend(self.usage.map(|usage| TurnEvent::Used { usage }));
        batch.events.push(TurnEvent::Finished { finish, failure: None });
        self.over = true;
        batch
    }
}

/// What becomes of a frame's bytes.
enum Keep {
    AsItCame,
    Not,
    Instead(Vec<u8>),
}

impl Stream for Reading {
    type Item = Result<Batch, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(held) = self.held.take() {
            return Poll::Ready(Some(Ok(held)));
        }
        self.poll_batch(cx)
    }
}
