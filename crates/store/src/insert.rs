//! Multi-row statements, in sizes of powers of two so that the few texts stay prepared.
//!
//! PostgreSQL takes `$n` only. SQLite takes both, but sqlx asks it for the name of every placeholder at every run, and SQLite
//! walks the list of all names to find one: with 64 rows of 19 columns that was half of all CPU (84 µs a request, 22 with `?`,
//! which has no name). Elsewhere, with a dozen placeholders, `$n` costs nothing and is the one text for both.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use domain::Timestamp;
use sqlx::any::AnyArguments;
use sqlx::error::BoxDynError;
use sqlx::{AnyConnection, Arguments, AssertSqlSafe};

use crate::Error;
use crate::rows::clean;

/// At most 128 rows a statement: beyond that the statement costs more to look up than the round trip it saves.
const SIZES: usize = 8;

/// `INSERT INTO … (columns) VALUES …` or `… IN (…)` in every size that was needed so far.
pub(crate) struct Statement {
    head: Cow<'static, str>,
    columns: usize,
    tail: &'static str,
    texts: Mutex<[Option<Arc<str>>; 2 * SIZES]>,
}

/// How a placeholder is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    /// `?`
    Bare,
    /// `$n`
    Numbered,
}

impl Statement {
    pub(crate) const fn new(head: &'static str, columns: usize, tail: &'static str) -> Statement {
        Statement { head: Cow::Borrowed(head), columns, tail, texts: Mutex::new([const { None }; 2 * SIZES]) }
    }

    /// For a table known only at run time: a restore.
    pub(crate) fn into_table(table: &str, columns: &[&str]) -> Statement {
        let head = format!("INSERT INTO {table} ({}) VALUES ", columns.join(", "));
        let texts = Mutex::new([const { None }; 2 * SIZES]);
        Statement { head: Cow::Owned(head), columns: columns.len(), tail: "", texts }
    }

    fn text(&self, power: usize, mark: Mark) -> Arc<str> {
        let place = if mark == Mark::Bare { power } else { SIZES + power };
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        texts[place].get_or_insert_with(|| self.write(1 << power, mark).into()).clone()
    }

    fn write(&self, rows: usize, mark: Mark) -> String {
        let mut text = String::with_capacity(self.head.len() + rows * (self.columns * 6 + 4) + self.tail.len());
        text.push_str(&self.head);
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..self.columns {
                if column > 0 {
                    text.push_str(", ");
                }
                match mark {
                    Mark::Bare => text.push('?'),
                    Mark::Numbered => {
                        text.push('$');
                        text.push_str(&(row * self.columns + column + 1).to_string());
                    }
                }
            }
            text.push(')');
        }
        text.push_str(self.tail);
        text
    }

    /// Runs it over all `items`; the number of rows that went in.
    pub(crate) async fn run<T>(
        &self,
        connection: &mut AnyConnection,
        items: &[T],
        mut row: impl FnMut(&mut Values, &T),
    ) -> Result<u64, Error> {
        let mark = if connection.backend_name() == "SQLite" { Mark::Bare } else { Mark::Numbered };
        let mut rest = items;
        let mut affected = 0;
        while !rest.is_empty() {
            let power = (rest.len().ilog2() as usize).min(SIZES - 1);
            let (chunk, after) = rest.split_at(1 << power);
            rest = after;
            let mut values = Values::with_capacity(chunk.len() * self.columns);
            for item in chunk {
                row(&mut values, item);
            }
            let query = sqlx::query_with(AssertSqlSafe(self.text(power, mark)), values.done()?);
            affected += query.execute(&mut *connection).await?.rows_affected();
        }
        Ok(affected)
    }
}

/// The values of a statement, in order. Every column is always bound as the same type, absent or not: PostgreSQL types a
/// prepared statement by its parameters.
pub(crate) struct Values {
    arguments: AnyArguments,
    refused: Option<BoxDynError>,
}

impl Values {
    fn with_capacity(count: usize) -> Values {
        let mut arguments = AnyArguments::default();
        arguments.reserve(count, 0);
        Values { arguments, refused: None }
    }

    pub(crate) fn text(&mut self, value: impl Into<String>) -> &mut Self {
        if let Err(refused) = self.arguments.add(clean(value.into())) {
            self.refused = Some(refused);
        }
        self
    }

    pub(crate) fn maybe_text(&mut self, value: Option<impl Into<String>>) -> &mut Self {
        let Some(value) = value else {
            if let Err(refused) = self.arguments.add(None::<String>) {
                self.refused = Some(refused);
            }
            return self;
        };
        self.text(value)
    }

    pub(crate) fn int(&mut self, value: impl Into<i64>) -> &mut Self {
        self.maybe_int(Some(value))
    }

    pub(crate) fn maybe_int(&mut self, value: Option<impl Into<i64>>) -> &mut Self {
        if let Err(refused) = self.arguments.add(value.map(Into::into)) {
            self.refused = Some(refused);
        }
        self
    }

    pub(crate) fn at(&mut self, value: Timestamp) -> &mut Self {
        self.int(value.0)
    }

    fn done(self) -> Result<AnyArguments, Error> {
        match self.refused {
            None => Ok(self.arguments),
            Some(refused) => Err(Error::from(sqlx::Error::Encode(refused))),
        }
    }
}
