//! Files that would make llama.cpp abort, read past its buffers or allocate without bound: a worker refuses each with a sentence, or serves it.

use std::{env, fs, ops::Range, path::Path};

use serde_json::{Value, json};

use crate::{
    llama::models,
    worker::{Worker, eventually},
};

/// Address space of a worker that reads a hostile file of a megabyte, in KiB: an honest one takes a third of it.
const ROOM: u32 = 3 << 20;

/// Runs a worker on `bytes`: what it said when it refused them, or `None` when it served a request.
fn outcome(bytes: &[u8]) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    fs::write(&path, bytes).expect("written");
    outcome_of(&path)
}

fn outcome_of(path: &Path) -> Option<String> {
    let mut worker = Worker::within(ROOM, &[path.to_str().expect("a path"), "--threads", "1"]);
    let mut ended = false;
    eventually("it is ready or has ended", || {
        ended = worker.has_ended();
        ended || worker.is_ready()
    });
    if !ended {
        let reply = worker.post("/v1/completions", &json!({"prompt": "Lily", "max_tokens": 4}));
        assert!(matches!(reply.status, 200 | 400), "{}", String::from_utf8_lossy(&reply.body));
        return None;
    }
    let (said, status) = worker.end();
    assert_eq!(status.code(), Some(3), "{status}: {said}");
    let said: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"));
    Some(said["failed"].as_str().expect("a sentence").to_owned())
}

fn story() -> Option<Vec<u8>> {
    Some(fs::read(models()?.join("stories260K.gguf")).expect("bytes"))
}

#[test]
fn broken_models_are_refused_with_a_sentence() {
    let Some(whole) = story() else { return };
    let renamed = |from: &str, to: &str| {
        let at = whole.windows(from.len()).position(|window| window == from.as_bytes()).expect("in the file");
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    let epsilon = |value: f32| {
        let key = b"llama.attention.layer_norm_rms_epsilon";
        let mut bytes = whole.clone();
        // Behind the key and the four bytes of its type.
        let at = whole.windows(key.len()).position(|window| window == key).expect("in the file") + key.len() + 4;
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (epsilon(f32::NAN), "has the senseless value NaN for llama.attention.layer_norm_rms_epsilon"),
        (epsilon(-1.0), "has the senseless value -1 for llama.attention.layer_norm_rms_epsilon"),
        (Vec::new(), "is not a GGUF model"),
        (b"hello, world".to_vec(), "is not a GGUF model"),
        (whole[..5000].to_vec(), "is cut short"),
        (whole[..whole.len() - 4096].to_vec(), "is cut short: the tensor"),
        (renamed("llama", "lhama"), "lacks lhama.embedding_length"),
        (
            renamed("blk.0.attn_q.weight", "blk.0.attn_x.weight"),
            "cannot be run: tensor 'blk.0.attn_q.weight' not found",
        ),
    ];
    for (bytes, expected) in cases {
        let said = outcome(&bytes).expect("refused");
        assert!(said.starts_with("the model ") && said.contains(expected), "{expected:?} in {said:?}");
    }
    assert_eq!(outcome(&whole), None);
}

#[test]
fn a_real_file_cut_anywhere_in_its_head_or_at_any_tensor_is_refused() {
    let Some(whole) = story() else { return };
    let head = engine::gguf::parse(&whole[..], whole.len() as u64).expect("a model");
    let data = usize::try_from(head.data_offset).expect("small");
    let tensors = head.tensors.iter().flat_map(|tensor| {
        let begin = head.data_offset + tensor.offset;
        [begin, begin + 1, begin + tensor.bytes - 1]
    });
    let cuts = (0..=data).chain(tensors.map(|at| usize::try_from(at).expect("small")));
    for len in cuts {
        let fault = engine::gguf::parse(&whole[..len], len as u64).expect_err("refused").0;
        assert!(fault.contains("cut short") || len < 4, "cut at {len}: {fault}");
    }
}

/// Where the numbers of a head lie: counts, lengths, types, values, sides and offsets.
struct Numbers<'a> {
    bytes: &'a [u8],
    at: usize,
    found: Vec<Range<usize>>,
}

impl Numbers<'_> {
    fn of(bytes: &[u8]) -> Vec<Range<usize>> {
        let mut numbers = Numbers { bytes, at: 4, found: Vec::new() };
        numbers.number(4);
        let (tensors, keys) = (numbers.number(8), numbers.number(8));
        for _ in 0..keys {
            numbers.text();
            let kind = numbers.number(4);
            numbers.value(kind);
        }
        for _ in 0..tensors {
            numbers.text();
            let sides = numbers.number(4);
            (0..sides).for_each(|_| _ = numbers.number(8));
            numbers.number(4);
            numbers.number(8);
        }
        numbers.found
    }

    fn number(&mut self, width: usize) -> u64 {
        let place = self.at..self.at + width;
        self.at += width;
        self.found.push(place.clone());
        self.bytes[place].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    fn text(&mut self) {
        let len = self.number(8);
        self.at += usize::try_from(len).expect("small");
    }

    fn value(&mut self, kind: u64) {
        match kind {
            0 | 1 | 7 => _ = self.number(1),
            2 | 3 => _ = self.number(2),
            4..=6 => _ = self.number(4),
            8 => self.text(),
            9 => {
                let (kind, len) = (self.number(4), self.number(8));
                (0..len).for_each(|_| self.value(kind));
            }
            _ => _ = self.number(8),
        }
    }
}

/// The rounds of a fuzzed head; `make prove TOPIC=engine` asks for thousands.
fn rounds() -> usize {
    env::var("HOSTILE_FILES").map_or(60, |rounds| rounds.parse().expect("a number"))
}

/// A generator with a seed, so that what is found can be found again.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("small") % most
    }
}

/// Runs `rounds` files, each `changed` by its own generator, some at once.
fn fuzz(name: &str, change: impl Fn(&mut Vec<u8>, &mut Random) + Sync) {
    let Some(whole) = story() else { return };
    let rounds = rounds();
    let refused: usize = std::thread::scope(|scope| {
        let run = |first: usize| {
            let (whole, change) = (&whole, &change);
            move || {
                let refused = (first..rounds).step_by(2).filter(|&round| {
                    let mut bytes = whole.clone();
                    change(&mut bytes, &mut Random(0x5EED + round as u64 * 7919));
                    let said = std::panic::catch_unwind(|| outcome(&bytes));
                    let said = said.unwrap_or_else(|_| panic!("{name}: round {round}"));
                    assert!(said.as_ref().is_none_or(|said| said.len() < 2000), "round {round}: {said:?}");
                    said.is_some()
                });
                refused.count()
            }
        };
        let running = [scope.spawn(run(0)), scope.spawn(run(1))];
        running.into_iter().map(|run| run.join().expect("each round ended well")).sum()
    });
    eprintln!("{name}: {rounds} of {rounds} files ended well, {refused} of them refused");
    assert!(refused > rounds / 6, "only {refused} of {rounds} were refused: the changes miss");
}

#[test]
fn flipped_bytes_in_the_head_never_end_it_by_a_signal() {
    fuzz("flipped bytes", |bytes, random| {
        for _ in 0..1 + random.below(4) {
            // The keys of the architecture and the table of tensors; the vocabulary between them every third time.
            let at = match random.below(3) {
                0 => 4 + random.below(610),
                1 => 9400 + random.below(1960),
                _ => 4 + random.below(11_359),
            };
            bytes[at] = u8::try_from(random.below(256)).expect("a byte");
        }
    });
}

#[test]
fn numbers_of_the_head_made_huge_small_or_odd_never_end_it_by_a_signal() {
    fuzz("changed numbers", |bytes, random| {
        let all = Numbers::of(bytes);
        // Most numbers are lengths and scores of the vocabulary; the others are the ones that sizes are made of.
        let few: Vec<_> = all.iter().filter(|place| place.start < 614 || place.start > 9400).cloned().collect();
        for _ in 0..1 + random.below(2) {
            let among = if random.below(5) == 0 { &all } else { &few };
            let place = among[random.below(among.len())].clone();
            let old = bytes[place.clone()].iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
            let new = match random.below(8) {
                0 => 0,
                1 => u64::MAX,
                2 => 1 << (8 * place.len() - 1),
                3 => 1 << random.below(64),
                4 => old.wrapping_add(1),
                5 => old.wrapping_sub(1),
                6 => old.wrapping_mul(2),
                _ => old / 2,
            };
            let width = place.len();
            bytes[place].copy_from_slice(&new.to_le_bytes()[..width]);
        }
    });
}
