//! Pinned and saved beginnings over the scripted backend, whose answers tell whether what came back is what was computed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use engine::{
    backend::{
        Adapter, Facts, Input, Token,
        scripted::{Script, Scripted},
    },
    sampler::Sampling,
    scheduler::{Event, NotPinned, Request, STEP_TARGET, Scheduler},
};
use serde_json::json;

use crate::worker::{Worker, eventually};

/// One life of an engine.
struct Life {
    scheduler: Scheduler,
    log: Arc<Mutex<Vec<Vec<Input>>>>,
    thread: Option<JoinHandle<()>>,
}

impl Life {
    fn of(weights: &str, folder: Option<&Path>) -> Self {
        let facts = Facts { context: 800, cells: 1600, batch: 512, ..Facts::default() };
        Life::with(facts, weights, folder)
    }

    fn with(facts: Facts, weights: &str, folder: Option<&Path>) -> Self {
        let backend = Scripted::new(Script { recalls: true, weights: weights.into(), facts, ..Script::default() });
        let log = backend.log();
        let (scheduler, work) = Scheduler::saving(Box::new(backend), STEP_TARGET, folder);
        let thread = Some(std::thread::spawn(move || work.run()));
        Life { scheduler, log, thread }
    }

    /// The answer and how many tokens were computed for it and its prompt.
    fn ask(&self, person: &str, prompt: &[Token]) -> (String, usize) {
        self.ask_of(None, person, prompt)
    }

    fn ask_of(&self, adapter: Option<Adapter>, person: &str, prompt: &[Token]) -> (String, usize) {
        let before = self.computed();
        let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
        let request = Request {
            prompt: prompt.to_vec(),
            max_tokens: 20,
            ignore_end: true,
            sampling,
            person: person.into(),
            adapter,
            ..Request::default()
        };
        let mut events = self.scheduler.submit(request).expect("taken");
        let mut text = String::new();
        loop {
            match events.blocking_recv().expect("an end") {
                Event::Delta(delta) => text.push_str(&delta.text),
                Event::Finished(_, usage) => {
                    let computed = self.computed() - before;
                    assert_eq!(
                        computed,
                        (usage.prompt - usage.cached + usage.completion - 1) as usize,
                        "the usage tells"
                    );
                    return (text, computed);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn computed(&self) -> usize {
        self.log.lock().expect("the log").iter().map(Vec::len).sum()
    }

    fn pin(&self, tokens: &[Token]) -> Result<(String, u32), NotPinned> {
        let pinned = wait(self.scheduler.pin(None, tokens));
        pinned.map(|(prefix, computed)| (prefix.id, computed))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.scheduler.stop();
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future)
}

fn beginning(kind: Token) -> Vec<Token> {
    (0..400).map(|at| (at * 7 + kind) % 256).collect()
}

/// A question that begins so.
fn question(kind: Token, question: Token) -> Vec<Token> {
    [beginning(kind), vec![question; 10]].concat()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn what_is_pinned_stays_however_much_else_is_asked() {
    let life = Life::of("a", None);
    let (id, computed) = life.pin(&beginning(1)).expect("pinned");
    assert_eq!(computed, 400);
    let (text, computed) = life.ask("", &question(1, 7));
    assert_eq!(computed, 10 + 19);
    for other in 2..12 {
        assert_eq!(life.ask("", &question(other, 7)).1, 410 + 19);
    }
    assert_eq!(life.ask("", &question(1, 7)), (text, 10 + 19));
    assert_eq!(life.pin(&beginning(1)), Ok((id.clone(), 0)), "the same is pinned once");
    assert_eq!(wait(life.scheduler.prefixes()).expect("a list").len(), 1);
    assert_eq!((wait(life.scheduler.unpin(id.clone())), wait(life.scheduler.unpin(id))), (Ok(true), Ok(false)));
    for other in 2..12 {
        life.ask("", &question(other, 7));
    }
    assert_eq!(life.ask("", &question(1, 7)).1, 410 + 19, "and went as others do");
}

#[test]
fn no_more_is_pinned_than_leaves_room() {
    let life = Life::of("a", None);
    life.pin(&beginning(1)).expect("pinned");
    life.pin(&beginning(2)).expect("pinned");
    let refused = life.pin(&beginning(3)).expect_err("refused");
    assert_eq!(refused.to_string(), "400 tokens are to be pinned, and there is room for 0 more");
}

#[test]
fn a_sequence_that_could_not_go_on_otherwise_has_the_room_of_what_is_pinned_which_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let facts = Facts { context: 800, cells: 800, batch: 512, ..Facts::default() };
    let life = Life::with(facts, "a", Some(folder.path()));
    life.pin(&beginning(1)).expect("pinned");
    let (text, _) = life.ask("", &question(1, 7));
    // Written by a thread of its own; before that, what makes way is computed again.
    eventually("it is on disk", || {
        files(folder.path()).iter().any(|file| file.extension().is_some_and(|end| end == "pinned"))
    });
    let long: Vec<Token> = (0..700).map(|at| at % 200).collect();
    assert_eq!(life.ask("", &long).1, 700 + 19);
    assert_eq!(life.pin(&beginning(1)).expect("pinned").1, 0);
    assert_eq!(life.ask("", &question(1, 7)), (text, 10 + 19));
}

#[test]
fn what_was_pinned_is_there_after_a_restart_and_nothing_of_it_is_computed() {
    let folder = tempfile::tempdir().expect("a folder");
    let life = Life::of("a", Some(folder.path()));
    let (id, _) = life.pin(&beginning(1)).expect("pinned");
    let (text, _) = life.ask("", &question(1, 7));
    drop(life);
    assert_eq!(files(folder.path()).len(), 1);

    let life = Life::of("a", Some(folder.path()));
    assert_eq!(life.ask("", &question(1, 7)), (text, 10 + 19));
    assert_eq!(life.pin(&beginning(1)), Ok((id.clone(), 0)));
    assert_eq!(wait(life.scheduler.unpin(id)), Ok(true));
    drop(life);
    let life = Life::of("a", Some(folder.path()));
    assert_eq!(wait(life.scheduler.prefixes()), Ok(Vec::new()));
    assert_eq!(life.ask("", &question(1, 8)).1, 10 + 19, "no longer pinned, and still at hand");
}

#[test]
fn what_several_people_begin_with_outlives_a_restart_and_what_is_one_persons_alone_does_not() {
    let in_cache = Facts { context: 800, cells: 1600, batch: 512, ..Facts::default() };
    let beside = Facts { parked: 1 << 20, ..in_cache.clone() };
    for facts in [in_cache, beside] {
        let folder = tempfile::tempdir().expect("a folder");
        let life = Life::with(facts.clone(), "a", Some(folder.path()));
        let (text, _) = life.ask("ann", &question(1, 7));
        life.ask("ben", &question(1, 8));
        life.ask("ann", &question(2, 7));
        life.ask("ann", &question(2, 8));
        drop(life);
        let life = Life::with(facts, "a", Some(folder.path()));
        assert_eq!(life.ask("ann", &question(1, 7)), (text, 10 + 19));
        assert_eq!(life.ask("ann", &question(2, 7)).1, 410 + 19);
    }
}

#[test]
fn what_an_adapter_computed_outlives_a_restart_for_that_adapter_at_that_scale_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let attach = |life: &Life, file: &str| wait(life.scheduler.attach(file.into())).expect("attached").0;
    let life = Life::of("a", Some(folder.path()));
    let (poet, clerk) = (attach(&life, "Cargo.toml"), attach(&life, "src/lib.rs"));
    let half = Some(Adapter::new(poet, 0.5));
    wait(life.scheduler.pin(half, &beginning(1))).expect("pinned");
    let (text, computed) = life.ask_of(half, "", &question(1, 7));
    assert_eq!(computed, 10 + 19);
    let clerk = Some(Adapter::new(clerk, 1.0));
    let (shared, _) = life.ask_of(clerk, "ann", &question(2, 7));
    life.ask_of(clerk, "ben", &question(2, 8));
    drop(life);
    assert_eq!(files(folder.path()).len(), 2);

    let life = Life::of("a", Some(folder.path()));
    assert_eq!(wait(life.scheduler.prefixes()), Ok(Vec::new()), "its adapter is not there yet");
    // In another order, so that they are other numbers.
    let (clerk, poet) = (attach(&life, "src/lib.rs"), attach(&life, "Cargo.toml"));
    let half = Some(Adapter::new(poet, 0.5));
    let pinned: Vec<_> = wait(life.scheduler.prefixes()).expect("a list").iter().map(|prefix| prefix.adapter).collect();
    assert_eq!(pinned, [half]);
    assert_eq!(life.ask_of(half, "", &question(1, 7)), (text.clone(), 10 + 19));
    assert_eq!(life.ask_of(Some(Adapter::new(clerk, 1.0)), "", &question(2, 7)), (shared, 10 + 19));
    for other in [None, Some(Adapter::new(poet, 1.0)), Some(Adapter::new(clerk, 0.5))] {
        let (told, computed) = life.ask_of(other, "", &question(1, 7));
        assert!(told != text && computed == 410 + 19, "{other:?}: {computed} were computed");
    }
    wait(life.scheduler.detach(poet, true).expect("given up")).expect("gone");
    drop(life);
    let life = Life::of("a", Some(folder.path()));
    attach(&life, "Cargo.toml");
    assert_eq!(wait(life.scheduler.prefixes()), Ok(Vec::new()), "what is given up is no longer pinned");
}

#[test]
fn a_file_that_is_not_exactly_what_it_should_be_is_removed_and_harms_nobody() {
    let told = Life::of("a", None).ask("", &question(1, 7)).0;
    type Harm = fn(&mut Vec<u8>);
    let harms: [(&str, Harm); 8] = [
        ("cut in its state", |bytes| bytes.truncate(bytes.len() - 100)),
        ("cut in its tokens", |bytes| bytes.truncate(300)),
        ("empty", Vec::clear),
        ("a changed state", |bytes| *bytes.iter_mut().rev().nth(1000).expect("long") ^= 1),
        ("a changed token", |bytes| {
            let line = bytes.iter().position(|byte| *byte == b'\n').expect("a line");
            bytes[line + 5] ^= 1;
        }),
        ("no line", |bytes| bytes.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ')),
        ("too many tokens", |bytes| {
            let line = bytes.iter().position(|byte| *byte == b'\n').expect("a line");
            bytes.splice(..line, *br#"{"model":"a","adapter":null,"tokens":4000000000}"#);
        }),
        ("something else", |bytes| *bytes = b"hello".to_vec()),
    ];
    for (name, harm) in harms {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Life::of("a", Some(folder.path())).pin(&beginning(1)).expect("pinned"));
        let [file] = <[PathBuf; 1]>::try_from(files(folder.path())).expect("one file");
        let mut bytes = fs::read(&file).expect("bytes");
        harm(&mut bytes);
        fs::write(&file, bytes).expect("written");
        let life = Life::of("a", Some(folder.path()));
        assert_eq!(life.ask("", &question(1, 7)), (told.clone(), 410 + 19), "{name}");
        drop(life);
        assert!(!file.exists(), "{name}");
    }
}

#[test]
fn another_models_file_is_removed() {
    let folder = tempfile::tempdir().expect("a folder");
    drop(Life::of("a", Some(folder.path())).pin(&beginning(1)).expect("pinned"));
    fs::write(folder.path().join("x.unfinished"), "half").expect("written");
    fs::write(folder.path().join("notes.txt"), "a person's").expect("written");
    let life = Life::of("b", Some(folder.path()));
    assert_eq!(life.ask("", &question(1, 7)).1, 410 + 19);
    drop(life);
    assert_eq!(files(folder.path()), [folder.path().join("notes.txt")], "what is none of ours is left alone");
}

#[test]
fn a_folder_that_cannot_be_used_costs_nothing_but_what_would_be_saved() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let life = Life::of("a", Some(&file.join("folder")));
    life.pin(&beginning(1)).expect("pinned");
    assert_eq!(life.ask("", &question(1, 7)).1, 10 + 19);
}

#[test]
fn a_system_prompt_is_pinned_over_http_as_the_template_writes_it() {
    let template = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]";
    let worker = Worker::scripted("x", &["--template", template]);
    let system = json!({"role": "system", "content": "You are a patient teacher. ".repeat(10)});
    let put = || worker.put("/v1/prefixes", &json!({"messages": [system]})).json();
    let pinned = put();
    let tokens = "<s>[system][user]".len() + 270;
    assert_eq!(pinned, json!({"object": "prefix", "id": pinned["id"], "tokens": tokens, "computed": tokens}));
    assert_eq!(put()["computed"], 0);
    let ask = json!({"messages": [system, {"role": "user", "content": "Why?"}], "max_tokens": 1});
    let usage = worker.post("/v1/chat/completions", &ask).json()["usage"].clone();
    assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], tokens);

    let id = pinned["id"].as_str().expect("an id");
    let listed = worker.get("/v1/prefixes").json();
    assert_eq!(listed["data"], json!([{"object": "prefix", "id": id, "tokens": tokens}]));
    assert_eq!(worker.delete(&format!("/v1/prefixes/{id}")).status, 204);
    let gone = worker.delete(&format!("/v1/prefixes/{id}"));
    assert_eq!((gone.status, gone.json()["error"]["code"].as_str()), (404, Some("no_such_prefix")));

    let short = worker.put("/v1/prefixes", &json!({"text": "Once"})).json();
    assert_eq!(short, json!({"object": "prefix", "id": null, "tokens": 5, "computed": 0}));
    let long = worker.put("/v1/prefixes", &json!({"text": "word ".repeat(300)}));
    assert_eq!((long.status, long.json()["error"]["code"].as_str()), (400, Some("context_length_exceeded")));
    assert_eq!(worker.put("/v1/prefixes", &json!({"nothing": 1})).status, 400);
}

#[test]
fn a_system_prompt_is_pinned_for_the_adapter_that_the_model_names() {
    let worker = Worker::scripted("x", &["--name", "base", "--lora", "poet=Cargo.toml"]);
    let text = "You are a patient teacher. ".repeat(10);
    let pinned = worker.put("/v1/prefixes", &json!({"model": "base:poet", "text": text})).json();
    assert_eq!(pinned["computed"], 271, "{pinned}");
    let cached = |model: &str| {
        let ask = json!({"model": model, "prompt": format!("{text}Why?"), "max_tokens": 1});
        worker.post("/v1/completions", &ask).json()["usage"]["prompt_tokens_details"]["cached_tokens"].clone()
    };
    assert_eq!((cached("base"), cached("poet")), (json!(0), json!(271)));
    let unknown = worker.put("/v1/prefixes", &json!({"model": "base:clerk", "text": text}));
    assert_eq!((unknown.status, unknown.json()["error"]["code"].as_str()), (404, Some("model_not_found")));
}
