//! How a plugin proves itself to its service: what is needed for it, and what it adds to a request. The secrets' values come and go;
//! where they are kept is the gateway's.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use domain::{Clock, ToolError};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, Method, Uri};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::http::{Line, Sent, encoded};

/// A token is asked for anew this long before its end.
const SPARE: Duration = Duration::from_secs(30);

/// Which way.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Auth {
    /// It is not asked.
    #[default]
    None,
    /// The secret `key`, as it is.
    Key {
        /// `header` or `query`.
        r#in: KeyPlace,
        /// The header's or parameter's name.
        name: String,
    },
    /// The secret `token`.
    Bearer,
    /// The secrets `user` and `password`.
    Basic,
    /// OAuth 2.0 client credentials (RFC 6749, 4.4) with the secrets `client_id` and `client_secret`.
    ClientCredentials {
        /// Where the token is had.
        token_url: String,
        /// Separated by spaces; empty where none is asked for.
        #[serde(default)]
        scope: String,
    },
}

/// Where a key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPlace {
    /// Into a header.
    Header,
    /// Into the address.
    Query,
}

/// The values of the secrets, by name.
pub(crate) type Secrets = BTreeMap<String, String>;

/// A token, and until when it is good, on the monotonic clock.
pub(crate) type Token = Mutex<Option<(String, Duration)>>;

impl Auth {
    /// The names of the secrets that it needs.
    pub fn secrets(&self) -> &'static [&'static str] {
        match self {
            Auth::None => &[],
            Auth::Key { .. } => &["key"],
            Auth::Bearer => &["token"],
            Auth::Basic => &["user", "password"],
            Auth::ClientCredentials { .. } => &["client_id", "client_secret"],
        }
    }

    /// Adds the proof to a request.
    pub(crate) async fn prove(
        &self,
        secrets: &Secrets,
        token: &Token,
        line: &Line,
        clock: &dyn Clock,
        sent: &mut Sent,
    ) -> Result<(), ToolError> {
        let secret = |name: &str| secrets.get(name).map_or("", String::as_str);
        match self {
            Auth::None => Ok(()),
            Auth::Key { r#in: KeyPlace::Header, name } => {
                let name = HeaderName::try_from(name).map_err(|_| unfit("the key's header"))?;
                sent.headers.insert(name, value(secret("key"))?);
                Ok(())
            }
            Auth::Key { r#in: KeyPlace::Query, name } => {
                sent.uri = with_query(&sent.uri, name, secret("key"))?;
                Ok(())
            }
            Auth::Bearer => {
                sent.headers.insert(AUTHORIZATION, value(&format!("Bearer {}", secret("token")))?);
                Ok(())
            }
            Auth::Basic => {
                sent.headers.insert(AUTHORIZATION, basic(secret("user"), secret("password"))?);
                Ok(())
            }
            Auth::ClientCredentials { token_url, scope } => {
                let mut held = token.lock().await;
                let now = clock.monotonic();
                let text = match &*held {
                    Some((text, until)) if now < *until => text.clone(),
                    _ => {
                        let (text, lasts) = fetch(line, token_url, scope, secrets).await?;
                        *held = Some((text.clone(), now + lasts.saturating_sub(SPARE)));
                        text
                    }
                };
                sent.headers.insert(AUTHORIZATION, value(&format!("Bearer {text}"))?);
                Ok(())
            }
        }
    }
}

/// A new token and how long it is good.
async fn fetch(line: &Line, url: &str, scope: &str, secrets: &Secrets) -> Result<(String, Duration), ToolError> {
    let secret = |name: &str| secrets.get(name).map_or("", String::as_str);
    let uri: Uri = url.parse().map_err(|_| unfit("the token's address"))?;
    let mut body = "grant_type=client_credentials".to_owned();
    if !scope.is_empty() {
        body.push_str(&format!("&scope={}", encoded(scope)));
    }
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    headers.insert(AUTHORIZATION, basic(&encoded(secret("client_id")), &encoded(secret("client_secret")))?);
    let heard = line.exchange(Sent { method: Method::POST, uri, headers, body: Bytes::from(body) }).await?;
    let refused = |reason: String| ToolError::Failed { reason: format!("no token from {url}: {reason}") };
    if !heard.status.is_success() {
        return Err(refused(format!("status {}", heard.status.as_u16())));
    }
    let answer: serde_json::Value =
        serde_json::from_slice(&heard.body).map_err(|_| refused("the answer is no JSON".to_owned()))?;
    let token = answer["access_token"].as_str().ok_or_else(|| refused("there is no access_token in it".to_owned()))?;
    // RFC 6749, 5.1: where nothing is said, a token may end at any time; five minutes are asked for no more than once each.
    let lasts = answer["expires_in"].as_u64().unwrap_or(300);
    Ok((token.to_owned(), Duration::from_secs(lasts)))
}

fn basic(user: &str, password: &str) -> Result<HeaderValue, ToolError> {
    value(&format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

fn value(text: &str) -> Result<HeaderValue, ToolError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| unfit("a secret"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn unfit(what: &str) -> ToolError {
    ToolError::Failed { reason: format!("{what} cannot be sent as it is set") }
}

/// The same address with one more parameter.
pub(crate) fn with_query(uri: &Uri, name: &str, value: &str) -> Result<Uri, ToolError> {
    let mark = if uri.query().is_some() { '&' } else { '?' };
    format!("{uri}{mark}{}={}", encoded(name), encoded(value)).parse().map_err(|_| unfit("a parameter"))
}
