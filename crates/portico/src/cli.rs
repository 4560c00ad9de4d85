//! The command line: one verb per file below, each a thin layer over the parts. What a verb prints for people goes to
//! standard output, what went wrong to standard error as one sentence.

#[cfg(feature = "engine")]
mod adapter;
mod backup;
mod check;
mod cost;
mod doctor;
#[cfg(feature = "engine")]
mod engine;
mod extract;
mod house;
mod key;
mod mcp;
mod model;
mod plugin;
mod print;
mod provider;
mod serve;
mod size;
#[cfg(feature = "engine")]
mod train;
mod user;

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
    /// Run the portal.
    Serve(ServeArgs),
    /// Run one GGUF model behind the OpenAI dialect; the portal starts one per local model by itself.
    #[cfg(feature = "engine")]
    Engine(engine::EngineArgs),
    /// Teach a model of this machine a LoRA adapter; the portal starts one per job by itself.
    #[cfg(feature = "engine")]
    Train(train::TrainArgs),
    /// Adapters that are taught elsewhere: what that takes, and what came back made fit for the engine.
    #[cfg(feature = "engine")]
    #[command(subcommand)]
    Adapter(adapter::Verb),
    /// Read a document into blocks of text, confined; the portal starts one per file by itself.
    Extract(extract::ExtractArgs),
    /// Say what an MCP server has, and call one of its tools, the way an installed plugin goes.
    McpProbe(Box<mcp::ProbeArgs>),
    /// Run one program walled in; the portal starts one per program by itself.
    #[command(hide = true)]
    Sandbox,
    /// Plugins: begin one.
    #[command(subcommand)]
    Plugin(plugin::Verb),
    /// Read the configuration and say what is wrong with it.
    Check(Place),
    /// Look at this machine and this installation, and say what to do.
    Doctor(Place),
    /// People: list them, add one, help one who forgot their password.
    #[command(subcommand)]
    User(user::Verb),
    /// API keys: list them, make one for a person, revoke one.
    #[command(subcommand)]
    Key(key::Verb),
    /// Models on this machine: list them, fetch, take in, verify or remove one.
    #[command(subcommand)]
    Model(model::Verb),
    /// Back ends: list those that are stored, import a provider card.
    #[command(subcommand)]
    Provider(provider::Verb),
    /// Say how much memory a model takes, and which cards hold it.
    Size(size::SizeArgs),
    /// Say what tokens of a machine of one's own cost, beside an API's list price.
    Cost(Box<cost::CostArgs>),
    /// Write everything that is stored to one file, also while the portal runs.
    Backup(backup::BackupArgs),
    /// Read a backup into an empty data folder or an empty PostgreSQL database.
    Restore(backup::RestoreArgs),
    /// Print the description of the portal's API (OpenAPI 3.1, JSON).
    Openapi,
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
        Verb::Serve(args) => serve::run(&args),
        #[cfg(feature = "engine")]
        Verb::Engine(args) => engine::run(&args),
        #[cfg(feature = "engine")]
        Verb::Train(args) => train::run(&args),
        #[cfg(feature = "engine")]
        Verb::Adapter(verb) => adapter::run(&verb),
        Verb::Extract(args) => extract::run(&args),
        Verb::McpProbe(args) => mcp::probe(&args),
        Verb::Sandbox => Ok(tools::sandbox::enter()),
        Verb::Plugin(verb) => plugin::run(&verb),
        Verb::Check(place) => check::run(&place),
        Verb::Doctor(place) => doctor::run(&place),
        Verb::User(verb) => user::run(&verb),
        Verb::Key(verb) => key::run(&verb),
        Verb::Model(verb) => model::run(&verb),
        Verb::Provider(verb) => provider::run(&verb),
        Verb::Size(args) => size::run(&args),
        Verb::Cost(args) => cost::run(&args),
        Verb::Backup(args) => backup::backup(&args),
        Verb::Restore(args) => backup::restore(&args),
        Verb::Openapi => {
            print::line(format_args!("{}", server::document().trim_end()));
            Ok(ExitCode::SUCCESS)
        }
    };
    done.unwrap_or_else(|error| {
        print::error(&error);
        ExitCode::FAILURE
    })
}
