//! Why the worker ended, each variant telling its supervisor what can be done. What goes wrong with one request is `http/problem.rs`.

use std::{io, path::PathBuf};

/// Why a worker could not start or had to end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address cannot be listened on: choose another.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address or socket path asked for.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// The listener was lost while serving: start again.
    #[error("the engine's socket failed: {0}")]
    Socket(#[source] io::Error),
    /// The model file cannot be opened: give another path, or the right to read it.
    #[error("the model {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is no whole model: fetch it again.
    #[error("the model {} {reason}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong, as the rest of the sentence.
        reason: String,
    },
    /// llama.cpp refused a file that is whole: use another model.
    #[error("the model {} cannot be run: {reason}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What llama.cpp said.
        reason: String,
    },
    /// The draft model cannot guess for the model: another, or none.
    #[error("the draft model {} {reason}", path.display())]
    Draft {
        /// The file.
        path: PathBuf,
        /// Why, as the rest of the sentence.
        reason: String,
    },
    /// The projector's file is none for the model: another, or none.
    #[error("the projector {} {reason}", path.display())]
    Projector {
        /// The file.
        path: PathBuf,
        /// What is wrong, as the rest of the sentence.
        reason: String,
    },
    /// An adapter's file is none for the model: another, or none.
    #[error("the adapter {} {reason}", path.display())]
    Adapter {
        /// The file.
        path: PathBuf,
        /// What is wrong, as the rest of the sentence.
        reason: String,
    },
    /// The machine's memory does not suffice: a smaller model, a shorter context, or more memory.
    #[error("the model {} needs {} of memory ({} for its weights, {} for a context of {context} tokens), and {} is free",
        path.display(), Size(weights.saturating_add(*cache)), Size(*weights), Size(*cache), Size(*free))]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes of the weights.
        weights: u64,
        /// Bytes of the KV cache.
        cache: u64,
        /// Tokens that the KV cache is for.
        context: u32,
        /// Bytes that are free.
        free: u64,
    },
    /// The processor lacks instructions that the engine is compiled for: another machine.
    #[error(
        "this processor lacks {missing}, which the engine needs; run the model on another machine and add that as a provider"
    )]
    Processor {
        /// The instruction sets, by name.
        missing: String,
    },
    /// Layers were to go to a GPU, and there is none: leave them here, or give it one.
    #[error("no layers can go to a GPU: {reason}")]
    NoGpu {
        /// Why, and what to do.
        reason: String,
    },
    /// The binary was built without llama.cpp: build it with the feature.
    #[error("this binary was built without the engine (cargo feature `llama`)")]
    NotBuilt,
    /// The thread that ran the model is gone: start again.
    #[error("the engine's thread ended unexpectedly")]
    Died,
}

impl Error {
    /// The exit code of a worker that ended so: 3 when the model cannot be loaded (starting again would not help), else 1.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Listen { .. } | Error::Socket(_) | Error::Died => 1,
            _ => 3,
        }
    }
}

/// Bytes in binary units with one decimal.
struct Size(u64);

impl std::fmt::Display for Size {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mib = self.0 as f64 / f64::from(1 << 20);
        if mib < 1024.0 { write!(out, "{mib:.1} MiB") } else { write!(out, "{:.1} GiB", mib / 1024.0) }
    }
}
