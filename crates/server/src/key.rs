//! Programs at the door: the API key they show, and what it may do. People with a session are `caller.rs`'s.

use axum::http::{Extensions, HeaderMap, StatusCode, header};
use identity::Keyholder;

use crate::caller::client_address;
use crate::{Problem, Server};

/// Who holds the key in `Authorization: Bearer` or `X-Api-Key`, from where it may be used. Read from memory: a hot request reads no row.
pub(crate) fn keyholder(server: &Server, headers: &HeaderMap, extensions: &Extensions) -> Result<Keyholder, Problem> {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = sent
        .and_then(|sent| sent.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, key)| key.trim())
        .or_else(|| headers.get("x-api-key").and_then(|value| value.to_str().ok()).map(str::trim))
        .ok_or_else(|| {
            let message = "send an API key as Authorization: Bearer pk-…; you make one under Settings, API keys";
            Problem::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
        })?;
    Ok(server.identity.caller_by_key(key, || client_address(server, headers, extensions))?)
}
