//! Answers that are not read but for their usage and their end: vectors, ranks, recordings, pictures. Their bytes travel on as
//! they came. Whatever the client speaks: there is no other dialect for them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use domain::{Batch, Dialect, Finish, ModelError, Prompt, Reply, Task, TimedOut, TurnEvent, Usage, Wire};
use futures_core::Stream;
use http::Response;
use http::header::CONTENT_TYPE;
use openai::{Decoder, frames, parse_chunk, usage_of};
use tokio::time::{Instant, Sleep, sleep_until};

use super::fault;
use crate::providers::arriving::{Arrived, Arriving};
use crate::providers::clocks::{Clocks, LONGEST_ANSWER, LONGEST_EVENT, collect};
use crate::providers::wire::Once;

/// Whether an answer to this is read here.
pub(super) fn is(task: Task) -> bool {
    !matches!(task, Task::Chat | Task::Completion)
}

pub(super) async fn open(
    answer: Response<egress::Body>,
    url: &str,
    prompt: &Prompt,
    clocks: Clocks,
) -> Result<Reply, ModelError> {
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    let (json, events) = (kind.starts_with("application/json"), kind.starts_with("text/event-stream"));
    let mut reply = if !json && (events || prompt.task == Task::Speech) {
        let mut coming = Coming::new(answer, url, &prompt.model, clocks, events);
        let first = poll_fn(|cx| coming.poll(cx)).await.transpose()?;
        coming.held = first;
        Reply::new(Box::pin(coming))
    } else {
        let bytes = collect(answer.into_body(), LONGEST_ANSWER, &clocks, url).await?;
        let usage = if json { read(&bytes, &prompt.model)? } else { None };
        Reply::new(Box::pin(Once(Some(last(usage, Some(bytes))))))
    };
    reply.content_type = Some(kind).filter(|kind| !json && !kind.is_empty());
    Ok(reply)
}

/// An error in place of an answer, or its usage where told.
fn read(json: &[u8], model: &str) -> Result<Option<Usage>, ModelError> {
    if let Some(fault) = parse_chunk(json).ok().as_ref().and_then(|chunk| chunk.fault()) {
        return Err(fault::inside(fault, model));
    }
    Ok(usage_of(json))
}

fn last(usage: Option<Usage>, bytes: Option<Bytes>) -> Batch {
    let mut events: Vec<TurnEvent> = usage.map(|usage| TurnEvent::Used { usage }).into_iter().collect();
    events.push(TurnEvent::Finished { finish: Finish::Stop, failure: None });
    Batch { events, wire: bytes.map(|bytes| Wire { dialect: Dialect::OpenAi, bytes }) }
}

/// Bytes that are handed on as they come, and are whole where the connection says so.
struct Coming {
    arriving: Arriving,
    /// For events: whole ones only, and an error among them ends the answer.
    decoder: Option<Decoder>,
    url: String,
    model: String,
    clocks: Clocks,
    timer: Pin<Box<Sleep>>,
    due: TimedOut,
    usage: Option<Usage>,
    held: Option<Batch>,
    over: bool,
}

impl Coming {
    fn new(answer: Response<egress::Body>, url: &str, model: &str, clocks: Clocks, events: bool) -> Self {
        Coming {
            arriving: Arriving::of(answer.into_body()),
            decoder: events.then(|| Decoder::new(LONGEST_EVENT)),
            url: url.to_owned(),
            model: model.to_owned(),
            timer: Box::pin(sleep_until(clocks.first_deadline())),
            due: clocks.first_is,
            clocks,
            usage: None,
            held: None,
            over: false,
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Batch, ModelError>>> {
        loop {
            if self.over {
                return Poll::Ready(None);
            }
            let arrived = match self.arriving.poll(cx) {
                Poll::Ready(arrived) => arrived,
                Poll::Pending => {
                    ready!(self.timer.as_mut().poll(cx));
                    self.over = true;
                    return Poll::Ready(Some(Err(self.clocks.late(&self.url, self.due))));
                }
            };
            let batch = match arrived {
                Arrived::Bytes(bytes) => self.take(bytes),
                Arrived::Broken => Err(self.cut()),
                Arrived::End => self.end(),
            };
            self.rewind();
            self.over |= batch.is_err();
            match batch {
                Ok(batch) if batch.events.is_empty() && batch.wire.is_none() => {}
                batch => return Poll::Ready(Some(batch)),
            }
        }
    }

    fn take(&mut self, bytes: Bytes) -> Result<Batch, ModelError> {
        let bytes = match &mut self.decoder {
            None => bytes,
            Some(decoder) => {
                let garbled =
                    |why: openai::Error| ModelError::Garbled { url: self.url.clone(), reason: why.to_string() };
                let whole = decoder.feed(bytes).map_err(garbled)?;
                self.look(&whole)?;
                whole
            }
        };
        let wire = (!bytes.is_empty()).then_some(Wire { dialect: Dialect::OpenAi, bytes });
        Ok(Batch { events: Vec::new(), wire })
    }

    fn look(&mut self, whole: &[u8]) -> Result<(), ModelError> {
        for data in frames(whole).filter_map(|frame| frame.data) {
            self.usage = read(&data, &self.model)?.or(self.usage);
        }
        Ok(())
    }

    /// The connection has ended cleanly; half an event left is a cut.
    fn end(&mut self) -> Result<Batch, ModelError> {
        let rest = self.decoder.as_mut().map(Decoder::finish).unwrap_or_default();
        if rest.iter().any(|byte| !byte.is_ascii_whitespace()) {
            return Err(self.cut());
        }
        self.over = true;
        Ok(last(self.usage, None))
    }

    fn rewind(&mut self) {
        let quiet = Instant::now() + self.clocks.idle;
        let (deadline, due) = match self.clocks.total {
            Some(total) if total < quiet => (total, TimedOut::Total),
            _ => (quiet, TimedOut::Idle),
        };
        self.due = due;
        self.timer.as_mut().reset(deadline);
    }

    fn cut(&self) -> ModelError {
        ModelError::Cut { url: self.url.clone() }
    }
}

impl Stream for Coming {
    type Item = Result<Batch, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.held.take() {
            Some(held) => Poll::Ready(Some(Ok(held))),
            None => self.poll(cx),
        }
    }
}
