//! llama.cpp as a [`Backend`]: what to check before a model is given to it, how much cache it gets, and its vocabulary. All that is unsafe
//! lies in `llama/native.rs`; scheduling and sampling are not llama.cpp's here.

use std::{path::Path, sync::Arc};

use crate::{
    Error, Options, Progress,
    backend::{Adapter, Backend, Facts, Failed, Input, Slot, Token, Vocabulary},
    gguf::{self, Head},
    memory,
};

mod machine;
mod native;

/// Sequences that are continued at once.
const PARALLEL: u32 = 16;
/// Sequences that the cache holds, with those that are kept for their beginnings.
const SLOTS: u32 = 64;
/// Contexts of full length that the cache has room for where memory allows: what is in common takes its room once, and who finds none waits.
const FULL_CONTEXTS: u32 = 8;
/// Tokens of one batch.
const BATCH: u32 = 512;
/// Tokens of a step that answers up to which a guessed one may be added: on a processor they share the reading of the weights.
const GUESSES: u32 = 9;
/// Context when none is asked for and the model has more.
const DEFAULT_CONTEXT: u32 = 8192;
/// Weights below which one thread computes: a step is so short then that threads would mostly wait for each other, and on a busy machine for
/// the processor (a step of the 1 MB test model takes 0.3 ms alone, and tens of ms when two threads share a core with other work).
const WORTH_A_THREAD: u64 = 32 << 20;

/// Loads the model of `options`, after checking that this processor and its memory can run it and that its file is whole.
///
/// # Errors
/// [`Error`] saying which of these does not hold, or what llama.cpp says.
pub(crate) fn load(options: &Options, progress: &Progress) -> Result<Box<dyn Backend>, Error> {
    machine::check_processor()?;
    let path = &options.model;
    let heads = gguf::read(path)?;
    let first = heads.first().ok_or_else(|| unsupported(path, "it has no head".into()))?;
    let trained =
        first.of_architecture("context_length").and_then(|tokens| u32::try_from(tokens).ok()).unwrap_or(u32::MAX);
    let context = options.context.unwrap_or(DEFAULT_CONTEXT).clamp(1, trained);
    let weights: u64 = heads.iter().map(Head::weight_bytes).sum();
    let cells = cells(path, weights, first.cache_per_token(), context)?;

    let drops_first_space = first.text("tokenizer.ggml.model") == Some("llama")
        && first.integer("tokenizer.ggml.add_space_prefix") != Some(0);
    let enough = if weights < WORTH_A_THREAD { 1 } else { machine::physical_cores() };
    let threads = options.threads.unwrap_or(enough).max(1);
    let model = native::Model::load(path, progress).map_err(|reason| unsupported(path, reason))?;
    let model = Arc::new(model);
    let limits = native::Limits { cells, slots: SLOTS, outputs: SLOTS, batch: BATCH, threads };
    let context_of = native::Context::new(Arc::clone(&model), limits).map_err(|reason| unsupported(path, reason))?;
    let facts = Facts {
        context,
        cells,
        slots: SLOTS,
        parallel: PARALLEL,
        shares: model.shares(),
        adapters: 0,
        batch: BATCH,
        guesses: GUESSES,
        parameters: model.parameters(),
        size: model.size(),
        trained_context: trained,
        description: model.description(),
        chat_template: first.text("tokenizer.chat_template").map(str::to_owned),
    };
    tracing::info!(model = %path.display(), description = facts.description, context, cells, threads, "the model is loaded");
    let words = Arc::new(Words { model, drops_first_space });
    Ok(Box::new(Llama { context: context_of, facts, words }))
}

fn unsupported(path: &Path, reason: String) -> Error {
    Error::Unsupported { path: path.to_owned(), reason: gguf::in_one_line(&reason) }
}

/// How many tokens the cache is to hold: several contexts where they take no more than a quarter of the memory that is free, else as many as
/// that quarter holds, and never fewer than one context.
fn cells(path: &Path, weights: u64, per_token: u64, context: u32) -> Result<u32, Error> {
    let cache = |tokens: u32| per_token.saturating_mul(u64::from(tokens));
    let wanted = context.saturating_mul(FULL_CONTEXTS);
    let Some(free) = memory::free() else { return Ok(wanted) };
    if weights.saturating_add(cache(context)) > free {
        return Err(Error::TooLarge { path: path.to_owned(), weights, cache: cache(context), context, free });
    }
    let affordable = ((free - weights) / 4).checked_div(per_token).unwrap_or(u64::MAX);
    Ok(wanted.min(u32::try_from(affordable).unwrap_or(u32::MAX)).max(context))
}

struct Llama {
    context: native::Context,
    facts: Facts,
    words: Arc<Words>,
}

impl Backend for Llama {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn vocabulary(&self) -> Arc<dyn Vocabulary> {
        Arc::clone(&self.words) as Arc<dyn Vocabulary>
    }

    fn decode(
        &mut self,
        batch: &[Input],
        adapter: Option<Adapter>,
        row: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Failed> {
        if let Some(Adapter(adapter)) = adapter {
            return Err(Failed::Broken(format!("there is no adapter {adapter}")));
        }
        self.context.decode(batch)?;
        let rows = batch.iter().enumerate().filter(|(_, input)| input.wants_logits);
        let rows = rows.map(|(index, _)| Some((index, self.context.logits(index)?)));
        // All before any is told: an answer that has gone on cannot be taken back.
        let rows: Option<Vec<_>> = rows.collect();
        for (index, logits) in rows.ok_or_else(|| Failed::Broken("llama.cpp gave no logits".into()))? {
            row(index, logits);
        }
        Ok(())
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) {
        self.context.share(from, to, len);
    }

    fn truncate(&mut self, slot: Slot, len: u32) {
        self.context.truncate(slot, len);
    }
}

struct Words {
    model: Arc<native::Model>,
    drops_first_space: bool,
}

impl Vocabulary for Words {
    fn size(&self) -> usize {
        self.model.vocabulary_size()
    }

    fn encode(&self, text: &str, begin: bool, markup: bool) -> Vec<Token> {
        self.model.encode(text, begin, markup)
    }

    fn decode(&self, token: Token, opening: bool, into: &mut Vec<u8>) {
        self.model.decode(token, opening && self.drops_first_space, into);
    }

    fn ends(&self, token: Token) -> bool {
        self.model.ends(token)
    }

    fn marks(&self) -> (String, String) {
        self.model.marks()
    }
}

#[cfg(test)]
mod tests {
    use super::native;
    use crate::gguf::type_size;

    #[test]
    fn our_table_of_tensor_types_is_that_of_the_llama_cpp_that_is_linked() {
        for kind in 0..native::TENSOR_TYPES + 8 {
            assert_eq!(type_size(kind), native::type_size(kind), "tensor type {kind}");
        }
    }
}
