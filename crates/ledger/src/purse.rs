//! What a turn draws from: its person's day, and with an API key that key's day and that key altogether. A hold is taken from
//! all of them or from none, so that no two turns spend the same token of any.

use std::sync::Arc;
use std::time::Duration;

use domain::{KeyBudget, Timestamp};

use crate::Error;
use crate::account::Account;
use crate::pace::Pace;

/// A limit and the account it holds for.
#[derive(Debug)]
struct Purse {
    account: Arc<Account>,
    limit: Option<u64>,
    of: Of,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    PersonsDay,
    KeysDay,
    KeyAltogether,
}

/// The accounts of a key.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyAccounts {
    pub(crate) day: Arc<Account>,
    pub(crate) altogether: Arc<Account>,
    pub(crate) pace: Arc<Pace>,
}

impl KeyAccounts {
    pub(crate) fn with_used(today: u64, altogether: u64) -> Self {
        KeyAccounts {
            day: Arc::new(Account::with_used(today)),
            altogether: Arc::new(Account::with_used(altogether)),
            pace: Arc::default(),
        }
    }
}

/// Everything one turn draws from.
#[derive(Debug)]
pub(crate) struct Purses {
    person: Purse,
    key: Option<[Purse; 2]>,
}

impl Purses {
    pub(crate) fn new(person: Arc<Account>, limit: Option<u64>) -> Self {
        Purses { person: Purse { account: person, limit, of: Of::PersonsDay }, key: None }
    }

    pub(crate) fn and_key(self, accounts: KeyAccounts, budget: &KeyBudget) -> Self {
        let day = Purse { account: accounts.day, limit: budget.tokens_per_day, of: Of::KeysDay };
        let altogether = Purse { account: accounts.altogether, limit: budget.tokens_total, of: Of::KeyAltogether };
        Purses { key: Some([day, altogether]), ..self }
    }

    fn all(&self) -> impl Iterator<Item = &Purse> {
        std::iter::once(&self.person).chain(self.key.iter().flatten())
    }

    /// Whether any of them is limited.
    pub(crate) fn limited(&self) -> bool {
        self.all().any(|purse| purse.limit.is_some())
    }

    pub(crate) fn refuse_when_spent(&self, resets_at: Timestamp) -> Result<(), Error> {
        for purse in self.all() {
            if let Some(used) = purse.account.spent(purse.limit) {
                return Err(purse.over(used, resets_at));
            }
        }
        Ok(())
    }

    /// Holds `wanted` tokens in each, or as many as are left in all of them where that is at least `least`; says how many.
    pub(crate) fn hold(&self, wanted: u64, least: u64, resets_at: Timestamp) -> Result<u64, Error> {
        let mut granted = wanted;
        for (number, purse) in self.all().enumerate() {
            let (held, over) = match purse.account.hold(purse.limit, granted, least) {
                Ok(held) => (held, None),
                Err(used) => (0, Some(purse.over(used, resets_at))),
            };
            for earlier in self.all().take(number) {
                earlier.account.settle(granted - held, 0);
            }
            if let Some(over) = over {
                return Err(over);
            }
            granted = held;
        }
        Ok(granted)
    }

    /// Gives back what was held and books what was used.
    pub(crate) fn settle(&self, held: u64, used: u64) {
        for purse in self.all() {
            purse.account.settle(held, used);
        }
    }
}

impl Purse {
    fn over(&self, used: u64, resets_at: Timestamp) -> Error {
        let limit = self.limit.unwrap_or_default();
        match self.of {
            Of::PersonsDay => Error::OverDailyLimit { limit, used, resets_at },
            Of::KeysDay => Error::OverKeyBudget { limit, used, resets_at: Some(resets_at) },
            Of::KeyAltogether => Error::OverKeyBudget { limit, used, resets_at: None },
        }
    }
}

/// One more request with the key at `now` (monotonic).
pub(crate) fn keep_pace(pace: &Pace, budget: &KeyBudget, now: Duration) -> Result<(), Error> {
    let Some(limit) = budget.requests_per_minute else { return Ok(()) };
    pace.take(limit, now).map_err(|retry_after| Error::OverKeyRate { limit, retry_after })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn purses(person: Option<u64>, accounts: &KeyAccounts, mine: &Arc<Account>, budget: &KeyBudget) -> Purses {
        Purses::new(Arc::clone(mine), person).and_key(accounts.clone(), budget)
    }

    proptest! {
        /// Whatever many turns of a key hold and settle, in whatever order and at the same time, no limit is overspent, what is
        /// refused holds nothing, and nothing stays held.
        #[test]
        fn concurrent_turns_never_overspend_a_key(
            person in prop::option::of(1u64..8_000),
            day in prop::option::of(1u64..6_000),
            total in prop::option::of(1u64..6_000),
            asks in prop::collection::vec((1u64..3_000, 1u64..100, 0u64..=100), 4..48),
        ) {
            let (accounts, mine) = (KeyAccounts::default(), Arc::new(Account::default()));
            let budget = KeyBudget { tokens_per_day: day, tokens_total: total, requests_per_minute: None };
            let limits = [person, day, total];
            std::thread::scope(|scope| {
                for asks in asks.chunks(asks.len().div_ceil(4)) {
                    let (accounts, mine, budget) = (&accounts, &mine, &budget);
                    scope.spawn(move || {
                        let mut open = Vec::new();
                        for (wanted, least, percent) in asks {
                            let turn = purses(person, accounts, mine, budget);
                            if let Ok(held) = turn.hold(*wanted, *least, Timestamp(0)) {
                                assert!(held >= *least.min(wanted) && held <= *wanted);
                                open.push((turn, held, held * percent / 100));
                            }
                            for (account, limit) in [mine, &accounts.day, &accounts.altogether].into_iter().zip(limits) {
                                assert!(limit.is_none_or(|limit| account.used() <= limit));
                            }
                            if open.len() > 2 {
                                let (turn, held, used) = open.remove(0);
                                turn.settle(held, used);
                            }
                        }
                        for (turn, held, used) in open {
                            turn.settle(held, used);
                        }
                    });
                }
            });
            for (account, limit) in [&mine, &accounts.day, &accounts.altogether].into_iter().zip(limits) {
                prop_assert_eq!(account.held(), 0);
                prop_assert_eq!(account.used(), mine.used(), "the same turns are booked in each");
                prop_assert!(limit.is_none_or(|limit| account.used() <= limit));
            }
        }
    }

    #[test]
    fn a_hold_is_what_is_left_in_all_of_them_or_nothing_in_any() {
        let (accounts, mine) = (KeyAccounts::with_used(0, 90), Arc::new(Account::default()));
        let budget = KeyBudget { tokens_per_day: Some(50), tokens_total: Some(100), requests_per_minute: None };
        let turn = purses(Some(1000), &accounts, &mine, &budget);
        assert_eq!(turn.hold(40, 5, Timestamp(7)).expect("held"), 10, "what the key has left altogether");
        assert_eq!([mine.held(), accounts.day.held(), accounts.altogether.held()], [10, 10, 10]);
        let over = turn.hold(40, 5, Timestamp(7)).expect_err("spent");
        assert!(matches!(over, Error::OverKeyBudget { limit: 100, used: 100, resets_at: None }), "{over:?}");
        assert_eq!([mine.held(), accounts.day.held(), accounts.altogether.held()], [10, 10, 10]);
        turn.settle(10, 3);
        assert_eq!([mine.used(), accounts.day.used(), accounts.altogether.used()], [3, 3, 93]);
        let narrow = KeyBudget { tokens_per_day: Some(3), ..KeyBudget::default() };
        let over = purses(None, &accounts, &mine, &narrow).refuse_when_spent(Timestamp(7)).expect_err("spent");
        assert!(matches!(over, Error::OverKeyBudget { limit: 3, used: 3, resets_at: Some(Timestamp(7)) }), "{over:?}");
    }
}
