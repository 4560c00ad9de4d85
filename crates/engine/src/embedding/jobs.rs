//! Whose texts are computed when: one thread owns the model, and each step is one batch of texts, of several requests where they are short.
//! People take turns by tokens as they do for answers, and batches give way; a request whose reader has left is dropped before the next step.
//! It reads no request and pools nothing.

use std::sync::{
    Arc,
    atomic::Ordering,
    mpsc::{Receiver, Sender, TryRecvError, channel},
};

use tokio::sync::oneshot;

use super::Embedder;
use crate::{
    backend::{Failed, Token},
    scheduler::{
        LONGEST_QUEUE, Load, Priority,
        turns::{Flow, Turns},
    },
};

/// Tokens of one step; a longer text goes alone. More would not be faster: what a processor saves by reading the weights less often it spends
/// on the table of all tokens with all others, which grows by the square.
const STEP: usize = 512;
/// What is asked.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// The texts as tokens.
    pub texts: Vec<Vec<Token>>,
    /// Who asks: people get equal shares.
    pub person: String,
    /// How urgent it is.
    pub priority: Priority,
}

/// The numbers of each text, in order, or why there are none.
pub type Outcome = Result<Vec<Vec<f32>>, Failed>;

/// A request was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// Too many wait already: come back later.
    #[error("{0} requests are waiting for the model already")]
    Busy(u32),
    /// A text is longer than what the model reads: a shorter one.
    #[error("text {at} has {tokens} tokens; this model reads {context}")]
    TooLong {
        /// Which, from 0.
        at: usize,
        /// Its tokens.
        tokens: usize,
        /// Most tokens of one text.
        context: u32,
    },
    /// A text has no token, which of some models an empty one has not.
    #[error("text {at} is empty")]
    Empty {
        /// Which, from 0.
        at: usize,
    },
    /// The thread is gone: the worker is about to end.
    #[error("the engine is stopping")]
    Gone,
}

/// Where requests are handed in.
#[derive(Clone)]
pub struct Jobs {
    inbox: Sender<Message>,
    load: Arc<Load>,
    context: u32,
}

enum Message {
    Job(Box<Waiting>),
    Stop,
}

/// A request on its way.
struct Waiting {
    flow: Flow,
    texts: Vec<Vec<Token>>,
    done: Vec<Vec<f32>>,
    reply: oneshot::Sender<Outcome>,
    /// Whether its texts go one by one, because a step with one of them failed.
    suspect: bool,
    failed: Option<Failed>,
}

impl Waiting {
    fn has_ended(&self) -> bool {
        self.failed.is_some() || self.done.len() == self.texts.len() || self.reply.is_closed()
    }
}

impl Jobs {
    /// A queue before `embedder` and the work that its thread has to [`run`](Work::run).
    pub fn new(embedder: Box<dyn Embedder>) -> (Jobs, Work) {
        let (sender, inbox) = channel();
        let load = Arc::new(Load::default());
        let jobs = Jobs { inbox: sender, load: Arc::clone(&load), context: embedder.facts().context };
        (jobs, Work { embedder, inbox, waiting: Vec::new(), turns: Turns::default(), load })
    }

    /// Hands in a request. Its outcome comes through the receiver; dropping that gives the request up.
    ///
    /// # Errors
    /// [`NotTaken`] when it cannot be computed, the queue is full or nobody works any more.
    pub fn submit(&self, job: Job) -> Result<oneshot::Receiver<Outcome>, NotTaken> {
        for (at, text) in job.texts.iter().enumerate() {
            match text.len() {
                0 => return Err(NotTaken::Empty { at }),
                tokens if tokens > self.context as usize => {
                    return Err(NotTaken::TooLong { at, tokens, context: self.context });
                }
                _ => {}
            }
        }
        let ahead = self.load.queued.fetch_add(1, Ordering::Relaxed);
        if ahead >= LONGEST_QUEUE {
            self.load.queued.fetch_sub(1, Ordering::Relaxed);
            return Err(NotTaken::Busy(ahead));
        }
        let (reply, outcome) = oneshot::channel();
        let flow = Flow { person: job.person.into(), priority: job.priority };
        let waiting = Waiting { flow, done: Vec::new(), texts: job.texts, reply, suspect: false, failed: None };
        self.inbox.send(Message::Job(Box::new(waiting))).map_err(|_| {
            self.load.queued.fetch_sub(1, Ordering::Relaxed);
            NotTaken::Gone
        })?;
        Ok(outcome)
    }

    /// Ends the work after its present step; what waits is given up.
    pub fn stop(&self) {
        // Nobody receives any more: it has ended already.
        let _ = self.inbox.send(Message::Stop);
    }

    /// How busy it is.
    pub fn load(&self) -> &Load {
        &self.load
    }
}

/// The queue's own side: the model, and who waits for it, in the order of their arrival.
pub struct Work {
    embedder: Box<dyn Embedder>,
    inbox: Receiver<Message>,
    waiting: Vec<Waiting>,
    turns: Turns,
    load: Arc<Load>,
}

/// One text of a step: whose, by its place among those who wait, and which of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    whose: usize,
    which: usize,
}

impl Work {
    /// Works until it is stopped, or nobody can ask any more.
    pub fn run(mut self) {
        while self.take_in() {
            self.turn();
        }
    }

    /// Takes in what has been asked and computes at most one step, without waiting. False when it is over.
    pub fn advance(&mut self) -> bool {
        let first = self.inbox.try_recv();
        let goes_on = self.enter(first);
        if goes_on {
            self.turn();
        }
        goes_on
    }

    fn take_in(&mut self) -> bool {
        let first = match self.waiting.is_empty() {
            true => self.inbox.recv().map_err(|_| TryRecvError::Disconnected),
            false => self.inbox.try_recv(),
        };
        self.enter(first)
    }

    fn enter(&mut self, first: Result<Message, TryRecvError>) -> bool {
        let mut message = first;
        loop {
            match message {
                Ok(Message::Job(job)) => {
                    self.turns.enter(&job.flow);
                    self.waiting.push(*job);
                }
                Ok(Message::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
            message = self.inbox.try_recv();
        }
    }

    fn turn(&mut self) {
        self.retire();
        let step = self.lay_out();
        if !step.is_empty() {
            self.compute(&step);
        }
        self.retire();
    }

    /// The texts of the next step: whoever has had least gives one, again and again, while they fit.
    fn lay_out(&mut self) -> Vec<Part> {
        let mut step: Vec<Part> = Vec::new();
        let mut left = STEP.min(self.embedder.facts().batch as usize);
        let mut next: Vec<usize> = self.waiting.iter().map(|job| job.done.len()).collect();
        while step.len() < self.embedder.facts().texts as usize {
            let may = |&whose: &usize| next[whose] < self.waiting[whose].texts.len();
            let order = |&whose: &usize| (self.turns.order(&self.waiting[whose].flow), whose);
            let Some(whose) = (0..self.waiting.len()).filter(may).min_by_key(order) else { break };
            let job = &self.waiting[whose];
            let tokens = job.texts[next[whose]].len();
            if !step.is_empty() && (tokens > left || job.suspect) {
                break;
            }
            step.push(Part { whose, which: next[whose] });
            next[whose] += 1;
            left = left.saturating_sub(tokens);
            self.turns.charge(&job.flow, u32::try_from(tokens).unwrap_or(u32::MAX), 0);
            if job.suspect {
                break;
            }
        }
        step
    }

    fn compute(&mut self, step: &[Part]) {
        self.count_begun(step);
        let texts: Vec<&[Token]> =
            step.iter().map(|part| self.waiting[part.whose].texts[part.which].as_slice()).collect();
        let computed = self.embedder.compute(&texts).and_then(|rows| match rows.len() == step.len() {
            true => Ok(rows),
            false => Err(Failed::Broken(format!("{} results for {} texts", rows.len(), step.len()))),
        });
        match computed {
            Ok(rows) => {
                for (part, row) in step.iter().zip(rows) {
                    self.waiting[part.whose].done.push(row);
                }
            }
            Err(failed) => self.bear(step, failed),
        }
    }

    /// A step failed: what was in it is tried again one by one, and what fails alone ends.
    fn bear(&mut self, step: &[Part], failed: Failed) {
        tracing::warn!(error = %failed, texts = step.len(), "a step failed");
        if let [alone] = step {
            self.waiting[alone.whose].failed = Some(failed);
            return;
        }
        for part in step {
            self.waiting[part.whose].suspect = true;
        }
    }

    /// Those whose first text is in this step wait no more.
    fn count_begun(&self, step: &[Part]) {
        let begun = step.iter().filter(|part| part.which == 0 && !self.waiting[part.whose].suspect).count();
        let begun = u32::try_from(begun).unwrap_or(u32::MAX);
        self.load.queued.fetch_sub(begun, Ordering::Relaxed);
        self.load.active.fetch_add(begun, Ordering::Relaxed);
    }

    /// Answers those that are done, and forgets those whose readers have left.
    fn retire(&mut self) {
        for job in self.waiting.extract_if(.., |job| job.has_ended()) {
            self.turns.leave(&job.flow);
            // A suspect has begun, though it may have nothing yet.
            let begun = !job.done.is_empty() || job.suspect || job.failed.is_some();
            let count = if begun { &self.load.active } else { &self.load.queued };
            count.fetch_sub(1, Ordering::Relaxed);
            // The reader may have left by now.
            let _ = job.reply.send(job.failed.map_or(Ok(job.done), Err));
        }
    }
}
