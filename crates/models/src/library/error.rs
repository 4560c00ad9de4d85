//! Why something could not be done with the models on this machine.

use std::io;
use std::path::PathBuf;

use super::shown;

/// Each variant says what the caller can do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalogue has no such name.
    #[error(
        "there is no {name} in the catalogue; `portico model list --catalogue` shows what there is, and a URL of a GGUF file does, too"
    )]
    NotOffered {
        /// As it was asked for.
        name: String,
    },
    /// The catalogue has the model in other quantisations.
    #[error("{name} is not offered as {quant}; there is {offered}")]
    NoSuchQuantisation {
        /// The model's name.
        name: String,
        /// As it was asked for.
        quant: String,
        /// What there is.
        offered: String,
    },
    /// It is not in the library.
    #[error("there is no model {name} here; `portico model list` shows what there is")]
    NotHere {
        /// As it was asked for.
        name: String,
    },
    /// A name that a model cannot have.
    #[error("{name:?} cannot be the name of a model: {reason}")]
    BadName {
        /// As it was given.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Not an address of one GGUF file.
    #[error("{url:?} is not the address of a GGUF file: {reason}")]
    BadUrl {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The way out refused or failed.
    #[error("{0}")]
    Unreachable(#[from] egress::Error),
    /// A host sends on to one that nobody listed.
    #[error(
        "{from} sends on to {to}, which is not on the list of allowed hosts; add it to `allow` under [egress] if it is to be trusted"
    )]
    SentElsewhere {
        /// Scheme, host and port.
        from: String,
        /// Scheme, host and port.
        to: String,
    },
    /// The server answered with something else than the file.
    #[error("{url} answered {status}: {meaning}")]
    Refused {
        /// Scheme, host and port.
        url: String,
        /// The HTTP status.
        status: u16,
        /// What it means here.
        meaning: &'static str,
    },
    /// The server broke off or stalled too often; what arrived is kept.
    #[error("{file} broke off at {} of {}, {tries} times in a row ({reason}); what arrived is kept, and asked for again it goes on there", shown(*have), shown(*total))]
    Cut {
        /// The file.
        file: String,
        /// Bytes that are there.
        have: u64,
        /// Bytes of the whole file.
        total: u64,
        /// How often it was tried.
        tries: u32,
        /// What happened last.
        reason: String,
    },
    /// Not enough room on the disk.
    #[error("{file} needs {} on the disk of {}, and {} are free; {} stay free for the portal", shown(*needed), folder.display(), shown(*free), shown(super::DISK_RESERVE))]
    DiskFull {
        /// The file.
        file: String,
        /// Bytes still to be written.
        needed: u64,
        /// Bytes that are free.
        free: u64,
        /// Where.
        folder: PathBuf,
    },
    /// It would not run here.
    #[error("{name} needs {} of memory (weights {}, KV cache of {} tokens {}, beside them {}), and this machine has {} free; choose a smaller quantisation or --context, or say --anyway", shown(room.needed()), shown(room.weights), room.context, shown(room.cache), shown(room.overhead), shown(room.free.unwrap_or(0)))]
    TooLarge {
        /// The model.
        name: String,
        /// The figures.
        room: super::Room,
    },
    /// The bytes are others than were promised. They are deleted.
    #[error(
        "{file} has the SHA-256 {found} where {expected} was promised; it is damaged or not what it claims, and is deleted"
    )]
    Checksum {
        /// The file.
        file: String,
        /// In hexadecimal digits.
        expected: String,
        /// In hexadecimal digits.
        found: String,
    },
    /// The bytes are no model that may be loaded.
    #[error("{reason}")]
    NotAModel {
        /// A sentence with the file's name.
        reason: String,
    },
    /// Somebody else writes it now.
    #[error("{name} is being fetched or imported already")]
    Busy {
        /// The model.
        name: String,
    },
    /// It runs.
    #[error("{name} is in use by a running portal; stop it there first")]
    InUse {
        /// The model.
        name: String,
    },
    /// There is one of this name already.
    #[error("there is a model {name} already; remove it first, or choose another name with --name")]
    Exists {
        /// The model.
        name: String,
    },
    /// Somebody stopped it; what arrived is kept.
    #[error("stopped; what arrived is kept, and asked for again it goes on there")]
    Cancelled,
    /// The disk said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Error {
        let path = path.into();
        move |source| Error::Io { path, source }
    }

    /// A word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Error::NotOffered { .. } | Error::NoSuchQuantisation { .. } => "not_offered",
            Error::NotHere { .. } => "not_found",
            Error::BadName { .. } => "bad_name",
            Error::BadUrl { .. } => "bad_url",
            Error::Unreachable(egress::Error::Forbidden { .. }) => "forbidden_host",
            Error::Unreachable(_) => "unreachable",
            Error::SentElsewhere { .. } => "forbidden_host",
            Error::Refused { .. } => "refused",
            Error::Cut { .. } => "cut",
            Error::DiskFull { .. } => "disk_full",
            Error::TooLarge { .. } => "too_large",
            Error::Checksum { .. } => "checksum",
            Error::NotAModel { .. } => "not_a_model",
            Error::Busy { .. } => "busy",
            Error::InUse { .. } => "in_use",
            Error::Exists { .. } => "exists",
            Error::Cancelled => "cancelled",
            Error::Io { .. } => "disk",
        }
    }
}
