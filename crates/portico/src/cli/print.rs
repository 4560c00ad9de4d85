//! Writing to the terminal. A closed pipe (`portico doctor | head -1`) is no error.

use std::fmt::Arguments;
use std::io::Write;

use domain::Timestamp;
use store::Day;

use crate::config::{Mistakes, wide};

/// A line for people, or for the program behind the pipe.
pub(super) fn line(text: Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A remark beside what a program reads from standard output.
pub(super) fn note(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// What went wrong, with its causes. Mistakes in the configuration are laid out already.
pub(super) fn error(error: &anyhow::Error) {
    let mut out = std::io::stderr().lock();
    let _ = match error.downcast_ref::<Mistakes>() {
        Some(mistakes) => write!(out, "{mistakes}"),
        None => writeln!(out, "portico: {}", told(error)),
    };
}

/// The causes one after the other, but those that the one before has told already.
pub(super) fn told(error: &anyhow::Error) -> String {
    let mut told: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if told.last().is_none_or(|before| !before.ends_with(&cause)) {
            told.push(cause);
        }
    }
    told.join(": ")
}

/// Rows under their headings, as wide as they need to be. Chinese takes two columns a character.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) {
    let width = |text: &str| text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum::<usize>();
    let mut widths = headings.map(width);
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = width(cell).max(*widest);
        }
    }
    let headings = headings.map(str::to_owned);
    for row in std::iter::once(&headings).chain(rows) {
        let cells = row.iter().zip(widths).map(|(cell, wide)| format!("{cell}{}", " ".repeat(wide - width(cell))));
        line(format_args!("{}", cells.collect::<Vec<_>>().join("  ").trim_end()));
    }
}

/// `2026-11-23 07:15` in UTC, or a dash.
pub(super) fn moment(at: Option<Timestamp>) -> String {
    let Some(at) = at else { return "-".to_owned() };
    let minute = at.0.div_euclid(60_000).rem_euclid(1440);
    format!("{} {:02}:{:02}", Day::of(at), minute / 60, minute % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates() {
        for (ms, text) in [
            (0, "1970-01-01 00:00"),
            (951_782_400_000, "2000-02-29 00:00"),
            (1_795_418_159_999, "2026-11-23 07:15"),
            (1_767_225_599_000, "2025-12-31 23:59"),
            (-1, "1969-12-31 23:59"),
        ] {
            assert_eq!(moment(Some(Timestamp(ms))), text);
        }
        assert_eq!(moment(None), "-");
    }
}
