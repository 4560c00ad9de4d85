//! `portico check`: `ok`, or every mistake in the configuration with its line.

use std::process::ExitCode;

use super::{Place, print};

pub(super) fn run(place: &Place) -> anyhow::Result<ExitCode> {
    match place.config() {
        Ok(_) => {
            print::line(format_args!("ok"));
            Ok(ExitCode::SUCCESS)
        }
        Err(mistakes) => {
            print::wrong(&mistakes);
            Ok(ExitCode::FAILURE)
        }
    }
}
