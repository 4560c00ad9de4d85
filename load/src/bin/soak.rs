//! Thousands of requests of random shape to one model, of which many leave in the middle, while its worker is killed now and then. Every answer,
//! and what had arrived of one that was left or cut, is held against the text of the same request asked alone. One JSON line of results;
//! `load/soak` starts it, judges and draws.
//!
//! It starts the worker itself (`--program`, `--model`) and again after each kill, or asks a portal (`--url`, `--key`, `--root` its process),
//! which has to do that.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use load::{Args, proc_use};
use serde_json::{Value, json};

/// Longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long after a worker is back what fails may still be that kill's doing.
const AFTERMATH: Duration = Duration::from_secs(1);
const WORDS: &str = "Once upon a time there was little girl named Lily who loved to play outside in the park with her dog Max and \
    they saw big red ball under tree mom said be careful but he wanted climb up high bird sang song sun shone happy sad friend \
    helped find lost toy ran home then ate cake smiled café 你好 because it rained all day every night moon";

/// A generator with a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((mixed ^ (mixed >> 31)) % most.max(1) as u64) as usize
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn words(&mut self, count: usize) -> String {
        let all: Vec<_> = WORDS.split_whitespace().collect();
        let chosen: Vec<_> = (0..count).map(|_| all[self.below(all.len())]).collect();
        chosen.join(" ")
    }
}

/// What is asked; greedy, so that its answer follows from it.
fn questions(random: &mut Random, count: usize, model: &str) -> Vec<Value> {
    let beginnings: Vec<_> = [4, 8, 15, 25, 25, 40, 60, 60, 80, 80].iter().map(|&length| random.words(length)).collect();
    let schema = json!({
        "type": "object", "required": ["girl", "age"], "additionalProperties": false,
        "properties": {"girl": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 3, "maximum": 12}},
    });
    let question = |_| {
        let tail = random.below(20);
        let mut text = match random.below(4) {
            0 => random.words(1 + tail),
            _ => format!("{} {}", beginnings[random.below(beginnings.len())], random.words(tail)),
        };
        if random.once_in(50) {
            // Longer than the context of the test model: refused, each time.
            text = random.words(600);
        }
        let mut body = json!({
            "model": model, "temperature": 0, "max_tokens": 1 + random.below(100), "ignore_eos": random.once_in(3),
            "messages": [{"role": "user", "content": text}],
        });
        if random.once_in(10) {
            body["response_format"] = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
            body["ignore_eos"] = false.into();
        }
        if random.once_in(10) {
            body["stop"] = json!([" the ", "\n"]);
        }
        body
    };
    (0..count).map(question).collect()
}

/// How a request went.
#[derive(Debug, Clone, PartialEq)]
enum Outcome {
    Whole { text: String, finish: String },
    /// The client left.
    Left { text: String },
    Refused { status: u16, code: String },
    Cut { text: String, why: String },
}

/// The answer of a request asked alone.
struct Alone {
    outcome: Outcome,
    /// Where each token ends in the text, and by how much it was likelier than the next.
    gaps: Vec<(usize, f64)>,
}

/// When a client leaves, if it does.
#[derive(Clone, Copy)]
enum Leaves {
    Never,
    After(Duration),
    AfterBytes(usize),
}

/// Where requests go.
struct Target {
    model: String,
    key: String,
    /// The portal's process; none where the worker is started here.
    root: Option<u32>,
    program: String,
    file: String,
    address: Mutex<String>,
    worker: Mutex<Option<Child>>,
    /// From when to when there was no worker.
    away: Mutex<Vec<(Instant, Option<Instant>)>>,
    lives: AtomicUsize,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Target {
    fn start(&self) {
        if self.root.is_some() {
            return;
        }
        let mut child = Command::new(&self.program)
            .args(["engine", "--model", &self.file, "--name", &self.model, "--listen", "127.0.0.1:0", "--parent-watch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.program));
        let mut line = String::new();
        let said = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).map(|_| line);
        let said: Value = serde_json::from_str(&said.expect("a line")).expect("JSON");
        *held(&self.address) = said["listening"].as_str().expect("an address").to_owned();
        *held(&self.worker) = Some(child);
    }

    /// The process that computes.
    fn pid(&self) -> Option<u32> {
        let Some(root) = self.root else { return held(&self.worker).as_ref().map(Child::id) };
        let told = std::fs::read_to_string(format!("/proc/{root}/task/{root}/children")).ok()?;
        let is_worker = |pid: &u32| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.split(|&byte| byte == 0).any(|word| word == b"engine"))
        };
        // Whichever thread of the portal started it.
        let tasks = std::fs::read_dir(format!("/proc/{root}/task")).ok()?.flatten();
        let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
        let all = children.chain([told]).collect::<Vec<_>>().join(" ");
        all.split_whitespace().filter_map(|pid| pid.parse().ok()).find(is_worker)
    }

    async fn kill_and_await(&self) {
        let Some(pid) = self.pid() else { return };
        held(&self.away).push((Instant::now(), None));
        // SAFETY: a signal to a process that was started for this; no memory is touched.
        unsafe { libc::kill(pid as i32, libc::SIGKILL) };
        if let Some(mut child) = held(&self.worker).take() {
            let _ = child.wait();
        }
        self.start();
        self.until_ready().await;
        self.lives.fetch_add(1, Ordering::Relaxed);
        if let Some(last) = held(&self.away).last_mut() {
            last.1 = Some(Instant::now());
        }
    }

    async fn until_ready(&self) {
        let body = json!({"model": self.model, "max_tokens": 1, "messages": [{"role": "user", "content": "Lily"}]});
        let begun = Instant::now();
        while !matches!(self.ask(&body, Leaves::Never).await, Outcome::Whole { .. }) {
            assert!(begun.elapsed() < PATIENCE, "the model does not come back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Whether there was no worker for a part of the time since `begun`.
    fn was_away(&self, begun: Instant) -> bool {
        held(&self.away).iter().any(|(_, back)| back.is_none_or(|back| back + AFTERMATH > begun))
    }

    fn is_away(&self) -> bool {
        held(&self.away).last().is_some_and(|(_, back)| back.is_none())
    }

    async fn ask(&self, body: &Value, leaves: Leaves) -> Outcome {
        let mut text = String::new();
        let limit = if let Leaves::After(time) = leaves { time } else { PATIENCE };
        let told = tokio::time::timeout(limit, self.exchange(body, leaves, &mut text)).await;
        match (told, leaves) {
            (Ok(Ok(outcome)), _) => outcome,
            (Ok(Err(why)), _) => Outcome::Cut { text, why },
            (Err(_), Leaves::After(_)) => Outcome::Left { text },
            (Err(_), _) => Outcome::Cut { text, why: format!("no end within {} s", PATIENCE.as_secs()) },
        }
    }

    /// Sends a request; the answer's head has come, and leaving it drops the connection.
    async fn post(&self, body: &Value) -> Result<(Response<Incoming>, Driver), String> {
        let address = held(&self.address).clone();
        let socket = tokio::net::TcpStream::connect(&address).await.map_err(|e| format!("connect: {}", e.kind()))?;
        let _ = socket.set_nodelay(true);
        let link = hyper::client::conn::http1::handshake(TokioIo::new(socket)).await;
        let (mut sender, connection) = link.map_err(|_| "handshake".to_owned())?;
        let driver = Driver(tokio::spawn(async move { _ = connection.await }));
        let request = Request::post("/v1/chat/completions")
            .header("host", &address)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.key))
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|e| e.to_string())?;
        let response = sender.send_request(request).await.map_err(|_| "closed before the head".to_owned())?;
        Ok((response, driver))
    }

    async fn exchange(&self, body: &Value, leaves: Leaves, text: &mut String) -> Result<Outcome, String> {
        let (response, _driver) = self.post(body).await?;
        let status = response.status().as_u16();
        let mut incoming = response.into_body();
        if status != 200 || body["stream"] != true {
            return Ok(whole(status, &json_of(incoming).await?));
        }
        let (mut bytes, mut finish) = (Vec::new(), None);
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|_| "closed in the stream".to_owned())?;
            bytes.extend_from_slice(frame.data_ref().unwrap_or(&Bytes::new()));
            while let Some(end) = memchr::memchr(b'\n', &bytes) {
                let line: Vec<u8> = bytes.drain(..=end).collect();
                let Some(data) = line.trim_ascii().strip_prefix(b"data: ") else { continue };
                if data == b"[DONE]" {
                    let finish = finish.ok_or("no finish reason")?;
                    return Ok(Outcome::Whole { text: text.clone(), finish });
                }
                let chunk: Value = serde_json::from_slice(data).map_err(|_| "a chunk that is no JSON".to_owned())?;
                if let Some(error) = chunk.get("error") {
                    return Err(format!("error event: {}", error["code"].as_str().unwrap_or("?")));
                }
                text.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or(""));
                finish = chunk["choices"][0]["finish_reason"].as_str().map(str::to_owned).or(finish);
                if matches!(leaves, Leaves::AfterBytes(most) if text.len() >= most) {
                    return Ok(Outcome::Left { text: text.clone() });
                }
            }
        }
        Err("the stream ended without [DONE]".into())
    }
}

/// Ends a connection with the request that it was for, which is how a client leaves.
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn whole(status: u16, said: &Value) -> Outcome {
    if status != 200 {
        return Outcome::Refused { status, code: said["error"]["code"].as_str().unwrap_or("?").to_owned() };
    }
    let choice = &said["choices"][0];
    let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Outcome::Whole { text: of(&choice["message"]["content"]), finish: of(&choice["finish_reason"]) }
}

async fn json_of(incoming: Incoming) -> Result<Value, String> {
    let bytes = incoming.collect().await.map_err(|_| "closed in the answer".to_owned())?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|_| "an answer that is no JSON".to_owned())
}

async fn alone(target: &Target, question: &Value, gap: f64) -> Result<Alone, String> {
    let outcome = target.ask(question, Leaves::Never).await;
    if let Outcome::Cut { why, .. } = outcome {
        return Err(why);
    }
    let mut gaps = Vec::new();
    if gap > 0.0 {
        let mut scored = question.clone();
        (scored["logprobs"], scored["top_logprobs"]) = (true.into(), 2.into());
        let (response, _driver) = target.post(&scored).await?;
        let said = json_of(response.into_body()).await?;
        let mut end = 0;
        for token in said["choices"][0]["logprobs"]["content"].as_array().into_iter().flatten() {
            end += token["bytes"].as_array().map_or(0, Vec::len);
            let top = |nth: usize| token["top_logprobs"][nth]["logprob"].as_f64().unwrap_or(f64::NEG_INFINITY);
            gaps.push((end, top(0) - top(1)));
        }
    }
    Ok(Alone { outcome, gaps })
}

/// What was counted.
#[derive(Default)]
struct Counts {
    asked: usize,
    right: usize,
    left: usize,
    refused: usize,
    cut_by_kill: usize,
    wrong: usize,
    within_rounding: usize,
    errors: BTreeMap<String, usize>,
    examples: Vec<Value>,
}

/// Holds an outcome against the answer alone. True where it has to be asked again, because a kill cut it.
fn judge(counts: &mut Counts, question: &Value, alone: &Alone, outcome: &Outcome, by_kill: bool, gap: f64) -> bool {
    let (told, expected) = match (outcome, &alone.outcome) {
        (Outcome::Refused { .. }, expected) if outcome == expected => {
            counts.refused += 1;
            return false;
        }
        (Outcome::Whole { text, .. }, Outcome::Whole { text: expected, .. }) => (text, expected),
        (Outcome::Left { text } | Outcome::Cut { text, .. }, Outcome::Whole { text: expected, .. }) => (text, expected),
        (Outcome::Left { text }, Outcome::Refused { .. }) if text.is_empty() => {
            counts.left += 1;
            return false;
        }
        (Outcome::Refused { .. } | Outcome::Cut { .. }, _) => (&String::new(), &String::new()),
        _ => (&String::from("an answer"), &String::from("a refusal")),
    };
    let same = match outcome {
        Outcome::Whole { .. } => outcome == &alone.outcome,
        _ => expected.starts_with(told.as_str()),
    };
    if !same {
        let at = told.bytes().zip(expected.bytes()).take_while(|(left, right)| left == right).count();
        let margin = alone.gaps.iter().find(|(end, _)| *end > at).map_or(f64::INFINITY, |(_, gap)| *gap);
        if margin <= gap {
            counts.within_rounding += 1;
        } else {
            counts.wrong += 1;
            if counts.examples.len() < 5 {
                let (outcome, expected) = (format!("{outcome:?}"), format!("{:?}", alone.outcome));
                counts.examples.push(json!({"asked": question, "told": outcome, "alone": expected, "at": at}));
            }
        }
        return false;
    }
    match outcome {
        Outcome::Whole { .. } => counts.right += 1,
        Outcome::Left { .. } => counts.left += 1,
        _ if by_kill => {
            counts.cut_by_kill += 1;
            return true;
        }
        Outcome::Refused { status, code } => *counts.errors.entry(format!("{status} {code}")).or_default() += 1,
        Outcome::Cut { why, .. } => *counts.errors.entry(why.clone()).or_default() += 1,
    }
    false
}

/// Everything that the clients share.
struct Soak {
    target: Target,
    questions: Vec<(Value, Alone)>,
    requests: usize,
    /// Before which requests the worker is killed.
    kills: Vec<usize>,
    gap: f64,
    next: AtomicUsize,
    counts: Mutex<Counts>,
}

async fn client(soak: Arc<Soak>, mut random: Random) {
    loop {
        let number = soak.next.fetch_add(1, Ordering::Relaxed);
        if number >= soak.requests {
            return;
        }
        if soak.kills.contains(&number) && !soak.target.is_away() {
            soak.target.kill_and_await().await;
        }
        let (question, alone) = &soak.questions[random.below(soak.questions.len())];
        let mut body = question.clone();
        body["stream"] = (random.below(10) < 7).into();
        body["user"] = format!("person {}", random.below(6)).into();
        if random.once_in(5) {
            body["service_tier"] = "flex".into();
        }
        let leaves = match random.below(8) {
            0 => Leaves::After(Duration::from_millis(random.below(400) as u64)),
            1 if body["stream"] == true => Leaves::AfterBytes(1 + random.below(200)),
            _ => Leaves::Never,
        };
        loop {
            let begun = Instant::now();
            let outcome = soak.target.ask(&body, leaves).await;
            let by_kill = soak.target.was_away(begun);
            let again = {
                let mut counts = held(&soak.counts);
                counts.asked += 1;
                judge(&mut counts, question, alone, &outcome, by_kill, soak.gap)
            };
            if !again {
                break;
            }
            while soak.target.is_away() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Seconds, MiB and the life of the worker, twice a second until all is asked.
async fn watch(soak: Arc<Soak>, begun: Instant) -> Vec<(f64, f64, usize)> {
    let mut samples = Vec::new();
    while soak.next.load(Ordering::Relaxed) < soak.requests {
        if !soak.target.is_away()
            && let Some(pid) = soak.target.pid()
        {
            let memory = proc_use(pid).rss_kib as f64 / 1024.0;
            samples.push((begun.elapsed().as_secs_f64(), memory, soak.target.lives.load(Ordering::Relaxed)));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    samples
}

async fn run(args: Args) {
    let mut random = Random(args.num("seed", 1));
    let requests = args.num("requests", 20_000usize);
    let kills = args.num("kills", 0usize);
    let gap = args.num("gap", 0.0f64);
    let root = args.num("root", 0u32);
    let target = Target {
        model: args.str("name", "soak"),
        key: args.str("key", "none"),
        root: (root != 0).then_some(root),
        program: args.str("program", ""),
        file: args.str("model", ""),
        address: Mutex::new(args.str("address", "")),
        worker: Mutex::default(),
        away: Mutex::default(),
        lives: AtomicUsize::new(0),
    };
    target.start();
    target.until_ready().await;
    let mut known = Vec::new();
    for question in questions(&mut random, args.num("questions", 400usize), &target.model) {
        let alone = alone(&target, &question, gap).await.unwrap_or_else(|why| panic!("asked alone: {why}: {question}"));
        known.push((question, alone));
    }
    // In the first part, so that the last life is long enough to see whether memory grows.
    let kills = (0..kills).map(|_| random.below(requests * 6 / 10)).collect();
    let (next, counts) = (AtomicUsize::new(0), Mutex::default());
    let soak = Arc::new(Soak { target, questions: known, requests, kills, gap, next, counts });
    let begun = Instant::now();
    let watched = tokio::spawn(watch(Arc::clone(&soak), begun));
    let clients = (0..args.num("clients", 24usize)).map(|_| {
        let random = Random(random.below(usize::MAX) as u64);
        tokio::spawn(client(Arc::clone(&soak), random))
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("a client came to its end");
    }
    let seconds = begun.elapsed().as_secs_f64();
    let samples = watched.await.expect("watched");
    if let Some(mut worker) = held(&soak.target.worker).take() {
        let _ = worker.kill();
        let _ = worker.wait();
    }
    let counts = held(&soak.counts);
    println!(
        "{}",
        json!({
            "requests": requests, "asked": counts.asked, "right": counts.right, "left": counts.left, "refused": counts.refused,
            "cut_by_kill": counts.cut_by_kill, "kills": soak.target.lives.load(Ordering::Relaxed), "wrong": counts.wrong,
            "within_rounding": counts.within_rounding, "errors": counts.errors, "examples": counts.examples,
            "seconds": seconds, "memory": samples,
        })
    );
}

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(run(args));
    Ok(())
}
