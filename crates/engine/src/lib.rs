//! The inference worker: one GGUF model behind the OpenAI dialect on a local socket, in a process of its own, because native code may
//! end its process. Three layers: `http` (the door) reads and checks requests, `scheduler` decides what is computed when, and a
//! [`backend::Backend`] computes. Choosing tokens, text and templates are ours; llama.cpp, behind the feature `llama`, multiplies.
//!
//! It is no supervisor and no client: who starts it, restarts it and asks it is another crate's business.

mod adapters;
pub mod backend;
mod cache;
pub mod confidence;
pub mod embedding;
mod error;
pub mod gguf;
pub mod gpu;
pub mod grammar;
mod http;
mod listener;
#[cfg(feature = "llama")]
mod llama;
pub mod machine;
pub mod memory;
mod model;
pub mod parent;
pub mod pictures;
pub mod rerank;
pub mod sampler;
pub mod scheduler;
pub mod template;
pub mod text;
mod tokenizer;
pub mod tools;
mod worker;

pub use adapters::AdapterFile;
pub use cache::Cache;
pub use error::Error;
pub use gpu::{Device, GpuLayers};
pub use listener::{Front, Listen};
#[cfg(feature = "llama")]
pub use llama::{load, tokenizer};
pub use model::{Loaded, Progress};
pub use tokenizer::{Lesson, Tokenizer};
pub use worker::{Options, serve_with};

/// Serves the GGUF model of `options` until it is told to end or, with [`Options::parent_watch`], its parent is gone.
///
/// Writes two kinds of line to standard output: `{"listening": "127.0.0.1:8421"}` at once, before the model is loaded, and
/// `{"failed": "…"}` when the worker ends by itself.
///
/// # Errors
/// Why it ended by itself; [`Error::exit_code`] is the code to exit with.
#[cfg(feature = "llama")]
pub async fn serve(options: Options) -> Result<(), Error> {
    serve_with(options, llama::load).await
}

/// The devices that this build can compute on beside the processor. Opens their drivers.
#[cfg(feature = "llama")]
pub fn devices() -> Vec<Device> {
    llama::devices()
}

/// This build has no llama.cpp, so it knows of none.
#[cfg(not(feature = "llama"))]
pub fn devices() -> Vec<Device> {
    Vec::new()
}

/// This build has no llama.cpp: says so and ends.
///
/// # Errors
/// [`Error::NotBuilt`], always.
#[cfg(not(feature = "llama"))]
pub async fn serve(options: Options) -> Result<(), Error> {
    serve_with(options, |_, _| Err(Error::NotBuilt)).await
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a text never fails.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
