//! A passing turn once its answer has begun: what the door that took it reads, and books at the end. How it begins is `turn.rs`'s.

use domain::{Batch, TurnId};
use ledger::Permit;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::answer::{Answer, Ending};
use crate::turn::outcome;

/// A passing turn's answer, read by its door. Dropping it before [`Passing::settle`] is a client that left: the back end is told
/// at once, and what was delivered is settled.
#[derive(Debug)]
pub struct Passing {
    /// Which turn.
    pub turn: TurnId,
    pub(crate) answer: Answer,
    pub(crate) permit: Permit,
    /// The house stays open for it.
    pub(crate) _going_on: TaskTrackerToken,
}

impl Passing {
    /// Parameters of the request that the model's dialect has no word for.
    pub fn dropped(&self) -> &[String] {
        &self.answer.reply().dropped
    }

    /// The media type of the bytes, where they are neither the dialect's JSON nor its events.
    pub fn content_type(&self) -> Option<&str> {
        self.answer.reply().content_type.as_deref()
    }

    /// The next batch; `None` when the answer has ended, well or not.
    pub async fn next(&mut self) -> Option<Batch> {
        self.answer.next(&mut self.permit).await
    }

    /// Books the turn, and returns how it ended once that is on disk. The door writes its last bytes after this.
    pub async fn settle(self) -> Ending {
        let ending = self.answer.ending();
        if let Err(error) = self.permit.settle(outcome(ending.clone(), None)).await {
            tracing::error!(turn = %self.turn, %error, "the usage of a turn could not be stored");
        }
        ending
    }
}
