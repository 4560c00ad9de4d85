//! PostgreSQL: a connection for each question, to an address that was looked at, in a transaction that reads only, by a role that is
//! no superuser.

use std::time::Duration;

use domain::ToolError;
use futures_util::TryStreamExt as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Executor as _, Row as _, SqlSafeStr as _,
    Statement as _, TypeInfo as _,
};

use super::answer::{Column, Rows};
use super::guard::Checked;
use super::{CELL, Database, ROWS, Table, refused};
use crate::plugin::Plugin;

/// Types that are numbers, by their names in the catalogue.
const NUMBERS: [&str; 6] = ["INT2", "INT4", "INT8", "FLOAT4", "FLOAT8", "NUMERIC"];

pub(super) async fn ask(
    plugin: &Plugin,
    database: &Database,
    statement: Checked,
    within: Duration,
) -> Result<Rows, ToolError> {
    let work = Box::pin(async {
        let mut connection = open(plugin, database, within).await?;
        let asked = rows(&mut connection, statement).await;
        let _ = connection.close().await;
        asked.map_err(|error| late(error, within))
    });
    // The server's own clock ends the statement; this one is for a server that does not answer.
    tokio::time::timeout(within + Duration::from_secs(5), work)
        .await
        .unwrap_or(Err(ToolError::TimedOut { after: within }))
}

pub(super) async fn schema(plugin: &Plugin, database: &Database, within: Duration) -> Result<Vec<Table>, ToolError> {
    let work = Box::pin(async {
        let mut connection = open(plugin, database, within).await?;
        let asked = sqlx::query_as::<_, (String, String, String)>(
            "SELECT CASE WHEN table_schema = 'public' THEN table_name ELSE table_schema || '.' || table_name END, \
             column_name::text, data_type::text FROM information_schema.columns \
             WHERE table_schema NOT IN ('pg_catalog', 'information_schema') \
             ORDER BY table_schema, table_name, ordinal_position LIMIT 5000",
        )
        .fetch_all(&mut connection)
        .await;
        let _ = connection.close().await;
        asked.map(super::sqlite::tables).map_err(|error| late(error, within))
    });
    tokio::time::timeout(within, work).await.unwrap_or(Err(ToolError::TimedOut { after: within }))
}

async fn open(plugin: &Plugin, database: &Database, within: Duration) -> Result<PgConnection, ToolError> {
    let Database::Postgres { url, host, port } = database else {
        return Err(ToolError::Failed { reason: "it is no PostgreSQL".to_owned() });
    };
    let mut options: PgConnectOptions = url.parse().map_err(refused)?;
    options = options.port(*port).statement_cache_capacity(0).application_name("portico").disable_statement_logging();
    if let Some(password) = plugin.secrets.get("password") {
        options = options.password(password);
    }
    let origin = database.origin().ok_or_else(|| ToolError::Failed { reason: format!("{host:?} is no host") })?;
    let address = plugin.address(&origin).await?;
    // The address that was looked at is the one that is spoken to; where the certificate has to bear the name, the name is.
    if !matches!(options.get_ssl_mode(), PgSslMode::VerifyFull) {
        options = options.host(&address.ip().to_string());
    }
    let reach = |error: sqlx::Error| match error {
        sqlx::Error::Database(said) => ToolError::Failed { reason: said.message().to_owned() },
        other => ToolError::Unreachable { url: format!("{host}:{port}"), reason: other.to_string() },
    };
    let mut connection = options.connect().await.map_err(reach)?;
    let millis = within.as_millis();
    let all = format!(
        "SET default_transaction_read_only = on; SET statement_timeout = {millis}; SET lock_timeout = {millis}; \
         SET idle_in_transaction_session_timeout = {}; SET transaction_timeout = 0",
        millis + 5_000
    );
    // The last of them only newer servers know.
    let (all, _) = all.rsplit_once(';').unwrap_or((&all, ""));
    connection.execute(AssertSqlSafe(all.to_owned())).await.map_err(refused)?;
    let lord: bool = sqlx::query_scalar("SELECT current_setting('is_superuser') = 'on'")
        .fetch_one(&mut connection)
        .await
        .map_err(refused)?;
    if lord {
        let _ = connection.close().await;
        let reason =
            "the role of this plugin is a superuser of the database: give it one that may only read".to_owned();
        return Err(ToolError::Failed { reason });
    }
    Ok(connection)
}

async fn rows(connection: &mut PgConnection, statement: Checked) -> Result<Rows, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN READ ONLY").await?;
    let described = (&mut *transaction).prepare(AssertSqlSafe(statement.sql.clone()).into_sql_str()).await?;
    let column = |column: &sqlx::postgres::PgColumn| Column {
        name: column.name().to_owned(),
        numeric: NUMBERS.contains(&column.type_info().name()),
    };
    let columns: Vec<Column> = described.columns().iter().map(column).collect();
    // As texts, and no more of them than is told: a row that is too long never leaves the server.
    let sql = if statement.explains {
        statement.sql
    } else {
        let aliases: Vec<String> = (0..columns.len()).map(|at| format!("c{at}")).collect();
        let cells: Vec<String> = aliases.iter().map(|alias| format!("left({alias}::text, {CELL})")).collect();
        let (aliases, cells, most) = (aliases.join(", "), cells.join(", "), ROWS + 1);
        format!("WITH portico_asked({aliases}) AS ({}) SELECT {cells} FROM portico_asked LIMIT {most}", statement.sql)
    };
    let mut all = Vec::new();
    {
        let mut found = sqlx::query(AssertSqlSafe(sql)).fetch(&mut *transaction);
        while let Some(row) = found.try_next().await? {
            all.push((0..columns.len()).map(|at| row.try_get(at)).collect::<Result<_, _>>()?);
            if all.len() > ROWS {
                break;
            }
        }
    }
    transaction.rollback().await?;
    Ok(Rows { columns, rows: all })
}

/// PostgreSQL's word for a statement whose time was up.
fn late(error: sqlx::Error, within: Duration) -> ToolError {
    match &error {
        sqlx::Error::Database(said) if said.code().as_deref() == Some("57014") => ToolError::TimedOut { after: within },
        _ => refused(error),
    }
}
