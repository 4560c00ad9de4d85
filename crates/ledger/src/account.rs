//! One person's tokens of one day: used and held, changed together so that two turns never spend the same token.

use std::sync::{Mutex, PoisonError};

use domain::Timestamp;

use crate::Error;

#[derive(Debug, Default)]
pub(crate) struct Account {
    tokens: Mutex<Counted>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counted {
    used: u64,
    held: u64,
}

impl Account {
    pub(crate) fn with_used(used: u64) -> Self {
        Account { tokens: Mutex::new(Counted { used, held: 0 }) }
    }

    pub(crate) fn used(&self) -> u64 {
        self.lock().used
    }

    pub(crate) fn refuse_when_spent(
        &self,
        limit: Option<u64>,
        resets_at: impl FnOnce() -> Timestamp,
    ) -> Result<(), Error> {
        let Some(limit) = limit else { return Ok(()) };
        let now = *self.lock();
        let used = now.used + now.held;
        if used < limit {
            return Ok(());
        }
        Err(Error::OverDailyLimit { limit, used, resets_at: resets_at() })
    }

    /// Holds `wanted` tokens, or what is left where that is at least `least`; says how many it holds.
    pub(crate) fn hold(
        &self,
        limit: Option<u64>,
        wanted: u64,
        least: u64,
        resets_at: impl FnOnce() -> Timestamp,
    ) -> Result<u64, Error> {
        let mut tokens = self.lock();
        let granted = match limit {
            None => wanted,
            Some(limit) => {
                let used = tokens.used + tokens.held;
                let left = limit.saturating_sub(used);
                if left < least.max(1) {
                    return Err(Error::OverDailyLimit { limit, used, resets_at: resets_at() });
                }
                wanted.min(left)
            }
        };
        tokens.held += granted;
        Ok(granted)
    }

    /// Gives back what was held and books what was used.
    pub(crate) fn settle(&self, held: u64, used: u64) {
        let mut tokens = self.lock();
        tokens.held = tokens.held.saturating_sub(held);
        tokens.used += used;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON: fn() -> Timestamp = || Timestamp(0);

    proptest! {
        /// Whatever is held and settled in whatever order, nobody holds what is not there and nothing stays held.
        #[test]
        fn used_and_held_never_pass_the_limit(limit in 1u64..10_000, asks in prop::collection::vec((1u64..5_000, 1u64..100, 0u64..100), 1..60)) {
            let account = Account::default();
            let mut open = Vec::new();
            for (wanted, least, percent) in asks {
                if let Ok(held) = account.hold(Some(limit), wanted, least, NOON) {
                    prop_assert!(held >= least.min(wanted) && held <= wanted);
                    open.push((held, held * percent / 100));
                }
                let now = *account.lock();
                prop_assert!(now.used + now.held <= limit);
                if open.len() > 3 {
                    let (held, used) = open.remove(0);
                    account.settle(held, used);
                }
            }
            for (held, used) in open {
                account.settle(held, used);
            }
            let end = *account.lock();
            prop_assert_eq!(end.held, 0);
            prop_assert!(end.used <= limit);
        }
    }
}
