//! The people of the tenant, for administrators: who they are, what they may do, and the links that let them in.

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{InvitationId, PersonId, Role};
use identity::{Invitation, OneTime, PersonChange};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::caller::Administrator;
use crate::portal::body::{Json, Path};
use crate::portal::conversations::given;
use crate::{Problem, Server};

/// A person of the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PersonView {
    id: String,
    name: String,
    display_name: String,
    role: &'static str,
    disabled: bool,
    created_at: i64,
    last_seen_at: Option<i64>,
    tokens_today: u64,
    daily_token_limit: Option<u64>,
}

fn view(server: &Server, person: store::Person) -> PersonView {
    PersonView {
        tokens_today: server.ledger.used_today(person.tenant, person.id),
        id: person.id.to_string(),
        name: person.name,
        display_name: person.display_name,
        role: person.role.as_str(),
        disabled: person.disabled,
        created_at: person.created_at.0,
        last_seen_at: person.last_seen_at.map(|at| at.0),
        daily_token_limit: person.daily_token_limit,
    }
}

#[utoipa::path(get, path = "/api/people", tag = "people", responses((status = 200, body = Vec<PersonView>)))]
pub(crate) async fn list(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
) -> Result<Reply<Vec<PersonView>>, Problem> {
    let people = server.identity.people(&caller).await?;
    Ok(Reply(people.into_iter().map(|person| view(&server, person)).collect()))
}

/// What is to change in a person.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PersonBody {
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    disabled: Option<bool>,
    /// `null`: the installation's own limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u64>)]
    daily_token_limit: Option<Option<u64>>,
}

#[utoipa::path(patch, path = "/api/people/{id}", tag = "people", params(("id" = String, Path)), request_body = PersonBody, responses((status = 200, body = PersonView)))]
pub(crate) async fn change(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<PersonId>,
    Json(body): Json<PersonBody>,
) -> Result<Reply<PersonView>, Problem> {
    let change = PersonChange { role: body.role, disabled: body.disabled, daily_token_limit: body.daily_token_limit };
    let person = server.identity.change_person(&caller, id, change).await?;
    server.ledger.refresh_limits().await?;
    Ok(Reply(view(&server, person)))
}

/// A link that works once, shown once.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkView {
    id: String,
    link: String,
    expires_at: i64,
}

impl LinkView {
    fn new(server: &Server, page: &str, link: &OneTime) -> Self {
        // In the fragment: no server and no proxy ever logs it.
        let address = format!("{}/{page}#token={}", server.doors.public_url, link.token.as_str());
        LinkView { id: link.id.to_string(), link: address, expires_at: link.expires_at.0 }
    }
}

#[utoipa::path(post, path = "/api/people/{id}/reset", tag = "people", params(("id" = String, Path)), responses((status = 200, body = LinkView)))]
pub(crate) async fn reset_link(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<PersonId>,
) -> Result<Reply<LinkView>, Problem> {
    let link = server.identity.reset_link(&caller, id).await?;
    Ok(Reply(LinkView::new(&server, "reset", &link)))
}

/// An invitation that is open or was used.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InvitationView {
    id: String,
    role: &'static str,
    note: String,
    created_by_name: String,
    created_at: i64,
    expires_at: i64,
    used_by_name: Option<String>,
}

#[utoipa::path(get, path = "/api/invitations", tag = "people", responses((status = 200, body = Vec<InvitationView>)))]
pub(crate) async fn invitations(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
) -> Result<Reply<Vec<InvitationView>>, Problem> {
    let view = |Invitation { link, created_by_name, used_by_name }: Invitation| InvitationView {
        id: link.id.to_string(),
        role: link.role.map_or("member", Role::as_str),
        note: link.note,
        created_by_name: created_by_name.unwrap_or_default(),
        created_at: link.created_at.0,
        expires_at: link.expires_at.0,
        used_by_name,
    };
    Ok(Reply(server.identity.invitations(&caller).await?.into_iter().map(view).collect()))
}

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct InviteBody {
    #[schema(value_type = String)]
    role: Role,
    note: Option<String>,
    /// How many days the link works, 1 to 30.
    days: u32,
}

#[utoipa::path(post, path = "/api/invitations", tag = "people", request_body = InviteBody, responses((status = 200, body = LinkView)))]
pub(crate) async fn invite(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Json(body): Json<InviteBody>,
) -> Result<Reply<LinkView>, Problem> {
    let link = server.identity.invite(&caller, body.role, body.note.as_deref().unwrap_or_default(), body.days).await?;
    Ok(Reply(LinkView::new(&server, "join", &link)))
}

#[utoipa::path(delete, path = "/api/invitations/{id}", tag = "people", params(("id" = String, Path)), responses((status = 204)))]
pub(crate) async fn withdraw(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<InvitationId>,
) -> Result<StatusCode, Problem> {
    server.identity.withdraw(&caller, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
