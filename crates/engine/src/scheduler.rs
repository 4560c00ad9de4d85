//! Who computes when: one thread owns the backend and serves all requests by continuous batching. Each step is one batch: the next token of
//! every sequence that is answering, and beside them a piece of the prompts that are still being read, as long as the target of a step allows.
//! No text handling of HTTP, no waiting for readers: a reader that falls behind pauses its own sequence only, and one that left is dropped
//! before the next step.
//!
//! This file is where requests are handed in. `scheduler/work.rs` is the loop; it asks `turns` who is next, `pace` how much fits into a step,
//! and `memory` for places in the cache (`tree` is its book, `saved` its copy on disk). `sequence` is one request, `guesses` guesses ahead.
//! Why it is so: `docs/adr/0005-one-book-of-the-cache.md`.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{Sender, channel},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use crate::backend::{Adapter, Backend, Lora, Token};

mod adapters;
mod draft;
mod guesses;
mod lookup;
mod memory;
mod pace;
mod prefixes;
mod saved;
mod sequence;
mod tree;
pub(crate) mod turns;
mod work;

pub use adapters::NotChanged;
use adapters::{Attached, Wanted};
pub(crate) use draft::objection;
use memory::Pinning;
pub use prefixes::{NotPinned, Prefix};
use saved::Saved;
use sequence::Ask;
pub use sequence::{Delta, Event, Finish, Request, Scored, Usage};
pub use turns::Priority;
pub use work::Work;

/// How long a step with a piece of a prompt in it may make those who are answering wait, when nothing else is said.
pub const STEP_TARGET: Duration = Duration::from_millis(400);
/// Events that a reader may be behind before its sequence pauses; the last few places stay free for the end.
const READER_LAG: usize = 64;
const KEPT_FREE: usize = 4;
/// Requests that may wait; one more is refused.
pub(crate) const LONGEST_QUEUE: u32 = 256;

/// Bytes that the saved beginnings of one model may take.
const LARGEST_FOLDER: u64 = 4 << 30;

/// How busy the scheduler is.
#[derive(Debug, Default)]
pub struct Load {
    pub(crate) active: AtomicU32,
    pub(crate) queued: AtomicU32,
}

impl Load {
    /// Sequences that are being computed.
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::Relaxed)
    }

    /// Requests that wait for a place, those included that had to give theirs to others.
    pub fn queued(&self) -> u32 {
        self.queued.load(Ordering::Relaxed)
    }
}

/// A request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Too many wait already: come back later.
    #[error("{0} requests are waiting for the model already")]
    Busy(u32),
    /// It could never be computed: a shorter prompt or a shorter answer.
    #[error("prompt ({prompt} tokens) and answer (at most {answer}) need {} of cache, which has {room}", u64::from(*prompt) + u64::from(*answer))]
    TooLong {
        /// Tokens of the prompt.
        prompt: u32,
        /// Most tokens of the answer.
        answer: u32,
        /// Tokens that one sequence may have.
        room: u32,
    },
    /// It has no token to begin with.
    #[error("the prompt is empty")]
    Empty,
    /// No such adapter is loaded.
    #[error("there is no adapter {0}")]
    NoAdapter(u32),
    /// The thread is gone: the worker is about to end.
    #[error("the engine is stopping")]
    Gone,
}

/// Where requests are handed in.
#[derive(Clone)]
pub struct Scheduler {
    inbox: Sender<Message>,
    load: Arc<Load>,
    /// Most tokens of one sequence.
    room: u32,
    wanted: Wanted,
}

enum Message {
    Ask(Box<Ask>),
    Attach(PathBuf, Attached),
    /// The adapter is closed already.
    Detach(u32, oneshot::Sender<()>),
    Pin {
        adapter: Option<Adapter>,
        tokens: Vec<Token>,
        done: oneshot::Sender<Pinning>,
    },
    Unpin {
        id: String,
        done: oneshot::Sender<bool>,
    },
    Prefixes {
        done: oneshot::Sender<Vec<Prefix>>,
    },
    Stop,
}

impl Scheduler {
    /// A scheduler and the work that its thread has to [`run`](Work::run).
    pub fn new(backend: Box<dyn Backend>, step_target: Duration) -> (Scheduler, Work) {
        Self::saving(backend, step_target, None)
    }

    /// The same with a folder of this model's own, where beginnings of texts outlive a restart; what was pinned before is back when this returns.
    pub fn saving(backend: Box<dyn Backend>, step_target: Duration, folder: Option<&Path>) -> (Scheduler, Work) {
        Scheduler::with_draft(backend, None, step_target, folder)
    }

    /// The same, where a smaller model with the same vocabulary guesses ahead.
    pub fn with_draft(
        backend: Box<dyn Backend>,
        draft: Option<Box<dyn Backend>>,
        step_target: Duration,
        folder: Option<&Path>,
    ) -> (Scheduler, Work) {
        let (sender, inbox) = channel();
        let load = Arc::new(Load::default());
        let facts = backend.facts();
        let scheduler = Scheduler {
            inbox: sender,
            load: Arc::clone(&load),
            room: facts.context.min(facts.cells),
            wanted: Wanted::default(),
        };
        let identity = backend.identity(None).filter(|_| backend.facts().shares);
        let saved = folder.zip(identity).and_then(|(folder, model)| Saved::open(folder, model, LARGEST_FOLDER));
        let wanted = scheduler.wanted.clone();
        (scheduler, Work::new(backend, draft, inbox, load, wanted, step_target, saved))
    }

    /// Hands in a request; its events come through the receiver.
    ///
    /// # Errors
    /// [`NotTaken`] when it cannot be computed, the queue is full or nobody works any more.
    pub fn submit(&self, request: Request) -> Result<tokio::sync::mpsc::Receiver<Event>, NotTaken> {
        self.check(&request)?;
        let claim = match request.adapter {
            Some(adapter) => Some(self.wanted.claim(adapter.id).ok_or(NotTaken::NoAdapter(adapter.id))?),
            None => None,
        };
        let waiting = self.load.queued.fetch_add(1, Ordering::Relaxed);
        if waiting >= LONGEST_QUEUE {
            self.load.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(NotTaken::Busy(waiting));
        }
        let (events, receiver) = tokio::sync::mpsc::channel(READER_LAG + KEPT_FREE);
        if self.inbox.send(Message::Ask(Box::new(Ask { request, events, _claim: claim }))).is_err() {
            self.load.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(NotTaken::Gone);
        }
        Ok(receiver)
    }

    fn check(&self, request: &Request) -> Result<(), NotTaken> {
        let prompt = u32::try_from(request.prompt.len()).unwrap_or(u32::MAX);
        if prompt == 0 {
            return Err(NotTaken::Empty);
        }
        if prompt.saturating_add(request.max_tokens) > self.room {
            return Err(NotTaken::TooLong { prompt, answer: request.max_tokens, room: self.room });
        }
        Ok(())
    }

    /// Loads the LoRA adapter in `file` between two steps; its number is for requests.
    ///
    /// # Errors
    /// [`NotChanged::Refused`] when it is no adapter for this model, [`NotChanged::Gone`] when nobody works any more.
    pub async fn attach(&self, file: PathBuf) -> Result<(u32, Lora), NotChanged> {
        let (reply, attached) = oneshot::channel();
        self.inbox.send(Message::Attach(file, reply)).map_err(|_| NotChanged::Gone)?;
        attached.await.unwrap_or(Err(NotChanged::Gone))
    }

    /// Gives up an adapter, of which no new requests are taken; the receiver says when it is gone. Where requests want it, they come to their
    /// end first if `wait` says so.
    ///
    /// # Errors
    /// [`NotChanged::InUse`] without `wait`, [`NotChanged::Unknown`], or [`NotChanged::Gone`] when nobody works any more.
    pub fn detach(&self, id: u32, wait: bool) -> Result<oneshot::Receiver<()>, NotChanged> {
        self.wanted.close(id, wait)?;
        let (reply, gone) = oneshot::channel();
        self.inbox.send(Message::Detach(id, reply)).map_err(|_| NotChanged::Gone)?;
        Ok(gone)
    }

    /// How many requests want an adapter, those that wait included.
    pub fn wants(&self, id: u32) -> u32 {
        self.wanted.requests(id)
    }

    /// Ends the work after its present step; what runs or waits is given up.
    pub fn stop(&self) {
        // Nobody receives any more: it has ended already.
        let _ = self.inbox.send(Message::Stop);
    }

    /// How busy it is.
    pub fn load(&self) -> &Load {
        &self.load
    }
}
