//! A plugin as it runs: its manifest, what it was granted, its secrets, its own way out. Every call of its tools passes here, and no
//! byte leaves that was not granted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::{Attachment, BoxFuture, Caller, Clock, Tool, ToolAnswer, ToolError, ToolInput, ToolSpec};
use egress::{Egress, Opening, Origin};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Response, Uri};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::auth::{Secrets, Token};
use crate::builtin::{Ground, sql, web};
use crate::http::{Heard, Line, Sent, encoded};
use crate::manifest::{Choices, Kind, Manifest, Operation, Param, ParamPlace, Trigger, Work};
use crate::mcp::{Listing, Server};
use crate::permission::Permission;
use crate::schema;

/// How many calls of one plugin run side by side; the others wait for their turn.
const AT_ONCE: usize = 8;

/// How long a call may take where nobody chose, and how long it waits for its turn.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A plugin that is installed.
pub(crate) struct Plugin {
    pub(crate) manifest: Manifest,
    pub(crate) grants: BTreeSet<Permission>,
    pub(crate) secrets: Secrets,
    pub(crate) enabled: bool,
    line: Line,
    token: Token,
    turn: Semaphore,
    clock: Arc<dyn Clock>,
    server: Option<Arc<Server>>,
    ground: Ground,
    patience: Option<Duration>,
}

impl Plugin {
    pub(crate) fn new(
        manifest: Manifest,
        choices: &Choices,
        grants: BTreeSet<Permission>,
        secrets: Secrets,
        enabled: bool,
        egress: &Egress,
        clock: Arc<dyn Clock>,
    ) -> Plugin {
        let openings = openings(&manifest, choices, &grants);
        let patience = choices.timeout_s.map(|s| Duration::from_secs(u64::from(s)));
        let everywhere = grants.contains(&Permission::anywhere());
        let egress = if everywhere { egress.public(openings) } else { egress.confined(openings) };
        Plugin {
            line: Line { egress: Arc::new(egress), timeout: patience.unwrap_or(TIMEOUT) },
            server: manifest.server.clone().map(|target| Arc::new(Server::new(target))),
            manifest,
            grants,
            secrets,
            enabled,
            token: Token::default(),
            turn: Semaphore::new(AT_ONCE),
            clock,
            ground: Ground::default(),
            patience,
        }
    }

    /// The same, on what this machine lends.
    pub(crate) fn on(mut self, ground: &Ground) -> Plugin {
        self.ground = ground.clone();
        self
    }

    /// The same with what it can say of itself only after it has looked: the tables of its database.
    pub(crate) async fn prepared(mut self) -> Plugin {
        if self.manifest.database.is_none() || !self.enabled {
            return self;
        }
        if let Some(outline) = Box::pin(sql::outline(&self)).await {
            self.manifest.describe(&format!("Its tables:\n{outline}"));
        }
        self
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What the machine lends to tools of the house.
    pub(crate) fn ground(&self) -> &Ground {
        &self.ground
    }

    /// How long a call may take, where somebody chose.
    pub(crate) fn chosen_patience(&self) -> Option<Duration> {
        self.patience
    }

    /// The answer to a request that changes nothing, whatever its status.
    pub(crate) async fn get(&self, uri: Uri, accept: &'static str) -> Result<Heard, ToolError> {
        self.send(web::getting(uri, accept)).await
    }

    /// An address that a connection of another kind than HTTP may be made to.
    pub(crate) async fn address(&self, origin: &Origin) -> Result<std::net::SocketAddr, ToolError> {
        self.line.egress.address(origin).await.map_err(crate::http::told)
    }

    /// The values that no log shows.
    pub(crate) fn hidden(&self) -> Vec<&str> {
        self.secrets.values().map(String::as_str).collect()
    }

    /// What its MCP server has; `None` where it is no such plugin.
    pub(crate) async fn listing(&self) -> Option<Result<Listing, ToolError>> {
        Some(self.server.as_ref()?.list(self).await)
    }

    /// Whether its MCP server said since the last look that its tools are others now.
    pub(crate) fn is_stale(&self) -> bool {
        self.server.as_ref().is_some_and(|server| server.is_stale())
    }

    /// Goes on with the MCP server of a plugin that was the same but for what it lists: what it remembers stays.
    pub(crate) fn adopt(&mut self, other: &Plugin) {
        self.server.clone_from(&other.server);
    }

    /// One of its MCP server's prompts, filled in.
    pub(crate) async fn prompt(&self, name: &str, arguments: &BTreeMap<String, String>) -> Result<String, ToolError> {
        let server = self.server.as_ref().ok_or_else(|| ToolError::NotFound { name: name.to_owned() })?;
        let _turn = self.turn().await?;
        server.prompt(self, name, arguments).await
    }

    /// Lets its MCP server go, where it has one.
    pub(crate) async fn close(&self) {
        if let Some(server) = &self.server {
            server.close(self).await;
        }
    }

    /// Whether something answers at its addresses; the first that does not, and why.
    pub(crate) async fn probe(&self) -> Result<(), (Uri, ToolError)> {
        let mut asked = Vec::new();
        for uri in &self.manifest.addresses {
            let Ok(origin) = Origin::of(uri) else { continue };
            if asked.contains(&origin) {
                continue;
            }
            let root: Uri = format!("{origin}/").parse().unwrap_or_else(|_| uri.clone());
            let sent = Sent { method: Method::HEAD, uri: root, headers: HeaderMap::new(), body: Bytes::new() };
            match self.line.exchange(sent).await {
                // Whatever it says of `/`: somebody is there.
                Ok(_) | Err(ToolError::Failed { .. } | ToolError::TooLarge { .. }) => asked.push(origin),
                Err(error) => return Err((uri.clone(), error)),
            }
        }
        Ok(())
    }

    pub(crate) fn find(&self, tool: &str) -> Option<&Operation> {
        self.manifest.operations.iter().find(|operation| operation.spec.name == tool)
    }

    /// The file parser, where it has one that takes this file by itself.
    pub(crate) fn taking(&self, file: &Attachment) -> Option<&Operation> {
        let wants = |trigger: &Trigger| match trigger {
            Trigger::FileUploaded { types } => types.is_empty() || types.iter().any(|kind| is_of(file, kind)),
            Trigger::Message { .. } => false,
        };
        let wanted = self.manifest.triggers.iter().any(wants);
        let mut operations = self.manifest.operations.iter();
        operations.find(|one| matches!(one.work, Work::Extract { .. })).filter(|_| wanted)
    }

    /// Where this question is sent by itself.
    pub(crate) fn asked_by(&self, question: &str) -> Option<&Uri> {
        self.manifest.triggers.iter().find_map(|trigger| match trigger {
            Trigger::Message { pattern, endpoint } if pattern.is_match(question) => Some(endpoint),
            _ => None,
        })
    }

    /// One operation, from its arguments to its text. Whoever lacks a permission is told before anything leaves.
    pub(crate) async fn run(&self, operation: &Operation, input: ToolInput) -> Result<ToolAnswer, ToolError> {
        schema::check(&operation.spec.parameters, &input.arguments)?;
        let text = match &operation.work {
            Work::Builtin(builtin) => return Box::pin(builtin.call(self, &input)).await,
            Work::Post { url } => {
                let sent = json_request(Method::POST, url.clone(), &input.arguments);
                self.send(self.with_settings(sent)?).await?.text()
            }
            Work::Http { method, url, params, body } => {
                let sent = request(method, url, params, *body, &input.arguments)?;
                self.send(sent).await?.text()
            }
            Work::Extract { upload, extract } => {
                self.must(Permission::ReadFiles)?;
                self.extract(upload, extract, &input.files).await
            }
            Work::Mcp(remote) => {
                let name = &operation.spec.name;
                let server = self.server.as_ref().ok_or_else(|| ToolError::NotFound { name: name.clone() })?;
                let _turn = self.turn().await?;
                server.call(self, remote, &input.arguments).await
            }
        };
        text.map(ToolAnswer::from)
    }

    /// A question that a trigger sends: its text, and nothing of who asked.
    pub(crate) async fn look_up(&self, endpoint: &Uri, question: &str) -> Result<ToolAnswer, ToolError> {
        let sent = json_request(Method::POST, endpoint.clone(), &json!({ "text": question }));
        self.send(sent).await?.text().map(ToolAnswer::from)
    }

    async fn extract(&self, upload: &Uri, extract: &Uri, files: &[Attachment]) -> Result<String, ToolError> {
        let [file] = files else {
            let reason = "it takes one file".to_owned();
            return Err(ToolError::Invalid { field: "file".to_owned(), reason });
        };
        let uploaded = self.send(form(upload, file)).await?.text()?;
        let told: Value = match serde_json::from_str(&uploaded) {
            Ok(object @ Value::Object(_)) => object,
            Ok(other) => json!({ "upload": other }),
            Err(_) => json!({ "upload": uploaded }),
        };
        let said = self.send(json_request(Method::POST, extract.clone(), &told)).await?.text()?;
        // The words for it that such services use; without one of them, all that it said.
        let answer: Value = serde_json::from_str(&said).unwrap_or(Value::Null);
        let text = ["text", "content", "result"].iter().find_map(|name| answer[*name].as_str()).map(str::to_owned);
        Ok(text.unwrap_or(said))
    }

    async fn send(&self, sent: Sent) -> Result<Heard, ToolError> {
        self.may(&sent)?;
        let _turn = self.turn().await?;
        let sent = self.proven(sent).await?;
        self.line.exchange(sent).await
    }

    /// Sends a request that was proven, and returns with the head of its answer. Who asks sees to the time.
    pub(crate) async fn open(&self, sent: Sent) -> Result<Response<egress::Body>, ToolError> {
        Ok(self.line.open(sent).await?.1)
    }

    /// How long one call may take.
    pub(crate) fn patience(&self) -> Duration {
        self.line.timeout
    }

    /// Its way out.
    pub(crate) fn way(&self) -> Arc<Egress> {
        Arc::clone(&self.line.egress)
    }

    /// The same request with the plugin's proof, if it may be sent at all.
    pub(crate) async fn proven(&self, mut sent: Sent) -> Result<Sent, ToolError> {
        self.may(&sent)?;
        let proof = self.manifest.auth.prove(&self.secrets, &self.token, &self.line, &*self.clock, &mut sent);
        Box::pin(proof).await?;
        Ok(sent)
    }

    fn may(&self, sent: &Sent) -> Result<(), ToolError> {
        let origin = Origin::of(&sent.uri).map_err(crate::http::told)?;
        self.must(Permission::Net(origin.host().to_owned()))?;
        // A request to where the policy leads nowhere shows no secret, not even to the place where tokens are had.
        self.line.egress.check(&sent.uri).map_err(crate::http::told)
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, ToolError> {
        let late = || ToolError::TimedOut { after: TIMEOUT };
        let turn = tokio::time::timeout(TIMEOUT, self.turn.acquire()).await.map_err(|_| late())?;
        turn.map_err(|_| late())
    }

    pub(crate) fn must(&self, permission: Permission) -> Result<(), ToolError> {
        if self.grants.iter().any(|grant| grant.covers(&permission)) {
            return Ok(());
        }
        Err(ToolError::NotPermitted { permission: permission.to_string() })
    }

    /// A LobeChat plugin reads its settings from a header, as JSON in ASCII.
    fn with_settings(&self, mut sent: Sent) -> Result<Sent, ToolError> {
        let settings: Vec<_> =
            self.secrets.iter().filter(|(name, _)| self.manifest.secrets.contains_key(*name)).collect();
        if self.manifest.kind != Kind::LobeChat || settings.is_empty() {
            return Ok(sent);
        }
        let text = serde_json::Value::Object(
            settings.into_iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect(),
        );
        let mut ascii = String::new();
        for c in text.to_string().chars() {
            match c.is_ascii() {
                true => ascii.push(c),
                false => c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}"))),
            }
        }
        let mut value = HeaderValue::from_str(&ascii)
            .map_err(|_| ToolError::Failed { reason: "its settings cannot be sent".to_owned() })?;
        value.set_sensitive(true);
        sent.headers.insert(HeaderName::from_static("x-lobe-plugin-settings"), value);
        Ok(sent)
    }
}

/// What its grants open, and nothing else.
fn openings(manifest: &Manifest, choices: &Choices, grants: &BTreeSet<Permission>) -> Vec<Opening> {
    let mut all: Vec<Opening> = Vec::new();
    let mut asked: Vec<Origin> = manifest.addresses.iter().filter_map(|uri| Origin::of(uri).ok()).collect();
    asked.extend(manifest.database.as_ref().and_then(sql::Database::origin));
    if manifest.permissions.contains(&Permission::anywhere()) {
        // Of who asked for the whole web and was granted a few hosts: these, as the web is reached.
        let known = |origin: &Origin| asked.iter().any(|one| one.host() == origin.host());
        let web: Vec<Origin> = grants.iter().flat_map(Permission::web).filter(|origin| !known(origin)).collect();
        asked.extend(web);
    }
    for origin in asked {
        if grants.contains(&Permission::Net(origin.host().to_owned())) && all.iter().all(|one| one.origin != origin) {
            let private = choices.private || origin.is_written_out();
            all.push(Opening { origin, private });
        }
    }
    all
}

/// Whether a file is of this type: a media type, one of a family, or an ending of its name.
fn is_of(file: &Attachment, kind: &str) -> bool {
    let media = file.media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind.starts_with('.') {
        return file.name.to_ascii_lowercase().ends_with(kind);
    }
    match kind.strip_suffix("/*") {
        Some(family) => media.split('/').next() == Some(family),
        None => media == kind,
    }
}

/// One of a plugin's tools.
pub(crate) struct PluginTool {
    plugin: Arc<Plugin>,
    spec: ToolSpec,
}

impl PluginTool {
    pub(crate) fn of(plugin: &Arc<Plugin>, tool: &str) -> Option<PluginTool> {
        let spec = plugin.find(tool)?.spec.clone();
        Some(PluginTool { plugin: Arc::clone(plugin), spec })
    }
}

impl Tool for PluginTool {
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    fn call<'a>(&'a self, _: &'a Caller, mut input: ToolInput) -> BoxFuture<'a, Result<ToolAnswer, ToolError>> {
        Box::pin(async move {
            let name = self.spec.name.clone();
            let operation = self.plugin.find(&name).ok_or(ToolError::NotFound { name })?;
            if !self.plugin.grants.contains(&Permission::ReadFiles) {
                input.files.clear();
            }
            self.plugin.run(operation, input).await
        })
    }
}

fn json_request(method: Method, uri: Uri, body: &Value) -> Sent {
    let mut headers = accepting();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Sent { method, uri, headers, body: body.to_string().into() }
}

fn accepting() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/*;q=0.9"));
    headers
}

/// The request of an operation with these arguments. They go where the description says, escaped: an argument never makes a path.
fn request(method: &Method, url: &str, params: &[Param], body: bool, arguments: &Value) -> Result<Sent, ToolError> {
    let invalid = |name: &str, reason: &str| ToolError::Invalid { field: name.to_owned(), reason: reason.to_owned() };
    let (mut url, mut query, mut headers) = (url.to_owned(), Vec::new(), accepting());
    for Param { name, place } in params {
        let values = match &arguments[name] {
            Value::Null => continue,
            Value::Array(items) => items.iter().map(plain).collect(),
            one => vec![plain(one)],
        };
        match place {
            ParamPlace::Path => {
                let joined = values.join(",");
                if joined.is_empty() || joined == "." || joined == ".." {
                    return Err(invalid(name, "it cannot stand in a path"));
                }
                url = url.replace(&format!("{{{name}}}"), &encoded(&joined));
            }
            ParamPlace::Query => {
                query.extend(values.iter().map(|value| format!("{}={}", encoded(name), encoded(value))));
            }
            ParamPlace::Header => {
                let header = HeaderName::try_from(name).map_err(|_| invalid(name, "it is no header"))?;
                let value = HeaderValue::from_str(&values.join(","));
                headers.insert(header, value.map_err(|_| invalid(name, "it cannot be sent in a header"))?);
            }
        }
    }
    if !query.is_empty() {
        url = format!("{url}{}{}", if url.contains('?') { '&' } else { '?' }, query.join("&"));
    }
    let uri: Uri = url.parse().map_err(|_| invalid("arguments", "they make no address"))?;
    let mut sent = Sent { method: method.clone(), uri, headers, body: Bytes::new() };
    if body && !arguments["body"].is_null() {
        sent.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        sent.body = arguments["body"].to_string().into();
    }
    Ok(sent)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A file as a form with the one field `file` (RFC 7578).
fn form(uri: &Uri, file: &Attachment) -> Sent {
    let boundary = (0_u32..)
        .map(|n| format!("portico-file-{n}"))
        .find(|boundary| memchr::memmem::find(&file.bytes, boundary.as_bytes()).is_none())
        .unwrap_or_default();
    // As browsers escape it (WHATWG, multipart/form-data).
    let name = file.name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let kind: String = file.media_type.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').collect();
    let mut body = BytesMut::new();
    body.extend_from_slice(
        format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: {kind}\r\n\r\n"
        )
        .as_bytes(),
    );
    body.extend_from_slice(&file.bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let mut headers = accepting();
    if let Ok(kind) = HeaderValue::from_str(&format!("multipart/form-data; boundary={boundary}")) {
        headers.insert(CONTENT_TYPE, kind);
    }
    Sent { method: Method::POST, uri: uri.clone(), headers, body: body.freeze() }
}
