//! From a started process to a model that answers, and the watch over it: load, warm up, look in from time to time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::{ModelError, ModelProvider, ModelState, Offered};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{Instant, sleep, timeout};

use super::adapters::Wanted;
use super::process::Contact;
use super::{End, Supervised};
use crate::Timeouts;
use crate::providers::openai::{Base, OpenAi};
use crate::warm_up::warm_up;

/// How long a process may take to say where it listens.
const SPEAKS_WITHIN: Duration = Duration::from_secs(30);
/// How often it is asked while it loads, and while it serves.
const WHILE_LOADING: Duration = Duration::from_millis(50);
pub(super) const WHILE_SERVING: Duration = Duration::from_secs(5);
/// It may be busy computing: only so many missed answers in a row mean that it hangs.
const MAY_MISS: u32 = 4;
/// The first request touches every weight: on a slow disk that takes minutes.
pub(super) const WARM_UP: Duration = Duration::from_secs(600);
/// How often system prompts are pinned anew: a template may write the date into them.
const PIN_AGAIN: Duration = Duration::from_secs(3600);

/// The watch over one life of a worker.
pub(super) struct Attendance<'a> {
    pub(super) worker: &'a Supervised,
    pub(super) process: Contact,
    /// The right to load, given back when it is ready.
    pub(super) turn: Mutex<Option<OwnedMutexGuard<()>>>,
    /// When it became ready.
    pub(super) ready: &'a OnceLock<Instant>,
}

#[derive(Deserialize)]
struct Health {
    #[serde(default)]
    progress: Option<f64>,
}

impl Attendance<'_> {
    /// Returns when this life is to end, and how.
    pub(super) async fn attend(self) -> End {
        self.try_attend().await.map_or_else(End::Crashed, |()| End::Unloaded)
    }

    async fn try_attend(self) -> Result<(), String> {
        let started = Instant::now();
        let url = self.url().await?;
        self.loaded(&url, started).await?;
        self.worker.note(|facts| facts.loaded_in = Some(started.elapsed()));
        self.worker.deployment.set(ModelState::Warming);
        let offered = self.warm_up(&url).await?;
        let mut adapters = self.worker.adapters.watch();
        self.adapt(&url, &offered, &mut adapters).await;
        self.pin(&url).await;
        let adapter = self.adapter(&url, self.worker.timeouts)?;
        self.worker.seat.take(offered.name.clone(), Arc::new(adapter.asking_confidence()));
        self.worker.deployment.room.set_limit(offered.concurrency);
        self.worker.deployment.learn(&offered);
        let _ = self.ready.set(Instant::now());
        self.worker.deployment.room.touch();
        self.worker.deployment.set(ModelState::Ready);
        drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner).take());
        tokio::select! {
            why = self.watch(&url, &offered, adapters) => Err(why),
            () = self.worker.tenant.leaves() => Ok(()),
        }
    }

    async fn url(&self) -> Result<String, String> {
        let mut said = self.process.said.clone();
        let spoken = async { said.wait_for(|said| said.listening.is_some()).await.ok()?.listening };
        let Ok(spoken) = timeout(SPEAKS_WITHIN, spoken).await else {
            return Err("it did not say where it listens".to_owned());
        };
        match spoken {
            Some(address) => Ok(format!("http://{address}")),
            // Its output has ended, and its life with it: whoever waits for that will tell.
            None => std::future::pending().await,
        }
    }

    /// Asks until the weights are read, and tells how far that is.
    async fn loaded(&self, url: &str, started: Instant) -> Result<(), String> {
        let mut missed = 0;
        loop {
            match self.ask(url).await {
                Some((StatusCode::OK, _)) => return Ok(()),
                Some((_, health)) => {
                    missed = 0;
                    self.worker.deployment.set(loading(health.progress, started.elapsed()));
                }
                None if missed < MAY_MISS => missed += 1,
                None => return Err("it does not answer while it loads".to_owned()),
            }
            sleep(WHILE_LOADING).await;
        }
    }

    /// A real request for what the model does, so that no person waits for what only happens once.
    async fn warm_up(&self, url: &str) -> Result<Offered, String> {
        let started = Instant::now();
        let adapter = self.adapter(url, Timeouts { first_token: WARM_UP, idle: WARM_UP, ..self.worker.timeouts })?;
        let wrong = |error: ModelError| format!("its warm-up failed: {error}");
        let mut offered = adapter.offered().await.map_err(wrong)?;
        if offered.is_empty() {
            return Err("it offers no model".to_owned());
        }
        let offered = offered.swap_remove(0);
        warm_up(&adapter, &offered.name, offered.capabilities.as_deref()).await.map_err(wrong)?;
        self.worker.note(|facts| facts.warmed_in = Some(started.elapsed()));
        Ok(offered)
    }

    /// Has the system prompts computed, or read back from disk, and lets go of those that are no longer configured. That it failed is told
    /// and keeps nobody from asking.
    async fn pin(&self, url: &str) {
        let mut pinned = HashSet::new();
        for prompt in &self.worker.config.pinned {
            let began = Instant::now();
            let body = json!({"messages": [{"role": "system", "content": prompt}]});
            let (model, text) = (&self.worker.config.name, prompt.chars().take(40).collect::<String>());
            match self.send(url, Method::PUT, "/v1/prefixes", &body, WARM_UP).await {
                Some((StatusCode::OK, answer)) => {
                    let (tokens, computed) = (answer["tokens"].as_u64(), answer["computed"].as_u64());
                    tracing::info!(
                        model,
                        text,
                        tokens,
                        computed,
                        ms = began.elapsed().as_millis(),
                        "a system prompt is pinned"
                    );
                    pinned.extend(answer["id"].as_str().map(str::to_owned));
                }
                Some((_, answer)) => {
                    let why = answer["error"]["message"].as_str().unwrap_or("no reason was given");
                    tracing::warn!(model, text, why, "a system prompt could not be pinned");
                }
                None => {
                    tracing::warn!(model, text, "the worker gave no answer to a system prompt that was to be pinned")
                }
            }
        }
        let listed = self.send(url, Method::GET, "/v1/prefixes", &Value::Null, WHILE_SERVING).await;
        let listed = listed.map(|(_, list)| list["data"].clone()).unwrap_or_default();
        let ids = listed.as_array().into_iter().flatten().filter_map(|prefix| prefix["id"].as_str());
        for gone in ids.filter(|id| !pinned.contains(*id)) {
            self.send(url, Method::DELETE, &format!("/v1/prefixes/{gone}"), &Value::Null, WHILE_SERVING).await;
        }
    }

    /// Returns only when it gives this life up, with the reason.
    async fn watch(&self, url: &str, offered: &Offered, mut adapters: Wanted) -> String {
        let mut missed = 0;
        let mut pinned = Instant::now();
        loop {
            tokio::select! {
                () = sleep(WHILE_SERVING) => {}
                Ok(()) = adapters.changed() => {
                    self.adapt(url, offered, &mut adapters).await;
                    continue;
                }
            }
            if !self.worker.config.pinned.is_empty() && pinned.elapsed() > PIN_AGAIN {
                self.pin(url).await;
                pinned = Instant::now();
            }
            missed = if self.ask(url).await.is_some() { 0 } else { missed + 1 };
            if missed > MAY_MISS {
                return "it lives but does not answer".to_owned();
            }
        }
    }

    async fn ask(&self, url: &str) -> Option<(StatusCode, Health)> {
        let (status, health) = self.send(url, Method::GET, "/health", &Value::Null, WHILE_SERVING).await?;
        Some((status, serde_json::from_value(health).unwrap_or(Health { progress: None })))
    }

    /// Asks the worker itself, not its model; an answer without JSON is null.
    pub(super) async fn send(
        &self,
        url: &str,
        method: Method,
        path: &str,
        body: &Value,
        within: Duration,
    ) -> Option<(StatusCode, Value)> {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let request = Request::builder()
            .method(method)
            .uri(format!("{url}{path}"))
            .header(AUTHORIZATION, format!("Bearer {}", self.process.key.reveal()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .ok()?;
        let answer = timeout(within, async {
            let (head, body) = self.worker.egress.request(request).await.ok()?.into_parts();
            let body = Limited::new(body, 64 << 10).collect().await.ok()?.to_bytes();
            Some((head.status, serde_json::from_slice(&body).unwrap_or_default()))
        });
        answer.await.ok()?
    }

    fn adapter(&self, url: &str, timeouts: Timeouts) -> Result<OpenAi, String> {
        let base = Base::read(&format!("{url}/v1"))?;
        OpenAi::new(self.worker.egress.clone(), base, Some(&self.process.key), timeouts)
    }
}

/// What is left, judged by how long it took so far.
fn loading(progress: Option<f64>, elapsed: Duration) -> ModelState {
    let Some(progress) = progress.filter(|part| (0.0..=1.0).contains(part)) else {
        return ModelState::Loading { percent: None, eta_ms: None };
    };
    let left = elapsed.as_secs_f64() * 1_000.0 * (1.0 - progress) / progress;
    // Whole seconds: a figure that jumps with every look tells nobody anything.
    let eta_ms = (progress > 0.05 && left.is_finite()).then(|| whole(left / 1_000.0).saturating_mul(1_000));
    let percent = u8::try_from(whole(progress * 100.0)).ok();
    ModelState::Loading { percent, eta_ms }
}

fn whole(number: f64) -> u64 {
    Duration::try_from_secs_f64(number.max(0.0)).map_or(u64::MAX, |time| time.as_secs())
}
