//! Every model by the name that a request has for it, `provider/name` or an alias, and what is configured behind the names.
//!
//! What is known is one snapshot, replaced as a whole; a request works with the one it began with. The way from a model to an
//! answer is the router's.

mod deployment;
mod found;
mod given;
mod installed;
mod provider;
mod snapshot;

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use domain::{Caller, ModelError, ModelState, Prompt, Reply, Route, TurnEvent};
use egress::{Egress, Origin};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::discovery::Discovery;
use crate::providers;
use crate::pulls::Pulls;
use crate::router::{BreakerState, FirstToken, Queue, Router, Trail};
use crate::supervisor::{House, LOCAL, Memory, Worker};
use crate::{AdapterConfig, AliasConfig, Errand, Key, Options, Probed, ProviderConfig, WorkerConfig, WorkerView};
pub(crate) use deployment::{Deployment, Named, Standing};
pub use given::Gift;
use provider::Provider;
pub use provider::ProviderView;
pub(crate) use snapshot::Snapshot;

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
    discovery: Discovery,
    /// Who waits for a place at a model.
    queue: Arc<Queue>,
    /// Which models of the house are in memory.
    memory: Arc<Memory>,
    pulls: Arc<Pulls>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// A model as people and clients see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelView {
    /// What a request names it by: `provider/name`, or the alias.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its provider's slug; `alias` where it is one.
    pub provider: String,
    /// Its provider's name for people; those of its targets' providers, with commas, where it is an alias.
    pub provider_name: String,
    /// Whether a worker of this house runs it.
    pub local: bool,
    /// Context length in tokens, where known.
    pub context: Option<u32>,
    /// What it takes: `text`, `image`, `audio`, `video`; empty where nobody tells.
    pub modalities: Vec<String>,
    /// Whether it has a chat template, where known.
    pub chat_template: Option<bool>,
    /// Whether it answers questions, as far as is known: embedders, rerankers, voices and painters do not.
    pub answers: bool,
    /// Whether it is offered.
    pub enabled: bool,
    /// Where it stands; of an alias, the best of its targets.
    pub state: ModelState,
    /// When it was made, in seconds since 1970, where its back end tells; of an alias, the newest of its targets.
    pub created: Option<i64>,
    /// Whether it is a name for others.
    pub alias: bool,
    /// The deployments it is configured to stand for, `provider/name`; empty where it is one itself.
    pub targets: Vec<String>,
}

/// What a request's name for a model stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    /// `provider/name`, or the alias.
    pub id: String,
    /// Its provider's slug; `alias` where it is one.
    pub provider: String,
}

/// A deployment as the router sees it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeploymentView {
    /// `provider/name`
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Its provider's name for people.
    pub provider_name: String,
    /// Whether it is offered.
    pub enabled: bool,
    /// Where it stands.
    pub state: ModelState,
    /// Whether it is left alone, and why.
    pub breaker: BreakerState,
    /// Whether it finishes what it has and gets nothing new.
    pub draining: bool,
    /// How many requests it has under way.
    pub load: usize,
    /// How many it gets at most, where that is bounded.
    pub limit: Option<usize>,
    /// How many wait for a place there.
    pub waiting: usize,
    /// How soon it answers; absent where it has not yet.
    pub first_token: Option<FirstToken>,
    /// The least time that a question to its machine and the answer took, in milliseconds.
    pub rtt_ms: Option<u32>,
}

impl DeploymentView {
    fn of(deployment: &Deployment) -> Self {
        let room = &deployment.room;
        DeploymentView {
            id: deployment.id.clone(),
            name: deployment.display_name.clone(),
            provider_name: deployment.provider_name.clone(),
            enabled: deployment.enabled,
            state: deployment.state(),
            breaker: deployment.breaker.state(),
            draining: deployment.draining(),
            load: room.taken(),
            limit: room.limit(),
            waiting: room.waiting(),
            first_token: deployment.latency.first_token(),
            rtt_ms: deployment.rtt_ms(),
        }
    }
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
            discovery: Discovery::default(),
            queue: Queue::new(options.waiting),
            memory: Memory::new(options.free_memory),
            pulls: Arc::default(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        Models { inner: Arc::new(inner) }
    }

    /// Replaces all providers in one step. Providers whose configuration is the same keep their state and their connections;
    /// answers that are under way are not disturbed. One that cannot be used is kept with its problem.
    pub fn configure(&self, providers: Vec<ProviderConfig>) {
        self.inner.change(Some(providers), None);
    }

    /// Replaces all aliases in one step.
    pub fn alias(&self, aliases: Vec<AliasConfig>) {
        self.inner.change(None, Some(aliases));
    }

    /// Replaces all providers and all aliases in one step: no request sees the ones without the others.
    pub fn configure_all(&self, providers: Vec<ProviderConfig>, aliases: Vec<AliasConfig>) {
        self.inner.change(Some(providers), Some(aliases));
    }

    /// The aliases as they are configured, in their order.
    pub fn aliases(&self) -> Vec<AliasConfig> {
        self.inner.snapshot().aliases.clone()
    }

    /// Replaces all workers of the house in one step. Those whose configuration is the same, but perhaps for their adapters, go on
    /// running; the others are stopped or started.
    pub fn run_workers(&self, workers: Vec<WorkerConfig>) {
        let _one_at_a_time = self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.inner.snapshot();
        let workers = workers
            .into_iter()
            .map(|config| match before.workers.iter().find(|known| known.runs(&config)) {
                Some(known) => {
                    known.adapt(config.adapters);
                    known.clone()
                }
                None => Worker::start(config, self.inner.for_worker()),
            })
            .collect();
        self.inner.replace(workers, before.providers.clone(), before.aliases.clone());
    }

    /// Starts one more worker; false where there is one of this name.
    pub fn start_worker(&self, config: WorkerConfig) -> bool {
        let _one_at_a_time = self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.inner.snapshot();
        if before.workers.iter().any(|known| known.config.name == config.name) {
            return false;
        }
        let mut workers = before.workers.clone();
        workers.push(Worker::start(config, self.inner.for_worker()));
        self.inner.replace(workers, before.providers.clone(), before.aliases.clone());
        true
    }

    /// Stops the worker of this name; answers that it is writing end. False where there is none.
    pub fn stop_worker(&self, name: &str) -> bool {
        let _one_at_a_time = self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.inner.snapshot();
        let workers: Vec<_> = before.workers.iter().filter(|known| known.config.name != name).cloned().collect();
        let found = workers.len() < before.workers.len();
        self.inner.replace(workers, before.providers.clone(), before.aliases.clone());
        found
    }

    /// Has the worker of this name compute with these adapters and no others, while it runs; false where there is none. An answer with
    /// one that goes comes to its end.
    pub fn adapt_worker(&self, name: &str, adapters: Vec<AdapterConfig>) -> bool {
        let _one_at_a_time = self.inner.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.inner.snapshot();
        let Some(worker) = before.workers.iter().find(|known| known.config.name == name) else { return false };
        worker.adapt(adapters);
        self.inner.replace(before.workers.clone(), before.providers.clone(), before.aliases.clone());
        true
    }

    /// Bytes that models of the house hold and would give up for another, beside those that count as free already.
    pub fn reclaimable(&self) -> u64 {
        self.inner.memory.reclaimable()
    }

    /// The processes of the workers.
    pub fn workers(&self) -> Vec<WorkerView> {
        self.inner.snapshot().workers.iter().map(|worker| worker.view()).collect()
    }

    /// Opens an answer from the model that `prompt.model` names. `notice` is told while the request waits: for a place
    /// (`Queued`), for the model (`Warming`), or for another model (`FellBack`). Failures before the first token are tried
    /// again, here or at another deployment, as often as configured; what is returned can no longer be.
    pub async fn open(
        &self,
        caller: &Caller,
        errand: Errand,
        prompt: Prompt,
        notice: &mut (dyn FnMut(TurnEvent) + Send),
    ) -> Result<Reply, ModelError> {
        self.open_along(caller, errand, prompt, &mut Route::default(), notice).await
    }

    /// The same; where nobody answers, `route` has who was asked, and for how long the request waited.
    pub async fn open_along(
        &self,
        caller: &Caller,
        errand: Errand,
        prompt: Prompt,
        route: &mut Route,
        notice: &mut (dyn FnMut(TurnEvent) + Send),
    ) -> Result<Reply, ModelError> {
        let mut trail = Trail::default();
        let opened = self.router(&self.snapshot()).open(caller, errand, prompt, &mut trail, notice).await;
        if opened.is_err() {
            *route = trail.route();
        }
        opened
    }

    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot()
    }

    pub(crate) fn router<'a>(&'a self, snapshot: &'a Snapshot) -> Router<'a> {
        let Inner { queue, changed, options, .. } = &*self.inner;
        Router { snapshot, queue, changed, retries: options.retries }
    }

    /// Every model: the aliases, then those of each provider together.
    pub fn list(&self) -> Vec<ModelView> {
        self.inner.snapshot().views()
    }

    /// The model that a request means by this name: an alias, an id, a name without provider that only one provider has, or
    /// the alias that answers for all other names.
    pub fn find(&self, name: &str) -> Option<ModelView> {
        self.inner.snapshot().model(name).map(|model| model.view())
    }

    /// The same, but only what every request has to know of it.
    pub fn meant(&self, name: &str) -> Option<Meant> {
        let snapshot = self.inner.snapshot();
        let model = snapshot.model(name)?;
        Some(Meant { id: model.id.clone(), provider: model.provider().to_owned() })
    }

    /// Where the model of this name stands.
    pub fn state(&self, name: &str) -> Option<ModelState> {
        self.inner.snapshot().model(name).map(|model| model.state())
    }

    /// How many requests a model is answering.
    pub fn load(&self, id: &str) -> usize {
        let snapshot = self.inner.snapshot();
        snapshot.model(id).map_or(0, |model| model.choices.iter().map(|choice| choice.deployment.room.taken()).sum())
    }

    /// Every deployment, offered or not, as the router sees it.
    pub fn deployments(&self) -> Vec<DeploymentView> {
        self.inner.snapshot().deployments.iter().map(|one| DeploymentView::of(one)).collect()
    }

    /// Lets a deployment finish the answers that are under way and gives it nothing new, or ends that. `false` where there is
    /// no such deployment.
    pub fn drain(&self, id: &str, draining: bool) -> bool {
        let snapshot = self.inner.snapshot();
        let mut meant = snapshot.deployments.iter().filter(|deployment| deployment.id == id);
        meant.next().inspect(|deployment| deployment.drain(draining)).is_some()
    }

    /// Every provider, with its problem where it has one.
    pub fn providers(&self) -> Vec<ProviderView> {
        self.inner.snapshot().providers.iter().map(|provider| provider.view()).collect()
    }

    /// Changes whenever a model comes, goes or changes its state; then look at [`Models::list`].
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.inner.changed.subscribe()
    }

    /// The deployments that failed several times in a row, as requests of this portal found: which, how often in a row, and for how long
    /// others are asked first.
    pub fn failing(&self) -> Vec<(String, u32, Duration)> {
        let snapshot = self.inner.snapshot();
        let remote = snapshot.deployments.iter().filter(|deployment| !deployment.local);
        remote
            .filter_map(|deployment| {
                let (times, pause) = deployment.breaker.failing()?;
                Some((deployment.id.clone(), times, pause))
            })
            .collect()
    }

    /// Another portal found that a deployment fails. A hint: others are asked first for so long; where there is no other, it is asked.
    pub fn heard_failing(&self, id: &str, pause: Duration) {
        let snapshot = self.inner.snapshot();
        for deployment in snapshot.deployments.iter().filter(|deployment| deployment.id == id) {
            deployment.heard_failing(pause);
        }
    }

    /// So many portals ask the same back ends: each takes its share of their limits.
    pub fn share(&self, portals: usize) {
        self.inner.queue.set_portals(portals);
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
            queue: self.queue.clone(),
            memory: self.memory.clone(),
            stop: self.stop.child_token(),
            tasks: self.tasks.clone(),
        }
    }

    /// Puts other providers or aliases in force; what is not given stays.
    fn change(self: &Arc<Self>, providers: Option<Vec<ProviderConfig>>, aliases: Option<Vec<AliasConfig>>) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.snapshot();
        let providers = match providers {
            Some(configs) => self.start(configs, &before.providers),
            None => before.providers.clone(),
        };
        self.replace(before.workers.clone(), providers, aliases.unwrap_or_else(|| before.aliases.clone()));
    }

    fn start(self: &Arc<Self>, configs: Vec<ProviderConfig>, before: &[Arc<Provider>]) -> Vec<Arc<Provider>> {
        // Allowed first: a provider is asked the moment it starts, and a refusal of ours would stand until its next turn.
        for config in configs.iter().filter(|config| config.enabled) {
            if let Some(origin) = providers::origin(&config.base_url) {
                self.egress.allow(origin);
            }
        }
        let started = |config: ProviderConfig| match before.iter().find(|known| known.config == config) {
            Some(known) => known.clone(),
            None => Provider::start(config, self),
        };
        let providers: Vec<Arc<Provider>> = configs.into_iter().map(started).collect();
        self.allow(&providers);
        providers
    }

    fn replace(&self, workers: Vec<Arc<Worker>>, providers: Vec<Arc<Provider>>, aliases: Vec<AliasConfig>) {
        let snapshot = Arc::new(Snapshot::new(workers, providers, aliases, &self.snapshot(), &self.queue));
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = snapshot;
        self.changed.send_modify(|count| *count += 1);
    }

    /// A provider found other models than before.
    fn regather(&self) {
        let _one_at_a_time = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.snapshot();
        self.replace(now.workers.clone(), now.providers.clone(), now.aliases.clone());
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

/// An address as it will be kept, or why it is none: for whoever stores one before anything asks it.
pub fn normalise_base_url(kind: &str, text: &str) -> Result<String, String> {
    providers::normalise(kind, text)
}
