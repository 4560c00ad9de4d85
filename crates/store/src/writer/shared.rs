//! What the handle and the loop both look at, and neither owns.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use domain::Clock;
use tokio::sync::Notify;

use super::early::Early;

/// What the handle and the room both look at.
pub(crate) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    /// When the oldest record that is not committed came, in µs of the monotonic clock plus one; 0 for none.
    pub(super) oldest: AtomicU64,
    pub(super) finish: Notify,
    pub(super) commits: AtomicU64,
    /// Starts that are not written yet.
    pub(super) early: Early,
}

impl Shared {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Shared {
        Shared {
            clock,
            oldest: AtomicU64::new(0),
            finish: Notify::new(),
            commits: AtomicU64::new(0),
            early: Early::default(),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    /// Remembers since when something waits.
    pub(super) fn oldest(&self, came: Option<Duration>) {
        let micros = came.map_or(0, |came| u64::try_from(came.as_micros()).unwrap_or(u64::MAX - 1) + 1);
        self.oldest.store(micros, Ordering::Relaxed);
    }
}
