//! One request from its prompt to its last token: what it feeds, what it chose, what it may show. It knows no other sequence.

use std::collections::VecDeque;

use tokio::sync::mpsc::Sender;

use super::KEPT_FREE;
use crate::{
    backend::{Failed, Input, Slot, Token, Vocabulary},
    sampler::{Likelihood, Sampler, Sampling},
    text::Text,
};

/// What is asked of the model.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The prompt; never empty.
    pub prompt: Vec<Token>,
    /// Whether the prompt holds no text, so that the answer's first token opens it.
    pub opening: bool,
    /// Most tokens of the answer; with the prompt it fits the context.
    pub max_tokens: u32,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// The answer ends before the first of these.
    pub stops: Vec<String>,
    /// How many alternatives to score beside each token; `None` scores nothing.
    pub likelihoods: Option<usize>,
    /// Goes on after a token that would end the answer (for measurements).
    pub ignore_end: bool,
}

/// A request with the way back to its reader.
pub(super) struct Ask {
    pub(super) request: Request,
    pub(super) events: Sender<Event>,
}

impl Ask {
    pub(super) fn cells(&self) -> u32 {
        u32::try_from(self.request.prompt.len()).unwrap_or(u32::MAX).saturating_add(self.request.max_tokens)
    }
}

/// What a reader gets: deltas, then one end.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// More of the answer.
    Delta(Delta),
    /// The answer is whole.
    Finished(Finish, Usage),
    /// The model could not go on.
    Failed(String),
}

/// A piece of the answer: whole characters, and the scores of the tokens that are now shown.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delta {
    /// The text; may be empty when only scores come.
    pub text: String,
    /// The tokens, when scores were asked for.
    pub tokens: Vec<Scored>,
}

/// A token with its log probability and the likeliest ones in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The token that was chosen.
    pub token: Token,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The log probabilities.
    pub likelihood: Likelihood,
    /// Bytes of the likeliest tokens, in the order of the likelihood.
    pub top_bytes: Vec<Vec<u8>>,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model ended it, or a stop string was met.
    Stop,
    /// It reached its longest length.
    Length,
}

/// Tokens of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: u32,
    /// Tokens that the model chose, the one that ended the answer included.
    pub completion: u32,
}

pub(super) struct Sequence {
    slot: Slot,
    ask: Ask,
    fed: usize,
    next: Option<Token>,
    answered: u32,
    sampler: Sampler,
    text: Text,
    bytes_taken: usize,
    bytes_shown: usize,
    unshown: VecDeque<(usize, Scored)>,
    ended: bool,
}

impl Sequence {
    pub(super) fn new(ask: Ask, slot: Slot) -> Self {
        let request = &ask.request;
        Sequence {
            slot,
            fed: 0,
            next: None,
            answered: 0,
            sampler: Sampler::new(request.sampling.clone(), &request.prompt),
            text: Text::new(request.stops.clone()),
            bytes_taken: 0,
            bytes_shown: 0,
            unshown: VecDeque::new(),
            ended: false,
            ask,
        }
    }

    pub(super) fn slot(&self) -> Slot {
        self.slot
    }

    pub(super) fn cells(&self) -> u32 {
        self.ask.cells()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the reader is so far behind that nothing more is computed for it.
    pub(super) fn is_paused(&self) -> bool {
        self.ask.events.capacity() < KEPT_FREE
    }

    /// Ends the sequence when its reader has left.
    pub(super) fn notice_reader(&mut self) {
        self.ended |= self.ask.events.is_closed();
    }

    /// The token to compute next, when the prompt is done.
    pub(super) fn next_input(&self) -> Option<Input> {
        if self.is_paused() {
            return None;
        }
        let position = u32::try_from(self.ask.request.prompt.len()).ok()? + self.answered - 1;
        Some(Input { slot: self.slot, position, token: self.next?, wants_logits: true })
    }

    /// Adds up to `room` tokens of the prompt to `batch`.
    pub(super) fn feed_prompt(&mut self, room: usize, batch: &mut Vec<Input>) {
        let prompt = &self.ask.request.prompt;
        let end = prompt.len().min(self.fed.saturating_add(room));
        for (position, &token) in (0_u32..).zip(prompt).take(end).skip(self.fed) {
            let wants_logits = position as usize + 1 == prompt.len();
            batch.push(Input { slot: self.slot, position, token, wants_logits });
        }
        self.fed = end;
    }

    /// Chooses a token from `logits` and tells the reader what it brings.
    pub(super) fn continue_with(&mut self, logits: &[f32], vocabulary: &dyn Vocabulary) {
        let token = self.sampler.choose(logits);
        self.answered += 1;
        if vocabulary.ends(token) && !self.ask.request.ignore_end {
            return self.finish(Finish::Stop);
        }
        let mut bytes = Vec::new();
        vocabulary.decode(token, self.ask.request.opening && self.answered == 1, &mut bytes);
        self.score(token, &bytes, logits, vocabulary);
        self.bytes_taken += bytes.len();
        let shown = self.text.push(&bytes);
        self.tell(shown.text, false);
        if shown.stopped {
            return self.end(Event::Finished(Finish::Stop, self.usage()));
        }
        if self.answered >= self.ask.request.max_tokens {
            return self.finish(Finish::Length);
        }
        self.next = Some(token);
    }

    fn score(&mut self, token: Token, bytes: &[u8], logits: &[f32], vocabulary: &dyn Vocabulary) {
        let Some(top) = self.ask.request.likelihoods else { return };
        let likelihood = Likelihood::of(logits, token, top);
        let bytes_of = |&(token, _): &(Token, f32)| {
            let mut bytes = Vec::new();
            vocabulary.decode(token, false, &mut bytes);
            bytes
        };
        let top_bytes = likelihood.top.iter().map(bytes_of).collect();
        self.unshown.push_back((self.bytes_taken, Scored { token, bytes: bytes.to_vec(), likelihood, top_bytes }));
    }

    /// Sends `text` with the scores of the tokens that begin before its end; `last` sends those that show nothing, too.
    fn tell(&mut self, text: String, last: bool) {
        self.bytes_shown += text.len();
        let shown = self.bytes_shown;
        let mut tokens = Vec::new();
        while let Some((start, scored)) = self.unshown.pop_front() {
            if last || start < shown || (start == shown && scored.bytes.is_empty()) {
                tokens.push(scored);
            } else {
                self.unshown.push_front((start, scored));
                break;
            }
        }
        if !text.is_empty() || !tokens.is_empty() {
            self.send(Event::Delta(Delta { text, tokens }));
        }
    }

    fn finish(&mut self, why: Finish) {
        let rest = self.text.finish();
        self.tell(rest, true);
        self.end(Event::Finished(why, self.usage()));
    }

    pub(super) fn fail(&mut self, failed: Failed) {
        self.end(Event::Failed(failed.to_string()));
    }

    fn usage(&self) -> Usage {
        let prompt = u32::try_from(self.ask.request.prompt.len()).unwrap_or(u32::MAX);
        Usage { prompt, completion: self.answered }
    }

    fn end(&mut self, event: Event) {
        self.send(event);
        self.ended = true;
    }

    /// A step sends at most two events, and a sequence with less room than that is paused: so only a reader that left loses one.
    fn send(&mut self, event: Event) {
        if self.ask.events.try_send(event).is_err() {
            self.ended = true;
        }
    }
}
