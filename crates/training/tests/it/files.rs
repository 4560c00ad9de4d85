//! Models read from files and adapters written to them. `stories260K.gguf` is a real model; its greedy text
//! was written by another program.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use candle_core::{Device, Tensor, quantized::gguf_file};
use training::{
    Architecture, Batch, Example, Examples, Lora, Model, Rope, Run, Schedule, Settings, Shape, Target, Then,
    adapter_of_peft, loss_of,
};

use crate::small::{documents, noise, shapes, tensors};

/// The folder of the shared models; `None`, said aloud, where there is none.
fn models() -> Option<PathBuf> {
    let shared = env::var_os("PORTICO_SHARED").map_or_else(|| PathBuf::from("../../../shared"), PathBuf::from);
    let models = shared.join("models");
    if models.join("stories260K.gguf").is_file() {
        return Some(models);
    }
    assert!(env::var_os("CI").is_none(), "{} is absent", models.display());
    eprintln!("skipped: {} is absent (set PORTICO_SHARED)", models.display());
    None
}

/// The vocabulary of a GGUF file.
fn vocabulary(path: &Path) -> Vec<String> {
    let content = gguf_file::Content::read(&mut fs::File::open(path).unwrap()).unwrap();
    let tokens = content.metadata["tokenizer.ggml.tokens"].to_vec().unwrap();
    tokens.iter().map(|token| token.to_string().unwrap().clone()).collect()
}

/// The longest piece of the vocabulary again and again: not how the model's own tokenizer cuts, but its tokens.
fn cut(text: &str, vocabulary: &[String]) -> Vec<u32> {
    let text = format!("▁{}", text.replace(' ', "▁"));
    let (mut rest, mut tokens) = (text.as_str(), vec![1]);
    while !rest.is_empty() {
        let fits = vocabulary.iter().enumerate().filter(|(_, piece)| rest.starts_with(piece.as_str()));
        let (token, piece) = fits.max_by_key(|(_, piece)| piece.len()).unwrap();
        tokens.push(token as u32);
        rest = &rest[piece.len()..];
    }
    tokens
}

#[test]
fn a_model_that_was_read_tells_its_story_letter_for_letter() {
    let Some(models) = models() else { return };
    let path = models.join("stories260K.gguf");
    let (model, vocabulary) = (Model::of_gguf(&path).unwrap(), vocabulary(&path));
    let mut tokens = vec![1];
    for _ in 0..200 {
        let logits = model.logits(&tokens).unwrap().pop().unwrap();
        let best = logits.iter().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other)).unwrap().0;
        tokens.push(best as u32);
    }
    let mut text = Vec::new();
    for token in &tokens[1..] {
        let piece = &vocabulary[*token as usize];
        match piece.strip_prefix("<0x").and_then(|byte| byte.strip_suffix('>')) {
            Some(byte) => text.push(u8::from_str_radix(byte, 16).unwrap()),
            None => text.extend(piece.replace('▁', " ").bytes()),
        }
    }
    let expected = fs::read_to_string(models.join("stories260K.expected.txt")).unwrap();
    assert_eq!(String::from_utf8(text).unwrap().trim_start(), expected);
}

#[test]
fn an_adapter_of_a_real_model_learns_another_kind_of_text() {
    let Some(models) = models() else { return };
    let path = models.join("stories260K.gguf");
    let (mut model, vocabulary) = (Model::of_gguf(&path).unwrap(), vocabulary(&path));
    let things = ["printer", "screen", "phone", "mouse", "badge", "door", "laptop", "mail", "chair", "lamp"];
    let places = ["hall", "lab", "office", "garden room", "first floor", "kitchen"];
    let line = |thing: &str, place: &str| {
        Example::text(cut(
            &format!("Ticket. The {thing} in the {place} does not work. Answer. We will mend the {thing} today."),
            &vocabulary,
        ))
    };
    let of = |things: &[&str]| {
        let lines = things.iter().flat_map(|thing| places.iter().map(|place| line(thing, place))).collect();
        Examples::new(lines, model.shape().vocabulary, model.shape().context).unwrap()
    };
    let (examples, held_out) = (of(&things[..7]), of(&things[7..]));

    let before = loss_of(&model, &held_out, 1024).unwrap().mean();
    let fresh = model.logits(&[1, 5, 9]).unwrap();
    model.adapt(Lora { rank: 8, alpha: 16.0, dropout: 0.0, targets: Target::ALL.to_vec() }, 1).unwrap();
    assert_eq!(model.logits(&[1, 5, 9]).unwrap(), fresh, "a fresh adapter changes nothing");
    let settings = Settings {
        schedule: Schedule { peak: 5e-3, floor: 5e-4, warmup: 3, steps: 30 },
        batch_tokens: 512,
        accumulate: 1,
        clip: 1.0,
        decay: 0.0,
        seed: 3,
        held_out_every: 10,
        checkpoint_every: Duration::from_secs(3600),
    };
    let mut run = Run::new(&mut model, &examples, Some(&held_out), settings, None).unwrap();
    run.go(|_| Then::GoOn).unwrap();
    let after = run.last_held_out().unwrap();
    eprintln!("held-out loss: {before:.3} before, {after:.3} after");
    assert!(before > 2.0 && after < before / 3.0, "{before} {after}");
}

/// What PEFT computes from the files: `W + alpha / r * lora_B lora_A` on the modules that the names say, in Hugging Face's order of rows.
#[test]
fn an_adapter_in_the_layout_of_peft_means_the_same() {
    for (number, shape) in shapes().into_iter().enumerate() {
        let shape = Shape { rope_factors: None, ..shape };
        let folder = tempfile::tempdir().unwrap();
        let mut model = Model::of_tensors(shape.clone(), tensors(&shape, 21)).unwrap();
        let lora = Lora { rank: 2, alpha: 3.0, dropout: 0.0, targets: Target::ALL.to_vec() };
        model.adapt(lora, 5).unwrap();
        for (name, tensor) in model.adapter_tensors() {
            let numbers = noise(number as u64 + 70, tensor.elem_count());
            let value = Tensor::from_vec(numbers, tensor.dims(), &Device::Cpu).unwrap();
            model.set_adapter_tensor(&name, value).unwrap();
        }
        model.write_adapter_peft(folder.path(), "base").unwrap();

        merge_as_peft_does(&shape, folder.path());
        let merged = Model::of_folder(folder.path()).unwrap();
        let batch = Batch::of(&documents(shape.vocabulary, &[15, 8]));
        let (ours, theirs) = (model.loss(&batch).unwrap(), merged.loss(&batch).unwrap());
        assert!((ours.mean() - theirs.mean()).abs() < 1e-4, "{ours:?} {theirs:?}");
        let plain = Model::of_tensors(shape.clone(), tensors(&shape, 21)).unwrap().loss(&batch).unwrap();
        assert!((ours.mean() - plain.mean()).abs() > 0.1, "the adapter changes something");
    }
}

/// Reads the adapter of a folder, and writes the model with its changes there, in Hugging Face's layout.
fn merge_as_peft_does(shape: &Shape, folder: &Path) {
    let text = fs::read_to_string(folder.join("adapter_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((config["peft_type"].as_str(), config["task_type"].as_str()), (Some("LORA"), Some("CAUSAL_LM")));
    let scale = config["lora_alpha"].as_f64().unwrap() / config["r"].as_f64().unwrap();
    let mut changes = candle_core::safetensors::load(folder.join("adapter_model.safetensors"), &Device::Cpu).unwrap();

    let mut merged = HashMap::new();
    for (name, tensor) in tensors(shape, 21) {
        let (name, is_turned) = hugging_face(&name);
        let tensor = match shape.rope == Rope::Pairs && is_turned {
            true => halves(&tensor, shape.head_width),
            false => tensor,
        };
        let of = |which: &str| format!("base_model.model.{}.{which}.weight", name.trim_end_matches(".weight"));
        let tensor = match (changes.remove(&of("lora_A")), changes.remove(&of("lora_B"))) {
            (Some(a), Some(b)) => (tensor + (b.matmul(&a).unwrap() * scale).unwrap()).unwrap(),
            _ => tensor,
        };
        merged.insert(name, tensor);
    }
    assert!(changes.is_empty(), "changes of no matrix: {:?}", changes.keys());
    fs::remove_file(folder.join("adapter_model.safetensors")).unwrap();
    candle_core::safetensors::save(&merged, folder.join("model.safetensors")).unwrap();
    let config = serde_json::json!({
        "model_type": shape.architecture.name(), "vocab_size": shape.vocabulary, "hidden_size": shape.width,
        "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads, "num_key_value_heads": shape.key_heads,
        "head_dim": shape.head_width, "intermediate_size": shape.inner, "max_position_embeddings": shape.context,
        "rms_norm_eps": shape.epsilon, "rope_theta": shape.rope_base, "tie_word_embeddings": shape.tied,
    });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    assert_eq!(Architecture::named(shape.architecture.name()), Some(shape.architecture));
}

/// The name in Hugging Face's models, and whether its rows are turned by their position.
fn hugging_face(name: &str) -> (String, bool) {
    let table = [
        ("token_embd", "model.embed_tokens"),
        ("output_norm", "model.norm"),
        ("attn_q_norm", "self_attn.q_norm"),
        ("attn_k_norm", "self_attn.k_norm"),
        ("attn_norm", "input_layernorm"),
        ("ffn_norm", "post_attention_layernorm"),
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.o_proj"),
        ("ffn_gate", "mlp.gate_proj"),
        ("ffn_up", "mlp.up_proj"),
        ("ffn_down", "mlp.down_proj"),
        ("output", "lm_head"),
    ];
    let layer = name.strip_prefix("blk.").map(|rest| rest.split_once('.').unwrap());
    let (what, kind) = layer.map_or(name, |(_, rest)| rest).split_once('.').unwrap();
    let there = table.iter().find(|(here, _)| *here == what).unwrap().1;
    let full =
        layer.map_or_else(|| format!("{there}.{kind}"), |(layer, _)| format!("model.layers.{layer}.{there}.{kind}"));
    (full, matches!(what, "attn_q" | "attn_k"))
}

/// Rows in the order of Hugging Face: what `permute` of llama.cpp's converter does, the other way.
fn halves(matrix: &Tensor, head_width: usize) -> Tensor {
    let (rows, width) = matrix.dims2().unwrap();
    let by_head = matrix.reshape((rows / head_width, head_width / 2, 2, width)).unwrap();
    by_head.transpose(1, 2).unwrap().contiguous().unwrap().reshape((rows, width)).unwrap()
}

/// There and back: what PEFT's layout says is what the GGUF file says, also for a rank that is divided by its root.
#[test]
fn an_adapter_of_peft_becomes_the_gguf_that_the_trainer_writes() {
    for (number, shape) in shapes().into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut model = Model::of_tensors(shape.clone(), tensors(&shape, 31)).unwrap();
        let targets = vec![Target::Query, Target::Key, Target::Value, Target::Down];
        model.adapt(Lora { rank: 4, alpha: 6.0, dropout: 0.0, targets }, 5).unwrap();
        for (name, tensor) in model.adapter_tensors() {
            let numbers = noise(number as u64 + 70, tensor.elem_count());
            let value = Tensor::from_vec(numbers, tensor.dims(), &Device::Cpu).unwrap();
            model.set_adapter_tensor(&name, value).unwrap();
        }
        model.write_adapter_peft(folder.path(), "base").unwrap();
        model.write_adapter_gguf(&at("written.gguf")).unwrap();
        adapter_of_peft(&shape, folder.path(), &at("converted.gguf")).unwrap();
        assert_eq!(fs::read(at("written.gguf")).unwrap(), fs::read(at("converted.gguf")).unwrap());

        let config = fs::read_to_string(at("adapter_config.json")).unwrap();
        let refusal = |from: &str, to: &str| {
            assert!(config.contains(from), "{config}");
            fs::write(at("adapter_config.json"), config.replace(from, to)).unwrap();
            adapter_of_peft(&shape, folder.path(), &at("converted.gguf"))
        };
        refusal("\"use_rslora\": false", "\"use_rslora\": true").unwrap();
        let file = gguf_file::Content::read(&mut fs::File::open(at("converted.gguf")).unwrap()).unwrap();
        assert_eq!(file.metadata["adapter.lora.alpha"].to_f32().unwrap(), 12.0, "6 times the root of 4");
        let said = |from: &str, to: &str| refusal(from, to).unwrap_err().to_string();
        assert!(
            said("\"use_dora\": false", "\"use_dora\": true").ends_with("says use_dora, which is not computed here")
        );
        assert!(said("\"LORA\"", "\"IA3\"").contains("of the kind \"IA3\""));
        assert!(said("\"r\": 4", "\"r\": 2").contains(".lora_A.weight as [4, "), "another rank");
        fs::write(at("adapter_config.json"), &config).unwrap();
        let fewer = Shape { layers: 1, ..shape.clone() };
        let said = adapter_of_peft(&fewer, folder.path(), &at("converted.gguf")).unwrap_err().to_string();
        assert!(said.contains("layers.1.") && said.contains("changes no matrix of this model"), "{said}");
    }
}
