//! The program that trains, and the contract with it.
//!
//! On standard output it writes one JSON line a step, `{"step":1,"steps":90,"loss":3.2,"held_out":null,"state":"running",…}`, the last
//! with `"state":"done"` or `"stopped"`; where it cannot do its work `{"failed":"a sentence"}` and it exits with another code than 0.
//! Told to stop (SIGTERM) it writes its checkpoint and ends. Its standard input stays open as long as the portal lives; at its end
//! it does the same, so that it never outlives a portal that was killed.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group, setpriority_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::Program;

/// As nice as a process can be without standing still: whoever asks a model goes first.
const PRIORITY: i32 = 15;

/// The running program.
pub(super) struct Child {
    child: tokio::process::Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Held open: its end is the end of the portal.
    _stdin: Option<ChildStdin>,
    end: Option<End>,
}

/// What it says of a step.
pub(super) struct Said {
    pub(super) step: u32,
    pub(super) loss: Option<f64>,
    pub(super) held_out: Option<f64>,
    /// The whole line.
    pub(super) told: Value,
}

/// How it ended.
#[derive(Debug, Clone)]
pub(super) enum End {
    Done,
    Stopped,
    Failed(String),
}

impl Child {
    pub(super) fn spawn(program: &Program) -> std::io::Result<Child> {
        let mut command = Command::new(&program.path);
        command.args(&program.args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PORTICO_")) {
            command.env_remove(name);
        }
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn()?;
        if let Some(pid) = pid(&child)
            && let Err(error) = setpriority_process(Some(pid), PRIORITY)
        {
            tracing::warn!(%error, "a training job keeps the priority of the portal");
        }
        let stdout = child.stdout.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
        let _stdin = child.stdin.take();
        Ok(Child { child, lines: BufReader::new(stdout).lines(), _stdin, end: None })
    }

    /// The next step it tells of; `None` at the end of its output. Cancel safe.
    pub(super) async fn line(&mut self) -> Option<Said> {
        while let Ok(Some(line)) = self.lines.next_line().await {
            let Ok(told) = serde_json::from_str::<Value>(&line) else {
                tracing::debug!(line, "a trainer's output");
                continue;
            };
            if let Some(why) = told["failed"].as_str() {
                self.end = Some(End::Failed(why.to_owned()));
            }
            match told["state"].as_str() {
                Some("done") => self.end = Some(End::Done),
                Some("stopped") => self.end = Some(End::Stopped),
                _ => {}
            }
            if let Some(step) = told["step"].as_u64().and_then(|step| u32::try_from(step).ok()) {
                let (loss, held_out) = (told["loss"].as_f64(), told["held_out"].as_f64());
                return Some(Said { step, loss, held_out, told });
            }
        }
        None
    }

    /// Tells it, and whatever it started.
    pub(super) fn signal(&self, signal: Signal) {
        if let Some(pid) = pid(&self.child) {
            // It may have ended just now.
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Waits for its end.
    pub(super) async fn ended(mut self) -> End {
        let status = match self.child.wait().await {
            Ok(status) => status,
            Err(error) => return End::Failed(format!("it could not be waited for: {error}")),
        };
        match self.end {
            Some(End::Failed(why)) => End::Failed(why),
            Some(end) if status.success() => end,
            _ => End::Failed(format!("the trainer ended without a word ({status}); the portal's log may say more")),
        }
    }
}

fn pid(child: &tokio::process::Child) -> Option<Pid> {
    child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw)
}
