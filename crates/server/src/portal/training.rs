//! Training jobs, for administrators: which models can learn here, what is asked for, how far it is. The work is `tuning`'s.

use std::sync::Arc;

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{DatasetId, JobId};
use models::library::{Entry, Kind};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{Job, Loss};
use tuning::{Order, Recipe};
use utoipa::{IntoParams, ToSchema};

use crate::caller::Administrator;
use crate::portal::body::{Json, Path, Query};
use crate::{Problem, Server};

/// The longest name, in characters.
const NAME: usize = 80;
/// Bytes of memory for each weight while an adapter learns, about: the weights in 32 bit, and what a step of 2,048 tokens holds. The trainer
/// itself reckons by the model's own shape and data before it begins, and refuses.
const BYTES_PER_WEIGHT: u64 = 12;
/// The architectures that the trainer knows (`training::Architecture`).
const TAUGHT: [&str; 3] = ["llama", "qwen2", "qwen3"];

/// Everything of the page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrainingView {
    /// Whether this portal can train; without it there is a way to get it.
    can_train: bool,
    models: Vec<LearnerView>,
    jobs: Vec<JobView>,
}

/// A model of this machine that can learn.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LearnerView {
    name: String,
    architecture: String,
    parameters: u64,
    /// Bytes of memory that learning takes, about.
    needed: u64,
    /// Bytes that can be had now.
    free: Option<u64>,
    fits: bool,
}

/// A training job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobView {
    id: String,
    name: String,
    model: String,
    dataset: String,
    version: i64,
    #[schema(value_type = RecipeView)]
    recipe: Value,
    /// `queued`, `running`, `stopped`, `interrupted`, `failed` or `done`.
    state: &'static str,
    /// What it last told; empty before the first word.
    #[schema(value_type = ProgressView)]
    progress: Value,
    /// Why it failed.
    failure: Option<String>,
    /// What it made.
    #[schema(value_type = Option<MadeView>)]
    result: Option<Value>,
    /// Milliseconds since 1970.
    created_at: i64,
    started_at: Option<i64>,
    finished_at: Option<i64>,
}

/// [`Recipe`] in the description of the API.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct RecipeView {
    file: String,
    rank: u32,
    alpha: f64,
    learning_rate: f64,
    epochs: u32,
    seed: u32,
}

/// A line of the trainer in the description of the API.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ProgressView {
    step: Option<u32>,
    steps: Option<u32>,
    loss: Option<f64>,
    held_out: Option<f64>,
    tokens_per_s: Option<f64>,
    eta_s: Option<f64>,
    epoch: Option<u32>,
}

/// What a job left, in the description of the API.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct MadeView {
    folder: String,
    /// The adapter's card, as the trainer wrote it.
    card: Option<Value>,
}

impl From<Job> for JobView {
    fn from(job: Job) -> Self {
        JobView {
            id: job.id.to_string(),
            name: job.name,
            model: job.model,
            dataset: job.dataset.to_string(),
            version: job.version,
            recipe: job.recipe,
            state: job.state.as_str(),
            progress: job.progress,
            failure: job.failure,
            result: job.result,
            created_at: job.created_at.0,
            started_at: job.started_at.map(|at| at.0),
            finished_at: job.finished_at.map(|at| at.0),
        }
    }
}

#[utoipa::path(get, path = "/api/training", tag = "training", responses((status = 200, body = TrainingView)))]
pub(crate) async fn read(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
) -> Result<Reply<TrainingView>, Problem> {
    let jobs = server.store.jobs(&caller).await?.into_iter().map(JobView::from).collect();
    let shelves = Arc::clone(&server.shelves);
    let models = on_disk(move || {
        let free = shelves.library.free_memory();
        Ok(shelves.library.list()?.iter().filter_map(|entry| learner(entry, free)).collect())
    })
    .await?;
    Ok(Reply(TrainingView { can_train: server.training.can_train(), models, jobs }))
}

/// Only what writes can be taught, of an architecture that the trainer knows, in a file that it reads whole.
fn learner(entry: &Entry, free: Option<u64>) -> Option<LearnerView> {
    let facts = entry.facts.as_ref().filter(|facts| facts.kind == Kind::Chat && entry.parts <= 1)?;
    if !TAUGHT.contains(&facts.architecture.as_str()) {
        return None;
    }
    let needed = facts.parameters.saturating_mul(BYTES_PER_WEIGHT);
    Some(LearnerView {
        name: entry.name.clone(),
        architecture: facts.architecture.clone(),
        parameters: facts.parameters,
        needed,
        free,
        fits: free.is_none_or(|free| needed <= free),
    })
}

/// A job to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobBody {
    name: String,
    /// The name of a model of this machine.
    model: String,
    #[schema(value_type = String)]
    dataset: DatasetId,
    /// A frozen version.
    version: i64,
    /// 1 to 256.
    rank: u32,
    alpha: f64,
    learning_rate: f64,
    /// How often each example is seen: 1 to 200.
    epochs: u32,
    #[serde(default)]
    seed: u32,
}

#[utoipa::path(post, path = "/api/training/jobs", tag = "training", request_body = JobBody, responses((status = 200, body = JobView), (status = 409, description = "trainer_absent")))]
pub(crate) async fn create(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Json(body): Json<JobBody>,
) -> Result<Reply<JobView>, Problem> {
    let JobBody { name, model, dataset, version, rank, alpha, learning_rate, epochs, seed } = body;
    let name: String = name.trim().chars().take(NAME).collect();
    if name.is_empty() {
        return Err(Problem::invalid("name", format!("a name has 1 to {NAME} characters")));
    }
    if !server.training.can_train() {
        return Err(tuning::Error::NoTrainer.into());
    }
    let (shelves, wanted) = (Arc::clone(&server.shelves), model.clone());
    let entry = on_disk(move || Ok(shelves.library.list()?.into_iter().find(|entry| entry.name == wanted))).await?;
    let file = entry.filter(|entry| learner(entry, None).is_some()).ok_or_else(|| Problem::not_found("model"))?.path;
    let recipe = Recipe { file, rank, alpha, learning_rate, epochs, seed };
    let order = Order { name, model, dataset, version, recipe };
    Ok(Reply(server.training.create(&caller, order).await?.into()))
}

/// How much of the losses is known already.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct AfterStep {
    #[serde(default)]
    after: u32,
}

/// The loss at a step, in nats for each token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LossView {
    step: u32,
    train: Option<f64>,
    held_out: Option<f64>,
}

/// A job with its losses.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobDetail {
    job: JobView,
    losses: Vec<LossView>,
}

#[utoipa::path(get, path = "/api/training/jobs/{id}", tag = "training", params(("id" = String, Path), AfterStep), responses((status = 200, body = JobDetail), (status = 404)))]
pub(crate) async fn job(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<JobId>,
    Query(query): Query<AfterStep>,
) -> Result<Reply<JobDetail>, Problem> {
    let job = server.store.job(&caller, id).await?.ok_or_else(|| Problem::not_found("job"))?;
    let nats = |micros: Option<i64>| micros.map(|micros| micros as f64 / 1e6);
    let view = |Loss { step, train, held_out }| LossView { step, train: nats(train), held_out: nats(held_out) };
    let losses = server.store.losses(&caller, id, query.after).await?.into_iter().map(view).collect();
    Ok(Reply(JobDetail { job: job.into(), losses }))
}

#[utoipa::path(post, path = "/api/training/jobs/{id}/stop", tag = "training", params(("id" = String, Path)), responses((status = 204), (status = 409)))]
pub(crate) async fn stop(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<JobId>,
) -> Result<StatusCode, Problem> {
    server.training.stop(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/training/jobs/{id}/resume", tag = "training", params(("id" = String, Path)), responses((status = 204), (status = 409)))]
pub(crate) async fn resume(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<JobId>,
) -> Result<StatusCode, Problem> {
    server.training.resume(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(delete, path = "/api/training/jobs/{id}", tag = "training", params(("id" = String, Path)), responses((status = 204), (status = 409)))]
pub(crate) async fn remove(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<JobId>,
) -> Result<StatusCode, Problem> {
    server.training.delete(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Disks are waited for outside the threads that serve.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, models::library::Error> + Send + 'static,
) -> Result<T, Problem> {
    let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the disk could not be asked");
    Ok(tokio::task::spawn_blocking(work).await.map_err(failed)??)
}
