//! The engine through its door: a worker process and an HTTP client, a scripted model where C++ is not the point and a real one where it is
//! (feature `llama`). What hostile bytes reach first (GGUF heads, templates) and what decides (scheduler, sampler) are tested by themselves.

#![expect(clippy::expect_used, clippy::panic, reason = "a test ends where its material fails")]

mod adapters;
mod answers;
mod choosing;
mod confidences;
mod drafts;
mod embeddings;
#[cfg(feature = "llama")]
mod exact;
mod files;
mod grammars;
#[cfg(feature = "llama")]
mod hostile;
mod lessons;
mod life;
#[cfg(feature = "llama")]
mod limits;
#[cfg(feature = "llama")]
mod llama;
#[cfg(feature = "llama")]
mod lora;
mod prefixes;
#[cfg(feature = "llama")]
mod projectors;
mod refusals;
mod schedules;
mod scheduling;
mod templates;
mod texts;
mod tools;
#[cfg(feature = "llama")]
mod vectors;
#[cfg(feature = "llama")]
mod vision;
mod worker;
#[cfg(feature = "llama")]
mod written;
