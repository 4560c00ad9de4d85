//! A worker process under test and the smallest HTTP client that can read a stream and leave in the middle.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// A running worker; killed when dropped.
pub(crate) struct Worker {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    lines: BufReader<std::process::ChildStdout>,
    pub(crate) address: String,
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }
}

impl Worker {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Worker::run(Command::new(example()).args(arguments))
    }

    /// A worker that may have so many KiB of address space.
    #[cfg(feature = "llama")]
    pub(crate) fn within(room: u32, arguments: &[&str]) -> Self {
        let limited = format!("ulimit -v {room} && exec \"$0\" \"$@\"");
        Worker::run(Command::new("sh").args(["-c", &limited]).arg(example()).args(arguments))
    }

    fn run(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; build it with `cargo build --examples`"));
        let stdin = child.stdin.take();
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let address = said["listening"].as_str().unwrap_or_default().to_owned();
        Worker { child, stdin, lines, address }
    }

    /// A worker that says `pieces`, and is ready.
    pub(crate) fn scripted(pieces: &str, more: &[&str]) -> Self {
        let arguments: Vec<_> = ["--scripted", pieces].iter().chain(more).copied().collect();
        Worker::start(&arguments).ready()
    }

    pub(crate) fn ready(self) -> Self {
        eventually("the worker is ready", || self.get("/health").status == 200);
        self
    }

    /// Whether it serves; false also when it is not there any more.
    #[cfg(feature = "llama")]
    pub(crate) fn is_ready(&self) -> bool {
        let Ok(mut connection) = TcpStream::connect(&self.address) else { return false };
        let mut bytes = Vec::new();
        let _ = send(&mut connection, "GET /health HTTP/1.1\r\n", b"");
        let _ = connection.read_to_end(&mut bytes);
        bytes.starts_with(b"HTTP/1.1 200")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the end; what was said last and the exit status.
    pub(crate) fn end(&mut self) -> (String, ExitStatus) {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).expect("text");
        (rest.lines().last().unwrap_or_default().to_owned(), self.child.wait().expect("ended"))
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        exchange(self.connect(), &format!("GET {path} HTTP/1.1\r\n"), b"")
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &Value) -> Reply {
        exchange(self.connect(), &format!("{method} {path} HTTP/1.1\r\n"), body.to_string().as_bytes())
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_bytes(path, "", body.to_string().as_bytes())
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        exchange(self.connect(), &format!("PUT {path} HTTP/1.1\r\n"), body.to_string().as_bytes())
    }

    pub(crate) fn delete(&self, path: &str) -> Reply {
        exchange(self.connect(), &format!("DELETE {path} HTTP/1.1\r\n"), b"")
    }

    pub(crate) fn post_bytes(&self, path: &str, headers: &str, body: &[u8]) -> Reply {
        exchange(self.connect(), &format!("POST {path} HTTP/1.1\r\n{headers}"), body)
    }

    /// Begins a request and reads nothing.
    pub(crate) fn begin(&self, path: &str, body: &Value) -> TcpStream {
        let mut connection = self.connect();
        send(&mut connection, &format!("POST {path} HTTP/1.1\r\n"), body.to_string().as_bytes()).expect("sent");
        connection
    }

    /// Begins a request and reads up to the head of the answer.
    pub(crate) fn open(&self, path: &str, body: &Value) -> BufReader<TcpStream> {
        BufReader::new(self.begin(path, body))
    }

    /// All events of a stream, the last one raw.
    pub(crate) fn stream(&self, path: &str, body: &Value) -> Vec<String> {
        let reader = self.open(path, body);
        let lines = reader.lines().map(|line| line.expect("whole lines"));
        lines.filter_map(|line| line.strip_prefix("data: ").map(str::to_owned)).collect()
    }

    pub(crate) fn active(&self) -> u64 {
        self.get("/health").json()["active"].as_u64().expect("a count")
    }

    fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(&self.address).expect("connected");
        connection.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
        connection
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The example that stands for `portico engine`; it lies beside the test's own folder.
pub(crate) fn example() -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    test.parent().and_then(|deps| deps.parent()).expect("target folders").join("examples/worker")
}

fn send(connection: &mut impl Write, start: &str, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "{start}Host: test\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes())?;
    connection.write_all(body)
}

/// One request on `connection`, which is read to its end.
pub(crate) fn exchange(mut connection: impl Read + Write, start: &str, body: &[u8]) -> Reply {
    // A server that has refused need not read the rest.
    let _ = send(&mut connection, start, body);
    let mut bytes = Vec::new();
    let _ = connection.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Reply { status, head: head.to_lowercase(), body: bytes[end + 4..].to_vec() }
}

/// Polls until `holds`, at most 20 s.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The text of a stream's chunks, its first finish reason, and whether it ended with [DONE].
pub(crate) fn told(events: &[String]) -> (String, Option<String>, bool) {
    let mut text = String::new();
    let mut finish = None;
    for event in events.iter().filter(|event| *event != "[DONE]") {
        let chunk: Value = serde_json::from_str(event).expect("JSON");
        let choice = &chunk["choices"][0];
        text.push_str(choice["delta"]["content"].as_str().or(choice["text"].as_str()).unwrap_or_default());
        finish = finish.or_else(|| choice["finish_reason"].as_str().map(str::to_owned));
    }
    (text, finish, events.last().is_some_and(|event| event == "[DONE]"))
}
