//! One request from its prompt to its last token: what it chose, what it may show. It knows no other sequence, and nothing of itself is lost
//! when its place in the cache is: prompt and answer are one history, of which the cache holds a beginning.

use std::{collections::VecDeque, ops::Range, sync::Arc, time::Duration};

use tokio::sync::mpsc::Sender;

use super::{
    KEPT_FREE,
    adapters::Claim,
    guesses::{Guessers, Record},
    turns::{Flow, Priority},
};
use crate::{
    backend::{Adapter, Failed, Rows, Slot, Token, Vocabulary},
    confidence::{Confidence, Tally},
    grammar::{Constraint, Form},
    sampler::{Likelihood, Sampler, Sampling},
    text::Text,
};

/// What is asked of the model.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The prompt; never empty.
    pub prompt: Vec<Token>,
    /// What is at those of its tokens that are places of pictures; held as long as the request is.
    pub pictures: Vec<Arc<Rows>>,
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
    /// Whether to tell how sure the model was of its answer.
    pub confidence: bool,
    /// Goes on after a token that would end the answer (for measurements).
    pub ignore_end: bool,
    /// What the answer has to be; anything by default.
    pub form: Option<Form>,
    /// Who asks: people share the model evenly, however many requests each has. Nobody in particular by default.
    pub person: String,
    /// How urgent it is.
    pub priority: Priority,
    /// The adapter to answer with.
    pub adapter: Option<Adapter>,
    /// Whether to tell its place while it waits ([`Event::Queued`]).
    pub tell_place: bool,
}

/// A request with the way back to its reader.
pub(super) struct Ask {
    pub(super) request: Request,
    pub(super) events: Sender<Event>,
    /// Keeps its adapter attached.
    pub(super) _claim: Option<Claim>,
}

/// What a reader gets: deltas, then one end.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It waits, `position` from 1, and will begin in about `wait` where that can be told. Again whenever it has moved up.
    Queued {
        /// 1 is the next to begin.
        position: u32,
        /// From what has begun lately.
        wait: Option<Duration>,
    },
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
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Tokens of the prompt.
    pub prompt: u32,
    /// Tokens that the model chose, the one that ended the answer included.
    pub completion: u32,
    /// How sure it was of them, where that was asked.
    pub confidence: Option<Confidence>,
    /// Those of the prompt that had been computed for others before.
    pub cached: u32,
    /// Tokens that a draft model guessed, and how many of them came.
    pub drafted: u32,
    /// See [`drafted`](Self::drafted).
    pub accepted: u32,
}

pub(super) struct Sequence {
    ask: Ask,
    /// Counts requests in the order that they came.
    pub(super) arrival: u64,
    pub(super) flow: Flow,
    /// Its place in the cache while it runs.
    pub(super) slot: Option<Slot>,
    /// How often it had to give its place to others.
    pub(super) preempted: u32,
    /// It was in a batch that failed: it is tried alone.
    pub(super) suspect: bool,
    /// The prompt and what was answered.
    history: Vec<Token>,
    prompt: usize,
    /// Tokens of the prompt that others had computed.
    cached: u32,
    told_position: u32,
    sampler: Sampler,
    constraint: Option<Constraint>,
    text: Text,
    bytes_taken: usize,
    bytes_shown: usize,
    unshown: VecDeque<(usize, Scored)>,
    tally: Tally,
    pub(super) guesses: Record,
    /// What the present step has brought and the reader has not been told.
    news: Delta,
    end: Option<Event>,
    ended: bool,
}

impl Sequence {
    pub(super) fn new(mut ask: Ask, arrival: u64) -> Self {
        let request = &mut ask.request;
        let history = std::mem::take(&mut request.prompt);
        Sequence {
            arrival,
            flow: Flow { person: std::mem::take(&mut request.person).into(), priority: request.priority },
            slot: None,
            preempted: 0,
            suspect: false,
            prompt: history.len(),
            cached: 0,
            told_position: 0,
            sampler: Sampler::new(request.sampling.clone(), &history),
            history,
            constraint: request.form.take().map(Constraint::new),
            text: Text::new(request.stops.clone()),
            bytes_taken: 0,
            bytes_shown: 0,
            unshown: VecDeque::new(),
            tally: Tally::default(),
            guesses: Record::default(),
            news: Delta::default(),
            end: None,
            ended: false,
            ask,
        }
    }

    pub(super) fn adapter(&self) -> Option<Adapter> {
        self.ask.request.adapter
    }

    /// Prompt and answer so far; the last token has always still to be computed.
    pub(super) fn history(&self) -> &[Token] {
        &self.history
    }

    /// Tokens of the history, of which the cache holds `held`, that have to be computed.
    pub(super) fn pending(&self, held: u32) -> u32 {
        u32::try_from(self.history.len()).unwrap_or(u32::MAX).saturating_sub(held)
    }

    /// So many tokens of the prompt were there already. What it finds again after it had to make way is its own.
    pub(super) fn finds(&mut self, tokens: u32) {
        if self.preempted == 0 {
            self.cached += tokens;
        }
    }

    /// Tokens that may still be answered.
    pub(super) fn left(&self) -> u32 {
        self.ask.request.max_tokens.saturating_sub(self.answered())
    }

    fn answered(&self) -> u32 {
        u32::try_from(self.history.len() - self.prompt).unwrap_or(u32::MAX)
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

    /// Tells a reader who wants to know its place in the queue where it has changed.
    pub(super) fn tell_position(&mut self, position: u32, wait: Option<Duration>) {
        let worth_telling = self.ask.request.tell_place && self.answered() == 0 && position != self.told_position;
        // A reader with little room left is behind already, and such news grow old.
        if worth_telling && self.ask.events.capacity() > 2 * KEPT_FREE {
            self.told_position = position;
            self.send(Event::Queued { position, wait });
        }
    }

    /// Tokens that may follow the history, at most `most` in a step where so many are answering: fewer than may still be answered, so that one is
    /// always chosen after them.
    pub(super) fn guess(&mut self, guessers: &mut Guessers, most: usize, answering: usize) -> Vec<Token> {
        let most = most.min(self.left().saturating_sub(1) as usize);
        if most == 0 {
            return Vec::new();
        }
        self.guesses.beside(answering);
        // A smaller model has not seen the pictures.
        let asks_draft = self.ask.request.pictures.is_empty();
        guessers.guess(&mut self.guesses, self.arrival, &self.history, most, asks_draft)
    }

    /// Where in the history the picture is that holds `at` and whose places are computed all at once, where there is one.
    pub(super) fn whole_picture(&self, at: usize) -> Option<Range<usize>> {
        let token = *self.history.get(at).filter(|token| **token < 0)?;
        let rows = self.ask.request.pictures.iter().find(|rows| rows.whole && rows.tokens().contains(&token))?;
        let begin = at.checked_sub(usize::try_from(token.checked_sub(rows.first)?).ok()?)?;
        Some(begin..begin + rows.len as usize)
    }

    /// Whether its last token is `token` and it goes on.
    pub(super) fn went_on_with(&self, token: Token) -> bool {
        self.end.is_none() && !self.ended && self.history.last() == Some(&token)
    }

    /// Chooses a token from `logits`; what it brings is told at the end of the step.
    pub(super) fn continue_with(&mut self, logits: &[f32], vocabulary: &dyn Vocabulary) {
        let chosen = match &mut self.constraint {
            Some(constraint) => self.sampler.choose_within(logits, constraint),
            None => Some(self.sampler.choose(logits)),
        };
        let Some(token) = chosen else {
            return self.end(Event::Failed("no token of this model goes on as the grammar of the answer wants".into()));
        };
        self.history.push(token);
        let likelihood = self.likelihood(token, logits);
        if vocabulary.ends(token) && !self.ask.request.ignore_end {
            return self.finish(Finish::Stop);
        }
        let mut bytes = Vec::new();
        vocabulary.decode(token, self.ask.request.opening && self.answered() == 1, &mut bytes);
        self.score(token, &bytes, likelihood, vocabulary);
        self.bytes_taken += bytes.len();
        let shown = self.text.push(&bytes);
        self.tell(shown.text, false);
        if shown.stopped {
            return self.end(Event::Finished(Finish::Stop, self.usage()));
        }
        if self.constraint.as_ref().is_some_and(Constraint::is_done) {
            return self.finish(Finish::Stop);
        }
        if self.left() == 0 {
            self.finish(Finish::Length);
        }
    }

    /// How likely the chosen token was, where somebody wants to know it; the one that ends the answer counts, too.
    fn likelihood(&mut self, token: Token, logits: &[f32]) -> Option<Likelihood> {
        let Request { likelihoods, confidence, .. } = self.ask.request;
        if likelihoods.is_none() && !confidence {
            return None;
        }
        let likelihood = Likelihood::of(logits, token, likelihoods.unwrap_or(0));
        self.tally.add(likelihood.chosen);
        likelihoods.and(Some(likelihood))
    }

    fn score(&mut self, token: Token, bytes: &[u8], likelihood: Option<Likelihood>, vocabulary: &dyn Vocabulary) {
        let Some(likelihood) = likelihood else { return };
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
        self.news.text.push_str(&text);
        self.news.tokens.append(&mut tokens);
    }

    /// Tells the reader what the step has brought. These are at most two events, and a sequence with less room than that is paused: so only a
    /// reader that left loses one.
    pub(super) fn flush(&mut self) {
        let news = std::mem::take(&mut self.news);
        if news != Delta::default() {
            self.send(Event::Delta(news));
        }
        if let Some(end) = self.end.take() {
            self.send(end);
            self.ended = true;
        }
    }

    fn finish(&mut self, why: Finish) {
        let rest = self.text.finish();
        self.tell(rest, true);
        self.end(Event::Finished(why, self.usage()));
    }

    pub(super) fn fail(&mut self, failed: &Failed) {
        self.end(Event::Failed(failed.to_string()));
        self.flush();
    }

    fn usage(&self) -> Usage {
        let prompt = u32::try_from(self.prompt).unwrap_or(u32::MAX);
        let Record { drafted, accepted, .. } = self.guesses;
        let (completion, confidence, cached) = (self.answered(), self.tally.confidence(), self.cached);
        Usage { prompt, completion, confidence, cached, drafted, accepted }
    }

    fn end(&mut self, event: Event) {
        self.end = Some(event);
    }

    fn send(&mut self, event: Event) {
        if self.ask.events.try_send(event).is_err() {
            self.ended = true;
        }
    }
}
