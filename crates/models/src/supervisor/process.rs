//! A worker's process, and the contract with it.
//!
//! Its standard input stays open as long as the portal lives; at its end the worker exits, so that it never outlives a portal that
//! was killed. On standard output it writes one JSON line, `{"listening":"127.0.0.1:PORT"}`, and where it can never serve
//! `{"failed":"a sentence"}` before it exits with 3. Every request carries the key of `PORTICO_ENGINE_KEY`.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{Key, WorkerConfig};

/// The exit code of a worker that can never serve.
const CANNOT_SERVE: i32 = 3;
/// After standard input was closed: when it is asked to go, and when it is made to.
const ASK_AFTER: Duration = Duration::from_secs(2);
const KILL_AFTER: Duration = Duration::from_secs(3);

pub(super) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    contact: Contact,
    listener: JoinSet<()>,
}

/// How to reach a worker.
#[derive(Clone)]
pub(super) struct Contact {
    pub(super) key: Key,
    pub(super) said: watch::Receiver<Said>,
}

/// What it has said on standard output.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub(super) listening: Option<SocketAddr>,
    failed: Option<String>,
}

/// How it ended by itself.
pub(super) enum Exit {
    /// It can never serve, and says why.
    Failed(String),
    /// It died of this.
    Died(String),
}

impl Process {
    pub(super) fn spawn(config: &WorkerConfig) -> io::Result<Process> {
        let key = random_key()?;
        let mut command = Command::new(&config.program);
        command.args(&config.args);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PORTICO_")) {
            command.env_remove(name);
        }
        command.envs(config.env.iter().cloned()).env("PORTICO_ENGINE_KEY", &key);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        // A group of its own: Ctrl-C in a terminal is for the portal, which drains before it lets its workers go.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (say, said) = watch::channel(Said::default());
        let mut listener = JoinSet::new();
        if let Some(stdout) = child.stdout.take() {
            listener.spawn(listen(stdout, say));
        }
        let stdin = child.stdin.take();
        Ok(Process { child, stdin, contact: Contact { key: Key::new(&key), said }, listener })
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    pub(super) fn contact(&self) -> Contact {
        self.contact.clone()
    }

    /// Waits until it ends by itself.
    pub(super) async fn exited(&mut self) -> Exit {
        let status = self.child.wait().await;
        // Its last line may still be on its way.
        let _ = timeout(Duration::from_secs(1), self.listener.join_next()).await;
        let failed = self.contact.said.borrow().failed.clone();
        match status {
            Ok(status) if status.code() == Some(CANNOT_SERVE) => {
                Exit::Failed(failed.unwrap_or_else(|| "the worker gave no reason".to_owned()))
            }
            Ok(status) => Exit::Died(failed.unwrap_or_else(|| words(status))),
            Err(error) => Exit::Died(format!("it could not be waited for: {error}")),
        }
    }

    /// Lets it go in order: its input closes, then it is asked, then it is made to.
    pub(super) async fn stop(mut self) {
        drop(self.stdin.take());
        if timeout(ASK_AFTER, self.child.wait()).await.is_ok() {
            return;
        }
        self.signal(Signal::TERM);
        if timeout(KILL_AFTER, self.child.wait()).await.is_err() {
            self.kill().await;
        }
    }

    /// Ends it at once, and whatever it started.
    pub(super) async fn kill(mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.kill().await;
    }

    fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        if let Some(group) = pid {
            // It may have ended just now.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// Reads what it says; lines that are not for us are passed over.
async fn listen(stdout: ChildStdout, say: watch::Sender<Said>) {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Line {
        Listening(SocketAddr),
        Failed(String),
    }
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        match serde_json::from_str(&line) {
            Ok(Line::Listening(address)) => say.send_modify(|said| said.listening = Some(address)),
            Ok(Line::Failed(sentence)) => say.send_modify(|said| said.failed = Some(sentence)),
            Err(_) => tracing::debug!(line, "a worker's output"),
        }
    }
}

/// 256 bits, as hex.
fn random_key() -> io::Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

fn words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(9), _) => "it was killed (signal 9), by a person or because memory ran out".to_owned(),
        (Some(6), _) => "it gave up (signal 6): the engine met something it cannot compute".to_owned(),
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => status.to_string(),
    }
}
