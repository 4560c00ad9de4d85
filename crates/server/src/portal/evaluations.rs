//! Evaluations, for administrators: the held-out questions of a frozen version asked of several models, or of one with and without
//! instructions, side by side; of a training job that is done, or of any version. The asking is `chat`'s.

mod export;

use std::collections::BTreeSet;

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{Caller, DatasetId, EvaluationId, Failure, Finish, JobId, Message};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::{Evaluation, EvaluationAnswer, EvaluationQuestion, EvaluationsOf, JobState, NewEvaluation, Variant};
use tuning::Side;
use utoipa::{IntoParams, ToSchema};

use crate::caller::Administrator;
use crate::portal::aliases::audit;
use crate::portal::body::{Json, Path, Query};
use crate::portal::datasets::ExampleMessage;
use crate::portal::view::FailureView;
use crate::{Problem, Server};

pub(crate) use export::{__path_export, export, line as export_line};

/// Questions where nobody says how many, and the most.
const QUESTIONS: u32 = 30;
const MOST_QUESTIONS: u32 = 200;
/// Tokens of an answer where nobody says how many, and the most.
const ANSWER: u32 = 256;
const LONGEST: u32 = 4_096;
/// The most that are asked side by side.
const VARIANTS: usize = 8;
/// The longest system prompt, in characters.
const PROMPT: usize = 16_000;
/// As many are listed.
const LISTED: u32 = 50;

/// What to ask of whom.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EvaluationBody {
    /// A training job that is done; its data set's version is asked about, and it goes with the job.
    #[schema(value_type = Option<String>)]
    job: Option<JobId>,
    /// Without a job: a data set …
    #[schema(value_type = Option<String>)]
    dataset: Option<DatasetId>,
    /// … and its frozen version.
    version: Option<i64>,
    /// 1 to 8, no two alike.
    variants: Vec<VariantBody>,
    /// The most questions, 1 to 200; absent: 30. Of more held-out ones every so manieth is asked.
    questions: Option<u32>,
    /// The longest answer in tokens, 1 to 4,096; absent: 256.
    max_tokens: Option<u32>,
}

/// Whom to ask.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VariantBody {
    /// A model as a client names it; with an adapter that was given to it: `local/NAME:ADAPTER`.
    model: String,
    /// Stands before the instructions that a question has of its own; absent or empty: none.
    system_prompt: Option<String>,
}

/// Whom is asked.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VariantView {
    model: String,
    system_prompt: Option<String>,
}

/// An evaluation, and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EvaluationView {
    id: String,
    job: Option<String>,
    dataset: String,
    version: i64,
    variants: Vec<VariantView>,
    max_tokens: u32,
    /// `running`, `finished`, `cancelled`, `interrupted`.
    state: &'static str,
    questions: u32,
    /// Answers that are wanted: a question for each variant.
    total: u32,
    /// Answers that are there, or failed.
    done: u32,
    /// Milliseconds since 1970.
    started_at: i64,
    finished_at: Option<i64>,
}

impl From<Evaluation> for EvaluationView {
    fn from(one: Evaluation) -> Self {
        let variants = u32::try_from(one.variants.len()).unwrap_or(u32::MAX);
        let view = |Variant { model, system_prompt }| VariantView { model, system_prompt };
        EvaluationView {
            id: one.id.to_string(),
            job: one.job.map(|job| job.to_string()),
            dataset: one.dataset.to_string(),
            version: one.version,
            variants: one.variants.into_iter().map(view).collect(),
            max_tokens: one.max_tokens,
            state: one.state.as_str(),
            questions: one.questions,
            total: one.questions.saturating_mul(variants),
            done: one.answers,
            started_at: one.started_at.0,
            finished_at: one.finished_at.map(|at| at.0),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EvaluationList {
    items: Vec<EvaluationView>,
}

/// An evaluation with everything that was answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EvaluationResult {
    #[serde(flatten)]
    evaluation: EvaluationView,
    /// One for each variant, in their order.
    means: Vec<MeansView>,
    rows: Vec<EvaluationRow>,
}

/// A variant in few figures; `null` where it has not answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MeansView {
    answered: u32,
    failed: u32,
    /// The share of its answers that are the expected one, white space at both ends aside: 0 to 1.
    exact: Option<f64>,
    /// The mean likeness to the expected answers: 0 to 1.
    similarity: Option<f64>,
    /// The mean time from question to end, in milliseconds.
    ms: Option<f64>,
    /// The mean length of an answer, in tokens.
    completion: Option<f64>,
}

/// A question with the answers that are there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EvaluationRow {
    seq: u32,
    /// Everything before the answer.
    #[schema(value_type = Vec<ExampleMessage>)]
    messages: Vec<Message>,
    expected: String,
    answers: Vec<EvaluationAnswerView>,
}

/// What a variant answered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EvaluationAnswerView {
    /// The variant's place.
    variant: u32,
    text: String,
    #[schema(value_type = String)]
    finish: Finish,
    #[schema(value_type = Option<FailureView>)]
    failure: Option<Failure>,
    /// Whether it is the expected one, white space at both ends aside; `null` where it failed.
    exact: Option<bool>,
    /// 0 to 1: twice the longest common subsequence of words over the words of both; `null` where it failed.
    similarity: Option<f64>,
    /// Tokens read and written.
    prompt: u32,
    completion: u32,
    ttft_ms: Option<u32>,
    /// From the question to the answer's end, with the wait for a place.
    ms: u32,
}

impl From<EvaluationAnswer> for EvaluationAnswerView {
    fn from(answer: EvaluationAnswer) -> Self {
        EvaluationAnswerView {
            variant: answer.variant,
            text: answer.text,
            finish: answer.finish,
            failure: answer.failure,
            exact: answer.exact,
            similarity: answer.similarity.map(share),
            prompt: answer.usage.prompt.0,
            completion: answer.usage.completion.0,
            ttft_ms: answer.ttft_ms,
            ms: answer.ms,
        }
    }
}

#[utoipa::path(post, path = "/api/evaluations", tag = "evaluations", request_body = EvaluationBody, responses((status = 200, body = EvaluationView, description = "it runs; ask how far it is"), (status = 404), (status = 409, description = "the job is not done"), (status = 422, description = "nothing_held_out")))]
pub(crate) async fn begin(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Json(body): Json<EvaluationBody>,
) -> Result<Reply<EvaluationView>, Problem> {
    let most = within("questions", body.questions.unwrap_or(QUESTIONS), MOST_QUESTIONS)?;
    let max_tokens = within("max_tokens", body.max_tokens.unwrap_or(ANSWER), LONGEST)?;
    let variants = variants(body.variants)?;
    let (dataset, version) = match body.job {
        Some(id) => {
            let job = server.store.job(&caller, id).await?.ok_or_else(|| Problem::not_found("job"))?;
            if job.state != JobState::Done {
                return Err(Problem::new(StatusCode::CONFLICT, "conflict", "the job is not done"));
            }
            (job.dataset, job.version)
        }
        None => body
            .dataset
            .zip(body.version)
            .ok_or_else(|| Problem::invalid("dataset", "name a job, or a data set with its version"))?,
    };
    let questions = questions(&server, &caller, dataset, version, most).await?;
    let models: Vec<&str> = variants.iter().map(|variant| variant.model.as_str()).collect();
    let detail = json!({ "job": body.job, "dataset": dataset, "version": version, "models": models, "questions": questions.len() });
    let new = NewEvaluation { job: body.job, dataset, version, variants, max_tokens, questions };
    let id = server.chat.evaluate(&caller, new).await?;
    audit(&server, &caller, "evaluation.started", id.to_string(), detail).await;
    Ok(Reply(found(&server, &caller, id).await?.into()))
}

fn within(field: &str, number: u32, most: u32) -> Result<u32, Problem> {
    if (1..=most).contains(&number) {
        return Ok(number);
    }
    Err(Problem::invalid(field, format!("{field} is a number from 1 to {most}")))
}

fn variants(asked: Vec<VariantBody>) -> Result<Vec<Variant>, Problem> {
    let wrong = |message: &str| Err(Problem::invalid("variants", message));
    if !(1..=VARIANTS).contains(&asked.len()) {
        return wrong(&format!("1 to {VARIANTS} variants can be asked side by side"));
    }
    let mut variants = Vec::with_capacity(asked.len());
    let mut known = BTreeSet::new();
    for VariantBody { model, system_prompt } in asked {
        let system_prompt = system_prompt.filter(|text| !text.trim().is_empty());
        if system_prompt.as_ref().is_some_and(|text| text.chars().count() > PROMPT) {
            return wrong(&format!("a system prompt has at most {PROMPT} characters"));
        }
        if !known.insert((model.clone(), system_prompt.clone())) {
            return wrong("two variants are the same");
        }
        variants.push(Variant { model, system_prompt });
    }
    Ok(variants)
}

/// The held-out examples of a version, of too many every so manieth: the same ones every time.
async fn questions(
    server: &Server,
    caller: &Caller,
    dataset: DatasetId,
    version: i64,
    most: u32,
) -> Result<Vec<EvaluationQuestion>, Problem> {
    let looked = server.datasets.looked(caller, dataset, Some(version)).await?;
    let held_out: Vec<_> = looked.on(Side::HeldOut).collect();
    let taken = held_out.len().min(usize::try_from(most).unwrap_or(usize::MAX));
    if taken == 0 {
        let message = "no example of this version is held out, so there is nothing to measure with; hold some out and freeze the next one";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "nothing_held_out", message));
    }
    let picked = (0..taken).map(|at| held_out[at * held_out.len() / taken]);
    let asked = picked.filter_map(|example| {
        let (answer, before) = example.messages.split_last()?;
        Some(EvaluationQuestion { messages: before.to_vec(), expected: answer.text.clone() })
    });
    Ok(asked.collect())
}

async fn found(server: &Server, caller: &Caller, id: EvaluationId) -> Result<Evaluation, Problem> {
    server.store.evaluation(caller, id).await?.ok_or_else(|| Problem::not_found("evaluation"))
}

/// Which evaluations; without any word all of them, the last fifty.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct EvaluationsQuery {
    #[param(value_type = Option<String>)]
    job: Option<JobId>,
    #[param(value_type = Option<String>)]
    dataset: Option<DatasetId>,
}

#[utoipa::path(get, path = "/api/evaluations", tag = "evaluations", params(EvaluationsQuery), responses((status = 200, body = EvaluationList, description = "newest first")))]
pub(crate) async fn list(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Query(query): Query<EvaluationsQuery>,
) -> Result<Reply<EvaluationList>, Problem> {
    let of = EvaluationsOf { job: query.job, dataset: query.dataset };
    let items = server.store.evaluations(&caller, of, LISTED).await?.into_iter().map(EvaluationView::from).collect();
    Ok(Reply(EvaluationList { items }))
}

#[utoipa::path(get, path = "/api/evaluations/{id}", tag = "evaluations", params(("id" = String, Path)), responses((status = 200, body = EvaluationResult), (status = 404)))]
pub(crate) async fn read(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<EvaluationId>,
) -> Result<Reply<EvaluationResult>, Problem> {
    Ok(Reply(result(&server, &caller, id).await?))
}

#[utoipa::path(post, path = "/api/evaluations/{id}/cancel", tag = "evaluations", params(("id" = String, Path)), responses((status = 204, description = "what was answered stays"), (status = 404)))]
pub(crate) async fn cancel(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<EvaluationId>,
) -> Result<StatusCode, Problem> {
    found(&server, &caller, id).await?;
    server.chat.cancel_evaluation(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/evaluations/{id}/resume", tag = "evaluations", params(("id" = String, Path)), responses((status = 204, description = "what is missing is asked, and what failed is asked again"), (status = 404), (status = 409)))]
pub(crate) async fn resume(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<EvaluationId>,
) -> Result<StatusCode, Problem> {
    server.chat.resume_evaluation(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(delete, path = "/api/evaluations/{id}", tag = "evaluations", params(("id" = String, Path)), responses((status = 204, description = "one that ran is stopped"), (status = 404)))]
pub(crate) async fn remove(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<EvaluationId>,
) -> Result<StatusCode, Problem> {
    let Evaluation { dataset, version, job, .. } = found(&server, &caller, id).await?;
    server.chat.cancel_evaluation(&caller, id).await?;
    server.store.delete_evaluation(&caller, id).await?;
    let detail = json!({ "job": job, "dataset": dataset, "version": version });
    audit(&server, &caller, "evaluation.deleted", id.to_string(), detail).await;
    Ok(StatusCode::NO_CONTENT)
}

async fn result(server: &Server, caller: &Caller, id: EvaluationId) -> Result<EvaluationResult, Problem> {
    let evaluation = found(server, caller, id).await?;
    let questions = server.store.evaluation_questions(caller, id).await?;
    let answers = server.store.evaluation_answers(caller, id).await?;
    let means = (0..).zip(&evaluation.variants);
    let means = means.map(|(at, _)| means_of(answers.iter().filter(|answer| answer.variant == at))).collect();
    let row = |(seq, EvaluationQuestion { messages, expected })| EvaluationRow {
        seq,
        messages,
        expected,
        answers: Vec::new(),
    };
    let mut rows: Vec<EvaluationRow> = (0..).zip(questions).map(row).collect();
    for answer in answers {
        let at = usize::try_from(answer.seq).unwrap_or(usize::MAX);
        if let Some(row) = rows.get_mut(at) {
            row.answers.push(answer.into());
        }
    }
    Ok(EvaluationResult { evaluation: evaluation.into(), means, rows })
}

fn means_of<'a>(answers: impl Iterator<Item = &'a EvaluationAnswer>) -> MeansView {
    let (mut failed, mut answered) = (0, 0);
    let (mut exact, mut similarity, mut ms, mut completion) = (0.0, 0.0, 0.0, 0.0);
    for answer in answers {
        let (Some(is_exact), Some(similar)) = (answer.exact, answer.similarity) else {
            failed += 1;
            continue;
        };
        answered += 1;
        exact += f64::from(u8::from(is_exact));
        similarity += share(similar);
        ms += f64::from(answer.ms);
        completion += f64::from(answer.usage.completion.0);
    }
    let mean = |sum: f64| (answered > 0).then(|| sum / f64::from(answered));
    MeansView {
        answered,
        failed,
        exact: mean(exact),
        similarity: mean(similarity),
        ms: mean(ms),
        completion: mean(completion),
    }
}

fn share(per_mille: u16) -> f64 {
    f64::from(per_mille) / 1e3
}
