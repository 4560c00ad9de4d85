//! What a model can do, as tests found it: kept with its time, and run again when an administrator asks. What is asked of the
//! model is in `models::capability`.

use axum::Json as Reply;
use axum::extract::State;
use models::capability::{Answer, COST, Capability, Evidence};
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::Administrator;
use crate::portal::body::Path;
use crate::{Problem, Server};

/// The matrix of one model.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Matrix {
    model: String,
    /// Milliseconds since 1970; absent where it was never tested.
    at: Option<i64>,
    rows: Vec<Row>,
    /// What a test costs at most.
    cost: Cost,
}

/// One capability.
#[derive(Debug, Serialize, ToSchema)]
struct Row {
    #[schema(value_type = String)]
    capability: Capability,
    /// `yes`, `no` or `unknown`.
    #[schema(value_type = String)]
    answer: Answer,
    /// The HTTP status of a refusal.
    status: Option<u16>,
    /// The first words of the answer or of the error.
    said: String,
    latency_ms: u64,
}

/// What a test costs at most.
#[derive(Debug, Serialize, ToSchema)]
struct Cost {
    requests: u32,
    tokens: u32,
}

impl Matrix {
    fn new(model: String, at: Option<i64>, rows: Vec<Evidence>) -> Matrix {
        let row = |row: Evidence| Row {
            capability: row.capability,
            answer: row.answer,
            status: row.status,
            said: row.said,
            latency_ms: row.latency_ms,
        };
        let (requests, tokens) = COST;
        Matrix { model, at, rows: rows.into_iter().map(row).collect(), cost: Cost { requests, tokens } }
    }
}

#[utoipa::path(get, path = "/api/models/{id}/capabilities", tag = "models", params(("id" = String, Path, description = "percent-encoded")), responses((status = 200, body = Matrix)))]
pub(crate) async fn read(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<String>,
) -> Result<Reply<Matrix>, Problem> {
    let kept = server.store.capabilities(caller.tenant, &id).await?;
    let Some((at, rows)) = kept else { return Ok(Reply(Matrix::new(id, None, Vec::new()))) };
    // Rows that an older version wrote in other words are tested anew.
    let rows = serde_json::from_value(rows).unwrap_or_default();
    Ok(Reply(Matrix::new(id, Some(at.0), rows)))
}

#[utoipa::path(post, path = "/api/models/{id}/capabilities", tag = "models", params(("id" = String, Path, description = "percent-encoded")), responses((status = 200, body = Matrix), (status = 404, description = "no such model")))]
pub(crate) async fn test(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<String>,
) -> Result<Reply<Matrix>, Problem> {
    let rows = server.models.test(&id).await.ok_or_else(|| Problem::not_found("model"))?;
    let matrix = serde_json::to_value(&rows).unwrap_or_default();
    let at = server.store.put_capabilities(&caller, &id, &matrix).await?;
    Ok(Reply(Matrix::new(id, Some(at.0), rows)))
}
