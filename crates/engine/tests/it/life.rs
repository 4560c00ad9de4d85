//! A worker's life: loading, cancelling, ending with its parent, the Unix socket.

use std::{
    io::{BufRead, BufReader},
    net::TcpStream,
    os::unix::net::UnixStream,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::worker::{Worker, eventually, example, exchange};

fn long() -> String {
    vec!["word "; 600].join("|")
}

#[test]
fn while_it_loads_it_says_so() {
    let worker = Worker::start(&["--scripted", "x", "--load-time", "2000"]);
    eventually("half of it is loaded", || {
        worker.get("/health").json() == json!({"status": "loading", "progress": 0.5})
    });
    assert_eq!(worker.get("/health").status, 503);
    let reply = worker.post("/v1/chat/completions", &json!({"messages": [{"role": "user", "content": "x"}]}));
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (503, Some("model_loading")));
    assert!(reply.head.contains("retry-after: 1"), "{}", reply.head);
    let worker = worker.ready();
    assert_eq!(worker.get("/health").json(), json!({"status": "ok", "active": 0, "queued": 0}));
}

#[test]
fn a_client_that_leaves_frees_its_place_at_the_next_step() {
    let worker = Worker::scripted(&long(), &["--pace", "20"]);
    for path in ["/v1/chat/completions", "/v1/completions"] {
        for stream in [true, false] {
            let ask = json!({"messages": [{"role": "user", "content": "x"}], "prompt": "x", "stream": stream, "max_tokens": 600});
            let mut open = worker.open(path, &ask);
            eventually("it is being answered", || worker.active() == 1);
            if stream {
                let mut line = String::new();
                while !line.starts_with("data: ") {
                    line.clear();
                    open.read_line(&mut line).expect("a line");
                }
            }
            let left = Instant::now();
            drop(open);
            eventually("it is given up", || worker.active() == 0);
            assert!(left.elapsed() < Duration::from_millis(500), "{path} stream {stream}: {:?}", left.elapsed());
        }
    }
    let reply = worker.post("/v1/completions", &json!({"prompt": "x", "max_tokens": 2}));
    assert_eq!(reply.json()["usage"]["completion_tokens"], 2);
}

#[test]
fn it_ends_with_its_parent_even_in_mid_answer() {
    let mut worker = Worker::scripted(&long(), &["--pace", "20", "--watch"]);
    let _open = worker.open("/v1/completions", &json!({"prompt": "x", "stream": true, "max_tokens": 600}));
    eventually("it is being answered", || worker.active() == 1);
    drop(worker.stdin.take());
    eventually("it has ended", || worker.has_ended());
}

#[test]
fn it_ends_with_its_parent_although_its_input_stays_open() {
    // By way of descriptor 3: a shell gives what runs in the background /dev/null, and `<&0` would mean that one.
    let script = format!("exec 3<&0; '{}' --scripted x --watch <&3 & wait", example().display());
    let mut shell = Command::new("sh");
    let mut shell = shell.args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("sh");
    let _held_open = shell.stdin.take();
    let mut line = String::new();
    BufReader::new(shell.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let address = line.split('"').nth(3).expect("an address").to_owned();
    std::thread::sleep(Duration::from_millis(200));
    assert!(TcpStream::connect(&address).is_ok(), "it ended although its parent had not");
    shell.kill().expect("killed");
    shell.wait().expect("ended");
    eventually("it has ended", || TcpStream::connect(&address).is_err());
}

#[test]
fn it_outlives_the_thread_that_started_it() {
    let starting = std::thread::spawn(|| Worker::start(&["--scripted", "x", "--watch"]).ready());
    let worker = starting.join().expect("started");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(worker.get("/health").status, 200);
}

#[test]
fn without_the_watch_a_closed_input_means_nothing() {
    let mut worker = Worker::scripted("x", &[]);
    drop(worker.stdin.take());
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(worker.get("/health").status, 200);
}

#[test]
fn it_ends_when_it_is_told_to() {
    let mut worker = Worker::scripted("x", &[]);
    let kill = Command::new("kill").arg(worker.pid().to_string()).status().expect("kill");
    assert!(kill.success());
    let (_, status) = worker.end();
    assert_eq!(status.code(), Some(0));
}

#[test]
fn a_missing_model_is_a_sentence_and_exit_code_3() {
    let mut worker = Worker::start(&["/nowhere/model.gguf"]);
    let (said, status) = worker.end();
    assert_eq!(status.code(), Some(3));
    let expected = if cfg!(feature = "llama") {
        "the model /nowhere/model.gguf cannot be read: No such file or directory (os error 2)"
    } else {
        "this binary was built without the engine (cargo feature `llama`)"
    };
    assert_eq!(serde_json::from_str::<serde_json::Value>(&said).expect("JSON")["failed"], expected);
}

#[test]
fn a_unix_socket_serves_as_well_and_a_dead_one_is_taken_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("engine.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    let listen = format!("unix:{}", path.display());
    let worker = Worker::start(&["--scripted", "x", "--listen", &listen]);
    assert_eq!(worker.address, listen);
    eventually("it answers", || {
        exchange(UnixStream::connect(&path).expect("connected"), "GET /health HTTP/1.1\r\n", b"").status == 200
    });
}

#[test]
fn a_used_address_is_a_sentence() {
    let worker = Worker::scripted("x", &[]);
    let mut second = Command::new(example());
    let output = second.args(["--scripted", "x", "--listen", &worker.address]).output().expect("ran");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("cannot listen on 127.0.0.1:"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn an_address_that_others_reach_wants_a_key() {
    let mut open = Command::new(example());
    let output = open.args(["--scripted", "x", "--listen", "0.0.0.0:0"]).output().expect("ran");
    assert!(String::from_utf8_lossy(&output.stdout).contains("needs a key"));
}

#[test]
fn people_that_a_portal_tells_apart_take_turns() {
    let worker = Worker::scripted(&long(), &["--pace", "5"]);
    let ask = json!({"prompt": "x", "max_tokens": 20, "user": "the same for all"}).to_string();
    let of =
        |person: &str| worker.post_bytes("/v1/completions", &format!("X-Portico-Person: {person}\r\n"), ask.as_bytes());
    let queued = || worker.get("/health").json()["queued"].as_u64().expect("a count");
    std::thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| of("ann"));
        }
        eventually("many wait", || queued() >= 30);
        assert_eq!(of("ben").status, 200);
        assert!(queued() >= 10, "{} of the others still wait", queued());
    });
}

#[test]
fn who_asks_to_be_told_its_place_hears_it_in_comments_before_the_answer() {
    let worker = Worker::scripted(&long(), &["--pace", "5"]);
    let ask = |tokens: u32| json!({"prompt": "x", "max_tokens": tokens, "stream": true}).to_string();
    std::thread::scope(|scope| {
        // Of different lengths, so that one after the other ends.
        for nth in 0..12 {
            let (worker, ask) = (&worker, ask(100 + 25 * nth));
            scope.spawn(move || worker.post_bytes("/v1/completions", "", ask.as_bytes()));
        }
        eventually("some wait", || worker.get("/health").json()["queued"] == 4);
        let told = worker.post_bytes("/v1/completions", "X-Portico-Tell: place\r\n", ask(2).as_bytes()).body;
        let told = String::from_utf8(told).expect("text");
        let (before, after) = told.split_at(told.find("data: ").expect("chunks"));
        let places: Vec<_> = before
            .lines()
            .filter_map(|line| serde_json::from_str::<serde_json::Value>(line.strip_prefix(": queued ")?).ok())
            .map(|place| (place["position"].as_u64().expect("a place"), place["wait_ms"].is_u64()))
            .collect();
        assert!(places.len() > 1 && places[0].0 == 5, "{told}");
        assert!(
            places.is_sorted_by(|left, right| left.0 > right.0) && places.last().is_some_and(|last| last.1),
            "{told}"
        );
        assert!(!after.contains("queued") && after.contains("[DONE]"), "{told}");
    });
}
