//! Brings a database to this binary's schema: our own ordered list of SQL files and one small runner.
//!
//! Not `sqlx::migrate!`: with `Any` it wants one directory per engine or the least common SQL, cannot make the backup that
//! must precede it inside the same decision, and knows "dirty" states that a transaction per migration does not have.

use std::path::{Path, PathBuf};

use domain::Timestamp;
use sqlx::{AnyConnection, Row};

use crate::database::{Database, Engine, run_script};
use crate::{Error, search};

/// One step from a schema to the next. `sql` is the same for both engines, the others are what differs.
pub(crate) struct Migration {
    pub(crate) version: i64,
    pub(crate) sql: &'static str,
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

pub(crate) const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        sql: include_str!("../migrations/0001_house.sql"),
        sqlite: search::SQLITE_SCHEMA,
        postgres: search::POSTGRES_SCHEMA,
    },
    same_for_both(2, include_str!("../migrations/0002_keys.sql")),
    same_for_both(3, include_str!("../migrations/0003_catalogue.sql")),
    same_for_both(5, include_str!("../migrations/0005_aliases.sql")),
    same_for_both(6, include_str!("../migrations/0006_responses.sql")),
    same_for_both(7, include_str!("../migrations/0007_files.sql")),
    same_for_both(8, include_str!("../migrations/0008_provenance.sql")),
    same_for_both(9, include_str!("../migrations/0009_tuning.sql")),
    same_for_both(12, include_str!("../migrations/0012_assistants.sql")),
    same_for_both(13, include_str!("../migrations/0013_plugins.sql")),
    same_for_both(14, include_str!("../migrations/0014_uploads.sql")),
    same_for_both(15, include_str!("../migrations/0015_evaluations.sql")),
    same_for_both(17, include_str!("../migrations/0017_plugin_calls_of_turn.sql")),
    same_for_both(18, include_str!("../migrations/0018_approvals.sql")),
    same_for_both(19, include_str!("../migrations/0019_batches.sql")),
    same_for_both(22, include_str!("../migrations/0022_nodes.sql")),
];

const fn same_for_both(version: i64, sql: &'static str) -> Migration {
    Migration { version, sql, sqlite: "", postgres: "" }
}

/// What was there, what is there now, and where the old one was kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Migrated {
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) kept: Option<String>,
}

/// `file` is the SQLite file, so that the backup lies beside it.
pub(crate) async fn run(
    database: &Database,
    migrations: &[Migration],
    file: Option<&Path>,
    now: Timestamp,
) -> Result<Migrated, Error> {
    let known = migrations.last().map_or(0, |last| last.version);
    let from = {
        let mut connection = database.write_connection().await?;
        found(&mut connection, database.engine).await?
    };
    if from > known {
        return Err(Error::NewerSchema { found: from, known });
    }
    if from == known {
        return Ok(Migrated { from, to: known, kept: None });
    }
    let mut kept = None;
    if from > 0
        && database.engine == Engine::Sqlite
        && let Some(file) = file
    {
        kept = Some(copy_file(database, file, from, now).await?);
    }
    let mut tx = database.write_tx().await?;
    if from > 0 && database.engine == Engine::Postgres {
        kept = Some(copy_schema(&mut tx, from).await?);
    }
    // Another node may have been first: PostgreSQL lets one at a time through here.
    if database.engine == Engine::Postgres {
        run_script(&mut tx, "SELECT pg_advisory_xact_lock(7021470)").await?;
    }
    run_script(&mut tx, "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT PRIMARY KEY, at BIGINT NOT NULL)")
        .await?;
    let from = found(&mut tx, database.engine).await?;
    for migration in migrations.iter().filter(|migration| migration.version > from) {
        apply(&mut tx, database.engine, migration, now).await?;
    }
    tx.commit().await?;
    Ok(Migrated { from, to: known, kept })
}

async fn apply(tx: &mut AnyConnection, engine: Engine, migration: &Migration, now: Timestamp) -> Result<(), Error> {
    match engine {
        // Tables that are only ever found by their key lie in the key's own tree: one insert instead of two on the hot path.
        Engine::Sqlite => {
            run_script(tx, &migration.sql.replace("/* clustered */", " WITHOUT ROWID")).await?;
            run_script(tx, migration.sqlite).await?;
        }
        Engine::Postgres => {
            run_script(tx, migration.sql).await?;
            run_script(tx, migration.postgres).await?;
        }
    }
    sqlx::query("INSERT INTO schema_version (version, at) VALUES ($1, $2)")
        .bind(migration.version)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// The schema that is there; 0 for an empty database.
pub(crate) async fn found(connection: &mut AnyConnection, engine: Engine) -> Result<i64, Error> {
    let there = match engine {
        Engine::Sqlite => "SELECT COUNT(*) AS n FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'",
        Engine::Postgres => {
            "SELECT COUNT(*) AS n FROM information_schema.tables \
             WHERE table_schema = current_schema() AND table_name = 'schema_version'"
        }
    };
    let there: i64 = sqlx::query(there).fetch_one(&mut *connection).await?.try_get("n")?;
    if there == 0 {
        return Ok(0);
    }
    let row = sqlx::query("SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS version FROM schema_version")
        .fetch_one(connection)
        .await?;
    Ok(row.try_get("version")?)
}

/// SQLite: the whole database as one file under `backups/` beside it.
async fn copy_file(database: &Database, file: &Path, from: i64, now: Timestamp) -> Result<String, Error> {
    let folder = file.parent().map_or_else(|| PathBuf::from("backups"), |folder| folder.join("backups"));
    std::fs::create_dir_all(&folder).map_err(|error| Error::file(&folder, error))?;
    let copy = folder.join(format!("before-schema-{}-{}.sqlite", from + 1, now.0));
    let path = copy.to_string_lossy().into_owned();
    let mut connection = database.write_connection().await?;
    sqlx::query("VACUUM INTO $1").bind(path.clone()).execute(&mut *connection).await?;
    Ok(path)
}

/// PostgreSQL: every table as it was, in a schema of its own, in the transaction that migrates.
async fn copy_schema(tx: &mut AnyConnection, from: i64) -> Result<String, Error> {
    let row = sqlx::query("SELECT CAST(current_schema() AS TEXT) AS name").fetch_one(&mut *tx).await?;
    let schema: String = row.try_get("name")?;
    let copy = format!("{schema}_before_schema_{}", from + 1);
    let tables = sqlx::query(
        "SELECT CAST(table_name AS TEXT) AS name FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY table_name",
    )
    .fetch_all(&mut *tx)
    .await?;
    run_script(tx, &format!("CREATE SCHEMA \"{copy}\"")).await?;
    for table in tables {
        let table: String = table.try_get("name")?;
        run_script(tx, &format!("CREATE TABLE \"{copy}\".\"{table}\" AS TABLE \"{schema}\".\"{table}\"")).await?;
    }
    Ok(copy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> i64 {
        MIGRATIONS.last().unwrap().version
    }

    const ONE_MORE: &str = "ALTER TABLE tenants ADD COLUMN plan TEXT";
    const BROKEN: &str = "CREATE TABLE x (id TEXT); NONSENSE";

    fn and(more: &'static str) -> Vec<Migration> {
        let same = |it: &Migration| Migration { version: it.version, ..*it };
        MIGRATIONS.iter().map(same).chain([same_for_both(known() + 1, more)]).collect()
    }

    async fn check(database: Database, file: Option<&Path>) -> String {
        let new = run(&database, MIGRATIONS, file, Timestamp(7)).await.unwrap();
        assert_eq!(new, Migrated { from: 0, to: known(), kept: None });
        let insert = "INSERT INTO tenants (id, name, created_at) VALUES ('a', 'b', 1)";
        run_script(&mut database.write_connection().await.unwrap(), insert).await.unwrap();
        let broken = run(&database, &and(BROKEN), file, Timestamp(6)).await;
        assert!(broken.is_err());
        let done = run(&database, &and(ONE_MORE), file, Timestamp(7)).await.unwrap();
        assert_eq!((done.from, done.to), (known(), known() + 1));
        let older = run(&database, MIGRATIONS, file, Timestamp(7)).await;
        assert!(
            matches!(older, Err(Error::NewerSchema { found, known: ours }) if found == known() + 1 && ours == known())
        );
        done.kept.unwrap()
    }

    #[tokio::test]
    async fn what_was_used_with_keys_before_they_were_counted_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::sqlite(&folder.path().join("portico.sqlite")).await.unwrap();
        run(&database, &MIGRATIONS[..1], None, Timestamp(7)).await.unwrap();
        let row = |turn: u32, via: &str, at: i64| {
            format!(
                "INSERT INTO usage (turn, tenant, person, via, model, provider, door, finish, prompt, completion, cached, \
                 reasoning, reported, started_at, finished_at) \
                 VALUES ('{turn}', 't', 'p', '{via}', 'm', 'x', 'openai', 'stop', 10, 5, 0, 0, 1, {at}, {at});"
            )
        };
        let rows = [row(1, "key:one", 5), row(2, "key:one", 6), row(3, "key:one", 86_400_001), row(4, "session:s", 5)];
        run_script(&mut database.write_connection().await.unwrap(), &rows.concat()).await.unwrap();
        run(&database, MIGRATIONS, None, Timestamp(8)).await.unwrap();
        let counted = sqlx::query("SELECT * FROM usage_key_day ORDER BY day").fetch_all(&database.read).await.unwrap();
        let counted: Vec<_> = counted
            .iter()
            .map(|row| {
                let number = |name: &str| row.get::<i64, _>(name);
                (row.get::<String, _>("key"), number("day"), number("prompt"), number("completion"), number("turns"))
            })
            .collect();
        assert_eq!(counted, [("one".to_owned(), 0, 20, 10, 2), ("one".to_owned(), 1, 10, 5, 1)]);
    }

    #[tokio::test]
    async fn sqlite_is_copied_beside_itself_before_it_changes_and_a_broken_step_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("portico.sqlite");
        let kept = check(Database::sqlite(&file).await.unwrap(), Some(&file)).await;
        assert!(kept.ends_with(&format!("backups/before-schema-{}-7.sqlite", known() + 1)), "{kept}");
        let copy = Database::sqlite(Path::new(&kept)).await.unwrap();
        let row = sqlx::query("SELECT * FROM tenants").fetch_one(&copy.read).await.unwrap();
        assert_eq!(row.columns().len(), 3);
    }

    #[tokio::test]
    async fn postgresql_is_copied_into_a_schema_of_its_own_before_it_changes() {
        let Ok(url) = std::env::var("PORTICO_TEST_POSTGRES") else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "PORTICO_TEST_POSTGRES has to be set where CI=true");
            return;
        };
        let ids = domain::Ids::new(std::sync::Arc::new(domain::SystemClock::new()));
        let schema = format!("m{}", ids.next().simple());
        let server = Database::postgres(&url).await.unwrap();
        let create = format!("CREATE SCHEMA {schema}");
        run_script(&mut server.write_connection().await.unwrap(), &create).await.unwrap();
        let mark = if url.contains('?') { '&' } else { '?' };
        let database = Database::postgres(&format!("{url}{mark}options[search_path]={schema}")).await.unwrap();
        let kept = check(database, None).await;
        assert_eq!(kept, format!("{schema}_before_schema_{}", known() + 1));
        let copied = format!("SELECT name FROM {kept}.tenants");
        let row = sqlx::query(sqlx::AssertSqlSafe(copied)).fetch_one(&server.read).await.unwrap();
        assert_eq!(row.get::<String, _>("name"), "b");
    }
}
