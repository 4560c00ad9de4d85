//! What a turn may use and what it used: admit, hold, settle, exactly once. Money, plans and invoices are not here yet; the
//! daily token limit of a person and the budget of an API key are.

mod account;
pub mod cost;
mod meters;
mod pace;
mod permit;
mod purse;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Caller, Clock, KeyBudget, KeyId, PersonId, TenantId, Timestamp, TurnId, Via};
use store::{Day, Started, Store, Writer};

use account::Account;
use meters::Meters;
pub use permit::{Outcome, Permit};
use purse::{KeyAccounts, Purses};

/// Why a turn may not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The person's tokens of today are spent or held by turns that are running: wait until `resets_at`, or ask an administrator.
    #[error("the daily limit of {limit} tokens is reached ({used} used or reserved)")]
    OverDailyLimit {
        /// Tokens a day.
        limit: u64,
        /// Tokens used or held.
        used: u64,
        /// When the next day starts.
        resets_at: Timestamp,
    },
    /// The key's own budget is spent or held: wait until `resets_at`, or, where there is none, raise the budget or take another key.
    #[error("this API key may use {limit} tokens {} ({used} used or reserved)", if resets_at.is_some() { "a day" } else { "altogether" })]
    OverKeyBudget {
        /// Tokens.
        limit: u64,
        /// Tokens used or held.
        used: u64,
        /// When the next day starts; `None` for a budget that does not come back.
        resets_at: Option<Timestamp>,
    },
    /// The key is used too often: wait so long.
    #[error("this API key may be used {limit} times a minute; ask again in {} s", retry_after.as_secs().max(1))]
    OverKeyRate {
        /// Requests a minute.
        limit: u32,
        /// Until the next minute begins.
        retry_after: Duration,
    },
    /// The usage of the turn could not be promised a place in the records.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// One word for the wire, metrics and audit.
    pub fn code(&self) -> &'static str {
        match self {
            Error::OverDailyLimit { .. } => "over_daily_limit",
            Error::OverKeyBudget { .. } => "over_key_budget",
            Error::OverKeyRate { .. } => "over_key_rate",
            Error::Store(error) => error.code(),
        }
    }
}

/// Admits turns and keeps what they use. One per process.
#[derive(Debug, Clone)]
pub struct Ledger {
    writer: Writer,
    store: Store,
    clock: Arc<dyn Clock>,
    books: Arc<Mutex<Books>>,
    meters: Arc<Meters>,
}

/// Today's accounts. A new day starts with empty ones; permits of yesterday settle into their own.
struct Books {
    day: Day,
    default_limit: Option<u64>,
    limits: HashMap<PersonId, u64>,
    accounts: HashMap<(TenantId, PersonId), Arc<Account>>,
    keys: HashMap<KeyId, KeyAccounts>,
}

impl std::fmt::Debug for Books {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Books").field("day", &self.day).field("accounts", &self.accounts.len()).finish_non_exhaustive()
    }
}

/// What a person has used today.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Today {
    /// The UTC day.
    pub day: Day,
    /// Tokens settled.
    pub used: u64,
    /// Tokens a day, if limited.
    pub limit: Option<u64>,
    /// When the next day starts.
    pub resets_at: Timestamp,
}

/// What was used with a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UsedWithKey {
    /// Tokens settled today.
    pub today: u64,
    /// Tokens settled since it was made.
    pub total: u64,
}

impl Ledger {
    /// The ledger over `store`, with today's usage read from it. `default_limit`: tokens a day for everybody without a limit of
    /// their own.
    pub async fn open(store: Store, clock: Arc<dyn Clock>, default_limit: Option<u64>) -> Result<Ledger, Error> {
        let day = Day::of(clock.now());
        let mut accounts = HashMap::new();
        for row in store.usage_of_day(day).await? {
            accounts.insert((row.tenant, row.person), Arc::new(Account::with_used(row.tokens)));
        }
        let used = store.usage_of_keys(day).await?.into_iter();
        let keys = used.map(|used| (used.key, KeyAccounts::with_used(used.today, used.total))).collect();
        let books = Books { day, default_limit, limits: HashMap::new(), accounts, keys };
        let ledger = Ledger {
            writer: store.writer().clone(),
            store,
            clock,
            books: Arc::new(Mutex::new(books)),
            meters: Arc::default(),
        };
        ledger.refresh_limits().await?;
        Ok(ledger)
    }

    /// Tokens a day, from now on, for everybody without a limit of their own.
    pub fn limit_everybody(&self, tokens: Option<u64>) {
        self.lock().default_limit = tokens;
    }

    /// Reads the people's own limits again, after one was changed.
    pub async fn refresh_limits(&self) -> Result<(), Error> {
        let mut limits = HashMap::new();
        for tenant in self.store.tenants().await? {
            let people = self.store.people(tenant.id).await?;
            limits.extend(people.into_iter().filter_map(|person| Some((person.id, person.daily_token_limit?))));
        }
        self.lock().limits = limits;
        Ok(())
    }

    /// Reads what other portals of this database have booked since: a limit that several spend from is passed by no more than what they
    /// book between two looks.
    pub async fn catch_up(&self) -> Result<(), Error> {
        let day = Day::of(self.clock.now());
        let (people, keys) = (self.store.usage_of_day(day).await?, self.store.usage_of_keys(day).await?);
        let mut books = self.lock();
        let books = books.today(self.clock.now());
        if books.day != day {
            return Ok(());
        }
        for row in people {
            books.accounts.entry((row.tenant, row.person)).or_default().learn(row.tokens);
        }
        for row in keys {
            let accounts = books.keys.entry(row.key).or_default();
            accounts.day.learn(row.today);
            accounts.altogether.learn(row.total);
        }
        Ok(())
    }

    /// Lets a turn in: its person has tokens left today and its key (if it came by one) is within `budget`, and its usage has a
    /// place in the writer's queue, so that settling neither waits nor fails. `started` is queued, not awaited.
    pub async fn admit(
        &self,
        turn: TurnId,
        caller: &Caller,
        budget: &KeyBudget,
        model: &str,
        door: &'static str,
    ) -> Result<Permit, Error> {
        let purses = self.purses(caller, budget)?;
        purses.refuse_when_spent(self.resets_at())?;
        let slot = self.writer.reserve().await?;
        Ok(Permit::new(self.clone(), slot, purses, turn, *caller, model, door))
    }

    /// Hands over the record of a passing turn's start: after a crash it makes sure that this turn gets its usage row.
    pub fn started(&self, permit: &Permit) {
        let record = Started {
            turn: permit.turn(),
            caller: *permit.caller(),
            model: permit.model().to_owned(),
            door: permit.door(),
            at: permit.started_at(),
        };
        self.writer.begins(record);
    }

    /// What the caller has used today.
    pub fn today(&self, caller: &Caller) -> Today {
        let (account, limit) = self.lock().today(self.clock.now()).of_person(caller);
        let now = self.clock.now();
        Today { day: Day::of(now), used: account.used(), limit, resets_at: Day::of(now).ends_at() }
    }

    /// What a person of the tenant has used today, for the people's page.
    pub fn used_today(&self, tenant: TenantId, person: PersonId) -> u64 {
        self.lock().accounts.get(&(tenant, person)).map_or(0, |account| account.used())
    }

    /// What has been used with a key.
    pub fn used_with(&self, key: KeyId) -> UsedWithKey {
        let mut books = self.lock();
        let accounts = books.today(self.clock.now()).keys.get(&key);
        accounts.map_or_else(UsedWithKey::default, |accounts| UsedWithKey {
            today: accounts.day.used(),
            total: accounts.altogether.used(),
        })
    }

    fn purses(&self, caller: &Caller, budget: &KeyBudget) -> Result<Purses, Error> {
        let mut books = self.lock();
        let books = books.today(self.clock.now());
        let (account, limit) = books.of_person(caller);
        let purses = Purses::new(account, limit);
        let Via::Key(key) = caller.via else { return Ok(purses) };
        let accounts = books.keys.entry(key).or_default().clone();
        purse::keep_pace(&accounts.pace, budget, self.clock.monotonic())?;
        Ok(purses.and_key(accounts, budget))
    }

    fn resets_at(&self) -> Timestamp {
        Day::of(self.clock.now()).ends_at()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// The books of today. Only forward: a clock that jumps back across midnight must not open yesterday's as empty ones.
    fn today(&mut self, now: Timestamp) -> &mut Self {
        let today = Day::of(now);
        if today > self.day {
            self.day = today;
            self.accounts.clear();
            self.keys.values_mut().for_each(|accounts| accounts.day = Arc::default());
        }
        self
    }

    fn of_person(&mut self, caller: &Caller) -> (Arc<Account>, Option<u64>) {
        let limit = self.limits.get(&caller.person).copied().or(self.default_limit);
        let account = self.accounts.entry((caller.tenant, caller.person)).or_default().clone();
        (account, limit)
    }
}
