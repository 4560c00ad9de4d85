//! A conversation as a file: JSON that another Portico reads back, byte for byte the same from either database, and Markdown
//! for people.

use std::fmt::Write as _;

use axum::Json as Reply;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use domain::{Author, ConversationId, MessageId};
use serde::Deserialize;
use store::Exported;
use utoipa::IntoParams;

use crate::caller::SignedIn;
use crate::portal::body::{Json, Path, Query};
use crate::portal::view::{self, Conversation};
use crate::{Problem, Server};

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Wanted {
    /// `markdown` or `json`
    format: String,
}

#[utoipa::path(get, path = "/api/conversations/{id}/export", tag = "conversations", params(("id" = String, Path), Wanted), responses((status = 200, description = "a file")))]
pub(crate) async fn export(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<ConversationId>,
    Query(wanted): Query<Wanted>,
) -> Result<Response, Problem> {
    let exported = server.store.export(&caller, id).await?.ok_or_else(|| Problem::not_found("conversation"))?;
    let (body, mime, ending) = match wanted.format.as_str() {
        "json" => {
            let json =
                serde_json::to_string_pretty(&exported).map_err(|e| Problem::invalid("format", e.to_string()))?;
            (json, "application/json", "json")
        }
        "markdown" => (markdown(&exported), "text/markdown; charset=utf-8", "md"),
        other => return Err(Problem::invalid("format", format!("{other:?} is not a format; use markdown or json"))),
    };
    let name = file_name(&exported.conversation.title);
    // RFC 6266: a plain name for old clients, the real one percent-encoded.
    let disposition = format!("attachment; filename=\"conversation.{ending}\"; filename*=UTF-8''{name}.{ending}");
    Ok(([(header::CONTENT_TYPE, mime.to_owned()), (header::CONTENT_DISPOSITION, disposition)], body).into_response())
}

#[utoipa::path(post, path = "/api/conversations/import", tag = "conversations", request_body = Object, responses((status = 200, body = Conversation)))]
pub(crate) async fn import(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Json(exported): Json<Exported>,
) -> Result<Reply<Conversation>, Problem> {
    let row = server.store.import(&caller, exported).await?;
    Ok(Reply(view::conversation(&server, &caller, row.id).await?))
}

/// The branch that was last looked at, as a document.
fn markdown(exported: &Exported) -> String {
    let mut text = format!("# {}\n", exported.conversation.title);
    if let Some(prompt) = exported.conversation.system_prompt.as_deref().filter(|prompt| !prompt.is_empty()) {
        let _ = write!(text, "\n> {}\n", prompt.replace('\n', "\n> "));
    }
    for message in branch(exported) {
        let who = match (message.author, &message.model) {
            (Author::User, _) => "User / 用户".to_owned(),
            (_, Some(model)) => format!("Assistant / 助手 ({model})"),
            (author, None) => author.as_str().to_owned(),
        };
        let _ = write!(text, "\n## {who}\n\n{}\n", message.text);
    }
    text
}

fn branch(exported: &Exported) -> Vec<&store::Message> {
    let find = |id: MessageId| exported.messages.iter().find(|message| message.id == id);
    let mut path = Vec::new();
    let mut next = exported.conversation.head.and_then(find).or(exported.messages.last());
    while let Some(message) = next {
        path.push(message);
        // A tree that was imported is checked there; this bound only keeps a broken one from looping.
        if path.len() > exported.messages.len() {
            break;
        }
        next = message.parent.and_then(find);
    }
    path.reverse();
    path
}

pub(crate) fn file_name(title: &str) -> String {
    let mut name = String::new();
    for byte in title.chars().take(60).collect::<String>().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => name.push(byte.into()),
            byte => _ = write!(name, "%{byte:02X}"),
        }
    }
    if name.is_empty() { "conversation".to_owned() } else { name }
}
