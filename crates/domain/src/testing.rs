//! What tests of other crates need from here: a clock that is set by hand, and the promises of the ports as suites that every
//! member passes. A suite starts no runtime.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use uuid::Uuid;

use crate::{Caller, Clock, PersonId, Role, TenantId, Timestamp, Via};

mod provider;
mod tool;

pub use provider::{MODEL, Offers, Stage, model_provider_suite};
pub use tool::tool_suite;

/// A member of the first tenant, one for each number.
pub const fn somebody(number: u128) -> Caller {
    Caller { tenant: TenantId::FIRST, person: PersonId(Uuid::from_u128(number)), role: Role::Member, via: Via::House }
}

/// A clock that moves only when told.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    monotonic_ms: AtomicU64,
}

impl ManualClock {
    /// Stands at `wall` (milliseconds since 1970).
    pub fn at(wall: i64) -> Self {
        ManualClock { wall: AtomicI64::new(wall), monotonic_ms: AtomicU64::new(0) }
    }

    /// Both clocks go on by `by`.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.monotonic_ms.fetch_add(ms, Ordering::Relaxed);
        self.wall.fetch_add(i64::try_from(ms).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// The wall clock jumps by `ms` (back when negative); the monotonic one does not notice.
    pub fn jump(&self, ms: i64) {
        self.wall.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::Relaxed))
    }
}
