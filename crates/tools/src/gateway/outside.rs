//! What the gateway asks outside for no plugin: a manifest from where it is published.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use domain::ToolError;
use egress::{Opening, Origin};
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, Method, Uri};
use serde_json::Value;

use super::Gateway;
use crate::error::{Error, Flaw};
use crate::http::{Line, Sent};

/// How long a manifest may take.
const PATIENCE: Duration = Duration::from_secs(20);

impl Gateway {
    /// A manifest from its address, as it is written there. It is asked for once, with nothing but its address; where that is a name
    /// that leads into a private network, `private` must say that this is meant.
    pub async fn published(&self, address: &str, private: bool) -> Result<Value, Error> {
        let flawed = |message: String| Error::from(vec![Flaw::new("url", message)]);
        let uri: Uri = address.trim().parse().map_err(|error: http::uri::InvalidUri| flawed(error.to_string()))?;
        let origin = Origin::of(&uri).map_err(|error| flawed(error.to_string()))?;
        let private = private || origin.is_written_out();
        let egress = Arc::new(self.inner.egress.confined(vec![Opening { origin, private }]));
        let line = Line { egress, timeout: PATIENCE };
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
        let sent = Sent { method: Method::GET, uri, headers, body: Bytes::new() };
        let heard = Box::pin(line.exchange(sent)).await.and_then(|heard| match heard.status.is_success() {
            true => Ok(heard.body),
            false => Err(ToolError::Failed { reason: format!("status {}", heard.status.as_u16()) }),
        });
        let body = heard.map_err(|error| flawed(error.to_string()))?;
        // Some servers write a byte order mark before it.
        let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&body);
        serde_json::from_slice(text).map_err(|error| flawed(format!("what is there is no JSON: {error}")))
    }
}
