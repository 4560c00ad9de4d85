//! `portico engine`: the inference worker's command line. The worker itself is the crate `engine`; here only its options.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use engine::{AdapterFile, Cache, GpuLayers, Options, confidence::Calibration};

use super::serve::write_log;
use crate::config::Log;
use crate::worker::{Door, KEY};

/// The flags of `portico engine`.
#[derive(Debug, clap::Args)]
pub(super) struct EngineArgs {
    /// The GGUF file.
    #[arg(long, value_name = "FILE.gguf")]
    model: PathBuf,
    /// The name that clients use [default: the file's name without .gguf].
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    door: Door,
    /// Most tokens of one conversation [default: the model's own, at most 8192].
    #[arg(long)]
    context: Option<u32>,
    /// Threads that compute [default: the physical cores].
    #[arg(long)]
    threads: Option<u32>,
    /// How many of the model's layers go to a GPU: `auto` (as many as its memory holds), a number, or 0 for none.
    #[arg(long, value_name = "N", default_value = "auto")]
    gpu_layers: GpuLayers,
    /// Milliseconds that a step with a piece of a prompt in it may make running answers wait [default: 400].
    #[arg(long, value_name = "MS")]
    step_target_ms: Option<u64>,
    /// Do not guess ahead where an answer repeats itself: the same text, more steps. To measure what guessing brings.
    #[arg(long)]
    no_guesses: bool,
    /// A smaller model with the same vocabulary, which guesses ahead: the same answers, and sooner where it guesses well.
    #[arg(long, value_name = "FILE.gguf")]
    draft: Option<PathBuf>,
    /// The projector with which the model sees pictures [default: an mmproj file beside the model that can be no other's].
    #[arg(long, value_name = "FILE.gguf")]
    mmproj: Option<PathBuf>,
    /// A LoRA adapter, once or more: requests choose it by its name. Its change is multiplied by SCALE [default: 1].
    #[arg(long = "lora", value_name = "NAME=FILE[:SCALE]")]
    adapters: Vec<AdapterFile>,
    /// What share of answers with such a confidence is right, learned from judged answers: `0.2:0.1,0.5:0.35,0.9:0.8`
    /// [default: the model's own figure].
    #[arg(long, value_name = "FIGURE:SHARE,...")]
    calibration: Option<Calibration>,
    /// A folder of this model's own, where the beginnings of texts are kept over a restart [default: none].
    #[arg(long, value_name = "FOLDER")]
    prefixes: Option<PathBuf>,
    /// The same request always gets the same bytes, whoever else asks; prompts are read more slowly [default: with very small models].
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    deterministic: Option<bool>,
    /// In which numbers the cache of keys and values is kept: `f16`, or `f32` to compute what a trainer does, in twice the memory.
    #[arg(long, value_name = "f16|f32", default_value_t)]
    cache: Cache,
    /// End when standard input closes.
    #[arg(long)]
    parent_watch: bool,
}

/// The setting of glibc's allocator by which the kernel backs large blocks with large pages (glibc manual, "Memory Allocation Tunables"). On
/// many systems it does so only where it is asked to, and a step reads all weights: with pages of 4 KiB it waits for their table.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn use_large_pages() {
    use std::os::unix::process::CommandExt as _;

    const TUNABLES: &str = "GLIBC_TUNABLES";
    const NAME: &str = "glibc.malloc.hugetlb";
    let mut tunables = std::env::var(TUNABLES).unwrap_or_default();
    if tunables.contains(NAME) {
        return;
    }
    if !tunables.is_empty() {
        tunables.push(':');
    }
    tunables.push_str(NAME);
    tunables.push_str("=1");
    // It is read before a program's first instruction: this one begins anew, in the same process.
    let Ok(program) = std::env::current_exe() else { return };
    let mut command = std::process::Command::new(program);
    let mut words = std::env::args_os();
    if let Some(name) = words.next() {
        command.arg0(name);
    }
    let error = command.args(words).env(TUNABLES, tunables).exec();
    tracing::info!(%error, "the worker goes on with small pages");
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn use_large_pages() {}

/// Runs the worker until it is told to end.
pub(super) fn run(args: &EngineArgs) -> anyhow::Result<ExitCode> {
    use_large_pages();
    write_log(Log::of_environment(&|name| std::env::var(name).ok())?);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (key, front) = args.door.open(std::env::var(KEY).ok())?;
    let options = Options {
        model: args.model.clone(),
        model_name: args.name.clone(),
        listen: args.door.listen.clone(),
        front,
        key,
        context: args.context,
        threads: args.threads,
        gpu_layers: args.gpu_layers,
        step_target: args.step_target_ms.map(Duration::from_millis),
        guesses: !args.no_guesses,
        draft: args.draft.clone(),
        projector: args.mmproj.clone(),
        adapters: args.adapters.clone(),
        calibration: args.calibration.clone().unwrap_or_default(),
        prefixes: args.prefixes.clone(),
        deterministic: args.deterministic,
        cache: args.cache,
        parent_watch: args.parent_watch,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let served = runtime.context("the runtime cannot be started")?.block_on(engine::serve(options));
    let Err(error) = served else { return Ok(ExitCode::SUCCESS) };
    super::print::error(&anyhow::Error::msg(error.to_string()));
    Ok(ExitCode::from(error.exit_code()))
}
