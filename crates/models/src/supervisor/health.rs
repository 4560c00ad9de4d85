//! From a started process to a model that answers, and the watch over it: load, warm up, look in from time to time.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use domain::{ModelError, ModelProvider, ModelState, Offered};
use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use serde::Deserialize;
use tokio::time::{Instant, sleep, timeout};

use super::Supervised;
use super::process::Contact;
use crate::Timeouts;
use crate::providers::openai::{Base, OpenAi};
use crate::warm_up::warm_up;

/// How long a process may take to say where it listens.
const SPEAKS_WITHIN: Duration = Duration::from_secs(30);
/// How often it is asked while it loads, and while it serves.
const WHILE_LOADING: Duration = Duration::from_millis(50);
const WHILE_SERVING: Duration = Duration::from_secs(5);
/// It may be busy computing: only so many missed answers in a row mean that it hangs.
const MAY_MISS: u32 = 4;
/// The first request touches every weight: on a slow disk that takes minutes.
const WARM_UP: Duration = Duration::from_secs(600);

/// The watch over one life of a worker.
pub(super) struct Attendance<'a> {
    pub(super) worker: &'a Supervised,
    pub(super) process: Contact,
    /// When it became ready.
    pub(super) ready: &'a OnceLock<Instant>,
}

#[derive(Deserialize)]
struct Health {
    #[serde(default)]
    progress: Option<f64>,
}

impl Attendance<'_> {
    /// Returns only when it gives this life up, with the reason.
    pub(super) async fn attend(self) -> String {
        match self.try_attend().await {
            Ok(never) => match never {},
            Err(why) => why,
        }
    }

    async fn try_attend(self) -> Result<std::convert::Infallible, String> {
        let started = Instant::now();
        let url = self.url().await?;
        self.loaded(&url, started).await?;
        self.worker.note(|facts| facts.loaded_in = Some(started.elapsed()));
        self.worker.deployment.set(ModelState::Warming);
        let offered = self.warm_up(&url).await?;
        let adapter = self.adapter(&url, self.worker.timeouts)?;
        self.worker.seat.take(offered.name.clone(), Arc::new(adapter.asking_confidence()));
        self.worker.deployment.room.set_limit(offered.concurrency);
        self.worker.deployment.learn(&offered);
        let _ = self.ready.set(Instant::now());
        self.worker.deployment.set(ModelState::Ready);
        self.watch(&url).await
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

    /// A real request for one token, so that no person waits for what only happens once.
    async fn warm_up(&self, url: &str) -> Result<Offered, String> {
        let started = Instant::now();
        let adapter = self.adapter(url, Timeouts { first_token: WARM_UP, idle: WARM_UP, ..self.worker.timeouts })?;
        let wrong = |error: ModelError| format!("its warm-up failed: {error}");
        let mut offered = adapter.offered().await.map_err(wrong)?;
        if offered.is_empty() {
            return Err("it offers no model".to_owned());
        }
        let offered = offered.swap_remove(0);
        warm_up(&adapter, &offered.name).await.map_err(wrong)?;
        self.worker.note(|facts| facts.warmed_in = Some(started.elapsed()));
        Ok(offered)
    }

    async fn watch(&self, url: &str) -> Result<std::convert::Infallible, String> {
        let mut missed = 0;
        loop {
            sleep(WHILE_SERVING).await;
            missed = if self.ask(url).await.is_some() { 0 } else { missed + 1 };
            if missed > MAY_MISS {
                return Err("it lives but does not answer".to_owned());
            }
        }
    }

    async fn ask(&self, url: &str) -> Option<(StatusCode, Health)> {
        let request = Request::get(format!("{url}/health"))
            .header(AUTHORIZATION, format!("Bearer {}", self.process.key.reveal()))
            .body(Full::<Bytes>::default())
            .ok()?;
        let answer = timeout(WHILE_SERVING, async {
            let (head, body) = self.worker.egress.request(request).await.ok()?.into_parts();
            let body = Limited::new(body, 64 << 10).collect().await.ok()?.to_bytes();
            Some((head.status, serde_json::from_slice(&body).unwrap_or(Health { progress: None })))
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
