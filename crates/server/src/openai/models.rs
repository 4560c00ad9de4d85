//! The models this house offers to whoever holds the key, as the dialect lists them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{Extensions, HeaderMap, StatusCode};
use models::ModelView;
use serde_json::{Value, json};

use super::DialectProblem;
use crate::key::keyholder;
use crate::{Problem, Server};

pub(crate) async fn list(
    State(server): State<Server>,
    headers: HeaderMap,
    extensions: Extensions,
) -> Result<Json<Value>, DialectProblem> {
    let scope = keyholder(&server, &headers, &extensions)?.scope;
    let offered = |card: &&ModelView| card.enabled && scope.allows_model(&card.id, &card.id);
    let data: Vec<Value> =
        server.models.list().iter().filter(offered).map(|card| entry(card, server.opened_at)).collect();
    Ok(Json(json!({ "object": "list", "data": data })))
}

pub(crate) async fn one(
    State(server): State<Server>,
    headers: HeaderMap,
    extensions: Extensions,
    Path(id): Path<String>,
) -> Result<Json<Value>, DialectProblem> {
    let scope = keyholder(&server, &headers, &extensions)?.scope;
    let card = server.models.find(&id).filter(|card| scope.allows_model(&id, &card.id)).ok_or_else(|| {
        Problem::new(
            StatusCode::NOT_FOUND,
            "model_not_found",
            format!("there is no model {id:?}; GET /v1/models lists those there are"),
        )
    })?;
    Ok(Json(entry(&card, server.opened_at)))
}

/// Where nobody tells when a model was made, it is when this portal began to offer it. `context_length`, `state`, `alias` and `targets` are ours; clients of the dialect ignore fields they do not know.
fn entry(card: &ModelView, opened_at: i64) -> Value {
    json!({
        "id": card.id, "object": "model", "created": card.created.unwrap_or(opened_at), "owned_by": card.provider_name,
        "name": card.name, "context_length": card.context, "state": card.state,
        "alias": card.alias, "targets": card.targets,
    })
}
