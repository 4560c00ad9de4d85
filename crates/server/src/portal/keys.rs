//! API keys: made here, shown once, bound to what they may do, revoked at once. One's own; administrators see everybody's.

use std::collections::HashMap;
use std::net::IpAddr;

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{KeyBudget, KeyId, KeyScope, Task, Timestamp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use store::{Day, KeyChange};
use utoipa::{IntoParams, ToSchema};

use crate::caller::SignedIn;
use crate::portal::body::{Json, Path, Query};
use crate::portal::conversations::given;
use crate::{Problem, Server};

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyView {
    id: String,
    name: String,
    /// The first letters, to tell keys apart.
    prefix: String,
    /// Whose it is: the person's id.
    person: String,
    /// And what they are called.
    person_name: String,
    scope: Scope,
    created_at: i64,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    /// Tokens used with it today (UTC).
    tokens_today: u64,
    /// Tokens used with it altogether.
    tokens_total: u64,
}

/// What a key may do. An empty list is everything its person may.
#[derive(Debug, Serialize, ToSchema)]
struct Scope {
    /// Ids of models, aliases, or all of a provider: `ollama/*`.
    models: Vec<String>,
    /// `chat`, `completion`, `embeddings`, `rerank`, `transcription`, `speech`, `image`.
    #[schema(value_type = Vec<String>)]
    tasks: Vec<Task>,
    /// Ranges of addresses: `10.0.0.0/8`.
    addresses: Vec<String>,
    tokens_per_day: Option<u64>,
    tokens_total: Option<u64>,
    requests_per_minute: Option<u32>,
}

impl From<KeyScope> for Scope {
    fn from(scope: KeyScope) -> Self {
        let KeyBudget { tokens_per_day, tokens_total, requests_per_minute } = scope.budget;
        Scope {
            models: scope.models,
            tasks: scope.tasks,
            addresses: scope.addresses.iter().map(IpNet::to_string).collect(),
            tokens_per_day,
            tokens_total,
            requests_per_minute,
        }
    }
}

fn view(server: &Server, key: store::Key, person_name: String) -> KeyView {
    let used = server.ledger.used_with(key.id);
    KeyView {
        id: key.id.to_string(),
        name: key.name,
        prefix: key.prefix,
        person: key.person.to_string(),
        person_name,
        scope: key.scope.into(),
        created_at: key.created_at.0,
        expires_at: key.expires_at.map(|at| at.0),
        last_used_at: key.last_used_at.map(|at| at.0),
        tokens_today: used.today,
        tokens_total: used.total,
    }
}

/// Which keys.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Listed {
    /// `everybody`: all keys of the tenant, for administrators. Absent: one's own.
    of: Option<String>,
}

#[utoipa::path(get, path = "/api/keys", tag = "keys", params(Listed), responses((status = 200, body = Vec<KeyView>)))]
pub(crate) async fn list(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Query(listed): Query<Listed>,
) -> Result<Reply<Vec<KeyView>>, Problem> {
    let keys = match listed.of.as_deref() {
        None => server.identity.keys(&caller).await?,
        Some("everybody") => server.identity.everybodys_keys(&caller).await?,
        Some(_) => return Err(Problem::invalid("of", "`of` is `everybody`, or it is left out")),
    };
    let mut names = HashMap::new();
    if listed.of.is_some() {
        names.extend(server.identity.people(&caller).await?.into_iter().map(|person| (person.id, person.name)));
    } else {
        names.insert(caller.person, server.identity.me(&caller).await?.name);
    }
    let named = |key: store::Key| {
        let name = names.get(&key.person).cloned().unwrap_or_default();
        view(&server, key, name)
    };
    Ok(Reply(keys.into_iter().map(named).collect()))
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKeyBody {
    name: String,
    /// Milliseconds since 1970; absent: it does not expire.
    expires_at: Option<i64>,
    /// Absent: everything its person may do.
    #[serde(default)]
    #[schema(value_type = Option<ScopeBody>)]
    scope: ScopeBody,
}

/// What a key may do. An empty or absent list is everything its person may, an absent number no limit.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ScopeBody {
    /// Ids of models, aliases, or all of a provider: `ollama/*`.
    models: Vec<String>,
    /// `chat`, `completion`, `embeddings`, `rerank`, `transcription`, `speech`, `image`.
    #[schema(value_type = Vec<String>)]
    tasks: Vec<Task>,
    /// Addresses or ranges of them: `10.0.0.0/8`.
    addresses: Vec<String>,
    tokens_per_day: Option<u64>,
    tokens_total: Option<u64>,
    requests_per_minute: Option<u32>,
}

impl ScopeBody {
    fn read(self) -> Result<KeyScope, Problem> {
        let budget = KeyBudget {
            tokens_per_day: self.tokens_per_day,
            tokens_total: self.tokens_total,
            requests_per_minute: self.requests_per_minute,
        };
        let addresses = self.addresses.iter().map(|text| range(text)).collect::<Result<_, _>>()?;
        let models = self.models.into_iter().map(|name| name.trim().to_owned()).collect();
        Ok(KeyScope { models, tasks: self.tasks, addresses, budget })
    }
}

/// An address alone is the range of it.
fn range(text: &str) -> Result<IpNet, Problem> {
    let text = text.trim();
    let alone = text.parse::<IpAddr>().ok().map(IpNet::from);
    alone.or_else(|| text.parse().ok()).ok_or_else(|| {
        let message = format!("{text:?} is not an address or a range of them, as in 10.1.2.3 or 10.0.0.0/8");
        Problem::invalid("addresses", message)
    })
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
    let (scope, expires_at) = (body.scope.read()?, body.expires_at.map(Timestamp));
    let made = server.identity.new_key(&caller, &body.name, scope, expires_at).await?;
    let name = server.identity.me(&caller).await?.name;
    Ok(Reply(MadeKey { key: made.token.as_str().to_owned(), view: view(&server, made.key, name) }))
}

/// What is to change in a key; absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBody {
    name: Option<String>,
    /// `null`: it does not expire.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<i64>)]
    expires_at: Option<Option<i64>>,
    /// The whole scope, in place of the one it has.
    scope: Option<ScopeBody>,
}

#[utoipa::path(patch, path = "/api/keys/{id}", tag = "keys", params(("id" = String, Path)), request_body = KeyBody, responses((status = 200, body = KeyView)))]
pub(crate) async fn change(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<KeyId>,
    Json(body): Json<KeyBody>,
) -> Result<Reply<KeyView>, Problem> {
    let change = KeyChange {
        name: body.name,
        scope: body.scope.map(ScopeBody::read).transpose()?,
        expires_at: body.expires_at.map(|end| end.map(Timestamp)),
    };
    let key = server.identity.change_key(&caller, id, change).await?;
    let name = server.store.person(key.tenant, key.person).await?.map(|person| person.name).unwrap_or_default();
    Ok(Reply(view(&server, key, name)))
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

/// How far back.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Back {
    /// Days, today among them: 1 to 366; absent: 30.
    days: Option<u16>,
}

/// What was used with a key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyUsage {
    tokens_today: u64,
    tokens_per_day: Option<u64>,
    tokens_total: u64,
    tokens_total_limit: Option<u64>,
    /// When the next day starts.
    resets_at: i64,
    /// Days with a turn, oldest first.
    days: Vec<KeyDay>,
}

/// One day of a key.
#[derive(Debug, Serialize, ToSchema)]
struct KeyDay {
    /// `2026-11-23`, UTC.
    day: String,
    prompt: u64,
    completion: u64,
    turns: u64,
}

#[utoipa::path(get, path = "/api/keys/{id}/usage", tag = "keys", params(("id" = String, Path), Back), responses((status = 200, body = KeyUsage)))]
pub(crate) async fn usage(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<KeyId>,
    Query(back): Query<Back>,
) -> Result<Reply<KeyUsage>, Problem> {
    let back = i64::from(back.days.unwrap_or(30).clamp(1, 366));
    let key = server.identity.key(&caller, id).await?;
    let today = Day::of(server.clock.now());
    let days = server.store.days_of_key(key.tenant, key.id, Day(today.0 - back + 1)).await?;
    let used = server.ledger.used_with(key.id);
    let day = |day: store::KeyDay| KeyDay {
        day: day.day.to_string(),
        prompt: day.prompt,
        completion: day.completion,
        turns: day.turns,
    };
    Ok(Reply(KeyUsage {
        tokens_today: used.today,
        tokens_per_day: key.scope.budget.tokens_per_day,
        tokens_total: used.total,
        tokens_total_limit: key.scope.budget.tokens_total,
        resets_at: today.ends_at().0,
        days: days.into_iter().map(day).collect(),
    }))
}
