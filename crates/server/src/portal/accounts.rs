//! One's own account: making it, signing in and out, sessions, settings and the password.

use axum::Json as Reply;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use domain::{SessionId, Via};
use identity::{Account, ProfileChange, SignedIn as Entered};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::caller::{Origin, SignedIn, session_cookie, session_token};
use crate::portal::body::{Json, Path};
use crate::portal::bootstrap::Brand;
use crate::portal::conversations::given;
use crate::portal::view::Me;
use crate::{Problem, Server};

/// Who signs up, with the token of the link that lets them.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JoinBody {
    token: String,
    name: String,
    password: String,
    display_name: String,
    language: Option<String>,
}

impl JoinBody {
    fn account(self) -> (String, Account) {
        let Self { token, name, password, display_name, language } = self;
        (token, Account { name, password, display_name, language })
    }
}

#[utoipa::path(post, path = "/api/setup", tag = "accounts", request_body = JoinBody, responses((status = 200, body = Me), (status = 410, description = "link_spent")))]
pub(crate) async fn setup(
    State(server): State<Server>,
    origin: Origin,
    Json(body): Json<JoinBody>,
) -> Result<Response, Problem> {
    let (token, account) = body.account();
    let entered = server.identity.setup(&token, account, &origin.visitor).await?;
    Ok(welcome(&server, &origin, entered))
}

#[utoipa::path(post, path = "/api/join", tag = "accounts", request_body = JoinBody, responses((status = 200, body = Me), (status = 410, description = "link_spent")))]
pub(crate) async fn join(
    State(server): State<Server>,
    origin: Origin,
    Json(body): Json<JoinBody>,
) -> Result<Response, Problem> {
    let (token, account) = body.account();
    let entered = server.identity.join(&token, account, &origin.visitor).await?;
    Ok(welcome(&server, &origin, entered))
}

/// A one-time link's token.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenBody {
    token: String,
}

/// What an invitation offers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invited {
    role: &'static str,
    invited_by: String,
    brand: Brand,
}

#[utoipa::path(post, path = "/api/join/check", tag = "accounts", request_body = TokenBody, responses((status = 200, body = Invited), (status = 410, description = "link_spent")))]
pub(crate) async fn check_invitation(
    State(server): State<Server>,
    Json(body): Json<TokenBody>,
) -> Result<Reply<Invited>, Problem> {
    let invited = server.identity.invited(&body.token).await?;
    Ok(Reply(Invited { role: invited.role.as_str(), invited_by: invited.invited_by, brand: Brand::of(&server) }))
}

/// Name and password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignInBody {
    name: String,
    password: String,
}

#[utoipa::path(post, path = "/api/session", tag = "accounts", request_body = SignInBody, responses((status = 200, body = Me), (status = 401, description = "wrong_credentials"), (status = 429, description = "throttled")))]
pub(crate) async fn sign_in(
    State(server): State<Server>,
    origin: Origin,
    Json(body): Json<SignInBody>,
) -> Result<Response, Problem> {
    let entered = server.identity.sign_in(&body.name, &body.password, &origin.visitor).await?;
    Ok(welcome(&server, &origin, entered))
}

#[utoipa::path(delete, path = "/api/session", tag = "accounts", responses((status = 204)))]
pub(crate) async fn sign_out(
    State(server): State<Server>,
    origin: Origin,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(token) = session_token(&headers)
        && let Some(caller) = server.identity.caller_by_session(&token).await?
    {
        server.identity.sign_out(&caller).await?;
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response
        .headers_mut()
        .extend(session_cookie(&origin, server.clock.now(), None).map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

fn welcome(server: &Server, origin: &Origin, entered: Entered) -> Response {
    let cookie = session_cookie(origin, server.clock.now(), Some((&entered.token, entered.expires_at)));
    let mut response = Reply(Me::from(entered.person)).into_response();
    response.headers_mut().extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    response
}

/// A browser that is signed in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    id: String,
    /// The one that asks.
    current: bool,
    created_at: i64,
    seen_at: i64,
    expires_at: i64,
    user_agent: String,
    address: String,
}

#[utoipa::path(get, path = "/api/sessions", tag = "accounts", responses((status = 200, body = Vec<SessionView>)))]
pub(crate) async fn sessions(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
) -> Result<Reply<Vec<SessionView>>, Problem> {
    let sessions = server.identity.sessions(&caller).await?;
    let view = |session: store::Session| SessionView {
        id: session.id.to_string(),
        current: caller.via == Via::Session(session.id),
        created_at: session.created_at.0,
        seen_at: session.seen_at.0,
        expires_at: identity::ends_at(&session).0,
        user_agent: session.user_agent,
        address: session.address,
    };
    Ok(Reply(sessions.into_iter().map(view).collect()))
}

#[utoipa::path(delete, path = "/api/sessions", tag = "accounts", responses((status = 204, description = "all but the one that asks")))]
pub(crate) async fn end_other_sessions(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
) -> Result<StatusCode, Problem> {
    server.identity.end_other_sessions(&caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(delete, path = "/api/sessions/{id}", tag = "accounts", params(("id" = String, Path)), responses((status = 204)))]
pub(crate) async fn end_session(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<SessionId>,
) -> Result<StatusCode, Problem> {
    server.identity.end_session(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is to change; settings are merged key by key, `null` takes one away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MeBody {
    display_name: Option<String>,
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    language: Option<Option<String>>,
    #[schema(value_type = Option<Object>)]
    settings: Option<serde_json::Map<String, Value>>,
}

#[utoipa::path(patch, path = "/api/me", tag = "accounts", request_body = MeBody, responses((status = 200, body = Me)))]
pub(crate) async fn change_me(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Json(body): Json<MeBody>,
) -> Result<Reply<Me>, Problem> {
    let change = ProfileChange { display_name: body.display_name, language: body.language, settings: body.settings };
    Ok(Reply(Me::from(server.identity.change_me(&caller, change).await?)))
}

/// The old password and the new one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordBody {
    current: String,
    new: String,
}

#[utoipa::path(put, path = "/api/me/password", tag = "accounts", request_body = PasswordBody, responses((status = 204, description = "other sessions have ended"), (status = 401, description = "wrong_credentials")))]
pub(crate) async fn change_password(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    origin: Origin,
    Json(body): Json<PasswordBody>,
) -> Result<StatusCode, Problem> {
    server.identity.change_password(&caller, &body.current, &body.new, &origin.visitor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The token of a reset link and the new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResetBody {
    token: String,
    password: String,
}

#[utoipa::path(post, path = "/api/reset", tag = "accounts", request_body = ResetBody, responses((status = 204), (status = 410, description = "link_spent")))]
pub(crate) async fn reset(State(server): State<Server>, Json(body): Json<ResetBody>) -> Result<StatusCode, Problem> {
    server.identity.reset(&body.token, &body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tokens used today.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageToday {
    /// `2026-11-23`, UTC.
    day: String,
    used: u64,
    limit: Option<u64>,
    resets_at: i64,
}

#[utoipa::path(get, path = "/api/me/usage", tag = "accounts", responses((status = 200, body = UsageToday)))]
pub(crate) async fn usage(State(server): State<Server>, SignedIn { caller }: SignedIn) -> Reply<UsageToday> {
    let today = server.ledger.today(&caller);
    Reply(UsageToday { day: today.day.to_string(), used: today.used, limit: today.limit, resets_at: today.resets_at.0 })
}
