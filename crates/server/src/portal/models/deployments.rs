//! What every deployment has to do now, as the router sees it: for the page of their load. Nothing is asked of them.

use axum::Json as Reply;
use axum::extract::State;
use domain::ModelState;
use models::BreakerState;
use serde::Serialize;
use utoipa::ToSchema;

use crate::Server;
use crate::caller::Administrator;

/// One deployment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DeploymentView {
    /// `provider/name`
    id: String,
    name: String,
    provider_name: String,
    /// `{state: cold | loading | warming | ready | failed, ...}`
    #[schema(value_type = Object)]
    state: ModelState,
    /// `closed`: it is asked. `open`: it failed several times in a row and is left alone. `half_open`: the next request tries it.
    /// `cooling`: it asked to be left alone for a while.
    #[schema(value_type = String)]
    breaker: BreakerState,
    /// Whether it finishes what it has and gets nothing new.
    draining: bool,
    /// How many requests it has under way.
    load: usize,
    /// How many it gets at most, where that is bounded.
    limit: Option<usize>,
    /// How many wait for a place there.
    waiting: usize,
    /// Absent where it has not answered yet.
    first_token: Option<FirstTokenView>,
    /// The least time that a question to its machine and the answer took, in milliseconds; absent where nobody has measured it.
    rtt_ms: Option<u32>,
}

/// The time to the first token of its latest streamed answers, at most 256 of them.
#[derive(Debug, Serialize, ToSchema)]
struct FirstTokenView {
    p50_ms: f64,
    p95_ms: f64,
    /// How many answers that is said of.
    answers: usize,
}

impl From<models::DeploymentView> for DeploymentView {
    fn from(one: models::DeploymentView) -> Self {
        let told = |first: models::FirstToken| FirstTokenView {
            p50_ms: first.p50_ms,
            p95_ms: first.p95_ms,
            answers: first.answers,
        };
        DeploymentView {
            id: one.id,
            name: one.name,
            provider_name: one.provider_name,
            state: one.state,
            breaker: one.breaker,
            draining: one.draining,
            load: one.load,
            limit: one.limit,
            waiting: one.waiting,
            first_token: one.first_token.map(told),
            rtt_ms: one.rtt_ms,
        }
    }
}

#[utoipa::path(get, path = "/api/deployments", tag = "models", responses((status = 200, body = Vec<DeploymentView>)))]
pub(crate) async fn list(State(server): State<Server>, _: Administrator) -> Reply<Vec<DeploymentView>> {
    let offered = server.models.deployments().into_iter().filter(|one| one.enabled);
    Reply(offered.map(DeploymentView::from).collect())
}
