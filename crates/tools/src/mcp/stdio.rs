//! A server that is a program started here: a message a line on its standard input and output. It inherits nothing of the portal's
//! environment but `PATH`; it and whatever it started end with its session, and are waited for.

use std::collections::HashMap;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::ToolError;
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group, waitpgid};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child as Process, ChildStdin, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::session::{Fault, Heard, answers, cancelled, failed, line, messages};
use super::{LARGEST_MESSAGE, Program, filled};
use crate::auth::Secrets;
use crate::mask::masked;

/// A program that nobody asks for so long is let go; the next question starts it again.
const IDLE: Duration = Duration::from_secs(600);
/// How long it may take to end by itself once its input is closed.
const FAREWELL: Duration = Duration::from_secs(2);
/// How much is remembered of what it said on standard error, in bytes.
const REMEMBERED: usize = 2_048;

/// A program that runs.
pub(super) struct Child {
    out: mpsc::Sender<Vec<u8>>,
    shared: Arc<Shared>,
    /// Dropped, it lets the program go.
    leave: Mutex<Option<oneshot::Sender<()>>>,
}

/// What its tasks know together.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<u64, oneshot::Sender<Value>>,
    /// Why it is over.
    ended: Option<String>,
    /// The last words on standard error.
    said: Vec<u8>,
    /// How often it was asked, so that idleness is seen.
    asked: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Child {
    pub(super) fn start(program: &Program, secrets: &Secrets, heard: Heard) -> Result<Child, ToolError> {
        let mut command = Command::new(&program.command);
        command.args(&program.args).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into()));
        command.env("LANG", "C.UTF-8");
        command.envs(program.env.iter().map(|(name, value)| (name, filled(value, secrets))));
        if let Some(cwd) = &program.cwd {
            command.current_dir(cwd);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut process = command
            .spawn()
            .map_err(|error| ToolError::Unreachable { url: program.command.clone(), reason: error.to_string() })?;
        let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
            return Err(failed("the system gave it no pipes"));
        };
        let id = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let group = Group { id, process };
        let shared = Arc::<Shared>::default();
        let (out, outgoing) = mpsc::channel(64);
        let (leave, left) = oneshot::channel();
        let hidden: Vec<String> = secrets.values().cloned().collect();

        let mut helpers = JoinSet::new();
        helpers.spawn(write(stdin, outgoing));
        helpers.spawn(remember(stderr, Arc::clone(&shared)));
        let reading = read(stdout, Arc::clone(&shared), heard, out.downgrade());
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(group, Arc::clone(&shared), left, reading, helpers, hidden));
        // It sees to the end of the program after this session is gone; it is dropped with the runtime, and the program with it.
        keeper.detach_all();
        Ok(Child { out, shared, leave: Mutex::new(Some(leave)) })
    }

    /// Lets it go, whoever still waits for an answer.
    pub(super) fn close(&self) {
        self.leave.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    pub(super) fn is_open(&self) -> bool {
        self.shared.lock().ended.is_none()
    }

    pub(super) async fn ask(&self, id: u64, message: &Value, may_cancel: bool) -> Result<Value, Fault> {
        let (answer, answered) = oneshot::channel();
        {
            let mut state = self.shared.lock();
            if let Some(why) = &state.ended {
                return Err(failed(format!("the server has ended: {why}")).into());
            }
            state.waiting.insert(id, answer);
            state.asked += 1;
        }
        let mut waits = Waits { child: self, id, may_cancel };
        if self.out.send(line(message)).await.is_err() {
            return Err(self.broken());
        }
        let answer = answered.await;
        waits.may_cancel = false;
        answer.map_err(|_| self.broken())
    }

    pub(super) async fn tell(&self, message: &Value) -> Result<(), Fault> {
        self.out.send(line(message)).await.map_err(|_| self.broken())
    }

    fn broken(&self) -> Fault {
        let why = self.shared.lock().ended.clone().unwrap_or_else(|| "it closed its input".to_owned());
        failed(format!("the server ended before it answered: {why}; it is started again with the next call")).into()
    }
}

/// A question that is being waited for. Dropped before its end, it is called back.
struct Waits<'c> {
    child: &'c Child,
    id: u64,
    may_cancel: bool,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.child.shared.lock().waiting.remove(&self.id);
        if self.may_cancel {
            // Where its input is full it is past listening.
            let _ = self.child.out.try_send(line(&cancelled(self.id)));
        }
    }
}

/// A process and whatever it started in its group. Dropped, all of it is killed; the runtime waits for it.
struct Group {
    process: Process,
    /// Until nothing of it is left.
    id: Option<Pid>,
}

impl Group {
    fn kill(&self) {
        if let Some(group) = self.id {
            // It may have ended just now.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Waits for all of it. What it started becomes the portal's own to wait for where the portal is the first process of a
    /// container; anywhere else somebody else waits, and there is nobody here.
    async fn end(&mut self) {
        self.kill();
        let _ = self.process.wait().await;
        let Some(group) = self.id.take() else { return };
        for _ in 0..100 {
            match waitpgid(group, WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                Ok(None) => tokio::time::sleep(Duration::from_millis(10)).await,
                Err(_) => return,
            }
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sees to the end of a program: it ends by itself, breaks the protocol, is let go, or is not asked any more.
async fn keep(
    mut group: Group,
    shared: Arc<Shared>,
    mut left: oneshot::Receiver<()>,
    reading: impl Future<Output = String>,
    mut helpers: JoinSet<()>,
    hidden: Vec<String>,
) {
    let mut reading = Box::pin(reading);
    let why = loop {
        let asked = shared.lock().asked;
        tokio::select! {
            status = group.process.wait() => break words(status),
            why = &mut reading => match timeout(Duration::from_millis(200), group.process.wait()).await {
                Ok(status) => break words(status),
                Err(_) => break why,
            },
            _ = &mut left => break "it was let go".to_owned(),
            () = tokio::time::sleep(IDLE) => {
                let state = shared.lock();
                if state.asked == asked && state.waiting.is_empty() {
                    break "nobody asked it for ten minutes".to_owned();
                }
            }
        }
    };
    // What it said last may still be on its way, and tells more than its exit code.
    tokio::time::sleep(Duration::from_millis(20)).await;
    {
        let mut state = shared.lock();
        let said = String::from_utf8_lossy(&state.said);
        let last = said.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let hidden: Vec<&str> = hidden.iter().map(String::as_str).collect();
        let last = crate::mask::cut(&masked(last, &hidden), 300);
        let why = if last.is_empty() { why } else { format!("{why}; it said: {last}") };
        state.ended = Some(why);
        state.waiting.clear();
    }
    // Its input closes, as the protocol says farewell; what has not ended then is killed.
    helpers.abort_all();
    while helpers.join_next().await.is_some() {}
    drop(reading);
    let _ = timeout(FAREWELL, group.process.wait()).await;
    group.end().await;
}

fn words(status: std::io::Result<ExitStatus>) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.map(|status| (status.signal(), status.code())) {
        Ok((Some(9), _)) => "it was killed (signal 9)".to_owned(),
        Ok((Some(signal), _)) => format!("it ended by signal {signal}"),
        Ok((_, Some(code))) => format!("it ended with code {code}"),
        Ok(_) => "it ended".to_owned(),
        Err(error) => error.to_string(),
    }
}

async fn write(mut stdin: ChildStdin, mut outgoing: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = outgoing.recv().await {
        if stdin.write_all(&line).await.is_err() || stdin.flush().await.is_err() {
            return;
        }
    }
}

async fn remember(mut stderr: impl AsyncRead + Unpin, shared: Arc<Shared>) {
    let mut piece = vec![0; 4_096];
    while let Ok(count @ 1..) = stderr.read(&mut piece).await {
        let mut state = shared.lock();
        state.said.extend_from_slice(&piece[..count]);
        let surplus = state.said.len().saturating_sub(REMEMBERED);
        state.said.drain(..surplus);
    }
}

/// Hands each line to whom it is for, until there are no more; says why.
async fn read(
    stdout: impl AsyncRead + Unpin,
    shared: Arc<Shared>,
    heard: Heard,
    out: mpsc::WeakSender<Vec<u8>>,
) -> String {
    let mut stdout = BufReader::new(stdout);
    let mut whole = Vec::new();
    loop {
        let (count, ended) = match stdout.fill_buf().await {
            Ok([]) => return "it closed its output".to_owned(),
            Err(error) => return error.to_string(),
            Ok(read) => match memchr::memchr(b'\n', read) {
                Some(at) => {
                    whole.extend_from_slice(&read[..at]);
                    (at + 1, true)
                }
                None => {
                    whole.extend_from_slice(read);
                    (read.len(), false)
                }
            },
        };
        stdout.consume(count);
        if whole.len() > LARGEST_MESSAGE {
            return format!("it sent a message larger than {LARGEST_MESSAGE} bytes");
        }
        if !ended {
            continue;
        }
        let Ok(value) = serde_json::from_slice::<Value>(&whole) else {
            // A banner, or what a library prints: no message, and no reason to end.
            tracing::debug!(bytes = whole.len(), "a server's output that is no message");
            whole.clear();
            continue;
        };
        whole.clear();
        for message in messages(value) {
            take(message, &shared, &heard, &out);
        }
    }
}

fn take(message: Value, shared: &Shared, heard: &Heard, out: &mpsc::WeakSender<Vec<u8>>) {
    if let Some(back) = heard.take(&message) {
        if let Some(out) = out.upgrade() {
            // It asks faster than it listens: what it asked stays unanswered.
            let _ = out.try_send(line(&back));
        }
        return;
    }
    let Some(id) = message["id"].as_u64().filter(|id| answers(&message, *id)) else { return };
    if let Some(waiting) = shared.lock().waiting.remove(&id) {
        let _ = waiting.send(message);
    }
}
