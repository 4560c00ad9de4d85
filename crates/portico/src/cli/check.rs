//! `portico check`: `ok`, or every mistake in the configuration with its line.

use std::process::ExitCode;

use super::{Place, print};

pub(super) fn run(place: &Place) -> anyhow::Result<ExitCode> {
    place.config()?;
    print::line(format_args!("ok"));
    Ok(ExitCode::SUCCESS)
}
