//! Guessing ahead: what may come next is computed beside what comes, so that a step that reads the weights once may bring several tokens. Two
//! guess: `lookup`, from what stood before, and `draft`, a smaller model where there is one. What is answered is what would have been answered
//! without: each guess is compared with what the sampler then chooses. Guesses cost time where they are wrong, so they stop where they lose.

use std::time::Duration;

use super::{draft::Draft, lookup};
use crate::backend::Token;

/// What a guessed token costs, in steps: measured with 4-bit weights on a processor, where four tokens take 1.6 times as long as one, eight
/// three times and sixteen four times.
const COST: f32 = 0.25;
/// Sequences that answer in one step from which on a guess costs it as much as it can save, because every token does.
const MANY: usize = 4;
/// Steps that guesses may lose at first, and of every step after: so no answer takes much longer for them.
const CREDIT: f32 = 1.0;
const ALLOWANCE: f32 = 0.02;
/// What is saved up for worse times, at most.
const MOST: f32 = 4.0;

/// Whoever guesses.
pub(super) trait Guesser {
    /// At most `most` tokens that may follow `history`, which is that of the sequence that arrived as `arrival`.
    fn guess(&mut self, arrival: u64, history: &[Token], most: usize) -> Vec<Token>;
    /// The sequence is over, or has made way.
    fn forget(&mut self, arrival: u64);
}

/// How well one guesser does for one sequence: an account of what its guesses have brought and cost, and they may cost little more than they
/// have brought.
#[derive(Debug)]
pub(super) struct Trust {
    /// Steps that guesses have saved, less those that they have cost.
    balance: f32,
}

impl Default for Trust {
    fn default() -> Self {
        Trust { balance: CREDIT }
    }
}

impl Trust {
    /// How many guesses at such a cost can be afforded now, of at most `most`. Once a step.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most MOST / COST, and never negative"
    )]
    fn wants(&mut self, most: usize, cost: f32) -> usize {
        self.balance = (self.balance + ALLOWANCE).min(MOST);
        most.min((self.balance.max(0.0) / cost) as usize)
    }

    /// Of `guessed` tokens the first `right` were what came.
    #[expect(clippy::cast_precision_loss, reason = "a handful of tokens")]
    fn learn(&mut self, guessed: usize, right: usize, cost: f32) {
        self.balance += right as f32 - guessed as f32 * cost;
    }
}

/// Who guessed last for a sequence, and how well each does.
#[derive(Debug, Default)]
pub(super) struct Record {
    lookup: Trust,
    draft: Trust,
    /// What a guess costs in this step.
    cost: f32,
    by_draft: bool,
    /// Tokens that the draft guessed, and those that came.
    pub(super) drafted: u32,
    pub(super) accepted: u32,
}

impl Record {
    /// So many sequences answer in the next step.
    #[expect(clippy::cast_precision_loss, reason = "at most MANY")]
    pub(super) fn beside(&mut self, answering: usize) {
        self.cost = COST * answering.clamp(1, MANY) as f32;
    }

    /// Of `guessed` tokens the first `right` were what came.
    pub(super) fn learn(&mut self, guessed: usize, right: usize) {
        if !self.by_draft {
            return self.lookup.learn(guessed, right, self.cost);
        }
        self.draft.learn(guessed, right, self.cost);
        let count = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
        self.drafted = self.drafted.saturating_add(count(guessed));
        self.accepted = self.accepted.saturating_add(count(right));
    }

    /// Whether the draft made the guesses of this step.
    pub(super) fn is_by_draft(&self) -> bool {
        self.by_draft
    }
}

/// Everybody who guesses.
#[derive(Default)]
pub(super) struct Guessers {
    lookup: lookup::Lookup,
    draft: Option<Draft>,
}

impl Guessers {
    pub(super) fn new(draft: Option<Draft>) -> Self {
        Guessers { lookup: lookup::Lookup, draft }
    }

    /// What stood before costs nothing to look up; the draft is asked where nothing did and it may be.
    pub(super) fn guess(
        &mut self,
        record: &mut Record,
        arrival: u64,
        history: &[Token],
        most: usize,
        asks_draft: bool,
    ) -> Vec<Token> {
        record.by_draft = false;
        let wanted = record.lookup.wants(most, record.cost);
        let mut found = if wanted > 0 { self.lookup.guess(arrival, history, wanted) } else { Vec::new() };
        // Nobody answers with a picture.
        found.truncate(found.iter().position(|token| *token < 0).unwrap_or(found.len()));
        let Some(draft) = self.draft.as_mut().filter(|_| found.is_empty() && asks_draft) else { return found };
        if !draft.is_worth_it() {
            return found;
        }
        record.by_draft = true;
        match record.draft.wants(most, record.cost) {
            0 => Vec::new(),
            wanted => draft.guess(arrival, history, wanted),
        }
    }

    pub(super) fn forget(&mut self, arrival: u64) {
        self.lookup.forget(arrival);
        if let Some(draft) = &mut self.draft {
            draft.forget(arrival);
        }
    }

    /// A step that only answered took `time`: for `answering` sequences, of which those with guesses of the draft were brought `right` of them.
    pub(super) fn observe(&mut self, answering: usize, right: usize, time: Duration) {
        if let Some(draft) = &mut self.draft {
            draft.observe(answering, right, time);
        }
    }

    /// A step also read a prompt, so that nothing can be told from its time.
    pub(super) fn pass_over(&mut self) {
        self.draft.iter_mut().for_each(Draft::pass_over);
    }
}

#[cfg(test)]
mod tests {
    use super::{COST, Record, Trust};

    #[test]
    fn guesses_grow_where_they_are_right_and_cost_next_to_nothing_where_they_are_wrong() {
        let mut trust = Trust::default();
        let mut lengths = [0; 4];
        for length in &mut lengths {
            *length = trust.wants(15, COST);
            trust.learn(*length, *length, COST);
        }
        assert_eq!(lengths, [4, 15, 15, 15]);

        let mut trust = Trust::default();
        let mut wrong = 0;
        for _ in 0..1000 {
            let guessed = trust.wants(15, COST);
            trust.learn(guessed, 0, COST);
            wrong += guessed;
        }
        assert!((60..=90).contains(&wrong), "{wrong} wrong guesses in 1000 steps");
    }

    #[test]
    fn who_answers_beside_many_guesses_little() {
        let mut record = Record::default();
        record.beside(1);
        assert_eq!(record.lookup.wants(15, record.cost), 4);
        record.beside(8);
        assert_eq!(record.lookup.wants(15, record.cost), 1);
    }
}
