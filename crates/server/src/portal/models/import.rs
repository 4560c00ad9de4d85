//! Importing a provider card: first what would be made of it, then, when it is confirmed, the provider.

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use models::card::{Card, CardError, Note, Plan};
use models::{Key, ModelConfig};
use serde::{Deserialize, Serialize};
use store::NewProvider;
use utoipa::ToSchema;

use super::{ProviderView, free_slug, stored_view};
use crate::caller::Administrator;
use crate::portal::body::Json;
use crate::{Problem, Server};

/// A card to import.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ImportBody {
    /// The card as TypeScript, JavaScript or JSON: the whole file, or the object.
    card: String,
    /// The key to ask the server with, and to keep.
    api_key: Option<String>,
    /// False: only say what would be made. True: make it.
    #[serde(default)]
    confirm: bool,
}

/// What would be made of a card, or what was.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Imported {
    plan: PlanView,
    /// The provider, where the import was confirmed.
    provider: Option<ProviderView>,
}

/// A provider to be.
#[derive(Debug, Serialize, ToSchema)]
struct PlanView {
    slug: String,
    name: String,
    kind: String,
    base_url: String,
    /// Absent: all that it lists.
    models: Option<Vec<PlannedModel>>,
    asked: Vec<AskedView>,
    notes: Vec<NoteView>,
}

/// A model of a provider to be.
#[derive(Debug, Serialize, ToSchema)]
struct PlannedModel {
    name: String,
    display_name: Option<String>,
    enabled: bool,
    streaming: bool,
}

/// One question to the server.
#[derive(Debug, Serialize, ToSchema)]
struct AskedView {
    kind: String,
    url: String,
    answered: bool,
    /// The names it lists, or what went wrong.
    told: String,
}

/// A remark, in both languages.
#[derive(Debug, Serialize, ToSchema)]
struct NoteView {
    /// `contradiction`, `asked`, `nobody_answered`, `not_installed`, `hidden`, `no_stream`, `unknown_field`.
    code: &'static str,
    message: String,
    message_zh: String,
}

impl From<&Plan> for PlanView {
    fn from(plan: &Plan) -> Self {
        let model = |model: &ModelConfig| PlannedModel {
            name: model.name.clone(),
            display_name: model.display_name.clone(),
            enabled: model.enabled,
            streaming: model.streaming,
        };
        let note = |note: &Note| NoteView {
            code: note.code,
            message: note.message.clone(),
            message_zh: note.message_zh.clone(),
        };
        let asked = |one: &models::card::Asked| AskedView {
            kind: one.kind.clone(),
            url: one.url.clone(),
            answered: one.answered,
            told: one.told.clone(),
        };
        PlanView {
            slug: plan.slug.clone(),
            name: plan.name.clone(),
            kind: plan.kind.clone(),
            base_url: plan.base_url.clone(),
            models: plan.models.as_ref().map(|models| models.iter().map(model).collect()),
            asked: plan.asked.iter().map(asked).collect(),
            notes: plan.notes.iter().map(note).collect(),
        }
    }
}

#[utoipa::path(post, path = "/api/providers/import", tag = "models", request_body = ImportBody, responses((status = 200, body = Imported), (status = 422, description = "no card; `params` has line, column and hint")))]
pub(crate) async fn import(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Json(body): Json<ImportBody>,
) -> Result<Reply<Imported>, Problem> {
    let card = Card::read(&body.card)?;
    let key = body.api_key.as_deref().filter(|key| !key.trim().is_empty());
    let plan = server.models.plan(&card, key.map(Key::new).as_ref()).await;
    let plan = plan.map_err(|reason| Problem::invalid("card", reason))?;
    let mut provider = None;
    if body.confirm {
        let slug = free_slug(&server, &caller, &plan.slug).await?;
        let new = NewProvider {
            sealed_key: key.map(|key| server.catalog.sealed(&slug, key)).transpose()?,
            name: slug,
            title: plan.name.clone(),
            kind: plan.kind.clone(),
            base_url: plan.base_url.clone(),
            models: plan.stored_models(),
            enabled: true,
        };
        let row = server.store.create_provider(&caller, new).await?;
        server.catalog.reload(caller.tenant).await?;
        provider = Some(stored_view(&server, &row));
    }
    Ok(Reply(Imported { plan: PlanView::from(&plan), provider }))
}

impl From<CardError> for Problem {
    fn from(error: CardError) -> Problem {
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", error.to_string())
            .with("field", "card")
            .with("line", error.line)
            .with("column", error.column)
            .with("hint", error.hint)
    }
}
