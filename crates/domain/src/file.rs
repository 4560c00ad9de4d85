//! Files that people attach to a question: what is kept of one with the question, and what was read in it.

use serde::{Deserialize, Serialize};

use crate::UploadId;

/// A file as the question that it came with keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRef {
    /// Which upload of the person's.
    pub id: UploadId,
    /// As the person named it; never a path here.
    pub name: String,
    /// What its first bytes said it is.
    pub media_type: String,
    /// Its size.
    pub bytes: u64,
}

impl FileRef {
    /// Whether it is a picture that a model may be shown.
    pub fn is_picture(&self) -> bool {
        matches!(self.media_type.as_str(), "image/png" | "image/jpeg" | "image/gif" | "image/webp")
    }
}

/// What a page of a file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passage {
    /// Page, slide or sheet, from 1; absent where the format has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Its blocks in reading order, an empty line between them.
    pub text: String,
}

/// The end of a file that did not fit the context of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// The file's name.
    pub name: String,
    /// About how many tokens.
    pub tokens: u32,
    /// The page from which on nothing was read, where the file has pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
}

/// Why a file says nothing to the model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unread {
    /// A word of the error table: `file_encrypted`, `file_damaged` ...
    pub code: &'static str,
    /// A sentence that says what to do.
    pub reason: String,
}
