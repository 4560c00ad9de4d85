//! Models that may be asked, and where they come from: providers are added, tested, changed and removed here.

pub(crate) mod capabilities;
pub(crate) mod deployments;
pub(crate) mod families;
pub(crate) mod found;
pub(crate) mod import;
pub(crate) mod installed;

use std::time::Duration;

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use domain::{Failure, ModelState, ProviderId};
use models::{Key, ModelConfig, ModelView};
use serde::{Deserialize, Serialize};
use store::{NewProvider, ProviderChange, ProviderRow};
use utoipa::ToSchema;

use crate::caller::{Administrator, SignedIn};
use crate::catalog::{self, CatalogError};
use crate::portal::body::{Json, Path};
use crate::portal::view::{self, FailureView, Model};
use crate::{Problem, Server};

/// The models there are, and the one that is asked where nobody chose.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ModelList {
    models: Vec<Model>,
    default: Option<String>,
}

#[utoipa::path(get, path = "/api/models", tag = "models", responses((status = 200, body = ModelList)))]
pub(crate) async fn list(State(server): State<Server>, _: SignedIn) -> Reply<ModelList> {
    let default = chat::default_model(&server.models).map(|model| model.id);
    Reply(ModelList { models: view::models(&server), default })
}

/// A provider, without its key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProviderView {
    id: String,
    name: String,
    /// Which adapter reaches it: `openai`, `azure`, `ollama` …
    kind: String,
    base_url: String,
    /// `settings`: added here. `file`: of the configuration file, changed there. `local`: a model of this machine.
    source: &'static str,
    has_key: bool,
    enabled: bool,
    /// Whether all the models it lists are offered, or only those named here.
    discover: bool,
    models: Vec<ProviderModel>,
    #[schema(value_type = Option<FailureView>)]
    problem: Option<Failure>,
}

/// A model of a provider.
#[derive(Debug, Serialize, ToSchema)]
struct ProviderModel {
    id: String,
    name: String,
    display_name: String,
    enabled: bool,
    #[schema(value_type = Object)]
    state: ModelState,
}

#[utoipa::path(get, path = "/api/providers", tag = "models", responses((status = 200, body = Vec<ProviderView>)))]
pub(crate) async fn providers(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
) -> Result<Reply<Vec<ProviderView>>, Problem> {
    let stored = server.store.providers(caller.tenant).await?;
    let view = |provider: models::ProviderView| {
        let row = stored.iter().find(|row| row.name == provider.slug);
        let fixed = server.catalog.fixed().providers.iter().any(|config| config.slug == provider.slug);
        let source = match (row, fixed) {
            (Some(_), _) => "settings",
            (None, true) => "file",
            (None, false) => "local",
        };
        ProviderView::new(row.map_or_else(|| provider.slug.clone(), |row| row.id.to_string()), source, provider)
    };
    // What runs on this machine comes first: each model of it is a provider of its own, which nobody configures here.
    let local = server.models.workers().into_iter().map(ProviderView::local);
    Ok(Reply(local.chain(server.models.providers().into_iter().map(view)).collect()))
}

#[utoipa::path(get, path = "/api/providers/presets", tag = "models", responses((status = 200, body = Object, description = "known vendors and engines, as data")))]
pub(crate) async fn presets(_: Administrator) -> Reply<serde_json::Value> {
    Reply(serde_json::json!({ "presets": models::presets() }))
}

/// A provider to add, or what is to change in one.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderBody {
    name: Option<String>,
    /// Which adapter reaches it; `openai` where absent.
    kind: Option<String>,
    /// With or without `/v1`.
    base_url: Option<String>,
    /// Kept sealed; an empty one takes it away.
    api_key: Option<String>,
    enabled: Option<bool>,
    /// Absent: all that it lists.
    models: Option<Vec<ModelBody>>,
}

/// A model to offer.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ModelBody {
    name: String,
    display_name: Option<String>,
    enabled: Option<bool>,
    /// Whether it may be asked for a stream; true where absent.
    streaming: Option<bool>,
    /// How many requests it answers at the same time.
    max_concurrent: Option<u32>,
}

#[utoipa::path(post, path = "/api/providers", tag = "models", request_body = ProviderBody, responses((status = 200, body = ProviderView)))]
pub(crate) async fn add(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Json(body): Json<ProviderBody>,
) -> Result<Reply<ProviderView>, Problem> {
    let name = body.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Problem::invalid("name", "a provider needs a name"))?;
    let kind = kind(body.kind.as_deref())?.unwrap_or("openai");
    let base_url = base_url(kind, body.base_url.as_deref().unwrap_or_default())?;
    let slug = free_slug(&server, &caller, name).await?;
    let key = body.api_key.as_deref().filter(|key| !key.is_empty());
    let new = NewProvider {
        sealed_key: key.map(|key| server.catalog.sealed(&slug, key)).transpose()?,
        name: slug,
        title: name.to_owned(),
        kind: kind.to_owned(),
        base_url,
        models: models_json(body.models),
        enabled: body.enabled.unwrap_or(true),
    };
    let row = server.store.create_provider(&caller, new).await?;
    server.catalog.reload(caller.tenant).await?;
    Ok(Reply(stored_view(&server, &row)))
}

#[utoipa::path(patch, path = "/api/providers/{id}", tag = "models", params(("id" = String, Path)), request_body = ProviderBody, responses((status = 200, body = ProviderView), (status = 409, description = "of the configuration file")))]
pub(crate) async fn change(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<String>,
    Json(body): Json<ProviderBody>,
) -> Result<Reply<ProviderView>, Problem> {
    let id = stored_id(&id)?;
    let row = server.catalog.find(&caller, id).await?.ok_or_else(|| Problem::not_found("provider"))?;
    let sealed_key = match body.api_key.as_deref() {
        None => None,
        Some("") => Some(None),
        Some(key) => Some(Some(server.catalog.sealed(&row.name, key)?)),
    };
    let new_kind = kind(body.kind.as_deref())?;
    let kind = new_kind.unwrap_or(&row.kind);
    let change = ProviderChange {
        kind: new_kind.map(str::to_owned),
        title: body.name.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()),
        base_url: body.base_url.as_deref().map(|url| base_url(kind, url)).transpose()?,
        sealed_key,
        models: body.models.map(|models| models_json(Some(models))),
        enabled: body.enabled,
    };
    let row = server.store.change_provider(&caller, id, change).await?;
    server.catalog.reload(caller.tenant).await?;
    Ok(Reply(stored_view(&server, &row)))
}

#[utoipa::path(delete, path = "/api/providers/{id}", tag = "models", params(("id" = String, Path)), responses((status = 204), (status = 409, description = "of the configuration file")))]
pub(crate) async fn remove(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    server.store.delete_provider(&caller, stored_id(&id)?).await?;
    server.catalog.reload(caller.tenant).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An address to try.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TestBody {
    /// Which adapter; `openai` where absent.
    kind: Option<String>,
    base_url: String,
    api_key: Option<String>,
    /// Use the key that is kept for this provider.
    #[schema(value_type = Option<String>)]
    id: Option<ProviderId>,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tested {
    ok: bool,
    /// As it will be kept.
    base_url: Option<String>,
    models: Vec<Listed>,
    latency_ms: Option<u64>,
    #[schema(value_type = Option<FailureView>)]
    failure: Option<Failure>,
}

/// A model the address lists.
#[derive(Debug, Serialize, ToSchema)]
struct Listed {
    name: String,
    context: Option<u32>,
}

#[utoipa::path(post, path = "/api/providers/test", tag = "models", request_body = TestBody, responses((status = 200, body = Tested)))]
pub(crate) async fn test(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Json(body): Json<TestBody>,
) -> Result<Reply<Tested>, Problem> {
    let kind = kind(body.kind.as_deref())?.unwrap_or("openai");
    let base_url = base_url(kind, &body.base_url)?;
    let key = match (body.api_key.filter(|key| !key.is_empty()), body.id) {
        (Some(key), _) => Some(Key::new(&key)),
        (None, Some(id)) => {
            let row = server.catalog.find(&caller, id).await?.ok_or_else(|| Problem::not_found("provider"))?;
            server.catalog.key_of(&row)?
        }
        (None, None) => None,
    };
    let tested = match server.models.probe(kind, &base_url, key.as_ref()).await {
        Ok(probed) => Tested {
            ok: true,
            base_url: Some(probed.base_url),
            models: probed.models.into_iter().map(|o| Listed { name: o.name, context: o.context }).collect(),
            latency_ms: Some(millis(probed.latency)),
            failure: None,
        },
        Err(error) => Tested {
            ok: false,
            base_url: None,
            models: Vec::new(),
            latency_ms: None,
            failure: Some(Failure { code: error.code().into(), message: error.to_string() }),
        },
    };
    Ok(Reply(tested))
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Problem {
        match error {
            CatalogError::Store(error) => error.into(),
            CatalogError::Sealed(error) => error.into(),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn kind(text: Option<&str>) -> Result<Option<&'static str>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let known = models::KINDS.into_iter().find(|kind| *kind == text);
    let unknown =
        || Problem::invalid("kind", format!("there is no adapter {text:?}; there are: {}", models::KINDS.join(", ")));
    known.map(Some).ok_or_else(unknown)
}

fn base_url(kind: &str, text: &str) -> Result<String, Problem> {
    models::normalise_base_url(kind, text).map_err(|reason| Problem::invalid("base_url", reason))
}

fn stored_id(id: &str) -> Result<ProviderId, Problem> {
    let elsewhere =
        "this provider is set in the configuration file or on the command line; change it there and restart";
    id.parse().map_err(|_| Problem::new(StatusCode::CONFLICT, "conflict", elsewhere))
}

fn models_json(models: Option<Vec<ModelBody>>) -> serde_json::Value {
    let configs: Vec<ModelConfig> = models
        .unwrap_or_default()
        .into_iter()
        .map(|model| ModelConfig {
            name: model.name,
            display_name: model.display_name,
            enabled: model.enabled.unwrap_or(true),
            streaming: model.streaming.unwrap_or(true),
            max_concurrent: model.max_concurrent,
        })
        .collect();
    serde_json::to_value(configs).unwrap_or_default()
}

/// The part of a model's id before the slash: from the name, in ASCII, and not taken yet.
async fn free_slug(server: &Server, caller: &domain::Caller, name: &str) -> Result<String, Problem> {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect::<String>()
        .split('-')
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    let base = if plain.is_empty() { "provider".to_owned() } else { plain };
    let stored = server.store.providers(caller.tenant).await?;
    let taken = |slug: &str| {
        stored.iter().any(|row| row.name == slug) || server.models.providers().iter().any(|known| known.slug == slug)
    };
    let numbered = (2..).map(|n| format!("{base}-{n}"));
    Ok(std::iter::once(base.clone()).chain(numbered).find(|slug| !taken(slug)).unwrap_or(base))
}

impl ProviderView {
    fn local(worker: models::WorkerView) -> Self {
        ProviderView {
            id: worker.id,
            name: worker.model.name.clone(),
            kind: "engine".to_owned(),
            base_url: worker.file.unwrap_or_default(),
            source: "local",
            has_key: false,
            enabled: true,
            discover: false,
            models: vec![worker.model.into()],
            problem: None,
        }
    }

    fn new(id: String, source: &'static str, provider: models::ProviderView) -> Self {
        ProviderView {
            id,
            name: provider.name,
            kind: provider.kind,
            base_url: provider.base_url,
            source,
            has_key: provider.has_key,
            enabled: provider.enabled,
            discover: provider.discover,
            models: provider.models.into_iter().map(ProviderModel::from).collect(),
            problem: provider.problem,
        }
    }
}

impl From<ModelView> for ProviderModel {
    fn from(model: ModelView) -> Self {
        let name = model.id.split_once('/').map_or(model.id.as_str(), |(_, name)| name).to_owned();
        ProviderModel { name, id: model.id, display_name: model.name, enabled: model.enabled, state: model.state }
    }
}

/// A provider that was just stored: what is known of it already, or what was stored where its configuration is refused.
fn stored_view(server: &Server, row: &ProviderRow) -> ProviderView {
    let known = server.models.providers().into_iter().find(|provider| provider.slug == row.name);
    let provider = known.unwrap_or_else(|| models::ProviderView {
        slug: row.name.clone(),
        name: row.title.clone(),
        kind: row.kind.clone(),
        base_url: row.base_url.clone(),
        has_key: row.sealed_key.is_some(),
        enabled: row.enabled,
        discover: catalog::named(row).is_none(),
        models: Vec::new(),
        problem: None,
    });
    ProviderView::new(row.id.to_string(), "settings", provider)
}
