//! A record on its way to the disk, and who is to be told.

use std::time::Duration;

use tokio::sync::oneshot;

use super::record::Record;
use crate::Error;

/// Who asked for a record to be stored is told here.
pub(super) type Answer = oneshot::Sender<Result<(), Error>>;

/// A record on its way.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) record: Record,
    /// When it came; of what waits of our own will, when it became due.
    pub(super) came: Duration,
    pub(super) answers: Vec<Answer>,
}

impl Job {
    pub(crate) fn new(record: Record, came: Duration, answer: Answer) -> Job {
        Job { record, came, answers: vec![answer] }
    }

    /// One that nobody asks after.
    pub(crate) fn unheard(record: Record, came: Duration) -> Job {
        Job { record, came, answers: Vec::new() }
    }

    /// Tells everybody who asked.
    pub(super) fn answer(self, outcome: &Result<(), Error>) {
        for answer in self.answers {
            // Whoever dropped the receipt does not want to know.
            let _ = answer.send(outcome.clone());
        }
    }
}
