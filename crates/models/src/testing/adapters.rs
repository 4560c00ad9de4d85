//! What a back end with LoRA adapters answers, in the words of our own worker and in vLLM's: `/v1/adapters` with GET, POST and DELETE, and
//! `/v1/load_lora_adapter`, `/v1/unload_lora_adapter` as of <https://docs.vllm.ai/en/latest/features/lora/>. What it is told is written to a
//! file, one act a line, so that a test sees it although this may be another process.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Response};
use serde_json::{Value, json};

use super::{Body, plain, reply};

/// The adapters that are loaded.
#[derive(Default)]
pub(super) struct Adapters(Mutex<Vec<Value>>);

impl Adapters {
    /// `None` where `path` is none of theirs. `log` is the file for the acts.
    pub(super) fn answer(&self, log: &str, method: &Method, path: &str, body: &Bytes) -> Option<Response<Body>> {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        match (method, path) {
            (&Method::GET, "/adapters") => Some(reply(200, &json!({"object": "list", "data": self.list()}))),
            (&Method::POST, "/adapters") => Some(self.load(log, &body["name"], &body["path"], &body["scale"])),
            (&Method::POST, "/load_lora_adapter") => {
                Some(self.load(log, &body["lora_name"], &body["lora_path"], &Value::Null))
            }
            (&Method::POST, "/unload_lora_adapter") => Some(self.unload(log, body["lora_name"].as_str()?)),
            (&Method::DELETE, _) => Some(self.unload(log, path.strip_prefix("/adapters/")?)),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Vec<Value> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether a request for `model` names an adapter, alone or behind a colon, that is not loaded.
    pub(super) fn lacks(&self, model: &str) -> bool {
        model.split_once(':').is_some_and(|(_, adapter)| !self.list().iter().any(|known| known["id"] == adapter))
    }

    fn load(&self, log: &str, name: &Value, path: &Value, scale: &Value) -> Response<Body> {
        if !path.as_str().is_some_and(|path| Path::new(path).exists()) {
            let message = format!("the adapter {} cannot be read", name.as_str().unwrap_or_default());
            return reply(400, &json!({"error": {"message": message, "code": "adapter_refused"}}));
        }
        let mut loaded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|known| known["id"] != *name);
        let new = json!({"id": name, "object": "adapter", "parent": "mock", "path": path, "scale": scale});
        loaded.push(new.clone());
        note(log, &format!("load {} {scale}", name.as_str().unwrap_or_default()));
        reply(200, &new)
    }

    fn unload(&self, log: &str, name: &str) -> Response<Body> {
        let name = name.split('?').next().unwrap_or_default();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known["id"] != name);
        note(log, &format!("unload {name}"));
        plain(200, "Success: LoRA adapter removed successfully.")
    }
}

fn note(log: &str, act: &str) {
    let file = std::fs::File::options().create(true).append(true).open(log);
    file.and_then(|mut file| writeln!(file, "{act}")).expect("written");
}
