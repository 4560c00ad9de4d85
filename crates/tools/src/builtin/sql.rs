//! Questions to other people's databases, SQLite files and PostgreSQL: one reading statement at a time, inside limits. What may be
//! asked is `guard`'s; that nothing is written is also the database's: a connection that reads only, a role that owns nothing.

mod answer;
mod guard;
mod postgres;
mod sqlite;

use std::path::PathBuf;
use std::time::Duration;

use domain::{ToolAnswer, ToolError, ToolSpec};
use egress::Origin;
use http::Uri;
use serde_json::{Value, json};

use crate::error::Flaw;
use crate::permission::Permission;
use crate::plugin::Plugin;
use answer::table;

/// The most rows of an answer, and the most characters of one cell and of all of them.
const ROWS: usize = 200;
const CELL: usize = 2_000;
const CELLS: usize = 200_000;
/// The longest statement, in bytes.
const LONGEST: usize = 20_000;
/// The most of a schema that is told, in characters.
const SCHEMA: usize = 6_000;

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Database {
    /// A file of this machine.
    Sqlite(PathBuf),
    /// A server: what sqlx reads, without the password.
    Postgres { url: String, host: String, port: u16 },
}

impl Database {
    /// Where a server is, in the words of the way out, which knows hosts and ports.
    pub(crate) fn origin(&self) -> Option<Origin> {
        let Database::Postgres { host, port, .. } = self else { return None };
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        Origin::of(&format!("http://{host}:{port}/").parse().ok()?).ok()
    }
}

/// Reads the address of a database: `sqlite:/folder/file.db` or `postgres://role@host:5432/name`.
pub(crate) fn database(field: &str, text: Option<&str>) -> Result<Database, Flaw> {
    let text = text.map(str::trim).filter(|text| !text.is_empty()).ok_or_else(|| {
        Flaw::new(
            field,
            "the address of the database is missing: sqlite:/folder/file.db or postgres://role@host:5432/name",
        )
    })?;
    if let Some(path) = text.strip_prefix("sqlite:") {
        let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
        let bare = path.is_absolute() && !path.as_os_str().to_string_lossy().contains('?');
        return match bare {
            true => Ok(Database::Sqlite(path)),
            false => Err(Flaw::new(field, "the file's path must begin at / and have no parameters")),
        };
    }
    let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let Some(rest) = rest else {
        return Err(Flaw::new(field, "it begins with neither sqlite: nor postgres://"));
    };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (role, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    if role.contains(':') {
        return Err(Flaw::new(field, "the password does not belong in it: set it as the secret `password`"));
    }
    // Parameters of the connection alone: `host`, `options` and files are nobody's to set from here.
    let parameters = rest.split_once('?').map_or("", |(_, parameters)| parameters);
    if let Some(other) = parameters.split('&').filter(|one| !one.is_empty()).find(|one| !one.starts_with("sslmode=")) {
        return Err(Flaw::new(field, format!("{other:?} cannot be set: the one parameter is sslmode")));
    }
    let uri: Option<Uri> = format!("http://{place}/").parse().ok();
    let origin = uri.as_ref().and_then(|uri| Origin::of(uri).ok().map(|origin| (origin, uri.port_u16())));
    let Some((origin, port)) = origin else { return Err(Flaw::new(field, format!("{place:?} names no host"))) };
    Ok(Database::Postgres { url: text.to_owned(), host: origin.host().to_owned(), port: port.unwrap_or(5432) })
}

pub(super) fn query_spec() -> ToolSpec {
    ToolSpec {
        name: "query".to_owned(),
        description: format!(
            "Asks a database one SQL statement that reads (SELECT, WITH ... SELECT or EXPLAIN). At most {ROWS} rows come back: \
             count and sum in SQL."
        ),
        parameters: json!({
            "type": "object",
            "properties": { "sql": { "type": "string", "minLength": 1, "maxLength": LONGEST } },
            "required": ["sql"],
            "additionalProperties": false
        }),
    }
}

pub(super) fn describe_spec() -> ToolSpec {
    ToolSpec {
        name: "describe".to_owned(),
        description: "The tables of the database with their columns and types; or one table alone.".to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { "table": { "type": "string", "description": "All of them where absent" } },
            "additionalProperties": false
        }),
    }
}

/// One statement, answered as a table.
pub(super) async fn query(plugin: &Plugin, within: Duration, arguments: &Value) -> Result<ToolAnswer, ToolError> {
    let sql = arguments["sql"].as_str().unwrap_or_default();
    let database = reached(plugin)?;
    let wrong = |reason: String| ToolError::Invalid { field: "sql".to_owned(), reason };
    let statement = guard::check(sql, matches!(database, Database::Postgres { .. })).map_err(wrong)?;
    let rows = match database {
        Database::Sqlite(path) => Box::pin(sqlite::ask(plugin.ground(), path, statement, within)).await,
        Database::Postgres { .. } => Box::pin(postgres::ask(plugin, database, statement, within)).await,
    };
    rows.map(table)
}

/// The schema, as far as the plugin's role sees it.
pub(super) async fn describe(plugin: &Plugin, within: Duration, arguments: &Value) -> Result<ToolAnswer, ToolError> {
    let schema = schema(plugin, within).await?;
    let Some(wanted) = arguments["table"].as_str() else {
        return Ok(if schema.is_empty() { "(it has no tables)".to_owned() } else { listed(&schema, SCHEMA) }.into());
    };
    let is = |name: &str| name == wanted || name.rsplit('.').next() == Some(wanted);
    let found: Vec<_> = schema.into_iter().filter(|table| is(&table.name)).collect();
    if found.is_empty() {
        return Err(ToolError::Invalid { field: "table".to_owned(), reason: format!("there is no table {wanted:?}") });
    }
    Ok(listed(&found, SCHEMA).into())
}

/// The schema in few words, for the description of the tool; `None` where the database cannot be asked just now.
pub(crate) async fn outline(plugin: &Plugin) -> Option<String> {
    let schema = schema(plugin, Duration::from_secs(3)).await.ok()?;
    (!schema.is_empty()).then(|| listed(&schema, SCHEMA / 2))
}

/// A table with its columns, each with its type.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    name: String,
    columns: Vec<String>,
}

async fn schema(plugin: &Plugin, within: Duration) -> Result<Vec<Table>, ToolError> {
    match reached(plugin)? {
        Database::Sqlite(path) => Box::pin(sqlite::schema(plugin.ground(), path, within)).await,
        database @ Database::Postgres { .. } => Box::pin(postgres::schema(plugin, database, within)).await,
    }
}

fn listed(schema: &[Table], most: usize) -> String {
    let lines: Vec<String> =
        schema.iter().map(|table| format!("{}({})", table.name, table.columns.join(", "))).collect();
    crate::mask::cut(&lines.join("\n"), most)
}

/// Where it is, if the plugin may go there.
fn reached(plugin: &Plugin) -> Result<&Database, ToolError> {
    plugin.must(Permission::DbRead)?;
    let database = plugin.manifest.database.as_ref();
    let database = database.ok_or_else(|| ToolError::Failed { reason: "no database is set for it".to_owned() })?;
    if let Database::Postgres { host, .. } = database {
        plugin.must(Permission::Net(host.clone()))?;
    }
    Ok(database)
}

/// What a database said against a statement; the place of the mistake is the model's to read.
fn refused(error: sqlx::Error) -> ToolError {
    match error {
        sqlx::Error::Database(said) => ToolError::Failed { reason: said.message().to_owned() },
        sqlx::Error::Io(error) => ToolError::Failed { reason: format!("the connection broke off: {error}") },
        other => ToolError::Failed { reason: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_file_or_a_server_and_nothing_is_smuggled_in() {
        let read = |text: &str| database("base_url", Some(text)).map_err(|flaw| flaw.message);
        assert_eq!(read("sqlite:/srv/shop.db"), Ok(Database::Sqlite("/srv/shop.db".into())));
        assert_eq!(read("sqlite:///srv/shop.db"), Ok(Database::Sqlite("/srv/shop.db".into())));
        let server = |url: &str, host: &str, port| Ok(Database::Postgres { url: url.into(), host: host.into(), port });
        assert_eq!(
            read("postgres://reader@db.example.org/sales"),
            server("postgres://reader@db.example.org/sales", "db.example.org", 5432)
        );
        assert_eq!(
            read("postgresql://r@[::1]:6000/x?sslmode=require"),
            server("postgresql://r@[::1]:6000/x?sslmode=require", "::1", 6000)
        );
        for text in [
            "",
            "sqlite:relative.db",
            "sqlite::memory:",
            "sqlite:/a.db?mode=rwc",
            "mysql://x/y",
            "postgres://reader:secret@db/x",
            "postgres:///x",
            "postgres://r@db/x?host=/var/run",
            "postgres://r@db/x?sslmode=require&options=-c%20x",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
