//! The thin safe layer over llama.cpp's C functions: the only unsafe code of the workspace. Each type owns one C object and offers what the
//! backend needs of it; nothing here decides anything.

#![expect(unsafe_code, reason = "C functions of llama.cpp")]

use std::{
    collections::BTreeMap,
    ffi::{CStr, CString, c_char, c_int, c_void},
    path::Path,
    ptr::NonNull,
    sync::{
        Arc, Mutex, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use llama_cpp_sys_2 as sys;

use super::{
    native_batch::Batch,
    native_lora::Lora,
    vision::{Album, Run, runs},
};
use crate::{
    Cache, Device, Progress,
    backend::{Failed, Input, Slot, Token},
    machine,
};

/// Numbers below this name tensor types, with gaps.
#[cfg(test)]
pub(super) const TENSOR_TYPES: u32 = sys::GGML_TYPE_COUNT;

/// Elements and bytes of a block of a tensor type, as llama.cpp has them.
#[cfg(test)]
pub(super) fn type_size(kind: u32) -> Option<(u64, u64)> {
    if kind >= TENSOR_TYPES {
        return None;
    }
    // SAFETY: both read a constant table that has TENSOR_TYPES rows.
    let (block, bytes) = unsafe { (sys::ggml_blck_size(kind), sys::ggml_type_size(kind)) };
    let block = u64::try_from(block).ok()?;
    (block > 0 && bytes > 0).then_some((block, bytes as u64))
}

/// The GPUs that the backends of this build have found.
pub(super) fn devices() -> Vec<Device> {
    start();
    // SAFETY: reads the list of devices, which is complete once the first function of this library has run.
    let count = unsafe { sys::ggml_backend_dev_count() };
    (0..count).filter_map(device).collect()
}

fn device(index: usize) -> Option<Device> {
    // SAFETY: `index` is below the count; a device lives as long as the process, and so do its two texts, which end with a zero.
    unsafe {
        let device = sys::ggml_backend_dev_get(index);
        let kind = sys::ggml_backend_dev_type(device);
        if kind != sys::GGML_BACKEND_DEVICE_TYPE_GPU && kind != sys::GGML_BACKEND_DEVICE_TYPE_IGPU {
            return None;
        }
        let (mut free, mut total) = (0, 0);
        sys::ggml_backend_dev_memory(device, &raw mut free, &raw mut total);
        let text = |text: *const c_char| CStr::from_ptr(text).to_string_lossy().trim().to_owned();
        Some(Device {
            name: text(sys::ggml_backend_dev_name(device)),
            description: text(sys::ggml_backend_dev_description(device)),
            memory: total as u64,
            free: free as u64,
        })
    }
}

/// The processor's instructions and the devices that llama.cpp computes with: what its numbers depend on, beside the model.
pub(super) fn machine() -> String {
    // SAFETY: the text ends with a zero and stays until the next call; models are loaded on one thread.
    unsafe { CStr::from_ptr(sys::llama_print_system_info()) }.to_string_lossy().into_owned()
}

/// A loaded model.
pub(super) struct Model {
    pub(super) model: NonNull<sys::llama_model>,
    vocabulary: NonNull<sys::llama_vocab>,
}

// SAFETY: the model is owned, not tied to a thread, and only read after loading.
unsafe impl Send for Model {}
// SAFETY: llama.h says that tokenising is thread-safe; the other functions used here read fields that never change.
unsafe impl Sync for Model {}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: it was returned by llama_model_load_from_file and is freed once; contexts hold an Arc of it.
        unsafe { sys::llama_model_free(self.model.as_ptr()) }
    }
}

impl Model {
    /// Loads a file whose head has been checked, mapped into memory or read, so many of its layers to GPUs. The error is what llama.cpp said.
    pub(super) fn load(path: &Path, mapped: bool, gpu_layers: u32, progress: &Progress) -> Result<Self, String> {
        start();
        // SAFETY: returns a plain struct.
        let mut parameters = unsafe { sys::llama_model_default_params() };
        parameters.n_gpu_layers = i32::try_from(gpu_layers).unwrap_or(i32::MAX);
        parameters.load_mode = if mapped { sys::LLAMA_LOAD_MODE_MMAP } else { sys::LLAMA_LOAD_MODE_NONE };
        parameters.progress_callback = Some(on_progress);
        parameters.progress_callback_user_data = std::ptr::from_ref(progress).cast_mut().cast();
        Model::open(path, parameters)
    }

    /// Loads no more than the vocabulary of such a file.
    pub(super) fn load_vocabulary(path: &Path) -> Result<Self, String> {
        start();
        // SAFETY: returns a plain struct.
        let mut parameters = unsafe { sys::llama_model_default_params() };
        parameters.vocab_only = true;
        Model::open(path, parameters)
    }

    /// What `parameters` point to outlives the call.
    fn open(path: &Path, parameters: sys::llama_model_params) -> Result<Self, String> {
        let path =
            CString::new(path.as_os_str().as_encoded_bytes()).map_err(|_| "its path holds a zero byte".to_owned())?;
        COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner).clear();
        // SAFETY: the path ends with a zero; whatever the callback is given outlives the call, the only time that it runs.
        let model = unsafe { sys::llama_model_load_from_file(path.as_ptr(), parameters) };
        let model = NonNull::new(model).ok_or_else(complaint)?;
        // SAFETY: the model is live; its vocabulary lives as long.
        let vocabulary = unsafe { sys::llama_model_get_vocab(model.as_ptr()) };
        match NonNull::new(vocabulary.cast_mut()) {
            Some(vocabulary) => Ok(Model { model, vocabulary }),
            None => Err("it has no vocabulary".into()),
        }
    }

    pub(super) fn parameters(&self) -> u64 {
        // SAFETY: the model is live.
        unsafe { sys::llama_model_n_params(self.model.as_ptr()) }
    }

    pub(super) fn size(&self) -> u64 {
        // SAFETY: the model is live.
        unsafe { sys::llama_model_size(self.model.as_ptr()) }
    }

    pub(super) fn description(&self) -> String {
        let mut buffer = [0_u8; 256];
        // SAFETY: at most 256 bytes are written, a zero last.
        unsafe { sys::llama_model_desc(self.model.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
        CStr::from_bytes_until_nul(&buffer).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Whether sequences can have a beginning in common: not where a state runs through all tokens.
    pub(super) fn shares(&self) -> bool {
        let model = self.model.as_ptr();
        // SAFETY: the model is live.
        let (recurs, in_part) = unsafe { (sys::llama_model_is_recurrent(model), sys::llama_model_is_hybrid(model)) };
        !recurs && !in_part
    }

    pub(super) fn as_ptr(&self) -> *mut sys::llama_model {
        self.model.as_ptr()
    }

    pub(super) fn vocabulary_ptr(&self) -> *const sys::llama_vocab {
        self.vocabulary.as_ptr()
    }

    /// Whether layers see only the last tokens.
    pub(super) fn forgets(&self) -> bool {
        // SAFETY: the model is live.
        unsafe { sys::llama_model_n_swa(self.model.as_ptr()) > 0 }
    }

    /// Why this engine cannot run this model, if it cannot.
    pub(super) fn objection(&self) -> Option<String> {
        let model = self.model.as_ptr();
        // SAFETY: the model is live.
        let (encodes, diffuses) =
            unsafe { (sys::llama_model_has_encoder(model), sys::llama_model_is_diffusion(model)) };
        match (encodes, diffuses) {
            (true, _) => Some(
                "it turns one text into another (an encoder with a decoder), which this engine does not run".into(),
            ),
            (_, true) => Some("it writes by diffusion, which this engine does not run".into()),
            _ => None,
        }
    }

    pub(super) fn vocabulary_size(&self) -> usize {
        // SAFETY: the vocabulary is live.
        let size = unsafe { sys::llama_vocab_n_tokens(self.vocabulary.as_ptr()) };
        usize::try_from(size).unwrap_or(0)
    }

    pub(super) fn encode(&self, text: &str, begin: bool, markup: bool) -> Vec<Token> {
        let Ok(len) = i32::try_from(text.len()) else { return Vec::new() };
        let mut tokens: Vec<Token> = vec![0; text.len() / 3 + 8];
        loop {
            let room = i32::try_from(tokens.len()).unwrap_or(i32::MAX);
            // SAFETY: `len` bytes of text are read and at most `room` tokens written.
            let count = unsafe {
                sys::llama_tokenize(
                    self.vocabulary.as_ptr(),
                    text.as_ptr().cast(),
                    len,
                    tokens.as_mut_ptr(),
                    room,
                    begin,
                    markup,
                )
            };
            if let Ok(count) = usize::try_from(count) {
                tokens.truncate(count);
                return tokens;
            }
            // A negative count says how many there would have been.
            let needed = count.checked_neg().and_then(|needed| usize::try_from(needed).ok()).unwrap_or(0);
            if needed <= tokens.len() {
                return Vec::new();
            }
            tokens.resize(needed, 0);
        }
    }

    pub(super) fn decode(&self, token: Token, drop_space: bool, into: &mut Vec<u8>) {
        if !usize::try_from(token).is_ok_and(|token| token < self.vocabulary_size()) {
            return;
        }
        let mut buffer = vec![0_u8; 64];
        loop {
            let room = i32::try_from(buffer.len()).unwrap_or(i32::MAX);
            let strip = i32::from(drop_space);
            // SAFETY: the token exists and at most `room` bytes are written.
            let count = unsafe {
                sys::llama_token_to_piece(
                    self.vocabulary.as_ptr(),
                    token,
                    buffer.as_mut_ptr().cast(),
                    room,
                    strip,
                    false,
                )
            };
            if let Ok(count) = usize::try_from(count) {
                into.extend_from_slice(buffer.get(..count).unwrap_or_default());
                return;
            }
            let needed = count.checked_neg().and_then(|needed| usize::try_from(needed).ok()).unwrap_or(0);
            if needed <= buffer.len() {
                return;
            }
            buffer.resize(needed, 0);
        }
    }

    pub(super) fn ends(&self, token: Token) -> bool {
        // SAFETY: the vocabulary is live; an unknown token is answered with false.
        unsafe { sys::llama_vocab_is_eog(self.vocabulary.as_ptr(), token) }
    }

    pub(super) fn marks(&self) -> (String, String) {
        // SAFETY: the vocabulary is live.
        let (bos, eos) =
            unsafe { (sys::llama_vocab_bos(self.vocabulary.as_ptr()), sys::llama_vocab_eos(self.vocabulary.as_ptr())) };
        (self.written(bos), self.written(eos))
    }

    fn written(&self, token: Token) -> String {
        if !usize::try_from(token).is_ok_and(|token| token < self.vocabulary_size()) {
            return String::new();
        }
        // SAFETY: the token exists; its text ends with a zero and lives as long as the vocabulary.
        let text = unsafe { CStr::from_ptr(sys::llama_vocab_get_text(self.vocabulary.as_ptr(), token)) };
        text.to_string_lossy().into_owned()
    }
}

/// How large a context is to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) cells: u32,
    pub(super) slots: u32,
    /// Most inputs of one batch that want logits; llama.cpp wants no fewer than slots.
    pub(super) outputs: u32,
    pub(super) batch: u32,
    pub(super) threads: u32,
    /// Each slot has `cells / slots` cells of its own, in the order of its tokens, and each token is computed by itself. So what is summed, and
    /// in which order, follows from a sequence alone.
    pub(super) apart: bool,
    /// Whether pictures come, whose places may have to be computed all at once.
    pub(super) sees: bool,
    /// In which numbers keys and values are kept.
    pub(super) cache: Cache,
}

/// How long a thread spins before it sleeps when a step is over: some ms, so that it is awake for the next one and lets the machine rest
/// between answers. llama.cpp's own 50 is a fifth of a second.
const POLL: u32 = 1;

/// The threads that compute beside the one that asks. llama.cpp alone would start and end them with every step.
struct Threads(NonNull<sys::ggml_threadpool>);

// SAFETY: the pool is owned, and used by its context only.
unsafe impl Send for Threads {}

impl Drop for Threads {
    fn drop(&mut self) {
        // SAFETY: it was returned by ggml_threadpool_new, and the context that used it is gone.
        unsafe { sys::ggml_threadpool_free(self.0.as_ptr()) }
    }
}

impl Threads {
    fn new(count: c_int) -> Result<Self, String> {
        // SAFETY: returns a plain struct.
        let mut parameters = unsafe { sys::ggml_threadpool_params_default(count) };
        parameters.poll = POLL;
        let processors = machine::processors();
        if usize::try_from(count).is_ok_and(|count| count > 1 && count == processors.len()) {
            // Each gets one of its own. Left to itself the system may wake two on one where another program runs, and each then waits for the
            // other at every barrier.
            for processor in processors {
                parameters.cpumask.get_mut(processor).into_iter().for_each(|mask| *mask = true);
            }
            parameters.strict_cpu = true;
        }
        // So that it is the thread that computes which gets its place with the first step, not this one.
        parameters.paused = true;
        // SAFETY: the parameters are read during the call only.
        let pool = unsafe { sys::ggml_threadpool_new(&raw mut parameters) };
        NonNull::new(pool).map(Threads).ok_or_else(|| "its threads cannot be started".into())
    }
}

/// A model at work: its cache and the batch that it computes.
pub(super) struct Context {
    batch: Batch,
    limits: Limits,
    /// What was seen of pictures.
    album: Arc<Album>,
    /// The logits of a batch that took several calls, by their index in it.
    rows: Option<BTreeMap<usize, Vec<f32>>>,
    /// A sequence on its way from one slot's cells to another's.
    copied: Vec<u8>,
    /// Freed after the context, which is in the batch.
    _threads: Threads,
    /// The adapter that the next batch is computed with, and the bits of its scale.
    pub(super) applied: Option<(Arc<Lora>, u32)>,
}

impl Context {
    pub(super) fn new(model: Arc<Model>, limits: Limits, album: Arc<Album>) -> Result<Self, String> {
        if let Some(objection) = model.objection() {
            return Err(objection);
        }
        let threads = i32::try_from(limits.threads).unwrap_or(1);
        // SAFETY: returns a plain struct.
        let mut parameters = unsafe { sys::llama_context_default_params() };
        parameters.n_ctx = limits.cells;
        parameters.n_batch = limits.batch;
        parameters.n_ubatch = if limits.apart && !limits.sees { 1 } else { limits.batch };
        parameters.n_seq_max = limits.slots;
        parameters.n_outputs_max = limits.outputs;
        parameters.n_threads = threads;
        parameters.n_threads_batch = threads;
        parameters.kv_unified = !limits.apart;
        parameters.no_perf = true;
        if limits.cache == Cache::F32 {
            parameters.flash_attn_type = sys::LLAMA_FLASH_ATTN_TYPE_DISABLED;
            parameters.type_k = sys::GGML_TYPE_F32;
            parameters.type_v = sys::GGML_TYPE_F32;
        }
        let pool = Threads::new(threads)?;
        let batch = Batch::new(model, parameters)?;
        // SAFETY: both are live, and the pool outlives the context.
        unsafe { sys::llama_attach_threadpool(batch.as_ptr(), pool.0.as_ptr(), pool.0.as_ptr()) };
        let (rows, copied) = (None, Vec::new());
        Ok(Context { batch, limits, album, rows, copied, _threads: pool, applied: None })
    }

    pub(super) fn decode(&mut self, inputs: &[Input]) -> Result<(), Failed> {
        let broken = |why: String| Failed::Broken(why);
        let Limits { batch, outputs, .. } = self.limits;
        let rows = inputs.iter().filter(|input| input.wants_logits).count();
        if inputs.is_empty() || inputs.len() > batch as usize || rows > outputs as usize {
            let sizes = format!(
                "a batch of {} tokens (at most {batch}) that wants {rows} rows (at most {outputs})",
                inputs.len()
            );
            return Err(broken(sizes));
        }
        // Apart, one call each: a micro-batch of one token would still take two, of neighbouring slots.
        let runs = runs(inputs, &self.album, self.limits.apart)?;
        self.rows = (runs.len() > 1).then(BTreeMap::new);
        for run in runs {
            let (at, inputs) = (run.at, run.inputs);
            self.compute(run)?;
            let wanted = (0..).zip(inputs).filter(|(_, input)| input.wants_logits).map(|(nth, _)| nth);
            for nth in wanted.take(if self.rows.is_some() { inputs.len() } else { 0 }) {
                let row = self.logits_of_last(nth).map(<[f32]>::to_vec);
                self.rows.iter_mut().zip(row).for_each(|(rows, row)| _ = rows.insert(at + nth, row));
            }
        }
        Ok(())
    }

    fn compute(&mut self, Run { inputs, places, .. }: Run<'_>) -> Result<(), Failed> {
        let entries = inputs.iter().map(|input| (input.token, input.position, input.slot.0, input.wants_logits));
        let has_room = match places {
            None => self.batch.decode(entries),
            Some((mut rows, whole)) => self.batch.decode_rows(entries, &mut rows, whole),
        };
        if has_room? { Ok(()) } else { Err(self.full(inputs.len())) }
    }

    fn full(&self, wanted: usize) -> Failed {
        let Limits { cells, slots, apart, .. } = self.limits;
        let cells = if apart { cells / slots.max(1) } else { cells };
        Failed::Full { cells, wanted: u32::try_from(wanted).unwrap_or(u32::MAX) }
    }

    /// The context, which lives as long as this.
    pub(super) fn as_ptr(&self) -> *mut sys::llama_context {
        self.batch.as_ptr()
    }

    /// The logits of input `index` of the last batch, which must have asked for them.
    pub(super) fn logits(&self, index: usize) -> Option<&[f32]> {
        match &self.rows {
            Some(rows) => rows.get(&index).map(Vec::as_slice),
            None => self.logits_of_last(index),
        }
    }

    /// The same of the last call.
    fn logits_of_last(&self, index: usize) -> Option<&[f32]> {
        let index = i32::try_from(index).ok()?;
        // SAFETY: the context is live; an index without logits gives null.
        let row = NonNull::new(unsafe { sys::llama_get_logits_ith(self.as_ptr(), index) })?;
        // SAFETY: a row has one number per token of the vocabulary and stays until the next decode, which takes &mut.
        Some(unsafe { std::slice::from_raw_parts(row.as_ptr(), self.batch.model().vocabulary_size()) })
    }

    /// `to`, which is empty, begins with the first `len` tokens of `from`: the same cells belong to both, or copies of them.
    pub(super) fn share(&mut self, from: Slot, to: Slot, len: u32) {
        if self.limits.apart {
            self.copy(from, to);
            return self.truncate(to, len);
        }
        if let (Ok(from), Ok(to), Ok(len)) = (i32::try_from(from.0), i32::try_from(to.0), i32::try_from(len)) {
            // SAFETY: the context is live; the cache is one for all sequences, where a copy marks cells and any range is allowed.
            unsafe { sys::llama_memory_seq_cp(sys::llama_get_memory(self.as_ptr()), from, to, 0, len) };
        }
    }

    /// At once: `llama_memory_seq_cp` between cells that are apart would copy all of them, and not before the next step.
    fn copy(&mut self, from: Slot, to: Slot) {
        let (Ok(from), Ok(to)) = (i32::try_from(from.0), i32::try_from(to.0)) else { return };
        let context = self.as_ptr();
        // SAFETY: the context is live and `from` one of its sequences.
        let size = unsafe { sys::llama_state_seq_get_size(context, from) };
        self.copied.resize(size, 0);
        // SAFETY: at most `size` bytes are written.
        let size = unsafe { sys::llama_state_seq_get_data(context, self.copied.as_mut_ptr(), size, from) };
        // SAFETY: `size` bytes are read, which this context has just written; `to` has as many cells as `from`.
        let read = unsafe { sys::llama_state_seq_set_data(context, self.copied.as_ptr(), size, to) };
        if read == 0 {
            // The next step of `to` has a gap then, which llama.cpp refuses.
            tracing::warn!("a beginning could not be copied");
        }
    }

    pub(super) fn truncate(&mut self, slot: Slot, len: u32) {
        if let (Ok(slot), Ok(len)) = (i32::try_from(slot.0), i32::try_from(len)) {
            // SAFETY: the context is live; removing a whole sequence never fails, and a part only where there is a running state, of which
            // no part is asked for.
            unsafe { sys::llama_memory_seq_rm(sys::llama_get_memory(self.as_ptr()), slot, len, -1) };
        }
    }

    /// A copy of what is held of a slot's tokens.
    pub(super) fn save(&mut self, slot: Slot) -> Option<Vec<u8>> {
        let slot = i32::try_from(slot.0).ok()?;
        // SAFETY: the context is live; of an unknown or an empty sequence there is a state without cells.
        let size = unsafe { sys::llama_state_seq_get_size(self.as_ptr(), slot) };
        let mut state = vec![0; size];
        // SAFETY: at most `size` bytes are written.
        let written = unsafe { sys::llama_state_seq_get_data(self.as_ptr(), state.as_mut_ptr(), size, slot) };
        (size > 0 && written == size).then_some(state)
    }

    /// Gives an empty slot the `len` tokens of a saved state; false where it is not one that fits, and the slot is then empty.
    pub(super) fn restore(&mut self, slot: Slot, len: u32, state: &[u8]) -> bool {
        let (Ok(at), Ok(last)) = (i32::try_from(slot.0), i32::try_from(len).map(|len| len - 1)) else { return false };
        // SAFETY: the context is live; at most the given bytes are read, and what they say of sizes and types is compared with the cache.
        let read = unsafe { sys::llama_state_seq_set_data(self.as_ptr(), state.as_ptr(), state.len(), at) };
        // SAFETY: the context is live; of an empty sequence both are -1.
        let (first, end) = unsafe {
            let memory = sys::llama_get_memory(self.as_ptr());
            (sys::llama_memory_seq_pos_min(memory, at), sys::llama_memory_seq_pos_max(memory, at))
        };
        let whole = read == state.len() && (first, end) == (0, last);
        if !whole {
            self.truncate(slot, 0);
        }
        whole
    }
}

/// Errors that llama.cpp has logged since loading began.
pub(super) static COMPLAINTS: Mutex<Vec<String>> = Mutex::new(Vec::new());
static LOADED: AtomicBool = AtomicBool::new(false);

fn start() {
    static STARTED: Once = Once::new();
    // SAFETY: called once; the callbacks are functions without state of their own and never unwind.
    STARTED.call_once(|| unsafe {
        sys::llama_log_set(Some(on_log), std::ptr::null_mut());
        sys::ggml_set_abort_callback(Some(on_abort));
        sys::llama_backend_init();
    });
}

/// From now on what llama.cpp gives up over is no broken model.
pub(super) fn is_loaded() {
    LOADED.store(true, Ordering::Relaxed);
}

/// llama.cpp's own reason, without the names of its functions.
pub(super) fn complaint() -> String {
    const MARKS: [&str; 3] = ["error loading model: ", "failed to apply lora adapter: ", "error: "];
    let mark = |line: &&String| MARKS.iter().any(|mark| line.contains(mark));
    let complaints = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
    let line = complaints.iter().find(mark).or_else(|| complaints.first());
    let reason = line.map_or("llama.cpp gives no reason", String::as_str);
    let behind = |mark: &str| reason.rsplit_once(mark).map(|(_, reason)| reason);
    let reason = MARKS.into_iter().find_map(behind).unwrap_or(reason).trim();
    let is_function = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match reason.split_once(": ") {
        Some((function, reason)) if is_function(function) => reason.to_owned(),
        _ => reason.to_owned(),
    }
}

unsafe extern "C" fn on_progress(progress: f32, wanted_by: *mut c_void) -> bool {
    // SAFETY: `load` passed a reference that outlives the call.
    unsafe { &*wanted_by.cast::<Progress>() }.report(progress)
}

pub(super) unsafe extern "C" fn on_log(level: sys::ggml_log_level, text: *const c_char, _: *mut c_void) {
    // SAFETY: llama.cpp passes a text that ends with a zero.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let text = text.trim_end();
    if level == sys::GGML_LOG_LEVEL_ERROR {
        tracing::debug!(target: "llama.cpp", "{text}");
        if let Ok(mut complaints) = COMPLAINTS.lock()
            && complaints.len() < 32
        {
            complaints.push(text.to_owned());
        }
    } else {
        tracing::trace!(target: "llama.cpp", "{text}");
    }
}

/// An assertion of llama.cpp failed, and it is about to abort: end with a sentence instead of a signal.
unsafe extern "C" fn on_abort(message: *const c_char) {
    unsafe extern "C" {
        fn _exit(status: c_int) -> !;
    }
    // SAFETY: llama.cpp passes a text that ends with a zero.
    let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
    // Without the folder that it was compiled in.
    let message = message.rsplit_once("/llama.cpp/").map_or(&*message, |(_, message)| message);
    let sentence = crate::gguf::in_one_line(&format!("llama.cpp gave up: {message}"));
    let status = if LOADED.load(Ordering::Relaxed) { 1 } else { 3 };
    crate::listener::say(&serde_json::json!({"failed": sentence}));
    tracing::error!("{sentence}");
    // SAFETY: ends the process at once; the state of the C++ side is unknown, so nothing of it is run any more.
    unsafe { _exit(status) }
}
