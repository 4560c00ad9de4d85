//! When a back end is left alone: after failures in a row, and for as long as it asks. It counts what went wrong on the way or
//! inside the back end, never what a client asked for; who is asked instead is the router's.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// So many failures in a row open it.
const OPENS_AT: u32 = 5;
/// How long it stays open at first, and at most: it doubles with every trial that fails.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Nobody is believed who asks for more: a trial an hour later helps nobody who waits now.
const LONGEST_COOLING: Duration = Duration::from_secs(60);

/// The breaker of one deployment. Looking at it takes no lock.
pub(crate) struct Breaker {
    began: Instant,
    /// Failures in a row.
    failures: AtomicU32,
    /// How often in a row it was opened.
    opened: AtomicU32,
    /// Until when it is open, in milliseconds after `began`; 0: closed. After that, one trial at a time.
    open_until: AtomicU64,
    /// Whether a request was let through to try it.
    trial: AtomicBool,
    /// Until when the back end asked to be left alone.
    cooling_until: AtomicU64,
}

impl Default for Breaker {
    fn default() -> Self {
        Breaker {
            began: Instant::now(),
            failures: AtomicU32::new(0),
            opened: AtomicU32::new(0),
            open_until: AtomicU64::new(0),
            trial: AtomicBool::new(false),
            cooling_until: AtomicU64::new(0),
        }
    }
}

/// How a breaker stands, as a metric and for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Requests go through.
    Closed,
    /// It is left alone, where another can be asked.
    Open,
    /// The next request tries it.
    HalfOpen,
    /// It asked to be left alone (429 and `Retry-After`).
    Cooling,
}

impl Breaker {
    pub(crate) fn state(&self) -> BreakerState {
        if self.cooling().is_some() {
            return BreakerState::Cooling;
        }
        match self.open_until.load(Ordering::Relaxed) {
            0 => BreakerState::Closed,
            until if until > self.now() => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        }
    }

    /// Whether a request may go to this back end before others.
    pub(crate) fn passes(&self) -> bool {
        let until = self.open_until.load(Ordering::Relaxed);
        until == 0 || until <= self.now()
    }

    /// Goes through, or takes the one trial. A trial that never ends, because its client left, is followed by another one after
    /// the pause.
    pub(crate) fn begin(&self) -> bool {
        let until = self.open_until.load(Ordering::Relaxed);
        if until == 0 {
            return true;
        }
        let now = self.now();
        let taken = until <= now && {
            let next = now + millis(self.pause());
            self.open_until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        if taken {
            self.trial.store(true, Ordering::Relaxed);
        }
        taken
    }

    /// For how long it still wants to be left alone, where it said so.
    pub(crate) fn cooling(&self) -> Option<Duration> {
        let until = self.cooling_until.load(Ordering::Relaxed);
        if until == 0 {
            return None;
        }
        until.checked_sub(self.now()).filter(|left| *left > 0).map(Duration::from_millis)
    }

    /// It answered.
    pub(crate) fn succeed(&self) {
        for counter in [&self.failures, &self.opened] {
            if counter.load(Ordering::Relaxed) != 0 {
                counter.store(0, Ordering::Relaxed);
            }
        }
        for until in [&self.open_until, &self.cooling_until] {
            if until.load(Ordering::Relaxed) != 0 {
                until.store(0, Ordering::Relaxed);
            }
        }
    }

    /// It failed. Returns whether that opened it.
    pub(crate) fn fail(&self) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        // A trial that fails opens it again at once; what fails while it is open was under way before and says nothing new.
        let trial = self.trial.swap(false, Ordering::Relaxed);
        let open = self.open_until.load(Ordering::Relaxed) > self.now();
        if !trial && (open || failures < OPENS_AT) {
            return false;
        }
        let pause = self.pause();
        self.opened.fetch_add(1, Ordering::Relaxed);
        self.open_until.store(self.now() + millis(pause), Ordering::Relaxed);
        true
    }

    /// How often in a row its own failures opened it, and for how long it is open yet; what another portal told does not count.
    pub(crate) fn failing(&self) -> Option<(u32, Duration)> {
        let opened = self.opened.load(Ordering::Relaxed);
        let left = self.open_until.load(Ordering::Relaxed).checked_sub(self.now()).filter(|left| *left > 0)?;
        (opened > 0).then(|| (opened, Duration::from_millis(left)))
    }

    /// It is over its limit, or asked for a pause, without saying that every request must wait: others are asked first.
    pub(crate) fn rest(&self, pause: Duration) {
        self.open_until.fetch_max(self.now() + millis(pause.min(LONGEST_COOLING)), Ordering::Relaxed);
    }

    /// It is over its limit and said until when.
    pub(crate) fn cool(&self, told: Duration) {
        self.cooling_until.fetch_max(self.now() + millis(told.min(LONGEST_COOLING)), Ordering::Relaxed);
    }

    fn pause(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.opened.load(Ordering::Relaxed).min(8));
        FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
    }

    fn now(&self) -> u64 {
        // From 1: a time of 0 means none.
        millis(self.began.elapsed()) + 1
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX >> 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_opens_after_failures_in_a_row_and_lets_one_trial_through() {
        let breaker = Breaker::default();
        for _ in 0..4 {
            assert!(!breaker.fail());
        }
        breaker.succeed();
        for _ in 0..4 {
            assert!(!breaker.fail(), "only those in a row count");
        }
        assert!(breaker.fail());
        assert_eq!((breaker.state(), breaker.passes(), breaker.begin()), (BreakerState::Open, false, false));
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!((breaker.state(), breaker.passes()), (BreakerState::HalfOpen, true));
        assert_eq!((breaker.begin(), breaker.begin()), (true, false), "one trial at a time");
        assert!(breaker.fail(), "a trial that fails opens it at once");
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(breaker.state(), BreakerState::Open, "for longer than before");
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(breaker.begin());
        breaker.succeed();
        assert_eq!((breaker.state(), breaker.begin(), breaker.begin()), (BreakerState::Closed, true, true));
    }

    #[tokio::test(start_paused = true)]
    async fn it_cools_for_as_long_as_told_but_never_an_hour() {
        let breaker = Breaker::default();
        breaker.cool(Duration::from_secs(7));
        assert_eq!((breaker.state(), breaker.cooling()), (BreakerState::Cooling, Some(Duration::from_secs(7))));
        tokio::time::advance(Duration::from_secs(8)).await;
        assert_eq!((breaker.state(), breaker.cooling()), (BreakerState::Closed, None));
        breaker.cool(Duration::from_secs(3_600));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert_eq!(breaker.cooling(), None);
    }
}
