//! The thin safe layer over mtmd, llama.cpp's reader of pictures: a projector, which makes rows of numbers of pixels.

#![expect(unsafe_code, reason = "C functions of mtmd")]

use std::{
    ffi::CString,
    path::Path,
    ptr::{NonNull, null},
    sync::Arc,
};

use llama_cpp_sys_2 as sys;

use super::native::{COMPLAINTS, Model, complaint, on_log};
use crate::{backend::Token, pictures::Pixels};

/// A part of what stands for a picture.
pub(super) enum Part {
    /// Tokens that the model writes around it.
    Tokens(Vec<Token>),
    /// So many places with the numbers of all their rows, and whether they see one another.
    Rows { len: u32, numbers: Vec<f32>, whole: bool },
}

/// A loaded projector.
pub(super) struct Projector {
    context: NonNull<sys::mtmd_context>,
    /// Numbers of a row.
    width: usize,
    _model: Arc<Model>,
}

// SAFETY: the context is owned and not tied to a thread; every use takes &mut.
unsafe impl Send for Projector {}

impl Drop for Projector {
    fn drop(&mut self) {
        // SAFETY: it was returned by mtmd_init_from_file and is freed once, before the model.
        unsafe { sys::mtmd_free(self.context.as_ptr()) }
    }
}

/// What mtmd_tokenize_from_parts fills.
struct Chunks(NonNull<sys::mtmd_input_chunks>);

impl Drop for Chunks {
    fn drop(&mut self) {
        // SAFETY: it was returned by mtmd_input_chunks_init and is freed once.
        unsafe { sys::mtmd_input_chunks_free(self.0.as_ptr()) }
    }
}

/// Pixels as mtmd holds them.
struct Bitmap(NonNull<sys::mtmd_bitmap>);

impl Drop for Bitmap {
    fn drop(&mut self) {
        // SAFETY: it was returned by mtmd_bitmap_init and is freed once.
        unsafe { sys::mtmd_bitmap_free(self.0.as_ptr()) }
    }
}

impl Projector {
    /// Loads a file whose head has been checked, for `model`. The error is what mtmd said, or why this engine has no use for it.
    pub(super) fn load(path: &Path, model: Arc<Model>, threads: u32, on_gpu: bool) -> Result<Self, String> {
        let path =
            CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| "its path holds a zero byte".to_owned())?;
        COMPLAINTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
        // SAFETY: the callback is a function without state of its own and never unwinds; the other call returns a plain struct.
        let mut parameters = unsafe {
            sys::mtmd_log_set(Some(on_log), std::ptr::null_mut());
            sys::mtmd_context_params_default()
        };
        parameters.use_gpu = on_gpu;
        parameters.print_timings = false;
        parameters.n_threads = i32::try_from(threads).unwrap_or(1);
        // The first picture that is looked at does as much.
        parameters.warmup = false;
        // SAFETY: the path ends with a zero; the model is live, and kept so by the Arc.
        let context = unsafe { sys::mtmd_init_from_file(path.as_ptr(), model.as_ptr(), parameters) };
        let context = NonNull::new(context).ok_or_else(complaint)?;
        // SAFETY: the model is live.
        let width = unsafe { sys::llama_model_n_embd_inp(model.as_ptr()) };
        let projector = Projector { context, width: usize::try_from(width).unwrap_or(0), _model: model };
        // SAFETY: the context is live.
        let (sees, turns) =
            unsafe { (sys::mtmd_support_vision(context.as_ptr()), sys::mtmd_decode_use_mrope(context.as_ptr())) };
        match (sees, turns) {
            (false, _) => Err("it does not see".into()),
            (_, true) => Err("its places have two dimensions (M-RoPE), which this engine does not compute".into()),
            (true, false) => Ok(projector),
        }
    }

    /// What stands for a picture in a prompt.
    pub(super) fn look(&mut self, picture: &Pixels) -> Result<Vec<Part>, String> {
        COMPLAINTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
        let chunks = self.shape(picture)?;
        // SAFETY: the list is live; an index below its length gives a chunk that lives as long.
        let chunk = |nth| unsafe { sys::mtmd_input_chunks_get(chunks.0.as_ptr(), nth) };
        // SAFETY: the list is live.
        let count = unsafe { sys::mtmd_input_chunks_size(chunks.0.as_ptr()) };
        (0..count).map(|nth| self.part(chunk(nth))).collect()
    }

    /// Cuts and scales it as the projector wants it.
    fn shape(&self, Pixels { width, height, rgb }: &Pixels) -> Result<Chunks, String> {
        if rgb.len() as u64 != u64::from(*width) * u64::from(*height) * 3 {
            return Err("does not have the pixels that it speaks of".into());
        }
        // SAFETY: as many bytes are read as there are, which has just been checked; they are copied.
        let bitmap = NonNull::new(unsafe { sys::mtmd_bitmap_init(*width, *height, rgb.as_ptr()) });
        let bitmap = Bitmap(bitmap.ok_or_else(complaint)?);
        // SAFETY: makes an empty list.
        let chunks = Chunks(NonNull::new(unsafe { sys::mtmd_input_chunks_init() }).ok_or_else(complaint)?);
        let part = sys::mtmd_input_part { text: null(), bitmap: bitmap.0.as_ptr() };
        let parts = [&raw const part];
        // SAFETY: one part is read, whose bitmap is live; the list is filled.
        let shaped = unsafe {
            sys::mtmd_tokenize_from_parts(self.context.as_ptr(), chunks.0.as_ptr(), parts.as_ptr(), parts.len(), false)
        };
        if shaped == 0 { Ok(chunks) } else { Err(format!("cannot be shaped: {}", complaint())) }
    }

    fn part(&mut self, chunk: *const sys::mtmd_input_chunk) -> Result<Part, String> {
        // SAFETY: the chunk is live.
        let (kind, len, positions) = unsafe {
            (
                sys::mtmd_input_chunk_get_type(chunk),
                sys::mtmd_input_chunk_get_n_tokens(chunk),
                sys::mtmd_input_chunk_get_n_pos(chunk),
            )
        };
        if kind == sys::MTMD_INPUT_CHUNK_TYPE_TEXT {
            let mut len = 0;
            // SAFETY: the chunk is live; its tokens are as many as it says and live as long.
            let tokens = unsafe { sys::mtmd_input_chunk_get_tokens_text(chunk, &raw mut len) };
            // SAFETY: see above; of no tokens there need be no address.
            let tokens = if len == 0 { &[] } else { unsafe { std::slice::from_raw_parts(tokens, len) } };
            return Ok(Part::Tokens(tokens.to_vec()));
        }
        if usize::try_from(positions) != Ok(len) || len == 0 {
            return Err(format!("takes {len} places at {positions} positions, which this engine does not compute"));
        }
        // SAFETY: context and chunk are live.
        if unsafe { sys::mtmd_encode_chunk(self.context.as_ptr(), chunk) } != 0 {
            return Err(format!("cannot be looked at: {}", complaint()));
        }
        // SAFETY: the context is live and has just encoded.
        let rows = NonNull::new(unsafe { sys::mtmd_get_output_embd(self.context.as_ptr()) }).ok_or_else(complaint)?;
        // SAFETY: the rows are as many as places, each as wide as the model's input, and stay until the next are encoded.
        let numbers = unsafe { std::slice::from_raw_parts(rows.as_ptr(), len * self.width) }.to_vec();
        // SAFETY: context and chunk are live.
        let whole = unsafe { sys::mtmd_decode_use_non_causal(self.context.as_ptr(), chunk) };
        Ok(Part::Rows { len: u32::try_from(len).map_err(|_| "takes too many places".to_owned())?, numbers, whole })
    }
}
