//! The thin safe layer over llama.cpp where it pools whole texts: a context without a past, and the batch that it computes.

#![expect(unsafe_code, reason = "C functions of llama.cpp")]

use std::{ffi::CStr, ptr::NonNull, sync::Arc};

use llama_cpp_sys_2 as sys;

use super::{native::Model, native_batch::Batch};
use crate::{
    backend::{Failed, Token},
    embedding::Pooling,
};

/// How much a context computes at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Most tokens of one batch.
    pub(super) tokens: u32,
    /// Most texts of one batch; llama.cpp has 256 at most.
    pub(super) texts: u32,
    pub(super) threads: u32,
    pub(super) pooling: Pooling,
}

/// A model at work on whole texts.
pub(super) struct Context {
    batch: Batch,
    limits: Limits,
    /// Numbers of one row.
    width: usize,
}

impl Context {
    pub(super) fn new(model: Arc<Model>, limits: Limits) -> Result<Self, String> {
        let threads = i32::try_from(limits.threads).unwrap_or(1);
        // SAFETY: returns a plain struct.
        let mut parameters = unsafe { sys::llama_context_default_params() };
        parameters.n_ctx = limits.tokens;
        parameters.n_batch = limits.tokens;
        // A text is pooled where all of it is computed at once.
        parameters.n_ubatch = limits.tokens;
        parameters.n_seq_max = limits.texts;
        parameters.n_threads = threads;
        parameters.n_threads_batch = threads;
        parameters.embeddings = true;
        parameters.pooling_type = match limits.pooling {
            Pooling::Mean => sys::LLAMA_POOLING_TYPE_MEAN,
            Pooling::First => sys::LLAMA_POOLING_TYPE_CLS,
            Pooling::Last => sys::LLAMA_POOLING_TYPE_LAST,
            Pooling::Rank => sys::LLAMA_POOLING_TYPE_RANK,
        };
        parameters.kv_unified = true;
        parameters.no_perf = true;
        // SAFETY: the model is live, and the counts plain fields.
        let width = unsafe {
            match limits.pooling {
                Pooling::Rank => sys::llama_model_n_cls_out(model.as_ptr()).try_into(),
                _ => usize::try_from(sys::llama_model_n_embd_out(model.as_ptr())),
            }
        };
        Ok(Context { batch: Batch::new(model, parameters)?, limits, width: width.unwrap_or(0) })
    }

    /// Numbers of a text's row.
    pub(super) fn width(&self) -> usize {
        self.width
    }

    /// Computes these texts, each from its beginning to its end.
    pub(super) fn compute(&mut self, texts: &[&[Token]]) -> Result<(), Failed> {
        let broken = |why: String| Failed::Broken(why);
        let tokens: usize = texts.iter().map(|text| text.len()).sum();
        let Limits { tokens: most, texts: most_texts, .. } = self.limits;
        if tokens == 0 || tokens > most as usize || texts.len() > most_texts as usize {
            return Err(broken(format!("{} texts of {tokens} tokens (at most {most_texts} of {most})", texts.len())));
        }
        // SAFETY: the context is live; nothing is remembered from the texts before, where it has a memory at all.
        unsafe { sys::llama_memory_clear(sys::llama_get_memory(self.batch.as_ptr()), false) };
        let entries = texts
            .iter()
            .zip(0..)
            .flat_map(|(text, of)| text.iter().zip(0..).map(move |(&token, at)| (token, at, of, true)));
        match self.batch.decode(entries)? {
            true => Ok(()),
            false => Err(Failed::Full { cells: most, wanted: u32::try_from(tokens).unwrap_or(u32::MAX) }),
        }
    }

    /// What the text at this place of the last batch came to.
    pub(super) fn row(&self, text: usize) -> Option<&[f32]> {
        let text = i32::try_from(text).ok()?;
        // SAFETY: the context is live; a sequence that was not in the batch gives null.
        let row = NonNull::new(unsafe { sys::llama_get_embeddings_seq(self.batch.as_ptr(), text) })?;
        // SAFETY: a row has `width` numbers and stays until the next batch, which takes &mut.
        Some(unsafe { std::slice::from_raw_parts(row.as_ptr(), self.width) })
    }
}

/// The token between two texts that are read together, where the model has a marker of its own for that beside the one that ends a text.
pub(super) fn between(model: &Model) -> Option<Token> {
    let vocabulary = model.vocabulary_ptr();
    // SAFETY: the vocabulary is live.
    let (kind, wants, token) = unsafe {
        (sys::llama_vocab_type(vocabulary), sys::llama_vocab_get_add_sep(vocabulary), sys::llama_vocab_sep(vocabulary))
    };
    // Of BERT's own vocabularies it is the one that ends every text.
    (wants && kind != sys::LLAMA_VOCAB_TYPE_WPM && token >= 0).then_some(token)
}

/// The model's names of its classifier's outputs, empty where it has none.
pub(super) fn labels(model: &Model) -> Vec<String> {
    // SAFETY: the model is live; a label that it does not have is null, any other a text that ends with a zero and lives as long.
    let label = |nth| unsafe {
        let label = sys::llama_model_cls_label(model.as_ptr(), nth);
        (!label.is_null()).then(|| CStr::from_ptr(label).to_string_lossy().into_owned())
    };
    // SAFETY: the model is live, and the count a plain field.
    let count = unsafe { sys::llama_model_n_cls_out(model.as_ptr()) };
    (0..count).map(|nth| label(nth).unwrap_or_default()).collect()
}
