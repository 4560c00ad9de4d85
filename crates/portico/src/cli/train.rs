//! `portico train`: teaches a model of this machine an adapter, in a process of its own. A portal starts it for its jobs and reads its lines
//! (`tuning`'s contract); a person may as well. What is computed is `training`'s business; what the text is, the engine's.

mod card;
mod lessons;
mod stop;
mod telling;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use engine::gguf::{self, Head};
use models::library::shown;
use training::{Lora, Memory, Model, Run, Schedule, Settings, Shape, State, TENSOR_TYPES, Target, Then, loss_of};

use card::Card;
use lessons::Lessons;
pub(super) use lessons::examples_of;
use stop::Stop;
use telling::{Losses, Telling};

use super::print;
use super::serve::write_log;
use crate::config::Log;

/// Tokens of an example where nobody says, at most: a longer one takes much memory for little.
const CONTEXT: usize = 4096;
/// Tokens of a batch where nobody says: a twentieth of the data, within these bounds.
const BATCH: std::ops::RangeInclusive<usize> = 256..=2048;
/// Looks at the held-out examples in the course of a run.
const LOOKS: usize = 20;
/// Gradients longer than that are shortened, as is usual for decoders.
const CLIP: f64 = 1.0;
const CHECKPOINT_EVERY: Duration = Duration::from_secs(60);

/// The flags of `portico train`.
#[derive(Debug, clap::Args)]
pub(super) struct TrainArgs {
    /// The model: one GGUF file of the architecture llama, qwen2 or qwen3.
    #[arg(long, value_name = "FILE.gguf")]
    model: PathBuf,
    /// What is learned: JSON lines with `messages`, or with `prompt` and `completion`; or a table of questions and answers (.csv).
    #[arg(long, value_name = "FILE.jsonl")]
    data: PathBuf,
    /// What is never learned but measured with; may be empty [default: nothing].
    #[arg(long, value_name = "FILE.jsonl")]
    held_out: Option<PathBuf>,
    /// A folder for the checkpoint and, in the end, the adapter with its card. A run that was stopped there goes on.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// How much the adapter can hold: the rows of its matrices.
    #[arg(long, default_value_t = 8)]
    rank: usize,
    /// Its change is multiplied by alpha / rank [default: twice the rank].
    #[arg(long)]
    alpha: Option<f64>,
    /// The highest learning rate: it warms up to it and falls to a tenth by a cosine.
    #[arg(long, value_name = "RATE", default_value_t = 2e-4)]
    learning_rate: f64,
    /// How often each example is seen.
    #[arg(long, default_value_t = 3)]
    epochs: usize,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The matrices that the adapter changes [default: q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj].
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    targets: Vec<Target>,
    /// The share of what comes into the adapter that is left out at random while it learns.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    dropout: f64,
    /// Tokens that go through the model at once: less takes less memory [default: a twentieth of the data, 256 to 2048].
    #[arg(long, value_name = "TOKENS")]
    batch_tokens: Option<usize>,
    /// Batches whose gradients are summed before each step.
    #[arg(long, value_name = "BATCHES", default_value_t = 1)]
    accumulate: usize,
    /// Tokens of one example; what is longer is cut [default: what the model was made for, at most 4096].
    #[arg(long, value_name = "TOKENS")]
    context: Option<usize>,
    /// Threads that compute [default: the physical cores].
    #[arg(long)]
    threads: Option<usize>,
    /// What the adapter's card calls the data [default: the file's name].
    #[arg(long, value_name = "TEXT")]
    data_name: Option<String>,
    /// Write one JSON object a line: what a portal reads.
    #[arg(long)]
    json: bool,
    /// Write the checkpoint and end when standard input closes.
    #[arg(long)]
    parent_watch: bool,
}

/// Teaches until the last step, or until it is told to stop.
pub(super) fn run(args: &TrainArgs) -> anyhow::Result<ExitCode> {
    write_log(Log::of_environment(&|name| std::env::var(name).ok())?);
    let mut telling = Telling::new(args.json);
    match teach(args, &mut telling) {
        Err(error) if args.json => {
            telling.failed(&print::told(&error));
            Ok(ExitCode::FAILURE)
        }
        done => done.map(|()| ExitCode::SUCCESS),
    }
}

fn teach(args: &TrainArgs, telling: &mut Telling) -> anyhow::Result<()> {
    let stop = Stop::watch(args.parent_watch)?;
    let (head, shape, lora) = look(args)?;
    let lessons = Lessons::read(args, &shape)?;
    let settings = settings(args, &lessons);
    let memory = fits(args, &shape, &lora, lessons.most_at_once(settings.batch_tokens))?;
    std::fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    telling.begins(&lessons, &settings, memory);
    let card = Card::new(args, &head, &shape, &lora, &lessons, &settings)?;
    let threads = args.threads.unwrap_or(engine::machine::physical_cores() as usize).max(1);
    training::on_threads(threads, || learn(args, lora, &lessons, settings, card, telling, &stop))?
}

/// What can be known of the model before anything large is read: that it can be taught at all, and that its weights find room.
fn look(args: &TrainArgs) -> anyhow::Result<(Head, Shape, Lora)> {
    ensure!(args.epochs >= 1, "the number of epochs must be at least 1");
    let rate = args.learning_rate;
    ensure!(rate > 0.0 && rate <= 1.0, "the learning rate must be above 0 and at most 1");
    let path = &args.model;
    let mut heads = gguf::read(path)?;
    let parts = heads.len();
    ensure!(parts == 1, "{} lies in {parts} files; a model in one file can be taught here", path.display());
    let head = heads.swap_remove(0);
    let known = |kind: u32| TENSOR_TYPES.iter().any(|(one, _)| *one == kind);
    if let Some(tensor) = head.tensors.iter().find(|tensor| !known(tensor.kind)) {
        let names = TENSOR_TYPES.map(|(_, name)| name).join(", ");
        let (path, name, kind) = (path.display(), &tensor.name, tensor.kind);
        bail!("{path} holds {name} in the tensor type {kind}, which cannot be taught here; there are {names}");
    }
    let shape = Shape::of_gguf(path)?;
    let targets = if args.targets.is_empty() { Target::ALL.to_vec() } else { args.targets.clone() };
    let alpha = args.alpha.unwrap_or(2.0 * args.rank as f64);
    let lora = Lora { rank: args.rank, alpha, dropout: args.dropout, targets };
    lora.check(&shape)?;
    fits(args, &shape, &lora, 1)?;
    Ok((head, shape, lora))
}

/// What teaching takes of the memory that is free; refuses what does not fit.
fn fits(args: &TrainArgs, shape: &Shape, lora: &Lora, tokens: usize) -> anyhow::Result<Memory> {
    let memory = shape.memory(lora, tokens);
    let Some(free) = engine::memory::free().filter(|free| memory.total() > *free) else { return Ok(memory) };
    bail!(
        "teaching {} takes about {} of memory ({} for its weights in 32 bit, {} for the adapter, {} for steps of {tokens} tokens), and {} is free; \
         take a smaller model or fewer --batch-tokens",
        args.model.display(),
        shown(memory.total()),
        shown(memory.weights),
        shown(memory.adapter),
        shown(memory.batch),
        shown(free)
    )
}

fn settings(args: &TrainArgs, lessons: &Lessons) -> Settings {
    let usual = (lessons.learned.tokens / 20).clamp(*BATCH.start(), *BATCH.end());
    let peak = args.learning_rate;
    let mut settings = Settings {
        schedule: Schedule { peak, floor: peak / 10.0, warmup: 0, steps: 0 },
        batch_tokens: args.batch_tokens.unwrap_or(usual),
        accumulate: args.accumulate,
        clip: CLIP,
        decay: 0.0,
        seed: args.seed,
        held_out_every: 1,
        checkpoint_every: CHECKPOINT_EVERY,
    };
    let steps = Run::steps_of(&lessons.learned.examples, &settings, args.epochs);
    settings.schedule.steps = steps;
    settings.schedule.warmup = steps / 20;
    settings.held_out_every = (steps / LOOKS).max(1);
    settings
}

fn learn(
    args: &TrainArgs,
    lora: Lora,
    lessons: &Lessons,
    settings: Settings,
    mut card: Card,
    telling: &mut Telling,
    stop: &Stop,
) -> anyhow::Result<()> {
    if stop.asked() {
        telling.stopped(None);
        return Ok(());
    }
    let mut model = Model::of_gguf(&args.model)?;
    model.adapt(lora, args.seed)?;
    let held_out = lessons.held_out.as_ref().map(|side| &side.examples);
    // A fresh adapter changes nothing: this is the loss of the model itself.
    let before = held_out.map(|examples| loss_of(&model, examples, settings.batch_tokens)).transpose()?;
    card.losses.held_out_before = before.map(training::Loss::mean);
    telling.measured(card.losses.held_out_before);

    let examples = &lessons.learned.examples;
    let mut run = Run::new(&mut model, examples, held_out, settings, Some(&args.out.join("checkpoint")))?;
    let mut losses = Losses::open(&args.out.join("losses.jsonl"), run.step())?;
    let state = run.go(|progress| {
        losses.add(progress);
        if progress.state == State::Running {
            telling.step(progress);
        }
        if stop.asked() { Then::Stop } else { Then::GoOn }
    })?;
    let last = losses.finish()?;
    if state == State::Stopped {
        telling.stopped(last);
        return Ok(());
    }
    (card.losses.first, card.losses.last) = losses.ends();
    card.losses.held_out_after = run.last_held_out();
    drop(run);
    write(&model, &args.out, &card)?;
    telling.done(last, &card, args);
    Ok(())
}

/// Leaves the adapter for llama.cpp and our engine, for PEFT, and its card.
fn write(model: &Model, folder: &Path, card: &Card) -> anyhow::Result<()> {
    model.write_adapter_gguf(&folder.join("adapter.gguf"))?;
    model.write_adapter_peft(folder, &card.base())?;
    card.write(&folder.join("card.json"))
}
