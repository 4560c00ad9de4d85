//! What a database holds, asked before anything is opened in it: whether it answers, and its schema. It migrates nothing.

use crate::database::Database;
use crate::{Error, Place, migrate};

/// Two schemas: an older one is migrated at the next start, a newer one refuses this binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// The schema in the database; 0 where it is empty.
    pub found: i64,
    /// The newest one this binary knows.
    pub known: i64,
}

impl Place {
    /// Looks at the database, and leaves it as it is. A SQLite file that is not there is not made.
    pub async fn look(&self) -> Result<Look, Error> {
        let known = migrate::MIGRATIONS.last().map_or(0, |last| last.version);
        let database = match self {
            Place::Sqlite(file) if file.exists() => Database::sqlite(file).await?,
            Place::Postgres(url) => Database::postgres(url).await?,
            Place::Sqlite(_) | Place::Memory => return Ok(Look { found: 0, known }),
        };
        let mut connection = database.write_connection().await?;
        let found = migrate::found(&mut connection, database.engine).await?;
        Ok(Look { found, known })
    }
}
