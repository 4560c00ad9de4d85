//! GGUF heads: whole ones read, broken and hostile ones refused with a sentence, none a panic.

use std::{io::Write, path::PathBuf};

use engine::gguf::{Fault, Head, Value, parse, read};
use proptest::prelude::*;

/// Writes heads; what it is told, sensible or not.
#[derive(Default)]
struct Writer {
    keys: Vec<u8>,
    key_count: u64,
    tensors: Vec<u8>,
    tensor_count: u64,
    data: usize,
}

fn text(into: &mut Vec<u8>, text: &str) {
    into.extend((text.len() as u64).to_le_bytes());
    into.extend(text.as_bytes());
}

impl Writer {
    fn model() -> Self {
        let mut writer = Writer::default();
        writer.text("general.architecture", "llama");
        for (key, value) in
            [("context_length", 128), ("embedding_length", 32), ("block_count", 1), ("attention.head_count", 4)]
        {
            writer.u32(&format!("llama.{key}"), value);
        }
        writer.texts("tokenizer.ggml.tokens", &["<s>", "a", "b"]);
        writer.text("tokenizer.ggml.model", "llama");
        writer.tensor("token_embd.weight", &[32, 3], 0, 0);
        writer.data = 32 * 3 * 4;
        writer
    }

    fn key(&mut self, key: &str, kind: u32) {
        text(&mut self.keys, key);
        self.keys.extend(kind.to_le_bytes());
        self.key_count += 1;
    }

    fn u32(&mut self, key: &str, value: u32) {
        self.key(key, 4);
        self.keys.extend(value.to_le_bytes());
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key, 8);
        text(&mut self.keys, value);
    }

    fn texts(&mut self, key: &str, values: &[&str]) {
        self.key(key, 9);
        self.keys.extend(8_u32.to_le_bytes());
        self.keys.extend((values.len() as u64).to_le_bytes());
        values.iter().for_each(|value| text(&mut self.keys, value));
    }

    fn tensor(&mut self, name: &str, shape: &[u64], kind: u32, offset: u64) {
        text(&mut self.tensors, name);
        self.tensors.extend(u32::try_from(shape.len()).expect("few").to_le_bytes());
        shape.iter().for_each(|side| self.tensors.extend(side.to_le_bytes()));
        self.tensors.extend(kind.to_le_bytes());
        self.tensors.extend(offset.to_le_bytes());
        self.tensor_count += 1;
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(3_u32.to_le_bytes());
        bytes.extend(self.tensor_count.to_le_bytes());
        bytes.extend(self.key_count.to_le_bytes());
        bytes.extend(&self.keys);
        bytes.extend(&self.tensors);
        bytes.resize(bytes.len().next_multiple_of(32) + self.data, 0);
        bytes
    }
}

fn parsed(bytes: &[u8]) -> Result<Head, Fault> {
    parse(bytes, bytes.len() as u64)
}

/// The sentence about a file of these bytes.
fn sentence(bytes: &[u8]) -> String {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(bytes).expect("written");
    let error = read(file.path()).expect_err("refused").to_string();
    error.replace(&file.path().display().to_string(), "M")
}

#[test]
fn a_head_is_read_whole() {
    let bytes = Writer::model().bytes();
    let head = parsed(&bytes).expect("read");
    assert_eq!(head.architecture(), "llama");
    assert_eq!(head.of_architecture("context_length"), Some(128));
    assert_eq!(head.metadata["tokenizer.ggml.tokens"], Value::Array { len: 3, integers: vec![] });
    assert_eq!(
        (head.tensors[0].name.as_str(), head.tensors[0].bytes, head.weight_bytes()),
        ("token_embd.weight", 384, 384)
    );
    assert_eq!(head.data_offset + 384, bytes.len() as u64);
}

#[test]
fn broken_files_are_refused_with_their_reason() {
    let with = |change: fn(&mut Writer)| {
        let mut writer = Writer::model();
        change(&mut writer);
        writer.bytes()
    };
    let whole = Writer::model().bytes();
    let patched = |at: usize, bytes: &[u8]| {
        let mut patched = whole.clone();
        patched[at..at + bytes.len()].copy_from_slice(bytes);
        patched
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "is shorter than 4 bytes"),
        (b"PK\x03\x04 not a model".to_vec(), "the model M is not a GGUF model (it does not begin with GGUF)"),
        (patched(4, &9_u32.to_le_bytes()), "is GGUF version 9; versions 2 and 3 are read"),
        (
            patched(8, &u64::MAX.to_le_bytes()),
            "is cut short or broken: it says that it holds 18446744073709551615 tensors, more than fit in its",
        ),
        (patched(16, &(1_u64 << 40).to_le_bytes()), "it says that it holds 1099511627776 metadata keys"),
        (patched(24, &u64::MAX.to_le_bytes()), "bytes of text, more than fit"),
        (whole[..100].to_vec(), "is cut short"),
        (whole[..whole.len() - 1].to_vec(), "is cut short: the tensor token_embd.weight lies past the end of its"),
        (with(|writer| writer.u32("llama.block_count", 2)), "has the metadata key llama.block_count twice"),
        (with(|writer| writer.key("x", 77)), "has the metadata key x of the unknown type 77"),
        (with(|writer| writer.u32("general.alignment", 24)), "has the alignment 24; a power of two is needed"),
        (with(|writer| writer.u32("llama.attention.head_count_kv", 3)), "has 3 key-value heads for 4 attention heads"),
        (with(|writer| writer.u32("llama.attention.head_count_kv", 0)), "has 0 key-value heads"),
        (
            with(|writer| writer.u32("llama.rope.dimension_count", 64)),
            "rope.dimension_count that does not fit heads of 8",
        ),
        (with(|writer| writer.u32("llama.feed_forward_length", u32::MAX)), "senseless value 4294967295"),
        (with(|writer| writer.u32("tokenizer.ggml.bos_token_id", 3)), "bos_token_id 3 outside its 3 tokens"),
        (
            with(|writer| writer.texts("tokenizer.ggml.scores", &["1"])),
            "tokenizer.ggml.scores that does not match its 3 tokens",
        ),
        (with(|writer| writer.tensor("t", &[32], 99, 0)), "has the tensor t of the unknown type 99"),
        (with(|writer| writer.tensor("t", &[33], 2, 0)), "has the tensor t of the impossible shape [33]"),
        (with(|writer| writer.tensor("t", &[1 << 40, 1 << 40], 0, 0)), "impossible shape"),
        (with(|writer| writer.tensor("t", &[0], 0, 0)), "impossible shape [0]"),
        (with(|writer| writer.tensor("t", &[1; 5], 0, 0)), "has the tensor t with 5 dimensions"),
        (with(|writer| writer.tensor("t", &[1], 0, 7)), "at the unaligned offset 7"),
        (with(|writer| writer.tensor("t", &[1], 0, 1 << 60)), "the tensor t lies past the end"),
        (with(|writer| writer.tensor("t", &[1], 0, u64::MAX - 31)), "the tensor t lies past the end"),
        (with(|writer| writer.tensor("token_embd.weight", &[1], 0, 0)), "has the tensor token_embd.weight twice"),
        (
            with(|writer| writer.u32("split.count", 3)),
            "is the first of 3 parts, but its name does not end in -00001-of-00003.gguf",
        ),
        (Writer::default().bytes(), "does not name its architecture"),
    ];
    for (bytes, expected) in cases {
        let told = sentence(&bytes);
        assert!(told.starts_with("the model M ") && told.contains(expected), "{expected:?} in {told:?}");
    }
    let error = read(&PathBuf::from("/nowhere.gguf")).expect_err("refused");
    assert_eq!(error.to_string(), "the model /nowhere.gguf cannot be read: No such file or directory (os error 2)");
    assert_eq!(read(&PathBuf::from("/")).expect_err("refused").to_string(), "the model / is not a file");
}

#[test]
fn every_cut_of_a_whole_file_is_refused() {
    let whole = Writer::model().bytes();
    for len in 0..whole.len() {
        assert!(parsed(&whole[..len]).is_err(), "cut at {len}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_it_panic_and_what_passes_lies_inside_the_file(
        changes in proptest::collection::vec((4_usize..500, any::<u8>()), 0..12),
        tail in proptest::collection::vec(any::<u8>(), 0..200),
        keep in 0_usize..700,
    ) {
        let mut bytes = Writer::model().bytes();
        bytes.truncate(keep);
        bytes.extend(tail);
        for (at, byte) in changes {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        if let Ok(head) = parsed(&bytes) {
            for tensor in &head.tensors {
                prop_assert!(head.data_offset + tensor.offset + tensor.bytes <= bytes.len() as u64);
            }
        }
    }
}
