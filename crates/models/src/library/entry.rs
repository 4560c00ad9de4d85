//! The words of the library: a file's facts, a model that is here, an order and how far it is. Nothing is done here.

use std::io;
use std::path::{Path, PathBuf};

use http::Uri;
use serde::{Deserialize, Serialize};

use super::{Offer, Source, parts};

/// What a model is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It answers in words.
    #[default]
    Chat,
    /// It makes vectors of texts.
    Embedding,
    /// It puts documents in order.
    Reranker,
}

/// What the head of a GGUF file tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// `llama`, `qwen2` ...
    pub architecture: String,
    /// What it is for.
    #[serde(default)]
    pub kind: Kind,
    /// What it calls itself.
    pub title: Option<String>,
    /// The licence it names.
    pub licence: Option<String>,
    /// `Q4_K_M` ...
    pub quant: Option<String>,
    /// How many weights.
    pub parameters: u64,
    /// Tokens it was made for.
    pub context: u32,
    /// Bytes of all its weights.
    pub weight_bytes: u64,
    /// Bytes of KV cache for one token, in 16 bit.
    pub kv_bytes_per_token: u64,
    /// Whether it brings a chat template.
    pub chat_template: bool,
}

/// What is asked of the machine, and of whoever reads GGUF files.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// Reads and checks the head of a file; a sentence where it is no model that may be loaded.
    pub inspect: fn(&Path) -> Result<Facts, String>,
    /// Bytes of memory that can be had without swapping, where the system tells.
    pub free_memory: fn() -> Option<u64>,
    /// Bytes that are free on the disk of this folder.
    pub free_disk: fn(&Path) -> io::Result<u64>,
}

/// Where a model's file lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the folder of models.
    Folder,
    /// Elsewhere on this machine; it is used there.
    InPlace,
    /// Among the blobs of an Ollama; it is used there.
    Ollama,
}

/// One model that is here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// Its file, the first where it has several.
    pub path: PathBuf,
    /// How many files it has; those after the first are found by its name.
    pub parts: u32,
    /// Where they lie.
    pub place: Place,
    /// Bytes of all of them.
    pub bytes: u64,
    /// SHA-256 when it was taken in; `None` where nobody has reckoned it.
    pub sha256: Option<String>,
    /// Where it was fetched from.
    pub source: Option<String>,
    /// Its licence, where the catalogue or its head tells.
    pub licence: Option<String>,
    /// What its head tells; `None` where that cannot be read.
    pub facts: Option<Facts>,
    /// Whether the portal runs it, and how.
    pub run: Option<Run>,
    /// What is wrong with it, in a sentence.
    pub problem: Option<String>,
}

/// How the portal runs a model of the library, now and after its next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Context in tokens; `None`: what the worker takes by itself.
    pub context: Option<u32>,
}

/// How a file is taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taking {
    /// By a second name for the same bytes where the disk allows, else by a copy.
    Link,
    /// By a copy.
    Copy,
    /// It stays where it is.
    InPlace,
}

/// What is to be fetched.
#[derive(Debug, Clone)]
pub struct Order {
    /// What it will be called.
    pub name: String,
    /// Its address, that of the first where it has several files.
    pub url: Uri,
    /// How many files it has.
    pub parts: u32,
    /// Who is asked.
    pub source: Source,
    /// The checksum it must have, where one is known; of one file alone.
    pub sha256: Option<String>,
    /// What the catalogue says of it, where it is from there.
    pub offer: Option<Offer>,
    /// Fetched even where it does not fit into this machine's memory.
    pub anyway: bool,
}

/// How far a download is.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The server is asked.
    Asking,
    /// It is coming.
    Fetching {
        /// Bytes that are there.
        have: u64,
        /// Bytes of the whole; of several files, of those that were asked for so far.
        total: u64,
    },
    /// It broke off, and is tried again in a moment.
    Waiting {
        /// What happened.
        reason: String,
    },
    /// It is compared with its checksum.
    Checking {
        /// Bytes that were read.
        done: u64,
        /// Bytes of the whole.
        total: u64,
    },
}

impl Entry {
    /// All its files.
    pub fn files(&self) -> Vec<PathBuf> {
        parts::beside(&self.path, self.parts)
    }
}

impl Step {
    /// The same, of a model of which so many bytes are here already in other files.
    pub(super) fn after(self, before: u64) -> Step {
        match self {
            Step::Fetching { have, total } => Step::Fetching { have: before + have, total: before + total },
            Step::Checking { done, total } => Step::Checking { done: before + done, total: before + total },
            step => step,
        }
    }
}

/// What [`Library::verify`](super::Library::verify) found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// SHA-256 of the file as it is now.
    pub sha256: String,
    /// Whether it is what was written down; `None` where nothing was until now.
    pub same: Option<bool>,
}
