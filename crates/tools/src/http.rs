//! One request of a plugin, from its clock to its size: timeouts, the one retry where nothing can have happened twice, redirects
//! checked like the first address. Where it may go is the confined client's word.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use domain::ToolError;
use egress::Egress;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};

/// The largest answer that is read, in bytes.
pub(crate) const LARGEST_ANSWER: usize = 2 << 20;
/// The largest request that is sent, in bytes.
pub(crate) const LARGEST_REQUEST: usize = 64 << 20;
/// How many redirects are followed.
const REDIRECTS: usize = 3;
/// How long is waited before the one other try.
const BREATH: Duration = Duration::from_millis(200);

/// A plugin's way out.
pub(crate) struct Line {
    pub(crate) egress: Arc<Egress>,
    /// For one exchange, its tries and redirects included.
    pub(crate) timeout: Duration,
}

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Heard {
    /// Who answered in the end, after redirects.
    pub(crate) uri: Uri,
    pub(crate) status: StatusCode,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

impl Heard {
    /// What it says, or why it says nothing that can be used.
    pub(crate) fn text(self) -> Result<String, ToolError> {
        let kind = self.content_type.to_ascii_lowercase();
        let readable =
            kind.is_empty() || ["text/", "json", "xml", "yaml", "csv"].iter().any(|part| kind.contains(part));
        let text = match String::from_utf8(self.body.to_vec()) {
            Ok(text) if readable => text,
            _ => return Err(ToolError::Failed { reason: format!("it answered with {kind:?}, which is no text") }),
        };
        if self.status.is_success() {
            return Ok(if text.trim().is_empty() { format!("(status {})", self.status.as_u16()) } else { text });
        }
        let said = crate::mask::cut(text.trim(), 500);
        Err(ToolError::Failed { reason: format!("status {}: {said}", self.status.as_u16()) })
    }
}

impl Line {
    /// Sends it and reads the answer, whatever its status.
    pub(crate) async fn exchange(&self, sent: Sent) -> Result<Heard, ToolError> {
        if sent.body.len() > LARGEST_REQUEST {
            return Err(ToolError::TooLarge { what: "the request", limit: LARGEST_REQUEST });
        }
        let all = Box::pin(async {
            // Asked twice is asked once, for these alone (RFC 9110, 9.2.2).
            let safe = matches!(sent.method, Method::GET | Method::HEAD);
            let first = self.follow(sent.clone()).await;
            if !safe || !passing(&first) {
                return first;
            }
            tokio::time::sleep(BREATH).await;
            self.follow(sent).await
        });
        match tokio::time::timeout(self.timeout, all).await {
            Ok(heard) => heard,
            Err(_) => Err(ToolError::TimedOut { after: self.timeout }),
        }
    }

    async fn follow(&self, sent: Sent) -> Result<Heard, ToolError> {
        let (uri, answer) = self.open(sent).await?;
        let status = answer.status();
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let content_type = kind.to_owned();
        let body = self.read(answer.into_body()).await?;
        Ok(Heard { uri, status, content_type, body })
    }

    /// Sends it once, follows redirects, and returns with where it led and the head of the answer. How long it may take is the asker's to see to.
    pub(crate) async fn open(&self, mut sent: Sent) -> Result<(Uri, Response<egress::Body>), ToolError> {
        for _ in 0..=REDIRECTS {
            let mut request = Request::new(Full::new(sent.body.clone()));
            *request.method_mut() = sent.method.clone();
            *request.uri_mut() = sent.uri.clone();
            *request.headers_mut() = sent.headers.clone();
            let answer = self.egress.request(request).await.map_err(told)?;
            let Some(next) = redirected(answer.status(), answer.headers()) else { return Ok((sent.uri, answer)) };
            sent = onward(sent, &next?, answer.status())?;
        }
        Err(ToolError::Failed { reason: format!("it redirects more than {REDIRECTS} times") })
    }

    async fn read(&self, mut body: egress::Body) -> Result<Bytes, ToolError> {
        let mut all = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| ToolError::Failed { reason: format!("its answer broke off: {error}") })?;
            let Ok(data) = frame.into_data() else { continue };
            if all.len() + data.len() > LARGEST_ANSWER {
                return Err(ToolError::TooLarge { what: "the answer", limit: LARGEST_ANSWER });
            }
            all.extend_from_slice(&data);
        }
        Ok(all.freeze())
    }
}

/// Whether another try may find it well.
fn passing(heard: &Result<Heard, ToolError>) -> bool {
    match heard {
        Ok(heard) => matches!(heard.status.as_u16(), 502..=504),
        Err(error) => matches!(error, ToolError::Unreachable { .. }),
    }
}

fn redirected(status: StatusCode, headers: &HeaderMap) -> Option<Result<String, ToolError>> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = headers.get(LOCATION).and_then(|to| to.to_str().ok()).map(str::to_owned);
    Some(location.ok_or_else(|| ToolError::Failed { reason: "it redirects to nowhere".to_owned() }))
}

/// The request that a redirect asks for. To another origin it goes without the headers: they may hold secrets.
fn onward(sent: Sent, location: &str, status: StatusCode) -> Result<Sent, ToolError> {
    let lost = || ToolError::Failed { reason: "it redirects to an address that cannot be read".to_owned() };
    let joined = joined(&sent.uri, location).ok_or_else(lost)?;
    let uri: Uri = joined.parse().map_err(|_| lost())?;
    let same = egress::Origin::of(&uri).map_err(told)? == egress::Origin::of(&sent.uri).map_err(told)?;
    let again = matches!(status.as_u16(), 307 | 308) || sent.method == Method::GET || sent.method == Method::HEAD;
    let mut headers = if same { sent.headers } else { HeaderMap::new() };
    if again {
        if let (false, Some(kind)) = (same, headers.remove(CONTENT_TYPE)) {
            headers.insert(CONTENT_TYPE, kind);
        }
        return Ok(Sent { method: sent.method, uri, headers, body: sent.body });
    }
    headers.remove(CONTENT_TYPE);
    Ok(Sent { method: Method::GET, uri, headers, body: Bytes::new() })
}

/// Where a location leads from here (RFC 3986, 5.2).
fn joined(from: &Uri, location: &str) -> Option<String> {
    let (scheme, authority) = (from.scheme_str()?, from.authority()?);
    if location.starts_with("//") {
        return Some(format!("{scheme}:{location}"));
    }
    if location.starts_with('/') {
        return Some(format!("{scheme}://{authority}{location}"));
    }
    if location.starts_with('?') {
        return Some(format!("{scheme}://{authority}{}{location}", from.path()));
    }
    // A scheme stands before any other sign.
    let word = location.find(|c: char| !(c.is_ascii_alphanumeric() || "+-.".contains(c)));
    if word.is_some_and(|at| location[at..].starts_with(':')) {
        return Some(location.to_owned());
    }
    let folder = from.path().rfind('/').map_or("/", |at| &from.path()[..=at]);
    let (path, query) = location.split_at(location.find(['?', '#']).unwrap_or(location.len()));
    let mut parts: Vec<&str> = Vec::new();
    let path = format!("{folder}{path}");
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    Some(format!("{scheme}://{authority}/{}{query}", parts.join("/")))
}

/// A failure of the way out, as a tool's.
pub(crate) fn told(error: egress::Error) -> ToolError {
    match error {
        egress::Error::Forbidden { url, reason } | egress::Error::BadUrl { url, reason } => {
            ToolError::Forbidden { url, reason }
        }
        egress::Error::Unreachable { url, reason } | egress::Error::Cut { url, reason } => {
            ToolError::Unreachable { url, reason }
        }
        egress::Error::ConnectTimeout { after, .. } => ToolError::TimedOut { after },
        other => ToolError::Failed { reason: other.to_string() },
    }
}

/// A text as it stands in an address: all but RFC 3986's unreserved characters escaped.
pub(crate) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_where_browsers_go() {
        let from: Uri = "https://a.example:8443/x/y?q=1".parse().unwrap();
        for (location, expected) in [
            ("/z", "https://a.example:8443/z"),
            ("//b.example/z", "https://b.example/z"),
            ("z?p=2", "https://a.example:8443/x/z?p=2"),
            ("../z/./w?p=../2", "https://a.example:8443/z/w?p=../2"),
            ("../../../z", "https://a.example:8443/z"),
            ("?p=2", "https://a.example:8443/x/y?p=2"),
            ("http://c.example/", "http://c.example/"),
            ("file:///etc/passwd", "file:///etc/passwd"),
        ] {
            assert_eq!(joined(&from, location).as_deref(), Some(expected), "{location}");
        }
    }
}
