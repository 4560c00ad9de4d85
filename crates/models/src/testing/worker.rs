//! A scripted worker: the scripted back end in a process of its own, which keeps the contract of the supervisor.
//!
//! There is no program for it: a test binary starts itself again with one of its own tests, which is marked `#[ignore]` and does
//! nothing but call [`play_worker`].

use std::ffi::OsString;
use std::io::{Read, Write};
use std::time::Duration;

use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::Scripted;
use crate::{KeepAlive, WorkerConfig};

const SCRIPT: &str = "SCRIPTED_WORKER";

/// A worker that plays `script`, in the calling test binary, by its test `player`. The script is that of the back end
/// (`load=300;n=1000;itl=10`) with more words: `fail=a sentence`, `exit=CODE` at once, `crash=MS` after its start, `deaf` to the end
/// of its input and to polite signals, `chatter` on its output, `prefixes=FILE` for what is pinned (one JSON object a line, with its id),
/// `adapters=FILE` for what it is told of those.
pub fn scripted_worker(name: &str, player: &str, script: &str) -> WorkerConfig {
    WorkerConfig {
        name: name.to_owned(),
        display_name: None,
        program: std::env::current_exe().expect("the path of this binary"),
        args: [player, "--exact", "--ignored", "--nocapture"].map(OsString::from).to_vec(),
        env: vec![(SCRIPT.into(), script.into())],
        pinned: Vec::new(),
        keep_alive: KeepAlive::default(),
        needs: None,
        adapters: Vec::new(),
    }
}

/// Plays the script, where the environment holds one; it does not return then.
pub async fn play_worker() {
    let Ok(script) = std::env::var(SCRIPT) else { return };
    let word = |name: &str| script.split(';').find_map(|part| part.strip_prefix(name)).map(str::to_owned);
    // The test harness has begun a line.
    say("");
    if word("chatter").is_some() {
        say("llama: loading tensors ...\n{\"progress\": 1}");
    }
    if let Some(sentence) = word("fail=") {
        say(&json!({ "failed": sentence }).to_string());
        std::process::exit(3);
    }
    if let Some(code) = word("exit=") {
        std::process::exit(code.parse().expect("an exit code"));
    }
    let scripted = Scripted::start_with(&script).await;
    scripted.require_key(&std::env::var("PORTICO_ENGINE_KEY").expect("a key"));
    let deaf = word("deaf").is_some();
    let mut polite = signal(SignalKind::terminate()).expect("a signal");
    std::thread::spawn(move || {
        let _ = std::io::stdin().lock().read_to_end(&mut Vec::new());
        if !deaf {
            std::process::exit(0);
        }
    });
    say(&json!({ "listening": scripted.address }).to_string());
    let crash = async {
        match word("crash=") {
            Some(ms) => tokio::time::sleep(Duration::from_millis(ms.parse().expect("milliseconds"))).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = crash => std::process::abort(),
        () = async { while polite.recv().await.is_some() && deaf {} } => std::process::exit(0),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
