//! The commit that is made most often, on SQLite's own connection: turns that came through an API door and ended before their
//! start was written. Their rows go over to SQLite's thread and come back in one step, from BEGIN to COMMIT; a statement at a
//! time, as in `batch.rs`, the two threads wake each other a dozen times.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::{AssertSqlSafe, Executor, SqliteConnection};

use super::batch::Sorted;
use super::tables::{self, AUDIT, USAGE, USAGE_DAY, USAGE_KEY_DAY};
use crate::Error;
use crate::audit::Chain;
use crate::insert::Values;

/// At most so many rows in a statement: beyond that it costs more to look up than it saves.
const MOST_ROWS: usize = 128;

/// The texts of the sizes that were needed so far: powers of two, so that they are few and stay prepared.
#[derive(Default)]
pub(super) struct Brief(HashMap<(usize, usize), Arc<str>>);

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
    pub(super) async fn commit(
        &mut self,
        connection: &mut SqliteConnection,
        sorted: &Sorted<'_>,
        chain: &mut Chain,
    ) -> Result<(), Error> {
        let (days, key_days) = (tables::days(&sorted.settled), tables::key_days(&sorted.settled));
        let counters = days.len().max(key_days.len()).next_power_of_two();
        let rows = sorted.settled.len().next_power_of_two();
        let mut values = Values::default();
        values.pad(&USAGE, rows, &sorted.settled, tables::usage_row);
        values.pad(&AUDIT, rows, &tables::entries(sorted, chain)?, tables::entry_row);
        values.pad(&USAGE_DAY, counters, &days, tables::day_row);
        values.pad(&USAGE_KEY_DAY, counters, &key_days, tables::key_day_row);
        let query = sqlx::query_with(AssertSqlSafe(self.text(rows, counters)), values.into_sqlite()?);
        match connection.execute(query).await {
            Ok(_) => Ok(()),
            Err(error) => {
                // SQLite may have rolled back on its own, and says so here: no matter.
                let _ = connection.execute("ROLLBACK").await;
                Err(known(error))
            }
        }
    }

    fn text(&mut self, rows: usize, counters: usize) -> Arc<str> {
        let write = || {
            let statements = [
                "BEGIN IMMEDIATE".to_owned(),
                // Without its `ON CONFLICT DO NOTHING`: what is there already undoes all of it.
                USAGE.padded(rows),
                AUDIT.padded(rows),
                USAGE_DAY.padded(counters) + USAGE_DAY.tail,
                USAGE_KEY_DAY.padded(counters) + USAGE_KEY_DAY.tail,
                "COMMIT".to_owned(),
            ];
            Arc::from(statements.join("; "))
        };
        self.0.entry((rows, counters)).or_insert_with(write).clone()
    }
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
