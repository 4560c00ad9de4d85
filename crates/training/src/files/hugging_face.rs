//! Hugging Face's layout: a folder with `config.json` and safetensors for a model; `adapter_config.json` and
//! `adapter_model.safetensors` for an adapter, as PEFT reads it (<https://huggingface.co/docs/peft/developer_guides/checkpoint>).

use std::{collections::HashMap, path::Path};

use candle_core::{DType, Device};
use safetensors::{Dtype, tensor::TensorView};
use serde_json::{Value, json};

use super::reordered;
use crate::{
    Architecture, Error, Model, Rope, Shape, Target,
    kernels::view,
    run::{to_bytes, write_whole},
};

impl Model {
    /// Reads a model from a folder of Hugging Face.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::Broken`], and [`Error::Refused`] for what cannot be taught here.
    pub fn of_folder(folder: &Path) -> Result<Self, Error> {
        let path = folder.join("config.json");
        let config = std::fs::read(&path).map_err(Error::unreadable(&path))?;
        let config = serde_json::from_slice(&config).map_err(|error| Error::broken(&path, error.to_string()))?;
        let mut tensors = HashMap::new();
        for entry in std::fs::read_dir(folder).map_err(Error::unreadable(folder))? {
            let path = entry.map_err(Error::unreadable(folder))?.path();
            if path.extension().is_some_and(|end| end == "safetensors") {
                let part = candle_core::safetensors::load(&path, &Device::Cpu);
                tensors.extend(part.map_err(|error| Error::broken(&path, format!("is no model: {error}")))?);
            }
        }
        let mut shape = shape(&config, &path)?;
        shape.tied = shape.tied || !tensors.contains_key("lm_head.weight");
        shape.biases = tensors.contains_key("model.layers.0.self_attn.q_proj.bias");
        Model::build(shape, true, |name, dims| {
            let (here, name) = (name, name_of(name));
            let tensor =
                tensors.remove(&name).ok_or_else(|| Error::broken(folder, format!("holds no {name} ({here})")))?;
            if tensor.dims() != dims {
                let found = tensor.dims();
                return Err(Error::broken(folder, format!("holds {name} as {found:?}, where {dims:?} belongs")));
            }
            Ok(tensor.to_dtype(DType::F32)?)
        })
    }

    /// Writes its adapter into a folder as PEFT reads it. `base` is the name or path of the model that it belongs to.
    ///
    /// # Errors
    /// [`Error::Refused`] when it has none; [`Error::Unreadable`] when a file cannot be written.
    pub fn write_adapter_peft(&self, folder: &Path, base: &str) -> Result<(), Error> {
        let lora = self.lora().ok_or_else(|| Error::Refused("the model has no adapter to write".into()))?;
        let shape = self.shape();
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for (layer, target, a, b) in self.changes() {
            let b = match target {
                Target::Query | Target::Key => reordered(b, shape.head_width, shape.rope, Rope::Halves)?,
                _ => b.clone(),
            };
            let module = format!("base_model.model.model.layers.{layer}.{}", target.module());
            for (name, tensor) in [("lora_A", a), ("lora_B", &b)] {
                tensors.push((format!("{module}.{name}.weight"), tensor.dims().to_vec(), view(tensor, to_bytes)?));
            }
        }
        let path = folder.join("adapter_model.safetensors");
        let broken = |error: safetensors::SafeTensorError| Error::broken(&path, format!("cannot be made: {error}"));
        let mut views = Vec::with_capacity(tensors.len());
        for (name, dims, bytes) in &tensors {
            views.push((name, TensorView::new(Dtype::F32, dims.clone(), bytes).map_err(broken)?));
        }
        let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
        write_whole(&path, &safetensors::serialize(views, Some(metadata)).map_err(broken)?)?;

        let config = json!({
            "peft_type": "LORA",
            "task_type": "CAUSAL_LM",
            "base_model_name_or_path": base,
            "r": lora.rank,
            "lora_alpha": lora.alpha,
            "lora_dropout": lora.dropout,
            "target_modules": lora.targets.iter().map(|target| target.name()).collect::<Vec<_>>(),
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
            "use_rslora": false,
            "use_dora": false,
        });
        write_whole(&folder.join("adapter_config.json"), format!("{config:#}\n").as_bytes())
    }
}

/// The name of a tensor in Hugging Face's models, by its name in GGUF.
fn name_of(name: &str) -> String {
    let Some((layer, rest)) = name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) else {
        let table = [
            ("token_embd.weight", "model.embed_tokens.weight"),
            ("output_norm.weight", "model.norm.weight"),
            ("output.weight", "lm_head.weight"),
        ];
        return table.into_iter().find(|(here, _)| *here == name).map_or(name, |(_, there)| there).into();
    };
    let (what, kind) = rest.rsplit_once('.').unwrap_or((rest, "weight"));
    let module = match what {
        "attn_norm" => "input_layernorm".into(),
        "ffn_norm" => "post_attention_layernorm".into(),
        "attn_q_norm" => "self_attn.q_norm".into(),
        "attn_k_norm" => "self_attn.k_norm".into(),
        _ => Target::ALL.into_iter().find(|one| one.in_gguf() == what).map_or_else(|| what.into(), Target::module),
    };
    format!("model.layers.{layer}.{module}.{kind}")
}

fn shape(config: &Value, path: &Path) -> Result<Shape, Error> {
    let name = config["model_type"].as_str().unwrap_or_default();
    let refused = |what: String| Error::Refused(format!("{} {what}", path.display()));
    let Some(architecture) = Architecture::named(name) else {
        return Err(refused(format!("is of the type {name:?}; llama, qwen2 and qwen3 can be taught here")));
    };
    let plain = |scaling: &Value| scaling.is_null() || scaling["rope_type"].as_str() == Some("default");
    if !plain(&config["rope_scaling"]) || config["use_sliding_window"] == true || config["mlp_bias"] == true {
        return Err(refused(
            "has stretched positions, a sliding window or feed-forward biases, which cannot be taught here".into(),
        ));
    }
    let whole = |key: &str| config[key].as_u64().and_then(|number| usize::try_from(number).ok());
    let needed = |key: &str| whole(key).ok_or_else(|| Error::broken(path, format!("does not say its {key}")));
    let (width, heads) = (needed("hidden_size")?, needed("num_attention_heads")?);
    Ok(Shape {
        architecture,
        vocabulary: needed("vocab_size")?,
        width,
        layers: needed("num_hidden_layers")?,
        heads,
        key_heads: whole("num_key_value_heads").unwrap_or(heads),
        head_width: whole("head_dim").unwrap_or(width / heads.max(1)),
        inner: needed("intermediate_size")?,
        context: needed("max_position_embeddings")?,
        epsilon: config["rms_norm_eps"].as_f64().unwrap_or(1e-6),
        rope: Rope::Halves,
        rope_base: config["rope_theta"].as_f64().unwrap_or(10_000.0),
        rope_factors: None,
        biases: false,
        head_norms: architecture == Architecture::Qwen3,
        tied: config["tie_word_embeddings"] == true,
    })
}
