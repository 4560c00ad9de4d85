//! What the two sides of a sandbox tell each other: a line of JSON with the sizes of what follows it, and then the files' bytes.

use std::io::{BufRead, Read};
use std::path::PathBuf;
use std::time::Duration;

use domain::ToolError;
use serde::{Deserialize, Serialize};

/// The longest report: what was said, escaped, and the files.
pub(super) const LONGEST_REPORT: u64 = (16 * super::SAID + super::LEFT_ALL + (64 << 10)) as u64;

/// A program to run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Job {
    /// What runs it.
    pub(crate) interpreter: PathBuf,
    /// The arguments of the interpreter; `/run` holds the texts.
    pub(crate) arguments: Vec<String>,
    /// Texts that the program reads and cannot change, by name.
    pub(crate) texts: Vec<(String, String)>,
    /// Its environment, all of it.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) wall_ms: u64,
}

impl Job {
    pub(crate) fn wall(&self) -> Duration {
        Duration::from_millis(self.wall_ms)
    }
}

/// A file on its way in or out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    /// A name, never a path.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Ended {
    /// By itself, with this code.
    Exit(i32),
    /// By a signal.
    Signal(i32),
    /// Its time was up.
    Time,
    /// It took too much memory.
    Memory,
    /// It wrote too much.
    Output,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) ended: Ended,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) files: Vec<File>,
    /// What was not brought back, and why.
    pub(crate) left: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Sized<T> {
    #[serde(flatten)]
    told: T,
    files: Vec<(String, usize)>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Told {
    /// This system cannot wall anything in.
    Refused {
        reason: String,
    },
    Ran {
        ended: Ended,
        stdout: String,
        stderr: String,
        left: Vec<String>,
    },
}

pub(super) fn job(job: &Job, files: &[File]) -> Vec<u8> {
    framed(job, files)
}

pub(super) fn read_job(mut from: impl BufRead) -> std::io::Result<(Job, Vec<File>)> {
    let Sized { told, files } = read(&mut from)?;
    Ok((told, files_of(&mut from, files)?))
}

pub(super) fn report(report: Report) -> Vec<u8> {
    let Report { ended, stdout, stderr, files, left } = report;
    framed(Told::Ran { ended, stdout, stderr, left }, &files)
}

pub(super) fn refusal(reason: String) -> Vec<u8> {
    framed(Told::Refused { reason }, &[])
}

pub(super) fn read_report(bytes: Vec<u8>) -> Result<Report, ToolError> {
    let broken = |_| ToolError::Failed { reason: "the sandbox broke off".to_owned() };
    let mut from = bytes.as_slice();
    let Sized { told, files } = read::<Told>(&mut from).map_err(broken)?;
    match told {
        Told::Refused { reason } => Err(ToolError::Failed { reason }),
        Told::Ran { ended, stdout, stderr, left } => {
            let files = files_of(&mut from, files).map_err(broken)?;
            Ok(Report { ended, stdout, stderr, files, left })
        }
    }
}

fn framed(told: impl Serialize, files: &[File]) -> Vec<u8> {
    let sizes = files.iter().map(|file| (file.name.clone(), file.bytes.len())).collect();
    let mut bytes = serde_json::to_vec(&Sized { told, files: sizes }).unwrap_or_default();
    bytes.push(b'\n');
    files.iter().for_each(|file| bytes.extend_from_slice(&file.bytes));
    bytes
}

fn read<T: serde::de::DeserializeOwned>(from: &mut impl BufRead) -> std::io::Result<Sized<T>> {
    let mut line = Vec::new();
    from.take(LONGEST_REPORT).read_until(b'\n', &mut line)?;
    serde_json::from_slice(&line).map_err(std::io::Error::other)
}

fn files_of(from: &mut impl Read, sizes: Vec<(String, usize)>) -> std::io::Result<Vec<File>> {
    let mut files = Vec::with_capacity(sizes.len());
    for (name, size) in sizes {
        let mut bytes = Vec::new();
        from.take(size as u64).read_to_end(&mut bytes)?;
        if bytes.len() != size {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        files.push(File { name, bytes });
    }
    Ok(files)
}
