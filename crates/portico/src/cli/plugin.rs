//! `portico plugin`: the beginning of a plugin, as a folder to work in. What is in it is `tools`'.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::print;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Make a folder with a manifest that installs, a small service, its test and a README.
    New(New),
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// Small letters, digits and -; the folder is called so, too.
    name: String,
    /// Where the folder is made [default: here].
    #[arg(long = "in", value_name = "DIR", default_value = ".")]
    place: PathBuf,
}

pub(super) fn run(verb: &Verb) -> anyhow::Result<ExitCode> {
    let Verb::New(New { name, place }) = verb;
    let parts = tools::scaffold(name).map_err(anyhow::Error::msg)?;
    let folder = place.join(name);
    // What is there already is somebody's.
    std::fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
    for (file, text) in parts {
        let path = folder.join(file);
        std::fs::write(&path, text).with_context(|| path.display().to_string())?;
    }
    print::line(format_args!("{}: python3 service.py starts it, README.md tells the rest", folder.display()));
    Ok(ExitCode::SUCCESS)
}
