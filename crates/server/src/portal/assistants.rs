//! Assistants: seen by whom they are shared with, changed by who made them and, once shared, by administrators. A draft is edited
//! and published as a version; what one says is `assistants`' to judge.

mod view;

use std::sync::Arc;

use ::assistants::{Unit, differences};
use axum::Json as Reply;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chat::TryOut;
use domain::{AssistantId, Caller};
use serde::Deserialize;
use serde_json::json;
use store::{Assistant, Shared};
use utoipa::{IntoParams, ToSchema};

use crate::caller::{Administrator, SignedIn};
use crate::portal::aliases::audit;
use crate::portal::body::{self, Json, Path, Query};
use crate::portal::transfer::file_name;
use crate::portal::turns::offset;
use crate::{Problem, Server};
use view::{
    AssistantDetail, AssistantList, AssistantView, DifferenceList, DifferenceView, PersonaList, PersonaView,
    TriedOutView, UnitView,
};

pub(crate) use view::unit;

/// The longest note of a version, in characters.
const NOTE: usize = 500;
/// The longest question of a try-out, in characters.
const QUESTION: usize = 20_000;

#[utoipa::path(get, path = "/api/assistants", tag = "assistants", responses((status = 200, body = AssistantList)))]
pub(crate) async fn list(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
) -> Result<Reply<AssistantList>, Problem> {
    let all = server.store.assistants(&caller).await?;
    let items = all.iter().map(|one| AssistantView::new(one, &caller)).collect::<Result<_, _>>()?;
    Ok(Reply(AssistantList { items }))
}

/// An assistant to make: empty, or from the library.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAssistantBody {
    /// Of an empty one; of one from the library, in place of its own.
    name: Option<String>,
    /// One of `GET /api/personas`: it is published at once.
    persona: Option<String>,
    /// `zh-CN` or `en`: the language of the persona. Absent: the person's own.
    language: Option<String>,
}

#[utoipa::path(post, path = "/api/assistants", tag = "assistants", request_body = NewAssistantBody, responses((status = 200, body = AssistantDetail)))]
pub(crate) async fn create(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Json(body): Json<NewAssistantBody>,
) -> Result<Reply<AssistantDetail>, Problem> {
    let mut unit = match &body.persona {
        Some(slug) => {
            let persona = server.personas.find(slug).ok_or_else(|| Problem::not_found("persona"))?;
            persona.unit(&language(&server, &caller, body.language).await?)
        }
        None => Unit::default(),
    };
    if let Some(name) = body.name {
        unit.name = name;
    }
    let draft = kept(unit)?;
    let published = body.persona.is_some();
    let made = server.store.create_assistant(&caller, draft, body.persona, published).await?;
    told(&server, &caller, "assistant.created", &made).await;
    detail(&server, &caller, made).await
}

async fn language(server: &Server, caller: &Caller, wanted: Option<String>) -> Result<String, Problem> {
    match wanted {
        Some(language) => Ok(language),
        None => Ok(server.identity.me(caller).await?.language.unwrap_or_else(|| "en".to_owned())),
    }
}

#[utoipa::path(post, path = "/api/assistants/import", tag = "assistants", request_body = Object, responses((status = 200, body = AssistantDetail, description = "a draft, for its person to look at first"), (status = 422, description = "not_an_assistant, invalid_request")))]
pub(crate) async fn import(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    bytes: Body,
) -> Result<Reply<AssistantDetail>, Problem> {
    let bytes = body::read(bytes, server.doors.body_limit()).await?;
    let unit = ::assistants::read(&bytes).map_err(view::unreadable)?;
    let made = server.store.create_assistant(&caller, kept(unit)?, None, false).await?;
    told(&server, &caller, "assistant.imported", &made).await;
    detail(&server, &caller, made).await
}

#[utoipa::path(get, path = "/api/assistants/{id}", tag = "assistants", params(("id" = String, Path)), responses((status = 200, body = AssistantDetail), (status = 403), (status = 404)))]
pub(crate) async fn read(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<AssistantId>,
) -> Result<Reply<AssistantDetail>, Problem> {
    let found = editable(&server, &caller, id).await?;
    detail(&server, &caller, found).await
}

/// With whom it is to be shared.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareBody {
    /// `nobody`, `administrators` or `everyone`.
    shared: String,
}

#[utoipa::path(patch, path = "/api/assistants/{id}", tag = "assistants", params(("id" = String, Path)), request_body = ShareBody, responses((status = 200, body = AssistantView), (status = 403, description = "administrators share")))]
pub(crate) async fn share(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<AssistantId>,
    Json(body): Json<ShareBody>,
) -> Result<Reply<AssistantView>, Problem> {
    let shared = Shared::parse(&body.shared).ok_or_else(|| {
        Problem::invalid("shared", format!("{:?} is none of nobody, administrators and everyone", body.shared))
    })?;
    let found = editable(&server, &caller, id).await?;
    if shared == Shared::Everyone && found.published.is_none() {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "not_published",
            "publish a version first: a draft answers nobody",
        ));
    }
    let now = server.store.share_assistant(&caller, id, shared).await?;
    audit(&server, &caller, "assistant.shared", id.to_string(), json!({ "shared": shared.as_str() })).await;
    Ok(Reply(AssistantView::new(&now, &caller)?))
}

#[utoipa::path(delete, path = "/api/assistants/{id}", tag = "assistants", params(("id" = String, Path)), responses((status = 204, description = "restore brings it back for 30 days")))]
pub(crate) async fn remove(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<AssistantId>,
) -> Result<StatusCode, Problem> {
    let gone = editable(&server, &caller, id).await?;
    server.store.delete_assistant(&caller, id).await?;
    told(&server, &caller, "assistant.deleted", &gone).await;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/assistants/{id}/restore", tag = "assistants", params(("id" = String, Path)), responses((status = 200, body = AssistantView)))]
pub(crate) async fn restore(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<AssistantId>,
) -> Result<Reply<AssistantView>, Problem> {
    let back = server.store.restore_assistant(&caller, id).await?;
    told(&server, &caller, "assistant.restored", &back).await;
    Ok(Reply(AssistantView::new(&back, &caller)?))
}

/// What the draft is to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DraftBody {
    /// The one that was read: a draft that was changed since is not overwritten.
    revision: i64,
    #[schema(value_type = UnitView)]
    unit: Unit,
}

#[utoipa::path(put, path = "/api/assistants/{id}/draft", tag = "assistants", params(("id" = String, Path)), request_body = DraftBody, responses((status = 200, body = AssistantDetail), (status = 409, description = "it was changed meanwhile")))]
pub(crate) async fn change(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<AssistantId>,
    Json(body): Json<DraftBody>,
) -> Result<Reply<AssistantDetail>, Problem> {
    editable(&server, &caller, id).await?;
    let changed = server.store.change_assistant(&caller, id, body.revision, kept(body.unit)?).await?;
    detail(&server, &caller, changed).await
}

/// A version to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishBody {
    /// The one that was read.
    revision: i64,
    /// What changed, for those who come later.
    #[serde(default)]
    note: String,
}

#[utoipa::path(post, path = "/api/assistants/{id}/publish", tag = "assistants", params(("id" = String, Path)), request_body = PublishBody, responses((status = 200, body = AssistantDetail), (status = 409, description = "it was changed meanwhile")))]
pub(crate) async fn publish(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<AssistantId>,
    Json(body): Json<PublishBody>,
) -> Result<Reply<AssistantDetail>, Problem> {
    editable(&server, &caller, id).await?;
    let note = body.note.trim();
    if note.chars().count() > NOTE {
        return Err(Problem::invalid("note", format!("a note has at most {NOTE} characters")));
    }
    let now = server.store.publish_assistant(&caller, id, body.revision, note.to_owned()).await?;
    told(&server, &caller, "assistant.published", &now).await;
    detail(&server, &caller, now).await
}

#[utoipa::path(post, path = "/api/assistants/{id}/versions/{version}/restore", tag = "assistants", params(("id" = String, Path), ("version" = i64, Path)), responses((status = 200, body = AssistantDetail, description = "the draft says what the version says"), (status = 404)))]
pub(crate) async fn take_back(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path((id, version)): Path<(AssistantId, i64)>,
) -> Result<Reply<AssistantDetail>, Problem> {
    let found = editable(&server, &caller, id).await?;
    let unit = said(&server, &caller, &found, Some(version)).await?;
    let changed = server.store.change_assistant(&caller, id, found.revision, kept(unit)?).await?;
    detail(&server, &caller, changed).await
}

/// Which two are compared.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Sides {
    /// A version; absent: the draft.
    from: Option<i64>,
    /// A version; absent: the draft.
    to: Option<i64>,
}

#[utoipa::path(get, path = "/api/assistants/{id}/diff", tag = "assistants", params(("id" = String, Path), Sides), responses((status = 200, body = DifferenceList), (status = 404)))]
pub(crate) async fn diff(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<AssistantId>,
    Query(sides): Query<Sides>,
) -> Result<Reply<DifferenceList>, Problem> {
    let found = editable(&server, &caller, id).await?;
    let before = said(&server, &caller, &found, sides.from).await?;
    let after = said(&server, &caller, &found, sides.to).await?;
    Ok(Reply(DifferenceList { items: differences(&before, &after).into_iter().map(DifferenceView::from).collect() }))
}

/// Which version is meant.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Meant {
    /// Absent: the published one, or the draft where nothing is published.
    version: Option<i64>,
}

#[utoipa::path(get, path = "/api/assistants/{id}/export", tag = "assistants", params(("id" = String, Path), Meant), responses((status = 200, description = "a file")))]
pub(crate) async fn export(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<AssistantId>,
    Query(meant): Query<Meant>,
) -> Result<Response, Problem> {
    let found = editable(&server, &caller, id).await?;
    let version = meant.version.or(found.published.as_ref().map(|(version, _)| *version));
    let unit = said(&server, &caller, &found, version).await?;
    // RFC 6266: a plain name for old clients, the real one percent-encoded.
    let name = file_name(&unit.name);
    let disposition = format!("attachment; filename=\"assistant.json\"; filename*=UTF-8''{name}.json");
    let head = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((head, ::assistants::write(&unit)).into_response())
}

/// A question to try an assistant with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TryBody {
    question: String,
    /// Absent: the draft.
    version: Option<i64>,
    /// Absent: the assistant's own model.
    model: Option<String>,
    /// Minutes by which the person's clock is ahead of UTC.
    #[serde(default)]
    utc_offset: i32,
}

#[utoipa::path(post, path = "/api/assistants/{id}/try", tag = "assistants", params(("id" = String, Path)), request_body = TryBody, responses((status = 200, body = TriedOutView, description = "the whole answer; it is kept nowhere")))]
pub(crate) async fn try_out(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<AssistantId>,
    Json(body): Json<TryBody>,
) -> Result<Reply<TriedOutView>, Problem> {
    if body.question.chars().count() > QUESTION {
        return Err(Problem::invalid("question", format!("a question has at most {QUESTION} characters")));
    }
    let found = editable(&server, &caller, id).await?;
    let unit = said(&server, &caller, &found, body.version).await?;
    let (model, utc_offset) = (body.model, offset(body.utc_offset)?);
    let (door, scope) = (chat::TRYOUT, Arc::default());
    let ask = TryOut { unit, question: body.question, model, utc_offset, door, scope };
    Ok(Reply(Box::pin(server.chat.try_out(&caller, ask)).await?.into()))
}

/// In which language.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct InLanguage {
    /// `zh-CN` or `en`; absent: the person's own.
    language: Option<String>,
}

#[utoipa::path(get, path = "/api/personas", tag = "assistants", params(InLanguage), responses((status = 200, body = PersonaList)))]
pub(crate) async fn personas(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Query(wanted): Query<InLanguage>,
) -> Result<Reply<PersonaList>, Problem> {
    let language = language(&server, &caller, wanted.language).await?;
    let view = |persona: &::assistants::Persona| PersonaView {
        slug: persona.slug.clone(),
        category: persona.category.clone(),
        unit: persona.unit(&language),
    };
    Ok(Reply(PersonaList { items: server.personas.personas().iter().map(view).collect() }))
}

/// One that the caller may change: not there for who does not see it, forbidden for who only asks it.
async fn editable(server: &Server, caller: &Caller, id: AssistantId) -> Result<Assistant, Problem> {
    let found = server.store.assistant(caller, id).await?.ok_or_else(|| Problem::not_found("assistant"))?;
    if !found.edited_by(caller) {
        return Err(Problem::forbidden());
    }
    Ok(found)
}

/// What a version says, or the draft.
async fn said(server: &Server, caller: &Caller, of: &Assistant, version: Option<i64>) -> Result<Unit, Problem> {
    let Some(version) = version else { return view::unit(&of.draft) };
    let versions = server.store.assistant_versions(caller, of.id).await?;
    let found = versions.into_iter().find(|one| one.version == version);
    view::unit(&found.ok_or_else(|| Problem::not_found("version"))?.unit)
}

async fn detail(server: &Server, caller: &Caller, of: Assistant) -> Result<Reply<AssistantDetail>, Problem> {
    let versions = server.store.assistant_versions(caller, of.id).await?;
    let people = server.store.people(caller.tenant).await?;
    Ok(Reply(AssistantDetail::new(&of, caller, versions, &people)?))
}

/// The text that is stored of a unit.
fn kept(unit: Unit) -> Result<String, Problem> {
    let unit = unit.checked().map_err(view::flawed)?;
    serde_json::to_string(&unit).map_err(|error| Problem::invalid("unit", error.to_string()))
}

async fn told(server: &Server, caller: &Caller, verb: &'static str, of: &Assistant) {
    let version = of.published.as_ref().map(|(version, _)| *version);
    audit(server, caller, verb, of.id.to_string(), json!({ "version": version, "persona": of.persona })).await;
}
