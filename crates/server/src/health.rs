//! Is it alive, is it ready, and the metrics: for supervisors and load balancers, not for people.

use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use domain::ModelState;
use metrics_exporter_prometheus::PrometheusHandle;
use models::{BreakerState, DeploymentView};
use serde_json::{Value, json};

use crate::Server;

/// The process answers. Says nothing about the database: restarting the portal mends no database.
pub(crate) async fn livez() -> &'static str {
    "ok"
}

/// What is to be ready.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Wanted {
    model: Option<String>,
}

/// Traffic may come: not draining, and the database answers. Models are listed, but a portal without one is ready; with
/// `?model=NAME` it is that model's state that counts, too.
pub(crate) async fn readyz(State(server): State<Server>, Query(wanted): Query<Wanted>) -> Response {
    if let Some(name) = &wanted.model {
        return model_ready(&server, name);
    }
    let database = server.store.ping().await;
    let draining = server.doors.draining.is_cancelled();
    let status = if draining || database.is_err() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let models: Vec<Value> =
        server.models.list().iter().map(|card| json!({ "id": card.id, "state": card.state })).collect();
    let body = json!({
        "ready": status == StatusCode::OK,
        "draining": draining,
        "database": database.err().map_or_else(|| "ok".to_owned(), |error| error.code().to_owned()),
        "storage_full": server.store.writer().full(),
        "models": models,
    });
    (status, Json(body)).into_response()
}

fn model_ready(server: &Server, name: &str) -> Response {
    let Some(card) = server.models.find(name) else {
        return (StatusCode::NOT_FOUND, Json(json!({ "ready": false, "model": name, "state": null }))).into_response();
    };
    let ready = matches!(card.state, ModelState::Ready) && !server.doors.draining.is_cancelled();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({ "ready": ready, "model": card.id, "state": card.state }))).into_response()
}

/// The metrics' own listener: `/metrics` in Prometheus' text format, and the probes.
pub fn metrics_router(handle: PrometheusHandle, server: Server) -> Router {
    let render = move || {
        let handle = handle.clone();
        let server = server.clone();
        async move {
            let text = axum::http::HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            metrics::gauge!("portico_turns_running").set(count(server.chat.running()));
            metrics::gauge!("portico_writer_lag_seconds").set(server.store.writer().lag().as_secs_f64());
            metrics::gauge!("portico_storage_full").set(if server.store.writer().full() { 1.0 } else { 0.0 });
            for card in server.models.list() {
                let ready = matches!(card.state, ModelState::Ready);
                metrics::gauge!("portico_model_ready", "model" => card.id.clone()).set(flag(ready));
            }
            server.models.deployments().iter().for_each(gauge);
            for worker in server.models.workers() {
                metrics::gauge!("portico_worker_memory_bytes", "model" => worker.id).set(bytes(worker.memory));
            }
            ([(header::CONTENT_TYPE, text)], handle.render())
        }
    };
    Router::new().route("/metrics", get(render)).route("/livez", get(livez))
}

/// One deployment: where it stands, how much it has to do, and whether it is left alone.
fn gauge(deployment: &DeploymentView) {
    let id = || deployment.id.clone();
    for (state, is) in [
        ("cold", matches!(deployment.state, ModelState::Cold)),
        ("loading", matches!(deployment.state, ModelState::Loading { .. })),
        ("warming", matches!(deployment.state, ModelState::Warming)),
        ("ready", matches!(deployment.state, ModelState::Ready)),
        ("failed", matches!(deployment.state, ModelState::Failed { .. })),
    ] {
        metrics::gauge!("portico_deployment_state", "deployment" => id(), "state" => state).set(flag(is));
    }
    let left_alone = deployment.breaker != BreakerState::Closed;
    metrics::gauge!("portico_deployment_breaker_open", "deployment" => id()).set(flag(left_alone));
    metrics::gauge!("portico_deployment_load", "deployment" => id()).set(count(deployment.load));
    if let Some(ms) = deployment.rtt_ms {
        metrics::gauge!("portico_upstream_rtt_seconds", "deployment" => id()).set(f64::from(ms) / 1e3);
    }
    metrics::gauge!("portico_queue_depth", "deployment" => id()).set(count(deployment.waiting));
}

fn flag(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

/// Exact to a petabyte.
#[expect(clippy::cast_precision_loss, reason = "no machine has 2^53 bytes")]
fn bytes(of: u64) -> f64 {
    of as f64
}

fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}
