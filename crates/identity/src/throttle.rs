//! Guessing passwords is made slow: after a few failures each further try has to wait, twice as long each time. In memory, bounded, by the monotonic clock; nothing
//! is ever locked for good.
//!
//! Three counters: one per address (a guesser with many names), one per name (a guesser with many addresses), one per pair. Who has signed in under a name from an address before
//! is counted by the pair alone: a stranger who hammers on the owner's name cannot keep the owner out.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::Clock;

use crate::Error;

const ENTRIES: usize = 10_000;
/// A counter that saw no failure for this long starts anew.
const FORGET: Duration = Duration::from_secs(15 * 60);

/// How many failures are free, and the longest wait after them.
struct Rule {
    free: u32,
    longest: Duration,
}

const PER_PAIR: Rule = Rule { free: 5, longest: Duration::from_secs(5 * 60) };
const PER_NAME: Rule = Rule { free: 10, longest: Duration::from_secs(60) };
const PER_ADDRESS: Rule = Rule { free: 20, longest: Duration::from_secs(5 * 60) };

pub(crate) struct Throttle {
    clock: Arc<dyn Clock>,
    keys: RandomState,
    counters: Mutex<HashMap<u64, Counter>>,
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    failures: u32,
    last: Duration,
    /// The pair has signed in before.
    known: bool,
}

/// One try. Counted as failed from the start, so that many at once gain nothing.
pub(crate) struct Try<'t> {
    throttle: &'t Throttle,
    pair: u64,
    name: u64,
}

impl Throttle {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Throttle { clock, keys: RandomState::new(), counters: Mutex::default() }
    }

    /// Lets one try pass, or says how long to wait. A try that has to wait is not counted.
    pub(crate) fn enter(&self, name: &str, address: IpAddr) -> Result<Try<'_>, Error> {
        let network = network(address);
        let (pair, by_name, by_address) =
            (self.key(("pair", name, network)), self.key(("name", name)), self.key(("address", network)));
        let now = self.clock.monotonic();
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut counters);
        let known = counters.get(&pair).is_some_and(|counter| counter.known);
        let strict = [(pair, PER_PAIR), (by_name, PER_NAME), (by_address, PER_ADDRESS)];
        let applies = if known { &strict[..1] } else { &strict[..] };
        let wait = applies.iter().map(|(key, rule)| wait(counters.get(key), rule, now)).max().unwrap_or_default();
        if wait > Duration::ZERO {
            return Err(Error::Throttled { retry_after: wait });
        }
        for (key, _) in applies {
            let fresh = Counter { failures: 0, last: now, known: false };
            let counter = counters.entry(*key).or_insert(fresh);
            counter.failures =
                if now.saturating_sub(counter.last) > FORGET { 1 } else { counter.failures.saturating_add(1) };
            counter.last = now;
        }
        Ok(Try { throttle: self, pair, name: by_name })
    }

    fn key(&self, what: impl Hash) -> u64 {
        self.keys.hash_one(what)
    }
}

impl Try<'_> {
    /// It was the right password: the pair is known from now on. The address keeps its count, or one's own account would
    /// be a way to try others'.
    pub(crate) fn succeeded(self) {
        let mut counters = self.throttle.counters.lock().unwrap_or_else(PoisonError::into_inner);
        counters.remove(&self.name);
        let last = self.throttle.clock.monotonic();
        counters.insert(self.pair, Counter { failures: 0, last, known: true });
    }
}

fn wait(counter: Option<&Counter>, rule: &Rule, now: Duration) -> Duration {
    let Some(counter) = counter else { return Duration::ZERO };
    let since = now.saturating_sub(counter.last);
    if counter.failures < rule.free || since > FORGET {
        return Duration::ZERO;
    }
    let doubled = 1_u64 << (counter.failures - rule.free).min(20);
    Duration::from_secs(doubled).min(rule.longest).saturating_sub(since)
}

/// At the limit a tenth goes: strangers before known pairs, the oldest first. A tenth, so that it is not done at every try.
fn make_room(counters: &mut HashMap<u64, Counter>) {
    if counters.len() + 3 <= ENTRIES {
        return;
    }
    let mut order: Vec<(bool, Duration, u64)> =
        counters.iter().map(|(key, counter)| (counter.known, counter.last, *key)).collect();
    order.sort_unstable();
    for (_, _, key) in order.into_iter().take(ENTRIES / 10) {
        counters.remove(&key);
    }
}

/// One household or machine has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::testing::ManualClock;
    use std::net::Ipv4Addr;

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn retry(throttle: &Throttle, name: &str, address: IpAddr) -> u64 {
        match throttle.enter(name, address) {
            Ok(_) => 0,
            Err(Error::Throttled { retry_after }) => retry_after.as_secs(),
            Err(other) => panic!("{other}"),
        }
    }

    fn stranger(n: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + n))
    }

    #[test]
    fn each_further_failure_waits_twice_as_long() {
        let clock = Arc::new(ManualClock::at(0));
        let throttle = Throttle::new(clock.clone());
        for _ in 0..5 {
            assert_eq!(retry(&throttle, "alice", HOME), 0);
        }
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            assert_eq!(retry(&throttle, "alice", HOME), seconds);
            clock.advance(Duration::from_secs(seconds));
            assert_eq!(retry(&throttle, "alice", HOME), 0);
        }
        clock.advance(FORGET + Duration::from_secs(1));
        for _ in 0..5 {
            assert_eq!(retry(&throttle, "alice", HOME), 0, "forgotten after a quarter of an hour");
        }
    }

    #[test]
    fn strangers_cannot_keep_out_who_signed_in_before() {
        let clock = Arc::new(ManualClock::at(0));
        let throttle = Throttle::new(clock);
        throttle.enter("owner", HOME).expect("free").succeeded();
        let refused = (0..1000).filter(|n| retry(&throttle, "owner", stranger(*n)) > 0).count();
        assert_eq!(refused, 990, "ten strangers pass, then the name waits");
        assert_eq!(retry(&throttle, "owner", HOME), 0);
    }

    #[test]
    fn one_address_with_many_names_waits() {
        let throttle = Throttle::new(Arc::new(ManualClock::at(0)));
        let passed = (0..100).filter(|n| retry(&throttle, &format!("name{n}"), HOME) == 0).count();
        assert_eq!(passed, 20);
    }

    #[test]
    fn the_memory_it_takes_is_bounded() {
        let throttle = Throttle::new(Arc::new(ManualClock::at(0)));
        for n in 0..20_000 {
            let _ = throttle.enter(&format!("name{n}"), stranger(n));
        }
        assert!(throttle.counters.lock().expect("a lock").len() <= ENTRIES);
    }
}
