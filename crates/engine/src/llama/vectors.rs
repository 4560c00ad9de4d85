//! llama.cpp as an [`Embedder`]: what a model must have to pool whole texts, how long a text may be, and what a classifier's outputs mean.

use std::sync::Arc;

use super::{Words, native, native_vectors, unsupported};
use crate::{
    Cache, Error, Options, Progress,
    backend::{Failed, Token, Vocabulary},
    embedding::{self, Embedder, Facts, Makes, Pooling},
    gguf::Head,
    gpu::Split,
    machine, memory,
    rerank::{self, Pairing},
};

/// Longest text where nothing else is said and the model reads more.
const DEFAULT_CONTEXT: u32 = 8192;
/// The same of a model that could also write: with every token it computes the logits of all tokens, which nobody wants, but which need room.
const DEFAULT_CONTEXT_OF_A_WRITER: u32 = 2048;
/// Tokens of one batch at least: texts are short and many.
const BATCH: u32 = 512;
/// Texts of one batch.
const TEXTS: u32 = 64;
/// The template of a reranker that has one, among the templates of its file.
const TEMPLATE: &str = "tokenizer.chat_template.rerank";

/// Loads the model of `options`, whose file has these heads and pools so.
///
/// # Errors
/// [`Error`], what the model lacks, or what llama.cpp says.
pub(super) fn load(
    options: &Options,
    progress: &Progress,
    heads: &[Head],
    pooling: Pooling,
) -> Result<Box<dyn Embedder>, Error> {
    let path = &options.model;
    let first = heads.first().ok_or_else(|| unsupported(path, "it has no head".into()))?;
    let of = |key| first.of_architecture(key).and_then(|number| u32::try_from(number).ok());
    let trained = of("context_length").unwrap_or(u32::MAX);
    let weights: u64 = heads.iter().map(Head::weight_bytes).sum();
    let writes = !embedding::is_encoder(first);
    let usual = if writes { DEFAULT_CONTEXT_OF_A_WRITER } else { DEFAULT_CONTEXT };
    let context = options.context.unwrap_or(usual).clamp(1, trained);
    let batch = context.max(BATCH);
    if let Some(free) = memory::free() {
        let per_token = if writes { first.cache_per_token(Cache::F16) + 8 * vocabulary(first) } else { 0 };
        let cache = per_token.saturating_mul(u64::from(batch));
        if weights.saturating_add(cache) > free {
            return Err(Error::TooLarge { path: path.clone(), weights, cache, context, free });
        }
    }
    let refuse = |reason| unsupported(path, reason);
    let blocks = of("block_count").unwrap_or(0);
    let split = Split::of(options.gpu_layers, blocks, weights, &native::devices())?;
    let model = Arc::new(native::Model::load(path, true, split.layers, progress).map_err(refuse)?);
    if let Some(objection) = model.objection() {
        return Err(refuse(objection));
    }
    let words = Arc::new(Texts {
        words: Words { model: Arc::clone(&model), drops_first_space: false },
        decomposes: decomposes(first),
    });
    // A vocabulary without the marks that it needs makes llama.cpp give up: now, not at somebody's request.
    let empty = words.encode("", true, false);
    let yes = yes(&model, pooling, heads).map_err(refuse)?;
    let threads = options.threads.unwrap_or_else(|| machine::threads_for(weights)).max(1);
    let limits = native_vectors::Limits { tokens: batch, texts: TEXTS, threads, pooling };
    let pairing = Pairing {
        begins: usize::from(!empty.is_empty() && words.encode("a", true, false).first() == empty.first()),
        between: native_vectors::between(&model).into_iter().collect(),
        template: first.text(TEMPLATE).map(str::to_owned),
    };
    let computes = native_vectors::Context::new(Arc::clone(&model), limits).map_err(refuse)?;
    let dimensions = u32::try_from(computes.width()).unwrap_or(0);
    let facts = Facts {
        makes: match yes {
            Some(_) => Makes::Scores(pairing),
            None => Makes::Vectors { dimensions, nested: embedding::is_nested(first) },
        },
        pooling,
        context,
        batch,
        texts: TEXTS,
        parameters: model.parameters(),
        size: model.size(),
        trained_context: trained,
        description: model.description(),
    };
    tracing::info!(model = %path.display(), description = facts.description, context, pooling = pooling.word(), threads, "the model is loaded");
    Ok(Box::new(Vectors { computes, facts, words, yes }))
}

/// Which of a classifier's outputs means yes; `None` of a model that makes vectors.
fn yes(model: &native::Model, pooling: Pooling, heads: &[Head]) -> Result<Option<usize>, String> {
    if pooling != Pooling::Rank {
        return Ok(None);
    }
    let has = |name| heads.iter().flat_map(|head| &head.tensors).any(|tensor| tensor.name == name);
    if !has("cls.output.weight") {
        return Err("it is to rank, but has no classifier (cls.output.weight)".into());
    }
    let mut tensors = heads.iter().flat_map(|head| &head.tensors);
    if tensors.any(|tensor| tensor.name == "token_types.weight" && tensor.shape.get(1).is_some_and(|&rows| rows > 1)) {
        return Err("it tells query and document apart by token types, which llama.cpp does not compute".into());
    }
    let labels = native_vectors::labels(model);
    match (labels.len(), labels.iter().position(|label| label == "yes")) {
        (1, _) => Ok(Some(0)),
        (_, Some(yes)) => Ok(Some(yes)),
        (count, None) => Err(format!("it sorts texts into {count} classes; a reranker has one score")),
    }
}

fn vocabulary(head: &Head) -> u64 {
    match head.metadata.get("tokenizer.ggml.tokens") {
        Some(crate::gguf::Value::Array { len, .. }) => *len,
        _ => 0,
    }
}

struct Vectors {
    computes: native_vectors::Context,
    facts: Facts,
    words: Arc<Texts>,
    yes: Option<usize>,
}

impl Vectors {
    fn result(&self, text: usize) -> Result<Vec<f32>, Failed> {
        let broken = |why: &str| Failed::Broken(why.to_owned());
        let row = self.computes.row(text).ok_or_else(|| broken("llama.cpp gave no numbers"))?;
        if !row.iter().all(|number| number.is_finite()) {
            return Err(broken("a text came to what is no number"));
        }
        let Some(yes) = self.yes else { return Ok(row.to_vec()) };
        let &score = row.get(yes).ok_or_else(|| broken("llama.cpp gave no score"))?;
        // Several outputs come as probabilities already.
        Ok(vec![if row.len() == 1 { rerank::probability(score) } else { score }])
    }
}

impl Embedder for Vectors {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn vocabulary(&self) -> Arc<dyn Vocabulary> {
        Arc::clone(&self.words) as Arc<dyn Vocabulary>
    }

    fn compute(&mut self, texts: &[&[Token]]) -> Result<Vec<Vec<f32>>, Failed> {
        self.computes.compute(texts)?;
        (0..texts.len()).map(|text| self.result(text)).collect()
    }
}

/// Whether this model's texts are taken apart into letters and marks (NFD), as those of BERT's vocabularies without capitals.
fn decomposes(head: &Head) -> bool {
    let says = |key| head.integer(key).map(|value| value != 0);
    let lower = says("tokenizer.ggml.normalizer.lowercase").unwrap_or(true);
    head.text("tokenizer.ggml.model") == Some("bert")
        && says("tokenizer.ggml.normalizer.strip_accents").unwrap_or(lower)
}

/// The vocabulary, with the one step before it that llama.cpp leaves out: its NFD knows no Korean, whose syllables it would not find.
struct Texts {
    words: Words,
    decomposes: bool,
}

impl Vocabulary for Texts {
    fn size(&self) -> usize {
        self.words.size()
    }

    fn encode(&self, text: &str, begin: bool, markup: bool) -> Vec<Token> {
        if self.decomposes && text.chars().any(is_syllable) {
            let letters: String = text.chars().flat_map(letters).collect();
            return self.words.encode(&letters, begin, markup);
        }
        self.words.encode(text, begin, markup)
    }

    fn decode(&self, token: Token, opening: bool, into: &mut Vec<u8>) {
        self.words.decode(token, opening, into);
    }

    fn ends(&self, token: Token) -> bool {
        self.words.ends(token)
    }

    fn marks(&self) -> (String, String) {
        self.words.marks()
    }
}

fn is_syllable(letter: char) -> bool {
    ('가'..='힣').contains(&letter)
}

/// A syllable's two or three letters, by the arithmetic of the Unicode Standard, section 3.12; any other character itself.
fn letters(letter: char) -> impl Iterator<Item = char> {
    let at = |base: u32, nth: u32| char::from_u32(base + nth);
    let all = match u32::from(letter).wrapping_sub(0xAC00) {
        nth if is_syllable(letter) => [
            at(0x1100, nth / 588),
            at(0x1161, nth % 588 / 28),
            at(0x11A7, nth % 28).filter(|_| !nth.is_multiple_of(28)),
        ],
        _ => [Some(letter), None, None],
    };
    all.into_iter().flatten()
}
