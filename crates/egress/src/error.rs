//! Why a request did not reach its host, or why no answer came.

use std::time::Duration;

/// Each variant says what the caller can do next. URLs are named without path or query: they may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A rule forbids it: an administrator may list the host.
    #[error("{url} may not be contacted: {reason}")]
    Forbidden {
        /// Scheme, host and port.
        url: String,
        /// Which rule.
        reason: String,
    },
    /// Not something that can be asked.
    #[error("{url:?} is not an address that can be asked: {reason}")]
    BadUrl {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection: no such name, nobody listens, no route, no trust in its certificate.
    #[error("nothing answers at {url}: {reason}")]
    Unreachable {
        /// Scheme, host and port.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// Name, connection and TLS together took too long.
    #[error("no connection to {url} within {after:?}")]
    ConnectTimeout {
        /// Scheme, host and port.
        url: String,
        /// How long was waited.
        after: Duration,
    },
    /// Connected, but it hung up before its answer began.
    #[error("{url} closed the connection before it answered: {reason}")]
    Cut {
        /// Scheme, host and port.
        url: String,
        /// What the system said.
        reason: String,
    },
    /// The client could not be built: the configuration names a file that does not serve.
    #[error("{file}: {reason}")]
    Certificates {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A rule that cannot be read.
    #[error("{rule:?} is not a rule: write a host, host:port, an address or a network such as 10.0.0.0/8")]
    BadRule {
        /// As written.
        rule: String,
    },
}
