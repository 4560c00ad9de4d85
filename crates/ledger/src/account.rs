//! The tokens of one limit (a person's day, a key's day, a key altogether): used and held, changed together so that two turns
//! never spend the same token. What is refused says how much was used; whose limit it is, `purse.rs` knows.

use std::sync::{Mutex, PoisonError};

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

    /// So much was used, as far as the rows of all portals say; what was settled here and is not on disk yet counts on.
    pub(crate) fn learn(&self, used: u64) {
        let mut tokens = self.lock();
        tokens.used = tokens.used.max(used);
    }

    /// Tokens used and held, where nothing is left of `limit`.
    pub(crate) fn spent(&self, limit: Option<u64>) -> Option<u64> {
        let now = *self.lock();
        let used = now.used + now.held;
        limit.is_some_and(|limit| used >= limit).then_some(used)
    }

    /// Holds `wanted` tokens, or what is left where that is at least `least`; says how many it holds, or, where it holds none,
    /// how many are used and held.
    pub(crate) fn hold(&self, limit: Option<u64>, wanted: u64, least: u64) -> Result<u64, u64> {
        let mut tokens = self.lock();
        let granted = match limit {
            None => wanted,
            Some(limit) => {
                let used = tokens.used + tokens.held;
                let left = limit.saturating_sub(used);
                if left < least.max(1) {
                    return Err(used);
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

    #[cfg(test)]
    pub(crate) fn held(&self) -> u64 {
        self.lock().held
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_others_booked_counts_and_never_less_than_what_was_settled_here() {
        let account = Account::with_used(10);
        account.learn(25);
        assert_eq!(account.used(), 25);
        account.settle(0, 5);
        account.learn(27);
        assert_eq!((account.used(), account.spent(Some(30))), (30, Some(30)));
    }

    proptest! {
        /// Whatever is held and settled in whatever order, nobody holds what is not there and nothing stays held.
        #[test]
        fn used_and_held_never_pass_the_limit(limit in 1u64..10_000, asks in prop::collection::vec((1u64..5_000, 1u64..100, 0u64..100), 1..60)) {
            let account = Account::default();
            let mut open = Vec::new();
            for (wanted, least, percent) in asks {
                if let Ok(held) = account.hold(Some(limit), wanted, least) {
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
