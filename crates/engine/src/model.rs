//! The model behind the door: still loading, or ready with all that a request needs. It never goes back.

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use crate::{
    Error,
    adapters::{AdapterFile, Adapters, Named},
    backend::{Backend, Facts, Vocabulary},
    embedding::{self, Embedder, Jobs},
    grammar::Words,
    pictures::Eyes,
    scheduler::{NotChanged, Scheduler},
    template::{Refused, Template},
};

/// What loading a model brings.
pub enum Loaded {
    /// A model that writes text.
    Writer(Box<dyn Backend>),
    /// A model that makes vectors or scores of whole texts.
    Embedder(Box<dyn Embedder>),
}

/// How far loading has come; shared with whoever loads.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Loading>);

#[derive(Debug, Default)]
struct Loading {
    per_mille: AtomicU32,
    unwanted: AtomicBool,
}

impl Progress {
    /// Says how far it is, from 0 to 1. False when nobody wants the model any more.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1000")]
    pub fn report(&self, progress: f32) -> bool {
        self.0.per_mille.store((progress.clamp(0.0, 1.0) * 1000.0) as u32, Ordering::Relaxed);
        !self.0.unwanted.load(Ordering::Relaxed)
    }

    /// How far it is, from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "at most 1000")]
    pub fn get(&self) -> f32 {
        self.0.per_mille.load(Ordering::Relaxed) as f32 / 1000.0
    }

    pub(crate) fn give_up(&self) {
        self.0.unwanted.store(true, Ordering::Relaxed);
    }
}

/// A loaded model that writes text.
pub(crate) struct Ready {
    pub(crate) facts: Facts,
    pub(crate) vocabulary: Arc<dyn Vocabulary>,
    /// `None` when the model has no template of its own.
    pub(crate) template: Option<Result<Template, Refused>>,
    pub(crate) scheduler: Scheduler,
    pub(crate) adapters: Adapters,
    /// `None` when the model reads text only.
    pub(crate) eyes: Option<Eyes>,
    words: OnceLock<Arc<Words>>,
}

impl Ready {
    /// The vocabulary for grammars, read when the first one needs it.
    pub(crate) fn words(&self) -> Arc<Words> {
        Arc::clone(self.words.get_or_init(|| Arc::new(Words::of(&*self.vocabulary))))
    }
}

/// A loaded model that makes vectors or scores.
pub(crate) struct Vectors {
    pub(crate) facts: embedding::Facts,
    pub(crate) vocabulary: Arc<dyn Vocabulary>,
    pub(crate) jobs: Jobs,
}

enum Kind {
    Writes(Box<Ready>),
    Embeds(Box<Vectors>),
}

/// The model's name and state.
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) progress: Progress,
    loaded: OnceLock<Kind>,
}

impl Model {
    pub(crate) fn new(name: String) -> Self {
        Model { name, progress: Progress::default(), loaded: OnceLock::new() }
    }

    /// From now on requests are taken; the work is the caller's to run. `files` are the adapters that it begins with. Beginnings of texts outlive a
    /// restart in the folder `prefixes`.
    pub(crate) fn is_loaded(
        &self,
        loaded: Loaded,
        draft: Option<Box<dyn Backend>>,
        files: &[AdapterFile],
        step_target: Duration,
        prefixes: Option<&Path>,
    ) -> Result<Box<dyn FnOnce()>, Error> {
        match loaded {
            Loaded::Writer(backend) => self.writes(backend, draft, files, step_target, prefixes),
            Loaded::Embedder(embedder) => self.embeds(embedder, files),
        }
    }

    fn writes(
        &self,
        mut backend: Box<dyn Backend>,
        draft: Option<Box<dyn Backend>>,
        files: &[AdapterFile],
        step_target: Duration,
        prefixes: Option<&Path>,
    ) -> Result<Box<dyn FnOnce()>, Error> {
        let eyes = backend.sight().map(Eyes::new);
        let facts = backend.facts().clone();
        let vocabulary = backend.vocabulary();
        let (bos, eos) = vocabulary.marks();
        let template = facts.chat_template.as_deref().map(|source| Template::new(source, bos, eos));
        if let Some(Err(refused)) = &template {
            tracing::warn!(%refused, "chats will be refused");
        }
        let (scheduler, mut work) = Scheduler::with_draft(backend, draft, step_target, prefixes);
        let adapters = Adapters::default();
        for wish in files {
            let refused = |why: NotChanged| Error::Adapter { path: wish.file.clone(), reason: why.to_string() };
            let (id, lora) = work.attach(&wish.file).map_err(refused)?;
            if let Some(other) = adapters.name(Named { wish: wish.clone(), lora, id }) {
                let reason = format!("cannot be {}: {} is", other.wish.name, other.wish.file.display());
                return Err(Error::Adapter { path: wish.file.clone(), reason });
            }
        }
        let ready = Ready { facts, vocabulary, template, scheduler, adapters, eyes, words: OnceLock::new() };
        let _ = self.loaded.set(Kind::Writes(Box::new(ready)));
        Ok(Box::new(|| work.run()))
    }

    fn embeds(&self, embedder: Box<dyn Embedder>, files: &[AdapterFile]) -> Result<Box<dyn FnOnce()>, Error> {
        if let Some(AdapterFile { file, .. }) = files.first() {
            let reason = "cannot be attached: the model writes no text".to_owned();
            return Err(Error::Adapter { path: file.clone(), reason });
        }
        let (facts, vocabulary) = (embedder.facts().clone(), embedder.vocabulary());
        let (jobs, work) = Jobs::new(embedder);
        let _ = self.loaded.set(Kind::Embeds(Box::new(Vectors { facts, vocabulary, jobs })));
        Ok(Box::new(|| work.run()))
    }

    /// The model, once it is loaded and where it writes text.
    pub(crate) fn ready(&self) -> Option<&Ready> {
        match self.loaded.get()? {
            Kind::Writes(ready) => Some(ready),
            Kind::Embeds(_) => None,
        }
    }

    /// The model, once it is loaded and where it makes vectors or scores.
    pub(crate) fn vectors(&self) -> Option<&Vectors> {
        match self.loaded.get()? {
            Kind::Embeds(vectors) => Some(vectors),
            Kind::Writes(_) => None,
        }
    }

    /// Ends loading or work at its next step.
    pub(crate) fn stop(&self) {
        self.progress.give_up();
        match self.loaded.get() {
            Some(Kind::Writes(ready)) => ready.scheduler.stop(),
            Some(Kind::Embeds(vectors)) => vectors.jobs.stop(),
            None => {}
        }
    }
}
