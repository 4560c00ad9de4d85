//! Who is at the door: the session cookie, the client's address behind trusted proxies, and the roles a page needs. API keys
//! are read in `key.rs`.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderValue, header};
use domain::Caller;
use domain::Timestamp;
use identity::{Token, Visitor};

use crate::listen::Peer;
use crate::{Problem, Server};

/// A signed-in person. Every portal handler that reads or writes a tenant's data takes this first.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    pub(crate) caller: Caller,
}

impl FromRequestParts<Server> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Problem> {
        let token = session_token(&parts.headers).ok_or_else(Problem::unauthenticated)?;
        let caller = server.identity.caller_by_session(&token).await?.ok_or_else(Problem::unauthenticated)?;
        Ok(SignedIn { caller })
    }
}

/// A signed-in owner or admin.
#[derive(Debug, Clone)]
pub(crate) struct Administrator {
    pub(crate) caller: Caller,
}

impl FromRequestParts<Server> for Administrator {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Problem> {
        let SignedIn { caller } = SignedIn::from_request_parts(parts, server).await?;
        if !caller.role.administers() {
            return Err(Problem::forbidden());
        }
        Ok(Administrator { caller })
    }
}

/// Where a request came from: the address, and whether the person's side of it is encrypted.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) visitor: Visitor,
    pub(crate) secure: bool,
}

impl FromRequestParts<Server> for Origin {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Self::Rejection> {
        let address = client_address(server, &parts.headers, &parts.extensions);
        let proxied = trusted(server, &peer(&parts.extensions));
        let forwarded_https = text(&parts.headers, "x-forwarded-proto").is_some_and(|proto| proto == "https");
        let secure = server.doors.tls || (proxied && forwarded_https);
        let user_agent = text(&parts.headers, "user-agent").unwrap_or_default().chars().take(256).collect();
        Ok(Origin { visitor: Visitor { address, user_agent }, secure })
    }
}

/// The address of whoever asks: the last one that no trusted proxy has; what stands before it anybody may have written.
pub(crate) fn client_address(server: &Server, headers: &HeaderMap, extensions: &Extensions) -> IpAddr {
    let peer = peer(extensions);
    if !trusted(server, &peer) {
        return peer;
    }
    forwarded_for(headers).rev().find(|address| !trusted(server, address)).unwrap_or(peer)
}

/// The other end of the connection.
fn peer(extensions: &Extensions) -> IpAddr {
    extensions.get::<Peer>().map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.0.ip().to_canonical())
}

fn trusted(server: &Server, address: &IpAddr) -> bool {
    server.doors.trusted_proxies.iter().any(|net| net.contains(address))
}

fn forwarded_for(headers: &HeaderMap) -> impl DoubleEndedIterator<Item = IpAddr> {
    let listed: Vec<IpAddr> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|address| address.trim().parse().ok())
        .collect();
    listed.into_iter()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The cookie's name over http. A secure context has one that no plain-http page can overwrite.
const PLAIN: &str = "portico_session";
const SECURE: &str = "__Host-portico_session";

/// The session token among the cookies, the secure one first.
pub(crate) fn session_token(headers: &HeaderMap) -> Option<String> {
    let cookies = || {
        headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
    };
    let named = |wanted: &str| cookies().find(|(name, _)| *name == wanted).map(|(_, value)| value.to_owned());
    named(SECURE).or_else(|| named(PLAIN)).filter(|token| !token.is_empty())
}

/// `Set-Cookie` for a session of this origin, for so long from `now`; without a token it takes the cookie away.
pub(crate) fn session_cookie(
    origin: &Origin,
    now: Timestamp,
    token: Option<(&Token, Timestamp)>,
) -> Option<HeaderValue> {
    let (name, secure) = if origin.secure { (SECURE, "; Secure") } else { (PLAIN, "") };
    let (value, age) = token.map_or(("", 0), |(token, ends)| (token.as_str(), ends.ms_since(now).max(0) / 1000));
    HeaderValue::from_str(&format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}{secure}")).ok()
}
