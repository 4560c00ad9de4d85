//! Writing to the terminal. A closed pipe (`portico doctor | head -1`) is no error.

use std::fmt::{Arguments, Display};
use std::io::Write;

/// A line for people, or for the program behind the pipe.
pub(super) fn line(text: Arguments<'_>) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// What went wrong, with its causes.
pub(super) fn error(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr().lock(), "portico: {error:#}");
}

/// What went wrong, when it is laid out already.
pub(super) fn wrong(what: &impl Display) {
    let _ = write!(std::io::stderr().lock(), "{what}");
}
