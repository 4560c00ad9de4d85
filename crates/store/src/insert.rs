//! Multi-row statements, in sizes of powers of two so that the few texts stay prepared.
//!
//! PostgreSQL takes `$n` only. SQLite takes both, but sqlx asks it for the name of every placeholder at every run, and SQLite
//! walks the list of all names to find one: with 64 rows of 19 columns that was half of all CPU (84 µs a request, 22 with `?`,
//! which has no name). Elsewhere, with a dozen placeholders, `$n` costs nothing and is the one text for both.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use domain::Timestamp;
use sqlx::any::AnyArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{AnyConnection, Arguments, AssertSqlSafe};
use uuid::Uuid;

use crate::Error;
use crate::rows::clean;

/// At most 128 rows a statement: beyond that the statement costs more to look up than the round trip it saves.
const SIZES: usize = 8;

/// `INSERT INTO … (columns) VALUES …` or `… IN (…)` in every size that was needed so far.
pub(crate) struct Statement {
    head: Cow<'static, str>,
    columns: usize,
    pub(crate) tail: &'static str,
    texts: Mutex<[Option<Arc<str>>; 2 * SIZES]>,
}

/// The placeholders of one text, in their order.
pub(crate) struct Marks {
    mark: Mark,
    written: usize,
}

impl Marks {
    /// `?`, for SQLite.
    pub(crate) fn bare() -> Marks {
        Marks { mark: Mark::Bare, written: 0 }
    }

    /// `$n`, for PostgreSQL.
    pub(crate) fn numbered() -> Marks {
        Marks { mark: Mark::Numbered, written: 0 }
    }

    fn next(&mut self) -> String {
        self.written += 1;
        match self.mark {
            Mark::Bare => "?".to_owned(),
            Mark::Numbered => format!("${}", self.written),
        }
    }
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

    /// For as many rows as there are at the most, without its tail: those that are left empty go nowhere.
    pub(crate) fn padded(&self, rows: usize, marks: &mut Marks) -> String {
        let head = self.head.trim_end_matches("VALUES ");
        let mut row = || (0..self.columns).map(|_| marks.next()).collect::<Vec<_>>().join(", ");
        let rows: Vec<String> = (0..rows).map(|_| format!("({})", row())).collect();
        format!("{head}SELECT * FROM (VALUES {}) AS filled WHERE column1 IS NOT NULL", rows.join(", "))
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
            let mut values = Values::default();
            values.pad(self, chunk.len(), chunk, &mut row);
            let query = sqlx::query_with(AssertSqlSafe(self.text(power, mark)), values.into_any()?);
            affected += query.execute(&mut *connection).await?.rows_affected();
        }
        Ok(affected)
    }
}

/// The values of a statement, in order. Every column is always bound as the same type, absent or not: PostgreSQL types a
/// prepared statement by its parameters.
#[derive(Default)]
pub(crate) struct Values {
    values: Vec<Value>,
    /// The words of the row before, by their order: most columns of a batch say the same in every row, and what is said again
    /// is shared, not copied.
    words: Vec<Arc<str>>,
    /// How many words this row has so far.
    said: usize,
}

enum Value {
    Text(String),
    Word(Arc<str>),
    NoText,
    Int(i64),
    NoInt,
}

impl Value {
    /// Nothing, of the same type.
    fn none(&self) -> Value {
        match self {
            Value::Text(_) | Value::Word(_) | Value::NoText => Value::NoText,
            Value::Int(_) | Value::NoInt => Value::NoInt,
        }
    }
}

impl Values {
    /// All `items`, and empty rows until there are as many as in the text of [`Statement::padded`].
    pub(crate) fn pad<T>(
        &mut self,
        statement: &Statement,
        rows: usize,
        items: &[T],
        mut row: impl FnMut(&mut Values, &T),
    ) {
        self.values.reserve(rows * statement.columns);
        self.words.clear();
        for item in items {
            self.said = 0;
            row(self, item);
        }
        let kinds = self.values.len().saturating_sub(items.len() * statement.columns);
        for _ in items.len()..rows {
            for column in 0..statement.columns {
                let same = self.values.get(kinds + column).map_or(Value::NoText, Value::none);
                self.values.push(same);
            }
        }
    }

    pub(crate) fn text(&mut self, value: impl Into<String>) -> &mut Self {
        self.push(Value::Text(clean(value.into())))
    }

    pub(crate) fn maybe_text(&mut self, value: Option<impl Into<String>>) -> &mut Self {
        match value {
            Some(value) => self.text(value),
            None => self.push(Value::NoText),
        }
    }

    /// A text that the rows beside this one probably say, too.
    pub(crate) fn word(&mut self, value: &str) -> &mut Self {
        if value.contains('\0') {
            return self.text(value);
        }
        let said = self.said;
        self.said += 1;
        let word = match self.words.get(said) {
            Some(known) if **known == *value => known.clone(),
            _ => Arc::from(value),
        };
        if said == self.words.len() {
            self.words.push(word.clone());
        } else {
            self.words[said].clone_from(&word);
        }
        self.push(Value::Word(word))
    }

    /// An id, as its column keeps it.
    pub(crate) fn id(&mut self, id: Uuid) -> &mut Self {
        let mut text = Uuid::encode_buffer();
        self.word(id.hyphenated().encode_lower(&mut text))
    }

    pub(crate) fn int(&mut self, value: impl Into<i64>) -> &mut Self {
        self.push(Value::Int(value.into()))
    }

    pub(crate) fn maybe_int(&mut self, value: Option<impl Into<i64>>) -> &mut Self {
        self.push(value.map_or(Value::NoInt, |value| Value::Int(value.into())))
    }

    pub(crate) fn at(&mut self, value: Timestamp) -> &mut Self {
        self.int(value.0)
    }

    fn push(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        self
    }

    /// For whichever database it is.
    pub(crate) fn into_any(self) -> Result<AnyArguments, Error> {
        let mut arguments = AnyArguments::default();
        arguments.reserve(self.values.len(), 0);
        for value in self.values {
            let added = match value {
                Value::Text(text) => arguments.add(text),
                Value::Word(word) => arguments.add(&*word),
                Value::NoText => arguments.add(None::<String>),
                Value::Int(int) => arguments.add(int),
                Value::NoInt => arguments.add(None::<i64>),
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }

    /// For SQLite's own connection.
    pub(crate) fn into_sqlite(self) -> Result<SqliteArguments, Error> {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(self.values.len(), 0);
        for value in self.values {
            let added = match value {
                Value::Text(text) => Arguments::add(&mut arguments, text),
                Value::Word(word) => Arguments::add(&mut arguments, word),
                Value::NoText | Value::NoInt => Arguments::add(&mut arguments, None::<i64>),
                Value::Int(int) => Arguments::add(&mut arguments, int),
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        Ok(arguments)
    }
}
