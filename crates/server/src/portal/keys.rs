//! One's own API keys: made here, shown once, revoked at once.

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{KeyId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::caller::SignedIn;
use crate::portal::body::{Json, Path};
use crate::{Problem, Server};

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyView {
    id: String,
    name: String,
    /// The first letters, to tell keys apart.
    prefix: String,
    created_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
}

impl From<store::Key> for KeyView {
    fn from(key: store::Key) -> Self {
        KeyView {
            id: key.id.to_string(),
            name: key.name,
            prefix: key.prefix,
            created_at: key.created_at.0,
            expires_at: key.expires_at.map(|at| at.0),
            last_used_at: key.last_used_at.map(|at| at.0),
        }
    }
}

#[utoipa::path(get, path = "/api/keys", tag = "keys", responses((status = 200, body = Vec<KeyView>)))]
pub(crate) async fn list(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
) -> Result<Reply<Vec<KeyView>>, Problem> {
    Ok(Reply(server.identity.keys(&caller).await?.into_iter().map(KeyView::from).collect()))
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKeyBody {
    name: String,
    /// Milliseconds since 1970; absent: it does not expire.
    expires_at: Option<i64>,
}

/// The key itself, this once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MadeKey {
    key: String,
    #[serde(flatten)]
    view: KeyView,
}

#[utoipa::path(post, path = "/api/keys", tag = "keys", request_body = NewKeyBody, responses((status = 200, body = MadeKey)))]
pub(crate) async fn create(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Json(body): Json<NewKeyBody>,
) -> Result<Reply<MadeKey>, Problem> {
    let made = server.identity.new_key(&caller, &body.name, body.expires_at.map(Timestamp)).await?;
    Ok(Reply(MadeKey { key: made.token.as_str().to_owned(), view: KeyView::from(made.key) }))
}

#[utoipa::path(delete, path = "/api/keys/{id}", tag = "keys", params(("id" = String, Path)), responses((status = 204)))]
pub(crate) async fn revoke(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<KeyId>,
) -> Result<StatusCode, Problem> {
    server.identity.revoke_key(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
