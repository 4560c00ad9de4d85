//! What the house remembers: one [`Store`] over SQLite or PostgreSQL.
//!
//! Everything that belongs to somebody is read and written with the [`Caller`](domain::Caller) first; there is no query
//! without a tenant but those of the house itself, which say so. On the hot path only the [`Writer`] commits.
//! What a turn costs, who may sign in and what a title should be is decided elsewhere: this crate keeps rows.

mod accounts;
mod aliases;
mod approvals;
mod assistants;
mod audit;
mod backup;
mod batches;
mod catalog;
mod changes;
mod conversations;
mod database;
mod datasets;
mod error;
mod evaluations;
mod files;
mod insert;
mod look;
mod migrate;
mod nodes;
mod plugins;
mod prompts;
mod ratings;
mod recover;
mod replays;
mod responses;
mod rows;
mod search;
#[cfg(feature = "testing")]
mod testing;
mod training;
mod turns;
mod uploads;
mod usage;
mod writer;

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use domain::{Clock, Ids, Timestamp};
use sqlx::Row;
use tokio::task::JoinSet;

pub use accounts::{
    ActiveKey, Key, KeyChange, Link, LinkKind, NewKey, NewLink, NewPerson, NewSession, Person, PersonChange, Session,
    Tenant, Whose,
};
pub use aliases::{AliasRow, AliasVersion, NewAliasVersion};
pub use approvals::{Approval, ApprovalState, WaitingTurn};
pub use assistants::{Assistant, AssistantVersion, InForce, Shared};
pub use audit::{Chain, Entry};
pub use backup::{BackupSummary, RestoreSummary};
pub use batches::{BatchRow, BatchRowEnd, BatchRowState, BatchRowsOf, BatchRun, BatchState, NewBatchRow, NewBatchRun};
pub use catalog::{NewProvider, ProviderChange, ProviderRow};
pub use changes::{Changed, Kind};
pub use conversations::{
    Change, Conversation, Cursor, Exported, Message, NewConversation, Page, Shelf, TitledBy, Trimmed,
};
pub use datasets::{Dataset, DatasetChange, DatasetVersion, ExampleChange, ExampleRow, NewDatasetVersion, NewExample};
pub use error::Error;
pub use evaluations::{
    Evaluation, EvaluationAnswer, EvaluationQuestion, EvaluationState, EvaluationsOf, NewEvaluation, Unanswered,
    Variant,
};
pub use files::{FileRow, Listing, NewFile};
pub use look::Look;
pub use nodes::{Node, Word};
pub use plugins::{NewPlugin, PluginCall, PluginChange, PluginRow};
pub use prompts::{NewPrompt, PromptRow};
pub use ratings::Rated;
pub use recover::Recovered;
pub use replays::{Compared, Replay, ReplayAnswer, ReplayState, Said};
pub use responses::{NewResponse, ResponseRow};
pub use search::Hit;
pub use training::{Job, JobState, Loss, NewJob};
pub use turns::{AskedTurn, TurnRow};
pub use uploads::{Checked, Piece, UploadRow, Uploads};
pub use usage::{Day, KeyDay, UsageOfDay, UsageOfKey, UsageRow};
pub use writer::{
    Asked, Delta, FinalAnswer, NewAnswer, NewMessage, Receipt, Record, Settled, Slot, Started, Touch, Writer,
};

use database::Database;

/// What a store is opened with.
#[derive(Clone)]
pub struct Options {
    /// Where the rows are.
    pub place: Place,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where new ids come from.
    pub ids: Ids,
    /// The name of this portal among those that share the database; its audit chain and its open turns carry it.
    pub node: String,
}

/// Where the rows are.
#[derive(Debug, Clone)]
pub enum Place {
    /// A SQLite file of its own in the temporary folder, removed with the store. For tests.
    Memory,
    /// A SQLite file, made when absent. One process at a time: whoever opens the data folder holds its lock.
    Sqlite(PathBuf),
    /// A PostgreSQL URL; `?options[search_path]=NAME` puts the tables in a schema of their own.
    Postgres(String),
}

/// The store. Clones are the same store.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    database: Arc<Database>,
    clock: Arc<dyn Clock>,
    ids: Ids,
    node: String,
    writer: Writer,
    running: Mutex<JoinSet<()>>,
    changes: changes::Changes,
    order: Arc<Order>,
    wire: Arc<nodes::Wire>,
    /// How many portals live.
    living: tokio::sync::watch::Sender<usize>,
    /// Removed when the last clone goes.
    _folder: Option<Folder>,
}

impl Store {
    /// Opens the database, brings it to this binary's schema (after a backup of what was there) and starts the writer.
    ///
    /// Refuses a schema newer than this binary's, with both numbers.
    pub async fn open(options: Options) -> Result<Store, Error> {
        let Options { place, clock, ids, node } = options;
        let (database, file, folder) = reach(place, &ids).await?;
        let migrated = migrate::run(&database, migrate::MIGRATIONS, file.as_deref(), clock.now()).await?;
        if let Some(kept) = &migrated.kept {
            tracing::info!(from = migrated.from, to = migrated.to, kept, "the database was migrated");
        }
        let order = Arc::new(Order::load(&database).await?);
        let wire = Arc::new(nodes::Wire::new(database.url.is_some()));
        let changes = changes::Changes::new(Arc::clone(&wire));
        let mut running = JoinSet::new();
        let writer = Writer::start(&mut running, &database, &clock, &node, &order, &changes);
        let (running, living) = (Mutex::new(running), tokio::sync::watch::Sender::new(1));
        let inner =
            Inner { database, clock, ids, node, writer, running, changes, order, wire, living, _folder: folder };
        let store = Store { inner: Arc::new(inner) };
        store.first_tenant().await?;
        Ok(store)
    }

    /// The one that commits on the hot path.
    pub fn writer(&self) -> &Writer {
        &self.inner.writer
    }

    /// Stores everything that was submitted (waiting up to five seconds for places that were reserved and not yet used),
    /// folds the WAL into the file and closes.
    pub async fn close(&self) {
        self.inner.writer.finish();
        let mut running = std::mem::take(&mut *self.inner.running.lock().unwrap_or_else(PoisonError::into_inner));
        while running.join_next().await.is_some() {}
        self.inner.database.close().await;
    }

    /// The name of this portal among those that share the database.
    pub fn node(&self) -> &str {
        &self.inner.node
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), Error> {
        self.inner.database.ping().await
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }
}

async fn reach(place: Place, ids: &Ids) -> Result<(Arc<Database>, Option<PathBuf>, Option<Folder>), Error> {
    match place {
        Place::Memory => {
            let folder = Folder(std::env::temp_dir().join(format!("portico-store-{}", ids.next())));
            std::fs::create_dir_all(&folder.0).map_err(|error| Error::file(&folder.0, error))?;
            let file = folder.0.join("portico.sqlite");
            Ok((Arc::new(Database::sqlite(&file).await?), Some(file), Some(folder)))
        }
        Place::Sqlite(file) => Ok((Arc::new(Database::sqlite(&file).await?), Some(file), None)),
        Place::Postgres(url) => Ok((Arc::new(Database::postgres(&url).await?), None, None)),
    }
}

/// A folder that goes with its store.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a temporary folder stays behind");
        }
    }
}

/// Times by which conversations are ordered: they never go back, also while the wall clock does.
#[derive(Debug)]
pub(crate) struct Order(AtomicI64);

impl Order {
    async fn load(database: &Database) -> Result<Order, Error> {
        let order = Order(AtomicI64::new(0));
        order.learn(database).await?;
        Ok(order)
    }

    /// Goes on after the latest time in the database.
    async fn learn(&self, database: &Database) -> Result<(), Error> {
        let row = sqlx::query("SELECT CAST(COALESCE(MAX(updated_at), 0) AS BIGINT) AS latest FROM conversations")
            .fetch_one(&database.read)
            .await?;
        self.0.fetch_max(row.try_get("latest")?, Ordering::Relaxed);
        Ok(())
    }

    /// `at`, or one millisecond after the latest one given where the clock stands still or went back.
    pub(crate) fn after(&self, at: Timestamp) -> Timestamp {
        let step = |latest: i64| Some(at.0.max(latest + 1));
        match self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step) {
            Ok(latest) | Err(latest) => Timestamp(at.0.max(latest + 1)),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}
