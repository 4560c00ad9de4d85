//! Starts of turns that wait a moment for their end. One that ends meanwhile needs no `started` row at all, and the row's
//! insertion and deletion are a third of what a short turn costs the database. They wait beside the writer's queue, not in it:
//! nobody is woken for a row that is probably never written.
//!
//! What a crash can lose by it is the row of a turn that had run for less than [`GRACE`], and that row would say that nothing
//! was written: recovery knows no text of a passing turn.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::TurnId;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::job::Job;
use super::record::Record;

/// How long a start waits: one tick of the delta log.
const GRACE: Duration = Duration::from_millis(100);

/// Bounded by the open turns, like everything that waits here.
#[derive(Default)]
pub(crate) struct Early {
    waiting: Mutex<Waiting>,
    /// One waits, and the room does not look at the clock for any.
    first: Notify,
}

#[derive(Default)]
struct Waiting {
    jobs: HashMap<TurnId, Job>,
    /// In the order in which they came; those that have ended meanwhile are still named.
    due: VecDeque<(Instant, TurnId)>,
    /// Whether the room looks at the clock.
    watched: bool,
    closed: bool,
}

impl Early {
    /// Lets a start wait. Where the store is closed it is dropped, and its receipt says so.
    pub(super) fn wait(&self, turn: TurnId, job: Job) {
        let mut waiting = self.lock();
        if waiting.closed {
            return;
        }
        waiting.due.push_back((Instant::now() + GRACE, turn));
        waiting.jobs.insert(turn, job);
        if !std::mem::replace(&mut waiting.watched, true) {
            self.first.notify_one();
        }
    }

    /// Rings when the room has to ask for [`Early::due`] although its clock has not.
    pub(super) async fn first(&self) {
        self.first.notified().await;
    }

    /// When the first of them has to be written. Whoever asks looks at the clock until then, and then asks again.
    pub(super) fn due(&self) -> Option<Instant> {
        let mut waiting = self.lock();
        let due = waiting.due.front().map(|(due, _)| *due);
        waiting.watched = due.is_some();
        due
    }

    /// What of `jobs` is to be written now: ends with their starts before them, starts that have waited long enough, and all
    /// that is neither.
    pub(super) fn sift(&self, jobs: Vec<Job>, now: Instant) -> Vec<Job> {
        let mut waiting = self.lock();
        let mut out = Vec::with_capacity(2 * jobs.len());
        for job in jobs {
            if let Record::Settled(settled) = &job.record {
                out.extend(waiting.jobs.remove(&settled.turn));
            }
            out.push(job);
        }
        while let Some((due, turn)) = waiting.due.front().copied() {
            // Ended meanwhile, or out of time.
            if due > now && waiting.jobs.contains_key(&turn) {
                break;
            }
            if let Some(mut job) = waiting.jobs.remove(&turn) {
                job.came += GRACE;
                out.push(job);
            }
            waiting.due.pop_front();
        }
        out
    }

    /// All of them, and no more: nothing that ends will come any more.
    pub(super) fn rest(&self) -> Vec<Job> {
        let mut waiting = self.lock();
        waiting.closed = true;
        let Waiting { jobs, due, .. } = &mut *waiting;
        due.drain(..).filter_map(|(_, turn)| jobs.remove(&turn)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
