//! Why a file cannot be read: classes that a caller acts upon, sentences that a person reads.

use std::time::Duration;

/// Why a file cannot be read.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("the file is protected by a password; take the password off and send it again")]
    Encrypted,
    #[error("the file is damaged or cut short: {0}")]
    Damaged(String),
    #[error("the file is too large: {0}")]
    TooLarge(String),
    #[error("the file cannot be read here: {0}")]
    Unsupported(String),
    #[error("the file takes too long to read: it was given up after {} seconds", .0.as_secs())]
    TimedOut(Duration),
    /// No fault of the file's.
    #[error("the reader of files failed: {0}")]
    Failed(String),
}

impl Error {
    pub(crate) fn damaged(why: impl std::fmt::Display) -> Error {
        Error::Damaged(why.to_string())
    }

    /// The class, as metrics and audit know it.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Encrypted => "encrypted",
            Error::Damaged(_) => "damaged",
            Error::TooLarge(_) => "too_large",
            Error::Unsupported(_) => "unsupported",
            Error::TimedOut(_) => "timed_out",
            Error::Failed(_) => "failed",
        }
    }

    /// What `portico extract` exits with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Failed(_) => 1,
            Error::Encrypted => 10,
            Error::Damaged(_) => 11,
            Error::TooLarge(_) => 12,
            Error::Unsupported(_) => 13,
            Error::TimedOut(_) => 14,
        }
    }

    /// The error behind an exit code and the sentence beside it; the words before the first colon are the class's own.
    pub(crate) fn of_exit(code: i32, sentence: &str) -> Error {
        let said = sentence.strip_prefix("portico: ").unwrap_or(sentence);
        let why = || said.split_once(": ").map_or(said, |(_, why)| why).to_owned();
        match code {
            10 => Error::Encrypted,
            11 => Error::Damaged(why()),
            12 => Error::TooLarge(why()),
            13 => Error::Unsupported(why()),
            14 => Error::TimedOut(crate::limits::CPU),
            _ => Error::Failed(why()),
        }
    }
}
