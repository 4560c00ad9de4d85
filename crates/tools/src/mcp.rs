//! MCP servers, asked as a client (<https://modelcontextprotocol.io/specification/2025-11-25>): what one has, and calls of its tools.
//!
//! A server is a program that is started here (`mcp/stdio.rs`) or an address (`mcp/http.rs`); the words are the same (`mcp/session.rs`),
//! and what it answers becomes text for a model (`mcp/content.rs`). Who may start and reach it is the plugin's permissions.

mod content;
mod http;
mod session;
mod stdio;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::http::{HeaderName, Uri};
use domain::ToolError;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::auth::Secrets;
use crate::permission::Permission;
use crate::plugin::Plugin;
use session::{Fault, Session};

/// The largest message of a server that is read, in bytes: pictures travel in them.
const LARGEST_MESSAGE: usize = 8 << 20;

/// How long a server may take to start and to say who it is: a launcher such as `npx` may have to fetch it first.
const START: Duration = Duration::from_secs(60);

/// The largest list of what a server has that is kept, in bytes: it is read whenever the plugin is.
const LARGEST_LISTING: usize = 1 << 20;

/// How many tools, resources or prompts of one server are taken.
const MOST_LISTED: usize = 256;

/// Where a server is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    /// A program that talks over its standard input and output.
    Program(Program),
    /// Streamable HTTP.
    Address {
        url: Uri,
        /// Values as they are written: `${NAME}` stands for a secret.
        headers: Vec<(HeaderName, String)>,
    },
}

/// A program and how it is started. No shell reads it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Program {
    pub(crate) command: String,
    pub(crate) args: Vec<String>,
    /// Values as they are written: `${NAME}` stands for a secret.
    pub(crate) env: BTreeMap<String, String>,
    pub(crate) cwd: Option<String>,
}

/// What a tool of a plugin is at its server.
#[derive(Debug, Clone)]
pub(crate) enum Remote {
    Tool {
        /// As the server calls it.
        name: String,
        /// What its structured answers look like.
        output: Option<Value>,
        /// Its `annotations`: hints that nobody has proven.
        hints: Value,
    },
    /// Reading one of its resources.
    Resource,
}

/// What a server said that it has, when it was last asked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Listing {
    /// The version of the protocol that it chose.
    pub protocol: String,
    /// Its `serverInfo`.
    pub server: Value,
    /// How it says that it is to be used.
    pub instructions: Option<String>,
    /// As it describes them.
    pub tools: Vec<Value>,
    /// As it describes them.
    pub resources: Vec<Value>,
    /// As it describes them.
    pub templates: Vec<Value>,
    /// As it describes them.
    pub prompts: Vec<Value>,
}

/// A server of a plugin. It is started or greeted when it is first asked, and again after it ended.
pub(crate) struct Server {
    target: Target,
    held: Mutex<Option<Arc<Session>>>,
    /// It said that its tools are others now.
    stale: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn new(target: Target) -> Server {
        Server { target, held: Mutex::default(), stale: Arc::default() }
    }

    /// Whether it said since the last look that its tools are others now.
    pub(crate) fn is_stale(&self) -> bool {
        self.stale.swap(false, Ordering::Relaxed)
    }

    /// What it has.
    pub(crate) async fn list(&self, plugin: &Plugin) -> Result<Listing, ToolError> {
        let session = self.session(plugin).await?;
        self.stale.store(false, Ordering::Relaxed);
        within(START, async {
            let hello = &session.hello;
            let listed = |what: &'static str, key: &'static str| session.list(plugin, what, key);
            let tools = listed("tools/list", "tools").await?;
            let resources = listed("resources/list", "resources").await?;
            let templates = listed("resources/templates/list", "resourceTemplates").await?;
            let prompts = listed("prompts/list", "prompts").await?;
            let listing = Listing {
                protocol: hello.protocol.clone(),
                server: hello.server.clone(),
                instructions: hello.instructions.clone(),
                tools,
                resources,
                templates,
                prompts,
            };
            match json!(listing).to_string().len() {
                0..=LARGEST_LISTING => Ok(listing),
                _ => Err(ToolError::TooLarge { what: "the answer", limit: LARGEST_LISTING }.into()),
            }
        })
        .await
        .map_err(ToolError::from)
    }

    /// Calls a tool, or reads a resource.
    pub(crate) async fn call(&self, plugin: &Plugin, remote: &Remote, arguments: &Value) -> Result<String, ToolError> {
        match remote {
            Remote::Tool { name, output, .. } => {
                let params = json!({ "name": name, "arguments": arguments });
                content::of_call(&self.ask(plugin, "tools/call", params).await?, output.as_ref())
            }
            Remote::Resource => {
                let params = json!({ "uri": arguments["uri"] });
                content::of_resource(&self.ask(plugin, "resources/read", params).await?)
            }
        }
    }

    /// One of its prompts, filled in.
    pub(crate) async fn prompt(
        &self,
        plugin: &Plugin,
        name: &str,
        arguments: &BTreeMap<String, String>,
    ) -> Result<String, ToolError> {
        let params = json!({ "name": name, "arguments": arguments });
        Ok(content::of_prompt(&self.ask(plugin, "prompts/get", params).await?))
    }

    /// Asks, once more where it had forgotten who we are.
    async fn ask(&self, plugin: &Plugin, method: &str, params: Value) -> Result<Value, ToolError> {
        let session = self.session(plugin).await?;
        let patience = plugin.patience();
        match within(patience, session.ask(plugin, method, params.clone())).await {
            Err(Fault::Forgotten) => {
                self.forget(&session).await;
                let session = self.session(plugin).await?;
                within(patience, session.ask(plugin, method, params)).await.map_err(ToolError::from)
            }
            other => other.map_err(ToolError::from),
        }
    }

    /// The session there is, or a new one.
    async fn session(&self, plugin: &Plugin) -> Result<Arc<Session>, ToolError> {
        if matches!(self.target, Target::Program(_)) {
            plugin.must(Permission::ExecCode)?;
        }
        let mut held = self.held.lock().await;
        if let Some(session) = held.as_ref().filter(|session| session.is_open()) {
            return Ok(Arc::clone(session));
        }
        *held = None;
        let opening = Session::open(plugin, &self.target, Arc::clone(&self.stale));
        let session = Arc::new(within(START, opening).await?);
        *held = Some(Arc::clone(&session));
        Ok(session)
    }

    async fn forget(&self, session: &Arc<Session>) {
        let mut held = self.held.lock().await;
        if held.as_ref().is_some_and(|one| Arc::ptr_eq(one, session)) {
            *held = None;
        }
    }

    /// Takes leave: a program ends, an address forgets the session.
    pub(crate) async fn close(&self, plugin: &Plugin) {
        let Some(session) = self.held.lock().await.take() else { return };
        session.close(plugin).await;
    }
}

async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(patience, Box::pin(work)).await {
        Ok(done) => done,
        Err(_) => Err(Fault::Tool(ToolError::TimedOut { after: patience })),
    }
}

/// The names of secrets in a text: `${NAME}`; `${input:NAME}` and `${env:NAME}`, as other programs write them, are the same.
pub(crate) fn secrets_in(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        found.push(bare(name));
        rest = after;
    }
    found
}

/// The text with its secrets in their places. A value is never read again.
fn filled(text: &str, secrets: &Secrets) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(secrets.get(bare(name)).map_or("", String::as_str));
        rest = after;
    }
    out.push_str(rest);
    out
}

fn bare(name: &str) -> &str {
    let name = name.trim();
    name.strip_prefix("input:").or_else(|| name.strip_prefix("env:")).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_take_their_places_once() {
        let secrets: Secrets = [("a", "${b}"), ("b", "x")].map(|(k, v)| (k.to_owned(), v.to_owned())).into();
        for (text, expected, names) in [
            ("", "", vec![]),
            ("plain", "plain", vec![]),
            ("Bearer ${b}", "Bearer x", vec!["b"]),
            ("${input:a}-${ env:b }", "${b}-", vec!["a", "env:b"]),
            ("${a}${b}", "${b}x", vec!["a", "b"]),
            ("${missing}.", ".", vec!["missing"]),
            ("${open", "${open", vec![]),
        ] {
            let named = secrets_in(text);
            if !text.contains(" env:") {
                assert_eq!((filled(text, &secrets).as_str(), named), (expected, names), "{text}");
            }
        }
    }
}
