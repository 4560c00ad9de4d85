//! Why the door stays closed, or a change to people is not made, told by what the caller can do next. Turning it into a status is the server's.

use std::time::Duration;

/// Why not.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Name or password is wrong; which of the two is not told.
    #[error("the name or the password is wrong")]
    WrongCredentials,
    /// Too many tries; come back later.
    #[error("too many tries; try again in {} s", retry_after.as_secs().max(1))]
    Throttled {
        /// After this long.
        retry_after: Duration,
    },
    /// The link was used, has expired, was withdrawn, or never was one. Ask for a new one.
    #[error("this link was used already, or has expired; ask for a new one")]
    LinkSpent,
    /// Somebody has that name; take another.
    #[error("the name {name} is taken; choose another")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// What was typed cannot be taken.
    #[error("{reason}")]
    Invalid {
        /// Which field.
        field: &'static str,
        /// Why, as a sentence.
        reason: &'static str,
    },
    /// Not with this role.
    #[error("{reason}")]
    Forbidden {
        /// Why, as a sentence.
        reason: &'static str,
    },
    /// No such key is known, or it was revoked.
    #[error("this API key is not known here or was revoked")]
    KeyUnknown,
    /// It was one until a while ago.
    #[error("this API key has expired; make a new one under Settings, API keys")]
    KeyExpired,
    /// The key is bound to other addresses.
    #[error("this API key may not be used from {address}; its settings name the addresses it may be used from")]
    AddressNotAllowed {
        /// Where the request came from.
        address: std::net::IpAddr,
    },
    /// The house would be left without an owner.
    #[error("this is the last owner; make somebody else an owner first")]
    LastOwner,
    /// There is no such thing, or it is not this caller's.
    #[error("{what} not found")]
    NotFound {
        /// The kind of thing.
        what: &'static str,
    },
    /// It was sealed with another key, under another label, or changed since.
    #[error(
        "a stored secret cannot be opened with this key; enter it again, or bring back the secret.key it was sealed with"
    )]
    Sealed,
    /// The system gives no random bytes: nothing that has to be secret can be made.
    #[error("the system gives no random bytes: {reason}")]
    NoRandomness {
        /// What it said.
        reason: String,
    },
    /// A password could not be hashed or compared.
    #[error("the password could not be hashed: {reason}")]
    Hashing {
        /// What the library said.
        reason: String,
    },
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// One word for the wire, metrics and audit.
    pub fn code(&self) -> &'static str {
        match self {
            Error::WrongCredentials => "wrong_credentials",
            Error::Throttled { .. } => "throttled",
            Error::LinkSpent => "link_spent",
            Error::NameTaken { .. } => "name_taken",
            Error::Invalid { .. } => "invalid_request",
            Error::Forbidden { .. } => "forbidden",
            Error::KeyUnknown => "invalid_api_key",
            Error::KeyExpired => "key_expired",
            Error::AddressNotAllowed { .. } => "address_not_allowed",
            Error::LastOwner => "conflict",
            Error::NotFound { .. } => "not_found",
            Error::Sealed | Error::NoRandomness { .. } | Error::Hashing { .. } => "internal",
            Error::Store(error) => error.code(),
        }
    }
}
