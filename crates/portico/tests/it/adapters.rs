//! LoRA adapters and drafts in the configuration, as `check` and `doctor` see them before anything is loaded.

use std::path::Path;

use crate::library::{ok, portico};

/// A text or a number of a head.
pub(crate) enum Value<'a> {
    Text(&'a str),
    Number(u32),
    Texts(&'a [&'a str]),
}

/// A GGUF file with F32 tensors of zeros.
pub(crate) fn gguf(head: &[(&str, Value<'_>)], tensors: &[(&str, [u64; 2])]) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((head.len() as u64).to_le_bytes());
    let text = |text: &str, bytes: &mut Vec<u8>| {
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    for (key, value) in head {
        text(key, &mut bytes);
        match value {
            Value::Number(number) => [4, *number].iter().for_each(|word| bytes.extend(word.to_le_bytes())),
            Value::Text(value) => {
                bytes.extend(8_u32.to_le_bytes());
                text(value, &mut bytes);
            }
            Value::Texts(values) => {
                [9_u32, 8].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
                bytes.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| text(value, &mut bytes));
            }
        }
    }
    let mut offset = 0_u64;
    for (name, shape) in tensors {
        text(name, &mut bytes);
        bytes.extend(2_u32.to_le_bytes());
        shape.iter().for_each(|side| bytes.extend(side.to_le_bytes()));
        bytes.extend(0_u32.to_le_bytes());
        bytes.extend(offset.to_le_bytes());
        offset += (shape[0] * shape[1] * 4).next_multiple_of(32);
    }
    let end = bytes.len().next_multiple_of(32) + usize::try_from(offset).expect("small");
    bytes.resize(end, 0);
    bytes
}

/// A model of one layer whose attention has a matrix of 64 by 64.
pub(crate) fn base() -> Vec<u8> {
    let head = [
        ("general.architecture", Value::Text("llama")),
        ("llama.context_length", Value::Number(2048)),
        ("llama.embedding_length", Value::Number(64)),
        ("llama.block_count", Value::Number(1)),
        ("llama.attention.head_count", Value::Number(4)),
        ("llama.feed_forward_length", Value::Number(128)),
        ("tokenizer.ggml.tokens", Value::Texts(&["a", "b", "c"])),
    ];
    gguf(&head, &[("token_embd.weight", [64, 3]), ("output.weight", [64, 3]), ("blk.0.attn_q.weight", [64, 64])])
}

/// An adapter of rank 2 for a model of `architecture` with that matrix in its layer.
pub(crate) fn adapter(architecture: &str, inner: u64) -> Vec<u8> {
    let head = [
        ("general.type", Value::Text("adapter")),
        ("adapter.type", Value::Text("lora")),
        ("general.architecture", Value::Text(architecture)),
    ];
    gguf(&head, &[("blk.0.attn_q.weight.lora_a", [inner, 2]), ("blk.0.attn_q.weight.lora_b", [2, 64])])
}

#[test]
fn an_adapter_that_is_not_for_its_model_is_a_sentence_before_anything_is_loaded() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = dir.path();
    let write = |name: &str, bytes: &[u8]| std::fs::write(here.join(name), bytes).expect("written");
    write("tiny.gguf", &base());
    write("good.gguf", &adapter("llama", 64));
    write("qwen.gguf", &adapter("qwen2", 64));
    write("wide.gguf", &adapter("llama", 128));
    let configure = |rest: &str| write("portico.toml", format!("[[model]]\npath = \"tiny.gguf\"\n{rest}").as_bytes());
    configure("adapters = [\"good.gguf\"]\ndraft = \"tiny.gguf\"\n");
    assert_eq!(ok(here, &["check"]).0, "ok\n");
    assert!(doctor(here).1.contains("ok    adapters      1 adapters and 1 draft models, each for its model"));

    configure("adapters = [\"qwen.gguf\", \"wide.gguf\", \"tiny.gguf\"]\ndraft = \"absent\"\n");
    let (code, _, told) = portico(here, &["check"]);
    let expected = "portico: the draft of tiny is absent, and the library has no model of that name
the adapter qwen of tiny: qwen.gguf is for the architecture \"qwen2\", and this model is \"llama\"
the adapter wide of tiny: wide.gguf has matrices of the shapes [128, 2] and [2, 64] for blk.0.attn_q.weight, which is [64, 64] in this model
the adapter tiny of tiny: tiny.gguf is no adapter: it has no general.type
";
    assert_eq!((code, told.as_str()), (1, expected));
    let (code, told) = doctor(here);
    let line = told.lines().find(|line| line.contains("adapters")).unwrap_or_default();
    assert!(code == 1 && line.starts_with("fail  adapters      the draft of tiny is absent"), "{told}");
}

fn doctor(here: &Path) -> (i32, String) {
    let (code, told, _) = portico(here, &["doctor"]);
    (code, told)
}
