//! What a plugin says of itself, read once. Each kind of manifest is one file; all of them come to the same: tools, triggers,
//! permissions, and the addresses that are asked.

mod lobe;
mod mcp;
mod openapi;
mod service;

use std::collections::{BTreeMap, BTreeSet};

use domain::ToolSpec;
use http::{Method, Uri};
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approval::ApprovalRule;
use crate::auth::Auth;
use crate::builtin::sql::{self, Database};
use crate::builtin::{self, Builtin};
use crate::error::Flaw;
use crate::mcp::{Listing, Remote, Target};
use crate::permission::Permission;

/// The longest name of a tool that every model takes.
const NAME: usize = 64;

/// Which kind of manifest it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A tool of the house.
    Builtin,
    /// The house's own format for a service: `id`, `api.baseUrl`, `api.endpoints`.
    Service,
    /// An OpenAPI 3.0 or 3.1 document.
    OpenApi,
    /// A LobeChat plugin: `identifier`, `api[]`.
    LobeChat,
    /// An MCP server: `mcp.command` or `mcp.url`.
    Mcp,
}

impl Kind {
    /// The word in the database and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Builtin => "builtin",
            Kind::Service => "service",
            Kind::OpenApi => "openapi",
            Kind::LobeChat => "lobechat",
            Kind::Mcp => "mcp",
        }
    }
}

/// What an administrator chose beside the manifest; kept with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choices {
    /// In place of the manifest's own name.
    pub name: Option<String>,
    /// In place of the address that the manifest names; of `sql` the database's, of `web-search` the SearXNG's.
    pub base_url: Option<String>,
    /// Of an OpenAPI document, these operations alone, by `operationId` or as `GET /path`; of an MCP server, these tools alone.
    pub operations: Option<Vec<String>>,
    /// How it proves itself, in place of what the manifest says.
    pub auth: Option<Auth>,
    /// Whether its hosts may lie in this machine or a private network also where their names lead there. An address written out is
    /// meant as it is written.
    pub private: bool,
    /// For one call, 1 to 120; 30 where absent.
    pub timeout_s: Option<u32>,
    /// Which of its calls somebody has to agree to first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalRule>,
    /// What an MCP server said that it has, when it was last asked. Nobody chooses it: the gateway keeps it here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listed: Option<Box<Listing>>,
}

/// A manifest, understood.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// Its name here: 1 to 40 letters, digits, `-` and `_`.
    pub name: String,
    /// For people.
    pub title: String,
    /// For people and models.
    pub description: String,
    /// A character or an address; may be empty.
    pub icon: String,
    /// What kind it is.
    pub kind: Kind,
    /// Whether it says that it is switched on.
    pub enabled: bool,
    /// What it asks for, the hosts it reaches included.
    pub permissions: BTreeSet<Permission>,
    /// When it acts by itself.
    pub triggers: Vec<Trigger>,
    /// How it proves itself.
    pub auth: Auth,
    /// The names of secrets that must be set, and of those that may be.
    pub secrets: BTreeMap<String, bool>,
    /// Every address that it asks.
    pub addresses: Vec<Uri>,
    /// The database that it asks.
    pub(crate) database: Option<Database>,
    pub(crate) operations: Vec<Operation>,
    /// Where an MCP server is.
    pub(crate) server: Option<Target>,
}

/// When a plugin acts before the model.
#[derive(Debug, Clone)]
pub enum Trigger {
    /// A file was uploaded.
    FileUploaded {
        /// Media types (`application/pdf`, `image/*`) and endings (`.docx`); empty: all files.
        types: Vec<String>,
    },
    /// A question matches.
    Message {
        /// What it looks like.
        pattern: Regex,
        /// Where it is sent, as `{"text": …}`.
        endpoint: Uri,
    },
}

/// One thing a plugin can do.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) spec: ToolSpec,
    pub(crate) work: Work,
}

/// How it is done.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    Builtin(Builtin),
    /// An operation of an API.
    Http {
        method: Method,
        /// With `{name}` where a parameter of the path goes.
        url: String,
        params: Vec<Param>,
        /// Whether the argument `body` is sent as JSON.
        body: bool,
    },
    /// The arguments as they are, posted (LobeChat).
    Post {
        url: Uri,
    },
    /// A file is posted to the first address, and what that answered to the second.
    Extract {
        upload: Uri,
        extract: Uri,
    },
    /// Asked of an MCP server.
    Mcp(Remote),
}

#[derive(Debug, Clone)]
pub(crate) struct Param {
    pub(crate) name: String,
    pub(crate) place: ParamPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParamPlace {
    Path,
    Query,
    Header,
}

impl Manifest {
    /// Reads one. A list (as a file of several plugins is) is one manifest an entry: [`Manifest::entries`] first.
    pub fn read(document: &Value, choices: &Choices) -> Result<Manifest, Vec<Flaw>> {
        let mut flaws = Vec::new();
        let read = if document.get("builtin").is_some() {
            house(document, choices, &mut flaws)
        } else if document.get("openapi").is_some() || document.get("swagger").is_some() {
            openapi::read(document, choices, &mut flaws)
        } else if document.get("mcp").is_some() {
            mcp::read(document, choices, &mut flaws)
        } else if document.get("identifier").is_some() {
            lobe::read(document, choices, &mut flaws)
        } else if document.get("id").is_some() || document.get("api").is_some() {
            service::read(document, choices, &mut flaws)
        } else {
            flaws.push(Flaw::new(
                "manifest",
                "it is none of the kinds there are: a service (id, api.baseUrl), an OpenAPI 3 document (openapi), a LobeChat \
                 plugin (identifier, api), MCP servers (mcpServers, or mcp)",
            ));
            None
        };
        let Some(mut manifest) = read else { return Err(flaws) };
        if let Some(name) = &choices.name {
            manifest.name.clone_from(name);
        }
        manifest.settle(choices, &mut flaws);
        if flaws.is_empty() { Ok(manifest) } else { Err(flaws) }
    }

    /// The manifests in a document: a list of them, a file of MCP servers (`mcpServers`), or one.
    pub fn entries(document: &Value) -> Vec<Value> {
        let servers = document.get("mcpServers").or_else(|| document.get("servers").filter(|all| all.is_object()));
        match (document, servers.and_then(Value::as_object)) {
            (Value::Array(entries), _) => entries.clone(),
            (_, Some(servers)) => mcp::entries(servers),
            _ => vec![document.clone()],
        }
    }

    /// What holds for every kind: a name, the hosts as permissions, tool names of their own, an auth that can be meant.
    fn settle(&mut self, choices: &Choices, flaws: &mut Vec<Flaw>) {
        let sound = !self.name.is_empty() && self.name.len() <= 40 && self.name.bytes().all(is_word);
        if !sound {
            flaws.push(Flaw::new("name", format!("{:?} is no name: 1 to 40 letters, digits, - and _", self.name)));
        }
        if let Some(auth) = &choices.auth {
            self.auth = auth.clone();
        }
        for secret in self.auth.secrets() {
            self.secrets.insert((*secret).to_owned(), true);
        }
        if let Auth::ClientCredentials { token_url, .. } = &self.auth {
            self.addresses.extend(address("auth.token_url", token_url, flaws));
        }
        if let Auth::Key { name, .. } = &self.auth
            && http::HeaderName::try_from(name).is_err()
        {
            flaws.push(Flaw::new("auth.name", format!("{name:?} is no name of a header or parameter")));
        }
        if choices.timeout_s.is_some_and(|s| !(1..=120).contains(&s)) {
            flaws.push(Flaw::new("timeout_s", "a call may take 1 to 120 seconds"));
        }
        flaws.extend(choices.approvals.iter().enumerate().filter_map(|(at, rule)| rule.flaw(at)));
        for uri in &self.addresses {
            if let Ok(origin) = egress::Origin::of(uri) {
                self.permissions.insert(Permission::Net(origin.host().to_owned()));
            }
        }
        for at in 0..self.operations.len() {
            let name = tool_name(&self.name, &self.operations[at].spec.name);
            if self.operations[..at].iter().any(|other| other.spec.name == name) {
                flaws.push(Flaw::new(format!("tools.{at}"), format!("two tools would be called {name}")));
            }
            self.operations[at].spec.name = name;
        }
    }

    /// What an MCP server hints at of one of its tools (`readOnlyHint` and its like). Nobody has proven it.
    pub fn hints(&self, tool: &str) -> Option<&Value> {
        let found = self.operations.iter().find(|operation| operation.spec.name == tool)?;
        match &found.work {
            Work::Mcp(Remote::Tool { hints, .. }) => Some(hints).filter(|hints| hints.is_object()),
            _ => None,
        }
    }

    /// A tool by the name that its MCP server gives it, or by the one it has here.
    pub fn called(&self, name: &str) -> Option<&ToolSpec> {
        let is = |operation: &&Operation| match &operation.work {
            Work::Mcp(Remote::Tool { name: own, .. }) => own == name,
            Work::Mcp(Remote::Resource) => name == "read_resource",
            _ => false,
        };
        let own = self.operations.iter().find(is);
        own.or_else(|| self.operations.iter().find(|one| one.spec.name == name)).map(|one| &one.spec)
    }

    /// Adds to the description of its first tool what a model does well to know.
    pub(crate) fn describe(&mut self, more: &str) {
        if let Some(first) = self.operations.first_mut() {
            first.spec.description.push('\n');
            first.spec.description.push_str(more);
        }
    }

    /// Its tools, as a model reads them.
    pub fn tools(&self) -> Vec<&ToolSpec> {
        self.operations.iter().filter(|one| !matches!(one.work, Work::Extract { .. })).map(|one| &one.spec).collect()
    }
}

/// The manifests that come with the house, by name: its own tools, and examples to install.
pub fn presets() -> Vec<Value> {
    [
        include_str!("../../../catalog/plugins/calculator.json"),
        include_str!("../../../catalog/plugins/clock.json"),
        include_str!("../../../catalog/plugins/invoice-fields.json"),
        include_str!("../../../catalog/plugins/contract-diff.json"),
        include_str!("../../../catalog/plugins/python.json"),
        include_str!("../../../catalog/plugins/sql.json"),
        include_str!("../../../catalog/plugins/web-fetch.json"),
        include_str!("../../../catalog/plugins/web-search.json"),
        include_str!("../../../catalog/plugins/file-analyzer.json"),
    ]
    .into_iter()
    .filter_map(|text| serde_json::from_str::<Value>(text).ok())
    .flat_map(|document| Manifest::entries(&document))
    .collect()
}

fn house(document: &Value, choices: &Choices, flaws: &mut Vec<Flaw>) -> Option<Manifest> {
    let word = document["builtin"].as_str().unwrap_or_default();
    let Some((name, tools)) = builtin::ALL.into_iter().find(|(name, _)| *name == word) else {
        flaws.push(Flaw::new("builtin", format!("the house has no tool {word:?}")));
        return None;
    };
    let text = |name: &str| document[name].as_str().unwrap_or_default().to_owned();
    let mut permissions = asked(document, flaws);
    let (mut addresses, mut database, mut secrets) = (Vec::new(), None, BTreeMap::new());
    let base = choices.base_url.as_deref().or(document["base_url"].as_str());
    match name {
        "sql" => match sql::database("base_url", base) {
            Ok(found) => {
                permissions.extend(found.origin().map(|origin| Permission::Net(origin.host().to_owned())));
                if matches!(found, Database::Postgres { .. }) {
                    secrets.insert("password".to_owned(), false);
                }
                database = Some(found);
            }
            Err(flaw) => flaws.push(flaw),
        },
        "web-search" => match base {
            Some(base) => addresses.extend(address("base_url", base, flaws)),
            None => flaws.push(Flaw::new("base_url", "the address of a SearXNG is missing")),
        },
        // A site that is read although it lies in a private network.
        "web-fetch" => addresses.extend(base.and_then(|base| address("base_url", base, flaws))),
        _ => {}
    }
    Some(Manifest {
        name: name.to_owned(),
        title: text("name"),
        description: text("description"),
        icon: text("icon"),
        kind: Kind::Builtin,
        enabled: document["enabled"].as_bool().unwrap_or(true),
        permissions,
        triggers: Vec::new(),
        auth: Auth::None,
        secrets,
        addresses,
        database,
        operations: tools.iter().map(|&tool| Operation { spec: tool.spec(), work: Work::Builtin(tool) }).collect(),
        server: None,
    })
}

/// The permissions that a manifest names.
fn asked(document: &Value, flaws: &mut Vec<Flaw>) -> BTreeSet<Permission> {
    let mut all = BTreeSet::new();
    match &document["permissions"] {
        Value::Null => {}
        Value::Array(words) => {
            for (at, word) in words.iter().enumerate() {
                match word.as_str().unwrap_or_default().parse() {
                    Ok(permission) => _ = all.insert(permission),
                    Err(message) => flaws.push(Flaw::new(format!("permissions.{at}"), message)),
                }
            }
        }
        _ => flaws.push(Flaw::new("permissions", "it must be a list")),
    }
    all
}

/// An address that a request can go to.
fn address(field: &str, text: &str, flaws: &mut Vec<Flaw>) -> Option<Uri> {
    let read = text.parse::<Uri>().map_err(|error| error.to_string());
    match read.and_then(|uri| egress::Origin::of(&uri).map(|_| uri).map_err(|error| error.to_string())) {
        Ok(uri) => Some(uri),
        Err(reason) => {
            flaws.push(Flaw::new(field, format!("{text:?} is no address to ask: {reason}")));
            None
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// The name by which a model calls a tool: the plugin's before it, so that two plugins never answer to one name.
fn tool_name(plugin: &str, own: &str) -> String {
    if plugin == own {
        return own.to_owned();
    }
    let own: String = own.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
    format!("{plugin}__{own}").chars().take(NAME).collect()
}

/// The plugin's part of what a person may have written as a name, so that an `operationId` in Chinese still gives one.
fn slug(text: &str) -> String {
    let words: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let words: Vec<&str> = words.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-").chars().take(40).collect()
}
