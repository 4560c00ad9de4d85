//! One model at one back end.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use domain::{ModelError, ModelProvider, ModelState, Offered};
use tokio::sync::watch;

use super::ModelView;
use crate::Timeouts;
use crate::family;
use crate::load::Load;

pub(crate) struct Deployment {
    pub(crate) id: String,
    /// What the back end knows it by.
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) provider: String,
    pub(crate) provider_name: String,
    pub(crate) local: bool,
    pub(crate) enabled: bool,
    /// Whether it may be asked for a stream.
    pub(crate) streaming: bool,
    pub(crate) backend: Arc<dyn ModelProvider>,
    pub(crate) timeouts: Timeouts,
    pub(crate) load: Load,
    pub(crate) state: watch::Sender<ModelState>,
    pub(crate) changed: Arc<watch::Sender<u64>>,
    /// What its back end tells of it, once it has.
    pub(crate) offered: OnceLock<Offered>,
    /// What its maker publishes of it, by its name.
    pub(crate) published: OnceLock<Option<&'static family::Model>>,
    /// Whether its latest request was answered: worth more than any list it is missing from.
    pub(crate) answered: AtomicBool,
}

impl Deployment {
    pub(crate) fn state(&self) -> ModelState {
        self.state.borrow().clone()
    }

    pub(crate) fn set(&self, state: ModelState) {
        let new = self.state.send_if_modified(|known| {
            let new = *known != state;
            *known = state;
            new
        });
        if new {
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// An answer has begun.
    pub(crate) fn succeed(&self) {
        self.answered.store(true, Ordering::Relaxed);
        self.set(ModelState::Ready);
    }

    /// A request has shown that it cannot be used.
    pub(crate) fn refuse(&self, error: &ModelError) {
        self.answered.store(false, Ordering::Relaxed);
        self.fail(error);
    }

    /// Its back end does not list it, or has no list: that may be so although it answers.
    pub(crate) fn doubt(&self, error: &ModelError) {
        if !self.answered.load(Ordering::Relaxed) {
            self.fail(error);
        }
    }

    /// It cannot be used, for this reason.
    pub(crate) fn fail(&self, error: &ModelError) {
        self.set(ModelState::Failed { code: error.code().to_owned(), message: error.to_string() });
    }

    pub(crate) fn view(&self) -> ModelView {
        let offered = self.offered.get();
        let published = *self.published.get_or_init(|| family::find(&self.name));
        ModelView {
            id: self.id.clone(),
            name: self.display_name.clone(),
            provider: self.provider.clone(),
            provider_name: self.provider_name.clone(),
            local: self.local,
            // What the back end tells wins: it may have been started with less.
            context: offered.and_then(|offered| offered.context).or(published.map(|model| model.context)),
            modalities: modalities(offered, published),
            chat_template: offered.and_then(|offered| offered.chat_template),
            enabled: self.enabled,
            state: self.state(),
            alias: false,
            targets: Vec::new(),
        }
    }
}

/// What a model takes, as far as its back end or its maker tells.
fn modalities(offered: Option<&Offered>, published: Option<&family::Model>) -> Vec<String> {
    match offered.and_then(|offered| offered.capabilities.as_ref()) {
        Some(can) if can.iter().any(|word| word == "vision") => vec!["text".to_owned(), "image".to_owned()],
        Some(_) => vec!["text".to_owned()],
        None => published.map(|model| model.input.clone()).unwrap_or_default(),
    }
}
