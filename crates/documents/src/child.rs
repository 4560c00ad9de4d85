//! The portal's side: a file goes to a process of its own, blocks or a sentence come back, in time and within bounds, whatever the
//! process does.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use crate::{Block, Error, limits};

/// Its output may be so long: blocks as JSON, with room for what is escaped in them.
const LINES: u64 = 4 * limits::OUTPUT as u64;
/// What it says on standard error is a sentence.
const SAID: u64 = 4096;

/// Reads files by way of `portico extract`.
#[derive(Debug, Clone)]
pub struct Extractor {
    program: PathBuf,
    wall: Duration,
    /// How it is read, as a flag of the verb.
    flag: Option<&'static str>,
}

impl Extractor {
    /// `program` is the binary that knows the verb `extract`: the portal's own.
    pub fn new(program: impl Into<PathBuf>) -> Extractor {
        Extractor { program: program.into(), wall: limits::WALL, flag: None }
    }

    /// Waits so long for a file, not longer.
    #[must_use]
    pub fn within(mut self, wall: Duration) -> Extractor {
        self.wall = wall;
        self
    }

    /// Of a PDF, the parts of its lines instead of paragraphs and tables.
    #[must_use]
    pub fn lines(mut self) -> Extractor {
        self.flag = Some("--lines");
        self
    }

    /// Plain text as the table that somebody calls it.
    #[must_use]
    pub fn table(mut self) -> Extractor {
        self.flag = Some("--table");
        self
    }

    /// The blocks of a file. Dropping the future ends the process.
    ///
    /// # Errors
    /// Why the file cannot be read; [`Error::Failed`] is the only class that is not the file's fault.
    pub async fn extract(&self, file: File) -> Result<Vec<Block>, Error> {
        let size = file.metadata().map_err(failed)?.len();
        if size > limits::FILE {
            return Err(Error::TooLarge(format!("it has more than {} MiB", limits::FILE >> 20)));
        }
        let mut command = Command::new(&self.program);
        // Nothing of the portal's environment is the child's business: keys may be in it. The loader's path it needs
        // where the binary is linked with a GPU's libraries.
        command.arg("extract").args(self.flag).arg("-");
        command.env_clear().current_dir("/").process_group(0).kill_on_drop(true);
        if let Some(path) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", path);
        }
        command.stdin(Stdio::from(file)).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Error::Failed("it has no output".to_owned()));
        };
        let work = async {
            let (blocks, said) = tokio::join!(blocks(stdout), said(stderr));
            if blocks.is_err() {
                // It may still be writing to a pipe that nobody reads.
                let _ = child.start_kill();
            }
            (blocks, said, child.wait().await)
        };
        let done = tokio::time::timeout(self.wall, work).await;
        let Ok((blocks, said, status)) = done else { return Err(Error::TimedOut(self.wall)) };
        let blocks = blocks?;
        let status = status.map_err(failed)?;
        if status.success() { Ok(blocks) } else { Err(why(status, &said)) }
    }
}

async fn blocks(stdout: impl AsyncRead + Unpin) -> Result<Vec<Block>, Error> {
    let mut lines = BufReader::new(stdout.take(LINES + 1)).lines();
    let (mut blocks, mut bytes) = (Vec::new(), 0_u64);
    while let Some(line) = lines.next_line().await.map_err(failed)? {
        bytes += line.len() as u64 + 1;
        if bytes > LINES {
            return Err(Error::TooLarge(format!("its text takes more than {} MiB", limits::OUTPUT >> 20)));
        }
        // A process that was killed leaves half a line; its status says why.
        let Ok(block) = serde_json::from_str(&line) else { break };
        blocks.push(block);
    }
    Ok(blocks)
}

/// The last line of standard error; what is too much is read and forgotten, so that the process never waits.
async fn said(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut kept = Vec::new();
    let _ = (&mut stderr).take(SAID).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).lines().last().unwrap_or_default().to_owned()
}

fn why(status: ExitStatus, said: &str) -> Error {
    use rustix::process::Signal;
    let by = |signal: Signal| status.signal() == Some(signal.as_raw());
    match status.code() {
        Some(code) => Error::of_exit(code, said),
        None if by(Signal::XCPU) || by(Signal::KILL) => Error::TimedOut(limits::CPU),
        None if by(Signal::ABORT) => {
            Error::TooLarge(format!("reading it takes more than {} MiB of memory", limits::MEMORY >> 20))
        }
        None => Error::Damaged("the reader broke down over it".to_owned()),
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::Failed(error.to_string())
}
