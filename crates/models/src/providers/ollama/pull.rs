//! A pull under way: one JSON object a line, until `success`, an error, or the connection's end.

use std::time::Duration;

use bytes::{Buf, BytesMut};
use domain::{ModelError, TimedOut};
use http::Response;
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::time::timeout;

/// Ollama says nothing while it checks what it fetched, which on a slow disk takes minutes.
const SILENCE: Duration = Duration::from_secs(600);
/// The longest line, in bytes.
const LONGEST_LINE: usize = 1 << 20;

/// What Ollama says of a pull.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Progress {
    /// `pulling manifest`, `pulling 6a0746a1ec1a`, `verifying sha256 digest`, `writing manifest`, `success` …
    #[serde(default)]
    pub(crate) status: String,
    /// The layer, where one is being fetched.
    #[serde(default)]
    pub(crate) digest: Option<String>,
    /// Its size in bytes.
    #[serde(default)]
    pub(crate) total: Option<u64>,
    /// What is there of it, in bytes.
    #[serde(default)]
    pub(crate) completed: Option<u64>,
}

/// The lines still to come. Dropping it ends the pull; what was fetched stays on Ollama's disk.
pub(crate) struct Pulling {
    body: egress::Body,
    read: BytesMut,
    url: String,
    done: bool,
}

impl std::fmt::Debug for Pulling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pulling").field("url", &self.url).finish_non_exhaustive()
    }
}

/// A line is progress or an error.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    error: Option<String>,
    #[serde(flatten)]
    progress: Progress,
}

impl Pulling {
    pub(super) fn new(answer: Response<egress::Body>, url: &str) -> Self {
        Pulling { body: answer.into_body(), read: BytesMut::new(), url: url.to_owned(), done: false }
    }

    /// The next line; `None` after `success`. Any other ending is an error.
    pub(crate) async fn next(&mut self) -> Result<Option<Progress>, ModelError> {
        if self.done {
            return Ok(None);
        }
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end);
                self.read.advance(1);
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return self.take(&line).map(Some);
            }
            if self.read.len() > LONGEST_LINE {
                return Err(self.garbled(format!("a line is longer than {LONGEST_LINE} bytes")));
            }
            let frame = timeout(SILENCE, self.body.frame()).await.map_err(|_| ModelError::TimedOut {
                url: self.url.clone(),
                clock: TimedOut::Idle,
                after: SILENCE,
            })?;
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.read.extend_from_slice(&data);
                    }
                }
                Some(Err(_)) => return Err(ModelError::Cut { url: self.url.clone() }),
                // The last line may have no end.
                None if !self.read.trim_ascii().is_empty() => {
                    let line = std::mem::take(&mut self.read);
                    return self.take(&line).map(Some);
                }
                None => return Err(ModelError::Cut { url: self.url.clone() }),
            }
        }
    }

    fn take(&mut self, line: &[u8]) -> Result<Progress, ModelError> {
        let line: Line = serde_json::from_slice(line).map_err(|error| self.garbled(error.to_string()))?;
        if let Some(message) = line.error {
            return Err(ModelError::Broken { status: None, message, retry_after: None });
        }
        self.done = line.progress.status == "success";
        Ok(line.progress)
    }

    fn garbled(&self, reason: String) -> ModelError {
        ModelError::Garbled { url: self.url.clone(), reason }
    }
}
