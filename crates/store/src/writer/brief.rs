//! The commit that is made most often: turns that came through an API door and ended before their start was written. Their rows
//! go over to SQLite's thread (on a connection of its own) or to PostgreSQL's server and come back in one step, from BEGIN to
//! COMMIT; a statement at a time, as in `batch.rs`, the two sides wake each other a dozen times.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::{AnyConnection, AssertSqlSafe, Executor, SqliteConnection};

use super::sorted::Sorted;
use super::tables::{self, AUDIT, USAGE, USAGE_DAY, USAGE_KEY_DAY};
use crate::Error;
use crate::audit::Chain;
use crate::insert::{Marks, Values};

/// At most so many rows in a statement: beyond that it costs more to look up than it saves.
const MOST_ROWS: usize = 128;

/// The texts of the sizes that were needed so far: powers of two, so that they are few and stay prepared.
#[derive(Default)]
pub(super) struct Brief(HashMap<Sizes, Arc<str>>);

/// Rows of usage and audit, and counters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Sizes {
    rows: usize,
    days: usize,
    key_days: usize,
}

/// Whether a batch holds nothing but such turns.
pub(super) fn fits(sorted: &Sorted<'_>) -> bool {
    let Sorted { started, asked, deltas, settled, open, acts, sessions, keys, people, responses } = sorted;
    let others = started.is_empty() && asked.is_empty() && deltas.is_empty() && open.is_empty();
    let touches =
        acts.is_empty() && responses.is_empty() && sessions.is_empty() && keys.is_empty() && people.is_empty();
    let passing = settled.iter().all(|settled| settled.conversation.is_none() && settled.answer.is_none());
    others && touches && passing && (1..=MOST_ROWS).contains(&settled.len())
}

impl Brief {
    /// Stores all of it in one commit, or nothing. `Conflict` where one of them is settled already.
    pub(super) async fn on_sqlite(
        &mut self,
        connection: &mut SqliteConnection,
        sorted: &Sorted<'_>,
        chain: &mut Chain,
    ) -> Result<(), Error> {
        let (text, values) = self.write(sorted, chain, on_sqlite)?;
        let query = sqlx::query_with(AssertSqlSafe(text), values.into_sqlite()?);
        match connection.execute(query).await {
            Ok(_) => Ok(()),
            Err(error) => {
                // SQLite may have rolled back on its own, and says so here: no matter.
                let _ = connection.execute("ROLLBACK").await;
                Err(known(error))
            }
        }
    }

    /// The same on PostgreSQL, where one statement does all of it and is a transaction of its own.
    pub(super) async fn on_postgres(
        &mut self,
        connection: &mut AnyConnection,
        sorted: &Sorted<'_>,
        chain: &mut Chain,
    ) -> Result<(), Error> {
        let (text, values) = self.write(sorted, chain, on_postgres)?;
        let query = sqlx::query_with(AssertSqlSafe(text), values.into_any()?);
        query.execute(connection).await.map_err(known)?;
        Ok(())
    }

    fn write(
        &mut self,
        sorted: &Sorted<'_>,
        chain: &mut Chain,
        text: fn(Sizes) -> String,
    ) -> Result<(Arc<str>, Values), Error> {
        let (days, key_days) = (tables::days(&sorted.settled), tables::key_days(&sorted.settled));
        let sizes = Sizes {
            rows: sorted.settled.len().next_power_of_two(),
            days: days.len().next_power_of_two(),
            key_days: if key_days.is_empty() { 0 } else { key_days.len().next_power_of_two() },
        };
        let mut values = Values::default();
        values.pad(&USAGE, sizes.rows, &sorted.settled, tables::usage_row);
        values.pad(&AUDIT, sizes.rows, &tables::entries(sorted, chain)?, tables::entry_row);
        values.pad(&USAGE_DAY, sizes.days, &days, tables::day_row);
        values.pad(&USAGE_KEY_DAY, sizes.key_days, &key_days, tables::key_day_row);
        let text = self.0.entry(sizes).or_insert_with(|| text(sizes).into());
        Ok((text.clone(), values))
    }
}

/// The statements. That of the usage is without its `ON CONFLICT DO NOTHING`: what is there already undoes all of it.
fn statements(sizes: Sizes, mut marks: Marks) -> Vec<String> {
    let mut all = vec![
        USAGE.padded(sizes.rows, &mut marks),
        AUDIT.padded(sizes.rows, &mut marks),
        USAGE_DAY.padded(sizes.days, &mut marks) + USAGE_DAY.tail,
    ];
    if sizes.key_days > 0 {
        all.push(USAGE_KEY_DAY.padded(sizes.key_days, &mut marks) + USAGE_KEY_DAY.tail);
    }
    all
}

fn on_sqlite(sizes: Sizes) -> String {
    format!("BEGIN IMMEDIATE; {}; COMMIT", statements(sizes, Marks::bare()).join("; "))
}

fn on_postgres(sizes: Sizes) -> String {
    let mut all = statements(sizes, Marks::numbered());
    let last = all.pop().unwrap_or_default();
    let before: Vec<String> = all.iter().enumerate().map(|(at, one)| format!("s{at} AS ({one})")).collect();
    format!("WITH {} {last}", before.join(", "))
}

/// A usage row that is there already.
fn known(error: sqlx::Error) -> Error {
    match error.as_database_error() {
        Some(refusal) if refusal.is_unique_violation() => {
            Error::Conflict { what: "a turn of this batch is settled already".into() }
        }
        _ => error.into(),
    }
}
