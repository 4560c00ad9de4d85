//! The dimensions of a model, under the names that Hugging Face's `config.json` and GGUF both have words for.

use serde::{Deserialize, Serialize};

pub use crate::kernels::rope::Rope;
use crate::{
    Error,
    adapter::{Lora, Target},
    kernels::{self, attention::Heads},
};

/// Which family of decoders: it decides the names in files and the order of rows in them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    Llama,
    Qwen2,
    Qwen3,
}

impl Architecture {
    /// As GGUF's `general.architecture` has it.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Llama => "llama",
            Architecture::Qwen2 => "qwen2",
            Architecture::Qwen3 => "qwen3",
        }
    }

    /// The architecture of that name in GGUF (`llama`) or in a `config.json` (`model_type`: the same words).
    pub fn named(name: &str) -> Option<Self> {
        [Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3].into_iter().find(|one| one.name() == name)
    }
}

/// The dimensions of a decoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    pub architecture: Architecture,
    /// Tokens that it knows.
    pub vocabulary: usize,
    /// Numbers of one token between the layers.
    pub width: usize,
    pub layers: usize,
    pub heads: usize,
    /// Heads of keys and of values; divides `heads`.
    pub key_heads: usize,
    /// Numbers of one head.
    pub head_width: usize,
    /// Numbers inside the feed-forward part.
    pub inner: usize,
    /// Tokens that it is made for.
    pub context: usize,
    pub epsilon: f64,
    pub rope: Rope,
    pub rope_base: f64,
    /// What divides the frequency of each pair of a head, where the model has it (Llama 3's long context).
    pub rope_factors: Option<Vec<f32>>,
    /// Whether queries, keys and values have biases (Qwen2).
    pub biases: bool,
    /// Whether each head of queries and keys is normed (Qwen3).
    pub head_norms: bool,
    /// Whether the embedding is the last matrix, too.
    pub tied: bool,
}

impl Shape {
    pub(crate) fn packed(&self) -> Heads {
        Heads { queries: self.heads, keys: self.key_heads, width: self.head_width }
    }

    /// Whether such a model can be computed.
    ///
    /// # Errors
    /// [`Error::Refused`] with what does not fit.
    pub fn check(&self) -> Result<(), Error> {
        let sizes = [self.vocabulary, self.width, self.layers, self.heads, self.key_heads, self.inner, self.context];
        let sentence = if sizes.contains(&0) {
            "a model needs a vocabulary, layers, heads and a context of at least one"
        } else if !self.heads.is_multiple_of(self.key_heads) {
            "the number of heads must be a multiple of that of key heads"
        } else if self.head_width == 0 || !self.head_width.is_multiple_of(2) {
            "the width of a head must be even: its numbers are turned in pairs"
        } else if self.rope_factors.as_ref().is_some_and(|factors| factors.len() != self.head_width / 2) {
            "there must be one frequency factor for each pair of a head"
        } else {
            return Ok(());
        };
        Err(Error::Refused(sentence.into()))
    }

    /// Numbers that it holds.
    pub fn parameters(&self) -> u64 {
        let head = self.head_width;
        let (queries, keys) = (self.heads * head, self.key_heads * head);
        let biases = if self.biases { queries + 2 * keys } else { 0 };
        let norms = 2 * self.width + if self.head_norms { 2 * head } else { 0 };
        let layer = self.width * (2 * queries + 2 * keys + 3 * self.inner) + biases + norms;
        let tables = self.vocabulary * self.width * if self.tied { 1 } else { 2 };
        (self.layers * layer + tables + self.width) as u64
    }

    /// About how much memory it takes to teach such a model an adapter with batches of `tokens` tokens.
    pub fn memory(&self, lora: &Lora, tokens: usize) -> Memory {
        let numbers = |count: usize| 4 * count as u64;
        let (queries, keys) = (self.heads * self.head_width, self.key_heads * self.head_width);
        // While parts become one matrix, and while the largest is hashed, it is there twice.
        let widest = self.width * self.vocabulary.max(2 * self.inner);
        let rows = |target: &Target| target.sides(self);
        let matrices: usize = lora.targets.iter().map(|target| rows(target).0 + rows(target).1).sum();
        // The value, its gradient, its two moments; and what a checkpoint is put together from.
        let adapter = self.layers * lora.rank * matrices * (4 + 9);
        // What each layer keeps for the way back (`model/block.rs`), and once what that works with.
        let packed = queries + 2 * keys;
        let thinned: usize = lora.targets.iter().map(|target| 2 * rows(target).1).sum();
        let changes = lora.rank * lora.targets.len() + if lora.dropout > 0.0 { thinned } else { 0 };
        let kept = 4 * self.width + 2 * packed + queries + self.heads + 3 * self.inner + changes;
        let working = 8 * self.width + 2 * packed + 4 * self.inner;
        let logits = kernels::loss::ROWS.min(tokens) * self.vocabulary;
        Memory {
            weights: 4 * self.parameters() + numbers(widest),
            adapter: numbers(adapter),
            batch: numbers(tokens * (self.layers * kept + working) + 2 * logits),
        }
    }
}

/// What teaching takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// All weights in 32 bit, and once more the largest.
    pub weights: u64,
    /// The adapter with all that its learning needs.
    pub adapter: u64,
    /// What a step holds.
    pub batch: u64,
}

impl Memory {
    /// All of it.
    pub fn total(self) -> u64 {
        self.weights.saturating_add(self.adapter).saturating_add(self.batch)
    }
}
