//! A model of an Ollama with a LoRA adapter: the file is sent as a blob, then a model is made of the two, as `ADAPTER` in a Modelfile does. Source:
//! "Create a Model" and "Push a Blob" in docs/api.md of the ollama repository.

use std::path::Path;

use bytes::Bytes;
use domain::ModelError;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use super::super::clocks::Clocks;
use super::super::wire::rejected;
use super::{Ollama, PROBE, TimedOut, fault};

/// A larger file is not held in memory to be sent.
const LARGEST: u64 = 1 << 30;
/// What Ollama calls the file in the model; it tells adapters by the ending.
const FILE: &str = "adapter.gguf";

impl Ollama {
    /// Makes the model `name` of `base` and the adapter in `file`.
    pub(crate) async fn adapt(&self, name: &str, base: &str, file: &Path) -> Result<(), ModelError> {
        let file = file.to_owned();
        let read = tokio::task::spawn_blocking(move || read(&file)).await;
        let unread = |why: String| rejected("adapter_not_given", format!("the file of the adapter {why}"));
        let (digest, bytes) = read.map_err(|error| unread(error.to_string()))?.map_err(unread)?;
        let path = format!("/api/blobs/sha256:{digest}");
        if !self.has_blob(&path, name).await? {
            self.send_blob(&path, name, bytes).await?;
        }
        let deadline = Instant::now() + self.timeouts.first_token;
        let adapters = json!({ FILE: format!("sha256:{digest}") });
        let body = json!({"model": name, "from": base, "adapters": adapters, "stream": false});
        let answer = self.post("/api/create", &body, base, deadline).await?;
        let _: Value = self.read(answer, deadline).await?;
        Ok(())
    }

    async fn has_blob(&self, path: &str, model: &str) -> Result<bool, ModelError> {
        let mut request = self.request(Method::HEAD, path, &Value::Null)?;
        *request.body_mut() = Full::default();
        let clocks = Clocks::until(Instant::now() + PROBE, TimedOut::FirstToken);
        let answer = self.line.send(request, &clocks, &self.root).await?;
        match answer.status() {
            StatusCode::OK => Ok(true),
            StatusCode::NOT_FOUND => Ok(false),
            _ => Err(fault::read(answer, &self.root, model).await),
        }
    }

    async fn send_blob(&self, path: &str, model: &str, bytes: Bytes) -> Result<(), ModelError> {
        let mut request: Request<Full<Bytes>> = self.request(Method::POST, path, &Value::Null)?;
        *request.body_mut() = Full::new(bytes);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let clocks = Clocks::until(Instant::now() + self.timeouts.first_token, TimedOut::FirstToken);
        let answer = self.line.send(request, &clocks, &self.root).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::CREATED => Ok(()),
            _ => Err(fault::read(answer, &self.root, model).await),
        }
    }
}

fn read(file: &Path) -> Result<(String, Bytes), String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let bytes = std::fs::metadata(file).map_err(unreadable)?.len();
    if bytes > LARGEST {
        return Err(format!("has {} MiB, and at most {} are sent", bytes >> 20, LARGEST >> 20));
    }
    let bytes = std::fs::read(file).map_err(unreadable)?;
    let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((digest, bytes.into()))
}
