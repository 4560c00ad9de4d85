//! A program that nobody vouches for, run on this machine: the portal's side. A process of its own ([`enter`]) walls itself in and
//! starts the program as the first process of a world without network, without this machine's files, with one processor and little
//! memory. What the program is, is the caller's business; so is what its output means.

mod filter;
mod inside;
mod root;
mod watch;
mod wire;

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use domain::ToolError;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;
use tokio::sync::Semaphore;

pub use inside::enter;
pub(crate) use wire::{Ended, File, Job, Report};

/// Bytes that a program may write to its standard output and to its standard error, each.
pub(crate) const SAID: usize = 256 << 10;
/// Bytes of all files that it is given.
pub(crate) const GIVEN: usize = 32 << 20;
/// Bytes of its scratch folder, which is memory.
pub(crate) const SCRATCH: u64 = 96 << 20;
/// Bytes of one file that comes back, of all of them, and how many they may be.
pub(crate) const LEFT_ONE: usize = 2 << 20;
pub(crate) const LEFT_ALL: usize = 8 << 20;
pub(crate) const LEFT_FILES: usize = 16;
/// Bytes that all its processes may hold in memory together, its scratch folder apart; and the address space of each.
pub(crate) const MEMORY: u64 = 512 << 20;
pub(crate) const ADDRESSES: u64 = 4 << 30;
/// Processes and threads.
pub(crate) const PROCESSES: u64 = 48;
/// How long the walls may take to stand and to fall, beside the program's own time.
const GRACE: Duration = Duration::from_secs(10);

/// Where programs are run. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sandbox {
    program: PathBuf,
    arguments: Vec<String>,
    pub(crate) python: PathBuf,
    /// Programs that run at a time; the others wait for their turn.
    turns: Arc<Semaphore>,
}

impl Sandbox {
    /// `program` with `arguments` is a process that calls [`enter`]; `python` is the interpreter that Python's tool runs.
    pub fn new(program: impl Into<PathBuf>, arguments: &[&str], python: impl Into<PathBuf>) -> Sandbox {
        let turns = std::thread::available_parallelism().map_or(1, |all| all.get().div_ceil(2));
        Sandbox {
            program: program.into(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            python: python.into(),
            turns: Arc::new(Semaphore::new(turns)),
        }
    }

    /// Runs one program to its end. Dropping the future ends it, with all that it started.
    pub(crate) async fn run(&self, job: Job, files: &[File]) -> Result<Report, ToolError> {
        let most = job.wall() + GRACE;
        let late = || ToolError::TimedOut { after: most };
        let turn = tokio::time::timeout(most, self.turns.acquire()).await.map_err(|_| late())?;
        let _turn = turn.map_err(|_| late())?;
        let work = Box::pin(self.exchange(&job, files));
        tokio::time::timeout(most, work).await.map_err(|_| late())?
    }

    async fn exchange(&self, job: &Job, files: &[File]) -> Result<Report, ToolError> {
        let failed = |error: std::io::Error| ToolError::Failed { reason: format!("the sandbox failed: {error}") };
        let mut command = Command::new(&self.program);
        // Nothing of the portal's environment is the child's business: keys may be in it. The loader's path it needs where the
        // binary is linked with a GPU's libraries.
        command.args(&self.arguments).env_clear().current_dir("/").process_group(0).kill_on_drop(true);
        if let Some(path) = std::env::var_os("LD_LIBRARY_PATH") {
            command.env("LD_LIBRARY_PATH", path);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(failed)?;
        // Held until the report is there: should it close before, the process inside knows that nobody waits any more.
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(ToolError::Failed { reason: "the sandbox has no way in or out".to_owned() });
        };
        stdin.write_all(&wire::job(job, files)).await.map_err(failed)?;
        stdin.flush().await.map_err(failed)?;
        let mut answer = Vec::new();
        stdout.take(wire::LONGEST_REPORT).read_to_end(&mut answer).await.map_err(failed)?;
        drop(stdin);
        let _ = child.wait().await;
        wire::read_report(answer)
    }
}
