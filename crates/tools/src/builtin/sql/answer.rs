//! Rows as they are told: a table for a person, lines for a model. Every cell came as text; what its column says is a number is one.

use domain::{ToolAnswer, ToolPart};
use serde_json::{Number, Value};

use super::{CELLS, ROWS};

/// How many rows a model reads.
const READ: usize = 60;

/// What a statement answered.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) columns: Vec<Column>,
    /// One more than [`ROWS`] where there are more.
    pub(super) rows: Vec<Vec<Option<String>>>,
}

#[derive(Debug)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) numeric: bool,
}

pub(super) fn table(answer: Rows) -> ToolAnswer {
    let Rows { columns, mut rows } = answer;
    let mut cut = rows.len() > ROWS;
    rows.truncate(ROWS);
    let mut size = 0;
    let kept = rows.iter().take_while(|row| {
        size += row.iter().flatten().map(String::len).sum::<usize>();
        size <= CELLS
    });
    let kept = kept.count();
    cut |= kept < rows.len();
    rows.truncate(kept);

    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let mut lines = vec![names.join(" | ")];
    for row in rows.iter().take(READ) {
        let cells = row.iter().map(|cell| cell.as_deref().unwrap_or("NULL").replace(['\n', '\r'], " "));
        lines.push(cells.collect::<Vec<_>>().join(" | "));
    }
    lines.push(match (rows.len(), cut) {
        (0, _) => "(no rows)".to_owned(),
        (n, true) => format!("(the first {n} rows; there are more{})", seen(n)),
        (n, false) => format!("({n} rows{})", seen(n)),
    });
    let cell = |(cell, column): (Option<String>, &Column)| match cell {
        None => Value::Null,
        Some(text) if column.numeric => number(&text).map_or(Value::String(text), Value::Number),
        Some(text) => Value::String(text),
    };
    let rows = rows.into_iter().map(|row| row.into_iter().zip(&columns).map(cell).collect()).collect();
    ToolAnswer { text: lines.join("\n"), parts: vec![ToolPart::Table { columns: names, rows, cut }] }
}

fn seen(rows: usize) -> String {
    if rows > READ { format!("; {READ} are read here, all of them are shown to the person") } else { String::new() }
}

/// A number, where a browser holds it as exactly: a larger or longer one stays a text.
fn number(text: &str) -> Option<Number> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits > 15 {
        return None;
    }
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => text.parse::<f64>().ok().and_then(Number::from_f64),
    }
}
