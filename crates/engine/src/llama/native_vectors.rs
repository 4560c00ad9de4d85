//! The thin safe layer over llama.cpp where it pools whole texts: a context without a past, and the batch that it computes.

#![expect(unsafe_code, reason = "C functions of llama.cpp")]

use std::{ffi::CStr, ptr::NonNull, sync::Arc};

use llama_cpp_sys_2 as sys;

use super::native::{self, Model};
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
    context: NonNull<sys::llama_context>,
    batch: sys::llama_batch,
    limits: Limits,
    /// Numbers of one row.
    width: usize,
    _model: Arc<Model>,
}

// SAFETY: the context is owned and, like the batch that belongs to it, not tied to a thread; every use takes &mut or reads.
unsafe impl Send for Context {}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed once; the model is freed after them.
        unsafe {
            sys::llama_batch_free(self.batch);
            sys::llama_free(self.context.as_ptr());
        }
    }
}

impl Context {
    pub(super) fn new(model: Arc<Model>, limits: Limits) -> Result<Self, String> {
        let batch_len = i32::try_from(limits.tokens).map_err(|_| "its batch is too large".to_owned())?;
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
        // SAFETY: the model is live, and kept so by the Arc.
        let (context, width) = unsafe {
            let width = match limits.pooling {
                Pooling::Rank => usize::try_from(sys::llama_model_n_cls_out(model.as_ptr())),
                _ => usize::try_from(sys::llama_model_n_embd_out(model.as_ptr())),
            };
            (sys::llama_init_from_model(model.as_ptr(), parameters), width)
        };
        let context = NonNull::new(context).ok_or_else(native::complaint)?;
        // SAFETY: allocates arrays for `batch_len` tokens of one sequence each.
        let batch = unsafe { sys::llama_batch_init(batch_len, 0, 1) };
        native::is_loaded();
        Ok(Context { context, batch, limits, width: width.unwrap_or(0), _model: model })
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
        let all =
            texts.iter().zip(0..).flat_map(|(text, of)| text.iter().zip(0..).map(move |(&token, at)| (token, at, of)));
        for (index, (token, position, text)) in all.enumerate() {
            // SAFETY: `index` is below the length that the arrays were allocated with, and each holds room for one sequence.
            unsafe {
                self.batch.token.add(index).write(token);
                self.batch.pos.add(index).write(position);
                self.batch.n_seq_id.add(index).write(1);
                self.batch.seq_id.add(index).read().write(text);
                self.batch.logits.add(index).write(1);
            }
        }
        self.batch.n_tokens = i32::try_from(tokens).unwrap_or(0);
        // SAFETY: the context is live; nothing is remembered from the texts before, where it has a memory at all. The batch's first n_tokens
        // entries have just been written; llama.cpp checks tokens and sequences.
        let code = unsafe {
            sys::llama_memory_clear(sys::llama_get_memory(self.context.as_ptr()), false);
            sys::llama_decode(self.context.as_ptr(), self.batch)
        };
        match code {
            0 => Ok(()),
            1 => Err(Failed::Full { cells: most, wanted: self.batch.n_tokens.unsigned_abs() }),
            code => Err(broken(format!("llama_decode returned {code}"))),
        }
    }

    /// What the text at this place of the last batch came to.
    pub(super) fn row(&self, text: usize) -> Option<&[f32]> {
        let text = i32::try_from(text).ok()?;
        // SAFETY: the context is live; a sequence that was not in the batch gives null.
        let row = NonNull::new(unsafe { sys::llama_get_embeddings_seq(self.context.as_ptr(), text) })?;
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
