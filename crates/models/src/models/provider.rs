//! One configured provider: its models, and the regular question whether it is there.

use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use domain::{Failure, ModelError, ModelProvider, ModelState, Offered};
use egress::Origin;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::DropGuard;

use tokio::time::Instant;

use super::deployment::answers;
use super::{Deployment, Inner, ModelView, Named};
use crate::warm_up::warm_up;
use crate::{ModelConfig, ProviderConfig, providers};

/// How soon a back end that tells how far it is with loading is asked again.
const WHILE_LOADING: Duration = Duration::from_secs(1);

pub(crate) struct Provider {
    pub(super) config: ProviderConfig,
    pub(super) origin: Option<Origin>,
    backend: Option<Arc<dyn ModelProvider>>,
    deployments: RwLock<Vec<Arc<Deployment>>>,
    problem: Mutex<Option<Failure>>,
    /// How long the latest lists of models took.
    lists: Mutex<[Duration; 4]>,
    again: Arc<Notify>,
    /// Ends the questions when the provider is gone.
    _stop: DropGuard,
}

/// A provider as an administrator sees it. The key is never shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProviderView {
    /// The first half of its models' ids.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Which adapter; see [`crate::KINDS`].
    pub kind: String,
    /// Where it is, as configured.
    pub base_url: String,
    /// Whether it has a key.
    pub has_key: bool,
    /// Whether it may be contacted.
    pub enabled: bool,
    /// Whether its models are those it lists.
    pub discover: bool,
    /// Its models.
    pub models: Vec<ModelView>,
    /// Why it cannot be used, where it cannot.
    pub problem: Option<Failure>,
}

impl Provider {
    /// A provider that is asked at once and then at regular times.
    pub(super) fn start(config: ProviderConfig, house: &Arc<Inner>) -> Arc<Provider> {
        let timeouts = config.timeouts.unwrap_or(house.options.timeouts);
        let built = providers::build(&config, timeouts, house.egress.clone());
        let problem = built
            .as_ref()
            .err()
            .map(|message| Failure { code: "unreachable".into(), message: format!("{}: {message}", config.slug) });
        let stop = house.stop.child_token();
        let provider = Arc::new(Provider {
            origin: providers::origin(&config.base_url),
            backend: built.ok(),
            deployments: RwLock::default(),
            problem: Mutex::new(problem),
            lists: Mutex::new([Duration::MAX; 4]),
            again: Arc::new(Notify::new()),
            _stop: stop.clone().drop_guard(),
            config,
        });
        provider.adopt(&provider.config.models.clone().unwrap_or_default(), house);
        if provider.config.enabled && provider.backend.is_some() {
            let (watched, house_tasks) = (Arc::downgrade(&provider), house.tasks.clone());
            let house = Arc::downgrade(house);
            house_tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = keep_asking(watched, house) => {}
                }
            });
        }
        provider
    }

    pub(super) fn deployments(&self) -> Vec<Arc<Deployment>> {
        self.deployments.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn refresh(&self) {
        self.again.notify_one();
    }

    pub(super) fn view(&self) -> ProviderView {
        let config = &self.config;
        ProviderView {
            slug: config.slug.clone(),
            name: config.name.clone(),
            kind: config.kind.clone(),
            base_url: config.base_url.clone(),
            has_key: config.key.is_some(),
            enabled: config.enabled,
            discover: config.models.is_none(),
            models: self.deployments().iter().map(|deployment| deployment.view()).collect(),
            problem: self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }

    /// Makes these its models; those it had already keep their state. Returns whether anything changed.
    fn adopt(&self, models: &[ModelConfig], house: &Inner) -> bool {
        let Some(backend) = &self.backend else { return false };
        let before = self.deployments();
        let mut new = false;
        let after: Vec<Arc<Deployment>> = models
            .iter()
            .map(|model| match before.iter().find(|known| known.name == model.name) {
                Some(known) => known.clone(),
                None => {
                    new = true;
                    Arc::new(self.deployment(model, backend.clone(), house))
                }
            })
            .collect();
        new |= after.len() != before.len();
        *self.deployments.write().unwrap_or_else(PoisonError::into_inner) = after;
        new
    }

    fn deployment(&self, model: &ModelConfig, backend: Arc<dyn ModelProvider>, house: &Inner) -> Deployment {
        let config = &self.config;
        let named = Named {
            id: format!("{}/{}", config.slug, model.name),
            name: model.name.clone(),
            display_name: model.display_name.clone().unwrap_or_else(|| model.name.clone()),
            provider: config.slug.clone(),
            provider_name: config.name.clone(),
            local: false,
            enabled: config.enabled && model.enabled,
            streaming: model.streaming,
            warms_up: config.warm_up,
        };
        let timeouts = config.timeouts.unwrap_or(house.options.timeouts);
        let most = model.max_concurrent.or(config.max_concurrent);
        Deployment::new(named, backend, timeouts, most, &house.queue, house.changed.clone())
    }

    /// One question, and what its answer means for every model. Whether one of them is being loaded.
    async fn ask(&self, house: &Weak<Inner>) -> bool {
        let Some(backend) = &self.backend else { return false };
        let began = Instant::now();
        let answer = backend.offered().await;
        let took = began.elapsed();
        let Some(house) = house.upgrade() else { return false };
        let offered = match answer {
            Ok(offered) => offered,
            Err(error) => {
                self.lost(&error, &house);
                return matches!(error, ModelError::Loading { .. });
            }
        };
        self.set_problem(None, &house);
        // The list costs a server nothing, so that the shortest of the latest few is the way there and back.
        let away = {
            let mut lists = self.lists.lock().unwrap_or_else(PoisonError::into_inner);
            lists.rotate_right(1);
            lists[0] = took;
            lists.iter().min().copied().unwrap_or(took)
        };
        if self.config.models.is_none() {
            let chat = offered.iter().filter(|offer| answers(&offer.name, offer.capabilities.as_deref()));
            let models: Vec<ModelConfig> = chat.map(ModelConfig::from).collect();
            if self.adopt(&models, &house) {
                house.regather();
            }
        }
        for deployment in self.deployments() {
            deployment.is_away(away);
            match offered.iter().find(|offer| is_named(&offer.name, &deployment.name)) {
                Some(offer) => {
                    deployment.learn(offer);
                    if deployment.room.limit().is_none() && offer.concurrency.is_some() {
                        deployment.room.set_limit(offer.concurrency);
                    }
                    match deployment.warms_up {
                        _ if offer.loading.is_some() => {
                            deployment.set(ModelState::Loading { percent: offer.loading, eta_ms: None });
                        }
                        true => warm(&deployment).await,
                        // Cold is no problem: the next request makes the back end load it.
                        false if offer.loaded == Some(false) => deployment.set(ModelState::Cold),
                        false => deployment.set(ModelState::Ready),
                    }
                }
                None => deployment.doubt(&ModelError::NoSuchModel {
                    url: self.config.base_url.clone(),
                    model: deployment.name.clone(),
                }),
            }
        }
        offered.iter().any(|offer| offer.loading.is_some())
    }

    fn lost(&self, error: &ModelError, house: &Inner) {
        self.set_problem(Some(Failure { code: error.code().into(), message: error.to_string() }), house);
        for deployment in self.deployments() {
            match error {
                ModelError::Loading { .. } => deployment.set(ModelState::Loading { percent: None, eta_ms: None }),
                ModelError::Garbled { .. } => deployment.doubt(error),
                _ => deployment.fail(error),
            }
        }
    }

    fn set_problem(&self, problem: Option<Failure>, house: &Inner) {
        let mut known = self.problem.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != problem {
            *known = problem;
            house.changed.send_modify(|count| *count += 1);
        }
    }
}

/// Lets people in once it has answered; again after every loss, which is when it is no longer ready.
async fn warm(deployment: &Deployment) {
    if deployment.state() == ModelState::Ready {
        return;
    }
    deployment.set(ModelState::Warming);
    let can = deployment.capabilities();
    match warm_up(deployment.backend.as_ref(), &deployment.name, can.as_deref()).await {
        // What it does not like about our request, it may like about others: it answers.
        Ok(()) | Err(ModelError::Rejected { .. }) => deployment.set(ModelState::Ready),
        Err(error) => deployment.fail(&error),
    }
}

impl From<&Offered> for ModelConfig {
    fn from(offer: &Offered) -> Self {
        ModelConfig::named(&offer.name)
    }
}

async fn keep_asking(provider: Weak<Provider>, house: Weak<Inner>) {
    loop {
        let (Some(this), Some(every)) = (provider.upgrade(), house.upgrade().map(|house| house.options.probe_every))
        else {
            return;
        };
        let every = if this.ask(&house).await { every.min(WHILE_LOADING) } else { every };
        let again = this.again.clone();
        // Not held while waiting, so that a provider that is gone is dropped and ends this.
        drop(this);
        tokio::select! {
            () = sleep(every) => {}
            () = again.notified() => {}
        }
    }
}

/// Ollama lists `llama3:latest` for what is asked as `llama3`, Gemini `models/gemini-pro` for `gemini-pro`.
fn is_named(listed: &str, asked: &str) -> bool {
    listed == asked || listed.strip_suffix(":latest") == Some(asked) || listed.strip_prefix("models/") == Some(asked)
}
