//! The port to a model that reads whole texts and writes none: a vector for each text, or, of a reranker, a score for each pair of a query
//! and a document. Beside [`Backend`](crate::backend::Backend), because nothing of it goes on from step to step: no cache, no places, no
//! sampling. Two members: `llama/vectors.rs` (feature `llama`) and [`Scripted`](scripted::Scripted) for tests without C++.
//!
//! `embedding/jobs.rs` decides whose texts are computed when.

use std::sync::Arc;

use crate::{
    backend::{Failed, Token, Vocabulary},
    gguf::Head,
    rerank::Pairing,
};

mod jobs;
pub mod scripted;

pub use jobs::{Job, Jobs, NotTaken, Outcome, Work};

/// How the numbers of a text's tokens become those of the text. GGUF files write it as a number, `ARCHITECTURE.pooling_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pooling {
    /// Their mean.
    Mean,
    /// Those of the first token, which stands for the whole.
    First,
    /// Those of the last token, which has read all the others.
    Last,
    /// A classifier's score of them.
    Rank,
}

/// Architectures that read in both directions and so cannot continue a text.
const ENCODERS: [&str; 9] = [
    "bert",
    "nomic-bert",
    "nomic-bert-moe",
    "jina-bert-v2",
    "jina-bert-v3",
    "neo-bert",
    "modern-bert",
    "eurobert",
    "gemma-embedding",
];

/// Models whose makers trained the first numbers of a vector to serve alone (Kusupati et al., "Matryoshka Representation Learning", arXiv
/// 2205.13147), by a part of the name in their file: no file says it itself.
const NESTED: [&str; 7] = [
    "qwen3-embedding",
    "nomic-embed-text-v1.5",
    "nomic-embed-text-v2",
    "embeddinggemma",
    "jina-embeddings-v3",
    "mxbai-embed-large",
    "snowflake-arctic-embed-l-v2",
];

impl Pooling {
    /// How the model of this head pools; `None` of one that writes text.
    ///
    /// # Errors
    /// The number that stands in the file, where it is none of those that are known.
    pub fn of(head: &Head) -> Result<Option<Pooling>, i128> {
        let key = format!("{}.pooling_type", head.architecture());
        match head.integer(&key) {
            // An encoder that does not say: what sentence-transformers takes then.
            None | Some(0) => Ok(is_encoder(head).then_some(Pooling::Mean)),
            Some(1) => Ok(Some(Pooling::Mean)),
            Some(2) => Ok(Some(Pooling::First)),
            Some(3) => Ok(Some(Pooling::Last)),
            Some(4) => Ok(Some(Pooling::Rank)),
            Some(other) => Err(other),
        }
    }

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Pooling::Mean => "mean",
            Pooling::First => "cls",
            Pooling::Last => "last",
            Pooling::Rank => "rank",
        }
    }
}

/// Whether the model of this head reads in both directions: it needs no cache.
pub fn is_encoder(head: &Head) -> bool {
    ENCODERS.contains(&head.architecture())
}

/// Whether a vector of the model of this head may be cut.
pub fn is_nested(head: &Head) -> bool {
    let names = ["general.name", "general.basename"].into_iter().filter_map(|key| head.text(key));
    names.map(|name| name.to_lowercase().replace([' ', '_'], "-")).any(|name| NESTED.iter().any(|it| name.contains(it)))
}

/// What a loaded model makes of a text.
#[derive(Debug, Clone)]
pub enum Makes {
    /// A vector.
    Vectors {
        /// How many numbers it has.
        dimensions: u32,
        /// Whether its beginning may serve alone.
        nested: bool,
    },
    /// A score of a query and a document, from how it puts them together.
    Scores(Pairing),
}

/// What is known of a loaded model.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What it makes.
    pub makes: Makes,
    /// How.
    pub pooling: Pooling,
    /// Most tokens of one text, or of one pair.
    pub context: u32,
    /// Most tokens of one [`Embedder::compute`], at least [`context`](Self::context).
    pub batch: u32,
    /// Most texts of one [`Embedder::compute`].
    pub texts: u32,
    /// Number of weights.
    pub parameters: u64,
    /// Bytes of the weights.
    pub size: u64,
    /// The context length that the model was trained with, in tokens.
    pub trained_context: u32,
    /// A description such as `bert 22M F32`.
    pub description: String,
}

/// A loaded model that makes numbers of whole texts.
pub trait Embedder: Send {
    /// What is known of the model.
    fn facts(&self) -> &Facts;
    /// Its vocabulary.
    fn vocabulary(&self) -> Arc<dyn Vocabulary>;
    /// Computes at most [`Facts::texts`] texts of together at most [`Facts::batch`] tokens, none empty and none longer than
    /// [`Facts::context`]: for each, in order, its vector as the model pools it, or its one score, a probability. What a text gets does not
    /// depend on the others, but for the rounding of the sums.
    ///
    /// # Errors
    /// [`Failed`], when there is nothing for any of them.
    fn compute(&mut self, texts: &[&[Token]]) -> Result<Vec<Vec<f32>>, Failed>;
}

/// Makes a vector's length 1, so that a dot product is the cosine. One of zeros stays what it is.
#[expect(clippy::cast_possible_truncation, reason = "summed in 64 bit, kept in 32")]
pub fn normalise(vector: &mut [f32]) {
    let length = vector.iter().map(|&number| f64::from(number).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|number| *number = (f64::from(*number) / length) as f32);
    }
}
