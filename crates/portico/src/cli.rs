//! The command line: one verb per file below, each a thin layer over the parts. What a verb prints for people goes to
//! standard output, what went wrong to standard error as one sentence.

mod check;
mod doctor;
mod print;
mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Config, Mistakes, Overrides};

pub use serve::ServeArgs;

/// A self-hosted AI service platform: the front hall to models that you run.
#[derive(Debug, Parser)]
#[command(name = "portico", version, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Read the configuration and say what is wrong with it.
    Check(Place),
    /// Look at this machine and this installation, and say what to do.
    Doctor(Place),
}

/// Which installation is meant.
#[derive(Debug, Clone, clap::Args)]
pub struct Place {
    /// The configuration file [default: ./portico.toml, if it is there].
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder [default: ./data].
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

impl Place {
    /// The configuration of this installation.
    pub fn config(&self) -> Result<Config, Mistakes> {
        Config::load(&self.overrides())
    }

    fn overrides(&self) -> Overrides {
        Overrides { config: self.config.clone(), data: self.data.clone(), ..Overrides::default() }
    }
}

/// Runs the verb on this process's command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.verb {
        Verb::Check(place) => check::run(&place),
        Verb::Doctor(place) => doctor::run(&place),
    };
    done.unwrap_or_else(|error| {
        print::error(&error);
        ExitCode::FAILURE
    })
}
