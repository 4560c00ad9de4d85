//! A person's conversations and the messages in them.

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{ConversationId, MessageId, Sampling};
use serde::{Deserialize, Deserializer, Serialize};
use store::{Change, Cursor, NewConversation, Page, Shelf, TitledBy};
use utoipa::{IntoParams, ToSchema};

use crate::caller::SignedIn;
use crate::portal::body::{Json, Path, Query};
use crate::portal::view::{self, Conversation, Message};
use crate::{Problem, Server};

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Listed {
    #[serde(default)]
    archived: bool,
    /// The `next` of the page before.
    before: Option<String>,
    limit: Option<u32>,
}

/// One page of conversations, latest first; pinned ones lead the first page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConversationPage {
    items: Vec<Conversation>,
    next: Option<String>,
}

#[utoipa::path(get, path = "/api/conversations", tag = "conversations", params(Listed), responses((status = 200, body = ConversationPage)))]
pub(crate) async fn list(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Query(query): Query<Listed>,
) -> Result<Reply<ConversationPage>, Problem> {
    let before = match &query.before {
        Some(cursor) => Some(cursor.parse::<Cursor>().map_err(|_| Problem::invalid("before", "not a cursor of ours"))?),
        None => None,
    };
    let limit = query.limit.unwrap_or(50).clamp(1, 200);
    let shelf = if query.archived { Shelf::Archived } else { Shelf::Open };
    let (rows, next) = server.store.conversations(&caller, Page { shelf, before, limit }).await?;
    let running = server.store.running_everywhere(&caller).await?;
    let of = |id: ConversationId| running.iter().filter(|(c, _)| *c == id).map(|(_, turn)| *turn).collect::<Vec<_>>();
    let items = rows
        .into_iter()
        .map(|row| {
            let turns = of(row.id);
            Conversation::new(row, &turns)
        })
        .collect();
    Ok(Reply(ConversationPage { items, next: next.map(|cursor| cursor.to_string()) }))
}

/// A conversation to begin with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBody {
    title: Option<String>,
    model: Option<String>,
    system_prompt: Option<String>,
    #[serde(default)]
    #[schema(value_type = view::Sampling)]
    sampling: Sampling,
}

#[utoipa::path(post, path = "/api/conversations", tag = "conversations", request_body = NewBody, responses((status = 200, body = Conversation)))]
pub(crate) async fn create(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Json(body): Json<NewBody>,
) -> Result<Reply<Conversation>, Problem> {
    let new = NewConversation {
        titled_by: if body.title.is_some() { TitledBy::Person } else { TitledBy::None },
        title: body.title.unwrap_or_default(),
        model: body.model,
        system_prompt: body.system_prompt,
        sampling: body.sampling,
        assistant: None,
    };
    let row = server.store.create(&caller, new).await?;
    Ok(Reply(Conversation::new(row, &[])))
}

/// A conversation with its whole tree of messages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tree {
    conversation: Conversation,
    messages: Vec<Message>,
}

#[utoipa::path(get, path = "/api/conversations/{id}", tag = "conversations", params(("id" = String, Path)), responses((status = 200, body = Tree), (status = 404)))]
pub(crate) async fn read(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<ConversationId>,
) -> Result<Reply<Tree>, Problem> {
    let conversation = view::conversation(&server, &caller, id).await?;
    let messages = server.store.messages(&caller, id).await?.into_iter().map(Message::from).collect();
    Ok(Reply(Tree { conversation, messages }))
}

/// What is to change; what is absent stays, `null` takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeBody {
    title: Option<String>,
    pinned: Option<bool>,
    archived: Option<bool>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    model: Option<Option<String>>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    system_prompt: Option<Option<String>>,
    #[schema(value_type = Option<view::Sampling>)]
    sampling: Option<Sampling>,
    #[schema(value_type = Option<String>)]
    head: Option<MessageId>,
}

/// Tells `null` (take away) from absent (leave).
pub(crate) fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(value).map(Some)
}

/// The longest title that is kept, in characters.
const TITLE: usize = 200;

#[utoipa::path(patch, path = "/api/conversations/{id}", tag = "conversations", params(("id" = String, Path)), request_body = ChangeBody, responses((status = 200, body = Conversation)))]
pub(crate) async fn change(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<ConversationId>,
    Json(body): Json<ChangeBody>,
) -> Result<Reply<Conversation>, Problem> {
    let title = body.title.map(|title| title.trim().chars().take(TITLE).collect::<String>());
    if title.as_ref().is_some_and(String::is_empty) {
        return Err(Problem::invalid("title", "a title needs at least one character"));
    }
    let change = Change {
        title: title.map(|title| (title, TitledBy::Person)),
        pinned: body.pinned,
        archived: body.archived,
        model: body.model,
        system_prompt: body.system_prompt,
        sampling: body.sampling,
        head: body.head,
    };
    server.store.change(&caller, id, change).await?;
    Ok(Reply(view::conversation(&server, &caller, id).await?))
}

#[utoipa::path(delete, path = "/api/conversations/{id}", tag = "conversations", params(("id" = String, Path)), responses((status = 204, description = "restore brings it back for 30 days")))]
pub(crate) async fn delete(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<ConversationId>,
) -> Result<StatusCode, Problem> {
    for turn in server.store.running(&caller, id).await? {
        server.chat.stop(&caller, turn).await?;
    }
    server.store.delete_conversation(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/conversations/{id}/restore", tag = "conversations", params(("id" = String, Path)), responses((status = 200, body = Conversation)))]
pub(crate) async fn restore(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<ConversationId>,
) -> Result<Reply<Conversation>, Problem> {
    server.store.restore_conversation(&caller, id).await?;
    Ok(Reply(view::conversation(&server, &caller, id).await?))
}

#[utoipa::path(delete, path = "/api/messages/{id}", tag = "conversations", params(("id" = String, Path)), responses((status = 204, description = "with everything below it; restore brings it back")))]
pub(crate) async fn delete_message(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<MessageId>,
) -> Result<StatusCode, Problem> {
    server.store.delete_message(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/messages/{id}/restore", tag = "conversations", params(("id" = String, Path)), responses((status = 204)))]
pub(crate) async fn restore_message(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<MessageId>,
) -> Result<StatusCode, Problem> {
    server.store.restore_message(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
