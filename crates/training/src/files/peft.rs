//! Adapters that others trained, in the layout of PEFT, made fit for llama.cpp and our engine. No model is read for that, only its dimensions:
//! an adapter may belong to a model that could never be taught here.

use std::path::Path;

use candle_core::{DType, Device, Tensor};
use serde_json::Value;

use super::gguf::{Change, write_adapter};
use crate::{Error, Rope, Shape, Target};

/// What a configuration may say that changes what the matrices mean, and what is not done here.
const NOT_PLAIN: [&str; 6] =
    ["use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "layer_replication", "lora_bias"];

/// Writes the adapter of the folder, as PEFT left it for a model of this shape, as a GGUF file.
///
/// # Errors
/// [`Error::Unreadable`], [`Error::Broken`], and [`Error::Refused`] for an adapter that is no plain LoRA, or none for this model.
pub fn adapter_of_peft(shape: &Shape, folder: &Path, to: &Path) -> Result<(), Error> {
    let path = folder.join("adapter_config.json");
    let config = std::fs::read(&path).map_err(Error::unreadable(&path))?;
    let config: Value = serde_json::from_slice(&config).map_err(|error| Error::broken(&path, error.to_string()))?;
    let (rank, alpha) = plain(&config, &path)?;

    let path = folder.join("adapter_model.safetensors");
    let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu)
        .map_err(|error| Error::broken(&path, format!("is no adapter: {error}")))?;
    let refused = |what: String| Error::Refused(format!("{} {what}", path.display()));
    let mut take = |layer: usize, target: Target, which: &str, dims: [usize; 2]| -> Result<Option<Tensor>, Error> {
        let name = format!("base_model.model.model.layers.{layer}.{}.{which}.weight", target.module());
        match tensors.remove(&name) {
            Some(tensor) if tensor.dims() == dims => Ok(Some(tensor.to_dtype(DType::F32)?)),
            Some(tensor) => Err(refused(format!("holds {name} as {:?}; for this model it is {dims:?}", tensor.dims()))),
            None => Ok(None),
        }
    };
    let mut changes = Vec::new();
    for (layer, target) in (0..shape.layers).flat_map(|layer| Target::ALL.map(|target| (layer, target))) {
        let (out, x) = target.sides(shape);
        match (take(layer, target, "lora_A", [rank, x])?, take(layer, target, "lora_B", [out, rank])?) {
            (Some(a), Some(b)) => changes.push(Change { layer, target, a, b }),
            (None, None) => {}
            _ => {
                return Err(refused(format!("has only one of the two matrices of {} in layer {layer}", target.name())));
            }
        }
    }
    if let Some(name) = tensors.keys().min() {
        return Err(refused(format!("holds {name}, which changes no matrix of this model that could be changed here")));
    }
    if changes.is_empty() {
        return Err(refused("holds no matrices".into()));
    }
    write_adapter(shape, alpha, Rope::Halves, changes, to)
}

/// Rank and alpha of a LoRA that is nothing else.
fn plain(config: &Value, path: &Path) -> Result<(usize, f64), Error> {
    let refused = |what: String| Error::Refused(format!("{} {what}", path.display()));
    let kind = config["peft_type"].as_str().unwrap_or_default();
    if kind != "LORA" {
        return Err(refused(format!("is of an adapter of the kind {kind:?}; LORA can be used here")));
    }
    let says_nothing = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    if let Some(word) = NOT_PLAIN.into_iter().find(|word| !says_nothing(&config[*word])) {
        return Err(refused(format!("says {word}, which is not computed here")));
    }
    let rank = config["r"].as_u64().and_then(|rank| usize::try_from(rank).ok()).filter(|rank| *rank > 0);
    let (Some(rank), Some(alpha)) = (rank, config["lora_alpha"].as_f64()) else {
        return Err(refused("does not say its r and lora_alpha".into()));
    };
    // Rank-stabilised LoRA divides by the root; llama.cpp divides by the rank.
    let alpha = if config["use_rslora"] == true { alpha * (rank as f64).sqrt() } else { alpha };
    Ok((rank, alpha))
}
