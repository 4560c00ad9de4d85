//! Every model by its id, `provider/name`, and the way from there to an answer: choose, wait, ask, try again.
//!
//! What is known is one snapshot, replaced as a whole; a request works with the one it began with. Choosing among several
//! deployments of one model, queues and breakers are not here yet: a model has one deployment.

mod deployment;
mod installed;
mod open;
mod provider;
mod whole;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use domain::{ModelError, ModelState, Prompt, Reply, TurnEvent};
use egress::{Egress, Origin};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::providers;
use crate::pulls::Pulls;
use crate::supervisor::{House, LOCAL, Worker};
use crate::{Key, Options, Probed, ProviderConfig, WorkerConfig, WorkerView};
pub(crate) use deployment::Deployment;
use provider::Provider;
pub use provider::ProviderView;

/// A worker on this machine accepts at once or not at all.
const CONNECT_TO_WORKER: Duration = Duration::from_secs(2);

/// All models of the house. Cheap to clone.
#[derive(Clone)]
pub struct Models {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Models {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Models")
    }
}

pub(crate) struct Inner {
    options: Options,
    egress: Arc<Egress>,
    /// The way to the workers' own sockets, which is none of the way out.
    loopback: Arc<Egress>,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Held while the snapshot is being replaced, so that two changes do not undo each other.
    changing: Mutex<()>,
    /// Counts changes of any model's state.
    changed: Arc<watch::Sender<u64>>,
    pulls: Arc<Pulls>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// What is known at one moment.
#[derive(Default)]
struct Snapshot {
    workers: Vec<Arc<Worker>>,
    providers: Vec<Arc<Provider>>,
    by_id: HashMap<String, Arc<Deployment>>,
    /// The same, in the order they are shown.
    all: Vec<Arc<Deployment>>,
}

/// A model as people and clients see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelView {
    /// What a request names it by: `provider/name`.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its provider's slug.
    pub provider: String,
    /// Its provider's name for people.
    pub provider_name: String,
    /// Whether a worker of this house runs it.
    pub local: bool,
    /// Context length in tokens, where known.
    pub context: Option<u32>,
    /// Whether it has a chat template, where known.
    pub chat_template: Option<bool>,
    /// Whether it is offered.
    pub enabled: bool,
    /// Where it stands.
    pub state: ModelState,
}

impl Models {
    /// No models yet; see [`Models::configure`].
    pub fn new(options: Options, egress: Arc<Egress>) -> Models {
        let inner = Inner {
            options,
            loopback: Arc::new(egress.loopback(CONNECT_TO_WORKER)),
            egress,
            snapshot: RwLock::default(),
            changing: Mutex::default(),
            changed: Arc::new(watch::Sender::new(0)),
            pulls: Arc::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        Models { inner: Arc::new(inner) }
    }

    /// Replaces all providers in one step. Providers whose configuration is the same keep their state and their connections;
    /// answers that are under way are not disturbed. One that cannot be used is kept with its problem.
    pub fn configure(&self, providers: Vec<ProviderConfig>) {
        let _one_at_a_time = self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.inner.snapshot();
        // Allowed first: a provider is asked the moment it starts, and a refusal of ours would stand until its next turn.
        for config in providers.iter().filter(|config| config.enabled) {
            if let Some(origin) = providers::origin(&config.base_url) {
                self.inner.egress.allow(origin);
            }
        }
        let providers: Vec<Arc<Provider>> = providers
            .into_iter()
            .map(|config| match before.providers.iter().find(|known| known.config == config) {
                Some(known) => known.clone(),
                None => Provider::start(config, &self.inner),
            })
            .collect();
        self.inner.allow(&providers);
        self.inner.replace(before.workers.clone(), providers);
    }

    /// Replaces all workers of the house in one step. Those whose configuration is the same go on running; the others are
    /// stopped or started.
    pub fn run_workers(&self, workers: Vec<WorkerConfig>) {
        let _one_at_a_time = self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.inner.snapshot();
        let workers = workers
            .into_iter()
            .map(|config| match before.workers.iter().find(|known| known.config == config) {
                Some(known) => known.clone(),
                None => Worker::start(config, self.inner.for_worker()),
            })
            .collect();
        self.inner.replace(workers, before.providers.clone());
    }

    /// The processes of the workers.
    pub fn workers(&self) -> Vec<WorkerView> {
        self.inner.snapshot().workers.iter().map(|worker| worker.view()).collect()
    }

    /// Opens an answer from the model that `prompt.model` names by its id. `notice` is told while the model is not ready.
    /// Failures before the first token are tried again as often as configured.
    pub async fn open(&self, prompt: Prompt, notice: &mut (dyn FnMut(TurnEvent) + Send)) -> Result<Reply, ModelError> {
        let deployment = self.inner.snapshot().by_id.get(&prompt.model).cloned();
        let Some(deployment) = deployment else {
            return Err(ModelError::NoSuchModel { url: "this portal".to_owned(), model: prompt.model });
        };
        open::open(&deployment, prompt, &self.inner.options, notice).await
    }

    /// Every model, those of one provider together.
    pub fn list(&self) -> Vec<ModelView> {
        self.inner.snapshot().all.iter().map(|deployment| deployment.view()).collect()
    }

    /// One model by its id.
    pub fn find(&self, id: &str) -> Option<ModelView> {
        self.inner.snapshot().by_id.get(id).map(|deployment| deployment.view())
    }

    /// Where a model stands.
    pub fn state(&self, id: &str) -> Option<ModelState> {
        self.inner.snapshot().by_id.get(id).map(|deployment| deployment.state())
    }

    /// How many requests a model is answering.
    pub fn load(&self, id: &str) -> usize {
        self.inner.snapshot().by_id.get(id).map_or(0, |deployment| deployment.load.now())
    }

    /// Every provider, with its problem where it has one.
    pub fn providers(&self) -> Vec<ProviderView> {
        self.inner.snapshot().providers.iter().map(|provider| provider.view()).collect()
    }

    /// Changes whenever a model comes, goes or changes its state; then look at [`Models::list`].
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// Asks a provider at once whether it is there, rather than at the next turn of the clock. Workers of the house that could
    /// not load their models ("local") are started again.
    pub fn refresh(&self, slug: &str) {
        for worker in self.inner.snapshot().workers.iter().filter(|_| slug == LOCAL) {
            worker.refresh();
        }
        for provider in self.inner.snapshot().providers.iter().filter(|provider| provider.config.slug == slug) {
            provider.refresh();
        }
    }

    /// Tests an address that is not configured yet.
    pub async fn probe(&self, kind: &str, base_url: &str, key: Option<&Key>) -> Result<Probed, ModelError> {
        let (egress, timeouts) = (self.inner.egress.clone(), self.inner.options.timeouts);
        let _allowed = self.inner.allow_for_now(providers::origin(base_url));
        let started = Instant::now();
        let (models, base_url) = providers::tried(kind, base_url, key, timeouts, egress).await?;
        Ok(Probed { base_url, models, latency: started.elapsed() })
    }

    /// Stops asking providers, stops the workers (whose answers under way are cut), and waits until nothing runs any more: at
    /// most about five seconds.
    pub async fn shutdown(&self) {
        self.inner.stop.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }
}

impl Inner {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn for_worker(&self) -> House {
        House {
            timeouts: self.options.timeouts,
            egress: self.loopback.clone(),
            changed: self.changed.clone(),
            stop: self.stop.child_token(),
            tasks: self.tasks.clone(),
        }
    }

    fn replace(&self, workers: Vec<Arc<Worker>>, providers: Vec<Arc<Provider>>) {
        let local = workers.iter().map(|worker| worker.deployment.clone());
        let all: Vec<Arc<Deployment>> =
            local.chain(providers.iter().flat_map(|provider| provider.deployments())).collect();
        let by_id = all
            .iter()
            .filter(|deployment| deployment.enabled)
            .map(|deployment| (deployment.id.clone(), deployment.clone()))
            .collect();
        let snapshot = Arc::new(Snapshot { workers, providers, by_id, all });
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        self.changed.send_modify(|count| *count += 1);
    }

    /// A provider found other models than before.
    fn regather(&self) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.snapshot();
        self.replace(now.workers.clone(), now.providers.clone());
    }

    /// A provider is allowed by being configured, and no longer when it is gone.
    fn allow(&self, providers: &[Arc<Provider>]) {
        let enabled = providers.iter().filter(|provider| provider.config.enabled);
        self.egress.allow_only(enabled.filter_map(|provider| provider.origin.clone()).collect());
    }

    fn allow_for_now(&self, origin: Option<Origin>) -> Allowed<'_> {
        if let Some(origin) = origin {
            self.egress.allow(origin);
        }
        Allowed(self)
    }
}

/// Takes back what was allowed for one test.
struct Allowed<'a>(&'a Inner);

impl Drop for Allowed<'_> {
    fn drop(&mut self) {
        let _one_at_a_time = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.allow(&self.0.snapshot().providers);
    }
}

/// How long to wait before the `tries`th repetition, where the back end does not say.
fn pause(tries: u32) -> Duration {
    Duration::from_millis(25).saturating_mul(2_u32.saturating_pow(tries.min(6)))
}

/// An address as it will be kept, or why it is none: for whoever stores one before anything asks it.
pub fn normalise_base_url(kind: &str, text: &str) -> Result<String, String> {
    providers::normalise(kind, text)
}
