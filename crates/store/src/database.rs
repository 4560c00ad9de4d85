//! The two pools over one database, and how a transaction begins. Which rows there are is the business of the other files.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Any, AnyConnection, AnyPool, ConnectOptions, Connection, Executor, SqliteConnection, Transaction};
use tokio::sync::{Mutex, MutexGuard};

use crate::Error;

/// Which database it is. The SQL is the same for both but in the files of full text and backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
}

#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) engine: Engine,
    pub(crate) read: AnyPool,
    /// One connection on SQLite: writers queue here, fairly, rather than at SQLite's lock, where they would poll.
    write: AnyPool,
    /// SQLite's own connection, for the commit that is made most often.
    direct: Option<Direct>,
    /// Where a PostgreSQL is, for who listens to it.
    pub(crate) url: Option<String>,
}

/// A connection past sqlx's `Any`, which copies every text twice and knows one statement at a time. Opened when it is first
/// needed. Who uses it holds the write connection, too, so that the two never wait for each other at SQLite's lock.
#[derive(Debug)]
struct Direct {
    options: SqliteConnectOptions,
    connection: Mutex<Option<SqliteConnection>>,
}

/// The direct connection, and nobody else writing.
pub(crate) struct Writing<'a> {
    #[cfg_attr(not(feature = "testing"), expect(dead_code, reason = "it is held; only tests speak through it"))]
    pub(crate) any: PoolConnection<Any>,
    pub(crate) direct: MutexGuard<'a, Option<SqliteConnection>>,
}

/// WAL with FULL: a commit is on disk when it returns, and the writer shares each fsync among a whole batch. The WAL is cut
/// back to 64 MiB after a checkpoint that a long read had held up.
const SQLITE_SETUP: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000; \
     PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4000; PRAGMA journal_size_limit = 67108864;";

impl Database {
    pub(crate) async fn sqlite(file: &Path) -> Result<Database, Error> {
        let url = format!("sqlite://{}?mode=rwc", percent(file));
        let options = options(&url)?;
        let pool = |max: u32| {
            AnyPoolOptions::new()
                .max_connections(max)
                .test_before_acquire(false)
                .idle_timeout(None)
                .max_lifetime(None)
                .acquire_timeout(Duration::from_secs(30))
                .after_connect(|connection, _| {
                    Box::pin(async move { connection.execute(SQLITE_SETUP).await.map(|_| ()) })
                })
        };
        let write = pool(1).min_connections(1).connect_with(options.clone()).await?;
        let read = pool(4).connect_lazy_with(options);
        let options = SqliteConnectOptions::from_str(&url)?.disable_statement_logging().statement_cache_capacity(24);
        let direct = Some(Direct { options, connection: Mutex::new(None) });
        Ok(Database { engine: Engine::Sqlite, read, write, direct, url: None })
    }

    pub(crate) async fn postgres(url: &str) -> Result<Database, Error> {
        // The writer's statements come in eight sizes each: all of them stay prepared.
        let mark = if url.contains('?') { '&' } else { '?' };
        let options = options(&format!("{url}{mark}statement-cache-capacity=256"))?;
        let pool = |max: u32| AnyPoolOptions::new().max_connections(max).acquire_timeout(Duration::from_secs(10));
        let write = pool(4).connect_with(options.clone()).await?;
        let read = pool(12).connect_lazy_with(options);
        Ok(Database { engine: Engine::Postgres, read, write, direct: None, url: Some(url.to_owned()) })
    }

    /// A transaction that writes. On SQLite it takes the write lock at once: a plain BEGIN that reads first and writes later
    /// fails when somebody else wrote in between.
    pub(crate) async fn write_tx(&self) -> Result<Transaction<'static, Any>, Error> {
        Ok(self.write.begin_with(self.begin()).await?)
    }

    /// A transaction that sees one moment of the database, however long it reads.
    pub(crate) async fn read_tx(&self) -> Result<Transaction<'static, Any>, Error> {
        let begin = match self.engine {
            Engine::Sqlite => "BEGIN DEFERRED",
            Engine::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        Ok(self.read.begin_with(begin).await?)
    }

    /// A bare connection for the writer, which says BEGIN and COMMIT itself so that it also survives the rollbacks that
    /// SQLite does on its own when the disk is full.
    pub(crate) async fn write_connection(&self) -> Result<PoolConnection<Any>, Error> {
        Ok(self.write.acquire().await?)
    }

    /// SQLite's own connection beside the one for everything else; `None` on PostgreSQL.
    pub(crate) async fn direct_connection(&self) -> Result<Option<Writing<'_>>, Error> {
        let Some(direct) = &self.direct else { return Ok(None) };
        let any = self.write_connection().await?;
        let mut connection = direct.connection.lock().await;
        if connection.is_none() {
            let mut new = direct.options.connect().await?;
            new.execute(SQLITE_SETUP).await?;
            *connection = Some(new);
        }
        Ok(Some(Writing { any, direct: connection }))
    }

    pub(crate) fn begin(&self) -> &'static str {
        match self.engine {
            Engine::Sqlite => "BEGIN IMMEDIATE",
            Engine::Postgres => "BEGIN",
        }
    }

    pub(crate) async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT 1").fetch_one(&self.read).await?;
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.read.close().await;
        if let Some(direct) = &self.direct
            && let Some(connection) = direct.connection.lock().await.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "a connection to the database did not close cleanly");
        }
        if self.engine == Engine::Sqlite
            && let Ok(mut connection) = self.write.acquire().await
        {
            let checkpointed = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
            if let Err(error) = checkpointed {
                tracing::warn!(%error, "the WAL could not be folded into the database file; it is next time");
            }
        }
        self.write.close().await;
    }
}

/// Runs several statements that take no parameters and are sent as they are: DDL, pragmas.
pub(crate) async fn run_script(connection: &mut AnyConnection, script: &str) -> Result<(), Error> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(script)).execute(connection).await?;
    Ok(())
}

fn options(url: &str) -> Result<AnyConnectOptions, Error> {
    sqlx::any::install_default_drivers();
    let quiet = AnyConnectOptions::from_str(url)?.disable_statement_logging();
    Ok(quiet)
}

/// A path inside a URL.
fn percent(file: &Path) -> String {
    let mut out = String::new();
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => out.push(char::from(*byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
