//! The thin safe layer over llama.cpp's LoRA adapters: one owns its matrices, and a context computes with one at a time. Whether a file is an
//! adapter for the model is checked before (`gguf/adapter.rs`): llama.cpp asserts on some of what it does not expect.

#![expect(unsafe_code, reason = "C functions of llama.cpp")]

use std::{
    ffi::CString,
    path::Path,
    ptr::NonNull,
    sync::{Arc, PoisonError},
};

use llama_cpp_sys_2 as sys;

use super::native::{COMPLAINTS, Context, Model, complaint};

/// A loaded adapter.
pub(super) struct Lora {
    adapter: NonNull<sys::llama_adapter_lora>,
    _model: Arc<Model>,
}

// SAFETY: the adapter is owned, not tied to a thread, and nothing of it changes after loading.
unsafe impl Send for Lora {}
// SAFETY: nothing can be done with a shared one but to compare and to apply it, which takes a context of its own.
unsafe impl Sync for Lora {}

impl Drop for Lora {
    fn drop(&mut self) {
        // SAFETY: it was returned by llama_adapter_lora_init and is freed once, before its model, and no context has it applied: that
        // would hold an Arc of it.
        unsafe { sys::llama_adapter_lora_free(self.adapter.as_ptr()) }
    }
}

impl Lora {
    /// Loads a file that has been checked against the model. Takes the context because the model's list of adapters, which this changes, is
    /// read by its computations. The error is what llama.cpp said.
    pub(super) fn load(_computes: &mut Context, model: &Arc<Model>, path: &Path) -> Result<Self, String> {
        let path =
            CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| "its path holds a zero byte".to_owned())?;
        COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // SAFETY: the model is live and the path ends with a zero; nothing computes meanwhile, and tokenising reads no adapter.
        let adapter = unsafe { sys::llama_adapter_lora_init(model.model.as_ptr(), path.as_ptr()) };
        let adapter = NonNull::new(adapter).ok_or_else(complaint)?;
        Ok(Lora { adapter, _model: Arc::clone(model) })
    }
}

impl Context {
    /// What is computed from now on is computed with this adapter at this scale, or with none.
    pub(super) fn apply(&mut self, lora: Option<(&Arc<Lora>, f32)>) {
        let same = match (&self.applied, lora) {
            (None, None) => true,
            (Some((applied, bits)), Some((lora, scale))) => Arc::ptr_eq(applied, lora) && *bits == scale.to_bits(),
            _ => false,
        };
        if same {
            return;
        }
        let mut adapters: Vec<_> = lora.iter().map(|(lora, _)| lora.adapter.as_ptr()).collect();
        let mut scales: Vec<_> = lora.iter().map(|(_, scale)| *scale).collect();
        // SAFETY: the context is live; both lists have the length that is said, and are copied.
        unsafe {
            sys::llama_set_adapters_lora(self.as_ptr(), adapters.as_mut_ptr(), adapters.len(), scales.as_mut_ptr());
        }
        self.applied = lora.map(|(lora, scale)| (Arc::clone(lora), scale.to_bits()));
    }
}
