//! The adapters of one worker: which it is to have, each a deployment of its own in the room of the model that it changes, and the words with
//! the worker that make it so. They come and go while it runs; one that is refused says why and keeps nobody else from answering.

use std::sync::Arc;

use domain::{ModelState, Offered};
use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::LOCAL;
use super::health::{Attendance, WARM_UP, WHILE_SERVING};
use super::seat::{AdapterSeat, Seat};
use crate::AdapterConfig;
use crate::models::{Deployment, Named};

/// What is known of an adapter of a worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AdapterView {
    /// What it is called at its model.
    pub name: String,
    /// The model that a request names to have it.
    pub id: String,
    /// Its file.
    pub file: String,
    /// How much of its change is applied.
    pub scale: f32,
    /// Where it stands: as its model, until that is ready.
    pub state: ModelState,
}

/// One that the worker is to have.
pub(super) struct Adapter {
    config: AdapterConfig,
    deployment: Arc<Deployment>,
}

/// Which are wanted, and whether that has changed.
pub(super) type Wanted = watch::Receiver<Vec<Arc<Adapter>>>;

/// All that the worker is to have.
pub(super) struct Adapters {
    seat: Arc<Seat>,
    base: Arc<Deployment>,
    wanted: watch::Sender<Vec<Arc<Adapter>>>,
}

impl Adapters {
    pub(super) fn new(seat: Arc<Seat>, base: Arc<Deployment>) -> Self {
        Adapters { seat, base, wanted: watch::Sender::new(Vec::new()) }
    }

    /// From now on these; the worker is told as soon as it listens. Those that stay the same keep their state.
    pub(super) fn want(&self, configs: Vec<AdapterConfig>) {
        let before = self.wanted.borrow().clone();
        let known = |config: &AdapterConfig| before.iter().find(|known| known.config == *config).cloned();
        let wanted = configs.into_iter().map(|config| known(&config).unwrap_or_else(|| self.new_one(config)));
        self.wanted.send_replace(wanted.collect());
    }

    fn new_one(&self, config: AdapterConfig) -> Arc<Adapter> {
        let with = |name: &str| format!("{name}:{}", config.name);
        let base = &self.base.named;
        let named = Named {
            id: format!("{LOCAL}/{}", with(&base.name)),
            name: with(&base.name),
            display_name: with(&base.display_name),
            ..base.clone()
        };
        let seat = Arc::new(AdapterSeat::new(self.seat.clone(), &config.name));
        let deployment = Arc::new(Deployment::adapter_of(&self.base, named, seat));
        Arc::new(Adapter { config, deployment })
    }

    pub(super) fn deployments(&self) -> Vec<Arc<Deployment>> {
        self.wanted.borrow().iter().map(|adapter| adapter.deployment.clone()).collect()
    }

    pub(super) fn views(&self) -> Vec<AdapterView> {
        let view = |adapter: &Arc<Adapter>| AdapterView {
            name: adapter.config.name.clone(),
            id: adapter.deployment.id.clone(),
            file: adapter.config.path.display().to_string(),
            scale: adapter.config.scale,
            state: adapter.deployment.state(),
        };
        self.wanted.borrow().iter().map(view).collect()
    }

    pub(super) fn watch(&self) -> Wanted {
        self.wanted.subscribe()
    }
}

impl Attendance<'_> {
    /// Gives the worker the adapters that are `wanted`, and takes away those that are no longer; `offered` is what it tells of its model.
    pub(super) async fn adapt(&self, url: &str, offered: &Offered, wanted: &mut Wanted) {
        let wanted = wanted.borrow_and_update().clone();
        let listed = self.send(url, Method::GET, "/v1/adapters", &Value::Null, WHILE_SERVING).await;
        let listed = listed.map(|(_, list)| list["data"].clone()).unwrap_or_default();
        let listed: Vec<&Value> = listed.as_array().into_iter().flatten().collect();
        let names = listed.iter().filter_map(|known| known["id"].as_str());
        for gone in names.filter(|name| !wanted.iter().any(|adapter| adapter.config.name == **name)) {
            // Answers that it is writing come to their end there, whoever waits here.
            self.send(url, Method::DELETE, &format!("/v1/adapters/{gone}?wait=true"), &Value::Null, WHILE_SERVING)
                .await;
        }
        for adapter in &wanted {
            let AdapterConfig { name, path, scale } = &adapter.config;
            let is_it =
                |known: &&Value| known["id"] == **name && known["path"] == json!(path) && known["scale"] == *scale;
            let state = match listed.iter().any(is_it) {
                true => ModelState::Ready,
                false => self.attach(url, &adapter.config).await,
            };
            if let ModelState::Failed { message, .. } = &state {
                tracing::error!(model = adapter.deployment.id, message, "an adapter could not be loaded");
            }
            adapter.deployment.learn(offered);
            adapter.deployment.set(state);
        }
    }

    async fn attach(&self, url: &str, config: &AdapterConfig) -> ModelState {
        let body = json!({"name": config.name, "path": config.path, "scale": config.scale, "replace": true});
        match self.send(url, Method::POST, "/v1/adapters", &body, WARM_UP).await {
            Some((StatusCode::OK, _)) => ModelState::Ready,
            Some((_, answer)) => failed(answer["error"]["message"].as_str().unwrap_or("the worker gave no reason")),
            None => failed("the worker did not answer"),
        }
    }
}

fn failed(message: &str) -> ModelState {
    ModelState::Failed { code: "adapter_refused".to_owned(), message: message.to_owned() }
}
