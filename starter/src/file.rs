//! The model as one GGUF file: weights, vocabulary, template and what it is called. It is for llama.cpp, and for the next leg of teaching.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};
use candle_core::{
    Tensor,
    quantized::{
        GgmlDType, QTensor,
        gguf_file::{self, Value},
    },
};
use training::{Example, Model};

use crate::{
    vocabulary::{CLOSE, CONTROLS, END, MARKS, OPEN, Vocabulary},
    writer::Conversation,
};

/// ChatML; calls and what came of them are written out as they are in the text that it learned from.
pub const TEMPLATE: &str = "{% for message in messages %}\
{% if message.role == 'tool' %}<|im_start|>user\n<tool_response>\n{{ message.content }}\n</tool_response><|im_end|>\n\
{% else %}<|im_start|>{{ message.role }}\n{{ message.content or '' }}\
{% for call in message.tool_calls or [] %}\
<tool_call>\n{\"name\": \"{{ call.function.name }}\", \"arguments\": {{ call.function.arguments | tojson }}}\n</tool_call>\
{% endfor %}<|im_end|>\n{% endif %}\
{% endfor %}\
{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
/// Numbers that one block of a quantised row holds.
const BLOCK: usize = 32;

/// How exact the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit numbers: what teaching goes on from.
    Whole,
    /// Eight bits for each number of a matrix: what is shipped.
    Q8,
}

/// Writes the file, whole or not at all.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, model: &Model, vocabulary: &Vocabulary, precision: Precision) -> Result<()> {
    let shape = model.shape();
    let text = |text: &str| Value::String(text.to_owned());
    let number = |number: usize| Value::U32(number as u32);
    let texts = |texts: Vec<String>| Value::Array(texts.into_iter().map(Value::String).collect());
    let kinds = (0..vocabulary.len()).map(|token| match token {
        // llama.cpp's kinds: 3 is a control token, 4 stands for itself in a text, 1 is any other.
        _ if token < CONTROLS => 3,
        _ if token < MARKS.len() => 4,
        _ => 1,
    });
    let metadata = [
        ("general.architecture", text("llama")),
        ("general.type", text("model")),
        ("general.name", text("Portico starter")),
        (
            "general.description",
            text("A small starter model: it knows Portico, extracts from a passage and calls a calculator and a clock"),
        ),
        ("general.license", text("apache-2.0")),
        ("general.languages", texts(vec!["en".into(), "zh".into()])),
        ("general.file_type", number(if precision == Precision::Q8 { 7 } else { 0 })),
        ("llama.vocab_size", number(shape.vocabulary)),
        ("llama.context_length", number(shape.context)),
        ("llama.embedding_length", number(shape.width)),
        ("llama.block_count", number(shape.layers)),
        ("llama.feed_forward_length", number(shape.inner)),
        ("llama.attention.head_count", number(shape.heads)),
        ("llama.attention.head_count_kv", number(shape.key_heads)),
        ("llama.attention.key_length", number(shape.head_width)),
        ("llama.attention.value_length", number(shape.head_width)),
        ("llama.rope.dimension_count", number(shape.head_width)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(shape.epsilon as f32)),
        ("llama.rope.freq_base", Value::F32(shape.rope_base as f32)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("deepseek-coder")),
        ("tokenizer.ggml.tokens", texts(vocabulary.written())),
        ("tokenizer.ggml.token_type", Value::Array(kinds.map(Value::I32).collect())),
        ("tokenizer.ggml.merges", texts(vocabulary.written_merges())),
        ("tokenizer.ggml.bos_token_id", number(END as usize)),
        ("tokenizer.ggml.eos_token_id", number(CLOSE as usize)),
        ("tokenizer.ggml.padding_token_id", number(END as usize)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(false)),
        ("tokenizer.ggml.add_eos_token", Value::Bool(false)),
        ("tokenizer.chat_template", text(TEMPLATE)),
    ];
    let mut tensors = Vec::new();
    for (name, tensor) in model.tensors()? {
        let fits = tensor.rank() == 2 && tensor.dims()[1] % BLOCK == 0;
        let kind = if fits && precision == Precision::Q8 { GgmlDType::Q8_0 } else { GgmlDType::F32 };
        // A copy of its own: candle quantises a tensor's whole storage, also what lies before a part of it.
        let alone = Tensor::from_vec(tensor.flatten_all()?.to_vec1::<f32>()?, tensor.dims(), tensor.device())?;
        tensors.push((name, QTensor::quantize(&alone, kind)?));
    }
    let metadata: Vec<_> = metadata.iter().map(|(key, value)| (*key, value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let mut bytes = std::io::Cursor::new(Vec::new());
    gguf_file::write(&mut bytes, &metadata, &tensors)?;
    let beside = path.with_extension("new");
    fs::write(&beside, bytes.into_inner())?;
    Ok(fs::rename(beside, path)?)
}

/// The vocabulary of such a file.
///
/// # Errors
/// When it cannot be read or is another's.
pub fn vocabulary(path: &Path) -> Result<Vocabulary> {
    let mut file = fs::File::open(path).with_context(|| path.display().to_string())?;
    let head = gguf_file::Content::read(&mut file)?;
    let texts = |key: &str| -> Result<Vec<String>> {
        let values = head.metadata.get(key).with_context(|| key.to_owned())?.to_vec()?;
        values.iter().map(|value| Ok(value.to_string()?.clone())).collect()
    };
    let (tokens, merges) = (texts("tokenizer.ggml.tokens")?, texts("tokenizer.ggml.merges")?);
    Vocabulary::of_written(&tokens, &merges).with_context(|| format!("{}: the vocabulary is not ours", path.display()))
}

/// A conversation as tokens. Its answers are learned; `all` says that the rest is, too.
pub fn example(conversation: &Conversation, vocabulary: &Vocabulary, all: bool) -> Example {
    let mut example = Example { tokens: Vec::new(), learned: Vec::new() };
    let mut add = |tokens: &[u32], learned: bool| {
        example.tokens.extend_from_slice(tokens);
        example.learned.extend(tokens.iter().map(|_| learned || all));
    };
    let mut message = |role: &str, text: &str, learned: bool| {
        add(&[OPEN], false);
        add(&vocabulary.tokens(&format!("{role}\n")), false);
        add(&vocabulary.tokens(text), learned);
        add(&[CLOSE], learned);
        add(&vocabulary.tokens("\n"), false);
    };
    if let Some(system) = &conversation.system {
        message("system", system, false);
    }
    for (question, answer) in &conversation.turns {
        message("user", question, false);
        message("assistant", answer, true);
    }
    example
}
