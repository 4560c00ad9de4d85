//! What can go wrong with data sets and jobs.

use crate::data::{Flaw, Unreadable};

/// Why something was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// There is none of this id, or it is another tenant's.
    #[error("there is no such {what}")]
    NotFound { what: &'static str },
    /// Nothing of the file can be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// An example that teaches nothing.
    #[error("this is no example to learn from: {0}")]
    Flawed(#[from] Flaw),
    /// More examples than a set holds.
    #[error("a data set holds at most {limit} examples; this would make {would_be}")]
    TooMany { limit: usize, would_be: usize },
    /// A set that would teach nothing.
    #[error("no example of this data set is to be learned; add some, or hold fewer out")]
    Nothing,
    /// This binary was built without a trainer.
    #[error("this portico was built without its trainer; export the version for another one")]
    NoTrainer,
    /// A recipe that cannot be meant.
    #[error("{field} has to be {range}")]
    Recipe { field: &'static str, range: &'static str },
    /// The job is in no state for that.
    #[error("{what}")]
    Conflict { what: String },
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
}
