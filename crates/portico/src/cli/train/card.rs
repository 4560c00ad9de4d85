//! The card of an adapter: which model it belongs to, what it learned, how, and what came of it. Whoever has the same files can make it again.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::Context as _;
use domain::{Clock as _, SystemClock};
use engine::gguf::Head;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use training::{Lora, Settings, Shape};

use super::TrainArgs;
use super::lessons::{Lessons, Side, hex};

#[derive(Serialize)]
pub(super) struct Card {
    kind: &'static str,
    made_by: String,
    /// Milliseconds since 1970.
    made_at: i64,
    model: Base,
    data: Data,
    held_out: Option<Data>,
    adapter: Lora,
    epochs: usize,
    settings: Settings,
    pub(super) losses: Ends,
}

#[derive(Serialize)]
struct Base {
    file: String,
    sha256: String,
    name: Option<String>,
    architecture: &'static str,
    parameters: u64,
    /// Whether its own chat template wrote what was learned.
    chat_template: bool,
    /// Where it comes from at Hugging Face, as its file says.
    repository: Option<String>,
}

#[derive(Serialize)]
struct Data {
    name: String,
    sha256: String,
    examples: usize,
    tokens: usize,
    /// Of them, those of answers: what is learned.
    answer_tokens: usize,
    /// Examples that were longer than they may be.
    cut: usize,
}

/// In nats for each token of an answer.
#[derive(Default, Serialize)]
pub(super) struct Ends {
    pub(super) first: Option<f64>,
    pub(super) last: Option<f64>,
    /// Of the model without the adapter.
    pub(super) held_out_before: Option<f64>,
    pub(super) held_out_after: Option<f64>,
}

impl Card {
    pub(super) fn new(
        args: &TrainArgs,
        head: &Head,
        shape: &Shape,
        lora: &Lora,
        lessons: &Lessons,
        settings: &Settings,
    ) -> anyhow::Result<Card> {
        let model = Base {
            file: file_name(&args.model),
            sha256: checksum(&args.model)?,
            name: head.text("general.name").map(str::to_owned),
            architecture: shape.architecture.name(),
            parameters: shape.parameters(),
            chat_template: lessons.templated,
            repository: repository(head),
        };
        let data = |side: &Side, name: Option<&String>| Data {
            name: name.cloned().unwrap_or_else(|| file_name(&side.path)),
            sha256: side.sha256.clone(),
            examples: side.examples.len(),
            tokens: side.tokens,
            answer_tokens: side.answers,
            cut: side.cut,
        };
        Ok(Card {
            kind: "lora",
            made_by: format!("portico {}", env!("CARGO_PKG_VERSION")),
            made_at: SystemClock::new().now().0,
            model,
            data: data(&lessons.learned, args.data_name.as_ref()),
            held_out: lessons.held_out.as_ref().map(|side| data(side, args.data_name.as_ref())),
            adapter: lora.clone(),
            epochs: args.epochs,
            settings: settings.clone(),
            losses: Ends::default(),
        })
    }

    /// What PEFT's configuration calls the model: its place at Hugging Face where the file says so, else the file.
    pub(super) fn base(&self) -> String {
        self.model.repository.clone().unwrap_or_else(|| self.model.file.clone())
    }

    pub(super) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        let partial = path.with_extension("partial");
        std::fs::write(&partial, text + "\n")
            .and_then(|()| std::fs::rename(&partial, path))
            .with_context(|| path.display().to_string())
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn checksum(path: &Path) -> anyhow::Result<String> {
    let mut sum = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    loop {
        match file.read(&mut buffer).with_context(|| path.display().to_string())? {
            0 => return Ok(hex(&sum.finalize())),
            read => sum.update(&buffer[..read]),
        }
    }
}

/// `ORGANISATION/NAME` of the model or of what it was quantised from.
fn repository(head: &Head) -> Option<String> {
    let url = ["general.base_model.0.repo_url", "general.repo_url"].iter().find_map(|key| head.text(key))?;
    url.strip_prefix("https://huggingface.co/").map(str::to_owned)
}
