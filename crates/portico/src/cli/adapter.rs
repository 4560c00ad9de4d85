//! `portico adapter`: adapters of models that are taught elsewhere. `job` writes all that another machine needs to teach one, `convert` makes what came
//! back fit for the engine. Nothing is computed here, and nothing is contacted.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use training::Shape;
use tuning::data::Example;

use super::{print, train::examples_of};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Write a folder with which another machine teaches an adapter: data, settings, and one command for TRL with PEFT or for LLaMA-Factory.
    Job(JobArgs),
    /// Make an adapter that PEFT left (adapter_config.json, adapter_model.safetensors) a GGUF file for the engine.
    Convert(ConvertArgs),
}

#[derive(Debug, Args)]
pub(super) struct JobArgs {
    /// The model, by its name at Hugging Face or its folder on that machine.
    #[arg(long, value_name = "ORGANISATION/NAME")]
    base: String,
    /// What is learned: JSON lines, or a table of questions and answers (.csv).
    #[arg(long, value_name = "FILE.jsonl")]
    data: PathBuf,
    /// What is never learned but measured with [default: nothing].
    #[arg(long, value_name = "FILE.jsonl")]
    held_out: Option<PathBuf>,
    /// The folder; it must not be there yet.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// How much the adapter can hold.
    #[arg(long, default_value_t = 16)]
    rank: u32,
    /// Its change is multiplied by alpha / rank [default: twice the rank].
    #[arg(long)]
    alpha: Option<f64>,
    /// The highest learning rate.
    #[arg(long, value_name = "RATE", default_value_t = 1e-4)]
    learning_rate: f64,
    /// How often each example is seen.
    #[arg(long, default_value_t = 3)]
    epochs: u32,
    /// Tokens of one example; what is longer is cut.
    #[arg(long, value_name = "TOKENS", default_value_t = 2048)]
    context: u32,
    /// LLaMA-Factory's name for the model's chat template (qwen3, llama3, ...).
    #[arg(long, value_name = "NAME", default_value = "qwen3")]
    template: String,
    /// Everything random follows from it.
    #[arg(long, default_value_t = 0)]
    seed: u32,
}

#[derive(Debug, Args)]
pub(super) struct ConvertArgs {
    /// The folder that PEFT left.
    folder: PathBuf,
    /// The model that it is for, as the engine runs it.
    #[arg(long, value_name = "FILE.gguf")]
    model: PathBuf,
    /// The file to write [default: adapter.gguf in the folder].
    #[arg(long, value_name = "FILE.gguf")]
    out: Option<PathBuf>,
}

pub(super) fn run(verb: &Verb) -> anyhow::Result<ExitCode> {
    match verb {
        Verb::Job(args) => job(args)?,
        Verb::Convert(args) => convert(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn convert(args: &ConvertArgs) -> anyhow::Result<()> {
    engine::gguf::read(&args.model)?;
    let shape = Shape::of_gguf(&args.model)?;
    let out = args.out.clone().unwrap_or_else(|| args.folder.join("adapter.gguf"));
    training::adapter_of_peft(&shape, &args.folder, &out)?;
    print::line(format_args!("{} is the adapter for {}", out.display(), args.model.display()));
    Ok(())
}

fn job(args: &JobArgs) -> anyhow::Result<()> {
    ensure!(args.rank >= 1 && args.epochs >= 1, "rank and epochs begin at 1");
    let learned = examples(&args.data)?;
    ensure!(!learned.is_empty(), "{} is empty: there is nothing to learn", args.data.display());
    let held_out = args.held_out.as_deref().map(examples).transpose()?.unwrap_or_default();
    let folder = &args.out;
    std::fs::create_dir(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let write = |name: &str, text: &str| {
        std::fs::write(folder.join(name), text).with_context(|| folder.join(name).display().to_string())
    };
    write("train.jsonl", &lines(&learned)?)?;
    write("held_out.jsonl", &lines(&held_out)?)?;
    write("job.json", &pretty(&settings(args, !held_out.is_empty()))?)?;
    write("train.py", include_str!("adapter/train.py"))?;
    write("llamafactory.yaml", &pretty(&for_llama_factory(args, !held_out.is_empty()))?)?;
    write("dataset_info.json", &pretty(&json!({ "train": file("train.jsonl"), "held_out": file("held_out.jsonl") }))?)?;
    write("README.md", include_str!("adapter/README.md"))?;
    print::line(format_args!(
        "{} examples to learn, {} held out; {}/README.md says how it goes on",
        learned.len(),
        held_out.len(),
        folder.display()
    ));
    Ok(())
}

fn examples(path: &Path) -> anyhow::Result<Vec<Example>> {
    let (_, examples) = examples_of(path)?;
    Ok(examples.into_iter().map(|(_, example)| example).collect())
}

fn lines(examples: &[Example]) -> anyhow::Result<String> {
    let lines: Vec<_> = examples.iter().map(serde_json::to_string).collect::<Result<_, _>>()?;
    Ok(lines.into_iter().map(|line| line + "\n").collect())
}

fn pretty(value: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// What `train.py` reads.
fn settings(args: &JobArgs, looks: bool) -> Value {
    json!({
        "base": args.base, "rank": args.rank, "alpha": alpha(args), "learning_rate": args.learning_rate, "epochs": args.epochs,
        "context": args.context, "seed": args.seed, "held_out": looks,
    })
}

fn alpha(args: &JobArgs) -> f64 {
    args.alpha.unwrap_or(2.0 * f64::from(args.rank))
}

/// Its `llamafactory.yaml`: JSON is YAML. Only the last answer is learned (`mask_history`), as by our own trainer.
fn for_llama_factory(args: &JobArgs, looks: bool) -> Value {
    let mut told = json!({
        "model_name_or_path": args.base, "stage": "sft", "do_train": true, "finetuning_type": "lora", "lora_target": "all",
        "lora_rank": args.rank, "lora_alpha": alpha(args), "dataset_dir": ".", "dataset": "train", "mask_history": true,
        "template": args.template, "cutoff_len": args.context, "output_dir": "adapter", "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 8, "learning_rate": args.learning_rate, "num_train_epochs": args.epochs,
        "lr_scheduler_type": "cosine", "warmup_ratio": 0.05, "bf16": true, "seed": args.seed, "logging_steps": 1, "report_to": "none",
    });
    if looks {
        told["eval_dataset"] = "held_out".into();
        told["eval_strategy"] = "epoch".into();
    }
    told
}

/// A file of conversations in OpenAI's form, in LLaMA-Factory's words.
fn file(name: &str) -> Value {
    json!({
        "file_name": name, "formatting": "sharegpt", "columns": { "messages": "messages" },
        "tags": { "role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant", "system_tag": "system" },
    })
}
