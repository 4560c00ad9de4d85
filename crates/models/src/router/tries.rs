//! What is done about a failure before the first token: ask another deployment of the model at once, the same one again after a
//! pause, or give up.

use std::time::Duration;

use domain::{ModelError, Route, Tried, TurnEvent};
use tokio::time::{Instant, sleep};

use super::{Model, Notice};
use crate::models::Deployment;

/// How often a back end that is loading is asked again, where it does not say.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What a request has behind it, over all the models that are asked for it.
#[derive(Default)]
pub(crate) struct Trail {
    /// Who was asked and gave no answer, in order.
    pub(super) tried: Vec<Tried>,
    /// How long it waited for a place.
    pub(super) queued: Duration,
}

impl Trail {
    /// The way so far; from here on another one begins.
    pub(crate) fn route(&mut self) -> Route {
        let queued_ms = u32::try_from(std::mem::take(&mut self.queued).as_millis()).unwrap_or(u32::MAX);
        Route { tried: std::mem::take(&mut self.tried), queued_ms, ..Route::default() }
    }

    /// A model is left behind. It is named where none of its deployments was asked: that too is part of the way.
    pub(super) fn leave(&mut self, model: &Model, before: usize, code: &'static str) {
        if self.tried.len() == before {
            self.tried.push(Tried { model: model.id.clone(), code: code.into() });
        }
    }
}

pub(super) struct Tries<'t> {
    pub(super) trail: &'t mut Trail,
    /// Those that failed since all of them were last asked.
    failed: Vec<usize>,
    repeated: u32,
    most: u32,
    /// When waiting for the first token ends.
    pub(super) until: Instant,
}

impl<'t> Tries<'t> {
    /// `most`: how often those that failed are asked again.
    pub(super) fn new(model: &Model, most: u32, trail: &'t mut Trail) -> Tries<'t> {
        let longest = model.choices.iter().map(|choice| choice.deployment.timeouts.first_token).max();
        Tries { trail, failed: Vec::new(), repeated: 0, most, until: Instant::now() + longest.unwrap_or_default() }
    }

    pub(super) fn has_failed(&self, choice: usize) -> bool {
        self.failed.contains(&choice)
    }

    /// Returns when the model may be asked again, or gives the error back where that would not help or nobody would wait.
    pub(super) async fn after(
        &mut self,
        model: &Model,
        failed: &Deployment,
        error: ModelError,
        notice: Notice<'_>,
    ) -> Result<(), ModelError> {
        self.trail.tried.push(Tried { model: failed.id.clone(), code: error.code().into() });
        if !another_may_answer(&error) {
            return Err(error);
        }
        self.failed.extend(model.position(failed));
        let (id, code) = (failed.id.clone(), error.code());
        if self.another_is_left(model) {
            metrics::counter!("portico_upstream_retries_total", "deployment" => id, "code" => code).increment(1);
            return Ok(());
        }
        let pause = match &error {
            ModelError::Loading { retry_after, .. } => {
                notice(TurnEvent::Warming { state: failed.state() });
                retry_after.unwrap_or(LOOK_AGAIN)
            }
            _ if self.repeated >= self.most || !the_same_may_answer(&error) => return Err(error),
            _ => {
                self.repeated += 1;
                told(&error).unwrap_or_else(|| usual_pause(self.repeated))
            }
        };
        if Instant::now() + pause >= self.until {
            return Err(error);
        }
        metrics::counter!("portico_upstream_retries_total", "deployment" => id, "code" => code).increment(1);
        sleep(pause).await;
        self.failed.clear();
        Ok(())
    }

    fn another_is_left(&self, model: &Model) -> bool {
        let mut left = model.choices.iter().enumerate().filter(|(at, _)| !self.has_failed(*at));
        left.any(|(_, choice)| choice.deployment.standing().asks())
    }
}

/// Whether another deployment or model may answer what this one did not: not where the request itself is wrong.
pub(super) fn another_may_answer(error: &ModelError) -> bool {
    !matches!(error, ModelError::Rejected { .. })
}

/// Whether the same deployment may answer a little later.
fn the_same_may_answer(error: &ModelError) -> bool {
    match error {
        ModelError::OverLimit { retry_after, message, body, .. } => {
            retry_after.is_some() && !is_spent(message.as_bytes()) && !body.as_deref().is_some_and(is_spent)
        }
        error => error.retryable(),
    }
}

/// A quota that is used up, as OpenAI and those who follow it say it: waiting does not fill it.
fn is_spent(said: &[u8]) -> bool {
    let word = b"insufficient_quota";
    said.windows(word.len()).any(|part| part == word)
}

/// When the back end wants to be asked again.
fn told(error: &ModelError) -> Option<Duration> {
    match error {
        ModelError::Broken { retry_after, .. } | ModelError::OverLimit { retry_after, .. } => *retry_after,
        _ => None,
    }
}

/// How long to wait before the `tries`th repetition, where the back end does not say.
fn usual_pause(tries: u32) -> Duration {
    Duration::from_millis(25).saturating_mul(2_u32.saturating_pow(tries.min(6)))
}
