//! LoRA adapters with a real model: what they compute is what the merged weights would, alone and among others, and files that are none.

use std::{fs, path::PathBuf};

use engine::gguf::{self, Head};
use serde_json::{Value, json};

use crate::{
    llama::models,
    worker::Worker,
    written::{Meta, write},
};

const QUESTION: &str = "Once upon a time, there was a little girl named Lily.";
const RANK: usize = 4;
const ALPHA: f32 = 8.0;

/// The model's bytes and its head.
struct Base {
    path: PathBuf,
    bytes: Vec<u8>,
    head: Head,
}

impl Base {
    fn open() -> Option<Self> {
        let path = models()?.join("stories260K.gguf");
        let bytes = fs::read(&path).expect("bytes");
        let head = gguf::parse(bytes.as_slice(), bytes.len() as u64).expect("a head");
        Some(Base { path, bytes, head })
    }
}

/// The change of one matrix: `a` has a row of `inner` numbers for each rank, `b` one of the rank's for each of `outer`.
struct Change {
    name: String,
    inner: usize,
    outer: usize,
    a: Vec<f32>,
    b: Vec<f32>,
}

fn size(number: u64) -> usize {
    usize::try_from(number).expect("small")
}

/// Random changes of the attention and the feed-forward of every layer.
fn changes(base: &Base, seed: u64, size_of_b: f32) -> Vec<Change> {
    let mut state = seed;
    let mut random = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f32::from(u16::try_from(state >> 48).expect("16 bits")) / 32_768.0 - 1.0
    };
    let is_changed =
        |name: &str| ["attn_q", "attn_v", "attn_output", "ffn_down"].iter().any(|kind| name.contains(kind));
    let changed = base.head.tensors.iter().filter(|tensor| is_changed(&tensor.name));
    changed
        .map(|tensor| {
            let (inner, outer) = (size(tensor.shape[0]), size(tensor.shape[1]));
            let a = (0..inner * RANK).map(|_| random()).collect();
            let b = (0..outer * RANK).map(|_| random() * size_of_b).collect();
            Change { name: tensor.name.clone(), inner, outer, a, b }
        })
        .collect()
}

fn meta<'a>(kind: &'a str, architecture: &'a str, adapter: &'a str) -> [(&'a str, Meta<'a>); 4] {
    [
        ("general.type", Meta::Text(kind)),
        ("general.architecture", Meta::Text(architecture)),
        ("adapter.type", Meta::Text(adapter)),
        ("adapter.lora.alpha", Meta::Number(ALPHA)),
    ]
}

/// Name, shape and numbers of each tensor of a file.
type Tensors<'a> = Vec<(String, Vec<u64>, &'a [f32])>;

fn tensors(changes: &[Change]) -> Tensors<'_> {
    let rank = RANK as u64;
    let both = |change: &Change| {
        let (a, b) = (format!("{}.lora_a", change.name), format!("{}.lora_b", change.name));
        [(a, vec![change.inner as u64, rank]), (b, vec![rank, change.outer as u64])]
    };
    let numbers = changes.iter().flat_map(|change| [change.a.as_slice(), change.b.as_slice()]);
    changes.iter().flat_map(both).zip(numbers).map(|((name, shape), numbers)| (name, shape, numbers)).collect()
}

/// The model's bytes with `scale * alpha / rank * B * A` added to its weights.
fn merged(base: &Base, changes: &[Change], scale: f32) -> Vec<u8> {
    let mut bytes = base.bytes.clone();
    for Change { name, inner, outer, a, b } in changes {
        let tensor = base.head.tensors.iter().find(|tensor| tensor.name == *name).expect("in the model");
        let begin = size(base.head.data_offset + tensor.offset);
        for (row, column) in (0..*outer).flat_map(|row| (0..*inner).map(move |column| (row, column))) {
            let product = (0..RANK).map(|rank| f64::from(b[row * RANK + rank]) * f64::from(a[rank * inner + column]));
            let added = f64::from(scale * ALPHA) / RANK as f64 * product.sum::<f64>();
            let at = begin + 4 * (row * inner + column);
            let number = f32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
            #[expect(clippy::cast_possible_truncation, reason = "the weights are F32")]
            let changed = (f64::from(number) + added) as f32;
            bytes[at..at + 4].copy_from_slice(&changed.to_le_bytes());
        }
    }
    bytes
}

/// A greedy answer: its text, and the log probabilities of its tokens and of the likeliest twenty in place of each.
fn answer(worker: &Worker, model: &str) -> (String, Vec<f64>) {
    let ask = json!({"prompt": QUESTION, "max_tokens": 120, "temperature": 0, "logprobs": 20, "model": model});
    let answer = worker.post("/v1/completions", &ask).json();
    let choice = &answer["choices"][0];
    let chosen = choice["logprobs"]["token_logprobs"].as_array().expect("a list").iter();
    let mut numbers: Vec<_> = chosen.map(|number| number.as_f64().expect("a number")).collect();
    for top in choice["logprobs"]["top_logprobs"].as_array().expect("a list") {
        let mut top: Vec<_> = top.as_object().expect("an object").values().filter_map(Value::as_f64).collect();
        top.sort_by(f64::total_cmp);
        numbers.extend(top.into_iter().rev().take(10));
    }
    (choice["text"].as_str().expect("text").to_owned(), numbers)
}

struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        Files { folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("a path").to_owned()
    }
}

#[test]
fn an_adapter_computes_what_the_merged_weights_would() {
    let Some(base) = Base::open() else { return };
    let files = Files::new();
    let model = base.path.to_str().expect("a path");
    let plain = Worker::start(&[model, "--name", "base"]).ready();
    let without = answer(&plain, "base");
    for (seed, size_of_b, scale) in [(1, 0.02, 1.0), (2, 0.02, 0.5), (3, 0.01, -1.5)] {
        let changes = changes(&base, seed, size_of_b);
        write(files.path("lora.gguf").as_ref(), &meta("adapter", "llama", "lora"), &tensors(&changes));
        fs::write(files.path("merged.gguf"), merged(&base, &changes, scale)).expect("written");
        let merged = Worker::start(&[&files.path("merged.gguf")]).ready();
        let body = json!({"name": "poet", "path": files.path("lora.gguf"), "scale": scale, "replace": true});
        let added = plain.post("/v1/adapters", &body);
        assert_eq!((added.status, &added.json()["rank"]), (200, &json!(RANK)), "{:?}", added.json());
        let (told, expected) = (answer(&plain, "poet"), answer(&merged, "merged"));
        assert_eq!(told.0, expected.0);
        assert_ne!(told.0, without.0, "it changes something");
        let furthest = told.1.iter().zip(&expected.1).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max);
        // The same sums in another order, and the F16 cache makes more of that with each token (docs/adr/0006); what the adapter changes
        // is a hundred times as much.
        let changed = without.1.iter().zip(&expected.1).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max);
        assert!(told.1.len() == expected.1.len() && furthest < 0.03, "log probabilities differ by {furthest}");
        assert!(changed > 1.0, "the adapter changes them by {changed} at most");
        assert_eq!(answer(&plain, "base"), without, "the base model is what it was");
    }
}

#[test]
fn with_two_adapters_and_none_at_once_each_is_answered_as_if_alone() {
    let Some(base) = Base::open() else { return };
    let files = Files::new();
    let mut arguments = vec![base.path.to_str().expect("a path").to_owned(), "--name".into(), "base".into()];
    for (seed, name) in [(1, "poet"), (2, "clerk")] {
        write(files.path(name).as_ref(), &meta("adapter", "llama", "lora"), &tensors(&changes(&base, seed, 0.02)));
        arguments.extend(["--lora".into(), format!("{name}={}", files.path(name))]);
    }
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let start = || Worker::start(&arguments).ready();
    let told = |worker: &Worker, model: &str, length: usize| {
        let prompt: String = QUESTION.chars().take(length).collect();
        let ask = json!({"prompt": prompt, "max_tokens": 80, "temperature": 0, "model": model});
        worker.post("/v1/completions", &ask).json()["choices"][0]["text"].as_str().expect("text").to_owned()
    };
    let asks: Vec<_> =
        ["base", "poet", "clerk"].into_iter().flat_map(|model| [20, 53].map(|length| (model, length))).collect();
    let alone: Vec<_> = asks.iter().map(|&(model, length)| told(&start(), model, length)).collect();
    assert!(alone[1] != alone[3] && alone[3] != alone[5] && alone[1] != alone[5], "{alone:?}");
    let worker = start();
    std::thread::scope(|scope| {
        let asked: Vec<_> = asks.iter().cycle().zip(alone.iter().cycle()).take(24).collect();
        let told = &told;
        let worker = &worker;
        let running: Vec<_> = asked
            .into_iter()
            .map(|(&(model, length), alone)| (alone, scope.spawn(move || told(worker, model, length))))
            .collect();
        for (alone, running) in running {
            assert_eq!(&running.join().expect("told"), alone);
        }
    });
}

#[test]
fn what_is_no_adapter_for_the_model_is_refused_with_a_sentence() {
    let Some(base) = Base::open() else { return };
    let files = Files::new();
    let worker = Worker::start(&[base.path.to_str().expect("a path"), "--name", "base"]).ready();
    let good = changes(&base, 1, 0.02);
    let path = files.path("lora.gguf");
    let with = |kind: &str, architecture: &str, adapter: &str, tensors: &[(String, Vec<u64>, &[f32])]| {
        write(path.as_ref(), &meta(kind, architecture, adapter), tensors);
        fs::read(&path).expect("bytes")
    };
    let whole = with("adapter", "llama", "lora", &tensors(&good));
    let changed = |change: &dyn Fn(&mut Tensors)| {
        let mut tensors = tensors(&good);
        change(&mut tensors);
        with("adapter", "llama", "lora", &tensors)
    };
    let first = &good[0];
    let cases: Vec<(Vec<u8>, String)> = vec![
        (Vec::new(), "is not a GGUF model (it is shorter than 4 bytes)".into()),
        (b"hello".to_vec(), "is not a GGUF model (it does not begin with GGUF)".into()),
        (whole[..whole.len() / 2].to_vec(), "is cut short: the tensor".into()),
        (base.bytes.clone(), "is no adapter: it has no general.type".into()),
        (with("model", "llama", "lora", &tensors(&good)), "is no adapter: its general.type is model".into()),
        (
            with("adapter", "qwen2", "lora", &tensors(&good)),
            "is for the architecture \"qwen2\", and this model is \"llama\"".into(),
        ),
        (with("adapter", "llama", "ia3", &tensors(&good)), "is an adapter of the kind ia3".into()),
        (with("adapter", "llama", "lora", &[]), "changes nothing: it holds no matrices".into()),
        (
            changed(&|tensors| {
                tensors[0].1 = vec![first.inner as u64, 2];
                tensors[0].2 = &tensors[0].2[..first.inner * 2];
            }),
            format!("has the rank 2 in {}.lora_a and 4 in its lora_b", first.name),
        ),
        (
            changed(&|tensors| tensors[0].1 = vec![RANK as u64, first.inner as u64]),
            format!("has the rank {} in", first.inner),
        ),
        (
            changed(&|tensors| {
                tensors[1].1 = vec![RANK as u64, first.outer as u64 - 1];
                tensors[1].2 = &tensors[1].2[..(first.outer - 1) * RANK];
            }),
            format!("has matrices of the shapes [{}, 4] and [4, {}] for {}", first.inner, first.outer - 1, first.name),
        ),
        (changed(&|tensors| _ = tensors.remove(1)), format!("has only one of the two matrices of {}", first.name)),
        (
            changed(&|tensors| {
                tensors[0].0 = "blk.99.attn_q.weight.lora_a".into();
                tensors[1].0 = "blk.99.attn_q.weight.lora_b".into();
            }),
            "changes blk.99.attn_q.weight, which this model does not have".into(),
        ),
        (changed(&|tensors| tensors[0].0 = "blk.0.attn_norm.weight".into()), "which is no matrix of a LoRA".into()),
    ];
    for (bytes, expected) in cases {
        fs::write(&path, bytes).expect("written");
        let reply = worker.post("/v1/adapters", &json!({"name": "poet", "path": path}));
        let said = reply.json()["error"].clone();
        let sentence = said["message"].as_str().unwrap_or_else(|| panic!("{expected:?} was taken"));
        assert_eq!((reply.status, said["code"].as_str()), (400, Some("adapter_refused")), "{sentence}");
        assert!(
            sentence.starts_with("the adapter poet ") && sentence.contains(&expected),
            "{expected:?} in {sentence:?}"
        );
    }
    fs::write(&path, whole).expect("written");
    assert_eq!(worker.post("/v1/adapters", &json!({"name": "poet", "path": path})).status, 200, "the worker lives");
}

/// The text of a greedy answer and of a drawn one, and what the draft had guessed of the first: right, and wrong.
fn speculated(arguments: &[&str]) -> ([String; 2], u64, u64) {
    let worker = Worker::start(arguments).ready();
    let answer = |temperature: f64| {
        let ask = json!({"prompt": QUESTION, "max_tokens": 150, "temperature": temperature, "seed": 7});
        worker.post("/v1/completions", &ask).json()
    };
    let (greedy, drawn) = (answer(0.0), answer(1.0));
    let text = |answer: &Value| answer["choices"][0]["text"].as_str().expect("text").to_owned();
    let details = &greedy["usage"]["completion_tokens_details"];
    let count = |key: &str| details[key].as_u64().unwrap_or(0);
    ([text(&greedy), text(&drawn)], count("accepted_prediction_tokens"), count("rejected_prediction_tokens"))
}

#[test]
fn a_draft_model_guesses_and_the_answer_is_the_same() {
    let Some(base) = Base::open() else { return };
    let files = Files::new();
    let model = base.path.to_str().expect("a path");
    let (expected, none, _) = speculated(&[model]);
    assert_eq!(none, 0);
    let (itself, right, wrong) = speculated(&[model, "--draft", model]);
    assert_eq!(itself, expected);
    assert!(right >= 20 && wrong * 20 <= right, "its own guesses: {right} right, {wrong} wrong");
    fs::write(files.path("noisy.gguf"), merged(&base, &changes(&base, 5, 0.01), 1.0)).expect("written");
    let (noisy, noisy_right, noisy_wrong) = speculated(&[model, "--draft", &files.path("noisy.gguf")]);
    assert_eq!(noisy, expected);
    assert!(noisy_right > 0 && noisy_wrong > 0, "a noisy copy's guesses: {noisy_right} right, {noisy_wrong} wrong");
    eprintln!(
        "accepted: itself {right} of {}, a noisy copy {noisy_right} of {}",
        right + wrong,
        noisy_right + noisy_wrong
    );
}

#[test]
fn a_draft_model_with_another_vocabulary_is_refused() {
    let Some(base) = Base::open() else { return };
    let files = Files::new();
    let mut bytes = base.bytes.clone();
    let word = "little".as_bytes();
    let at = bytes.windows(word.len()).position(|window| window == word).expect("in the vocabulary");
    bytes[at..at + word.len()].copy_from_slice(b"lottle");
    fs::write(files.path("other.gguf"), bytes).expect("written");
    let mut worker = Worker::start(&[base.path.to_str().expect("a path"), "--draft", &files.path("other.gguf")]);
    let (said, status) = worker.end();
    assert_eq!(status.code(), Some(3), "{said}");
    assert!(said.contains("has another vocabulary: its token") && said.contains("lottle"), "{said}");
}
