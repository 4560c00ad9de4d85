//! Texts that people keep to ask with: everybody their own, and those that administrators share with all.

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{Caller, PromptId};
use serde::{Deserialize, Serialize};
use store::{NewPrompt, PromptRow};
use utoipa::ToSchema;

use crate::caller::SignedIn;
use crate::portal::body::{Json, Path};
use crate::{Problem, Server};

/// The longest name and text, in characters.
const NAME: usize = 60;
const TEXT: usize = 20_000;

/// A kept text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PromptView {
    id: String,
    name: String,
    text: String,
    /// Whether everybody has it.
    shared: bool,
    may_edit: bool,
}

impl PromptView {
    fn new(row: PromptRow, caller: &Caller) -> Self {
        let may_edit = row.person == caller.person || (row.shared && caller.role.administers());
        PromptView { id: row.id.to_string(), name: row.name, text: row.text, shared: row.shared, may_edit }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PromptList {
    /// By name.
    items: Vec<PromptView>,
}

/// What one is to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromptBody {
    name: String,
    text: String,
    /// Administrators share.
    #[serde(default)]
    shared: bool,
}

#[utoipa::path(get, path = "/api/prompts", tag = "prompts", responses((status = 200, body = PromptList)))]
pub(crate) async fn list(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
) -> Result<Reply<PromptList>, Problem> {
    let rows = server.store.prompts(&caller).await?;
    Ok(Reply(PromptList { items: rows.into_iter().map(|row| PromptView::new(row, &caller)).collect() }))
}

#[utoipa::path(post, path = "/api/prompts", tag = "prompts", request_body = PromptBody, responses((status = 200, body = PromptView), (status = 403, description = "administrators share")))]
pub(crate) async fn create(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Json(body): Json<PromptBody>,
) -> Result<Reply<PromptView>, Problem> {
    let made = server.store.create_prompt(&caller, checked(&caller, body)?).await?;
    Ok(Reply(PromptView::new(made, &caller)))
}

#[utoipa::path(put, path = "/api/prompts/{id}", tag = "prompts", params(("id" = String, Path)), request_body = PromptBody, responses((status = 200, body = PromptView), (status = 404)))]
pub(crate) async fn change(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<PromptId>,
    Json(body): Json<PromptBody>,
) -> Result<Reply<PromptView>, Problem> {
    let changed = server.store.change_prompt(&caller, id, checked(&caller, body)?).await?;
    Ok(Reply(PromptView::new(changed, &caller)))
}

#[utoipa::path(delete, path = "/api/prompts/{id}", tag = "prompts", params(("id" = String, Path)), responses((status = 204)))]
pub(crate) async fn remove(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<PromptId>,
) -> Result<StatusCode, Problem> {
    server.store.delete_prompt(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn checked(caller: &Caller, body: PromptBody) -> Result<NewPrompt, Problem> {
    let (name, text) = (body.name.trim(), body.text.trim());
    if !(1..=NAME).contains(&name.chars().count()) || name.contains(char::is_control) {
        return Err(Problem::invalid("name", format!("a name has 1 to {NAME} characters")));
    }
    if !(1..=TEXT).contains(&text.chars().count()) {
        return Err(Problem::invalid("text", format!("a text has 1 to {TEXT} characters")));
    }
    if body.shared && !caller.role.administers() {
        return Err(Problem::forbidden());
    }
    Ok(NewPrompt { name: name.to_owned(), text: text.to_owned(), shared: body.shared })
}
