//! The first thing a page asks: is there an owner, who am I, what is this installation called.

use axum::Json as Reply;
use axum::extract::State;
use axum::http::request::Parts;
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::session_token;
use crate::portal::view::Me;
use crate::{Problem, Server};

/// What every page needs before it can draw itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Bootstrap {
    version: &'static str,
    /// Nobody owns this installation yet: the terminal shows the link that makes the owner.
    setup_needed: bool,
    me: Option<Me>,
    brand: Brand,
    model_count: usize,
    max_body_bytes: usize,
    daily_token_limit: Option<u64>,
    /// Whether this binary can run models itself.
    local_engine: bool,
}

/// What this installation calls itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Brand {
    name: String,
}

impl Brand {
    pub(crate) fn of(server: &Server) -> Brand {
        Brand { name: server.doors.brand.clone() }
    }
}

#[utoipa::path(get, path = "/api/bootstrap", tag = "accounts", responses((status = 200, body = Bootstrap)))]
pub(crate) async fn read(State(server): State<Server>, parts: Parts) -> Result<Reply<Bootstrap>, Problem> {
    let found = match session_token(&parts.headers) {
        Some(token) => server.identity.caller_by_session(&token).await?,
        None => None,
    };
    let daily_token_limit = found.as_ref().and_then(|caller| server.ledger.today(caller).limit);
    let me = match &found {
        Some(caller) => Some(Me::from(server.identity.me(caller).await?)),
        None => None,
    };
    Ok(Reply(Bootstrap {
        version: env!("CARGO_PKG_VERSION"),
        setup_needed: me.is_none() && server.identity.setup_needed().await?,
        me,
        brand: Brand::of(&server),
        model_count: server.models.list().iter().filter(|card| card.enabled).count(),
        max_body_bytes: server.doors.body_limit(),
        daily_token_limit,
        local_engine: server.doors.local_engine,
    }))
}
