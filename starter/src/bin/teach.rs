//! Teaches the starter model from nothing, one leg at a time: `teach --leg 2` goes on from what leg 1 left. A leg that was stopped goes on
//! from its checkpoint. What text it learns from is the library's `writer`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use starter::{
    beginning,
    file::{self, Precision},
    vocabulary::Vocabulary,
    writer::Writer,
};
use training::{
    Architecture, Example, Examples, Model, Rope, Run, Schedule, Settings, Shape, State, Then, loss_of, on_threads,
};

/// Conversations that the vocabulary is learned from.
const FOR_VOCABULARY: u64 = 40_000;
/// What occurs less often in them is no token of its own.
const LEAST: usize = 30;
/// Held-out conversations: of the same writer, with dice of their own.
const HELD_OUT: u64 = 240;
const HELD_OUT_SEED: u64 = 999_983;

#[derive(Parser, Clone)]
struct Arguments {
    /// The folder with facts.json and text/.
    #[arg(long, default_value = ".")]
    folder: PathBuf,
    /// Where checkpoints and models are kept.
    #[arg(long)]
    out: PathBuf,
    #[arg(long, default_value_t = 1)]
    leg: u64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Conversations of this leg.
    #[arg(long, default_value_t = 52_000)]
    count: u64,
    #[arg(long, default_value_t = 1024)]
    batch_tokens: usize,
    #[arg(long, default_value_t = 2e-3)]
    peak: f64,
    /// Steps between two models that are written for a look at them.
    #[arg(long, default_value_t = 250)]
    look_every: usize,
    /// Teach nothing: write the models of the checkpoint that is there.
    #[arg(long)]
    export: bool,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    #[arg(long, default_value_t = 4096)]
    vocabulary: usize,
    #[arg(long, default_value_t = 224)]
    width: usize,
    #[arg(long, default_value_t = 5)]
    layers: usize,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    fs::create_dir_all(&arguments.out)?;
    on_threads(arguments.threads, || teach(&arguments))?
}

fn teach(arguments: &Arguments) -> Result<()> {
    let writer = Writer::read(&arguments.folder)?;
    let unfilled = writer.unfilled();
    ensure!(unfilled.is_empty(), "nobody fills {unfilled:?}");
    let vocabulary = vocabulary(&writer, arguments)?;
    let shape = shape(vocabulary.len(), arguments);
    eprintln!("{} tokens, {} parameters", vocabulary.len(), shape.parameters());

    let seed = arguments.seed + arguments.leg - 1;
    let all = |number: u64| number % 8 == 0;
    let left_out = left_out(arguments)?;
    let examples: Vec<_> = (0..arguments.count)
        .filter(|number| !left_out.contains(number))
        .map(|number| file::example(&writer.of_leg(arguments.leg, seed, number), &vocabulary, all(number)))
        .collect();
    let conversations: Vec<_> = (0..HELD_OUT)
        .map(|number| match arguments.leg {
            1 | 2 => writer.conversation(HELD_OUT_SEED, number),
            _ => writer.later_conversation(HELD_OUT_SEED, number),
        })
        .collect();
    let mut kinds: BTreeMap<String, Vec<Example>> = BTreeMap::new();
    for one in &conversations {
        kinds.entry(one.kind.clone()).or_default().push(file::example(one, &vocabulary, false));
    }
    let held_out: Vec<_> = kinds.values().flatten().cloned().collect();
    let length = |examples: &[Example]| examples.iter().map(|example| example.tokens.len()).sum::<usize>();
    eprintln!("{} conversations of {} tokens", examples.len(), length(&examples));
    let examples = Examples::new(examples, shape.vocabulary, shape.context)?;
    let held_out = HeldOut {
        all: Examples::new(held_out, shape.vocabulary, shape.context)?,
        kinds: kinds
            .into_iter()
            .map(|(kind, of)| Ok((kind, Examples::new(of, shape.vocabulary, shape.context)?)))
            .collect::<Result<_>>()?,
    };

    let before = arguments.out.join(format!("leg-{}.gguf", arguments.leg - 1));
    let mut model = match arguments.leg {
        1 => beginning::model(&shape, arguments.seed)?,
        _ => Model::of_gguf(&before)?,
    };
    beginning::hold(&mut model)?;
    let mut settings = Settings {
        schedule: Schedule { peak: arguments.peak, floor: arguments.peak / 50.0, warmup: 60, steps: 0 },
        batch_tokens: arguments.batch_tokens,
        accumulate: 1,
        clip: 1.0,
        decay: 0.05,
        seed,
        held_out_every: arguments.look_every,
        checkpoint_every: Duration::from_secs(300),
    };
    settings.schedule.steps = Run::steps_of(&examples, &settings, 1);
    learn(&mut model, &examples, &held_out, &settings, &vocabulary, arguments)?;
    let path = |name: &str| arguments.out.join(name);
    file::write(&path(&format!("leg-{}.gguf", arguments.leg)), &model, &vocabulary, Precision::Whole)?;
    file::write(&path("starter.gguf"), &model, &vocabulary, Precision::Q8)
}

/// Conversations that are not learned, and the same by kind.
struct HeldOut {
    all: Examples,
    kinds: Vec<(String, Examples)>,
}

fn learn(
    model: &mut Model,
    examples: &Examples,
    held_out: &HeldOut,
    settings: &Settings,
    vocabulary: &Vocabulary,
    arguments: &Arguments,
) -> Result<()> {
    let checkpoint = arguments.out.join(format!("leg-{}.checkpoint", arguments.leg));
    let log = |name: &str| fs::OpenOptions::new().create(true).append(true).open(arguments.out.join(name));
    let (mut log, mut by_kind) = (log("losses.csv")?, log("kinds.csv")?);
    loop {
        let mut run = Run::new(model, examples, Some(&held_out.all), settings.clone(), Some(&checkpoint))?;
        if arguments.export {
            return Ok(());
        }
        let (mut sum, mut count) = (0.0, 0);
        let state = run.go(|progress| {
            sum += progress.loss;
            count += 1;
            if progress.step % 20 == 0 || progress.held_out.is_some() {
                let held_out = progress.held_out.map_or(String::new(), |loss| format!("{loss:.4}"));
                let mean = sum / f64::from(count);
                (sum, count) = (0.0, 0);
                let line = format!(
                    "{},{},{},{mean:.4},{held_out},{:.6},{:.0}",
                    arguments.leg, progress.step, progress.steps, progress.rate, progress.tokens_per_s
                );
                eprintln!("{line},{:.0}", progress.eta_s);
                drop(writeln!(log, "{line}"));
            }
            if progress.step.is_multiple_of(arguments.look_every) { Then::Stop } else { Then::GoOn }
        })?;
        let step = run.step();
        drop(run);
        let name = format!("look-{}-{step:05}.gguf", arguments.leg);
        file::write(&arguments.out.join(name), model, vocabulary, Precision::Q8)?;
        for (kind, examples) in &held_out.kinds {
            let loss = loss_of(model, examples, settings.batch_tokens)?.mean();
            writeln!(by_kind, "{},{step},{kind},{loss:.4}", arguments.leg)?;
        }
        if state == State::Done {
            return Ok(());
        }
    }
}

/// The vocabulary of the first leg, kept for all others: beside the checkpoints, or in the model that is gone on from.
fn vocabulary(writer: &Writer, arguments: &Arguments) -> Result<Vocabulary> {
    let path: &Path = &arguments.out.join("vocabulary.json");
    if path.exists() {
        let read: Vocabulary = serde_json::from_slice(&fs::read(path)?).with_context(|| path.display().to_string())?;
        return Ok(read.ready());
    }
    let before = arguments.out.join(format!("leg-{}.gguf", arguments.leg.saturating_sub(1)));
    if before.exists() {
        return file::vocabulary(&before);
    }
    let texts: Vec<String> = (0..FOR_VOCABULARY)
        .flat_map(|number| writer.conversation(arguments.seed, number).turns)
        .flat_map(|(question, answer)| [question, answer])
        .chain(["system", "user", "assistant"].map(|role| format!("{role} ").repeat(LEAST)))
        .collect();
    let vocabulary = Vocabulary::learn(texts.iter().map(String::as_str), arguments.vocabulary, LEAST);
    fs::write(path, serde_json::to_vec(&vocabulary)?)?;
    Ok(vocabulary)
}

/// Numbers of the conversations that hold a held-out question, as `starter/build check` found them.
fn left_out(arguments: &Arguments) -> Result<BTreeSet<u64>> {
    let path = arguments.folder.join(format!("left-out/leg-{}.txt", arguments.leg));
    let text =
        fs::read_to_string(&path).with_context(|| format!("{}: `starter/build check` writes it", path.display()))?;
    text.lines().map(|line| line.parse().with_context(|| path.display().to_string())).collect()
}

fn shape(vocabulary: usize, arguments: &Arguments) -> Shape {
    Shape {
        architecture: Architecture::Llama,
        vocabulary,
        width: arguments.width,
        layers: arguments.layers,
        heads: arguments.width / 32,
        key_heads: arguments.width / 32,
        head_width: 32,
        inner: arguments.width * 2,
        context: 1024,
        epsilon: 1e-5,
        rope: Rope::Pairs,
        rope_base: 1_000_000.0,
        rope_factors: None,
        biases: false,
        head_norms: false,
        tied: false,
    }
}
