//! GGUF: models read in any of candle's tensor types, adapters written as llama.cpp's `convert_lora_to_gguf.py` writes them. Whether the
//! head of a hostile file is sound is not asked here; the engine's reader does that.

use std::{fs::File, io::BufReader, path::Path};

use candle_core::{
    Device, Tensor,
    quantized::{
        GgmlDType, QTensor,
        gguf_file::{self, Content, Value},
    },
};

use super::reordered;
use crate::{Architecture, Error, Lora, Model, Rope, Shape, Target, run::write_whole};

impl Architecture {
    /// The order of rows in a GGUF file.
    fn rope_in_gguf(self) -> Rope {
        match self {
            Architecture::Llama => Rope::Pairs,
            Architecture::Qwen2 | Architecture::Qwen3 => Rope::Halves,
        }
    }
}

/// The tensor types that are read, as `ggml_type` numbers and names them: those that candle turns into 32-bit numbers.
pub const TENSOR_TYPES: [(u32, &str); 13] = [
    (0, "F32"),
    (1, "F16"),
    (2, "Q4_0"),
    (3, "Q4_1"),
    (6, "Q5_0"),
    (7, "Q5_1"),
    (8, "Q8_0"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (12, "Q4_K"),
    (13, "Q5_K"),
    (14, "Q6_K"),
    (30, "BF16"),
];

impl Shape {
    /// The dimensions of the model in a GGUF file; no weight is read.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::Broken`], and [`Error::Refused`] for an architecture that cannot be taught here.
    pub fn of_gguf(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::unreadable(path))?;
        let content = Content::read(&mut BufReader::new(file))
            .map_err(|error| Error::broken(path, format!("is no GGUF model: {error}")))?;
        let shape = shape(&content, path)?;
        shape.check()?;
        Ok(shape)
    }
}

impl Model {
    /// Reads a model from one GGUF file. Quantised matrices become 32-bit numbers.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::Broken`], and [`Error::Refused`] for an architecture that cannot be taught here.
    pub fn of_gguf(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::unreadable(path))?;
        let mut file = BufReader::new(file);
        let broken = |error: candle_core::Error| Error::broken(path, format!("is no GGUF model: {error}"));
        let content = Content::read(&mut file).map_err(broken)?;
        let mut shape = shape(&content, path)?;
        let mut read = |name: &str| -> Result<candle_core::Tensor, Error> {
            let tensor = content.tensor(&mut file, name, &Device::Cpu);
            tensor.and_then(|tensor| tensor.dequantize(&Device::Cpu)).map_err(broken)
        };
        if content.tensor_infos.contains_key("rope_freqs.weight") {
            shape.rope_factors = Some(read("rope_freqs.weight")?.to_vec1()?);
        }
        Model::build(shape, true, |name, dims| {
            let tensor = read(name)?;
            if tensor.dims() != dims {
                let found = tensor.dims();
                return Err(Error::broken(path, format!("holds {name} as {found:?}, where {dims:?} belongs")));
            }
            Ok(tensor)
        })
    }

    /// Freezes the model and puts on the adapter in a GGUF file, as [`write_adapter_gguf`](Self::write_adapter_gguf) writes it for a model that
    /// was read from GGUF.
    ///
    /// # Errors
    /// [`Error::Unreadable`], [`Error::Broken`] when it is no adapter, [`Error::Refused`] when it is none for this model.
    pub fn adapt_from_gguf(&mut self, path: &Path) -> Result<(), Error> {
        let file = File::open(path).map_err(Error::unreadable(path))?;
        let mut file = BufReader::new(file);
        let broken = |error: candle_core::Error| Error::broken(path, format!("is no GGUF adapter: {error}"));
        let content = Content::read(&mut file).map_err(broken)?;
        let alpha = content.metadata.get("adapter.lora.alpha").and_then(|value| value.to_f32().ok());
        let alpha = alpha.ok_or_else(|| Error::broken(path, "does not say its adapter.lora.alpha"))?;
        let ranks = content.tensor_infos.iter().filter(|(name, _)| name.ends_with(".lora_a"));
        let rank = ranks.map(|(_, info)| info.shape.dims()[0]).max().unwrap_or(0);
        let changes = |target: &Target| {
            let name = format!(".{}.weight.lora_a", target.in_gguf());
            content.tensor_infos.keys().any(|one| one.ends_with(&name))
        };
        let targets = Target::ALL.into_iter().filter(changes).collect();
        self.adapt(Lora { rank, alpha: f64::from(alpha), dropout: 0.0, targets }, 0)?;
        for name in content.tensor_infos.keys() {
            let tensor = content.tensor(&mut file, name, &Device::Cpu).map_err(broken)?;
            self.set_adapter_tensor(name, tensor.dequantize(&Device::Cpu)?)?;
        }
        Ok(())
    }

    /// Writes its adapter as a GGUF file, which llama.cpp and the engine load beside the model.
    ///
    /// # Errors
    /// [`Error::Refused`] when it has none; [`Error::Unreadable`] when the file cannot be written.
    pub fn write_adapter_gguf(&self, path: &Path) -> Result<(), Error> {
        let lora = self.lora().ok_or_else(|| Error::Refused("the model has no adapter to write".into()))?;
        let changes = self.changes();
        let changes =
            changes.into_iter().map(|(layer, target, a, b)| Change { layer, target, a: a.clone(), b: b.clone() });
        write_adapter(self.shape(), lora.alpha, self.shape().rope, changes, path)
    }
}

/// The two matrices of a LoRA that change one of a model.
pub(super) struct Change {
    pub(super) layer: usize,
    pub(super) target: Target,
    pub(super) a: Tensor,
    pub(super) b: Tensor,
}

/// Writes changes whose rows are in the order of `rope` as llama.cpp has them.
pub(super) fn write_adapter(
    shape: &Shape,
    alpha: f64,
    rope: Rope,
    changes: impl IntoIterator<Item = Change>,
    path: &Path,
) -> Result<(), Error> {
    let text = |text: &str| Value::String(text.into());
    let metadata = [
        ("general.type", text("adapter")),
        ("general.architecture", text(shape.architecture.name())),
        ("adapter.type", text("lora")),
        ("adapter.lora.alpha", Value::F32(alpha as f32)),
    ];
    let mut tensors = Vec::new();
    for Change { layer, target, a, b } in changes {
        let b = match target {
            Target::Query | Target::Key => reordered(&b, shape.head_width, rope, shape.architecture.rope_in_gguf())?,
            _ => b,
        };
        let name = format!("blk.{layer}.{}.weight", target.in_gguf());
        tensors.push((format!("{name}.lora_a"), QTensor::quantize(&a, GgmlDType::F32)?));
        tensors.push((format!("{name}.lora_b"), QTensor::quantize(&b, GgmlDType::F32)?));
    }
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut bytes = std::io::Cursor::new(Vec::new());
    gguf_file::write(&mut bytes, &metadata, &tensors)?;
    write_whole(path, &bytes.into_inner())
}

fn shape(content: &Content, path: &Path) -> Result<Shape, Error> {
    let text = |key: &str| content.metadata.get(key).and_then(|value| value.to_string().ok().cloned());
    let name = text("general.architecture").unwrap_or_default();
    let Some(architecture) = Architecture::named(&name) else {
        return Err(Error::Refused(format!(
            "{} is of the architecture {name:?}; llama, qwen2 and qwen3 can be taught here",
            path.display()
        )));
    };
    let get = |key: &str| content.metadata.get(&format!("{name}.{key}"));
    let whole = |key: &str| get(key).and_then(integer);
    let number = |key: &str| get(key).and_then(|value| value.to_f32().ok()).map(f64::from);
    let needed = |key: &str| whole(key).ok_or_else(|| Error::broken(path, format!("does not say its {name}.{key}")));
    let dims = |tensor: &str| content.tensor_infos.get(tensor).map(|info| info.shape.dims().to_vec());
    if whole("expert_count").unwrap_or(0) > 0
        || text(&format!("{name}.rope.scaling.type")).is_some_and(|kind| kind != "none")
    {
        let path = path.display();
        return Err(Error::Refused(format!("{path} has experts or stretched positions, which cannot be taught here")));
    }
    let table = dims("token_embd.weight").ok_or_else(|| Error::broken(path, "holds no token_embd.weight"))?;
    let (width, heads) = (needed("embedding_length")?, needed("attention.head_count")?);
    Ok(Shape {
        architecture,
        vocabulary: table[0],
        width,
        layers: needed("block_count")?,
        heads,
        key_heads: whole("attention.head_count_kv").unwrap_or(heads),
        head_width: whole("attention.key_length").unwrap_or(width / heads.max(1)),
        inner: needed("feed_forward_length")?,
        context: needed("context_length")?,
        epsilon: number("attention.layer_norm_rms_epsilon").unwrap_or(1e-5),
        rope: architecture.rope_in_gguf(),
        rope_base: number("rope.freq_base").unwrap_or(10_000.0),
        rope_factors: None,
        biases: content.tensor_infos.contains_key("blk.0.attn_q.bias"),
        head_norms: content.tensor_infos.contains_key("blk.0.attn_q_norm.weight"),
        tied: !content.tensor_infos.contains_key("output.weight"),
    })
}

fn integer(value: &Value) -> Option<usize> {
    let small = value.to_u32().map(u64::from);
    let any = small.or_else(|_| value.to_u64()).or_else(|_| value.to_i32().map(|number| number.max(0) as u64));
    any.ok().and_then(|number| usize::try_from(number).ok())
}
