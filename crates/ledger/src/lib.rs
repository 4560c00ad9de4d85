//! What a turn may use and what it used: admit, hold, settle, exactly once. Money, plans and invoices are not here yet; the
//! daily token limit of a person is.

mod account;
mod permit;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::{Caller, Clock, PersonId, TenantId, Timestamp, TurnId};
use store::{Day, Receipt, Record, Started, Store, Writer};

use account::Account;
pub use permit::{Outcome, Permit};

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
    /// The usage of the turn could not be promised a place in the records.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// Admits turns and keeps what they use. One per process.
#[derive(Debug, Clone)]
pub struct Ledger {
    writer: Writer,
    store: Store,
    clock: Arc<dyn Clock>,
    books: Arc<Mutex<Books>>,
}

/// Today's accounts. A new day starts with empty ones; permits of yesterday settle into their own.
struct Books {
    day: Day,
    default_limit: Option<u64>,
    limits: HashMap<PersonId, u64>,
    accounts: HashMap<(TenantId, PersonId), Arc<Account>>,
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

impl Ledger {
    /// The ledger over `store`, with today's usage read from it. `default_limit`: tokens a day for everybody without a limit of
    /// their own.
    pub async fn open(store: Store, clock: Arc<dyn Clock>, default_limit: Option<u64>) -> Result<Ledger, Error> {
        let day = Day::of(clock.now());
        let mut accounts = HashMap::new();
        for row in store.usage_of_day(day).await? {
            accounts.insert((row.tenant, row.person), Arc::new(Account::with_used(row.tokens)));
        }
        let books = Books { day, default_limit, limits: HashMap::new(), accounts };
        let ledger = Ledger { writer: store.writer().clone(), store, clock, books: Arc::new(Mutex::new(books)) };
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

    /// Lets a turn in: its person has tokens left today, and its usage has a place in the writer's queue, so that settling
    /// neither waits nor fails. `started` is queued, not awaited.
    pub async fn admit(&self, turn: TurnId, caller: &Caller, model: &str, door: &'static str) -> Result<Permit, Error> {
        let (account, limit) = self.account(caller);
        account.refuse_when_spent(limit, || self.resets_at())?;
        let slot = self.writer.reserve().await?;
        Ok(Permit::new(self.clone(), slot, account, limit, turn, *caller, model, door))
    }

    /// Queues the record of a passing turn's start.
    pub async fn started(&self, permit: &Permit) -> Receipt {
        let record = Started {
            turn: permit.turn(),
            caller: *permit.caller(),
            model: permit.model().to_owned(),
            door: permit.door(),
            at: permit.started_at(),
        };
        self.writer.submit(Record::Started(record)).await
    }

    /// What the caller has used today.
    pub fn today(&self, caller: &Caller) -> Today {
        let (account, limit) = self.account(caller);
        let now = self.clock.now();
        Today { day: Day::of(now), used: account.used(), limit, resets_at: Day::of(now).ends_at() }
    }

    /// What a person of the tenant has used today, for the people's page.
    pub fn used_today(&self, tenant: TenantId, person: PersonId) -> u64 {
        self.lock().accounts.get(&(tenant, person)).map_or(0, |account| account.used())
    }

    fn account(&self, caller: &Caller) -> (Arc<Account>, Option<u64>) {
        let today = Day::of(self.clock.now());
        let mut books = self.lock();
        // Only forward: a clock that jumps back across midnight must not open yesterday's book as an empty one.
        if today > books.day {
            books.day = today;
            books.accounts.clear();
        }
        let limit = books.limits.get(&caller.person).copied().or(books.default_limit);
        let account = books.accounts.entry((caller.tenant, caller.person)).or_default().clone();
        (account, limit)
    }

    fn resets_at(&self) -> Timestamp {
        Day::of(self.clock.now()).ends_at()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
