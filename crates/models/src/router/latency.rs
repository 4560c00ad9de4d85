//! How soon a deployment gives its first token, over its latest answers. Written with every streamed answer, so without a lock;
//! the metrics of whole turns are the ledger's.

use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

/// So many answers are looked back at: enough for a 95th percentile, few enough to follow what happens now.
const KEPT: usize = 256;

/// Times to the first token of one deployment, the latest ones.
pub(crate) struct Latency {
    /// In microseconds; 0 where there is none yet.
    times: [AtomicU32; KEPT],
    /// How many there were; the place of the next one follows from it.
    seen: AtomicUsize,
}

impl Default for Latency {
    fn default() -> Self {
        Latency { times: std::array::from_fn(|_| AtomicU32::new(0)), seen: AtomicUsize::new(0) }
    }
}

/// The time to the first token (TTFT) of a deployment's latest streamed answers, from the moment it was asked, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct FirstToken {
    /// Half of the answers came sooner.
    pub p50_ms: f64,
    /// Nineteen of twenty came sooner.
    pub p95_ms: f64,
    /// How many answers that is said of.
    pub answers: usize,
}

impl Latency {
    pub(crate) fn note(&self, took: Duration) {
        let at = self.seen.fetch_add(1, Ordering::Relaxed) % KEPT;
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX).max(1);
        self.times[at].store(micros, Ordering::Relaxed);
    }

    /// `None` as long as nobody has answered.
    pub(crate) fn first_token(&self) -> Option<FirstToken> {
        let times = self.times.iter().map(|time| time.load(Ordering::Relaxed));
        let mut times: Vec<u32> = times.filter(|time| *time > 0).collect();
        times.sort_unstable();
        // Nearest rank: the smallest of them that at least this share is not above.
        let rank = |percent: usize| times.get((times.len() * percent).div_ceil(100).checked_sub(1)?).copied();
        let millis = |micros: u32| f64::from(micros / 10) / 100.0;
        Some(FirstToken { p50_ms: millis(rank(50)?), p95_ms: millis(rank(95)?), answers: times.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_latest_answers() {
        let latency = Latency::default();
        assert_eq!(latency.first_token(), None);
        latency.note(Duration::from_millis(7));
        assert_eq!(latency.first_token(), Some(FirstToken { p50_ms: 7.0, p95_ms: 7.0, answers: 1 }));
        for ms in 1..=100 {
            latency.note(Duration::from_millis(ms));
        }
        assert_eq!(latency.first_token(), Some(FirstToken { p50_ms: 50.0, p95_ms: 95.0, answers: 101 }));
        for _ in 0..KEPT {
            latency.note(Duration::from_micros(1_234));
        }
        assert_eq!(latency.first_token(), Some(FirstToken { p50_ms: 1.23, p95_ms: 1.23, answers: KEPT }));
    }
}
