//! The models this house offers, as the dialect lists them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use models::ModelView;
use serde_json::{Value, json};

use super::{DialectProblem, caller};
use crate::{Problem, Server};

pub(crate) async fn list(State(server): State<Server>, headers: HeaderMap) -> Result<Json<Value>, DialectProblem> {
    caller(&server, &headers)?;
    let data: Vec<Value> = server.models.list().iter().filter(|card| card.enabled).map(entry).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

pub(crate) async fn one(
    State(server): State<Server>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, DialectProblem> {
    caller(&server, &headers)?;
    let card = chat::find(&server.models, &id).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "model_not_found",
            format!("there is no model {id:?}; GET /v1/models lists those there are"),
        )
    })?;
    Ok(Json(entry(&card)))
}

/// `context_length` and `state` are ours; clients of the dialect ignore fields they do not know.
fn entry(card: &ModelView) -> Value {
    json!({
        "id": card.id, "object": "model", "created": 0, "owned_by": card.provider_name,
        "name": card.name, "context_length": card.context, "state": card.state,
    })
}
