//! Starts of turns that wait a moment for their end. One that ends meanwhile needs no `started` row at all, and the row's
//! insertion and deletion are a third of what a short turn costs the database.
//!
//! What a crash can lose by it is the row of a turn that had run for less than [`GRACE`], and that row would say that nothing
//! was written: recovery knows no text of a passing turn.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use domain::TurnId;
use tokio::time::Instant;

use super::record::Record;
use super::room::Job;

/// How long a start waits: one tick of the delta log.
const GRACE: Duration = Duration::from_millis(100);

/// Bounded by the open turns, like everything that waits here.
#[derive(Default)]
pub(super) struct Early {
    waiting: HashMap<TurnId, Job>,
    /// In the order in which they came; those that have ended meanwhile are still named.
    due: VecDeque<(Instant, TurnId)>,
}

impl Early {
    /// When the first of them has to be written.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.front().map(|(due, _)| *due)
    }

    /// What of `jobs` is to be written now: ends with their starts before them, starts that have waited long enough, and all
    /// that is neither.
    pub(super) fn sift(&mut self, jobs: Vec<Job>, now: Instant) -> Vec<Job> {
        let mut out = Vec::with_capacity(jobs.len());
        for job in jobs {
            match &job.record {
                Record::Started(started) => {
                    let turn = started.turn;
                    self.due.push_back((now + GRACE, turn));
                    out.extend(self.waiting.insert(turn, job));
                }
                Record::Settled(settled) => {
                    out.extend(self.waiting.remove(&settled.turn));
                    out.push(job);
                }
                _ => out.push(job),
            }
        }
        while let Some((due, turn)) = self.due.front() {
            // Ended meanwhile, or out of time.
            if *due > now && self.waiting.contains_key(turn) {
                break;
            }
            if let Some(mut job) = self.waiting.remove(turn) {
                job.came += GRACE;
                out.push(job);
            }
            self.due.pop_front();
        }
        out
    }

    /// All of them: nothing that ends will come any more.
    pub(super) fn rest(&mut self) -> Vec<Job> {
        let waiting = &mut self.waiting;
        self.due.drain(..).filter_map(|(_, turn)| waiting.remove(&turn)).collect()
    }
}
