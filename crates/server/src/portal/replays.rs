//! Replays, for administrators: the questions of their own saved conversations asked again of the model an alias may be led to,
//! with old and new answers side by side. Other people's conversations are theirs: nobody replays those.

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use chat::ReplayAsk;
use domain::{ConversationId, Failure, Finish, ReplayId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Compared, Said};
use utoipa::ToSchema;

use crate::caller::Administrator;
use crate::portal::aliases::audit;
use crate::portal::body::{Json, Path};
use crate::portal::view::FailureView;
use crate::{Problem, Server};

/// What to ask again, of whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayBody {
    /// The model the alias may be led to: `provider/name`.
    target: String,
    /// One's own conversations; absent: the last ones.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    conversations: Vec<ConversationId>,
    /// How many of the last ones, 1 to 100; absent: 10.
    last: Option<u32>,
    /// The most questions, 1 to 500; absent: 50.
    limit: Option<u32>,
    /// How many are asked at the same time, 1 to 8; absent: 2.
    at_once: Option<u32>,
}

/// A replay, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplayView {
    id: String,
    alias: String,
    target: String,
    /// `running`, `finished`, `cancelled`, `interrupted`.
    state: &'static str,
    total: u32,
    done: u32,
    started_at: i64,
    finished_at: Option<i64>,
}

impl From<store::Replay> for ReplayView {
    fn from(replay: store::Replay) -> Self {
        ReplayView {
            id: replay.id.to_string(),
            alias: replay.alias,
            target: replay.target,
            state: replay.state.as_str(),
            total: replay.total,
            done: replay.done,
            started_at: replay.started_at.0,
            finished_at: replay.finished_at.map(|at| at.0),
        }
    }
}

/// A replay with everything it has compared.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplayResult {
    #[serde(flatten)]
    replay: ReplayView,
    summary: Summary,
    answers: Vec<ComparedView>,
}

/// Old and new in few figures.
#[derive(Debug, Serialize, ToSchema)]
struct Summary {
    compared: u32,
    failed: u32,
    /// The mean of those that did not fail, 0 to 1.
    similarity: Option<f64>,
    old: Figures,
    new: Figures,
}

/// Sums and means of answers.
#[derive(Debug, Default, Serialize, ToSchema)]
struct Figures {
    /// Tokens read and written, of all answers.
    tokens: u64,
    /// Mean time to the first token.
    ttft_ms: Option<f64>,
    /// Mean time between tokens.
    tpot_ms: Option<f64>,
}

/// A question with its old and its new answer.
#[derive(Debug, Serialize, ToSchema)]
struct ComparedView {
    seq: u32,
    conversation: String,
    title: String,
    question: String,
    question_text: String,
    /// 0 to 1: twice the longest common subsequence of words over the words of both. `null` where there is no new answer.
    similarity: Option<f64>,
    old: SaidView,
    new: SaidView,
}

/// An answer with its figures.
#[derive(Debug, Serialize, ToSchema)]
struct SaidView {
    text: String,
    model: Option<String>,
    #[schema(value_type = Option<String>)]
    finish: Option<Finish>,
    #[schema(value_type = Option<FailureView>)]
    failure: Option<Failure>,
    prompt: u32,
    completion: u32,
    ttft_ms: Option<u32>,
    tpot_ms: Option<f64>,
}

impl From<Said> for SaidView {
    fn from(said: Said) -> Self {
        SaidView {
            text: said.text,
            model: said.model,
            finish: said.finish,
            failure: said.failure,
            prompt: said.prompt,
            completion: said.completion,
            ttft_ms: said.ttft_ms,
            tpot_ms: said.tpot_us.map(|us| f64::from(us) / 1e3),
        }
    }
}

#[utoipa::path(post, path = "/api/aliases/{name}/replay", tag = "aliases", params(("name" = String, Path)), request_body = ReplayBody, responses((status = 200, body = ReplayView, description = "it runs; ask how far it is")))]
pub(crate) async fn begin(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(alias): Path<String>,
    Json(body): Json<ReplayBody>,
) -> Result<Reply<ReplayView>, Problem> {
    if !server.models.aliases().iter().any(|known| known.name == alias) {
        return Err(Problem::not_found("alias"));
    }
    let ask = ReplayAsk {
        alias: alias.clone(),
        target: body.target,
        conversations: body.conversations,
        last: body.last.unwrap_or(10).clamp(1, 100),
        limit: body.limit.unwrap_or(50).clamp(1, 500),
        at_once: body.at_once.unwrap_or(2).clamp(1, 8),
    };
    let target = ask.target.clone();
    let id = server.chat.replay(&caller, ask).await?;
    audit(&server, &caller, "replay.started", id.to_string(), json!({ "alias": alias, "target": target })).await;
    let replay = server.store.replay(&caller, id).await?.ok_or_else(|| Problem::not_found("replay"))?;
    Ok(Reply(replay.into()))
}

#[utoipa::path(get, path = "/api/replays", tag = "aliases", responses((status = 200, body = Vec<ReplayView>, description = "one's own, newest first")))]
pub(crate) async fn list(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
) -> Result<Reply<Vec<ReplayView>>, Problem> {
    Ok(Reply(server.store.replays(&caller, 50).await?.into_iter().map(ReplayView::from).collect()))
}

#[utoipa::path(get, path = "/api/replays/{id}", tag = "aliases", params(("id" = String, Path)), responses((status = 200, body = ReplayResult)))]
pub(crate) async fn read(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<ReplayId>,
) -> Result<Reply<ReplayResult>, Problem> {
    let replay = server.store.replay(&caller, id).await?.ok_or_else(|| Problem::not_found("replay"))?;
    let compared = server.store.compared(&caller, id).await?;
    let summary = summary(&compared);
    let view = |one: Compared| ComparedView {
        seq: one.seq,
        conversation: one.conversation.to_string(),
        title: one.title,
        question: one.question.to_string(),
        question_text: one.question_text,
        similarity: one.similarity.map(share),
        old: one.old.into(),
        new: one.new.into(),
    };
    Ok(Reply(ReplayResult { replay: replay.into(), summary, answers: compared.into_iter().map(view).collect() }))
}

#[utoipa::path(post, path = "/api/replays/{id}/cancel", tag = "aliases", params(("id" = String, Path)), responses((status = 204, description = "what it has compared stays")))]
pub(crate) async fn cancel(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<ReplayId>,
) -> Result<StatusCode, Problem> {
    server.store.replay(&caller, id).await?.ok_or_else(|| Problem::not_found("replay"))?;
    server.chat.cancel_replay(&caller, id);
    Ok(StatusCode::NO_CONTENT)
}

fn share(per_mille: u16) -> f64 {
    f64::from(per_mille) / 1e3
}

fn summary(compared: &[Compared]) -> Summary {
    let failed = compared.iter().filter(|one| one.new.failure.is_some()).count();
    Summary {
        compared: u32::try_from(compared.len()).unwrap_or(u32::MAX),
        failed: u32::try_from(failed).unwrap_or(u32::MAX),
        similarity: mean(compared.iter().filter_map(|one| one.similarity.map(share))),
        old: figures(compared.iter().map(|one| &one.old)),
        new: figures(compared.iter().map(|one| &one.new)),
    }
}

fn figures<'a>(said: impl Iterator<Item = &'a Said> + Clone) -> Figures {
    Figures {
        tokens: said.clone().map(|one| u64::from(one.prompt) + u64::from(one.completion)).sum(),
        ttft_ms: mean(said.clone().filter_map(|one| one.ttft_ms.map(f64::from))),
        tpot_ms: mean(said.filter_map(|one| one.tpot_us.map(|us| f64::from(us) / 1e3))),
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0_u32);
    for value in values {
        sum += value;
        count += 1;
    }
    (count > 0).then(|| sum / f64::from(count))
}
