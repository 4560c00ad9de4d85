//! From a deployment to its first token: wait while it loads, ask, and ask again where that can help.

use std::time::Duration;

use domain::{ModelError, ModelState, Prompt, Reply, Route, TurnEvent};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Deployment, pause, whole};
use crate::Options;

/// How often a back end that is loading is asked again, where it does not say.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

type Notice<'a> = &'a mut (dyn FnMut(TurnEvent) + Send);

pub(super) async fn open(
    deployment: &Deployment,
    mut prompt: Prompt,
    options: &Options,
    notice: Notice<'_>,
) -> Result<Reply, ModelError> {
    let busy = deployment.load.enter();
    let limit = Instant::now() + deployment.timeouts.first_token;
    prompt.model.clone_from(&deployment.name);
    let in_one_piece = prompt.stream && !deployment.streaming;
    if in_one_piece {
        prompt = whole::in_one_piece(prompt);
    }
    let mut tries = 0;
    loop {
        ready(deployment, limit, notice).await?;
        let error = match deployment.backend.open(prompt.clone()).await {
            Ok(mut reply) => {
                reply.route = Route { provider: deployment.provider.clone(), model: deployment.id.clone() };
                if !deployment.local {
                    deployment.succeed();
                }
                return Ok(busy.with(if in_one_piece { whole::as_stream(reply) } else { reply }));
            }
            Err(error) => error,
        };
        note(deployment, &error);
        let wait = match &error {
            ModelError::Loading { retry_after, .. } => {
                notice(TurnEvent::Warming { state: deployment.state() });
                retry_after.unwrap_or(LOOK_AGAIN)
            }
            _ if !error.retryable() || tries >= options.retries => return Err(error),
            ModelError::Broken { retry_after: Some(told), .. } => {
                tries += 1;
                *told
            }
            _ => {
                tries += 1;
                pause(tries)
            }
        };
        if Instant::now() + wait >= limit {
            return Err(error);
        }
        sleep(wait).await;
    }
}

/// Waits until a worker of the house is ready. Others are simply asked: what is known of them may be old.
async fn ready(deployment: &Deployment, limit: Instant, notice: Notice<'_>) -> Result<(), ModelError> {
    if !deployment.local {
        return Ok(());
    }
    let mut states = deployment.state.subscribe();
    loop {
        let state = states.borrow_and_update().clone();
        match state {
            ModelState::Ready => return Ok(()),
            ModelState::Failed { message, .. } => {
                return Err(ModelError::Failed { model: deployment.display_name.clone(), message });
            }
            ModelState::Cold | ModelState::Loading { .. } | ModelState::Warming => {
                notice(TurnEvent::Warming { state });
            }
        }
        match timeout_at(limit, states.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => {
                return Err(ModelError::Loading { model: deployment.display_name.clone(), retry_after: None });
            }
        }
    }
}

/// What a failure says about a back end that no supervisor watches.
fn note(deployment: &Deployment, error: &ModelError) {
    if deployment.local {
        return;
    }
    match error {
        ModelError::Loading { .. } => deployment.set(ModelState::Loading { percent: None, eta_ms: None }),
        ModelError::Unreachable { .. }
        | ModelError::Refused { .. }
        | ModelError::NoSuchModel { .. }
        | ModelError::Forbidden { .. } => deployment.refuse(error),
        _ => {}
    }
}
