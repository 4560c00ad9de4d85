//! Is it alive, is it ready, and the metrics: for supervisors and load balancers, not for people.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::{Value, json};

use crate::Server;

/// The process answers. Says nothing about the database: restarting the portal mends no database.
pub(crate) async fn livez() -> &'static str {
    "ok"
}

/// Traffic may come: not draining, and the database answers. Models are listed, but a portal without one is ready.
pub(crate) async fn readyz(State(server): State<Server>) -> Response {
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
                let ready = matches!(card.state, domain::ModelState::Ready);
                metrics::gauge!("portico_model_ready", "model" => card.id.clone()).set(if ready { 1.0 } else { 0.0 });
            }
            ([(header::CONTENT_TYPE, text)], handle.render())
        }
    };
    Router::new().route("/metrics", get(render)).route("/livez", get(livez))
}

fn count(of: usize) -> f64 {
    f64::from(u32::try_from(of).unwrap_or(u32::MAX))
}
