//! `portico engine`: the inference worker's command line. The worker itself is the crate `engine`; here only its options.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use engine::{Listen, Options};

/// The flags of `portico engine`.
#[derive(Debug, clap::Args)]
pub(super) struct EngineArgs {
    /// The GGUF file.
    #[arg(long, value_name = "FILE.gguf")]
    model: PathBuf,
    /// The name that clients use [default: the file's name without .gguf].
    #[arg(long)]
    name: Option<String>,
    /// `127.0.0.1:8421`, or `unix:/path`; port 0: the system chooses. An address that others can reach needs a key in
    /// PORTICO_ENGINE_KEY.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: Listen,
    /// Most tokens of one conversation [default: the model's own, at most 8192].
    #[arg(long)]
    context: Option<u32>,
    /// Threads that compute [default: the physical cores].
    #[arg(long)]
    threads: Option<u32>,
    /// End when standard input closes.
    #[arg(long)]
    parent_watch: bool,
}

/// Runs the worker until it is told to end.
pub(super) fn run(args: &EngineArgs) -> anyhow::Result<ExitCode> {
    let options = Options {
        model: args.model.clone(),
        model_name: args.name.clone(),
        listen: args.listen.clone(),
        key: std::env::var("PORTICO_ENGINE_KEY").ok().filter(|key| !key.is_empty()),
        context: args.context,
        threads: args.threads,
        parent_watch: args.parent_watch,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let served = runtime.context("the runtime cannot be started")?.block_on(engine::serve(options));
    let Err(error) = served else { return Ok(ExitCode::SUCCESS) };
    super::print::error(&anyhow::Error::msg(error.to_string()));
    Ok(ExitCode::from(error.exit_code()))
}
