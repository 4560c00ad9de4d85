//! Data sets, for administrators: what comes in, what is looked over and edited, what is frozen and what leaves. The rules are
//! `tuning`'s.

use std::collections::BTreeMap;

use axum::Json as Reply;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::{DatasetId, ExampleId, Message};
use serde::{Deserialize, Serialize};
use store::{Dataset, DatasetChange, DatasetVersion, ExampleRow};
use tuning::data::{Example, Format, Issue};
use tuning::{Import, Looked, Manner, Side, Taken, Wanted};
use utoipa::{IntoParams, ToSchema};

use crate::caller::Administrator;
use crate::portal::body::{self, Json, Path, Query};
use crate::{Problem, Server};

/// The longest name and note, in characters.
const NAME: usize = 80;
const NOTE: usize = 2_000;
/// Of a hundred examples at most so many are held out.
const MOST_HELD_OUT: u8 = 50;

/// A data set without its examples.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatasetView {
    id: String,
    name: String,
    note: String,
    /// Out of a hundred examples so many are held out.
    held_out: u8,
    /// Another seed holds out others.
    seed: i64,
    /// The number that the next version gets.
    draft: i64,
    /// Examples in the draft.
    examples: u64,
    /// Milliseconds since 1970.
    created_at: i64,
    updated_at: i64,
}

impl From<Dataset> for DatasetView {
    fn from(set: Dataset) -> Self {
        DatasetView {
            id: set.id.to_string(),
            name: set.name,
            note: set.note,
            held_out: set.held_out,
            seed: set.seed,
            draft: set.draft,
            examples: set.examples,
            created_at: set.created_at.0,
            updated_at: set.updated_at.0,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatasetList {
    items: Vec<DatasetView>,
}

/// A data set to begin with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDatasetBody {
    name: String,
    #[serde(default)]
    note: String,
}

/// What is to change; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetChangeBody {
    name: Option<String>,
    note: Option<String>,
    /// 0 to 50.
    held_out: Option<u8>,
    seed: Option<i64>,
}

#[utoipa::path(get, path = "/api/datasets", tag = "datasets", responses((status = 200, body = DatasetList)))]
pub(crate) async fn list(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
) -> Result<Reply<DatasetList>, Problem> {
    let items = server.store.datasets(&caller).await?.into_iter().map(DatasetView::from).collect();
    Ok(Reply(DatasetList { items }))
}

#[utoipa::path(post, path = "/api/datasets", tag = "datasets", request_body = NewDatasetBody, responses((status = 200, body = DatasetView), (status = 409)))]
pub(crate) async fn create(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Json(body): Json<NewDatasetBody>,
) -> Result<Reply<DatasetView>, Problem> {
    let (name, note) = (named(&body.name)?, noted(&body.note)?);
    Ok(Reply(server.store.create_dataset(&caller, name, note, 10, 1).await?.into()))
}

#[utoipa::path(get, path = "/api/datasets/{id}", tag = "datasets", params(("id" = String, Path)), responses((status = 200, body = DatasetView), (status = 404)))]
pub(crate) async fn read(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
) -> Result<Reply<DatasetView>, Problem> {
    let set = server.store.dataset(&caller, id).await?.ok_or_else(|| Problem::not_found("data set"))?;
    Ok(Reply(set.into()))
}

#[utoipa::path(patch, path = "/api/datasets/{id}", tag = "datasets", params(("id" = String, Path)), request_body = DatasetChangeBody, responses((status = 200, body = DatasetView)))]
pub(crate) async fn change(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
    Json(body): Json<DatasetChangeBody>,
) -> Result<Reply<DatasetView>, Problem> {
    if body.held_out.is_some_and(|share| share > MOST_HELD_OUT) {
        return Err(Problem::invalid(
            "held_out",
            format!("0 to {MOST_HELD_OUT} of a hundred examples can be held out"),
        ));
    }
    let change = DatasetChange {
        name: body.name.as_deref().map(named).transpose()?,
        note: body.note.as_deref().map(noted).transpose()?,
        held_out: body.held_out,
        seed: body.seed,
    };
    Ok(Reply(server.store.change_dataset(&caller, id, change).await?.into()))
}

#[utoipa::path(delete, path = "/api/datasets/{id}", tag = "datasets", params(("id" = String, Path)), responses((status = 204)))]
pub(crate) async fn remove(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
) -> Result<StatusCode, Problem> {
    server.store.delete_dataset(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An example of a set. The roles are `system`, `user` and `assistant`; the last message is the assistant's.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExampleView {
    id: String,
    #[schema(value_type = Vec<ExampleMessage>)]
    messages: Vec<Message>,
    /// `file`, `rated`, `corrected` or `written`.
    source: String,
    /// The file with its line, or the id of the rated message.
    origin: String,
    /// Whether models are taught with it.
    included: bool,
    held_out: bool,
    /// What to look at: `short`, `long`, `language_differs`, `phone`, `identity`, `mail`, `bank_card`, `near_duplicate`, `answers_differ`.
    issues: Vec<&'static str>,
    /// The example that it is almost the same as.
    twin: Option<String>,
    /// Milliseconds since 1970.
    at: i64,
}

/// [`domain::Message`] in the description of the API.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct ExampleMessage {
    role: String,
    content: String,
}

fn words(issues: &[Issue]) -> Vec<&'static str> {
    issues.iter().map(|issue| issue.as_str()).collect()
}

/// Which examples of which version.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ExamplesQuery {
    /// Absent: the draft.
    version: Option<i64>,
    /// Those with this text in them.
    #[serde(default)]
    find: String,
    /// Those with this to look at.
    issue: Option<String>,
    /// Those that are held out, or those that are not.
    held_out: Option<bool>,
    /// Those that models are taught with, or those that are not.
    included: Option<bool>,
    #[serde(default)]
    offset: usize,
    /// At most 200.
    limit: Option<usize>,
}

impl ExamplesQuery {
    fn wanted(&self) -> Wanted {
        let (find, issue) = (self.find.clone(), self.issue.clone());
        Wanted { find, issue, held_out: self.held_out, included: self.included }
    }
}

/// A page of examples, and what was found in the whole set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ExamplePage {
    items: Vec<ExampleView>,
    /// How many are wanted.
    matching: usize,
    /// How many there are.
    total: usize,
    /// How many models are taught with.
    trained: usize,
    /// How many of the others are held out, to measure.
    held_out: usize,
    /// How many are left out.
    left_out: usize,
    /// How many examples show what.
    issues: BTreeMap<&'static str, usize>,
    /// How many questions are in which language: `chinese`, `latin`, `other`.
    languages: BTreeMap<&'static str, usize>,
    /// Characters of the longest example.
    longest: usize,
    /// Characters of all.
    characters: usize,
}

fn view(looked: &Looked, at: usize) -> ExampleView {
    let ExampleRow { id, source, origin, included, at: changed, .. } = looked.rows[at].clone();
    ExampleView {
        id: id.to_string(),
        messages: looked.examples[at].messages.clone(),
        source,
        origin,
        included,
        held_out: looked.held_out(at),
        issues: words(&looked.report.issues[at]),
        twin: looked.report.twins[at].map(|twin| looked.rows[twin].id.to_string()),
        at: changed.0,
    }
}

#[utoipa::path(get, path = "/api/datasets/{id}/examples", tag = "datasets", params(("id" = String, Path), ExamplesQuery), responses((status = 200, body = ExamplePage), (status = 404)))]
pub(crate) async fn examples(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
    Query(query): Query<ExamplesQuery>,
) -> Result<Reply<ExamplePage>, Problem> {
    let looked = server.datasets.looked(&caller, id, query.version).await?;
    let places = looked.places(&query.wanted());
    let limit = query.limit.unwrap_or(50).clamp(1, 200);
    let counted =
        |held_out| looked.places(&Wanted { included: Some(true), held_out: Some(held_out), ..Wanted::default() }).len();
    let (trained, held_out) = (counted(false), counted(true));
    Ok(Reply(ExamplePage {
        items: places.iter().skip(query.offset).take(limit).map(|at| view(&looked, *at)).collect(),
        matching: places.len(),
        total: looked.rows.len(),
        trained,
        held_out,
        left_out: looked.rows.len() - trained - held_out,
        issues: looked.counts(),
        languages: looked.report.languages.iter().map(|(language, count)| (language.as_str(), *count)).collect(),
        longest: looked.report.longest,
        characters: looked.report.characters,
    }))
}

/// An example to be, or what one is to become.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExampleBody {
    #[schema(value_type = Option<Vec<ExampleMessage>>)]
    messages: Option<Vec<Message>>,
    /// Whether models are taught with it.
    included: Option<bool>,
}

#[utoipa::path(post, path = "/api/datasets/{id}/examples", tag = "datasets", params(("id" = String, Path)), request_body = ExampleBody, responses((status = 200, body = ImportView)))]
pub(crate) async fn add(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
    Json(body): Json<ExampleBody>,
) -> Result<Reply<ImportView>, Problem> {
    let example = Example { messages: body.messages.unwrap_or_default() };
    Ok(Reply(server.datasets.add(&caller, id, example).await?.into()))
}

#[utoipa::path(patch, path = "/api/datasets/{id}/examples/{example}", tag = "datasets", params(("id" = String, Path), ("example" = String, Path)), request_body = ExampleBody, responses((status = 204), (status = 409, description = "the set has one like it")))]
pub(crate) async fn change_example(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path((id, one)): Path<(DatasetId, ExampleId)>,
    Json(body): Json<ExampleBody>,
) -> Result<StatusCode, Problem> {
    let example = body.messages.map(|messages| Example { messages });
    server.datasets.change(&caller, id, one, example, body.included).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Examples of the draft.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhichBody {
    /// These.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    ids: Vec<ExampleId>,
    /// And all with this to look at.
    issue: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DoneView {
    /// How many examples changed.
    count: u64,
    /// Which were meant.
    ids: Vec<String>,
}

async fn meant(
    server: &Server,
    caller: &domain::Caller,
    id: DatasetId,
    body: WhichBody,
) -> Result<Vec<ExampleId>, Problem> {
    let mut ids = body.ids;
    if let Some(issue) = body.issue {
        let looked = server.datasets.looked(caller, id, None).await?;
        let wanted = Wanted { issue: Some(issue), ..Wanted::default() };
        ids.extend(looked.places(&wanted).into_iter().map(|at| looked.rows[at].id));
    }
    Ok(ids)
}

fn done(count: u64, ids: &[ExampleId]) -> Reply<DoneView> {
    Reply(DoneView { count, ids: ids.iter().map(ExampleId::to_string).collect() })
}

#[utoipa::path(post, path = "/api/datasets/{id}/examples/remove", tag = "datasets", params(("id" = String, Path)), request_body = WhichBody, responses((status = 200, body = DoneView)))]
pub(crate) async fn remove_examples(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
    Json(body): Json<WhichBody>,
) -> Result<Reply<DoneView>, Problem> {
    let ids = meant(&server, &caller, id, body).await?;
    Ok(done(server.store.remove_examples(&caller, id, &ids).await?, &ids))
}

#[utoipa::path(post, path = "/api/datasets/{id}/examples/restore", tag = "datasets", params(("id" = String, Path)), request_body = WhichBody, responses((status = 200, body = DoneView)))]
pub(crate) async fn restore_examples(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
    Json(body): Json<WhichBody>,
) -> Result<Reply<DoneView>, Problem> {
    Ok(done(server.store.restore_examples(&caller, id, &body.ids).await?, &body.ids))
}

#[utoipa::path(post, path = "/api/datasets/{id}/examples/mask", tag = "datasets", params(("id" = String, Path)), request_body = WhichBody, responses((status = 200, body = DoneView)))]
pub(crate) async fn mask_examples(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
    Json(body): Json<WhichBody>,
) -> Result<Reply<DoneView>, Problem> {
    let ids = meant(&server, &caller, id, body).await?;
    Ok(done(server.datasets.mask(&caller, id, &ids).await?, &ids))
}

/// How a file comes in.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ImportQuery {
    /// The file's name.
    #[serde(default)]
    name: String,
    /// `jsonl`, `csv` or `faq`; absent: by the name, else by how it begins.
    format: Option<String>,
    /// Only tell what would happen.
    #[serde(default)]
    dry_run: bool,
    /// Leave out what is almost the same as something that is there.
    #[serde(default)]
    without_near: bool,
}

/// What came in, or would.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ImportView {
    /// How the file was read; absent where there was none.
    format: Option<&'static str>,
    /// Examples that were read.
    found: usize,
    /// Those that were added, or would be.
    added: usize,
    /// Those that the set has already, or that came twice.
    duplicates: usize,
    /// Those that are almost the same as another.
    near: usize,
    /// What could not be read: the first 200.
    faults: Vec<FaultView>,
    /// How many there are altogether.
    faulty: usize,
    /// The first examples.
    shown: Vec<ShownView>,
}

/// A line that could not be read.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FaultView {
    line: u32,
    /// `not_json`, `no_fields`, `unknown_role`, `tool_calls`, `not_text`, `no_message`, `no_question`, `no_answer`, `empty`,
    /// `system_late`, `too_many_fields` or `no_mark`.
    code: &'static str,
    message: String,
}

/// An example of the preview.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShownView {
    line: u32,
    #[schema(value_type = Vec<ExampleMessage>)]
    messages: Vec<Message>,
    issues: Vec<&'static str>,
}

impl From<Import> for ImportView {
    fn from(import: Import) -> Self {
        let Import { found, added, duplicates, near, faults, faulty, shown } = import;
        let fault =
            |fault: tuning::data::Fault| FaultView { line: fault.line, code: fault.code, message: fault.message };
        let shown_view = |(line, example, issues): (u32, Example, Vec<Issue>)| ShownView {
            line,
            messages: example.messages,
            issues: words(&issues),
        };
        ImportView {
            format: None,
            found,
            added,
            duplicates,
            near,
            faults: faults.into_iter().map(fault).collect(),
            faulty,
            shown: shown.into_iter().map(shown_view).collect(),
        }
    }
}

#[utoipa::path(post, path = "/api/datasets/{id}/import", tag = "datasets", params(("id" = String, Path), ImportQuery), request_body(content = String, content_type = "application/octet-stream"),
    responses((status = 200, body = ImportView), (status = 422, description = "not_utf8, file_empty, no_columns, quote_unclosed")))]
pub(crate) async fn import(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
    Query(query): Query<ImportQuery>,
    body: Body,
) -> Result<Reply<ImportView>, Problem> {
    let bytes = body::read(body, server.doors.body_limit()).await?;
    let format = match &query.format {
        Some(word) => word
            .parse()
            .map_err(|()| Problem::invalid("format", format!("{word:?} is no format; use jsonl, csv or faq")))?,
        None => Format::guess(&query.name, &bytes),
    };
    let manner = Manner { only_look: query.dry_run, without_near: query.without_near };
    let import = server.datasets.import(&caller, id, &query.name, format, bytes.into(), manner).await?;
    Ok(Reply(ImportView { format: Some(format.as_str()), ..import.into() }))
}

/// Which rated answers are taken.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CollectBody {
    /// Those that were called good.
    good: bool,
    /// Those that somebody corrected, with the correction.
    corrected: bool,
    /// Only tell what would happen.
    #[serde(default)]
    dry_run: bool,
    /// Leave out what is almost the same as something that is there.
    #[serde(default)]
    without_near: bool,
}

#[utoipa::path(post, path = "/api/datasets/{id}/collect", tag = "datasets", params(("id" = String, Path)), request_body = CollectBody, responses((status = 200, body = ImportView)))]
pub(crate) async fn collect(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
    Json(body): Json<CollectBody>,
) -> Result<Reply<ImportView>, Problem> {
    let manner = Manner { only_look: body.dry_run, without_near: body.without_near };
    let taken = Taken { good: body.good, corrected: body.corrected };
    Ok(Reply(server.datasets.collect(&caller, id, taken, manner).await?.into()))
}

/// A frozen version.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatasetVersionView {
    version: i64,
    note: String,
    /// Examples that models are taught with.
    trained: u64,
    /// And those that are held out.
    held_out: u64,
    /// Out of a hundred, when it was frozen.
    share: u8,
    seed: i64,
    /// Of its export.
    sha256: String,
    /// Milliseconds since 1970.
    at: i64,
}

impl From<DatasetVersion> for DatasetVersionView {
    fn from(version: DatasetVersion) -> Self {
        let DatasetVersion { version, note, trained, held_out, share, seed, sha256, at, .. } = version;
        DatasetVersionView { version, note, trained, held_out, share, seed, sha256, at: at.0 }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DatasetVersionList {
    items: Vec<DatasetVersionView>,
}

/// What to say of a version.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FreezeBody {
    #[serde(default)]
    note: String,
}

#[utoipa::path(get, path = "/api/datasets/{id}/versions", tag = "datasets", params(("id" = String, Path)), responses((status = 200, body = DatasetVersionList)))]
pub(crate) async fn versions(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
) -> Result<Reply<DatasetVersionList>, Problem> {
    let items = server.store.dataset_versions(&caller, id).await?.into_iter().map(DatasetVersionView::from).collect();
    Ok(Reply(DatasetVersionList { items }))
}

#[utoipa::path(post, path = "/api/datasets/{id}/versions", tag = "datasets", params(("id" = String, Path)), request_body = FreezeBody, responses((status = 200, body = DatasetVersionView), (status = 409), (status = 422, description = "nothing_to_learn")))]
pub(crate) async fn freeze(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
    Json(body): Json<FreezeBody>,
) -> Result<Reply<DatasetVersionView>, Problem> {
    Ok(Reply(server.datasets.freeze(&caller, id, noted(&body.note)?).await?.into()))
}

/// What leaves.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct ExportQuery {
    /// Absent: the draft.
    version: Option<i64>,
    /// `train` or `held_out`; absent: both.
    side: Option<String>,
}

#[utoipa::path(get, path = "/api/datasets/{id}/export", tag = "datasets", params(("id" = String, Path), ExportQuery), responses((status = 200, description = "JSON lines of OpenAI's chat format")))]
pub(crate) async fn export(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<DatasetId>,
    Query(query): Query<ExportQuery>,
) -> Result<Response, Problem> {
    let side = match query.side.as_deref() {
        None | Some("") => Side::All,
        Some("train") => Side::Train,
        Some("held_out") => Side::HeldOut,
        Some(other) => return Err(Problem::invalid("side", format!("{other:?} is no side; use train or held_out"))),
    };
    let lines = server.datasets.looked(&caller, id, query.version).await?.lines(side);
    let disposition = "attachment; filename=\"dataset.jsonl\"";
    Ok(([(header::CONTENT_TYPE, "application/jsonl"), (header::CONTENT_DISPOSITION, disposition)], lines)
        .into_response())
}

fn named(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    match name.chars().count() {
        1..=NAME => Ok(name.to_owned()),
        _ => Err(Problem::invalid("name", format!("a name has 1 to {NAME} characters"))),
    }
}

fn noted(note: &str) -> Result<String, Problem> {
    let note = note.trim();
    match note.chars().count() {
        ..=NOTE => Ok(note.to_owned()),
        _ => Err(Problem::invalid("note", format!("a note has at most {NOTE} characters"))),
    }
}

impl From<tuning::Error> for Problem {
    fn from(error: tuning::Error) -> Problem {
        let message = error.to_string();
        let invalid = |code| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, code, message.clone());
        match error {
            tuning::Error::NotFound { what } => Problem::not_found(what),
            tuning::Error::Unreadable(why) => match &why {
                tuning::data::Unreadable::NotUtf8 { line, likely } => {
                    invalid(why.code()).with("line", *line).with("likely", likely.unwrap_or_default())
                }
                tuning::data::Unreadable::NoColumns { named } => invalid(why.code()).with("named", named.join(", ")),
                tuning::data::Unreadable::Unclosed { line } => invalid(why.code()).with("line", *line),
                tuning::data::Unreadable::Empty => invalid(why.code()),
            },
            tuning::Error::Flawed(flaw) => invalid("example_flawed").with("flaw", flaw.code()),
            tuning::Error::TooMany { limit, .. } => invalid("dataset_full").with("limit", limit),
            tuning::Error::Nothing => invalid("nothing_to_learn"),
            tuning::Error::NoTrainer => Problem::new(StatusCode::CONFLICT, "trainer_absent", message),
            tuning::Error::Recipe { field, range } => Problem::invalid(field, message).with("range", range),
            tuning::Error::Conflict { .. } => Problem::new(StatusCode::CONFLICT, "conflict", message),
            tuning::Error::Store(error) => error.into(),
        }
    }
}
