//! Following a model's reply: what is measured, what is counted, and how it ended. Both kinds of turn read their reply through
//! here, so none goes unmetered.

use std::sync::Arc;
use std::time::Duration;

use domain::{Batch, Clock, Failure, Finish, ModelError, Reply, Task, Tokens, TurnEvent, Usage};
use futures_util::StreamExt;
use ledger::Permit;

use crate::rounds::joined;

/// How an answer ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// What it used.
    pub usage: Usage,
    /// How it ended.
    pub finish: Finish,
    /// Why, where it failed.
    pub failure: Option<Failure>,
    /// Time to the first token, in milliseconds.
    pub ttft_ms: Option<u32>,
    /// Mean time between tokens, in microseconds.
    pub tpot_us: Option<u32>,
}

/// A reply being read.
#[derive(Debug)]
pub struct Answer {
    reply: Reply,
    meter: Meter,
    /// What the parts of the same turn before it used.
    before: Usage,
    ended: Option<(Finish, Option<Failure>)>,
}

impl Answer {
    /// Reads `reply`. Time counts from `asked`, on the monotonic clock.
    pub(crate) fn new(reply: Reply, clock: Arc<dyn Clock>, asked: Duration, prompt: Tokens) -> Self {
        let meter = Meter {
            clock,
            asked,
            prompt,
            first: None,
            last: None,
            pieces: 0,
            ascii: 0,
            wide: 0,
            opaque: false,
            delivered: false,
            reported: None,
        };
        Answer { reply, meter, before: Usage::default(), ended: None }
    }

    /// The same, after parts of its turn that used so much.
    pub(crate) fn after(mut self, before: Usage) -> Self {
        self.before = before;
        self
    }

    /// The same, to a request for this.
    pub(crate) fn of(mut self, task: Task) -> Self {
        self.meter.opaque = !matches!(task, Task::Chat | Task::Completion);
        self
    }

    pub(crate) fn reply(&self) -> &Reply {
        &self.reply
    }

    /// The next batch, without `Used` and `Finished`: those are the ending's, after the usage is on disk. `None` when the
    /// answer has ended. Cancel safe.
    pub(crate) async fn next(&mut self, permit: &mut Permit) -> Option<Batch> {
        loop {
            if self.ended.is_some() {
                return None;
            }
            let mut batch = match self.reply.batches.next().await {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => {
                    self.ended = Some((Finish::Failed, Some(failure_of(&error))));
                    return None;
                }
                // A provider that just stops breaks its promise; to the reader it is a cut, never an ending made up here.
                None => {
                    let cut = ModelError::Cut { url: String::new() };
                    self.ended = Some((Finish::Failed, Some(failure_of(&cut))));
                    return None;
                }
            };
            self.take(&mut batch);
            // An answer that has come to its end is spent: it is handed over and booked, not withheld and booked.
            if let Err(over) = permit.delivered(joined(self.before, self.meter.usage()))
                && self.ended.is_none()
            {
                let message = over.to_string();
                self.ended = Some((Finish::Failed, Some(Failure { code: over.code().into(), message })));
            }
            if !batch.events.is_empty() || batch.wire.is_some() {
                return Some(batch);
            }
        }
    }

    /// Ends the answer from this side; the back end is told when the reply is dropped.
    pub(crate) fn stop(&mut self, finish: Finish) {
        self.ended.get_or_insert((finish, None));
    }

    /// How it ended, and the end of reading it.
    pub(crate) fn ending(self) -> Ending {
        let (finish, failure) = self.ended.unwrap_or((Finish::Cancelled, None));
        self.meter.ending(finish, failure)
    }

    fn take(&mut self, batch: &mut Batch) {
        let mut kept = Vec::with_capacity(batch.events.len());
        for event in batch.events.drain(..) {
            match event {
                TurnEvent::Used { usage } => self.meter.reported = Some(Usage { reported: true, ..usage }),
                TurnEvent::Finished { finish, failure } => self.ended = Some((finish, failure)),
                event => {
                    self.meter.count(&event);
                    kept.push(event);
                }
            }
        }
        batch.events = kept;
        if batch.wire.is_some() {
            self.meter.count_bytes();
        }
    }
}

/// The failure that a model's error is to its reader.
pub(crate) fn failure_of(error: &ModelError) -> Failure {
    let code = match error {
        ModelError::Rejected { code: Some(code), .. } if code == "context_length_exceeded" => "context_length_exceeded",
        error => error.code(),
    };
    Failure { code: code.into(), message: error.to_string() }
}

/// An ending where no answer ever began: nothing was delivered, nothing is charged.
pub(crate) fn never_began(finish: Finish, failure: Option<Failure>) -> Ending {
    Ending { usage: Usage::default(), finish, failure, ttft_ms: None, tpot_us: None }
}

#[derive(Debug)]
struct Meter {
    clock: Arc<dyn Clock>,
    asked: Duration,
    prompt: Tokens,
    first: Option<Duration>,
    last: Option<Duration>,
    pieces: u32,
    ascii: u64,
    wide: u64,
    /// The answer is no text: vectors, sound, pictures. What was read is all that can be counted.
    opaque: bool,
    /// Something of such an answer was handed over.
    delivered: bool,
    reported: Option<Usage>,
}

impl Meter {
    fn count_bytes(&mut self) {
        if self.opaque {
            self.delivered = true;
            let now = self.clock.monotonic();
            self.first.get_or_insert(now);
        }
    }

    fn count(&mut self, event: &TurnEvent) {
        let piece = match event {
            TurnEvent::Delta { text } | TurnEvent::Thought { text } => text,
            TurnEvent::ToolCalled { arguments, .. } => arguments,
            _ => return,
        };
        let now = self.clock.monotonic();
        self.first.get_or_insert(now);
        self.last = Some(now);
        self.pieces = self.pieces.saturating_add(1);
        let ascii = piece.bytes().filter(u8::is_ascii).count();
        self.ascii += ascii as u64;
        self.wide += (piece.chars().count() - ascii) as u64;
    }

    /// What the model reported, or else the house's own count: the longer of pieces (most engines send one token each) and the
    /// text's estimate. Nothing delivered is nothing used.
    fn usage(&self) -> Usage {
        if let Some(reported) = self.reported {
            return reported;
        }
        if self.delivered {
            return Usage { prompt: self.prompt, ..Usage::default() };
        }
        if self.pieces == 0 {
            return Usage::default();
        }
        let estimate = u32::try_from(self.ascii.div_ceil(4) + self.wide).unwrap_or(u32::MAX);
        Usage { prompt: self.prompt, completion: Tokens(estimate.max(self.pieces)), ..Usage::default() }
    }

    fn ending(self, finish: Finish, failure: Option<Failure>) -> Ending {
        let usage = self.usage();
        let ttft_ms = self.first.map(|first| millis(first.saturating_sub(self.asked)));
        let tpot_us = match (self.first, self.last) {
            (Some(first), Some(last)) if usage.completion.0 > 1 && last > first => {
                u32::try_from((last - first).as_micros() / u128::from(usage.completion.0 - 1)).ok()
            }
            _ => None,
        };
        Ending { usage, finish, failure, ttft_ms, tpot_us }
    }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
