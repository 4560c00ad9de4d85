//! The model library of this installation: its folder, the reader of GGUF files that the engine has, this machine's memory and disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use egress::Egress;
use engine::embedding::{self, Pooling};
use engine::gguf::{self, Head};
use models::WorkerConfig;
use models::library::{
    AdapterFacts, AdapterReader, Adapters, Facts, Kind, Library, Machine, Room, free_disk, ollama_folder,
};

use crate::config::Config;

/// The library of the data folder.
pub(crate) fn open(config: &Config, egress: Arc<Egress>) -> Library {
    let ollama = ollama_folder(&|name| std::env::var(name).ok());
    Library::new(folder(config), ollama, MACHINE, egress).asking(config.library.from.clone())
}

/// The adapters of the data folder, and those that the configuration gives to its models.
pub(crate) fn adapters(config: &Config, workers: &[WorkerConfig]) -> Adapters {
    let folder = config.data.join("adapters");
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    let fixed = workers.iter().map(|worker| (worker.name.clone(), worker.adapters.clone())).collect();
    Adapters::new(folder, AdapterReader { inspect: inspect_adapter, fits }, fixed)
}

fn inspect_adapter(file: &Path) -> Result<AdapterFacts, String> {
    let (architecture, matrices, lora) = gguf::adapter_facts(file)?;
    Ok(AdapterFacts { architecture: gguf_line(&architecture), rank: lora.rank, alpha: lora.alpha, matrices })
}

fn fits(adapter: &Path, model: &Path) -> Result<(), String> {
    let heads = gguf::read(model).map_err(|error| format!("cannot be compared with its model: {error}"))?;
    gguf::read_adapter(adapter, &heads).map(drop)
}

/// The workers of the configuration, and those of the library's models that the portal was told to run.
pub(crate) fn with_those_that_run(
    library: &Library,
    mut workers: Vec<WorkerConfig>,
    runner: &impl Fn(&Path, &str, Option<u32>) -> Option<WorkerConfig>,
) -> Vec<WorkerConfig> {
    let entries = library.list().unwrap_or_else(|error| {
        tracing::error!(%error, "the library of models cannot be read");
        Vec::new()
    });
    for entry in entries {
        let Some(run) = entry.run else { continue };
        if workers.iter().any(|worker| worker.name == entry.name) {
            tracing::warn!(
                model = entry.name,
                "a model of the configuration has this name, so the library's is not run"
            );
            continue;
        }
        workers.extend(runner(&entry.path, &entry.name, run.context));
    }
    workers
}

/// Where the models lie.
pub(crate) fn folder(config: &Config) -> PathBuf {
    let folder = config.data.join("models");
    std::path::absolute(&folder).unwrap_or(folder)
}

const MACHINE: Machine = Machine { inspect, free_memory: engine::memory::free, free_disk };

/// Bytes of memory that the model at `path` takes; `None` where it cannot be told, and its worker will say why.
pub(crate) fn needs(path: &Path, context: Option<u32>, cache: engine::Cache) -> Option<u64> {
    let facts = inspect(path).ok()?;
    let kv_bytes_per_token = facts.kv_bytes_per_token / engine::Cache::default().bytes() * cache.bytes();
    Some(Room::of(&Facts { kv_bytes_per_token, ..facts }, context, None).needed())
}

/// What the head of the model at `path` tells, or a sentence about what is wrong with it.
fn inspect(path: &Path) -> Result<Facts, String> {
    let heads = gguf::read(path).map_err(|error| error.to_string())?;
    let Some(first) = heads.first() else { return Err(format!("{} has no head", path.display())) };
    let text = |key| first.text(key).map(gguf_line).filter(|text| !text.is_empty());
    let weights = |head: &Head| head.tensors.iter().map(|tensor| tensor.shape.iter().product::<u64>()).sum::<u64>();
    let pooling = Pooling::of(first).map_err(|number| {
        format!("the model {} pools in a way that is not known (pooling_type {number})", path.display())
    })?;
    Ok(Facts {
        architecture: gguf_line(first.architecture()),
        kind: match pooling {
            None => Kind::Chat,
            Some(Pooling::Rank) => Kind::Reranker,
            Some(_) => Kind::Embedding,
        },
        title: text("general.name"),
        licence: text("general.license"),
        quant: first.integer("general.file_type").and_then(quantisation).map(str::to_owned),
        parameters: heads.iter().map(weights).sum(),
        context: first.of_architecture("context_length").map_or(0, |tokens| u32::try_from(tokens).unwrap_or(u32::MAX)),
        weight_bytes: heads.iter().map(Head::weight_bytes).sum(),
        kv_bytes_per_token: if embedding::is_encoder(first) { 0 } else { first.cache_per_token(engine::Cache::F16) },
        chat_template: first.text("tokenizer.chat_template").is_some(),
    })
}

/// What a file says of itself, short enough for a table and without control characters.
fn gguf_line(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(80).collect::<String>().trim().to_owned()
}

/// The name of a `general.file_type`. Source: `llama_ftype` in llama.cpp's `llama.h`.
fn quantisation(kind: i128) -> Option<&'static str> {
    Some(match kind {
        0 => "F32",
        1 => "F16",
        2 => "Q4_0",
        3 => "Q4_1",
        7 => "Q8_0",
        8 => "Q5_0",
        9 => "Q5_1",
        10 => "Q2_K",
        11 => "Q3_K_S",
        12 => "Q3_K_M",
        13 => "Q3_K_L",
        14 => "Q4_K_S",
        15 => "Q4_K_M",
        16 => "Q5_K_S",
        17 => "Q5_K_M",
        18 => "Q6_K",
        19 => "IQ2_XXS",
        20 => "IQ2_XS",
        21 => "Q2_K_S",
        22 => "IQ3_XS",
        23 => "IQ3_XXS",
        24 => "IQ1_S",
        25 => "IQ4_NL",
        26 => "IQ3_S",
        27 => "IQ3_M",
        28 => "IQ2_S",
        29 => "IQ2_M",
        30 => "IQ4_XS",
        31 => "IQ1_M",
        32 => "BF16",
        36 => "TQ1_0",
        37 => "TQ2_0",
        38 => "MXFP4_MOE",
        _ => return None,
    })
}
