//! How much memory a model takes, and what it fits on: weights, and a KV cache that grows with context and people. Arithmetic over what
//! makers publish (`catalog/models`, `catalog/gpus.toml`); nothing is measured here, and which engine runs it is not asked.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

use crate::family::Model;

/// The share of a card's memory that weights and cache may take, in hundredths: vLLM's own default for `--gpu-memory-utilization`. The rest
/// is the engine's: CUDA's context, activations, graphs.
pub const UTILISATION: u64 = 90;

/// Degrees of tensor parallelism that engines take.
const DEGREES: [u32; 4] = [1, 2, 4, 8];

/// Bytes of a GB as cards are sold.
const GB: u64 = 1_000_000_000;

/// A card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// In 10^9 bytes.
    pub memory_gb: u64,
    /// In 10^9 bytes a second.
    pub bandwidth_gb_s: u64,
    /// At full load.
    pub watts: u32,
    /// Where that is published.
    pub source: String,
}

#[derive(Deserialize)]
struct Gpus {
    gpu: Vec<Gpu>,
}

/// The cards that come with the binary, in the file's order.
pub fn gpus() -> &'static [Gpu] {
    static ALL: OnceLock<Vec<Gpu>> = OnceLock::new();
    // The file is read by a test; one that cannot be read would only be missing.
    let read = || toml::from_str::<Gpus>(include_str!("../../../catalog/gpus.toml")).map(|all| all.gpu);
    ALL.get_or_init(|| read().unwrap_or_default())
}

/// How weights are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantisation {
    /// 16 bit each: FP16 or BF16.
    F16,
    /// 8 bit and a scale for each 32: GGUF's Q8_0, 8.5 bit. INT8 and FP8 take a little less.
    Int8,
    /// GGUF's Q4_K_M, about 4.85 bit over a whole model. GPTQ and AWQ with groups of 128 take about as much, their embeddings in 16 bit
    /// counted in.
    Int4,
}

impl Quantisation {
    /// All of them, the largest first.
    pub const ALL: [Quantisation; 3] = [Quantisation::F16, Quantisation::Int8, Quantisation::Int4];

    /// As `catalog/models` names the file of such weights.
    fn gguf(self) -> &'static str {
        match self {
            Quantisation::F16 => "F16",
            Quantisation::Int8 => "Q8_0",
            Quantisation::Int4 => "Q4_K_M",
        }
    }

    /// Hundredths of a bit for a weight.
    fn centibits(self) -> u64 {
        match self {
            Quantisation::F16 => 1_600,
            Quantisation::Int8 => 850,
            Quantisation::Int4 => 485,
        }
    }

    /// The word in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Quantisation::F16 => "f16",
            Quantisation::Int8 => "int8",
            Quantisation::Int4 => "int4",
        }
    }

    /// The quantisation behind a word, GGUF's and GPTQ's own words among them.
    pub fn parse(word: &str) -> Option<Quantisation> {
        let word = word.to_ascii_lowercase();
        match word.as_str() {
            "f16" | "fp16" | "bf16" | "16" => Some(Quantisation::F16),
            "int8" | "fp8" | "8" => Some(Quantisation::Int8),
            "int4" | "gptq" | "awq" | "4" => Some(Quantisation::Int4),
            _ if word.starts_with("q8") => Some(Quantisation::Int8),
            _ if word.starts_with("q4") => Some(Quantisation::Int4),
            _ => None,
        }
    }
}

/// What is to be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// How weights are kept.
    pub quantisation: Quantisation,
    /// Tokens of context for one person.
    pub context: u32,
    /// People whose contexts are in memory at the same time.
    pub users: u32,
}

/// What a model takes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Its weights: the published size of such a file, else bits for each weight.
    pub weights: u64,
    /// Of the KV cache in 16 bit, for one token: `2 (K and V) x 2 bytes x layers x KV heads x numbers in a head`. (N. Shazeer, "Fast
    /// Transformer Decoding", 2019, and J. Ainslie et al., "GQA", 2023: KV heads, not query heads, are what is kept.)
    pub kv_per_token: u64,
    /// Of the KV cache for everybody.
    pub kv: u64,
}

impl Need {
    /// Weights and cache.
    pub fn total(&self) -> u64 {
        self.weights.saturating_add(self.kv)
    }
}

/// A load on cards of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fit {
    /// How many cards, which is the degree of tensor parallelism.
    pub cards: u32,
    /// What weights and cache may take of their memory together, in bytes.
    pub usable: u64,
    /// Tokens of KV cache that fit beside the weights.
    pub kv_tokens: u64,
    /// How many people with a full context that is.
    pub users: u64,
}

/// What a model takes under a load; `None` where its maker does not publish its shape.
pub fn need(model: &Model, load: Load) -> Option<Need> {
    let by_bits = || Some(model.parameters? * load.quantisation.centibits() / 800);
    // Weights in 16 bit are counted, so that a hand calculation comes to the same.
    let published =
        model.sizes.get(load.quantisation.gguf()).copied().filter(|_| load.quantisation != Quantisation::F16);
    let weights = published.or_else(by_bits)?;
    let kv_per_token = model.kv_bytes()?;
    let kv = kv_per_token.saturating_mul(u64::from(load.context)).saturating_mul(u64::from(load.users));
    Some(Need { weights, kv_per_token, kv })
}

/// So many of these cards, and what is left on them; `None` where the weights alone do not fit.
pub fn on(need: &Need, gpu: &Gpu, cards: u32, context: u32) -> Option<Fit> {
    let usable = gpu.memory_gb * GB * u64::from(cards) * UTILISATION / 100;
    let room = usable.checked_sub(need.weights)?;
    let kv_tokens = room / need.kv_per_token.max(1);
    Some(Fit { cards, usable, kv_tokens, users: kv_tokens / u64::from(context.max(1)) })
}

/// The fewest of these cards that hold all of it; `None` where eight do not.
pub fn fit(need: &Need, gpu: &Gpu, context: u32) -> Option<Fit> {
    DEGREES.into_iter().filter_map(|cards| on(need, gpu, cards, context)).find(|fit| need.total() <= fit.usable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::find;

    const GIB: f64 = 1_073_741_824.0;

    fn gpu(name: &str) -> &'static Gpu {
        gpus().iter().find(|gpu| gpu.name == name).unwrap()
    }

    fn load(quantisation: Quantisation, context: u32, users: u32) -> Load {
        Load { quantisation, context, users }
    }

    #[test]
    fn eight_billion_in_16_bit_is_what_the_hand_calculates() {
        let model = find("llama3").unwrap();
        let need = need(model, load(Quantisation::F16, 8_192, 1)).unwrap();
        // 8,030,261,248 weights x 2 bytes = 16,060,522,496 bytes = 14.96 GiB.
        assert_eq!(need.weights, 8_030_261_248 * 2);
        assert_eq!(format!("{:.2}", need.weights as f64 / GIB), "14.96");
        // 2 (K and V) x 2 bytes x 32 layers x 8 KV heads x 128 = 131,072 bytes = 128 KiB a token; 8,192 of them are 1 GiB.
        assert_eq!((need.kv_per_token, need.kv), (2 * 2 * 32 * 8 * 128, 1 << 30));
        assert_eq!(need.kv_per_token, 128 * 1024);
        // 16.06 GB + 1.07 GB = 17.1 GB: one card with 24 GB (21.6 GB at 90 %), none with 12.
        for (name, cards) in [("RTX 4090", 1), ("A10", 1), ("RTX 3060", 2)] {
            assert_eq!(fit(&need, gpu(name), 8_192).unwrap().cards, cards, "{name}");
        }
    }

    #[test]
    fn eight_billion_in_4_bit_with_8k_is_about_6_gb() {
        let need = need(find("llama3").unwrap(), load(Quantisation::Int4, 8_192, 1)).unwrap();
        // 4.92 GB (the file) + 8,192 x 131,072 = 1.07 GB: 5.99 GB.
        assert_eq!(need.weights, 4_920_733_952);
        assert_eq!(format!("{:.2}", need.total() as f64 / 1e9), "5.99");
        assert_eq!(fit(&need, gpu("RTX 3060"), 8_192).unwrap().cards, 1, "a consumer's card");
    }

    #[test]
    fn seventy_billion_in_16_bit_leave_little_on_two_cards_of_80() {
        let model = find("llama-3-70b").unwrap();
        let need = need(model, load(Quantisation::F16, 8_192, 1)).unwrap();
        // 70,553,706,496 x 2 = 141.107 GB. 2 x 80 GB x 0.9 = 144 GB. 2.893 GB are left.
        // 2 x 2 x 80 x 8 x 128 = 327,680 bytes a token: 8,827 tokens (with 70.55 billion weights, rounded, 8,850: "about 8.9k").
        let fit = on(&need, gpu("A100 80 GB"), 2, 8_192).unwrap();
        assert_eq!((need.kv_per_token, fit.kv_tokens, fit.users), (327_680, 8_827, 1));
        assert!((fit.kv_tokens as f64 / 8_900.0 - 1.0).abs() < 0.01);
        assert!(on(&need, gpu("A100 80 GB"), 1, 8_192).is_none(), "the weights alone do not fit on one");
        // Ten people with 8k each want four of them.
        let many = super::need(model, load(Quantisation::F16, 8_192, 10)).unwrap();
        assert_eq!(super::fit(&many, gpu("A100 80 GB"), 8_192).unwrap().cards, 4);
    }

    #[test]
    fn a_mixture_of_experts_keeps_all_of_them() {
        let models = crate::family::families().iter().flat_map(|family| &family.models);
        for model in models.filter(|model| model.active.is_some() && model.parameters.is_some()) {
            let Some(need) = need(model, load(Quantisation::F16, 1_024, 1)) else { continue };
            assert_eq!(need.weights, model.parameters.unwrap() * 2, "{}", model.name);
        }
    }

    #[test]
    fn words_of_quantisation_are_understood() {
        for (word, expected) in [
            ("FP16", "f16"),
            ("bf16", "f16"),
            ("Q4_K_M", "int4"),
            ("GPTQ", "int4"),
            ("awq", "int4"),
            ("q8_0", "int8"),
            ("fp8", "int8"),
        ] {
            assert_eq!(Quantisation::parse(word).map(Quantisation::as_str), Some(expected), "{word}");
        }
        assert_eq!(Quantisation::parse("tiny"), None);
        assert_eq!(gpus().len(), 9);
    }
}
