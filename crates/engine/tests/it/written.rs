//! The smallest writer of GGUF files for tests: version 3, F32 tensors.

use std::{fs, path::Path};

/// A value of the metadata.
pub(crate) enum Meta<'a> {
    Text(&'a str),
    Number(f32),
    Whole(u32),
    Flag(bool),
    Numbers(&'a [f32]),
}

impl Meta<'_> {
    fn write(&self, bytes: &mut Vec<u8>) {
        let kind = match self {
            Meta::Whole(_) => 4_u32,
            Meta::Number(_) => 6,
            Meta::Flag(_) => 7,
            Meta::Text(_) => 8,
            Meta::Numbers(_) => 9,
        };
        bytes.extend(kind.to_le_bytes());
        match self {
            Meta::Whole(value) => bytes.extend(value.to_le_bytes()),
            Meta::Number(value) => bytes.extend(value.to_le_bytes()),
            Meta::Flag(value) => bytes.push(u8::from(*value)),
            Meta::Text(value) => text(bytes, value),
            Meta::Numbers(values) => {
                bytes.extend(6_u32.to_le_bytes());
                bytes.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
            }
        }
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// Writes a file of this metadata and these tensors: name, shape, numbers.
pub(crate) fn write(path: &Path, meta: &[(&str, Meta<'_>)], tensors: &[(String, Vec<u64>, &[f32])]) {
    let mut bytes = b"GGUF\x03\0\0\0".to_vec();
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((meta.len() as u64).to_le_bytes());
    for (key, value) in meta {
        text(&mut bytes, key);
        value.write(&mut bytes);
    }
    let mut data = Vec::new();
    for (name, shape, numbers) in tensors {
        text(&mut bytes, name);
        bytes.extend(u32::try_from(shape.len()).expect("few").to_le_bytes());
        shape.iter().for_each(|side| bytes.extend(side.to_le_bytes()));
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend((data.len() as u64).to_le_bytes());
        numbers.iter().for_each(|number| data.extend(number.to_le_bytes()));
        data.resize(data.len().next_multiple_of(32), 0);
    }
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes.extend(data);
    fs::write(path, bytes).expect("written");
}
