//! `portico doctor`: one line per check, `ok`, `warn` or `fail`, with what to do. It looks and changes nothing. A new check is one function and one line in [`CHECKS`].

mod installation;
mod machine;

use std::process::ExitCode;

use super::{Place, print};
use crate::config::Config;

/// Every check, in the order it is printed.
const CHECKS: &[(&str, Check)] = &[
    ("data folder", installation::data_folder),
    ("disk space", installation::disk_space),
    ("database", installation::database),
    ("port", installation::port),
    ("https", installation::https),
    ("models", installation::models),
    ("model files", installation::model_files),
    ("adapters", installation::adapters),
    ("prefixes", installation::prefixes),
    ("test keys", installation::test_keys),
    ("clock", machine::clock),
    ("open files", machine::open_files),
    ("processor", machine::processor),
    ("large pages", machine::large_pages),
    ("engine", machine::engine),
];

type Check = fn(&Config) -> Outcome;

/// What a check found.
enum Outcome {
    /// As it should be; says what was found.
    Ok(String),
    /// It works, but should be looked at: what was found, and what to do.
    Warn(String, &'static str),
    /// It will not work: what was found, and what to do.
    Fail(String, &'static str),
}

pub(super) fn run(place: &Place) -> anyhow::Result<ExitCode> {
    let config = match place.config() {
        Ok(config) => config,
        Err(mistakes) => {
            print::line(format_args!("fail  {:<12} not read; the other checks need it", "configuration"));
            print::note(format_args!("{mistakes}"));
            return Ok(ExitCode::FAILURE);
        }
    };
    let read = config.file.as_ref().map_or("no file; the defaults".to_owned(), |file| file.display().to_string());
    let mut failed = show("configuration", Outcome::Ok(read));
    for (name, check) in CHECKS {
        failed |= show(name, check(&config));
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints one line; true when the check failed.
fn show(name: &str, outcome: Outcome) -> bool {
    let (word, found, advice) = match &outcome {
        Outcome::Ok(found) => ("ok", found, ""),
        Outcome::Warn(found, advice) => ("warn", found, *advice),
        Outcome::Fail(found, advice) => ("fail", found, *advice),
    };
    let arrow = if advice.is_empty() { "" } else { " -> " };
    print::line(format_args!("{word:<5} {name:<13} {found}{arrow}{advice}"));
    matches!(outcome, Outcome::Fail(..))
}
