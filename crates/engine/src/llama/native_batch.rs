//! A llama.cpp context and the batch that it computes: made, filled, run and freed together, whatever its rows are used for.

#![expect(unsafe_code, reason = "C functions of llama.cpp")]

use std::{ptr::NonNull, sync::Arc};

use llama_cpp_sys_2 as sys;

use super::native::{Model, complaint, is_loaded};
use crate::backend::{Failed, Token};

/// One token to compute: itself, its position, its sequence, and whether its row is wanted.
pub(super) type Entry = (Token, u32, u32, bool);

/// See the module.
pub(super) struct Batch {
    context: NonNull<sys::llama_context>,
    batch: sys::llama_batch,
    /// Entries that the arrays of `batch` hold.
    room: usize,
    model: Arc<Model>,
}

// SAFETY: the context is owned and, like the batch that belongs to it, not tied to a thread; every use takes &mut or reads.
unsafe impl Send for Batch {}

impl Drop for Batch {
    fn drop(&mut self) {
        // SAFETY: both were made in `new` and are freed once; the model is freed after them.
        unsafe {
            sys::llama_batch_free(self.batch);
            sys::llama_free(self.context.as_ptr());
        }
    }
}

impl Batch {
    /// A context of `model`, and room for as many entries as `parameters` say. The error is what llama.cpp said.
    pub(super) fn new(model: Arc<Model>, parameters: sys::llama_context_params) -> Result<Self, String> {
        let room = i32::try_from(parameters.n_batch).map_err(|_| "its batch is too large".to_owned())?;
        // SAFETY: the model is live, and kept so by the Arc.
        let context = unsafe { sys::llama_init_from_model(model.as_ptr(), parameters) };
        let context = NonNull::new(context).ok_or_else(complaint)?;
        // SAFETY: allocates arrays for `room` tokens of one sequence each.
        let batch = unsafe { sys::llama_batch_init(room, 0, 1) };
        is_loaded();
        Ok(Batch { context, batch, room: parameters.n_batch as usize, model })
    }

    /// The context, which lives as long as this.
    pub(super) fn as_ptr(&self) -> *mut sys::llama_context {
        self.context.as_ptr()
    }

    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    /// Computes these. False where the cache has no room for them.
    ///
    /// # Errors
    /// [`Failed::Broken`] when they are more than there is room for in the batch, or with what llama.cpp returned.
    pub(super) fn decode(&mut self, entries: impl IntoIterator<Item = Entry>) -> Result<bool, Failed> {
        self.fill(entries)?;
        self.run(self.batch)
    }

    /// Computes these with `rows` of numbers in the place of their tokens; where they see one another (`whole`), all in one micro-batch.
    ///
    /// # Errors
    /// [`Failed::Broken`] as [`decode`](Self::decode), and when the rows are not as many or not as wide as the model reads.
    pub(super) fn decode_rows(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
        rows: &mut [f32],
        whole: bool,
    ) -> Result<bool, Failed> {
        self.fill(entries)?;
        // SAFETY: the model is live.
        let width = unsafe { sys::llama_model_n_embd_inp(self.model.as_ptr()) };
        if usize::try_from(i64::from(width) * i64::from(self.batch.n_tokens)) != Ok(rows.len()) {
            return Err(Failed::Broken("a picture has other rows than the model reads".into()));
        }
        let batch = sys::llama_batch { token: std::ptr::null_mut(), embd: rows.as_mut_ptr(), ..self.batch };
        // SAFETY: the context is live; how it attends is set back before anything else is computed.
        unsafe { sys::llama_set_causal_attn(self.context.as_ptr(), !whole) };
        let computed = self.run(batch);
        // SAFETY: see above.
        unsafe { sys::llama_set_causal_attn(self.context.as_ptr(), true) };
        computed
    }

    fn fill(&mut self, entries: impl IntoIterator<Item = Entry>) -> Result<(), Failed> {
        let broken = |why: String| Failed::Broken(why);
        self.batch.n_tokens = 0;
        for (index, (token, position, sequence, wanted)) in entries.into_iter().enumerate() {
            if index >= self.room {
                return Err(broken(format!("more than the {} tokens of a batch", self.room)));
            }
            let position = i32::try_from(position).map_err(|_| broken("a position past 2^31".into()))?;
            let sequence = i32::try_from(sequence).map_err(|_| broken("a sequence past 2^31".into()))?;
            // SAFETY: `index` is below the length that the arrays were allocated with, and each holds room for one sequence.
            unsafe {
                self.batch.token.add(index).write(token);
                self.batch.pos.add(index).write(position);
                self.batch.n_seq_id.add(index).write(1);
                self.batch.seq_id.add(index).read().write(sequence);
                self.batch.logits.add(index).write(i8::from(wanted));
            }
            self.batch.n_tokens += 1;
        }
        Ok(())
    }

    fn run(&mut self, batch: sys::llama_batch) -> Result<bool, Failed> {
        // SAFETY: the batch's first n_tokens entries have been written, tokens or rows; llama.cpp checks tokens and sequences.
        match unsafe { sys::llama_decode(self.context.as_ptr(), batch) } {
            0 => Ok(true),
            1 => Ok(false),
            code => Err(Failed::Broken(format!("llama_decode returned {code}"))),
        }
    }
}
