//! The words of Ollama's own interface: `/api/tags`, `/api/ps`, `/api/show`. Only what is used is read.
//! Source: docs/api.md of the ollama repository, and the types of PyPI's `ollama` client.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `GET /api/tags`
#[derive(Debug, Deserialize)]
pub(super) struct Tags {
    #[serde(default)]
    pub(super) models: Vec<Tag>,
}

/// One installed model.
#[derive(Debug, Deserialize)]
pub(super) struct Tag {
    pub(super) name: String,
    #[serde(default)]
    pub(super) digest: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    details: Details,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Details {
    format: String,
    family: String,
    parameter_size: String,
    quantization_level: String,
}

/// `GET /api/ps`
#[derive(Debug, Deserialize)]
pub(super) struct Processes {
    #[serde(default)]
    pub(super) models: Vec<Process>,
}

/// One model in memory.
#[derive(Debug, Deserialize)]
pub(super) struct Process {
    pub(super) name: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    size_vram: u64,
    #[serde(default)]
    expires_at: Option<String>,
    #[serde(default)]
    context_length: Option<u32>,
}

/// `POST /api/show`
#[derive(Debug, Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    template: String,
    /// `num_ctx 8192` and the like, one a line.
    #[serde(default)]
    parameters: String,
    /// GGUF's keys: `llama.context_length` …
    #[serde(default)]
    model_info: Map<String, Value>,
    #[serde(default)]
    capabilities: Option<Vec<String>>,
}

impl Shown {
    /// The context that the model was made for; a smaller one that its author set for it wins. What the server allots may be
    /// less still, and is told once the model is loaded.
    fn context(&self) -> Option<u32> {
        let set = self.parameters.lines().find_map(|line| line.trim().strip_prefix("num_ctx")?.trim().parse().ok());
        let made_for = self.model_info.iter().find(|(key, _)| key.ends_with(".context_length"));
        let made_for = made_for.and_then(|(_, value)| value.as_u64()).and_then(|count| u32::try_from(count).ok());
        set.or(made_for)
    }

    /// A template that only hands the prompt through is none.
    fn chat_template(&self) -> Option<bool> {
        let plain = self.template.trim();
        Some(!matches!(plain, "" | "{{ .Prompt }}" | "{{.Prompt}}"))
    }
}

/// A model on Ollama's disk.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Installed {
    /// `llama3:latest`
    pub name: String,
    /// Of its manifest, as hex.
    pub digest: String,
    /// On disk, in bytes.
    pub size: u64,
    /// `gguf`
    pub format: Option<String>,
    /// `llama`, `qwen3` …
    pub family: Option<String>,
    /// As Ollama writes it: `8.0B`.
    pub parameter_size: Option<String>,
    /// `Q4_K_M` …
    pub quantization: Option<String>,
    /// In tokens, where told.
    pub context: Option<u32>,
    /// Whether it has a chat template, where told.
    pub chat_template: Option<bool>,
    /// `completion`, `tools`, `vision`, `embedding`, `thinking` …, where told.
    pub capabilities: Option<Vec<String>>,
    /// What it takes in memory; `None` while it is not there.
    pub loaded: Option<Loaded>,
}

/// A model in memory.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Loaded {
    /// Bytes, all together.
    pub size: u64,
    /// Bytes on a GPU.
    pub size_vram: u64,
    /// When it leaves, as Ollama writes it (RFC 3339).
    pub expires_at: Option<String>,
    /// The context it was loaded with, in tokens.
    pub context: Option<u32>,
}

impl From<&Process> for Loaded {
    fn from(process: &Process) -> Self {
        Loaded {
            size: process.size,
            size_vram: process.size_vram,
            expires_at: process.expires_at.clone(),
            context: process.context_length,
        }
    }
}

impl Installed {
    pub(super) fn new(tag: Tag, shown: Option<&Shown>, loaded: Option<Loaded>) -> Self {
        let said = |text: String| Some(text).filter(|text| !text.is_empty() && text != "unknown");
        let allotted = loaded.as_ref().and_then(|loaded| loaded.context);
        Installed {
            name: tag.name,
            digest: tag.digest,
            size: tag.size,
            format: said(tag.details.format),
            family: said(tag.details.family),
            parameter_size: said(tag.details.parameter_size),
            quantization: said(tag.details.quantization_level),
            context: allotted.or_else(|| shown.and_then(Shown::context)),
            chat_template: shown.and_then(Shown::chat_template),
            capabilities: shown.and_then(|shown| shown.capabilities.clone()),
            loaded,
        }
    }
}
