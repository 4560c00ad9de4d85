//! The gateway: which plugins there are, what they were granted, and the calls of their tools. One snapshot in memory, made anew after
//! every change, so that a grant that is taken back is gone with the next call.

mod outside;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use domain::{
    Act, Attachment, Caller, Clock, TenantId, Tool, ToolAnswer, ToolCall, ToolError, ToolInput, ToolSpec, ToolStep,
    TurnId,
};
use egress::Egress;
use futures_util::future::join_all;
use serde_json::{Value, json};
use store::{NewPlugin, PluginChange, PluginRow, Record, Store};

use crate::approval::{self, Wanted};
use crate::auth::Secrets;
use crate::builtin::Ground;
use crate::error::{Error, Flaw};
use crate::log::{self, Call};
use crate::manifest::{Choices, Manifest, presets};
use crate::mask::cut;
use crate::permission::Permission;
use crate::plugin::{Plugin, PluginTool};

/// The longest answer of a tool that a model reads, in characters.
const READ: usize = 16_000;

/// Keeps secrets where nobody reads them. The label belongs to what is sealed: under another one it does not open.
pub trait Vault: Send + Sync + 'static {
    /// As it is stored.
    fn seal(&self, label: &str, plain: &[u8]) -> Option<Vec<u8>>;
    /// As it was; `None` where it was sealed with another key or label.
    fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>>;
}

/// A plugin to install.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// As it was written; of a list, its one entry.
    pub manifest: Value,
    /// What was chosen beside it.
    pub choices: Choices,
    /// What it may do; absent: all that it asks for.
    pub grants: Option<BTreeSet<Permission>>,
    /// By name.
    pub secrets: BTreeMap<String, String>,
}

/// What is to become different; absent stays.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Whether it acts and is offered.
    pub enabled: Option<bool>,
    /// All that it may do from now on.
    pub grants: Option<BTreeSet<Permission>>,
    /// Secrets by name; an empty value takes one away. Those not named stay.
    pub secrets: BTreeMap<String, String>,
    /// All that is chosen beside its manifest from now on, its name apart. A host that comes with it is closed until it is granted.
    pub choices: Option<Choices>,
}

/// A plugin as it is shown. No secret is in it.
#[derive(Debug, Clone)]
pub struct Installed {
    /// What it says of itself.
    pub manifest: Manifest,
    /// What was chosen beside that.
    pub choices: Choices,
    /// What it may do.
    pub grants: BTreeSet<Permission>,
    /// The names of the secrets that are set.
    pub secrets: Vec<String>,
    /// Whether it acts and is offered.
    pub enabled: bool,
    /// Why nothing answers there, as it was just tried; not tried again where a list is read.
    pub unreachable: Option<Flaw>,
}

/// The manifests that come with the house.
pub type Presets = Vec<Value>;

/// What a tool answered, and what is told of it.
#[derive(Debug, Clone)]
pub struct Answered {
    /// What the model reads: the answer, or why there is none.
    pub text: String,
    /// What is kept and shown.
    pub step: ToolStep,
}

/// The gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    inner: Arc<Inner>,
}

/// A plugin in memory.
#[derive(Clone)]
struct Held {
    tenant: TenantId,
    plugin: Arc<Plugin>,
    choices: Choices,
    /// What it was made of: as long as that is the same, so is the plugin, with its connections and its MCP server.
    row: PluginRow,
}

struct Inner {
    store: Store,
    egress: Arc<Egress>,
    vault: Box<dyn Vault>,
    clock: Arc<dyn Clock>,
    ground: Ground,
    plugins: RwLock<Arc<Vec<Held>>>,
}

impl Held {
    /// Whether it is made of this row, but for what its MCP server lists.
    fn is_but_for_its_list(&self, row: &PluginRow, choices: &Choices) -> bool {
        let listed = |of: &Choices| Choices { listed: None, ..of.clone() };
        let before = PluginRow { settings: Value::Null, updated_at: row.updated_at, ..self.row.clone() };
        before == PluginRow { settings: Value::Null, ..row.clone() } && listed(&self.choices) == listed(choices)
    }
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gateway")
    }
}

impl Gateway {
    /// A gateway that knows no plugin until [`Gateway::reload`], on a machine that lends nothing.
    pub fn new(store: Store, egress: Arc<Egress>, vault: Box<dyn Vault>, clock: Arc<dyn Clock>) -> Gateway {
        Gateway::on(Ground::default(), store, egress, vault, clock)
    }

    /// The same, on what this machine lends to plugins of the house.
    pub fn on(
        ground: Ground,
        store: Store,
        egress: Arc<Egress>,
        vault: Box<dyn Vault>,
        clock: Arc<dyn Clock>,
    ) -> Gateway {
        Gateway { inner: Arc::new(Inner { store, egress, vault, clock, ground, plugins: RwLock::default() }) }
    }

    /// Reads a tenant's plugins again and puts them in force as one snapshot.
    pub async fn reload(&self, tenant: TenantId) -> Result<(), Error> {
        let (mut all, before) = (Vec::new(), self.held());
        for row in self.inner.store.plugins(tenant).await? {
            if let Some(same) = before.iter().find(|one| one.tenant == tenant && one.row == row) {
                all.push(same.clone());
                continue;
            }
            match self.live(&row) {
                Ok((plugin, choices)) => {
                    let mut plugin = Box::pin(plugin.prepared()).await;
                    let same =
                        before.iter().find(|one| one.tenant == tenant && one.is_but_for_its_list(&row, &choices));
                    if let Some(one) = same {
                        plugin.adopt(&one.plugin);
                    }
                    all.push(Held { tenant, plugin: Arc::new(plugin), choices, row });
                }
                // The others still work; this one shows why it does not.
                Err(error) => tracing::error!(plugin = %row.name, %error, "a plugin is left out"),
            }
        }
        let mut held = self.inner.plugins.write().unwrap_or_else(PoisonError::into_inner);
        all.extend(held.iter().filter(|one| one.tenant != tenant).cloned());
        *held = Arc::new(all);
        Ok(())
    }

    fn held(&self) -> Arc<Vec<Held>> {
        Arc::clone(&self.inner.plugins.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether any plugin of the caller's may read files: without one, no file needs to be brought.
    pub fn reads_files(&self, caller: &Caller) -> bool {
        self.acting(caller).iter().any(|plugin| plugin.grants.contains(&Permission::ReadFiles))
    }

    /// The caller's plugins that are switched on, by age.
    fn acting(&self, caller: &Caller) -> Vec<Arc<Plugin>> {
        let of = |one: &&Held| one.tenant == caller.tenant && one.plugin.enabled;
        self.held().iter().filter(of).map(|one| Arc::clone(&one.plugin)).collect()
    }

    fn live(&self, row: &PluginRow) -> Result<(Plugin, Choices), Error> {
        let flawed = |error: serde_json::Error| Error::from(vec![Flaw::new("settings", error.to_string())]);
        let choices: Choices = serde_json::from_value(row.settings.clone()).map_err(flawed)?;
        let manifest = Manifest::read(&row.manifest, &choices)?;
        let grants = row.grants.iter().filter_map(|word| word.parse().ok()).collect();
        let secrets = self.opened(row)?;
        let (egress, clock) = (&self.inner.egress, Arc::clone(&self.inner.clock));
        let plugin = Plugin::new(manifest, &choices, grants, secrets, row.enabled, egress, clock);
        Ok((plugin.on(&self.inner.ground), choices))
    }

    fn opened(&self, row: &PluginRow) -> Result<Secrets, Error> {
        let Some(sealed) = &row.sealed else { return Ok(Secrets::new()) };
        let plain = self.inner.vault.open(&label(&row.name), sealed).ok_or(Error::Sealed)?;
        serde_json::from_slice(&plain).map_err(|_| Error::Sealed)
    }

    fn sealed(&self, name: &str, secrets: &Secrets) -> Result<Option<Vec<u8>>, Error> {
        if secrets.is_empty() {
            return Ok(None);
        }
        let plain = json!(secrets).to_string();
        self.inner.vault.seal(&label(name), plain.as_bytes()).map(Some).ok_or(Error::Sealed)
    }

    /// The caller's plugins, by age.
    pub fn list(&self, caller: &Caller) -> Vec<Installed> {
        let held = self.held();
        let own = held.iter().filter(|one| one.tenant == caller.tenant);
        own.map(|one| shown(&one.plugin, &one.choices)).collect()
    }

    /// The manifests that come with the house.
    pub fn presets(&self) -> Presets {
        presets()
    }

    /// What a manifest comes to, without installing it.
    pub fn examine(&self, order: &Order) -> Result<Manifest, Error> {
        Ok(Manifest::read(&order.manifest, &order.choices)?)
    }

    /// Installs a plugin: its manifest is understood, its secrets are there, its addresses may be asked. That nothing answers there
    /// just now is told, and no reason to refuse it.
    pub async fn install(&self, caller: &Caller, mut order: Order) -> Result<Installed, Error> {
        // What a server has is what it says, and nobody says it for it.
        order.choices.listed = None;
        let manifest = self.examine(&order)?;
        let grants = order.grants.unwrap_or_else(|| manifest.permissions.clone());
        let secrets: Secrets = order.secrets.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let flaws: Vec<Flaw> = unasked(&manifest, &grants).chain(unset(&manifest, &secrets)).collect();
        if !flaws.is_empty() {
            return Err(flaws.into());
        }
        let enabled = manifest.enabled;
        let (egress, clock) = (&self.inner.egress, Arc::clone(&self.inner.clock));
        let tried =
            Plugin::new(manifest.clone(), &order.choices, grants.clone(), secrets.clone(), enabled, egress, clock);
        let unreachable = match Box::pin(tried.probe()).await {
            Ok(()) => Box::pin(self.listed(&tried, &order.manifest, &mut order.choices)).await.err(),
            Err((uri, error)) => {
                let flaw = Flaw::new("address", format!("{uri}: {error}"));
                // A host that was not granted is closed because it was so chosen.
                let chosen = uri.host().is_some_and(|host| {
                    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
                    !grants.contains(&Permission::Net(host))
                });
                if matches!(error, ToolError::Forbidden { .. }) && !chosen {
                    return Err(vec![flaw].into());
                }
                Some(flaw)
            }
        };
        tried.close().await;
        let new = NewPlugin {
            name: manifest.name.clone(),
            kind: manifest.kind.as_str().to_owned(),
            manifest: order.manifest,
            settings: json!(order.choices),
            grants: grants.iter().map(Permission::to_string).collect(),
            sealed: self.sealed(&manifest.name, &secrets)?,
            enabled,
        };
        match self.inner.store.create_plugin(caller, new).await {
            Ok(_) => {}
            Err(store::Error::Duplicate { .. }) => return Err(Error::NameTaken { name: manifest.name }),
            Err(error) => return Err(error.into()),
        }
        self.reload(caller.tenant).await?;
        let made = self.list(caller).into_iter().find(|one| one.manifest.name == manifest.name);
        Ok(Installed { unreachable, ..made.ok_or(Error::NotFound)? })
    }

    /// Asks an MCP server what it has, and notes it among the choices; whether that is anything else than before. Nothing happens to
    /// plugins of other kinds.
    async fn listed(&self, plugin: &Plugin, manifest: &Value, choices: &mut Choices) -> Result<bool, Flaw> {
        let Some(asked) = plugin.listing().await else { return Ok(false) };
        let listing = asked.map_err(|error| Flaw::new("mcp", error.to_string()))?;
        let new = Choices { listed: Some(Box::new(listing)), ..choices.clone() };
        // What it says must still be a plugin.
        Manifest::read(manifest, &new).map_err(|flaws| {
            flaws.into_iter().next().unwrap_or_else(|| Flaw::new("mcp", "what it lists cannot be understood"))
        })?;
        let changed = new.listed != choices.listed;
        *choices = new;
        Ok(changed)
    }

    /// Tries a plugin again: whether it answers, and of an MCP server what it has now.
    pub async fn probe(&self, caller: &Caller, name: &str) -> Result<Installed, Error> {
        let held = self.held().iter().find(|one| one.tenant == caller.tenant && one.row.name == name).cloned();
        let Held { plugin, mut choices, row, .. } = held.ok_or(Error::NotFound)?;
        let unreachable = match Box::pin(plugin.probe()).await {
            Err((uri, error)) => Some(Flaw::new("address", format!("{uri}: {error}"))),
            Ok(()) => match Box::pin(self.listed(&plugin, &row.manifest, &mut choices)).await {
                Err(flaw) => Some(flaw),
                Ok(false) => None,
                Ok(true) => {
                    let change = PluginChange { settings: Some(json!(choices)), ..PluginChange::default() };
                    self.inner.store.change_plugin(caller, name, change).await?;
                    self.reload(caller.tenant).await?;
                    self.note_tools(caller, name, &choices).await;
                    None
                }
            },
        };
        let now = self.list(caller).into_iter().find(|one| one.manifest.name == name);
        Ok(Installed { unreachable, ..now.ok_or(Error::NotFound)? })
    }

    /// A line of the audit log: a server's tools are what it says, and may be others tomorrow.
    async fn note_tools(&self, caller: &Caller, name: &str, choices: &Choices) {
        let tools = choices.listed.iter().flat_map(|listed| &listed.tools);
        let names: Vec<&str> = tools.filter_map(|tool| tool["name"].as_str()).collect();
        let act = Act {
            at: self.inner.clock.now(),
            caller: Some(*caller),
            verb: "plugin.tools_changed",
            subject: name.to_owned(),
            detail: json!({ "tools": names }),
        };
        if let Err(error) = self.inner.store.writer().submit(Record::Act(act)).await.await {
            tracing::warn!(%error, plugin = %name, "that its tools changed could not be written down");
        }
    }

    /// A prompt of a plugin's MCP server, filled in.
    pub async fn prompt(
        &self,
        caller: &Caller,
        name: &str,
        prompt: &str,
        arguments: &BTreeMap<String, String>,
    ) -> Result<String, ToolError> {
        let acting = self.acting(caller);
        let plugin = acting.iter().find(|plugin| plugin.manifest.name == name);
        let plugin = plugin.ok_or_else(|| ToolError::NotFound { name: name.to_owned() })?;
        plugin.prompt(prompt, arguments).await
    }

    /// Lets all MCP servers go, before the house closes.
    pub async fn close(&self) {
        let held = self.held();
        join_all(held.iter().map(|one| one.plugin.close())).await;
    }

    /// Changes a plugin. What is taken from it is gone with its next call.
    pub async fn change(&self, caller: &Caller, name: &str, change: Change) -> Result<Installed, Error> {
        let rows = self.inner.store.plugins(caller.tenant).await?;
        let row = rows.into_iter().find(|row| row.name == name).ok_or(Error::NotFound)?;
        let was: Choices = serde_json::from_value(row.settings.clone()).unwrap_or_default();
        // What a server has is what it says: a choice neither forgets nor makes it.
        let kept = |choices| Choices { name: was.name.clone(), listed: was.listed.clone(), ..choices };
        let chosen = change.choices.map(kept);
        let manifest = Manifest::read(&row.manifest, chosen.as_ref().unwrap_or(&was))?;
        if let Some(grants) = &change.grants {
            let flaws: Vec<Flaw> = unasked(&manifest, grants).collect();
            if !flaws.is_empty() {
                return Err(flaws.into());
            }
        }
        let sealed = match change.secrets.is_empty() && chosen.is_none() {
            true => None,
            false => {
                // With another key of the house, what was sealed is lost, and set anew here.
                let mut secrets = self.opened(&row).unwrap_or_default();
                // Another way to prove itself has no use for the old one's.
                secrets.retain(|name, _| manifest.secrets.contains_key(name));
                secrets.extend(change.secrets);
                secrets.retain(|_, value| !value.is_empty());
                let flaws: Vec<Flaw> = unset(&manifest, &secrets).collect();
                if !flaws.is_empty() {
                    return Err(flaws.into());
                }
                Some(self.sealed(name, &secrets)?)
            }
        };
        let asked = |word: &String| word.parse().is_ok_and(|permission| manifest.permissions.contains(&permission));
        let grants = match change.grants {
            Some(grants) => Some(grants.iter().map(Permission::to_string).collect()),
            None => chosen.is_some().then(|| row.grants.iter().filter(|word| asked(word)).cloned().collect()),
        };
        let settings = chosen.map(|choices| json!(choices));
        let change = PluginChange { settings, grants, sealed, enabled: change.enabled };
        let before = self.held().iter().find(|one| one.tenant == caller.tenant && one.row.name == name).cloned();
        self.inner.store.change_plugin(caller, name, change).await?;
        self.reload(caller.tenant).await?;
        if let Some(before) = before {
            // What was taken from it is taken from a program that runs, too.
            before.plugin.close().await;
        }
        self.list(caller).into_iter().find(|one| one.manifest.name == name).ok_or(Error::Sealed)
    }

    /// Removes a plugin; the lines of its calls stay.
    pub async fn remove(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        let gone = self.held().iter().find(|one| one.tenant == caller.tenant && one.row.name == name).cloned();
        match self.inner.store.delete_plugin(caller, name).await {
            Ok(()) => {
                self.reload(caller.tenant).await?;
                if let Some(Held { plugin, .. }) = gone {
                    plugin.close().await;
                }
                Ok(())
            }
            Err(store::Error::NotFound { .. }) => Err(Error::NotFound),
            Err(error) => Err(error.into()),
        }
    }

    /// What a model is told that it may call, for this caller.
    pub fn offered(&self, caller: &Caller) -> Vec<ToolSpec> {
        let acting = self.acting(caller);
        acting.iter().flat_map(|plugin| plugin.manifest.tools()).cloned().collect()
    }

    /// Which of these calls somebody has to agree to first, in their order.
    pub fn wanted(&self, caller: &Caller, calls: &[ToolCall]) -> Vec<Option<Wanted>> {
        let held = self.held();
        let of_call = |call: &ToolCall| {
            let mut own = held.iter().filter(|one| one.tenant == caller.tenant);
            let one = own.find(|one| one.plugin.find(&call.name).is_some())?;
            let plugin = &one.plugin.manifest;
            approval::wanted(&one.choices.approvals, (&plugin.name, &plugin.title), &call.name, &call.arguments)
        };
        calls.iter().map(of_call).collect()
    }

    /// A call that was not agreed to, as its model and its readers are told.
    pub fn denied(&self, plugin: &str, tool: &str, why: &str) -> Answered {
        let text = json!({ "error": "approval_denied", "message": why }).to_string();
        let (plugin, tool) = (plugin.to_owned(), tool.to_owned());
        Answered {
            text,
            step: ToolStep { plugin, tool, error: Some("approval_denied".into()), ms: 0, parts: Vec::new() },
        }
    }

    /// A tool by its name.
    pub fn tool(&self, caller: &Caller, name: &str) -> Option<Box<dyn Tool>> {
        let acting = self.acting(caller);
        let tool = acting.iter().find_map(|plugin| PluginTool::of(plugin, name))?;
        Some(Box::new(tool))
    }

    /// Does what a model asked for, side by side, each written down; `files` are those of the branch, for tools that may read them.
    /// Dropping the future ends them all.
    pub async fn call_all(
        &self,
        caller: &Caller,
        turn: TurnId,
        calls: &[ToolCall],
        files: &[Attachment],
    ) -> Vec<Answered> {
        join_all(calls.iter().map(|call| self.call(caller, Some(turn), call, files.to_vec()))).await
    }

    /// Does one thing, and writes it down. A call that fails is answered with why, so that the model can do better.
    pub async fn call(
        &self,
        caller: &Caller,
        turn: Option<TurnId>,
        call: &ToolCall,
        files: Vec<Attachment>,
    ) -> Answered {
        let plugin = self.acting(caller).into_iter().find(|plugin| plugin.find(&call.name).is_some());
        let found = plugin.and_then(|plugin| PluginTool::of(&plugin, &call.name).map(|tool| (plugin, tool)));
        let Some((plugin, tool)) = found else {
            let error = ToolError::NotFound { name: call.name.clone() };
            let (plugin, tool, code) = (String::new(), call.name.clone(), error.code());
            let step = ToolStep { plugin, tool, error: Some(code.into()), ms: 0, parts: Vec::new() };
            return Answered { text: failed(&error), step };
        };
        let read = read_arguments(&call.arguments);
        let files = if plugin.grants.contains(&Permission::ReadFiles) { files } else { Vec::new() };
        let input = ToolInput { arguments: read.clone().unwrap_or(Value::Null), files };
        let shown = if read.is_ok() { log::shown(&input) } else { call.arguments.clone() };
        let work = async {
            match read {
                Ok(_) => tool.call(caller, input).await,
                Err(error) => Err(error),
            }
        };
        let answered = self.written_down(caller, turn, &plugin, &call.name, shown, work).await;
        if plugin.is_stale()
            && let Err(error) = Box::pin(self.probe(caller, &plugin.manifest.name)).await
        {
            tracing::warn!(%error, plugin = %plugin.manifest.name, "what its server has now could not be read");
        }
        answered
    }

    /// What happens before the model is asked: each file goes to the plugins that take it by themselves, then the question to those
    /// that know it. In the order of their installing, so that the same question finds the same context.
    pub async fn consult(
        &self,
        caller: &Caller,
        turn: Option<TurnId>,
        question: &str,
        files: &[Attachment],
    ) -> Vec<Answered> {
        let mut all = Vec::new();
        for plugin in self.acting(caller) {
            all.extend(self.consult_with(&plugin, caller, turn, question, files).await);
        }
        all
    }

    /// The same of one plugin alone.
    pub async fn consult_one(
        &self,
        caller: &Caller,
        name: &str,
        turn: Option<TurnId>,
        question: &str,
        files: &[Attachment],
    ) -> Vec<Answered> {
        let acting = self.acting(caller);
        let Some(plugin) = acting.iter().find(|plugin| plugin.manifest.name == name) else { return Vec::new() };
        self.consult_with(plugin, caller, turn, question, files).await
    }

    async fn consult_with(
        &self,
        plugin: &Plugin,
        caller: &Caller,
        turn: Option<TurnId>,
        question: &str,
        files: &[Attachment],
    ) -> Vec<Answered> {
        let mut all = Vec::new();
        for file in files {
            // Who may not read files is not even told that there is one.
            let reads = plugin.grants.contains(&Permission::ReadFiles);
            let Some(operation) = plugin.taking(file).filter(|_| reads) else { continue };
            let input = ToolInput { arguments: json!({}), files: vec![file.clone()] };
            let shown = log::shown(&input);
            let work = plugin.run(operation, input);
            all.push(self.written_down(caller, turn, plugin, &operation.spec.name, shown, work).await);
        }
        if let Some(endpoint) = plugin.asked_by(question) {
            let shown = json!({ "text": question }).to_string();
            let work = plugin.look_up(endpoint, question);
            all.push(self.written_down(caller, turn, plugin, "message", shown, work).await);
        }
        all
    }

    async fn written_down(
        &self,
        caller: &Caller,
        turn: Option<TurnId>,
        plugin: &Plugin,
        tool: &str,
        sent: String,
        work: impl Future<Output = Result<ToolAnswer, ToolError>>,
    ) -> Answered {
        let (at, began) = (self.inner.clock.now(), self.inner.clock.monotonic());
        let outcome = Box::pin(work).await;
        let took = self.inner.clock.monotonic().saturating_sub(began);
        let call = Call { caller, turn, tool, at, took, sent, outcome: &outcome };
        let step = log::note(&self.inner.store, plugin, call).await;
        let text = match &outcome {
            Ok(answer) => cut(&answer.text, READ),
            Err(error) => failed(error),
        };
        Answered { text, step }
    }
}

/// Nothing at all is an object without arguments; anything else must be one.
fn read_arguments(text: &str) -> Result<Value, ToolError> {
    if text.trim().is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_str(text).map_err(|error| {
        let reason = format!("they are no JSON: {error}");
        ToolError::Invalid { field: "arguments".to_owned(), reason }
    })
}

/// As a model reads it.
fn failed(error: &ToolError) -> String {
    json!({ "error": error.code(), "message": error.to_string() }).to_string()
}

/// Grants that the manifest never asked for.
fn unasked<'m>(manifest: &'m Manifest, grants: &'m BTreeSet<Permission>) -> impl Iterator<Item = Flaw> + 'm {
    let unasked = grants.iter().filter(|grant| !manifest.permissions.iter().any(|asked| asked.covers(grant)));
    unasked.map(|permission| {
        Flaw::new("grants", format!("{permission} is not asked for by this plugin, so it cannot be granted"))
    })
}

/// Secrets that must be set and are not, and those that nobody asks for.
fn unset<'m>(manifest: &'m Manifest, secrets: &'m Secrets) -> impl Iterator<Item = Flaw> + 'm {
    let missing = manifest.secrets.iter().filter(|(name, must)| **must && !secrets.contains_key(*name));
    let missing = missing.map(|(name, _)| Flaw::new(format!("secrets.{name}"), "it is missing"));
    let unknown = secrets.keys().filter(|name| !manifest.secrets.contains_key(*name));
    missing.chain(unknown.map(|name| Flaw::new(format!("secrets.{name}"), "this plugin has no such secret")))
}

fn shown(plugin: &Plugin, choices: &Choices) -> Installed {
    Installed {
        manifest: plugin.manifest.clone(),
        choices: choices.clone(),
        grants: plugin.grants.clone(),
        secrets: plugin.secrets.keys().cloned().collect(),
        enabled: plugin.enabled,
        unreachable: None,
    }
}

fn label(name: &str) -> String {
    format!("plugin {name}: secrets")
}
