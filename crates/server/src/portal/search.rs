//! Full-text search over the caller's own conversations.

use axum::Json as Reply;
use axum::extract::State;
use domain::Author;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::caller::SignedIn;
use crate::portal::body::Query;
use crate::{Problem, Server};

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Sought {
    q: String,
    limit: Option<u32>,
}

/// What was found, best first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Found {
    items: Vec<Hit>,
}

/// One place where it was found.
#[derive(Debug, Serialize, ToSchema)]
struct Hit {
    conversation: String,
    title: String,
    /// Absent: it was found in the title.
    message: Option<String>,
    #[schema(value_type = Option<String>)]
    author: Option<Author>,
    at: i64,
    snippet: Vec<Piece>,
}

/// A piece of the text around a hit.
#[derive(Debug, Serialize, ToSchema)]
struct Piece {
    text: String,
    hit: bool,
}

#[utoipa::path(get, path = "/api/search", tag = "conversations", params(Sought), responses((status = 200, body = Found)))]
pub(crate) async fn search(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Query(query): Query<Sought>,
) -> Result<Reply<Found>, Problem> {
    let hits = server.store.search(&caller, &query.q, query.limit.unwrap_or(30).clamp(1, 100)).await?;
    let items = hits
        .into_iter()
        .map(|hit| Hit {
            conversation: hit.conversation.to_string(),
            title: hit.title,
            message: hit.message.map(|id| id.to_string()),
            author: hit.author,
            at: hit.at.0,
            snippet: hit.snippet.into_iter().map(|(text, hit)| Piece { text, hit }).collect(),
        })
        .collect();
    Ok(Reply(Found { items }))
}
