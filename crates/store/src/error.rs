//! Why the store did not do it, told by what the caller can do next. Turning it into a status and a sentence is the server's.

use std::sync::Arc;

/// Why the store did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The disk (or its quota) is full. Nothing was stored; free space, then ask again.
    #[error("the disk that holds the database is full")]
    Full,
    /// What was to be changed is not there, or is not this caller's.
    #[error("{what} not found")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
    },
    /// It is there, but not in a state that allows this.
    #[error("{what}")]
    Conflict {
        /// What stands in the way, as a sentence.
        what: String,
    },
    /// Something of that name or id exists already.
    #[error("{what} is taken")]
    Duplicate {
        /// Which unique thing: `ask_id`, `name` ...
        what: &'static str,
    },
    /// A newer Portico has written this database: start that one, or restore the backup it made before it migrated.
    #[error(
        "the database has schema {found}, this Portico knows schemas up to {known}; start the newer Portico, or restore an older backup"
    )]
    NewerSchema {
        /// The schema in the database.
        found: i64,
        /// The newest one this binary knows.
        known: i64,
    },
    /// Another process holds the database; ask again shortly.
    #[error("the database is held by another process")]
    Busy,
    /// The database cannot be reached; nothing is known to be stored.
    #[error("the database cannot be reached: {reason}")]
    Unreachable {
        /// What the driver said.
        reason: String,
    },
    /// The store was closed; the process is going down.
    #[error("the store is closed")]
    Closed,
    /// A row, or a backup file, holds what this Portico never wrote.
    #[error("{what}")]
    Corrupt {
        /// Which, and what is wrong with it.
        what: String,
    },
    /// A file (a backup, the database itself) could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        source: Arc<std::io::Error>,
    },
    /// The database refused, and it is nobody's turn but ours: a bug, logged with its source.
    #[error("the database refused")]
    Database(#[source] Arc<sqlx::Error>),
}

impl Error {
    /// One word for metrics, audit and the error table.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Full => "storage_full",
            Error::NotFound { .. } => "not_found",
            Error::Conflict { .. } | Error::Duplicate { .. } => "conflict",
            Error::Closed => "draining",
            Error::NewerSchema { .. } => "newer_schema",
            Error::Busy
            | Error::Unreachable { .. }
            | Error::Corrupt { .. }
            | Error::File { .. }
            | Error::Database(_) => "storage_failed",
        }
    }

    /// Whether the same record may be stored later, without anybody changing it.
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Error::Full | Error::Busy | Error::Unreachable { .. })
    }

    pub(crate) fn file(path: &std::path::Path, source: std::io::Error) -> Error {
        if source.kind() == std::io::ErrorKind::StorageFull || source.kind() == std::io::ErrorKind::QuotaExceeded {
            return Error::Full;
        }
        Error::File { path: path.display().to_string(), source: Arc::new(source) }
    }

    /// A unique violation becomes [`Error::Duplicate`] of `what`; everything else as usual.
    pub(crate) fn taken(what: &'static str) -> impl Fn(sqlx::Error) -> Error {
        move |error| match &error {
            sqlx::Error::Database(refusal) if refusal.is_unique_violation() => Error::Duplicate { what },
            _ => Error::from(error),
        }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Error {
        match &error {
            sqlx::Error::Database(refusal) => match refusal.code().as_deref() {
                Some(code) if is_full(code) => Error::Full,
                Some("5" | "6" | "261" | "517" | "773" | "55P03" | "40P01" | "40001") => Error::Busy,
                Some("57P01" | "57P02" | "57P03" | "53300") => Error::Unreachable { reason: error.to_string() },
                _ => Error::Database(Arc::new(error)),
            },
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed | sqlx::Error::Tls(_) => {
                Error::Unreachable { reason: error.to_string() }
            }
            sqlx::Error::PoolClosed => Error::Closed,
            _ => Error::Database(Arc::new(error)),
        }
    }
}

/// SQLITE_FULL, the SQLITE_IOERR_* of a write that found no space (write, fsync, truncate, shared memory), and PostgreSQL's
/// `disk_full`. A failing disk gives the same SQLITE_IOERR codes; for the person both mean "nothing can be stored now".
fn is_full(code: &str) -> bool {
    matches!(code, "13" | "778" | "1034" | "1546" | "4874" | "5386" | "53100")
}

impl Error {
    /// The same for an error that was already read.
    pub(crate) fn or_taken(self, what: &'static str) -> Error {
        match &self {
            Error::Database(source) => match source.as_database_error() {
                Some(refusal) if refusal.is_unique_violation() => Error::Duplicate { what },
                _ => self,
            },
            _ => self,
        }
    }
}
