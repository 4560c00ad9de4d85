//! What is on an Ollama's disk and in its memory, and changing that: load, unload, fetch, remove. Pulls go on without the page
//! that asked; it follows them by events or over the live channel.

use axum::Json as Reply;
use axum::extract::{FromRequest, FromRequestParts, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;
use domain::{Caller, Failure, ProviderId};
use models::{Installed, PullState, PullView};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;
use utoipa::ToSchema;

use crate::caller::Administrator;
use crate::portal::body::{Json, Path};
use crate::portal::view::FailureView;
use crate::{Problem, Server, sse};

/// What is installed at a provider.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InstalledList {
    models: Vec<InstalledModel>,
}

/// A model on the provider's disk.
#[derive(Debug, Serialize, ToSchema)]
struct InstalledModel {
    name: String,
    /// On disk, in bytes.
    size: u64,
    family: Option<String>,
    parameter_size: Option<String>,
    quantization: Option<String>,
    context: Option<u32>,
    capabilities: Option<Vec<String>>,
    loaded: Option<LoadedModel>,
}

/// What it takes in memory.
#[derive(Debug, Serialize, ToSchema)]
struct LoadedModel {
    /// Bytes.
    size: u64,
    /// Bytes on a GPU.
    size_vram: u64,
    /// RFC 3339.
    expires_at: Option<String>,
    context: Option<u32>,
}

impl From<Installed> for InstalledModel {
    fn from(model: Installed) -> Self {
        let loaded = model.loaded.map(|loaded| LoadedModel {
            size: loaded.size,
            size_vram: loaded.size_vram,
            expires_at: loaded.expires_at,
            context: loaded.context,
        });
        InstalledModel {
            name: model.name,
            size: model.size,
            family: model.family,
            parameter_size: model.parameter_size,
            quantization: model.quantization,
            context: model.context,
            capabilities: model.capabilities,
            loaded,
        }
    }
}

#[utoipa::path(get, path = "/api/providers/{id}/installed", tag = "models", params(("id" = String, Path)), responses((status = 200, body = InstalledList)))]
pub(crate) async fn installed(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<String>,
) -> Result<Reply<InstalledList>, Problem> {
    let slug = slug_of(&server, &caller, &id).await?;
    let all = server.models.installed(&slug).await?;
    Ok(Reply(InstalledList { models: all.into_iter().map(InstalledModel::from).collect() }))
}

/// Which model.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichModel {
    model: String,
    /// How long it stays in memory unasked: `10m`, `-1` for ever; absent: as the server is set.
    keep_alive: Option<String>,
}

/// What an administrator does to a model at a provider.
pub(crate) struct AtProvider {
    slug: String,
    which: WhichModel,
}

impl FromRequest<Server> for AtProvider {
    type Rejection = Problem;

    async fn from_request(request: Request, server: &Server) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let Administrator { caller } = Administrator::from_request_parts(&mut parts, server).await?;
        let Path(id) = Path::<String>::from_request_parts(&mut parts, server).await?;
        let Json(which) = Json::from_request(Request::from_parts(parts, body), server).await?;
        Ok(AtProvider { slug: slug_of(server, &caller, &id).await?, which })
    }
}

#[utoipa::path(post, path = "/api/providers/{id}/load", tag = "models", params(("id" = String, Path)), request_body = WhichModel, responses((status = 204, description = "it is in memory")))]
pub(crate) async fn load(
    State(server): State<Server>,
    AtProvider { slug, which }: AtProvider,
) -> Result<StatusCode, Problem> {
    server.models.bring_in(&slug, &which.model, which.keep_alive.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/providers/{id}/unload", tag = "models", params(("id" = String, Path)), request_body = WhichModel, responses((status = 204, description = "it has left memory")))]
pub(crate) async fn unload(
    State(server): State<Server>,
    AtProvider { slug, which }: AtProvider,
) -> Result<StatusCode, Problem> {
    server.models.send_away(&slug, &which.model).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/providers/{id}/uninstall", tag = "models", params(("id" = String, Path)), request_body = WhichModel, responses((status = 204, description = "it is off the disk")))]
pub(crate) async fn uninstall(
    State(server): State<Server>,
    AtProvider { slug, which }: AtProvider,
) -> Result<StatusCode, Problem> {
    server.models.delete(&slug, &which.model).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A model on its way to a disk.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct Pull {
    /// `provider/model`
    id: String,
    provider: String,
    model: String,
    /// `running`, `done`, `failed` or `cancelled`. One that failed or was cancelled goes on where it was when asked for again.
    #[schema(value_type = String)]
    state: PullState,
    /// The server's own words for what it does now.
    status: String,
    /// Bytes, as far as they are known.
    total: u64,
    /// Bytes that are there.
    completed: u64,
    #[schema(value_type = Option<FailureView>)]
    failure: Option<Failure>,
}

impl From<PullView> for Pull {
    fn from(pull: PullView) -> Self {
        Pull {
            id: pull.id,
            provider: pull.provider,
            model: pull.model,
            state: pull.state,
            status: pull.status,
            total: pull.total,
            completed: pull.completed,
            failure: pull.failure,
        }
    }
}

/// Every pull since the start.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PullList {
    pulls: Vec<Pull>,
}

/// As JSON, for the live channel.
pub(crate) fn pulls_now(server: &Server) -> Value {
    let pulls: Vec<Pull> = server.models.pulls().into_iter().map(Pull::from).collect();
    serde_json::to_value(pulls).unwrap_or_default()
}

#[utoipa::path(get, path = "/api/pulls", tag = "models", responses((status = 200, body = PullList)))]
pub(crate) async fn pulls(State(server): State<Server>, _: Administrator) -> Reply<PullList> {
    Reply(PullList { pulls: server.models.pulls().into_iter().map(Pull::from).collect() })
}

#[utoipa::path(post, path = "/api/providers/{id}/pull", tag = "models", params(("id" = String, Path)), request_body = WhichModel, responses((status = 202, body = Pull, description = "it has begun, or goes on")))]
pub(crate) async fn pull(
    State(server): State<Server>,
    AtProvider { slug, which }: AtProvider,
) -> Result<(StatusCode, Reply<Pull>), Problem> {
    let name = which.model.trim();
    if name.is_empty() {
        return Err(Problem::invalid("model", "name the model as Ollama's library does, for instance qwen3:8b"));
    }
    Ok((StatusCode::ACCEPTED, Reply(server.models.pull(&slug, name)?.into())))
}

#[utoipa::path(delete, path = "/api/pulls/{id}", tag = "models", params(("id" = String, Path, description = "percent-encoded")), responses((status = 204, description = "stopped if it ran, else forgotten")))]
pub(crate) async fn cancel(
    State(server): State<Server>,
    _: Administrator,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    match server.models.cancel_pull(&id) {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("pull")),
    }
}

#[utoipa::path(get, path = "/api/pulls/{id}/events", tag = "models", params(("id" = String, Path, description = "percent-encoded")), responses((status = 200, content_type = "text/event-stream", description = "a `Pull` at every step, until it is over")))]
pub(crate) async fn events(
    State(server): State<Server>,
    _: Administrator,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    if !server.models.pulls().iter().any(|pull| pull.id == id) {
        return Err(Problem::not_found("pull"));
    }
    let mut changes = server.models.watch_pulls();
    changes.mark_changed();
    Ok(sse::response(Following { server, changes, id, before: None }))
}

/// One pull, step by step.
struct Following {
    server: Server,
    changes: watch::Receiver<u64>,
    id: String,
    before: Option<Pull>,
}

impl sse::Frames for Following {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.before.as_ref().is_some_and(|pull| pull.state != PullState::Running) {
                return None;
            }
            self.changes.changed().await.ok()?;
            let now = self.server.models.pulls().into_iter().find(|pull| pull.id == self.id).map(Pull::from)?;
            if self.before.as_ref() == Some(&now) {
                continue;
            }
            let event = format!("data: {}\n\n", serde_json::to_string(&now).unwrap_or_default());
            self.before = Some(now);
            return Some(Bytes::from(event));
        }
    }
}

/// The slug of a provider: of one that was added here by its id, of any other it is its id.
async fn slug_of(server: &Server, caller: &Caller, id: &str) -> Result<String, Problem> {
    let Ok(stored) = id.parse::<ProviderId>() else { return Ok(id.to_owned()) };
    let row = server.catalog.find(caller, stored).await?.ok_or_else(|| Problem::not_found("provider"))?;
    Ok(row.name)
}
