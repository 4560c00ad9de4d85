//! What can be wrong with bytes that claim to be the OpenAI dialect.

/// Each variant says what the caller can do next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not JSON, or not an object: tell the client where it breaks off.
    #[error("the body is not a JSON object: {0}")]
    NotJson(String),
    /// One field is wrong: tell the client which (`param` of an OpenAI error).
    #[error("{field}: {message}")]
    Invalid {
        /// The field as the client wrote it.
        field: String,
        /// What it should be.
        message: String,
    },
    /// An event grew past the limit before it ended: give up this stream.
    #[error("an event is longer than {limit} bytes")]
    FrameTooLong {
        /// Bytes.
        limit: usize,
    },
}

impl Error {
    pub(crate) fn invalid(field: &str, message: impl Into<String>) -> Error {
        Error::Invalid { field: field.to_owned(), message: message.into() }
    }
}
