//! What can go wrong in a training job, by what the caller can do about it.

use std::{io, path::PathBuf};

/// Why a training job did not begin or did not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The bytes of a file are not what they should be.
    #[error("{path} {reason}")]
    Broken { path: PathBuf, reason: String },
    /// What was asked for cannot be done; the sentence says why.
    #[error("{0}")]
    Refused(String),
    /// Arithmetic that candle refused: a fault of this program.
    #[error("the computation failed: {0}")]
    Computation(#[from] candle_core::Error),
}

impl Error {
    pub(crate) fn broken(path: impl Into<PathBuf>, reason: impl Into<String>) -> Self {
        Error::Broken { path: path.into(), reason: reason.into() }
    }

    pub(crate) fn unreadable(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Error::Unreadable { path, source }
    }
}
