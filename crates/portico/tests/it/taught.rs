//! `portico train` with a real model and real texts: what it learns, that the engine computes what the trainer does, that a stopped run ends as one
//! that was not, and what it refuses. The model is `stories260K`; the texts are statutes from LawBench and our own book.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use engine::backend::{Adapter, Backend, Input, Slot};
use engine::{Cache, Loaded, Options, Progress};
use serde_json::{Value, json};
use training::Model;

use crate::adapters::gguf;
use crate::library::ok;

/// A folder of what is not ours to copy; `None`, said aloud, where there is none.
fn shared(path: &str) -> Option<PathBuf> {
    let shared = std::env::var_os("PORTICO_SHARED").map_or_else(|| PathBuf::from("../../../shared"), PathBuf::from);
    let found = shared.join(path);
    if let Ok(found) = found.canonicalize() {
        return Some(found);
    }
    assert!(std::env::var_os("CI").is_none(), "{} is absent", found.display());
    println!("skipped: {} is absent (set PORTICO_SHARED)", found.display());
    None
}

fn stories() -> Option<PathBuf> {
    shared("models/stories260K.gguf")
}

fn line(prompt: &str, completion: &str) -> String {
    json!({ "prompt": prompt, "completion": completion }).to_string() + "\n"
}

/// Questions for a statute with its text, to learn and held out.
fn statutes() -> Option<[String; 2]> {
    let text = std::fs::read_to_string(shared("data/lawbench/1-1.json")?).expect("text");
    let all: Vec<Value> = serde_json::from_str(&text).expect("JSON");
    let word = |one: &Value, name: &str| one[name].as_str().expect("text").to_owned();
    let lines: Vec<_> = all.iter().take(30).map(|one| line(&word(one, "question"), &word(one, "answer"))).collect();
    Some([lines[..24].concat(), lines[24..].concat()])
}

/// Each sentence of two pages of our own book with the one that follows it, to learn and, of every fifth paragraph, held out.
fn book() -> [String; 2] {
    let mut sides = [String::new(), String::new()];
    for page in ["operate", "configure"] {
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/en/{page}.md"));
        let text = std::fs::read_to_string(page).expect("text");
        let paragraphs = text.split("\n\n").filter(|part| part.starts_with(char::is_alphabetic));
        for (number, paragraph) in paragraphs.enumerate() {
            let paragraph = paragraph.replace('\n', " ");
            let sentences: Vec<_> = paragraph.split_inclusive(". ").map(str::trim).collect();
            let side = &mut sides[usize::from(number % 5 == 4)];
            side.extend(sentences.windows(2).map(|pair| line(pair[0], pair[1])));
        }
    }
    assert!(sides.iter().all(|side| side.lines().count() > 8), "{sides:?}");
    sides
}

/// A place with a data set, where a run leaves its adapter.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn with([learned, held_out]: &[String; 2]) -> Place {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("train.jsonl"), learned).expect("written");
        std::fs::write(folder.path().join("held_out.jsonl"), held_out).expect("written");
        Place { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start(&self, model: &Path, more: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PORTICO_")) {
            command.env_remove(name);
        }
        command.args(["train", "--json", "--threads", "1", "--model"]).arg(model).current_dir(self.folder.path());
        for (flag, value) in [("--data", "train.jsonl"), ("--held-out", "held_out.jsonl"), ("--out", "out")] {
            if !more.contains(&flag) {
                command.args([flag, value]);
            }
        }
        command.args(more);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary runs");
        let lines = BufReader::new(child.stdout.take().expect("piped"));
        Running { child, lines }
    }

    fn train(&self, model: &Path, more: &[&str]) -> Vec<Value> {
        let (told, code) = self.start(model, more).end();
        assert_eq!(code, Some(0), "{:?}", told.last());
        told
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path(name)).expect(name)).expect("JSON")
    }
}

struct Running {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Running {
    fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        (self.lines.read_line(&mut line).expect("a line") > 0).then(|| serde_json::from_str(&line).expect("JSON"))
    }

    /// The lines up to that of a step.
    fn until_step(&mut self, step: u64) {
        while self.line().expect("a step")["step"].as_u64() < Some(step) {}
    }

    fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw).expect("a process");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("told");
    }

    /// What else it says, and how it ends.
    fn end(mut self) -> (Vec<Value>, Option<i32>) {
        let told = std::iter::from_fn(|| self.line()).collect();
        (told, self.child.wait().expect("ended").code())
    }
}

const QUICK: &[&str] = &["--learning-rate", "0.005", "--epochs", "3", "--batch-tokens", "384", "--context", "128"];

fn quick<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [["--out", out].as_slice(), QUICK, more].concat()
}

/// Trains on both sets; the held-out losses before and after.
fn taught(model: &Path, set: &[String; 2]) -> (Place, f64, f64) {
    let place = Place::with(set);
    let told = place.train(model, &quick("out", &["--data-name", "a real set"]));
    let (last, card) = (told.last().expect("a line"), place.json("out/card.json"));
    assert_eq!((&last["state"], &last["step"]), (&json!("done"), &last["steps"]));
    let steps: Vec<_> = told.iter().filter_map(|line| line["step"].as_u64()).collect();
    assert_eq!(steps, (1..=last["steps"].as_u64().expect("a number")).collect::<Vec<_>>());
    let loss = |name: &str| card["losses"][name].as_f64().expect(name);
    assert_eq!(last["held_out"].as_f64(), Some(loss("held_out_after")));
    (place, loss("held_out_before"), loss("held_out_after"))
}

fn load(path: &Path, cache: Cache) -> Box<dyn Backend> {
    let options = Options {
        model: path.to_owned(),
        model_name: None,
        listen: "127.0.0.1:0".parse().expect("an address"),
        front: None,
        key: None,
        context: None,
        threads: Some(1),
        gpu_layers: engine::GpuLayers::Auto,
        step_target: None,
        guesses: true,
        draft: None,
        projector: None,
        adapters: Vec::new(),
        calibration: engine::confidence::Calibration::default(),
        prefixes: None,
        deterministic: None,
        cache,
        parent_watch: false,
    };
    match engine::load(&options, &Progress::default()).expect("loaded") {
        Loaded::Writer(backend) => backend,
        Loaded::Embedder(_) => panic!("it writes"),
    }
}

/// Logits after a token.
type Row = Vec<f32>;

/// The engine's logits after each token.
fn logits(backend: &mut dyn Backend, tokens: &[u32], adapter: Option<Adapter>) -> Vec<Row> {
    let input = |(position, token): (usize, &u32)| Input {
        slot: Slot(0),
        position: u32::try_from(position).expect("small"),
        token: i32::try_from(*token).expect("small"),
        wants_logits: true,
    };
    let batch: Vec<_> = tokens.iter().enumerate().map(input).collect();
    let mut rows = Vec::new();
    // As many rows at once as a context gives.
    for part in batch.chunks(16) {
        backend.decode(part, adapter, &mut |_, row| rows.push(row.to_vec())).expect("computed");
    }
    backend.truncate(Slot(0), 0);
    rows
}

fn all_logits(backend: &mut dyn Backend, texts: &[Vec<u32>], adapter: Option<Adapter>) -> Vec<Vec<Row>> {
    texts.iter().map(|tokens| logits(backend, tokens, adapter)).collect()
}

fn furthest(left: &[Row], right: &[Row]) -> f32 {
    assert_eq!((left.len(), left[0].len()), (right.len(), right[0].len()));
    let pairs = left.iter().flatten().zip(right.iter().flatten());
    pairs.map(|(left, right)| (left - right).abs()).fold(0.0, f32::max)
}

#[test]
fn a_real_set_is_learned_and_the_engine_computes_what_the_trainer_does() {
    let Some(model) = stories() else { return };
    let set = book();
    let (place, before, after) = taught(&model, &set);
    println!("held-out loss on the book: {before:.3} before, {after:.3} after");
    assert!(after < before - 0.6, "{before} {after}");
    let (card, lines) = (place.json("out/card.json"), set.each_ref().map(|side| side.lines().count()));
    assert_eq!((&card["data"]["name"], &card["adapter"]["rank"]), (&json!("a real set"), &json!(8)));
    for (side, lines) in ["data", "held_out"].into_iter().zip(lines) {
        let of = |name: &str| card[side][name].as_u64().expect("a number");
        let all = u64::try_from(lines).expect("few");
        // A question that fills the context leaves no room for its answer.
        assert!((of("examples")..=of("examples") + of("cut")).contains(&all), "{lines} {}", card[side]);
    }
    for (file, digest) in [("train.jsonl", &card["data"]["sha256"]), ("held_out.jsonl", &card["held_out"]["sha256"])] {
        let told = Command::new("sha256sum").arg(place.path(file)).output().expect("sha256sum").stdout;
        assert!(String::from_utf8_lossy(&told).starts_with(digest.as_str().expect("text")), "{file}");
    }
    let peft = place.json("out/adapter_config.json");
    assert_eq!((&peft["peft_type"], &peft["r"], &peft["lora_alpha"]), (&json!("LORA"), &json!(8), &json!(16.0)));
    assert!(place.path("out/adapter_model.safetensors").is_file());

    let adapter = place.path("out/adapter.gguf");
    let words = ["adapter", "convert", "out", "--out", "converted.gguf", "--model", model.to_str().expect("a path")];
    ok(place.folder.path(), &words);
    let bytes = |path: &Path| std::fs::read(path).expect("bytes");
    assert_eq!(
        bytes(&adapter),
        bytes(&place.path("converted.gguf")),
        "what PEFT would have left comes to the same file"
    );

    let mut ours = Model::of_gguf(&model).expect("read");
    let texts = held_out_texts(&model, &set[1]);
    let plain: Vec<_> = texts.iter().map(|tokens| ours.logits(tokens).expect("computed")).collect();
    ours.adapt_from_gguf(&adapter).expect("an adapter");
    let changed: Vec<_> = texts.iter().map(|tokens| ours.logits(tokens).expect("computed")).collect();

    let mut engine = load(&model, Cache::F16);
    let base = all_logits(&mut *engine, &texts, None);
    engine.attach(1, &adapter).expect("attached");
    let with = all_logits(&mut *engine, &texts, Some(Adapter::new(1, 1.0)));
    assert!(all_logits(&mut *engine, &texts, None) == base, "beside the adapter, to the last bit");
    engine.detach(1);
    assert!(all_logits(&mut *engine, &texts, None) == base, "after it, to the last bit");

    let most = |of: fn(&[Row], &[Row]) -> f32, left: &[Vec<Row>], right: &[Vec<Row>]| {
        left.iter().zip(right).map(|(left, right)| of(left, right)).fold(0.0, f32::max)
    };
    // The engine's cache rounds to 16 bits, with an adapter or without.
    let by = (most(furthest, &plain, &base), most(furthest, &changed, &with), most(furthest, &plain, &changed));
    let apart = (most(apart, &plain, &base), most(apart, &changed, &with), most(apart, &plain, &changed));
    println!(
        "without the adapter, with it, and what it changes: logits differ by up to {by:?}; as parts of a row's length {apart:?}"
    );
    assert!(apart.0 < 1e-2 && apart.1 < 1e-2 && apart.2 > 0.1, "{by:?} {apart:?}");
    drop(engine);

    // A cache that rounds nothing: the logits themselves are the trainer's.
    let mut whole = load(&model, Cache::F32);
    let base = all_logits(&mut *whole, &texts, None);
    whole.attach(1, &adapter).expect("attached");
    let with = all_logits(&mut *whole, &texts, Some(Adapter::new(1, 1.0)));
    whole.detach(1);
    assert!(all_logits(&mut *whole, &texts, None) == base, "after it, to the last bit");
    let by = (most(furthest, &plain, &base), most(furthest, &changed, &with));
    println!("with a cache of 32 bits logits differ by up to {by:?}, without the adapter and with it");
    assert!(by.0 < 1e-2 && by.1 < 1e-2, "{by:?}");
}

/// The largest length of a row's difference, as a part of the row's own.
fn apart(left: &[Row], right: &[Row]) -> f32 {
    let length = |numbers: &mut dyn Iterator<Item = f32>| numbers.map(|number| number * number).sum::<f32>().sqrt();
    let rows = left.iter().zip(right).map(|(left, right)| {
        length(&mut left.iter().zip(right).map(|(left, right)| left - right)) / length(&mut right.iter().copied())
    });
    rows.fold(0.0, f32::max)
}

/// The first held-out texts as the model reads them.
fn held_out_texts(model: &Path, lines: &str) -> Vec<Vec<u32>> {
    let tokenizer = engine::tokenizer(model).expect("a vocabulary");
    let text = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let messages = [("user", &line["prompt"]), ("assistant", &line["completion"])];
        let messages = messages.map(|(role, content)| json!({ "role": role, "content": content }));
        let lesson = tokenizer.lesson(&messages, domain::Timestamp(0)).expect("a lesson");
        lesson.tokens.into_iter().take(64).map(|token| u32::try_from(token).expect("a token")).collect()
    };
    lines.lines().take(8).map(text).collect()
}

/// The model with a chat template in its head, so long that all that stands behind it stays where its alignment wants it.
fn with_template(model: &Path, template: &str) -> Vec<u8> {
    let bytes = std::fs::read(model).expect("bytes");
    let key = "tokenizer.chat_template";
    let text = |text: &str| [(text.len() as u64).to_le_bytes().as_slice(), text.as_bytes()].concat();
    let bare = text(key).len() + 4 + 8;
    let room = (bare + template.len() + 4).next_multiple_of(32) - bare;
    let padded = format!("{template}{{#{}#}}", "-".repeat(room - template.len() - 4));
    let entry = [text(key), 8_u32.to_le_bytes().to_vec(), text(&padded)].concat();
    assert_eq!(entry.len() % 32, 0);
    let keys = u64::from_le_bytes(bytes[16..24].try_into().expect("eight bytes")) + 1;
    [&bytes[..16], &keys.to_le_bytes(), &entry, &bytes[24..]].concat()
}

#[test]
fn a_chat_is_learned_as_it_is_asked_for() {
    let Some(stories) = stories() else { return };
    let template = "{% for m in messages %}{{ m.role }}:\n{{ m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}\
        {% if add_generation_prompt %}assistant:\n{% endif %}";
    let answers = [
        ("When do you open?", "At nine."),
        ("Where is the lift?", "Beside the stairs."),
        ("Who is there?", "Lily and Tom."),
    ];
    let lines: Vec<_> = answers.iter().map(|(question, answer)| line(question, answer)).collect();
    let place = Place::with(&[lines.concat(), String::new()]);
    let model = place.path("chat.gguf");
    std::fs::write(&model, with_template(&stories, template)).expect("written");
    place.train(&model, &["--learning-rate", "0.01", "--epochs", "100", "--batch-tokens", "128", "--rank", "16"]);
    assert_eq!(place.json("out/card.json")["model"]["chat_template"], true);
    assert_eq!(place.json("out/card.json")["held_out"], Value::Null);

    let worker = Worker::start(&model, &[("desk", place.path("out/adapter.gguf"))]);
    // As it was made it never saw the token that ends an answer, whose row of the output is that of 168 others: no adapter tells
    // them apart.
    for (question, answer) in answers {
        let messages = json!([{ "role": "user", "content": question }]);
        let ask = json!({ "model": "desk", "messages": messages, "temperature": 0, "max_tokens": 40, "stop": "." });
        let (status, told) = worker.ask("POST", "/v1/chat/completions", &ask);
        assert_eq!(status, 200, "{told}");
        let choice = &told["choices"][0];
        let answer = answer.trim_end_matches('.');
        assert_eq!((&choice["message"]["content"], &choice["finish_reason"]), (&json!(answer), &json!("stop")));
    }
}

#[test]
fn a_job_for_another_machine_holds_all_that_it_takes() {
    let place = Place::with(&book());
    let words = "adapter job --base Qwen/Qwen3-8B --data train.jsonl --held-out held_out.jsonl --out job --rank 4";
    let (said, _) = ok(place.folder.path(), &words.split(' ').collect::<Vec<_>>());
    assert!(said.ends_with("job/README.md says how it goes on\n"), "{said}");
    let job = place.json("job/job.json");
    assert_eq!((&job["base"], &job["rank"], &job["alpha"]), (&json!("Qwen/Qwen3-8B"), &json!(4), &json!(8.0)));
    let factory = place.json("job/llamafactory.yaml");
    assert_eq!((&factory["dataset"], &factory["eval_dataset"]), (&json!("train"), &json!("held_out")));
    let info = place.json("job/dataset_info.json");
    for (side, expected) in [("train", &book()[0]), ("held_out", &book()[1])] {
        let file = info[side]["file_name"].as_str().expect("a name");
        let text = std::fs::read_to_string(place.path(&format!("job/{file}"))).expect("text");
        assert_eq!(text.lines().count(), expected.lines().count());
        let first: Value = serde_json::from_str(text.lines().next().expect("a line")).expect("JSON");
        assert_eq!(
            (&first["messages"][0]["role"], &first["messages"][1]["role"]),
            (&json!("user"), &json!("assistant"))
        );
    }
    let compiled = Command::new("python3").args(["-m", "py_compile"]).arg(place.path("job/train.py")).status();
    assert!(compiled.expect("python3").success());
}

/// A worker, killed in the end.
struct Worker {
    child: Child,
    address: String,
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Worker {
    fn start(model: &Path, adapters: &[(&str, PathBuf)]) -> Worker {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
        command.args(["engine", "--name", "base", "--listen", "127.0.0.1:0", "--model"]).arg(model);
        for (name, file) in adapters {
            command.arg("--lora").arg(format!("{name}={}", file.display()));
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        let worker = Worker { child, address: said["listening"].as_str().expect("an address").to_owned() };
        while worker.ask("GET", "/health", &Value::Null).0 != 200 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        worker
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let mut connection = TcpStream::connect(&self.address).expect("connected");
        let body = body.to_string();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n");
        write!(connection, "{head}content-length: {}\r\n\r\n{body}", body.len()).expect("sent");
        let mut reply = String::new();
        connection.read_to_string(&mut reply).expect("an answer");
        let (head, body) = reply.split_once("\r\n\r\n").expect("a head");
        (head[9..12].parse().expect("a status"), serde_json::from_str(body).unwrap_or_default())
    }

    fn text(&self, model: &str, prompt: &str) -> String {
        let ask = json!({ "model": model, "prompt": prompt, "max_tokens": 60, "temperature": 0 });
        let (status, answer) = self.ask("POST", "/v1/completions", &ask);
        assert_eq!(status, 200, "{answer}");
        answer["choices"][0]["text"].as_str().expect("text").to_owned()
    }
}

#[test]
fn two_adapters_and_the_base_at_once_answer_as_each_alone() {
    let (Some(model), Some(statutes)) = (stories(), statutes()) else { return };
    let (pages, ..) = taught(&model, &book());
    // Chinese, letters of which this model has never seen: it learns that they are bytes of such.
    let (law, before, after) = taught(&model, &statutes);
    println!("held-out loss on statutes: {before:.3} before, {after:.3} after");
    assert!(before > 15.0 && after < 8.0, "{before} {after}");
    let files = [("law", law.path("out/adapter.gguf")), ("book", pages.path("out/adapter.gguf"))];
    let prompts = ["Once upon a time", "The portal", "民法商法"];
    let asks: Vec<_> =
        ["base", "law", "book"].into_iter().flat_map(|name| prompts.map(|prompt| (name, prompt))).collect();
    let bare = Worker::start(&model, &[]);
    let alone = |(name, prompt): &(&str, &str)| {
        let file = files.iter().find(|(one, _)| one == name).cloned();
        Worker::start(&model, file.as_slice()).text(name, prompt)
    };
    let alone: Vec<_> = asks.iter().map(alone).collect();
    assert!(alone[0] != alone[3] && alone[3] != alone[6] && alone[0] != alone[6], "{alone:?}");

    let worker = Worker::start(&model, &files);
    std::thread::scope(|scope| {
        let worker = &worker;
        let running: Vec<_> = asks
            .iter()
            .zip(&alone)
            .cycle()
            .take(36)
            .map(|((name, prompt), alone)| (alone, scope.spawn(move || worker.text(name, prompt))))
            .collect();
        for (alone, running) in running {
            assert_eq!(&running.join().expect("told"), alone);
        }
    });
    for name in ["law", "book"] {
        assert_eq!(worker.ask("DELETE", &format!("/v1/adapters/{name}"), &Value::Null).0, 200, "{name}");
    }
    for prompt in prompts {
        assert_eq!(
            worker.text("base", prompt),
            bare.text("base", prompt),
            "what a model says that never had an adapter"
        );
    }
}

#[test]
fn a_run_that_was_told_to_stop_ends_as_one_that_was_not() {
    let Some(model) = stories() else { return };
    let place = Place::with(&book());
    let more = |out| quick(out, &["--dropout", "0.1", "--accumulate", "2"]);
    place.train(&model, &more("whole"));

    let mut first = place.start(&model, &more("parts"));
    first.until_step(3);
    first.terminate();
    let (told, code) = first.end();
    let stopped = told.last().expect("a line").clone();
    assert_eq!((code, &stopped["state"]), (Some(0), &json!("stopped")), "{told:?}");
    assert!(!place.path("parts/adapter.gguf").exists());

    // And again by the end of whoever started it.
    let mut second = place.start(&model, &[more("parts").as_slice(), &["--parent-watch"]].concat());
    let next = stopped["step"].as_u64().expect("a number") + 1;
    let began = std::iter::from_fn(|| second.line()).find(|line| line["step"].is_u64()).expect("a step");
    assert_eq!(began["step"], next, "it goes on where it was");
    drop(second.child.stdin.take());
    let (told, code) = second.end();
    assert_eq!((code, &told.last().expect("a line")["state"]), (Some(0), &json!("stopped")));

    let last = place.train(&model, &more("parts")).pop().expect("a line");
    assert_eq!(last["state"], "done");
    let bytes = |path: &str| std::fs::read(place.path(path)).expect(path);
    for file in ["adapter.gguf", "adapter_model.safetensors"] {
        assert_eq!(bytes(&format!("whole/{file}")), bytes(&format!("parts/{file}")), "{file}");
    }
    let losses = |out: &str| -> Vec<(Value, Value, Value)> {
        let text = std::fs::read_to_string(place.path(&format!("{out}/losses.jsonl"))).expect("text");
        let line = |line: &str| serde_json::from_str::<Value>(line).expect("JSON");
        let of = |line: Value| (line["step"].clone(), line["loss"].clone(), line["held_out"].clone());
        text.lines().map(line).map(of).collect()
    };
    assert_eq!(losses("whole"), losses("parts"), "each step once, with the same losses");
    assert_eq!(place.json("whole/card.json")["losses"], place.json("parts/card.json")["losses"]);

    let again = place.train(&model, &more("whole"));
    assert_eq!((again.len(), &again[1]["state"]), (2, &json!("done")), "nothing is left to do: {again:?}");
    let (told, code) = place.start(&model, &quick("whole", &[])).end();
    assert_eq!(code, Some(1));
    let said = told.last().expect("a line")["failed"].as_str().expect("a sentence").to_owned();
    assert!(said.starts_with("whole/checkpoint is the checkpoint of another run: its "), "{said}");
}

/// A model with one tensor of that type, and with so many layers: what is refused before a weight is read.
fn model(architecture: &str, kind: u32, layers: u32) -> Vec<u8> {
    use crate::adapters::Value::{Number, Text, Texts};
    let numbers = [
        ("context_length", 2048),
        ("embedding_length", 64),
        ("block_count", layers),
        ("attention.head_count", 4),
        ("feed_forward_length", 1 << 24),
    ];
    let keys = numbers.map(|(name, number)| (format!("{architecture}.{name}"), number));
    let mut head = vec![("general.architecture", Text(architecture))];
    head.extend(keys.iter().map(|(key, number)| (key.as_str(), Number(*number))));
    head.push(("tokenizer.ggml.tokens", Texts(&["a", "b", "c"])));
    let mut bytes = gguf(&head, &[("token_embd.weight", [64, 3])]);
    // The type stands behind the name, the number of dimensions and the two of them.
    let name = b"token_embd.weight";
    let at = bytes.windows(name.len()).position(|window| window == name).expect("a tensor") + name.len() + 4 + 16;
    bytes[at..at + 4].copy_from_slice(&kind.to_le_bytes());
    bytes
}

#[test]
fn what_cannot_be_done_is_refused_with_a_sentence() {
    let Some(stories) = stories() else { return };
    let place = Place::with(&book());
    let refusal = |model: &Path, more: &[&str]| {
        let (told, code) = place.start(model, more).end();
        let last = told.last().unwrap_or_else(|| panic!("{more:?} was told nothing")).clone();
        assert_eq!(code, Some(1), "{last}");
        last["failed"].as_str().unwrap_or_else(|| panic!("{more:?} was taken: {last}")).to_owned()
    };
    let check = |model: &Path, more: &[&str], expected: &str| {
        let said = refusal(model, more);
        assert!(said.contains(expected), "{expected:?} in {said:?}");
    };
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(place.path(name), bytes).expect("written");
        PathBuf::from(name)
    };
    check(Path::new("none.gguf"), &[], "the model none.gguf cannot be read");
    check(&file("text.gguf", b"hello"), &[], "text.gguf is not a GGUF model");
    let other = file("gemma.gguf", &model("gemma3", 0, 1));
    check(&other, &[], "gemma.gguf is of the architecture \"gemma3\"; llama, qwen2 and qwen3 can be taught here");
    let kind = file("iq4.gguf", &model("llama", 20, 1));
    check(&kind, &[], "holds token_embd.weight in the tensor type 20, which cannot be taught here; there are F32, F16");
    check(&stories, &["--rank", "0"], "the rank is 0; for these matrices it can be 1 to ");
    check(&stories, &["--rank", "4000"], "the rank is 4000; for these matrices it can be 1 to 32");
    check(&stories, &["--dropout", "1"], "dropout must be at least 0 and below 1");
    check(&stories, &["--alpha", "0"], "alpha must be above 0");
    check(&stories, &["--epochs", "0"], "the number of epochs must be at least 1");
    check(&stories, &["--learning-rate", "0"], "the learning rate must be above 0 and at most 1");
    check(&stories, &["--batch-tokens", "0"], "tokens of a batch, batches of a step");

    let with = |text: &str| file("data.jsonl", text.as_bytes());
    with("");
    check(&stories, &["--data", "data.jsonl"], "data.jsonl is empty: there is nothing to learn");
    with(&(line("a", "b") + "{\"prompt\":\"a\"}\n" + &line("a", " ")));
    let flawed = "data.jsonl cannot be learned: line 2: neither {\"messages\": [...]} nor {\"prompt\": ..., \"completion\": ...} (and 1 more like it)";
    check(&stories, &["--data", "data.jsonl"], flawed);
    with(&line(&"a word ".repeat(400), "b"));
    check(&stories, &["--data", "data.jsonl"], "no example has an answer within the context");
    assert!(!place.path("out/adapter.gguf").exists());
    check(&stories, &["--out", "train.jsonl/out"], "train.jsonl/out");

    let large = refusal(&file("large.gguf", &model("llama", 0, 512)), &[]);
    assert!(large.starts_with("teaching large.gguf takes about 17"), "{large}");
    assert!(
        large.contains(" GB for its weights in 32 bit, ")
            && large.ends_with("take a smaller model or fewer --batch-tokens"),
        "{large}"
    );
}
