//! Where the dialect begins: people paste addresses with `/v1`, without it, and with `/chat/completions` at the end.

use domain::{Offered, Task};
use http::Uri;
use openai::ModelEntry;
use serde_json::Value;

/// A base URL as it was given, and what it can mean.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    text: String,
    candidates: Vec<Endpoints>,
}

/// The addresses under one base.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    pub(crate) base: String,
    pub(crate) models: Uri,
    chat: Uri,
    completions: Uri,
    embeddings: Uri,
    rerank: Uri,
    transcriptions: Uri,
    translations: Uri,
    speech: Uri,
    images: Uri,
}

impl Base {
    /// Reads an address. One that ends in a version (`/v1`, `/compatible-mode/v1`, `/v4`) is taken at its word; any other may
    /// have its `/v1` left out.
    pub(crate) fn read(text: &str) -> Result<Base, String> {
        let mut base = text.trim().trim_end_matches('/');
        for tail in ["/chat/completions", "/completions", "/models"] {
            base = base.strip_suffix(tail).unwrap_or(base).trim_end_matches('/');
        }
        let uri: Uri = base.parse().map_err(|_| format!("{text:?} is not an address"))?;
        egress::Origin::of(&uri).map_err(|error| error.to_string())?;
        if uri.query().is_some() {
            return Err(format!("{base:?} has a query; an address ends before the question mark"));
        }
        let mut candidates = Vec::with_capacity(2);
        if !ends_in_version(base) {
            candidates.push(Endpoints::under(&format!("{base}/v1"))?);
        }
        candidates.push(Endpoints::under(base)?);
        Ok(Base { text: base.to_owned(), candidates })
    }

    pub(crate) fn shown(&self) -> &str {
        &self.text
    }

    /// The endpoints, where the address can mean only one thing.
    pub(crate) fn settled(&self) -> Option<Endpoints> {
        match self.candidates.as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    pub(crate) fn candidates(&self) -> Vec<Endpoints> {
        self.candidates.clone()
    }
}

fn ends_in_version(base: &str) -> bool {
    let last = base.rsplit('/').next().unwrap_or_default();
    let digits = last.strip_prefix('v').unwrap_or_default();
    digits.starts_with(|c: char| c.is_ascii_digit()) && digits.chars().all(|c| c.is_ascii_alphanumeric())
}

impl Endpoints {
    fn under(base: &str) -> Result<Endpoints, String> {
        let at = |path: &str| format!("{base}{path}").parse::<Uri>().map_err(|error| format!("{base:?}: {error}"));
        Ok(Endpoints {
            base: base.to_owned(),
            models: at("/models")?,
            chat: at("/chat/completions")?,
            completions: at("/completions")?,
            embeddings: at("/embeddings")?,
            rerank: at("/rerank")?,
            transcriptions: at("/audio/transcriptions")?,
            translations: at("/audio/translations")?,
            speech: at("/audio/speech")?,
            images: at("/images/generations")?,
        })
    }

    /// Where that is asked for.
    pub(crate) fn of(&self, task: Task) -> &Uri {
        match task {
            Task::Chat => &self.chat,
            Task::Completion => &self.completions,
            Task::Embeddings => &self.embeddings,
            Task::Rerank => &self.rerank,
            Task::Transcription => &self.transcriptions,
            Task::Translation => &self.translations,
            Task::Speech => &self.speech,
            Task::Image => &self.images,
        }
    }
}

/// What a list entry tells beyond its name, in the words of vLLM (`max_model_len`), llama-server (`meta.n_ctx`, and as a router of
/// several models `status.value`), our own worker (`meta.context_length`, `meta.has_chat_template`, `meta.parallel`, `meta.capabilities`,
/// `status.progress`) and others.
pub(crate) fn offered(entry: ModelEntry) -> Offered {
    let meta = entry.extra.get("meta");
    let number = |value: Option<&Value>| value.and_then(Value::as_u64).and_then(|count| u32::try_from(count).ok());
    let context = ["max_model_len", "context_length", "context_window", "max_context_length", "n_ctx"]
        .into_iter()
        .find_map(|name| number(entry.extra.get(name)).or_else(|| number(meta.and_then(|meta| meta.get(name)))));
    let chat_template = meta.and_then(|meta| meta.get("has_chat_template")).and_then(Value::as_bool);
    let concurrency = number(meta.and_then(|meta| meta.get("parallel"))).filter(|places| *places > 0);
    let words = meta.and_then(|meta| meta.get("capabilities")).and_then(Value::as_array);
    let capabilities = words.map(|words| words.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>());
    let created = Some(entry.created).filter(|at| *at > 0);
    let status = entry.extra.get("status");
    let word = status.and_then(|status| status.get("value")).and_then(Value::as_str);
    let loaded = word.and_then(|word| match word {
        "loaded" => Some(true),
        "loading" | "unloaded" => Some(false),
        _ => None,
    });
    let progress = status.filter(|_| word == Some("loading")).and_then(|status| status.get("progress"));
    let loading = progress.and_then(Value::as_f64).and_then(percent);
    Offered { name: entry.id, context, chat_template, capabilities, loaded, loading, concurrency, created }
}

fn percent(part: f64) -> Option<u8> {
    let whole = std::time::Duration::try_from_secs_f64(part * 100.0).ok()?.as_secs();
    u8::try_from(whole).ok().filter(|percent| *percent <= 100)
}
