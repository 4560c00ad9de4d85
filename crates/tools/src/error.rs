//! What can go wrong with a plugin before it is called.

use serde::Serialize;

/// What is wrong with a manifest or an order, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// As a path of the manifest or the order: `api.baseUrl`, `secrets.token`.
    pub field: String,
    /// What is wrong, in English.
    pub message: String,
}

impl Flaw {
    pub(crate) fn new(field: impl Into<String>, message: impl Into<String>) -> Flaw {
        Flaw { field: field.into(), message: message.into() }
    }
}

/// Why a plugin was not installed or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It says things that cannot be meant: each is named.
    #[error("{}", flaws.first().map_or_else(String::new, |flaw| format!("{}: {}", flaw.field, flaw.message)))]
    Flawed {
        /// At least one.
        flaws: Vec<Flaw>,
    },
    /// There is none of that name.
    #[error("there is no such plugin")]
    NotFound,
    /// One of that name is installed: remove it first.
    #[error("a plugin {name:?} is installed already")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Its secrets cannot be sealed or opened: the key of this house is another one.
    #[error("the secrets of this plugin cannot be read with the key of this portal; set them again")]
    Sealed,
    /// It could not be stored.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl From<Vec<Flaw>> for Error {
    fn from(flaws: Vec<Flaw>) -> Error {
        Error::Flawed { flaws }
    }
}
