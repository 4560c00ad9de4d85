//! Plugins, for administrators: what is installed, what each asks for and may do, its calls; installing, granting, trying, removing.
//! What a manifest means and what a permission opens is `tools`'.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json as Reply;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Attachment, ToolCall, ToolPart};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::PluginCall;
use tools::{Change, Choices, Flaw, Installed, Kind, Listing, Manifest, Order, Permission, Trigger};
use utoipa::{IntoParams, ToSchema};

use crate::caller::Administrator;
use crate::portal::aliases::audit;
use crate::portal::body::{Json, Path, Query};
use crate::portal::view::PartView;
use crate::{Problem, Server};

/// Everything of the page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PluginList {
    plugins: Vec<PluginView>,
    /// Manifests that come with the house and are not installed, as they are written.
    #[schema(value_type = Vec<Object>)]
    presets: Vec<Value>,
}

/// A plugin that is installed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PluginView {
    #[serde(flatten)]
    about: ManifestView,
    enabled: bool,
    /// What it may do.
    grants: Vec<String>,
    /// The names of the secrets that are set; their values are never told.
    secrets_set: Vec<String>,
    /// What was chosen beside its manifest.
    #[schema(value_type = Object)]
    choices: Choices,
    /// Why nothing answers there, where that was just tried.
    unreachable: Option<FlawView>,
}

/// What a manifest comes to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ManifestView {
    name: String,
    title: String,
    description: String,
    icon: String,
    /// `builtin`, `service`, `openapi`, `lobechat` or `mcp`.
    #[schema(value_type = String)]
    kind: Kind,
    /// What it asks for.
    permissions: Vec<String>,
    /// What models may call.
    tools: Vec<ToolView>,
    /// When it acts by itself: `file.uploaded`, `message`.
    triggers: Vec<TriggerView>,
    /// How it proves itself: `none`, `key`, `bearer`, `basic`, `client_credentials`.
    auth: String,
    /// The secrets it has, and whether each must be set.
    secrets: BTreeMap<String, bool>,
    /// Of an MCP server that was asked: `protocol`, `server`, `instructions`, `resources`, `templates` and `prompts`, as it says them.
    #[schema(value_type = Option<Object>)]
    mcp: Option<Value>,
}

/// A tool as a model reads it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ToolView {
    name: String,
    description: String,
    #[schema(value_type = Object)]
    parameters: Value,
    /// What an MCP server hints at, unproven: `readOnlyHint`, `destructiveHint` and their like.
    #[schema(value_type = Option<Object>)]
    hints: Option<Value>,
}

/// When a plugin acts by itself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TriggerView {
    on: &'static str,
    /// Types of files; empty: all.
    types: Vec<String>,
    /// What a question looks like.
    pattern: Option<String>,
}

/// What is wrong, and where.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FlawView {
    field: String,
    message: String,
}

impl From<Flaw> for FlawView {
    fn from(Flaw { field, message }: Flaw) -> Self {
        FlawView { field, message }
    }
}

impl From<&Manifest> for ManifestView {
    fn from(manifest: &Manifest) -> Self {
        let tool = |tool: &domain::ToolSpec| ToolView {
            name: tool.name.clone(),
            description: tool.description.clone(),
            parameters: tool.parameters.clone(),
            hints: manifest.hints(&tool.name).cloned(),
        };
        let trigger = |trigger: &Trigger| match trigger {
            Trigger::FileUploaded { types } => TriggerView { on: "file.uploaded", types: types.clone(), pattern: None },
            Trigger::Message { pattern, .. } => {
                TriggerView { on: "message", types: Vec::new(), pattern: Some(pattern.as_str().to_owned()) }
            }
        };
        let auth = serde_json::to_value(&manifest.auth).unwrap_or_default();
        ManifestView {
            name: manifest.name.clone(),
            title: manifest.title.clone(),
            description: manifest.description.clone(),
            icon: manifest.icon.clone(),
            kind: manifest.kind,
            permissions: words(&manifest.permissions),
            tools: manifest.tools().into_iter().map(tool).collect(),
            triggers: manifest.triggers.iter().map(trigger).collect(),
            auth: auth["type"].as_str().unwrap_or_default().to_owned(),
            secrets: manifest.secrets.clone(),
            mcp: None,
        }
    }
}

/// What a server said beside its tools, which are the plugin's.
fn beside_tools(listed: &Listing) -> Value {
    json!({
        "protocol": listed.protocol, "server": listed.server, "instructions": listed.instructions,
        "resources": listed.resources, "templates": listed.templates, "prompts": listed.prompts,
    })
}

impl From<Installed> for PluginView {
    fn from(mut plugin: Installed) -> Self {
        let listed = plugin.choices.listed.take();
        PluginView {
            about: ManifestView { mcp: listed.as_deref().map(beside_tools), ..ManifestView::from(&plugin.manifest) },
            enabled: plugin.enabled,
            grants: words(&plugin.grants),
            secrets_set: plugin.secrets,
            choices: plugin.choices,
            unreachable: plugin.unreachable.map(FlawView::from),
        }
    }
}

fn words(permissions: &BTreeSet<Permission>) -> Vec<String> {
    permissions.iter().map(Permission::to_string).collect()
}

#[utoipa::path(get, path = "/api/plugins", tag = "plugins", responses((status = 200, body = PluginList)))]
pub(crate) async fn list(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
) -> Result<Reply<PluginList>, Problem> {
    let plugins: Vec<PluginView> = server.tools.list(&caller).into_iter().map(PluginView::from).collect();
    let named = |preset: &Value| preset["id"].as_str().unwrap_or_default().to_owned();
    let new = |preset: &Value| plugins.iter().all(|plugin| plugin.about.name != named(preset));
    let presets = server.tools.presets().into_iter().filter(new).collect();
    Ok(Reply(PluginList { plugins, presets }))
}

/// A plugin to install.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PluginBody {
    /// As it was written; a list, or a file with `mcpServers`, is several plugins.
    #[schema(value_type = Object)]
    manifest: Value,
    /// In place of the manifest's own name.
    name: Option<String>,
    /// In place of the address that it names.
    base_url: Option<String>,
    /// Of an OpenAPI document, these alone, by `operationId` or as `GET /path`; of an MCP server, these tools alone.
    operations: Option<Vec<String>>,
    /// How it proves itself, in place of what it says: `{"type": "none" | "key" | "bearer" | "basic" | "client_credentials", …}`.
    #[schema(value_type = Option<Object>)]
    auth: Option<tools::Auth>,
    /// Whether its hosts may lie in a private network also where their names lead there.
    #[serde(default)]
    private: bool,
    /// For one call, 1 to 120.
    timeout_s: Option<u32>,
    /// What it may do; absent: all that it asks for.
    grants: Option<Vec<String>>,
    /// By name.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// Which of its calls somebody has to agree to first.
    #[serde(default)]
    #[schema(value_type = Vec<Object>)]
    approvals: Vec<tools::ApprovalRule>,
}

impl PluginBody {
    /// An order for each manifest in it.
    fn orders(self) -> Result<Vec<Order>, Problem> {
        let choices = Choices {
            name: self.name,
            base_url: self.base_url,
            operations: self.operations,
            auth: self.auth,
            private: self.private,
            timeout_s: self.timeout_s,
            approvals: self.approvals,
            listed: None,
        };
        let grants = self.grants.as_deref().map(permissions).transpose()?;
        let entries = Manifest::entries(&self.manifest);
        if entries.is_empty() {
            return Err(Problem::invalid("manifest", "there is no plugin in it"));
        }
        let order = |manifest: Value| Order {
            manifest,
            choices: choices.clone(),
            grants: grants.clone(),
            secrets: self.secrets.clone(),
        };
        Ok(entries.into_iter().map(order).collect())
    }
}

fn permissions(words: &[String]) -> Result<BTreeSet<Permission>, Problem> {
    let read = words.iter().map(|word| word.parse());
    read.collect::<Result<_, String>>().map_err(|message| Problem::invalid("grants", message))
}

#[utoipa::path(post, path = "/api/plugins/check", tag = "plugins", request_body = PluginBody, responses((status = 200, body = Vec<ManifestView>, description = "what would be installed"), (status = 422, description = "plugin_flawed, with each field")))]
pub(crate) async fn check(
    State(server): State<Server>,
    Administrator { .. }: Administrator,
    Json(body): Json<PluginBody>,
) -> Result<Reply<Vec<ManifestView>>, Problem> {
    let mut found = Vec::new();
    for order in body.orders()? {
        found.push(ManifestView::from(&server.tools.examine(&order)?));
    }
    Ok(Reply(found))
}

#[utoipa::path(post, path = "/api/plugins", tag = "plugins", request_body = PluginBody, responses((status = 200, body = Vec<PluginView>), (status = 409, description = "name_taken"), (status = 422, description = "plugin_flawed, with each field")))]
pub(crate) async fn install(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Json(body): Json<PluginBody>,
) -> Result<Reply<Vec<PluginView>>, Problem> {
    let orders = body.orders()?;
    // All are understood before the first is installed.
    for order in &orders {
        server.tools.examine(order)?;
    }
    let mut made = Vec::new();
    for order in orders {
        let plugin = server.tools.install(&caller, order).await?;
        let (name, grants) = (plugin.manifest.name.clone(), words(&plugin.grants));
        let detail = json!({ "kind": plugin.manifest.kind, "grants": grants, "private": plugin.choices.private });
        audit(&server, &caller, "plugin.installed", name, detail).await;
        made.push(plugin.into());
    }
    Ok(Reply(made))
}

/// What is to become different; absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PluginChangeBody {
    enabled: Option<bool>,
    /// All that it may do from now on.
    grants: Option<Vec<String>>,
    /// By name; an empty value takes one away, those not named stay.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// All that is chosen beside its manifest from now on, as `choices` of a plugin that is installed. A host that comes with it must be
    /// granted.
    #[schema(value_type = Option<Object>)]
    choices: Option<Choices>,
}

#[utoipa::path(patch, path = "/api/plugins/{name}", tag = "plugins", params(("name" = String, Path)), request_body = PluginChangeBody, responses((status = 200, body = PluginView), (status = 404)))]
pub(crate) async fn change(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(name): Path<String>,
    Json(body): Json<PluginChangeBody>,
) -> Result<Reply<PluginView>, Problem> {
    let grants = body.grants.as_deref().map(permissions).transpose()?;
    let secrets: Vec<String> = body.secrets.keys().cloned().collect();
    let chosen = body.choices.is_some();
    let change = Change { enabled: body.enabled, grants, secrets: body.secrets, choices: body.choices };
    let plugin = server.tools.change(&caller, &name, change).await?;
    let mut detail = json!({ "enabled": plugin.enabled, "grants": words(&plugin.grants), "secrets_changed": secrets });
    if chosen {
        detail["choices"] = json!(plugin.choices);
    }
    audit(&server, &caller, "plugin.changed", name, detail).await;
    Ok(Reply(plugin.into()))
}

#[utoipa::path(delete, path = "/api/plugins/{name}", tag = "plugins", params(("name" = String, Path)), responses((status = 204), (status = 404)))]
pub(crate) async fn remove(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    server.tools.remove(&caller, &name).await?;
    audit(&server, &caller, "plugin.removed", name, json!({})).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Where a manifest is published.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PublishedBody {
    url: String,
    /// Whether its name may lead into a private network.
    #[serde(default)]
    private: bool,
}

#[utoipa::path(post, path = "/api/plugins/fetch", tag = "plugins", request_body = PublishedBody, responses((status = 200, body = Object, description = "the manifest, as it is written there"), (status = 422, description = "plugin_flawed: why it cannot be had")))]
pub(crate) async fn fetch(
    State(server): State<Server>,
    Administrator { .. }: Administrator,
    Json(body): Json<PublishedBody>,
) -> Result<Reply<Value>, Problem> {
    Ok(Reply(server.tools.published(&body.url, body.private).await?))
}

#[utoipa::path(post, path = "/api/plugins/{name}/probe", tag = "plugins", params(("name" = String, Path)), responses((status = 200, body = PluginView, description = "as it is now: an MCP server was asked what it has"), (status = 404)))]
pub(crate) async fn probe(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(name): Path<String>,
) -> Result<Reply<PluginView>, Problem> {
    Ok(Reply(Box::pin(server.tools.probe(&caller, &name)).await?.into()))
}

/// A call to try: of a tool, or of what happens by itself with a file or a question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TryBody {
    /// Which tool.
    tool: Option<String>,
    #[serde(default)]
    #[schema(value_type = Object)]
    arguments: Value,
    /// As if it had been uploaded.
    file: Option<TryFile>,
    /// As if it had been asked.
    question: Option<String>,
}

/// A file to try with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TryFile {
    name: String,
    /// Its media type.
    r#type: String,
    /// In base64.
    content: String,
}

/// What came of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tried {
    tool: String,
    /// What a model would read.
    text: String,
    /// Why it failed; `null` where it did not.
    error: Option<String>,
    ms: u32,
    /// What a person would be shown beside it.
    #[schema(value_type = Vec<PartView>)]
    parts: Vec<ToolPart>,
}

#[utoipa::path(post, path = "/api/plugins/{name}/try", tag = "plugins", params(("name" = String, Path)), request_body = TryBody, responses((status = 200, body = Vec<Tried>, description = "empty where it does nothing by itself with this"), (status = 404)))]
pub(crate) async fn attempt(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(name): Path<String>,
    Json(body): Json<TryBody>,
) -> Result<Reply<Vec<Tried>>, Problem> {
    let plugins = server.tools.list(&caller);
    let plugin = plugins.iter().find(|plugin| plugin.manifest.name == name);
    let plugin = plugin.ok_or_else(|| Problem::not_found("plugin"))?;
    let tried = match body.tool {
        Some(tool) if !plugin.manifest.tools().iter().any(|one| one.name == tool) => {
            return Err(Problem::not_found("tool"));
        }
        Some(tool) => {
            let arguments = if body.arguments.is_null() { String::new() } else { body.arguments.to_string() };
            let call = ToolCall { id: String::new(), name: tool, arguments };
            vec![server.tools.call(&caller, None, &call, Vec::new()).await]
        }
        None => {
            let file = body.file.map(|file| {
                let bytes = STANDARD.decode(file.content).map_err(|_| Problem::invalid("file.content", "no base64"))?;
                Ok::<_, Problem>(Attachment { name: file.name, media_type: file.r#type, bytes: bytes.into() })
            });
            let files: Vec<Attachment> = file.transpose()?.into_iter().collect();
            let question = body.question.unwrap_or_default();
            server.tools.consult_one(&caller, &name, None, &question, &files).await
        }
    };
    let view = |tried: tools::Answered| Tried {
        tool: tried.step.tool,
        text: tried.text,
        error: tried.step.error.map(Into::into),
        ms: tried.step.ms,
        parts: tried.step.parts,
    };
    Ok(Reply(tried.into_iter().map(view).collect()))
}

/// How many lines to read.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Newest {
    /// At most 200; absent: 50.
    limit: Option<u32>,
}

/// A line of the log of calls.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallView {
    /// Milliseconds since 1970.
    at: i64,
    person: String,
    tool: String,
    /// The turn it was for; `null` for one that was tried here.
    turn: Option<String>,
    ms: u32,
    /// `done`, or why it failed.
    outcome: String,
    /// Masked and cut.
    sent: String,
    /// Masked and cut.
    received: String,
}

#[utoipa::path(get, path = "/api/plugins/{name}/calls", tag = "plugins", params(("name" = String, Path), Newest), responses((status = 200, body = Vec<CallView>, description = "newest first")))]
pub(crate) async fn calls(
    State(server): State<Server>,
    Administrator { caller }: Administrator,
    Path(name): Path<String>,
    Query(newest): Query<Newest>,
) -> Result<Reply<Vec<CallView>>, Problem> {
    let limit = newest.limit.unwrap_or(50).min(200);
    let view = |call: PluginCall| CallView {
        at: call.at.0,
        person: call.person.to_string(),
        tool: call.tool,
        turn: call.turn.map(|turn| turn.to_string()),
        ms: call.ms,
        outcome: call.outcome,
        sent: call.sent,
        received: call.received,
    };
    let calls = server.store.plugin_calls(caller.tenant, &name, limit).await?;
    Ok(Reply(calls.into_iter().map(view).collect()))
}

impl From<tools::Error> for Problem {
    fn from(error: tools::Error) -> Problem {
        let message = error.to_string();
        match error {
            tools::Error::Flawed { flaws } => {
                let field = flaws.first().map(|flaw| flaw.field.clone()).unwrap_or_default();
                let flaws = serde_json::to_value(flaws).unwrap_or_default();
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "plugin_flawed", message.clone());
                problem.with("field", field).with("reason", message).with("flaws", flaws)
            }
            tools::Error::NotFound => Problem::not_found("plugin"),
            tools::Error::NameTaken { name } => {
                Problem::new(StatusCode::CONFLICT, "name_taken", message).with("name", name)
            }
            tools::Error::Sealed => Problem::new(StatusCode::CONFLICT, "conflict", message),
            tools::Error::Store(error) => error.into(),
        }
    }
}
