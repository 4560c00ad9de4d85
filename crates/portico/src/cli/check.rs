//! `portico check`: `ok`, or every mistake in the configuration with its line; then what is wrong with the files that it
//! names, and with the personas of the data folder.

use std::process::ExitCode;

use super::{Place, print};
use crate::options::TEST_KEYS;

pub(super) fn run(place: &Place) -> anyhow::Result<ExitCode> {
    let config = place.config()?;
    if !config.keys.is_empty() {
        print::note(format_args!("warning: {TEST_KEYS}"));
    }
    let mut mistakes = crate::drafts::mistakes(&config);
    mistakes.extend(crate::personas::mistakes(&config));
    if !mistakes.is_empty() {
        return Err(anyhow::Error::msg(mistakes.join("\n")));
    }
    print::line(format_args!("ok"));
    Ok(ExitCode::SUCCESS)
}
