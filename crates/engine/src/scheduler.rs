//! Who computes when: one thread owns the backend and serves all requests by continuous batching. Each step is one batch: the next token of
//! every sequence that is answering, and beside them a piece of the prompts that are still being read. No text handling of HTTP, no waiting
//! for readers: a reader that falls behind pauses its own sequence only, and one that left is dropped before the next step.
//!
//! A sequence is admitted, in order of arrival, when a slot is free and the cache has room for all it may ever need; so none has to be
//! thrown out half-way.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel},
    },
    time::Duration,
};

use crate::backend::{Backend, Input, Slot, Vocabulary};

mod sequence;

use sequence::{Ask, Sequence};
pub use sequence::{Delta, Event, Finish, Request, Scored, Usage};

/// Prompt tokens of one step while others are answering: what they are made to wait is bounded by it.
const PROMPT_BESIDE_ANSWERS: usize = 64;
/// Events that a reader may be behind before its sequence pauses; the last few places stay free for the end.
const READER_LAG: usize = 64;
const KEPT_FREE: usize = 4;
/// How often paused sequences look whether their readers have caught up.
const PAUSE: Duration = Duration::from_millis(2);
/// Requests that may wait; one more is refused.
const LONGEST_QUEUE: u32 = 256;

/// How busy the scheduler is.
#[derive(Debug, Default)]
pub struct Load {
    active: AtomicU32,
    queued: AtomicU32,
}

impl Load {
    /// Sequences that hold a slot.
    pub fn active(&self) -> u32 {
        self.active.load(Ordering::Relaxed)
    }

    /// Requests that wait for one.
    pub fn queued(&self) -> u32 {
        self.queued.load(Ordering::Relaxed)
    }
}

/// A request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// Too many wait already: come back later.
    Busy,
    /// The thread is gone: the worker is about to end.
    Gone,
}

/// Where requests are handed in.
#[derive(Clone)]
pub struct Scheduler {
    inbox: Sender<Message>,
    load: Arc<Load>,
}

enum Message {
    Ask(Ask),
    Stop,
}

impl Scheduler {
    /// A scheduler and the work that its thread has to [`run`](Work::run).
    pub fn new(backend: Box<dyn Backend>) -> (Scheduler, Work) {
        let (sender, inbox) = channel();
        let load = Arc::new(Load::default());
        let work = Work {
            vocabulary: backend.vocabulary(),
            free_slots: (0..backend.facts().slots).rev().map(Slot).collect(),
            free_cells: backend.facts().cells,
            backend,
            inbox,
            waiting: VecDeque::new(),
            running: Vec::new(),
            load: Arc::clone(&load),
        };
        (Scheduler { inbox: sender, load }, work)
    }

    /// Hands in a request; its events come through the receiver.
    ///
    /// # Errors
    /// [`NotTaken`] when the queue is full or nobody works any more.
    pub fn submit(&self, request: Request) -> Result<tokio::sync::mpsc::Receiver<Event>, NotTaken> {
        if self.load.queued.fetch_add(1, Ordering::Relaxed) >= LONGEST_QUEUE {
            self.load.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(NotTaken::Busy);
        }
        let (events, receiver) = tokio::sync::mpsc::channel(READER_LAG + KEPT_FREE);
        self.inbox.send(Message::Ask(Ask { request, events })).map_err(|_| NotTaken::Gone)?;
        Ok(receiver)
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

/// The scheduler's own side: backend, queue and running sequences.
pub struct Work {
    backend: Box<dyn Backend>,
    vocabulary: Arc<dyn Vocabulary>,
    inbox: Receiver<Message>,
    waiting: VecDeque<Ask>,
    running: Vec<Sequence>,
    free_slots: Vec<Slot>,
    free_cells: u32,
    load: Arc<Load>,
}

impl Work {
    /// Works until it is stopped, or nobody can ask any more.
    pub fn run(mut self) {
        while self.take_in() {
            self.drop_left();
            self.admit();
            let batch = self.lay_out();
            if !batch.is_empty() {
                self.step(&batch);
            }
            self.retire();
        }
    }

    /// Takes what has been handed in; waits when there is nothing to do. False when it is over.
    fn take_in(&mut self) -> bool {
        let first = if self.waiting.is_empty() && self.running.is_empty() {
            self.inbox.recv().map_err(|_| TryRecvError::Disconnected)
        } else if self.running.iter().all(Sequence::is_paused) {
            self.inbox.recv_timeout(PAUSE).map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            })
        } else {
            self.inbox.try_recv()
        };
        let mut message = first;
        loop {
            match message {
                Ok(Message::Ask(ask)) => self.waiting.push_back(ask),
                Ok(Message::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
            message = self.inbox.try_recv();
        }
    }

    fn drop_left(&mut self) {
        let before = self.waiting.len();
        self.waiting.retain(|ask| !ask.events.is_closed());
        self.leave_queue(before - self.waiting.len());
        for sequence in &mut self.running {
            sequence.notice_reader();
        }
        self.retire();
    }

    fn admit(&mut self) {
        while let Some(ask) = self.waiting.front() {
            let cells = ask.cells();
            if cells > self.free_cells {
                return;
            }
            let Some(slot) = self.free_slots.pop() else { return };
            let Some(ask) = self.waiting.pop_front() else { return };
            self.free_cells -= cells;
            self.running.push(Sequence::new(ask, slot));
            self.load.active.fetch_add(1, Ordering::Relaxed);
            self.leave_queue(1);
        }
    }

    fn leave_queue(&self, count: usize) {
        self.load.queued.fetch_sub(u32::try_from(count).unwrap_or(0), Ordering::Relaxed);
    }

    /// The next batch: one token of each answering sequence, then prompts in order of arrival.
    fn lay_out(&mut self) -> Vec<Input> {
        let most = self.backend.facts().batch as usize;
        let mut batch: Vec<Input> = self.running.iter().filter_map(Sequence::next_input).collect();
        let room = if batch.is_empty() { most } else { most.min(batch.len() + PROMPT_BESIDE_ANSWERS) };
        for sequence in &mut self.running {
            let left = room.saturating_sub(batch.len());
            sequence.feed_prompt(left, &mut batch);
        }
        batch
    }

    fn step(&mut self, batch: &[Input]) {
        let (running, vocabulary) = (&mut self.running, &*self.vocabulary);
        let computed = self.backend.decode(batch, &mut |index, logits| {
            let slot = batch.get(index).map(|input| input.slot);
            if let Some(sequence) = running.iter_mut().find(|sequence| Some(sequence.slot()) == slot) {
                sequence.continue_with(logits, vocabulary);
            }
        });
        let Err(failed) = computed else { return };
        tracing::warn!(error = %failed, tokens = batch.len(), "a step failed; its sequences end");
        for sequence in &mut self.running {
            if batch.iter().any(|input| input.slot == sequence.slot()) {
                sequence.fail(failed.clone());
            }
        }
    }

    /// Frees what ended sequences held.
    fn retire(&mut self) {
        for index in (0..self.running.len()).rev() {
            if !self.running.get(index).is_some_and(Sequence::has_ended) {
                continue;
            }
            let sequence = self.running.remove(index);
            self.backend.forget(sequence.slot());
            self.free_slots.push(sequence.slot());
            self.free_cells += sequence.cells();
            self.load.active.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
