//! What only some back ends can be asked for: which models are on their disk and in their memory, and to change that. An Ollama
//! can; whoever asks it of another is told so.

use std::sync::Arc;

use domain::{ModelError, ModelState};
use tokio::sync::watch;

use super::Models;
use crate::providers::ollama::{self, Installed, Ollama};
use crate::pulls::PullView;

impl Models {
    /// What is on the disk of this provider, with what is in memory of it.
    pub async fn installed(&self, slug: &str) -> Result<Vec<Installed>, ModelError> {
        self.ollama(slug)?.installed().await
    }

    /// Brings a model of this provider into memory; returns when it answers. `keep_alive` as Ollama writes it (`10m`, `-1`).
    pub async fn bring_in(&self, slug: &str, name: &str, keep_alive: Option<&str>) -> Result<(), ModelError> {
        let ollama = self.ollama(slug)?;
        let set = |state: ModelState| self.set_state(slug, name, state);
        set(ModelState::Loading { percent: None, eta_ms: None });
        let done = ollama.load(name, keep_alive).await;
        match &done {
            Ok(()) => set(ModelState::Ready),
            Err(error) => set(ModelState::Failed { code: error.code().to_owned(), message: error.to_string() }),
        }
        done
    }

    /// Takes a model of this provider out of memory.
    pub async fn send_away(&self, slug: &str, name: &str) -> Result<(), ModelError> {
        self.ollama(slug)?.unload(name).await?;
        self.set_state(slug, name, ModelState::Cold);
        Ok(())
    }

    /// Removes a model from this provider's disk.
    pub async fn delete(&self, slug: &str, name: &str) -> Result<(), ModelError> {
        self.ollama(slug)?.delete(name).await?;
        self.refresh(slug);
        Ok(())
    }

    /// Begins to fetch a model onto this provider's disk; one under way is joined. It goes on without whoever asked.
    pub fn pull(&self, slug: &str, name: &str) -> Result<PullView, ModelError> {
        let ollama = Arc::new(self.ollama(slug)?);
        let inner = &self.inner;
        let (models, provider) = (self.clone(), slug.to_owned());
        let there = move || models.refresh(&provider);
        Ok(inner.pulls.start(ollama, slug, name, &inner.tasks, &inner.stop, there))
    }

    /// Every pull since the start.
    pub fn pulls(&self) -> Vec<PullView> {
        self.inner.pulls.list()
    }

    /// Stops a pull that runs, forgets one that is over. False where there is none of this id.
    pub fn cancel_pull(&self, id: &str) -> bool {
        self.inner.pulls.cancel(id)
    }

    /// Changes whenever a pull goes on; then look at [`Models::pulls`].
    pub fn watch_pulls(&self) -> watch::Receiver<u64> {
        self.inner.pulls.watch()
    }

    pub(super) fn ollama(&self, slug: &str) -> Result<Ollama, ModelError> {
        let rejected = |code: &str, message: String| ModelError::Rejected {
            status: 400,
            code: Some(code.to_owned()),
            message,
            body: None,
        };
        let snapshot = self.inner.snapshot();
        let provider = snapshot.providers.iter().find(|provider| provider.config.slug == slug);
        let config = match provider.map(|provider| &provider.config) {
            Some(config) if config.kind == ollama::KIND => config,
            Some(config) => {
                let message = format!(
                    "{:?} is reached as {:?}; only an Ollama (kind \"ollama\") can be told what to install and load",
                    config.slug, config.kind
                );
                return Err(rejected("not_ollama", message));
            }
            None => return Err(rejected("no_such_provider", format!("there is no provider {slug:?}"))),
        };
        let timeouts = config.timeouts.unwrap_or(self.inner.options.timeouts);
        let wrong = |reason: String| ModelError::Unreachable { url: config.base_url.clone(), reason };
        Ollama::new(self.inner.egress.clone(), &config.base_url, config.key.as_ref(), timeouts).map_err(wrong)
    }

    fn set_state(&self, slug: &str, name: &str, state: ModelState) {
        let snapshot = self.inner.snapshot();
        let meant = |known: &str| known == name || known.strip_suffix(":latest") == Some(name);
        for deployment in snapshot.deployments.iter().filter(|one| one.provider == slug && meant(&one.name)) {
            deployment.set(state.clone());
        }
    }
}
