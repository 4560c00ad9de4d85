//! A conversation with a server: the greeting, questions by number, lists page by page, and what is answered where the server asks.
//! How messages travel is `stdio`'s and `http`'s.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use domain::ToolError;
use serde_json::{Value, json};

use super::http::Http;
use super::stdio::Child;
use super::{MOST_LISTED, Target};
use crate::plugin::Plugin;

/// The versions of the protocol that are spoken, the newest first.
const VERSIONS: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// How many pages of a list are turned: one that leads to itself ends.
const PAGES: usize = 64;

/// What went wrong with one question.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server has forgotten this session; another one may be begun.
    Forgotten,
    /// Why there is no answer.
    Tool(ToolError),
}

impl From<ToolError> for Fault {
    fn from(error: ToolError) -> Fault {
        Fault::Tool(error)
    }
}

impl From<Fault> for ToolError {
    fn from(fault: Fault) -> ToolError {
        match fault {
            Fault::Forgotten => failed("the server forgot the session that it had just begun"),
            Fault::Tool(error) => error,
        }
    }
}

/// What a server said of itself.
#[derive(Debug, Default)]
pub(super) struct Hello {
    pub(super) protocol: String,
    pub(super) server: Value,
    pub(super) instructions: Option<String>,
    capabilities: Value,
}

/// How messages travel.
enum Link {
    Child(Child),
    Http(Box<Http>),
}

pub(super) struct Session {
    link: Link,
    next: AtomicU64,
    pub(super) hello: Hello,
}

impl Session {
    /// Starts or reaches a server, and greets it.
    pub(super) async fn open(plugin: &Plugin, target: &Target, stale: Arc<AtomicBool>) -> Result<Session, Fault> {
        let heard = Heard { stale };
        let link = match target {
            Target::Program(program) => Link::Child(Child::start(program, &plugin.secrets, heard)?),
            Target::Address { url, headers } => {
                Link::Http(Box::new(Http::new(url.clone(), headers, &plugin.secrets, heard)?))
            }
        };
        let mut session = Session { link, next: AtomicU64::new(1), hello: Hello::default() };
        let params = json!({
            "protocolVersion": VERSIONS[0],
            // Elicitation is declined (see `Heard::answer`), which a tool can go on from; not to have it would end some.
            "capabilities": { "elicitation": {} },
            "clientInfo": { "name": "portico", "title": "Portico", "version": env!("CARGO_PKG_VERSION") },
        });
        let said = session.ask(plugin, "initialize", params).await?;
        let protocol = said["protocolVersion"].as_str().unwrap_or_default().to_owned();
        if !VERSIONS.contains(&protocol.as_str()) {
            let spoken = VERSIONS.join(", ");
            return Err(
                failed(format!("it speaks version {protocol:?} of the protocol; here {spoken} are spoken")).into()
            );
        }
        if let Link::Http(http) = &mut session.link {
            http.speak(&protocol)?;
        }
        session.hello = Hello {
            protocol,
            server: said["serverInfo"].clone(),
            instructions: said["instructions"].as_str().map(str::to_owned),
            capabilities: said["capabilities"].clone(),
        };
        session.tell(plugin, json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        Ok(session)
    }

    /// Whether it can be asked as far as is known.
    pub(super) fn is_open(&self) -> bool {
        match &self.link {
            Link::Child(child) => child.is_open(),
            Link::Http(_) => true,
        }
    }

    /// Asks and waits for the answer's `result`. Dropping the future tells the server that nobody waits any more.
    pub(super) async fn ask(&self, plugin: &Plugin, method: &str, params: Value) -> Result<Value, Fault> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let message = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        // A greeting is never called back (Lifecycle, Cancellation).
        let may_cancel = method != "initialize";
        let answer = match &self.link {
            Link::Child(child) => child.ask(id, &message, may_cancel).await?,
            Link::Http(http) => http.ask(plugin, id, &message, may_cancel).await?,
        };
        match answer.get("result") {
            Some(result) => Ok(result.clone()),
            None => Err(refused(&answer["error"]).into()),
        }
    }

    async fn tell(&self, plugin: &Plugin, message: Value) -> Result<(), Fault> {
        match &self.link {
            Link::Child(child) => child.tell(&message).await,
            Link::Http(http) => http.tell(plugin, &message).await,
        }
    }

    /// All pages of a list; nothing where the server does not say that it has such things.
    pub(super) async fn list(&self, plugin: &Plugin, method: &str, key: &str) -> Result<Vec<Value>, Fault> {
        let family = method.split('/').next().unwrap_or_default();
        if !self.hello.capabilities[family].is_object() {
            return Ok(Vec::new());
        }
        let mut all = Vec::new();
        let mut params = json!({});
        for _ in 0..PAGES {
            let mut page = match self.ask(plugin, method, params).await {
                // Not every server that has resources has patterns of them.
                Err(Fault::Tool(ToolError::NotFound { .. })) => break,
                page => page?,
            };
            if let Value::Array(items) = page[key].take() {
                all.extend(items);
            }
            match page["nextCursor"].as_str() {
                Some(cursor) if all.len() < MOST_LISTED => params = json!({ "cursor": cursor }),
                _ => break,
            }
        }
        all.truncate(MOST_LISTED);
        Ok(all)
    }

    pub(super) async fn close(&self, plugin: &Plugin) {
        match &self.link {
            Link::Child(child) => child.close(),
            Link::Http(http) => http.close(plugin).await,
        }
    }
}

/// What to do with what a server says of its own accord.
#[derive(Clone)]
pub(super) struct Heard {
    stale: Arc<AtomicBool>,
}

impl Heard {
    /// Takes a message that answers nothing of ours. What it returns is to be sent back.
    pub(super) fn take(&self, message: &Value) -> Option<Value> {
        let method = message["method"].as_str()?;
        let Some(id) = message.get("id") else {
            if matches!(
                method,
                "notifications/tools/list_changed"
                    | "notifications/resources/list_changed"
                    | "notifications/prompts/list_changed"
            ) {
                self.stale.store(true, Ordering::Relaxed);
            }
            return None;
        };
        Some(match Heard::answer(method) {
            Some(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
            None => {
                let error = json!({ "code": -32601, "message": format!("{method} is not done here") });
                json!({ "jsonrpc": "2.0", "id": id, "error": error })
            }
        })
    }

    /// Models and files of this house are no server's to ask for; nor is a person, as long as the chat cannot show who asks.
    fn answer(method: &str) -> Option<Value> {
        match method {
            "ping" => Some(json!({})),
            "roots/list" => Some(json!({ "roots": [] })),
            "elicitation/create" => Some(json!({ "action": "decline" })),
            _ => None,
        }
    }
}

/// The messages in one piece of JSON: one, or the list that version 2025-03-26 allowed.
pub(super) fn messages(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) => items,
        one => vec![one],
    }
}

/// Whether a message answers the question of this number.
pub(super) fn answers(message: &Value, id: u64) -> bool {
    message.get("method").is_none() && message["id"].as_u64() == Some(id)
}

/// That nobody waits for an answer any more.
pub(super) fn cancelled(id: u64) -> Value {
    let params = json!({ "requestId": id, "reason": "nobody waits for the answer any more" });
    json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })
}

pub(super) fn failed(reason: impl Into<String>) -> ToolError {
    ToolError::Failed { reason: reason.into() }
}

/// A JSON-RPC error, as a tool's.
fn refused(error: &Value) -> ToolError {
    let said = crate::mask::cut(error["message"].as_str().unwrap_or("it said neither an answer nor why"), 1_000);
    match error["code"].as_i64() {
        Some(-32601) => ToolError::NotFound { name: said },
        Some(-32602) => ToolError::Invalid { field: "arguments".to_owned(), reason: said },
        Some(code) => failed(format!("error {code}: {said}")),
        None => failed(said),
    }
}

/// A message as bytes of one line.
pub(super) fn line(message: &Value) -> Vec<u8> {
    let mut bytes = message.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_asks_is_answered_and_what_it_changes_is_noted() {
        let heard = Heard { stale: Arc::default() };
        for (method, expected) in [
            ("ping", json!({ "jsonrpc": "2.0", "id": "a", "result": {} })),
            ("roots/list", json!({ "jsonrpc": "2.0", "id": "a", "result": { "roots": [] } })),
            ("elicitation/create", json!({ "jsonrpc": "2.0", "id": "a", "result": { "action": "decline" } })),
            (
                "sampling/createMessage",
                json!({ "jsonrpc": "2.0", "id": "a", "error": { "code": -32601, "message": "sampling/createMessage is not done here" } }),
            ),
        ] {
            assert_eq!(heard.take(&json!({ "jsonrpc": "2.0", "id": "a", "method": method })), Some(expected));
        }
        assert_eq!(heard.take(&json!({ "method": "notifications/message" })), None);
        assert!(!heard.stale.load(Ordering::Relaxed));
        assert_eq!(heard.take(&json!({ "method": "notifications/tools/list_changed" })), None);
        assert!(heard.stale.load(Ordering::Relaxed));
        assert_eq!(heard.take(&json!({ "id": 1, "result": {} })), None);
    }
}
