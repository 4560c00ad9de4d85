//! The right of one turn to use tokens. It is settled exactly once: by [`Permit::settle`], or, where the turn was cancelled or
//! panicked, when it is dropped.

use domain::{Caller, ConversationId, Failure, Finish, Timestamp, Tokens, TurnId, Usage};
use store::{FinalAnswer, Receipt, Record, Settled, Slot};

use crate::purse::Purses;
use crate::{Error, Ledger};

/// How a turn ended, for its usage row.
#[derive(Debug, Clone)]
pub struct Outcome {
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
    /// The kept answer, which is written in the same commit as the usage.
    pub answer: Option<(ConversationId, FinalAnswer)>,
}

impl Outcome {
    /// Nothing was delivered and nothing is charged.
    pub fn nothing(finish: Finish) -> Self {
        Outcome { usage: Usage::default(), finish, failure: None, ttft_ms: None, tpot_us: None, answer: None }
    }
}

/// Tokens held for one turn.
#[derive(Debug)]
pub struct Permit {
    ledger: Ledger,
    slot: Option<Slot>,
    purses: Purses,
    held: u64,
    turn: TurnId,
    caller: Caller,
    model: String,
    provider: String,
    door: &'static str,
    started_at: Timestamp,
    /// What is booked when the permit is dropped: kept up to date by whoever follows the answer.
    delivered: Usage,
}

impl Permit {
    pub(crate) fn new(
        ledger: Ledger,
        slot: Slot,
        purses: Purses,
        turn: TurnId,
        caller: Caller,
        model: &str,
        door: &'static str,
    ) -> Self {
        let started_at = ledger.clock.now();
        Permit {
            ledger,
            slot: Some(slot),
            purses,
            held: 0,
            turn,
            caller,
            model: model.to_owned(),
            provider: String::new(),
            door,
            started_at,
            delivered: Usage::default(),
        }
    }

    /// Which turn.
    pub fn turn(&self) -> TurnId {
        self.turn
    }

    /// Whose.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The model as it was asked for.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The door it came through.
    pub fn door(&self) -> &'static str {
        self.door
    }

    /// When it was admitted.
    pub fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// Notes which provider answers.
    pub fn answered_by(&mut self, provider: &str) {
        provider.clone_into(&mut self.provider);
    }

    /// Holds tokens for the prompt and at most `answer` more: all of them, or what is left of the day where the prompt and one
    /// token fit. Says how many the answer may have.
    pub fn hold(&mut self, prompt: Tokens, answer: Tokens) -> Result<Tokens, Error> {
        let prompt = u64::from(prompt.0);
        let wanted = prompt + u64::from(answer.0).max(1);
        let held = self.purses.hold(wanted, prompt + 1, self.ledger.resets_at())?;
        self.held += held;
        Ok(Tokens(u32::try_from(held - prompt).unwrap_or(u32::MAX)))
    }

    /// Notes what has been delivered so far, and extends the hold when the answer grows past it. An answer that passes what is
    /// left of the day is refused here; it is then stopped, not overdrawn.
    pub fn delivered(&mut self, usage: Usage) -> Result<(), Error> {
        self.delivered = usage;
        let total = u64::from(usage.total().0);
        if total <= self.held || !self.purses.limited() {
            return Ok(());
        }
        let more = total - self.held;
        self.held += self.purses.hold(more + EXTENSION, more, self.ledger.resets_at())?;
        Ok(())
    }

    /// Books the turn: gives the hold back, counts what was used, and writes the usage row (with the answer and the audit
    /// record) in one commit. Await it before the last event leaves.
    pub fn settle(mut self, outcome: Outcome) -> impl Future<Output = Result<(), store::Error>> + Send + use<> {
        // Booked here and now; the future only waits for the commit.
        let receipt = self.slot.take().map(|slot| self.book(slot, outcome));
        async move {
            match receipt {
                Some(receipt) => receipt.await,
                None => Ok(()),
            }
        }
    }

    /// Gives back what was held as if the turn had never been: for one whose question was refused before it was stored.
    pub fn withdraw(mut self) {
        self.slot = None;
        self.purses.settle(self.held, 0);
    }

    /// What has been delivered so far.
    pub fn delivered_so_far(&self) -> Usage {
        self.delivered
    }

    fn book(&mut self, slot: Slot, outcome: Outcome) -> Receipt {
        self.purses.settle(self.held, u64::from(outcome.usage.total().0));
        self.ledger.meters.count(&outcome, &self.model, self.door);
        let (conversation, answer) = outcome.answer.unzip();
        let settled = Settled {
            turn: self.turn,
            caller: self.caller,
            conversation,
            model: std::mem::take(&mut self.model),
            provider: std::mem::take(&mut self.provider),
            door: self.door,
            usage: outcome.usage,
            finish: outcome.finish,
            failure: outcome.failure,
            started_at: self.started_at,
            finished_at: self.ledger.clock.now(),
            ttft_ms: outcome.ttft_ms,
            tpot_us: outcome.tpot_us,
            answer,
        };
        self.ledger.writer.try_submit(slot, Record::Settled(Box::new(settled)))
    }
}

/// Tokens by which a hold grows at a time, so that a long answer does not ask for every token.
const EXTENSION: u64 = 256;

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(slot) = self.slot.take() else { return };
        let outcome = Outcome { usage: self.delivered, ..Outcome::nothing(Finish::Cancelled) };
        drop(self.book(slot, outcome));
    }
}
