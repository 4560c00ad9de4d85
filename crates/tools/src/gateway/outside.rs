//! What the gateway asks outside without calling a tool: whether a plugin's service is there, and a manifest from where it is published.

use std::time::Duration;

use bytes::Bytes;
use domain::{Caller, ToolError};
use egress::{Opening, Origin};
use http::header::{ACCEPT, HeaderValue};
use http::{HeaderMap, Method, Uri};
use serde_json::Value;

use super::{Gateway, Installed, shown};
use crate::error::{Error, Flaw};
use crate::http::{Line, Sent};

/// How long a manifest may take.
const PATIENCE: Duration = Duration::from_secs(20);

impl Gateway {
    /// Tries a plugin again: whether something answers at its addresses, with what it was granted. No tool is called and no secret is sent.
    pub async fn probe(&self, caller: &Caller, name: &str) -> Result<Installed, Error> {
        let held = self.held();
        let mut own = held.iter().filter(|(tenant, ..)| *tenant == caller.tenant);
        let (_, plugin, choices) = own.find(|(_, plugin, _)| plugin.manifest.name == name).ok_or(Error::NotFound)?;
        let answered = Box::pin(plugin.probe()).await;
        let unreachable = answered.err().map(|(uri, error)| Flaw::new("address", format!("{uri}: {error}")));
        Ok(Installed { unreachable, ..shown(plugin, choices) })
    }

    /// A manifest from its address, as it is written there. It is asked for once, with nothing but its address; where that is a name
    /// that leads into a private network, `private` must say that this is meant.
    pub async fn published(&self, address: &str, private: bool) -> Result<Value, Error> {
        let flawed = |message: String| Error::from(vec![Flaw::new("url", message)]);
        let uri: Uri = address.trim().parse().map_err(|error: http::uri::InvalidUri| flawed(error.to_string()))?;
        let origin = Origin::of(&uri).map_err(|error| flawed(error.to_string()))?;
        let private = private || origin.is_written_out();
        let line = Line { egress: self.inner.egress.confined(vec![Opening { origin, private }]), timeout: PATIENCE };
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
