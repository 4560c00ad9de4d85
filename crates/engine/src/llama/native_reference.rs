//! mtmd driven through its C API as llama.cpp's own command line does it: what the engine's answers about pictures are compared with.

#![expect(unsafe_code, reason = "C functions of mtmd and llama.cpp")]

use std::{ffi::CString, path::Path, sync::Arc};

use llama_cpp_sys_2 as sys;

use super::native::Model;
use crate::{
    Progress,
    backend::Token,
    pictures::Pixels,
    sampler::{Likelihood, argmax},
};

/// A token that was chosen, its log probability, and that of the next likeliest.
pub(crate) type Choice = (Token, f32, f32);

/// The tokens that follow `prompt`, greedily. `<__media__>` in it stands for a picture; `at_once`
/// tokens and places that see only what is before are computed together.
pub(crate) fn answer(
    model: &Path,
    projector: &Path,
    (prompt, pictures): (&str, &[&Pixels]),
    at_once: i32,
    most: usize,
) -> Vec<Choice> {
    let model = Arc::new(Model::load(model, true, 0, &Progress::default()).expect("a model"));
    let projector = CString::new(projector.to_str().expect("a path")).expect("no zero");
    let text = CString::new(prompt).expect("no zero");
    // SAFETY: every pointer comes from the call that makes it, is checked, used by this thread alone, and freed once, in the order of need.
    unsafe {
        let mut parameters = sys::llama_context_default_params();
        parameters.n_ctx = 512;
        parameters.n_batch = 512;
        parameters.n_ubatch = 512;
        parameters.n_threads = 1;
        parameters.n_threads_batch = 1;
        let context = sys::llama_init_from_model(model.as_ptr(), parameters);
        assert!(!context.is_null());
        let mut parameters = sys::mtmd_context_params_default();
        parameters.use_gpu = false;
        parameters.n_threads = 1;
        let eyes = sys::mtmd_init_from_file(projector.as_ptr(), model.as_ptr(), parameters);
        assert!(!eyes.is_null());
        let bitmaps: Vec<_> = pictures
            .iter()
            .map(|picture| sys::mtmd_bitmap_init(picture.width, picture.height, picture.rgb.as_ptr()).cast_const())
            .collect();
        let text = sys::mtmd_input_text {
            text: text.as_ptr(),
            text_len: prompt.len(),
            add_special: true,
            parse_special: false,
        };
        let chunks = sys::mtmd_input_chunks_init();
        let mut bitmaps_of = bitmaps.clone();
        assert_eq!(sys::mtmd_tokenize(eyes, chunks, &raw const text, bitmaps_of.as_mut_ptr(), bitmaps.len()), 0);
        let count = sys::mtmd_input_chunks_size(chunks);
        let mut past = 0;
        for nth in 0..count {
            let chunk = sys::mtmd_input_chunks_get(chunks, nth);
            // As one, where its places see one another.
            let is_text = sys::mtmd_input_chunk_get_type(chunk) == sys::MTMD_INPUT_CHUNK_TYPE_TEXT;
            let whole = !is_text && sys::mtmd_decode_use_non_causal(eyes, chunk);
            let batch = if whole { 512 } else { at_once };
            let last = nth + 1 == count;
            let done = sys::mtmd_helper_eval_chunk_single(eyes, context, chunk, past, 0, batch, last, &raw mut past);
            assert_eq!(done, 0);
        }
        let mut said = Vec::new();
        for _ in 0..most {
            let row = std::slice::from_raw_parts(sys::llama_get_logits_ith(context, -1), model.vocabulary_size());
            let mut token = argmax(row);
            let likelihood = Likelihood::of(row, token, 2);
            said.push((token, likelihood.chosen, likelihood.top[1].1));
            assert_eq!(sys::llama_decode(context, sys::llama_batch_get_one(&raw mut token, 1)), 0);
        }
        bitmaps.into_iter().for_each(|bitmap| sys::mtmd_bitmap_free(bitmap.cast_mut()));
        sys::mtmd_input_chunks_free(chunks);
        sys::mtmd_free(eyes);
        sys::llama_free(context);
        said
    }
}
