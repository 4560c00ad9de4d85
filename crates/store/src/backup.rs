//! The whole store as one file, taken while it runs, and back into an empty store of either database: gzip'd JSON lines, all
//! rows of one moment, closed by their count and a checksum. One of the three files whose SQL differs between the two.

mod file;

use std::path::Path;

use domain::Timestamp;
use futures_util::TryStreamExt;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};

use crate::database::{Engine, run_script};
use crate::insert::Statement;
use crate::migrate::MIGRATIONS;
use crate::rows::Columns;
use crate::{Error, Store, search};
use file::{Header, Line};

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupSummary {
    pub rows: u64,
    pub bytes: u64,
}

/// What was read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestoreSummary {
    pub rows: u64,
    /// When the backup was taken.
    pub taken_at: Timestamp,
}

/// A table of the backup. The search index is not in it: it is made anew from the texts.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// In the order of the file; a number where it ends in `#`.
    pub(crate) columns: &'static [&'static str],
    /// What makes the order of its rows the same on both databases.
    key: &'static str,
}

const fn table(name: &'static str, key: &'static str, columns: &'static [&'static str]) -> Table {
    Table { name, columns, key }
}

/// Every table, those that others refer to first.
pub(crate) const TABLES: &[Table] = &[
    table("tenants", "id", &["id", "name", "created_at#"]),
    table(
        "persons",
        "id",
        &[
            "id",
            "tenant",
            "name",
            "display_name",
            "role",
            "disabled#",
            "password_hash",
            "language",
            "settings",
            "daily_token_limit#",
            "created_at#",
            "last_seen_at#",
        ],
    ),
    table(
        "sessions",
        "id",
        &["id", "tenant", "person", "token_hash", "created_at#", "seen_at#", "expires_at#", "user_agent", "address"],
    ),
    table(
        "links",
        "id",
        &[
            "id",
            "tenant",
            "kind",
            "token_hash",
            "role",
            "note",
            "person",
            "created_by",
            "created_at#",
            "expires_at#",
            "used_at#",
            "used_by",
        ],
    ),
    table(
        "keys",
        "id",
        &[
            "id",
            "tenant",
            "person",
            "name",
            "prefix",
            "hash",
            "created_at#",
            "expires_at#",
            "last_used_at#",
            "revoked_at#",
            "scope",
        ],
    ),
    table(
        "conversations",
        "id",
        &[
            "id",
            "tenant",
            "person",
            "title",
            "titled_by",
            "model",
            "system_prompt",
            "sampling",
            "pinned#",
            "archived#",
            "created_at#",
            "updated_at#",
            "head",
            "deleted_at#",
            "assistant",
            "assistant_version#",
        ],
    ),
    table(
        "messages",
        "id",
        &[
            "id",
            "tenant",
            "person",
            "conversation",
            "parent",
            "author",
            "text",
            "thought",
            "at#",
            "model",
            "turn",
            "finish",
            "failure_code",
            "failure_message",
            "usage",
            "ttft_ms#",
            "tpot_us#",
            "trimmed_messages#",
            "trimmed_tokens#",
            "provenance",
            "rating",
            "deleted_with",
            "files",
        ],
    ),
    table(
        "turns",
        "turn",
        &["turn", "tenant", "person", "conversation", "question", "answer", "ask_id", "model", "started_at#"],
    ),
    table(
        "started",
        "turn",
        &["turn", "tenant", "person", "via", "node", "conversation", "answer", "model", "door", "at#"],
    ),
    table("deltas", "turn, seq", &["turn", "seq#", "text", "thought"]),
    table(
        "usage",
        "turn",
        &[
            "turn",
            "tenant",
            "person",
            "via",
            "conversation",
            "model",
            "provider",
            "door",
            "finish",
            "failure",
            "prompt#",
            "completion#",
            "cached#",
            "reasoning#",
            "reported#",
            "started_at#",
            "finished_at#",
            "ttft_ms#",
            "tpot_us#",
        ],
    ),
    table("usage_day", "tenant, person, day", &["tenant", "person", "day#", "tokens#", "turns#"]),
    table("usage_key_day", "tenant, key, day", &["tenant", "key", "day#", "prompt#", "completion#", "turns#"]),
    table(
        "audit",
        "node, seq",
        &["node", "seq#", "at#", "tenant", "person", "via", "verb", "subject", "detail", "hash"],
    ),
    table(
        "providers",
        "id",
        &["id", "tenant", "name", "title", "kind", "base_url", "sealed_key", "models", "enabled#", "created_at#"],
    ),
    table(
        "alias_versions",
        "tenant, name, environment, version",
        &["tenant", "name", "environment", "version#", "config", "restores#", "note", "person", "at#"],
    ),
    table("aliases", "tenant, name, environment", &["tenant", "name", "environment", "version#"]),
    table(
        "replays",
        "id",
        &["id", "tenant", "person", "node", "alias", "target", "state", "total#", "started_at#", "finished_at#"],
    ),
    table(
        "replay_answers",
        "replay, seq",
        &[
            "replay",
            "seq#",
            "tenant",
            "person",
            "conversation",
            "question",
            "answer",
            "text",
            "finish",
            "failure_code",
            "failure_message",
            "prompt#",
            "completion#",
            "ttft_ms#",
            "tpot_us#",
            "similarity#",
        ],
    ),
    table("settings", "tenant, key", &["tenant", "key", "value"]),
    table("capabilities", "tenant, model", &["tenant", "model", "at#", "matrix"]),
    table(
        "files",
        "id",
        &["id", "tenant", "person", "name", "purpose", "bytes#", "created_at#", "expires_at#", "complete#"],
    ),
    table(
        "uploads",
        "id",
        &["id", "tenant", "person", "name", "media_type", "bytes#", "digest", "created_at#", "deleted_at#"],
    ),
    table("file_pieces", "file, seq", &["file", "seq#", "data"]),
    table(
        "datasets",
        "id",
        &[
            "id",
            "tenant",
            "name",
            "note",
            "held_out#",
            "seed#",
            "draft#",
            "revision#",
            "person",
            "created_at#",
            "updated_at#",
        ],
    ),
    table(
        "examples",
        "dataset, example, since",
        &[
            "dataset",
            "example",
            "since#",
            "until#",
            "tenant",
            "content",
            "hash",
            "source",
            "origin",
            "included#",
            "at#",
        ],
    ),
    table(
        "dataset_versions",
        "dataset, version",
        &[
            "dataset",
            "version#",
            "tenant",
            "note",
            "trained#",
            "held_out#",
            "share#",
            "seed#",
            "sha256",
            "person",
            "at#",
        ],
    ),
    table(
        "training_jobs",
        "id",
        &[
            "id",
            "tenant",
            "person",
            "node",
            "name",
            "model",
            "dataset",
            "version#",
            "recipe",
            "state",
            "progress",
            "failure",
            "result",
            "created_at#",
            "started_at#",
            "finished_at#",
        ],
    ),
    table(
        "plugins",
        "id",
        &[
            "id",
            "tenant",
            "name",
            "kind",
            "manifest",
            "settings",
            "grants",
            "sealed",
            "enabled#",
            "person",
            "created_at#",
            "updated_at#",
        ],
    ),
    table(
        "plugin_calls",
        "id",
        &["id", "tenant", "person", "plugin", "tool", "turn", "at#", "ms#", "outcome", "sent", "received"],
    ),
    table("training_losses", "job, step", &["job", "step#", "train#", "held_out#"]),
    table(
        "evaluations",
        "id",
        &[
            "id",
            "tenant",
            "person",
            "node",
            "job",
            "dataset",
            "version#",
            "variants",
            "max_tokens#",
            "state",
            "started_at#",
            "updated_at#",
            "finished_at#",
        ],
    ),
    table("evaluation_questions", "evaluation, seq", &["evaluation", "seq#", "tenant", "messages", "expected"]),
    table(
        "evaluation_answers",
        "evaluation, seq, variant",
        &[
            "evaluation",
            "seq#",
            "variant#",
            "tenant",
            "text",
            "finish",
            "failure_code",
            "failure_message",
            "prompt#",
            "completion#",
            "ttft_ms#",
            "ms#",
            "exact#",
            "similarity#",
        ],
    ),
    table(
        "batches",
        "id",
        &[
            "id",
            "tenant",
            "person",
            "node",
            "name",
            "assistant",
            "assistant_version#",
            "model",
            "instructions",
            "sampling",
            "template",
            "columns",
            "at_once#",
            "state",
            "reason_code",
            "reason_message",
            "total#",
            "done#",
            "failed#",
            "prompt#",
            "completion#",
            "created_at#",
            "updated_at#",
            "finished_at#",
        ],
    ),
    table(
        "batch_rows",
        "batch, seq",
        &[
            "batch",
            "seq#",
            "tenant",
            "cells",
            "upload",
            "state",
            "answer",
            "failure_code",
            "failure_message",
            "prompt#",
            "completion#",
            "left_out#",
            "ms#",
            "tries#",
        ],
    ),
    table(
        "approvals",
        "id",
        &[
            "id",
            "tenant",
            "person",
            "turn",
            "conversation",
            "position#",
            "plugin",
            "title",
            "tool",
            "arguments",
            "approver",
            "state",
            "created_at#",
            "expires_at#",
            "decided_by",
            "decided_at#",
            "reason",
        ],
    ),
    table(
        "waiting_turns",
        "turn",
        &["turn", "tenant", "person", "conversation", "question", "answer", "model", "utc_offset#", "rest", "at#"],
    ),
    table("responses", "id", &["id", "tenant", "person", "previous", "items", "body", "at#"]),
    table(
        "assistants",
        "id",
        &[
            "id",
            "tenant",
            "person",
            "shared",
            "draft",
            "revision#",
            "published#",
            "persona",
            "created_at#",
            "updated_at#",
            "deleted_at#",
        ],
    ),
    table(
        "assistant_versions",
        "assistant, version",
        &["assistant", "version#", "tenant", "unit", "note", "person", "at#"],
    ),
    table("prompts", "id", &["id", "tenant", "person", "name", "text", "shared#", "updated_at#"]),
];

impl Table {
    fn names(&self) -> Vec<&'static str> {
        self.columns.iter().map(|column| column.trim_end_matches('#')).collect()
    }

    /// PostgreSQL sorts by the database's language where not told otherwise, and that language differs between machines.
    fn select(&self, engine: Engine) -> String {
        let keys: Vec<String> = self
            .key
            .split(", ")
            .map(|key| match engine {
                Engine::Postgres if !self.columns.contains(&format!("{key}#").as_str()) => {
                    format!("{key} COLLATE \"C\"")
                }
                _ => key.to_owned(),
            })
            .collect();
        format!("SELECT {} FROM {} ORDER BY {}", self.names().join(", "), self.name, keys.join(", "))
    }
}

impl Store {
    /// Writes everything there is at this moment to `file`, while the store goes on. The file appears whole or not at all.
    pub async fn backup(&self, file: &Path) -> Result<BackupSummary, Error> {
        let engine = self.inner.database.engine;
        let mut tx = self.inner.database.read_tx().await?;
        let schema = MIGRATIONS.last().map_or(0, |last| last.version);
        let mut out = file::Writer::create(file, &Header::new(schema, self.now()))?;
        for table in TABLES {
            out.line(&Line::Table {
                table: table.name.into(),
                columns: table.columns.iter().map(|c| (*c).into()).collect(),
            })
            .await?;
            let select = table.select(engine);
            let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(&mut *tx);
            while let Some(row) = rows.try_next().await? {
                out.line(&Line::Row(values(table, &row)?)).await?;
            }
        }
        tx.commit().await?;
        out.finish().await
    }

    /// Reads a backup into this store, which has to be empty. All of it, or nothing.
    pub async fn restore(&self, file: &Path) -> Result<RestoreSummary, Error> {
        let engine = self.inner.database.engine;
        let known = MIGRATIONS.last().map_or(0, |last| last.version);
        let header = file::verify(file).await?;
        if header.schema > known {
            return Err(Error::NewerSchema { found: header.schema, known });
        }
        let mut tx = self.inner.database.write_tx().await?;
        must_be_empty(&mut tx).await?;
        // A message may be older than the one it answers, in an imported conversation.
        let later = match engine {
            Engine::Sqlite => "PRAGMA defer_foreign_keys = ON",
            Engine::Postgres => "SET CONSTRAINTS ALL DEFERRED",
        };
        run_script(&mut tx, later).await?;
        run_script(&mut tx, "DELETE FROM tenants").await?;
        let rows = read_in(&mut tx, file).await?;
        search::rebuild(&mut tx, engine).await?;
        tx.commit().await?;
        self.inner.order.learn(&self.inner.database).await?;
        Ok(RestoreSummary { rows, taken_at: header.at })
    }
}

async fn read_in(connection: &mut AnyConnection, file: &Path) -> Result<u64, Error> {
    let mut lines = file::Reader::open(file)?;
    let mut into: Option<(&Table, Statement)> = None;
    let mut waiting: Vec<Vec<Value>> = Vec::new();
    let mut rows = 0;
    while let Some(line) = lines.next()? {
        match line {
            Line::Row(values) => {
                rows += 1;
                waiting.push(values);
            }
            Line::Table { table, columns } => {
                put(connection, into.as_ref(), &mut waiting).await?;
                into = Some(target(&table, &columns)?);
            }
            Line::Header(_) | Line::End(_) => {}
        }
        if waiting.len() == 256 {
            put(connection, into.as_ref(), &mut waiting).await?;
        }
    }
    put(connection, into.as_ref(), &mut waiting).await?;
    Ok(rows)
}

fn target(name: &str, columns: &[String]) -> Result<(&'static Table, Statement), Error> {
    let found = TABLES.iter().find(|table| table.name == name && table.columns == columns);
    let table = found.ok_or_else(|| Error::Corrupt {
        what: format!("this backup has a table {name} with columns that this Portico does not know; restore it with the Portico that wrote it"),
    })?;
    Ok((table, Statement::into_table(table.name, &table.names())))
}

async fn put(
    connection: &mut AnyConnection,
    into: Option<&(&Table, Statement)>,
    waiting: &mut Vec<Vec<Value>>,
) -> Result<(), Error> {
    let Some((table, statement)) = into else { return Ok(()) };
    let rows = std::mem::take(waiting);
    if let Some(row) = rows.iter().find(|row| row.len() != table.columns.len()) {
        let what = format!("a row of {} has {} values instead of {}", table.name, row.len(), table.columns.len());
        return Err(Error::Corrupt { what });
    }
    statement
        .run(connection, &rows, |values, row| {
            for (column, value) in table.columns.iter().zip(row) {
                match column.ends_with('#') {
                    true => values.maybe_int(value.as_i64()),
                    false => values.maybe_text(value.as_str()),
                };
            }
        })
        .await?;
    Ok(())
}

async fn must_be_empty(connection: &mut AnyConnection) -> Result<(), Error> {
    for table in TABLES.iter().filter(|table| table.name != "tenants") {
        let count = format!("SELECT CAST(COUNT(*) AS BIGINT) AS n FROM {}", table.name);
        let row = sqlx::query(AssertSqlSafe(count)).fetch_one(&mut *connection).await?;
        if row.int("n")? > 0 {
            let what =
                format!("this database is not empty ({} has rows); a backup is restored into a new one", table.name);
            return Err(Error::Conflict { what });
        }
    }
    Ok(())
}

fn values(table: &Table, row: &AnyRow) -> Result<Vec<Value>, Error> {
    let mut values = Vec::with_capacity(table.columns.len());
    for column in table.columns {
        values.push(match column.strip_suffix('#') {
            Some(number) => row.maybe_int(number)?.map_or(Value::Null, Value::from),
            None => row.maybe_text(column)?.map_or(Value::Null, Value::from),
        });
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::{Clock, Ids, SystemClock};

    use super::*;
    use crate::{Options, Place};

    /// A column that a migration adds has to be in the backup, too.
    #[tokio::test]
    async fn every_column_of_every_table_is_in_the_backup() {
        // Who lives, and what they are to stop, is of this moment alone.
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let ids = Ids::new(clock.clone());
        let store = Store::open(Options { place: Place::Memory, clock, ids, node: "one".into() }).await.unwrap();
        let rows = sqlx::query(
            "SELECT t.name || '.' || c.name || CASE c.type WHEN 'TEXT' THEN '' ELSE '#' END AS name \
             FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type = 'table' AND t.name NOT LIKE 'search_%' \
             AND t.name NOT IN ('schema_version', 'nodes', 'stops') ORDER BY 1",
        );
        let rows = rows.fetch_all(&store.inner.database.read).await.unwrap();
        let there: Vec<String> = rows.iter().map(|row| row.text("name").unwrap()).collect();
        let mut known: Vec<String> = TABLES
            .iter()
            .flat_map(|table| table.columns.iter().map(|column| format!("{}.{column}", table.name)))
            .collect();
        known.sort();
        assert_eq!(there, known);
    }
}
