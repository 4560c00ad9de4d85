//! The LoRA adapters of this machine: what is here, taken in, uploaded, and given to models that run. The registry is
//! `models::library`'s; here it is told to the workers, which compute with another adapter from the next request on.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::Json as Reply;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ModelState;
use models::library::{AdapterEntry, AdapterError};
use models::{AdapterView as Running, WorkerView};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::library::blocking;
use crate::caller::Administrator;
use crate::portal::body::{self, Json, Path};
use crate::{Problem, Server};

/// Everything of the page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdapterList {
    /// Where they lie.
    folder: String,
    adapters: Vec<AdapterView>,
    /// The local models that an adapter can be given to.
    models: Vec<String>,
}

/// An adapter that is here.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdapterView {
    name: String,
    path: String,
    bytes: u64,
    /// That of the models it is for.
    architecture: Option<String>,
    rank: Option<u32>,
    alpha: Option<f32>,
    /// How many matrices of a model it changes.
    matrices: Option<usize>,
    /// What the training job wrote: data version, seed, losses.
    #[schema(value_type = Option<Object>)]
    card: Option<serde_json::Value>,
    attached: Vec<AttachmentView>,
    /// What is wrong with its file.
    problem: Option<String>,
}

/// A model that computes with an adapter where it is asked to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AttachmentView {
    /// The local model's name.
    model: String,
    /// What a request names to be answered with the adapter.
    id: String,
    scale: f32,
    /// Where it stands; `null` while its model does not run.
    #[schema(value_type = Option<Object>)]
    state: Option<ModelState>,
}

/// What to take in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdapterBody {
    /// A .gguf file on the portal's machine, or the folder of a training job.
    path: String,
    /// What to call it, where its own name does not serve.
    name: Option<String>,
}

/// Which model is to compute with it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AttachBody {
    /// The name of a local model.
    model: String,
    /// How much of its change is applied; 1, as it was trained, where it is absent.
    scale: Option<f32>,
}

/// Which model is no longer to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DetachBody {
    /// The name of a local model.
    model: String,
}

#[utoipa::path(get, path = "/api/adapters", tag = "adapters", responses((status = 200, body = AdapterList)))]
pub(crate) async fn list(State(server): State<Server>, _: Administrator) -> Result<Reply<AdapterList>, Problem> {
    let shelves = Arc::clone(&server.shelves);
    let workers = server.models.workers();
    blocking(move || {
        let adapters = shelves.adapters.list()?.into_iter().map(|entry| view(entry, &workers)).collect();
        let models =
            workers.iter().filter(|worker| worker.model.answers).map(|worker| local_name(&worker.id).to_owned());
        let folder = shelves.adapters.folder().display().to_string();
        Ok(Reply(AdapterList { folder, adapters, models: models.collect() }))
    })
    .await
}

#[utoipa::path(post, path = "/api/adapters", tag = "adapters", request_body = AdapterBody, responses((status = 201, body = AdapterView)))]
pub(crate) async fn take(
    State(server): State<Server>,
    _: Administrator,
    Json(body): Json<AdapterBody>,
) -> Result<(StatusCode, Reply<AdapterView>), Problem> {
    let shelves = Arc::clone(&server.shelves);
    blocking(move || {
        let entry = shelves.adapters.import(&PathBuf::from(body.path.trim()), body.name.as_deref())?;
        Ok((StatusCode::CREATED, Reply(view(entry, &[]))))
    })
    .await
}

/// The body is the file itself.
#[utoipa::path(put, path = "/api/adapters/{name}", tag = "adapters", params(("name" = String, Path)), request_body(content = String, content_type = "application/octet-stream"), responses((status = 201, body = AdapterView)))]
pub(crate) async fn upload(
    State(server): State<Server>,
    _: Administrator,
    Path(name): Path<String>,
    mut arriving: Body,
) -> Result<(StatusCode, Reply<AdapterView>), Problem> {
    let mut upload = server.shelves.adapters.upload(&name)?;
    while let Some(data) = body::piece(&mut arriving).await? {
        upload.write(&data).await?;
    }
    Ok((StatusCode::CREATED, Reply(view(upload.finish().await?, &[]))))
}

#[utoipa::path(delete, path = "/api/adapters/{name}", tag = "adapters", params(("name" = String, Path)), responses((status = 204, description = "its folder is gone")))]
pub(crate) async fn remove(
    State(server): State<Server>,
    _: Administrator,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let shelves = Arc::clone(&server.shelves);
    blocking(move || Ok(shelves.adapters.remove(&name)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/adapters/{name}/attach", tag = "adapters", params(("name" = String, Path)), request_body = AttachBody, responses((status = 204, description = "it is being loaded, and will be with its model; what runs goes on")))]
pub(crate) async fn attach(
    State(server): State<Server>,
    _: Administrator,
    Path(name): Path<String>,
    Json(body): Json<AttachBody>,
) -> Result<StatusCode, Problem> {
    let scale = body.scale.unwrap_or(1.0);
    if !(-100.0..=100.0).contains(&scale) {
        return Err(Problem::invalid("scale", "a scale is a number from -100 to 100"));
    }
    let workers = server.models.workers();
    let worker = workers.iter().find(|worker| local_name(&worker.id) == body.model);
    let file =
        worker.and_then(|worker| worker.file.clone()).ok_or_else(|| Problem::not_found("running local model"))?;
    change(&server, body.model, move |adapters, model| adapters.attach(&name, model, FilePath::new(&file), scale)).await
}

#[utoipa::path(post, path = "/api/adapters/{name}/detach", tag = "adapters", params(("name" = String, Path)), request_body = DetachBody, responses((status = 204, description = "answers that are being written with it come to their end")))]
pub(crate) async fn detach(
    State(server): State<Server>,
    _: Administrator,
    Path(name): Path<String>,
    Json(body): Json<DetachBody>,
) -> Result<StatusCode, Problem> {
    change(&server, body.model, move |adapters, model| adapters.detach(&name, model).map(drop)).await
}

/// Writes down what a model computes with, and has its worker do so.
async fn change(
    server: &Server,
    model: String,
    note: impl FnOnce(&models::library::Adapters, &str) -> Result<(), AdapterError> + Send + 'static,
) -> Result<StatusCode, Problem> {
    let shelves = Arc::clone(&server.shelves);
    let of = model.clone();
    let adapters = blocking(move || {
        note(&shelves.adapters, &of)?;
        Ok(shelves.adapters.of(&of))
    })
    .await?;
    server.models.adapt_worker(&model, adapters);
    Ok(StatusCode::NO_CONTENT)
}

fn local_name(id: &str) -> &str {
    id.split_once('/').map_or(id, |(_, name)| name)
}

fn view(entry: AdapterEntry, workers: &[WorkerView]) -> AdapterView {
    let running = |model: &str| -> Option<&Running> {
        let worker = workers.iter().find(|worker| local_name(&worker.id) == model)?;
        worker.adapters.iter().find(|adapter| adapter.name == entry.name)
    };
    let attached = entry.models.iter().map(|(model, scale)| AttachmentView {
        id: format!("{}/{model}:{}", models::LOCAL, entry.name),
        state: running(model).map(|adapter| adapter.state.clone()),
        model: model.clone(),
        scale: *scale,
    });
    let attached = attached.collect();
    let (facts, problem) = match entry.facts {
        Ok(facts) => (Some(facts), None),
        Err(why) => (None, Some(why)),
    };
    AdapterView {
        name: entry.name,
        path: entry.path.display().to_string(),
        bytes: entry.bytes,
        architecture: facts.as_ref().map(|facts| facts.architecture.clone()),
        rank: facts.as_ref().map(|facts| facts.rank),
        alpha: facts.as_ref().map(|facts| facts.alpha),
        matrices: facts.as_ref().map(|facts| facts.matrices),
        card: entry.card,
        attached,
        problem,
    }
}

impl From<AdapterError> for Problem {
    fn from(error: AdapterError) -> Problem {
        let (status, code) = match &error {
            AdapterError::NotHere { .. } => (StatusCode::NOT_FOUND, "adapter_not_found"),
            AdapterError::Exists { .. } => (StatusCode::CONFLICT, "adapter_exists"),
            AdapterError::BadName { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "adapter_bad_name"),
            AdapterError::Refused { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "adapter_refused"),
            AdapterError::InUse { .. } => (StatusCode::CONFLICT, "adapter_in_use"),
            AdapterError::Io { .. } => (StatusCode::INSUFFICIENT_STORAGE, "library_disk"),
        };
        Problem::new(status, code, error.to_string())
    }
}
