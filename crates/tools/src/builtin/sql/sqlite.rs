//! SQLite files, opened to be read, from folders that the operator named. What is asked runs in the portal's process, so that its time
//! and the length of every value are bounded.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use domain::ToolError;
use futures_util::TryStreamExt as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _, Row as _, SqlSafeStr as _,
    Statement as _, ValueRef as _,
};

use super::answer::{Column, Rows};
use super::guard::Checked;
use super::{CELL, ROWS, Table, refused};
use crate::builtin::Ground;

/// The longest value that a statement may make, in bytes.
const VALUE: i32 = 1 << 20;
/// Steps of SQLite's machine between two looks at the clock.
const STEPS: i32 = 20_000;

pub(super) async fn ask(ground: &Ground, path: &Path, statement: Checked, within: Duration) -> Result<Rows, ToolError> {
    let mut connection = open(ground, path, within).await?;
    let asked = rows(&mut connection, statement).await;
    let _ = connection.close().await;
    asked.map_err(|error| late(error, within))
}

pub(super) async fn schema(ground: &Ground, path: &Path, within: Duration) -> Result<Vec<Table>, ToolError> {
    let mut connection = open(ground, path, within).await?;
    let asked = sqlx::query_as::<_, (String, String, String)>(
        "SELECT t.name, c.name, c.type FROM sqlite_schema t, pragma_table_info(t.name) c \
         WHERE t.type IN ('table', 'view') AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY t.name, c.cid LIMIT 5000",
    )
    .fetch_all(&mut connection)
    .await;
    let _ = connection.close().await;
    Ok(tables(asked.map_err(|error| late(error, within))?))
}

/// Columns, in order, as tables.
pub(super) fn tables(columns: Vec<(String, String, String)>) -> Vec<Table> {
    let mut all: Vec<Table> = Vec::new();
    for (table, column, kind) in columns {
        let column = format!("{column} {kind}").trim_end().to_owned();
        match all.last_mut() {
            Some(last) if last.name == table => last.columns.push(column),
            _ => all.push(Table { name: table, columns: vec![column] }),
        }
    }
    all
}

async fn open(ground: &Ground, path: &Path, within: Duration) -> Result<SqliteConnection, ToolError> {
    let path = allowed(ground, path)?;
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .read_only(true)
        .create_if_missing(false)
        .busy_timeout(Duration::from_secs(2))
        .statement_cache_capacity(0)
        .pragma("query_only", "1")
        .pragma("trusted_schema", "0")
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(refused)?;
    confine(&mut connection, within).await.map_err(refused)?;
    Ok(connection)
}

/// The file, if it lies in a folder that the operator named, also when every link is followed.
fn allowed(ground: &Ground, path: &Path) -> Result<PathBuf, ToolError> {
    let named = |folder: &PathBuf| std::fs::canonicalize(folder).ok();
    let folders: Vec<PathBuf> = ground.databases.iter().filter_map(named).collect();
    let real = std::fs::canonicalize(path).ok();
    match real {
        Some(real) if real.is_file() && folders.iter().any(|folder| real.starts_with(folder)) => Ok(real),
        _ => {
            let told: Vec<String> = ground.databases.iter().map(|folder| folder.display().to_string()).collect();
            let places = if told.is_empty() { "no folder".to_owned() } else { told.join(", ") };
            let reason = format!("{} is no SQLite file of the folders that may be read ({places})", path.display());
            Err(ToolError::Failed { reason })
        }
    }
}

#[expect(unsafe_code, reason = "sqlx has no word for SQLite's limits")]
async fn confine(connection: &mut SqliteConnection, within: Duration) -> Result<(), sqlx::Error> {
    let mut handle = connection.lock_handle().await?;
    let until = Instant::now() + within;
    handle.set_progress_handler(STEPS, move || Instant::now() < until);
    let raw = handle.as_raw_handle().as_ptr();
    for (limit, most) in [
        (libsqlite3_sys::SQLITE_LIMIT_LENGTH, VALUE),
        (libsqlite3_sys::SQLITE_LIMIT_SQL_LENGTH, 1 << 17),
        (libsqlite3_sys::SQLITE_LIMIT_COLUMN, 500),
        (libsqlite3_sys::SQLITE_LIMIT_EXPR_DEPTH, 200),
        (libsqlite3_sys::SQLITE_LIMIT_COMPOUND_SELECT, 50),
        (libsqlite3_sys::SQLITE_LIMIT_ATTACHED, 0),
        (libsqlite3_sys::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        // SAFETY: the handle is open and locked, so that no other thread uses it; the call only stores a number in it.
        unsafe { libsqlite3_sys::sqlite3_limit(raw, limit, most) };
    }
    Ok(())
}

async fn rows(connection: &mut SqliteConnection, statement: Checked) -> Result<Rows, sqlx::Error> {
    let described = (&mut *connection).prepare(AssertSqlSafe(statement.sql.clone()).into_sql_str()).await?;
    let names: Vec<String> = described.columns().iter().map(|column| column.name().to_owned()).collect();
    if statement.explains {
        let found = sqlx::query(AssertSqlSafe(statement.sql)).fetch_all(connection).await?;
        let text = |row: &sqlx::sqlite::SqliteRow| {
            (0..names.len()).map(|at| row.try_get_unchecked::<Option<String>, _>(at).ok().flatten()).collect()
        };
        let rows = found.iter().take(ROWS + 1).map(text).collect();
        let columns = names.iter().map(|name| Column { name: name.clone(), numeric: false }).collect();
        return Ok(Rows { columns, rows });
    }
    // As texts, and no more of them than is told. What each was is told beside it: a column of SQLite has no type of its own.
    let aliases: Vec<String> = (0..names.len()).map(|at| format!("c{at}")).collect();
    let cell = |alias: &String| {
        format!(
            "CASE typeof({alias}) WHEN 'blob' THEN '(' || length({alias}) || ' bytes)' ELSE substr(CAST({alias} AS TEXT), 1, \
             {CELL}) END, typeof({alias})"
        )
    };
    let cells: Vec<String> = aliases.iter().map(cell).collect();
    let sql = format!(
        "WITH portico_asked({}) AS ({}) SELECT {} FROM portico_asked LIMIT {}",
        aliases.join(", "),
        statement.sql,
        cells.join(", "),
        ROWS + 1
    );
    let mut found = sqlx::query(AssertSqlSafe(sql)).fetch(connection);
    let mut rows = Vec::new();
    let mut numeric = vec![true; names.len()];
    while let Some(row) = found.try_next().await? {
        let mut cells = Vec::with_capacity(names.len());
        for (at, numeric) in numeric.iter_mut().enumerate() {
            let kind: String = row.try_get(2 * at + 1)?;
            *numeric &= matches!(kind.as_str(), "integer" | "real" | "null");
            cells.push(match row.try_get_raw(2 * at)?.is_null() {
                true => None,
                false => Some(row.try_get_unchecked::<String, _>(2 * at)?),
            });
        }
        rows.push(cells);
    }
    let columns = names.into_iter().zip(numeric).map(|(name, numeric)| Column { name, numeric }).collect();
    Ok(Rows { columns, rows })
}

/// SQLite says "interrupted" where its clock ran out.
fn late(error: sqlx::Error, within: Duration) -> ToolError {
    match &error {
        sqlx::Error::Database(said) if said.message().contains("interrupted") => ToolError::TimedOut { after: within },
        _ => refused(error),
    }
}
