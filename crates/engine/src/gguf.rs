//! The head of a GGUF file, read by us before C++ sees the file: a broken or hostile one is refused here with a sentence, where
//! llama.cpp might abort. Only the head: no weight is read, and whether llama.cpp knows the architecture is its own word.
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use crate::{Cache, Error};

mod adapter;
mod check;
mod cursor;
mod identity;
mod projector;
mod tensor;

pub use adapter::{adapter_facts, adapter_identity, read_adapter};
use cursor::Cursor;
pub use identity::identity;
pub use projector::{projector_beside, read_projector};
pub use tensor::{Tensor, type_size};

/// Characters of a sentence about a file.
const LONGEST_SENTENCE: usize = 300;

/// What one metadata key holds. Long arrays (the vocabulary) are walked but not kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any integer or boolean; negative ones keep their bits' meaning.
    Integer(i128),
    /// A float of 32 bits.
    Float(f32),
    /// A float of 64 bits.
    Double(f64),
    /// A string; bytes that are no UTF-8 are replaced.
    Text(String),
    /// An array: its length and, where it is short and numeric, its members.
    Array {
        /// Number of members.
        len: u64,
        /// The members of a numeric array of at most 4096; else empty.
        integers: Vec<i128>,
    },
}

/// The head of one GGUF file: metadata and the table of tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// Metadata by key.
    pub metadata: BTreeMap<String, Value>,
    /// Tensors in file order.
    pub tensors: Vec<Tensor>,
    /// Where tensor data begins, in bytes from the start of the file.
    pub data_offset: u64,
}

/// What is wrong with the bytes, as the end of a sentence that begins with the file's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault(pub String);

/// Reads and checks the head of the model at `path`, and of its other parts when it is split over several files.
///
/// # Errors
/// [`Error::Unreadable`] when a file cannot be opened, [`Error::Broken`] when its bytes are no model that llama.cpp may be given.
pub fn read(path: &Path) -> Result<Vec<Head>, Error> {
    let first = read_one(path)?;
    check::hyperparameters(&first).map_err(|fault| broken(path, fault))?;

    let parts = first.integer("split.count").unwrap_or(1);
    let mut heads = vec![first];
    for part in 2..=parts {
        let path = part_path(path, part, parts).ok_or_else(|| {
            broken(
                path,
                Fault(format!("is the first of {parts} parts, but its name does not end in -00001-of-{parts:05}.gguf")),
            )
        })?;
        heads.push(read_one(&path)?);
    }
    Ok(heads)
}

fn read_one(path: &Path) -> Result<Head, Error> {
    let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    let facts = file.metadata().map_err(unreadable)?;
    if !facts.is_file() {
        return Err(broken(path, Fault("is not a file".into())));
    }
    parse(BufReader::with_capacity(1 << 16, file), facts.len()).map_err(|fault| broken(path, fault))
}

fn broken(path: &Path, Fault(reason): Fault) -> Error {
    Error::Broken { path: path.to_owned(), reason: in_one_line(&reason) }
}

/// A sentence may quote what a hostile file holds, but not all of it.
pub(crate) fn in_one_line(sentence: &str) -> String {
    let printable = |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
    let mut line: String = sentence.chars().take(LONGEST_SENTENCE).map(printable).collect();
    if line.len() < sentence.len() {
        line.push('…');
    }
    line
}

fn part_path(first: &Path, part: i128, parts: i128) -> Option<PathBuf> {
    let name = first.file_name()?.to_str()?;
    let stem = name.strip_suffix(&format!("-00001-of-{parts:05}.gguf"))?;
    Some(first.with_file_name(format!("{stem}-{part:05}-of-{parts:05}.gguf")))
}

/// Parses the head from `bytes`, the beginning of a file of `file_len` bytes.
///
/// # Errors
/// A [`Fault`] when the bytes break the format, or speak of data that the file does not hold.
pub fn parse(bytes: impl Read, file_len: u64) -> Result<Head, Fault> {
    let mut cursor = Cursor::new(bytes, file_len);
    if cursor.magic()? != *b"GGUF" {
        return Err(Fault("is not a GGUF model (it does not begin with GGUF)".into()));
    }
    match cursor.u32()? {
        2 | 3 => {}
        version => return Err(Fault(format!("is GGUF version {version}; versions 2 and 3 are read"))),
    }
    let tensor_count = cursor.count("tensors", 24)?;
    let key_count = cursor.count("metadata keys", 13)?;
    let metadata = read_metadata(&mut cursor, key_count)?;
    let alignment = check::alignment(&metadata)?;
    let tensors = tensor::read_table(&mut cursor, tensor_count, alignment)?;
    let data_offset = cursor.offset().next_multiple_of(alignment);
    tensor::check_bounds(&tensors, data_offset, file_len)?;
    Ok(Head { metadata, tensors, data_offset })
}

fn read_metadata(cursor: &mut Cursor<impl Read>, count: u64) -> Result<BTreeMap<String, Value>, Fault> {
    let mut metadata = BTreeMap::new();
    for _ in 0..count {
        let key = cursor.string("a metadata key", 1 << 16)?;
        if key.is_empty() {
            return Err(Fault("has a metadata key without a name".into()));
        }
        let kind = cursor.u32()?;
        let value = cursor.value(kind, &key)?;
        if metadata.insert(key.clone(), value).is_some() {
            return Err(Fault(format!("has the metadata key {key} twice")));
        }
    }
    Ok(metadata)
}

impl Head {
    /// The text under `key`.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.metadata.get(key)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The integer or boolean under `key`.
    pub fn integer(&self, key: &str) -> Option<i128> {
        match self.metadata.get(key)? {
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The largest integer under `key`: the value itself, or the maximum of a per-layer array.
    pub fn largest(&self, key: &str) -> Option<i128> {
        match self.metadata.get(key)? {
            Value::Integer(value) => Some(*value),
            Value::Array { integers, .. } => integers.iter().max().copied(),
            _ => None,
        }
    }

    /// The model's architecture, the prefix of its own keys.
    pub fn architecture(&self) -> &str {
        self.text("general.architecture").unwrap_or_default()
    }

    /// The integer under `ARCHITECTURE.key`, or the largest of its per-layer values.
    pub fn of_architecture(&self, key: &str) -> Option<u64> {
        self.largest(&format!("{}.{key}", self.architecture())).and_then(|value| u64::try_from(value).ok())
    }

    /// Bytes of KV cache that one token takes in all layers, at most (layers with a window or a state take less).
    pub fn cache_per_token(&self, cache: Cache) -> u64 {
        let of = |key| self.of_architecture(key);
        let heads = of("attention.head_count").unwrap_or(1).max(1);
        let per_head = of("embedding_length").unwrap_or(0) / heads;
        let key = of("attention.key_length").unwrap_or(per_head);
        let value = of("attention.value_length").unwrap_or(per_head);
        let layers = of("block_count").unwrap_or(0);
        let key_value_heads = of("attention.head_count_kv").unwrap_or(heads);
        layers.saturating_mul(key_value_heads).saturating_mul(key.saturating_add(value)).saturating_mul(cache.bytes())
    }

    /// Bytes of all tensors.
    pub fn weight_bytes(&self) -> u64 {
        self.tensors.iter().map(|tensor| tensor.bytes).sum()
    }
}
