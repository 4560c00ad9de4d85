//! Batches: one question about every row of a table or every file of a pile, asked with nobody waiting; whose they are, and what is
//! shown of them. The asking is `chat`'s.

mod examples;
mod export;
mod workbook;

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use chat::{BatchAsk, BatchSource};
use domain::{AssistantId, BatchId, Caller, Failure, UploadId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{BatchRow, BatchRowState, BatchRowsOf, BatchRun};
use utoipa::{IntoParams, ToSchema};

use crate::caller::SignedIn;
use crate::portal::aliases::audit;
use crate::portal::body::{Json, Path, Query};
use crate::portal::view::FailureView;
use crate::{Problem, Server};

pub(crate) use examples::{__path_examples, examples};
pub(crate) use export::{__path_export, export};

/// As many are listed; as many rows are shown at once where nobody says, and at most.
const LISTED: u32 = 50;
const PAGE: u32 = 50;
const LONGEST_PAGE: u32 = 500;
/// The longest question and instructions, in characters.
const TEXT: usize = 32_000;
/// The longest answer that can be asked for, in tokens.
const LONGEST: u32 = 8_192;

/// A batch to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchBody {
    /// Absent: as its file is called.
    #[serde(default)]
    name: String,
    /// An uploaded table (CSV or XLSX): its first row names the columns …
    #[schema(value_type = Option<String>)]
    table: Option<UploadId>,
    /// … or uploaded files, each a row with the one column `file`.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    files: Vec<UploadId>,
    /// The question, with `{{column}}` where a row's cell goes; may be empty in a preview.
    #[serde(default)]
    template: String,
    /// Whom it is asked of; absent: the model alone.
    #[schema(value_type = Option<String>)]
    assistant: Option<AssistantId>,
    /// Said to the model beside the assistant's own instructions.
    instructions: Option<String>,
    /// Absent: the assistant's, or the first that is offered.
    model: Option<String>,
    /// The longest answer in tokens, 1 to 8,192; absent: the assistant's, or 1,024.
    max_tokens: Option<u32>,
    /// Rows asked side by side, 1 to 8; absent: 2.
    at_once: Option<u32>,
    /// Minutes by which the person's clock is ahead of UTC.
    #[serde(default)]
    utc_offset: i32,
}

impl BatchBody {
    fn ask(self) -> Result<BatchAsk, Problem> {
        let source = match (self.table, self.files.is_empty()) {
            (Some(table), true) => BatchSource::Table(table),
            (None, false) => BatchSource::Files(self.files),
            _ => return Err(Problem::invalid("table", "name one table, or files")),
        };
        let long = |text: &str| text.chars().count() > TEXT;
        if long(&self.template) || self.instructions.as_deref().is_some_and(long) {
            return Err(Problem::invalid(
                "template",
                format!("question and instructions have at most {TEXT} characters"),
            ));
        }
        if self.name.chars().count() > 200 {
            return Err(Problem::invalid("name", "a name has at most 200 characters"));
        }
        if self.max_tokens.is_some_and(|tokens| !(1..=LONGEST).contains(&tokens)) {
            return Err(Problem::invalid("max_tokens", format!("max_tokens is a number from 1 to {LONGEST}")));
        }
        Ok(BatchAsk {
            name: self.name,
            source,
            template: self.template,
            assistant: self.assistant,
            instructions: self.instructions,
            model: self.model,
            max_tokens: self.max_tokens,
            at_once: self.at_once,
            utc_offset: self.utc_offset.clamp(-18 * 60, 18 * 60),
        })
    }
}

/// A batch before it begins.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchPreview {
    columns: Vec<String>,
    /// How many rows would be asked about.
    rows: u32,
    /// The cells of the first three.
    first: Vec<Vec<String>>,
    /// The question of the first row.
    question: String,
    model: String,
    /// About how many tokens are read: all questions with the instructions; of files, guessed from the first.
    prompt: u64,
    /// At most so many are written.
    completion_at_most: u64,
}

/// A batch, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchView {
    id: String,
    name: String,
    assistant: Option<String>,
    assistant_version: Option<i64>,
    model: String,
    instructions: Option<String>,
    template: String,
    columns: Vec<String>,
    at_once: u32,
    /// `running`, `paused`, `stopped`, `finished`.
    state: &'static str,
    /// Why it was paused: `over_daily_limit`, …
    #[schema(value_type = Option<FailureView>)]
    reason: Option<Failure>,
    total: u32,
    done: u32,
    failed: u32,
    /// Tokens read and written so far.
    prompt: u32,
    completion: u32,
    /// Milliseconds since 1970.
    created_at: i64,
    updated_at: i64,
    finished_at: Option<i64>,
}

impl From<BatchRun> for BatchView {
    fn from(one: BatchRun) -> Self {
        BatchView {
            id: one.id.to_string(),
            name: one.name,
            assistant: one.assistant.map(|(id, _)| id.to_string()),
            assistant_version: one.assistant.map(|(_, version)| version),
            model: one.model,
            instructions: one.instructions,
            template: one.template,
            columns: one.columns,
            at_once: one.at_once,
            state: one.state.as_str(),
            reason: one.reason,
            total: one.total,
            done: one.done,
            failed: one.failed,
            prompt: one.usage.prompt.0,
            completion: one.usage.completion.0,
            created_at: one.created_at.0,
            updated_at: one.updated_at.0,
            finished_at: one.finished_at.map(|at| at.0),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchList {
    items: Vec<BatchView>,
}

/// A row of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchRowView {
    /// From 0.
    seq: u32,
    cells: Vec<String>,
    /// `waiting`, `done`, `failed`.
    state: &'static str,
    answer: String,
    #[schema(value_type = Option<FailureView>)]
    failure: Option<Failure>,
    /// Tokens read and written.
    prompt: u32,
    completion: u32,
    /// Tokens of its file that did not fit the model's context.
    left_out: u32,
    /// From the question to the answer's end, with the wait for a place.
    ms: u32,
    /// How often it was asked.
    tries: u32,
}

impl From<BatchRow> for BatchRowView {
    fn from(row: BatchRow) -> Self {
        BatchRowView {
            seq: row.seq,
            cells: row.cells,
            state: row.state.as_str(),
            answer: row.answer,
            failure: row.failure,
            prompt: row.usage.prompt.0,
            completion: row.usage.completion.0,
            left_out: row.left_out,
            ms: row.ms,
            tries: row.tries,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchRows {
    items: Vec<BatchRowView>,
    /// Where the next ones begin; `null` where these are the last.
    next: Option<u32>,
}

#[utoipa::path(post, path = "/api/batches/preview", tag = "batches", request_body = BatchBody, responses((status = 200, body = BatchPreview, description = "nothing is asked yet"), (status = 404), (status = 422)))]
pub(crate) async fn preview(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Json(body): Json<BatchBody>,
) -> Result<Reply<BatchPreview>, Problem> {
    let seen = Box::pin(server.chat.preview_batch(&caller, &body.ask()?)).await?;
    Ok(Reply(BatchPreview {
        columns: seen.columns,
        rows: u32::try_from(seen.rows).unwrap_or(u32::MAX),
        first: seen.first,
        question: seen.question,
        model: seen.model,
        prompt: seen.prompt,
        completion_at_most: seen.completion_at_most,
    }))
}

#[utoipa::path(post, path = "/api/batches", tag = "batches", request_body = BatchBody, responses((status = 200, body = BatchView, description = "it runs; ask how far it is"), (status = 404), (status = 422)))]
pub(crate) async fn begin(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Json(body): Json<BatchBody>,
) -> Result<Reply<BatchView>, Problem> {
    let id = Box::pin(server.chat.begin_batch(&caller, &body.ask()?)).await?;
    let batch = found(&server, &caller, id).await?;
    let detail = json!({ "model": batch.model, "rows": batch.total, "assistant": batch.assistant.map(|(id, _)| id) });
    audit(&server, &caller, "batch.started", id.to_string(), detail).await;
    Ok(Reply(batch.into()))
}

#[utoipa::path(get, path = "/api/batches", tag = "batches", responses((status = 200, body = BatchList, description = "the person's own, newest first")))]
pub(crate) async fn list(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
) -> Result<Reply<BatchList>, Problem> {
    let items = server.store.batches(&caller, LISTED).await?.into_iter().map(BatchView::from).collect();
    Ok(Reply(BatchList { items }))
}

#[utoipa::path(get, path = "/api/batches/{id}", tag = "batches", params(("id" = String, Path)), responses((status = 200, body = BatchView), (status = 404)))]
pub(crate) async fn read(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<BatchId>,
) -> Result<Reply<BatchView>, Problem> {
    Ok(Reply(found(&server, &caller, id).await?.into()))
}

/// Which rows.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct RowsQuery {
    /// `waiting`, `done` or `failed`; absent: all.
    state: Option<String>,
    /// From this row on.
    from: Option<u32>,
    /// 1 to 500; absent: 50.
    limit: Option<u32>,
}

#[utoipa::path(get, path = "/api/batches/{id}/rows", tag = "batches", params(("id" = String, Path), RowsQuery), responses((status = 200, body = BatchRows), (status = 404)))]
pub(crate) async fn rows(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<BatchId>,
    Query(query): Query<RowsQuery>,
) -> Result<Reply<BatchRows>, Problem> {
    found(&server, &caller, id).await?;
    let state = match query.state.as_deref() {
        None | Some("") => None,
        Some(word) => {
            let state = BatchRowState::parse(word);
            Some(state.ok_or_else(|| Problem::invalid("state", format!("{word:?} is none of waiting, done, failed")))?)
        }
    };
    let limit = query.limit.unwrap_or(PAGE).clamp(1, LONGEST_PAGE);
    let of = BatchRowsOf { state, from: query.from.unwrap_or(0), limit: limit + 1 };
    let mut found = server.store.batch_rows(&caller, id, of).await?;
    let more = found.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    let next = if more { found.pop().map(|row| row.seq) } else { None };
    Ok(Reply(BatchRows { items: found.into_iter().map(BatchRowView::from).collect(), next }))
}

#[utoipa::path(post, path = "/api/batches/{id}/stop", tag = "batches", params(("id" = String, Path)), responses((status = 204, description = "what was answered stays"), (status = 404)))]
pub(crate) async fn stop(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<BatchId>,
) -> Result<StatusCode, Problem> {
    found(&server, &caller, id).await?;
    server.chat.stop_batch(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/batches/{id}/resume", tag = "batches", params(("id" = String, Path)), responses((status = 204, description = "what is waiting is asked"), (status = 404), (status = 409)))]
pub(crate) async fn resume(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<BatchId>,
) -> Result<StatusCode, Problem> {
    server.chat.resume_batch(&caller, id, false).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/batches/{id}/retry", tag = "batches", params(("id" = String, Path)), responses((status = 204, description = "what is waiting is asked, and what failed is asked again"), (status = 404), (status = 409)))]
pub(crate) async fn retry(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<BatchId>,
) -> Result<StatusCode, Problem> {
    server.chat.resume_batch(&caller, id, true).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(delete, path = "/api/batches/{id}", tag = "batches", params(("id" = String, Path)), responses((status = 204, description = "one that ran is stopped"), (status = 404)))]
pub(crate) async fn remove(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<BatchId>,
) -> Result<StatusCode, Problem> {
    let batch = found(&server, &caller, id).await?;
    server.chat.stop_batch(&caller, id).await?;
    server.store.delete_batch(&caller, id).await?;
    audit(&server, &caller, "batch.deleted", id.to_string(), json!({ "rows": batch.total })).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn found(server: &Server, caller: &Caller, id: BatchId) -> Result<BatchRun, Problem> {
    server.store.batch(caller, id).await?.ok_or_else(|| Problem::not_found("batch"))
}
