//! A server at an address: each message is a request (Streamable HTTP), and the answer comes as JSON or in a stream of events, on which
//! the server may ask, too. Everything goes through the plugin's own way out.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::ToolError;
use egress::{Body, Egress};
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use openai::{Decoder, frames};
use serde_json::Value;
use tokio::task::JoinSet;

use super::session::{Fault, Heard, answers, cancelled, failed, messages};
use super::{LARGEST_MESSAGE, filled};
use crate::auth::Secrets;
use crate::http::Sent;
use crate::mask::cut;
use crate::plugin::Plugin;

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const LAST_EVENT: HeaderName = HeaderName::from_static("last-event-id");

/// How long a word that nobody waits for may take.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long is waited before a stream that broke off is asked for again, where the server does not say.
const AGAIN: Duration = Duration::from_secs(1);
/// The longest that a server may have us wait for that.
const AGAIN_AT_MOST: Duration = Duration::from_secs(10);
/// How often.
const TRIES: usize = 5;

/// A server at an address.
pub(super) struct Http {
    url: Uri,
    headers: HeaderMap,
    heard: Heard,
    /// The session that it gave us.
    session: Mutex<Option<HeaderValue>>,
    /// Words that nobody waits for.
    errands: Arc<Mutex<JoinSet<()>>>,
}

impl Http {
    pub(super) fn new(
        url: Uri,
        headers: &[(HeaderName, String)],
        secrets: &Secrets,
        heard: Heard,
    ) -> Result<Http, ToolError> {
        let mut all = HeaderMap::new();
        for (name, written) in headers {
            let mut value = HeaderValue::from_str(&filled(written, secrets))
                .map_err(|_| failed(format!("the header {name} cannot be sent as it is set")))?;
            value.set_sensitive(true);
            all.insert(name.clone(), value);
        }
        all.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        all.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        Ok(Http { url, headers: all, heard, session: Mutex::default(), errands: Arc::default() })
    }

    /// From now on every request says this version.
    pub(super) fn speak(&mut self, version: &str) -> Result<(), ToolError> {
        let value = HeaderValue::from_str(version).map_err(|_| failed("its version of the protocol is no text"))?;
        self.headers.insert(VERSION, value);
        Ok(())
    }

    pub(super) async fn ask(
        &self,
        plugin: &Plugin,
        id: u64,
        message: &Value,
        may_cancel: bool,
    ) -> Result<Value, Fault> {
        let sent = plugin.proven(self.request(Method::POST, message)).await?;
        let mut waits = Waits { http: self, way: plugin.way(), sent: sent.clone(), id, may_cancel };
        let response = plugin.open(sent).await?;
        let answer = self.answer(plugin, id, response).await;
        waits.may_cancel = false;
        answer
    }

    pub(super) async fn tell(&self, plugin: &Plugin, message: &Value) -> Result<(), Fault> {
        let sent = plugin.proven(self.request(Method::POST, message)).await?;
        let response = plugin.open(sent).await?;
        self.welcome(response).await.map(|_| ())
    }

    /// Has the server forget the session; that it will not is no matter.
    pub(super) async fn close(&self, plugin: &Plugin) {
        if self.session.lock().unwrap_or_else(PoisonError::into_inner).is_none() {
            return;
        }
        let mut sent = self.request(Method::DELETE, &Value::Null);
        sent.body = Bytes::new();
        let leave = async {
            let sent = plugin.proven(sent).await?;
            plugin.open(sent).await
        };
        let _ = tokio::time::timeout(FAREWELL, Box::pin(leave)).await;
    }

    fn request(&self, method: Method, message: &Value) -> Sent {
        let mut headers = self.headers.clone();
        if let Some(session) = &*self.session.lock().unwrap_or_else(PoisonError::into_inner) {
            headers.insert(SESSION, session.clone());
        }
        Sent { method, uri: self.url.clone(), headers, body: message.to_string().into() }
    }

    /// What came is an answer of some kind, or why not.
    async fn welcome(&self, response: Response<Body>) -> Result<Response<Body>, Fault> {
        let status = response.status();
        if status.is_success() {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            if let (None, Some(given)) = (&*session, response.headers().get(&SESSION)) {
                let mut given = given.clone();
                given.set_sensitive(true);
                *session = Some(given);
            }
            drop(session);
            return Ok(response);
        }
        let has_session = self.session.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if status == StatusCode::NOT_FOUND && has_session {
            return Err(Fault::Forgotten);
        }
        let said = read(response.into_body()).await.unwrap_or_default();
        let value = serde_json::from_slice::<Value>(&said).unwrap_or_default();
        let said = value["error"]["message"].as_str().map_or_else(|| String::from_utf8_lossy(&said), Into::into);
        let said = cut(said.trim(), 300);
        let hint = match status.as_u16() {
            401 => ": it asks for a proof, or another one",
            405 => ": no streamable HTTP is spoken there",
            _ => "",
        };
        Err(failed(format!("status {}{hint}: {said}", status.as_u16())).into())
    }

    async fn answer(&self, plugin: &Plugin, id: u64, response: Response<Body>) -> Result<Value, Fault> {
        let response = self.welcome(response).await?;
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.to_ascii_lowercase().starts_with("text/event-stream") {
            let kind = kind.to_owned();
            let body = read(response.into_body()).await?;
            let value: Value = serde_json::from_slice(&body).map_err(|_| {
                failed(format!("it answered with {kind:?} of {} bytes, which is no message", body.len()))
            })?;
            let found = messages(value).into_iter().find(|message| answers(message, id));
            return found.ok_or_else(|| failed("it answered another question").into());
        }
        let mut stream = Events::new(response.into_body());
        for _ in 0..TRIES {
            while let Some(event) = stream.next().await? {
                for message in event {
                    if answers(&message, id) {
                        return Ok(message);
                    }
                    if let Some(back) = self.heard.take(&message) {
                        // The stream waits meanwhile: it is the server's own question.
                        self.back(plugin, &back).await?;
                    }
                }
            }
            // A stream with numbered events that ends early may be asked for again (Resumability).
            let Some(last) = stream.last.take() else { break };
            tokio::time::sleep(stream.again.min(AGAIN_AT_MOST)).await;
            let mut sent = self.request(Method::GET, &Value::Null);
            sent.body = Bytes::new();
            sent.headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
            sent.headers.remove(CONTENT_TYPE);
            sent.headers.insert(LAST_EVENT, last);
            let sent = plugin.proven(sent).await?;
            let response = self.welcome(plugin.open(sent).await?).await?;
            stream = Events { again: stream.again, ..Events::new(response.into_body()) };
        }
        Err(failed("its stream ended without an answer").into())
    }

    async fn back(&self, plugin: &Plugin, message: &Value) -> Result<(), Fault> {
        Box::pin(self.tell(plugin, message)).await
    }
}

/// A question that is being waited for. Dropped before its end, it is called back with the proof that it was asked with.
struct Waits<'h> {
    http: &'h Http,
    way: Arc<Egress>,
    sent: Sent,
    id: u64,
    may_cancel: bool,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if !self.may_cancel || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let mut request = Request::new(Full::new(Bytes::from(cancelled(self.id).to_string())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.sent.uri.clone();
        *request.headers_mut() = std::mem::take(&mut self.sent.headers);
        let way = Arc::clone(&self.way);
        let mut errands = self.http.errands.lock().unwrap_or_else(PoisonError::into_inner);
        while errands.try_join_next().is_some() {}
        errands.spawn(async move {
            let _ = tokio::time::timeout(FAREWELL, way.request(request)).await;
        });
    }
}

async fn read(mut body: Body) -> Result<Bytes, ToolError> {
    let mut all = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failed(format!("its answer broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if all.len() + data.len() > LARGEST_MESSAGE {
            return Err(ToolError::TooLarge { what: "the answer", limit: LARGEST_MESSAGE });
        }
        all.extend_from_slice(&data);
    }
    Ok(all.freeze())
}

/// The messages of a stream of events.
struct Events {
    body: Body,
    decoder: Decoder,
    waiting: std::collections::VecDeque<Vec<Value>>,
    /// The id of the last event.
    last: Option<HeaderValue>,
    again: Duration,
}

impl Events {
    fn new(body: Body) -> Events {
        let decoder = Decoder::new(LARGEST_MESSAGE);
        Events { body, decoder, waiting: Default::default(), last: None, again: AGAIN }
    }

    /// The messages of the next event; `None` where the stream is over or has broken off.
    async fn next(&mut self) -> Result<Option<Vec<Value>>, ToolError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Some(event));
            }
            let Some(Ok(frame)) = self.body.frame().await else { return Ok(None) };
            let Ok(data) = frame.into_data() else { continue };
            let too_large = |_| ToolError::TooLarge { what: "the answer", limit: LARGEST_MESSAGE };
            let whole = self.decoder.feed(data).map_err(too_large)?;
            for frame in frames(&whole) {
                self.note(frame.raw);
                let read = frame.data.and_then(|data| serde_json::from_slice::<Value>(&data).ok());
                self.waiting.extend(read.map(messages));
            }
        }
    }

    /// Where a stream is to go on from, and when.
    fn note(&mut self, raw: &[u8]) {
        for line in raw.split(|byte| matches!(byte, b'\n' | b'\r')) {
            if let Some(id) = line.strip_prefix(b"id:") {
                let id = id.strip_prefix(b" ").unwrap_or(id);
                self.last = HeaderValue::from_bytes(id).ok().filter(|id| !id.is_empty());
            } else if let Some(ms) = line.strip_prefix(b"retry:") {
                let ms = std::str::from_utf8(ms).ok().and_then(|ms| ms.trim().parse().ok());
                self.again = ms.map_or(self.again, Duration::from_millis);
            }
        }
    }
}
