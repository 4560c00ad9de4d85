//! Metadata that llama.cpp divides by, allocates by or asserts on: checked for sense before it is handed over.

use std::collections::BTreeMap;

use super::{Fault, Head, Value};

const DEFAULT_ALIGNMENT: u64 = 32;

/// The alignment of tensor data: a power of two.
pub(super) fn alignment(metadata: &BTreeMap<String, Value>) -> Result<u64, Fault> {
    let value = match metadata.get("general.alignment") {
        None => return Ok(DEFAULT_ALIGNMENT),
        Some(Value::Integer(value)) => *value,
        Some(_) => return Err(Fault("has a general.alignment that is no number".into())),
    };
    match u64::try_from(value) {
        Ok(alignment) if alignment.is_power_of_two() && alignment <= 1 << 20 => Ok(alignment),
        _ => Err(Fault(format!("has the alignment {value}; a power of two is needed"))),
    }
}

/// Largest sensible value of each number of the architecture; those that are there must lie between 1 and it.
const BOUNDS: [(&str, i128); 9] = [
    ("context_length", 1 << 30),
    ("embedding_length", 1 << 20),
    ("block_count", 512),
    ("feed_forward_length", 1 << 24),
    ("attention.head_count", 4096),
    ("attention.key_length", 1 << 16),
    ("attention.value_length", 1 << 16),
    ("rope.dimension_count", 1 << 16),
    ("vocab_size", 1 << 24),
];

/// Refuses hyperparameters that are missing or senseless.
pub(super) fn hyperparameters(head: &Head) -> Result<(), Fault> {
    let architecture = head.architecture();
    if architecture.is_empty() {
        return Err(Fault("does not name its architecture (general.architecture)".into()));
    }
    for (key, most) in BOUNDS {
        in_bounds(head, &format!("{architecture}.{key}"), most)?;
    }
    let required = |key: &str| head.of_architecture(key).ok_or_else(|| Fault(format!("lacks {architecture}.{key}")));
    let width = required("embedding_length")?;
    required("block_count")?;
    required("context_length")?;
    heads(head, architecture, width)?;
    fractions(head, architecture)?;
    vocabulary(head)?;
    match head.integer("split.count") {
        Some(parts) if !(1..=1000).contains(&parts) => Err(Fault(format!("is split into {parts} parts"))),
        _ => Ok(()),
    }
}

fn in_bounds(head: &Head, key: &str, most: i128) -> Result<(), Fault> {
    let refuse = |value: &dyn std::fmt::Display| Err(Fault(format!("has the senseless value {value} for {key}")));
    match head.metadata.get(key) {
        None => Ok(()),
        Some(Value::Integer(value)) if !(1..=most).contains(value) => refuse(value),
        // A layer without attention or feed-forward has a zero in the per-layer list.
        Some(Value::Array { integers, .. }) => match integers.iter().find(|value| !(0..=most).contains(*value)) {
            Some(value) => refuse(value),
            None => Ok(()),
        },
        Some(Value::Float(value)) => refuse(value),
        Some(Value::Double(value)) => refuse(value),
        Some(Value::Text(value)) => refuse(value),
        Some(Value::Integer(_)) => Ok(()),
    }
}

fn heads(head: &Head, architecture: &str, width: u64) -> Result<(), Fault> {
    let Some(heads) = head.of_architecture("attention.head_count") else {
        return Ok(());
    };
    if heads == 0 || heads > width {
        return Err(Fault(format!("has {heads} attention heads for an embedding of {width}")));
    }
    let per_head = head.of_architecture("attention.key_length").unwrap_or(width / heads);
    if head
        .of_architecture("rope.dimension_count")
        .is_some_and(|dimensions| dimensions > per_head || dimensions % 2 == 1)
    {
        return Err(Fault(format!("has a {architecture}.rope.dimension_count that does not fit heads of {per_head}")));
    }
    let key_values = head.metadata.get(&format!("{architecture}.attention.head_count_kv"));
    match key_values {
        Some(Value::Integer(value)) if *value < 1 || i128::from(heads) % value != 0 => {
            Err(Fault(format!("has {value} key-value heads for {heads} attention heads")))
        }
        Some(Value::Float(_) | Value::Double(_) | Value::Text(_)) => {
            Err(Fault("has key-value heads that are no number".into()))
        }
        _ => Ok(()),
    }
}

/// What is scaled or divided by: a number, and what is added before a root is taken not below zero.
fn fractions(head: &Head, architecture: &str) -> Result<(), Fault> {
    let own =
        head.metadata.iter().filter(|(key, _)| key.strip_prefix(architecture).is_some_and(|key| key.starts_with('.')));
    for (key, value) in own {
        let value = match value {
            Value::Float(value) => f64::from(*value),
            Value::Double(value) => *value,
            Value::Integer(_) | Value::Text(_) | Value::Array { .. } => continue,
        };
        if !value.is_finite() || (key.ends_with("epsilon") && value < 0.0) {
            return Err(Fault(format!("has the senseless value {value} for {key}")));
        }
    }
    Ok(())
}

fn vocabulary(head: &Head) -> Result<(), Fault> {
    let Some(Value::Array { len: tokens, .. }) = head.metadata.get("tokenizer.ggml.tokens") else {
        return match head.text("tokenizer.ggml.model") {
            Some("no_vocab" | "none") | None => Err(Fault("holds no vocabulary".into())),
            Some(_) => Err(Fault("lacks its list of tokens".into())),
        };
    };
    if *tokens == 0 || *tokens > 1 << 24 {
        return Err(Fault(format!("has a vocabulary of {tokens} tokens")));
    }
    for list in ["scores", "token_type"] {
        match head.metadata.get(&format!("tokenizer.ggml.{list}")) {
            None => {}
            Some(Value::Array { len, .. }) if len == tokens => {}
            Some(_) => {
                return Err(Fault(format!("has a tokenizer.ggml.{list} that does not match its {tokens} tokens")));
            }
        }
    }
    for name in ["bos", "eos", "eot", "unknown", "padding"] {
        let key = format!("tokenizer.ggml.{name}_token_id");
        let Some(id) = head.integer(&key) else { continue };
        // 0xFFFFFFFF and -1 are written for "none".
        if id != -1 && id != i128::from(u32::MAX) && !(0..i128::from(*tokens)).contains(&id) {
            return Err(Fault(format!("has the {key} {id} outside its {tokens} tokens")));
        }
    }
    Ok(())
}
