//! The catalogue of families: what makers publish of their models. Data only; nobody is asked.

use axum::Json as Reply;
use models::family;
use serde_json::{Value, json};

use crate::caller::SignedIn;

#[utoipa::path(get, path = "/api/catalog/models", tag = "models", responses((status = 200, body = Object, description = "families with their models: context, modalities, licence, list prices, sizes, KV bytes per token")))]
pub(crate) async fn list(_: SignedIn) -> Reply<Value> {
    let families: Vec<Value> = family::families()
        .iter()
        .map(|family| {
            let mut shown = serde_json::to_value(family).unwrap_or_default();
            for (model, shown) in family.models.iter().zip(shown["model"].as_array_mut().into_iter().flatten()) {
                shown["kv_bytes_per_token"] = json!(model.kv_bytes());
            }
            if let Some(fields) = shown.as_object_mut() {
                let models = fields.remove("model").unwrap_or_default();
                fields.insert("models".to_owned(), models);
            }
            shown
        })
        .collect();
    Reply(json!({ "families": families }))
}
