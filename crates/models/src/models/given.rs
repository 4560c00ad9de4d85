//! LoRA adapters at servers elsewhere: a vLLM loads one from its own disk while it serves, an Ollama is sent the file and makes a model of it.
//! Either then lists one model more, which is found as any other is.

use std::path::PathBuf;

use domain::ModelError;

use super::Models;
use crate::providers::{ollama, openai};

/// An adapter for a server elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gift {
    /// What the model with it is to be called there.
    pub name: String,
    /// Its file here, which an Ollama is sent.
    pub file: PathBuf,
    /// The model that it changes, as an Ollama calls it.
    pub base: Option<String>,
    /// Where it lies on the machine of a vLLM.
    pub path: Option<String>,
}

impl Models {
    /// Has a provider answer with an adapter, too, under the adapter's own name.
    ///
    /// # Errors
    /// `Rejected` where the provider is of a kind that takes none, or something is missing of the gift; what the provider says.
    pub async fn give_adapter(&self, slug: &str, gift: &Gift) -> Result<(), ModelError> {
        let missing = |what: &str| rejected(format!("{slug:?} has to be told {what}"));
        match self.kind_of(slug)?.as_str() {
            ollama::KIND => {
                let base = gift.base.as_deref().ok_or_else(|| missing("the model that the adapter changes (base)"))?;
                self.ollama(slug)?.adapt(&gift.name, base, &gift.file).await?;
            }
            openai::KIND => {
                let path = gift.path.as_deref().ok_or_else(|| missing("where the adapter lies on its disk (path)"))?;
                self.vllm(slug)?.load_adapter(&gift.name, path).await?;
            }
            kind => return Err(not_taken(slug, kind)),
        }
        self.refresh(slug);
        Ok(())
    }

    /// Has a provider no longer answer with an adapter.
    ///
    /// # Errors
    /// As [`give_adapter`](Self::give_adapter).
    pub async fn take_adapter(&self, slug: &str, name: &str) -> Result<(), ModelError> {
        match self.kind_of(slug)?.as_str() {
            ollama::KIND => self.ollama(slug)?.delete(name).await?,
            openai::KIND => self.vllm(slug)?.unload_adapter(name).await?,
            kind => return Err(not_taken(slug, kind)),
        }
        self.refresh(slug);
        Ok(())
    }

    fn kind_of(&self, slug: &str) -> Result<String, ModelError> {
        let snapshot = self.inner.snapshot();
        let provider = snapshot.providers.iter().find(|provider| provider.config.slug == slug);
        let absent = || rejected(format!("there is no provider {slug:?}"));
        provider.map(|provider| provider.config.kind.clone()).ok_or_else(absent)
    }

    fn vllm(&self, slug: &str) -> Result<openai::OpenAi, ModelError> {
        let snapshot = self.inner.snapshot();
        let provider = snapshot.providers.iter().find(|provider| provider.config.slug == slug);
        let config = &provider.ok_or_else(|| rejected(format!("there is no provider {slug:?}")))?.config;
        let timeouts = config.timeouts.unwrap_or(self.inner.options.timeouts);
        let wrong = |reason: String| ModelError::Unreachable { url: config.base_url.clone(), reason };
        let base = openai::Base::read(&config.base_url).map_err(wrong)?;
        openai::OpenAi::new(self.inner.egress.clone(), base, config.key.as_ref(), timeouts).map_err(wrong)
    }
}

fn rejected(message: String) -> ModelError {
    ModelError::Rejected { status: 400, code: Some("adapter_not_given".to_owned()), message, body: None }
}

fn not_taken(slug: &str, kind: &str) -> ModelError {
    rejected(format!(
        "{slug:?} is reached as {kind:?}; adapters are given to vLLM (\"openai\") and Ollama (\"ollama\")"
    ))
}
