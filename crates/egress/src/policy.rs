//! Where a request may go. Nothing is allowed but what was listed; addresses of the machine's own cloud or link are refused even
//! then, unless the configuration lists them as addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::RwLock;

use http::Uri;

use crate::Error;

/// Scheme, host and port: what a connection is made to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    secure: bool,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an absolute `http` or `https` URL.
    pub fn of(uri: &Uri) -> Result<Origin, Error> {
        let bad = |reason: &str| Error::BadUrl { url: shown(uri), reason: reason.to_owned() };
        let secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err(bad("only http and https are spoken")),
            None => return Err(bad("it must begin with http:// or https://")),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("it names no host"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(bad("a user name or password does not belong in it"));
        }
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        Ok(Origin { secure, host: plain(host), port })
    }

    /// The host in lower case, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether the host is an address or this machine, and no name that leads somewhere.
    pub fn is_written_out(&self) -> bool {
        is_localhost(&self.host) || self.host.parse::<IpAddr>().is_ok()
    }

    /// The port, the scheme's own where none was given.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.secure { "https" } else { "http" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

fn plain(host: &str) -> String {
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase()
}

fn shown(uri: &Uri) -> String {
    match (uri.scheme_str(), uri.host()) {
        (Some(scheme), Some(host)) => format!("{scheme}://{host}"),
        _ => uri.path().chars().take(80).collect(),
    }
}

/// One line of the allow-list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// A host by name or address, at one port or all.
    Host {
        /// In lower case.
        host: String,
        /// All where absent.
        port: Option<u16>,
    },
    /// All addresses of a network. It lists addresses: a name is allowed by being listed itself.
    Network {
        /// Its first address.
        base: IpAddr,
        /// How many leading bits count.
        prefix: u8,
    },
}

impl FromStr for Rule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Rule, Error> {
        let bad = || Error::BadRule { rule: text.to_owned() };
        let text = text.trim();
        if let Some((base, prefix)) = text.split_once('/') {
            let base: IpAddr = base.parse().map_err(|_| bad())?;
            let prefix: u8 = prefix.parse().map_err(|_| bad())?;
            let widest = if base.is_ipv4() { 32 } else { 128 };
            return if prefix <= widest { Ok(Rule::Network { base, prefix }) } else { Err(bad()) };
        }
        if let Ok(address) = plain(text).parse::<IpAddr>() {
            return Ok(Rule::Host { host: address.to_string(), port: None });
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().map_err(|_| bad())?)),
            None => (text, None),
        };
        let host = plain(host);
        let sound = !host.is_empty() && host.chars().all(|c| c.is_alphanumeric() || "-._:".contains(c));
        if sound { Ok(Rule::Host { host, port }) } else { Err(bad()) }
    }
}

impl Rule {
    fn covers(&self, origin: &Origin, address: Option<IpAddr>) -> bool {
        match self {
            Rule::Host { host, port } => *host == origin.host && port.is_none_or(|port| port == origin.port),
            Rule::Network { .. } => address.is_some_and(|address| self.lists(address)),
        }
    }

    /// Whether it lists this very address.
    fn lists(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Rule::Host { host, .. }, _) => host.parse() == Ok(address),
            (Rule::Network { base: IpAddr::V4(base), prefix }, IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(*prefix)).unwrap_or(0);
                base.to_bits() & mask == address.to_bits() & mask
            }
            (Rule::Network { base: IpAddr::V6(base), prefix }, IpAddr::V6(address)) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(*prefix)).unwrap_or(0);
                base.to_bits() & mask == address.to_bits() & mask
            }
            _ => false,
        }
    }
}

/// The rules in force.
#[derive(Debug)]
pub(crate) struct Policy {
    /// From the configuration; these alone can open an address that is otherwise always refused.
    configured: Vec<Rule>,
    /// Added at run time: a provider is allowed by being added.
    added: RwLock<Vec<Origin>>,
    /// Of a confined client: all that it may reach. The lists above open nothing for it then.
    confined: Option<Vec<Opening>>,
    /// Whether a confined client also reaches the web: any host with a public address, at the web's own ports.
    public: bool,
    offline: bool,
}

/// One origin that a confined client may reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Scheme, host and port.
    pub origin: Origin,
    /// Whether it may lie in this machine or in a private network, also where a name leads there.
    pub private: bool,
}

impl Policy {
    pub(crate) fn new(configured: Vec<Rule>, offline: bool) -> Self {
        Policy { configured, added: RwLock::new(Vec::new()), confined: None, public: false, offline }
    }

    /// The same rules without what was added at run time.
    pub(crate) fn configured_alone(&self) -> Self {
        Policy::new(self.configured.clone(), self.offline)
    }

    /// A policy of these openings and no others.
    pub(crate) fn confined(&self, openings: Vec<Opening>) -> Self {
        Policy { confined: Some(openings), ..self.configured_alone() }
    }

    /// The same, and the web beside them.
    pub(crate) fn public(&self, openings: Vec<Opening>) -> Self {
        Policy { public: true, ..self.confined(openings) }
    }

    pub(crate) fn allow(&self, origin: Origin) {
        let mut added = self.added.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !added.contains(&origin) {
            added.push(origin);
        }
    }

    pub(crate) fn allow_only(&self, origins: Vec<Origin>) {
        *self.added.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = origins;
    }

    /// Whether a request may be sent to this origin. A name's addresses are looked at when it has been resolved.
    pub(crate) fn check(&self, origin: &Origin) -> Result<(), String> {
        let address: Option<IpAddr> = origin.host.parse().ok();
        if let Some(openings) = &self.confined {
            let private = match openings.iter().find(|opening| opening.origin == *origin) {
                Some(opening) => opening.private,
                // A host that has an opening has that one alone: another port of it is another origin.
                None if !self.public || openings.iter().any(|opening| opening.origin.host == origin.host) => {
                    return Err("it is none of the addresses that were allowed for this".to_owned());
                }
                None if !matches!(origin.port, 80 | 443) => {
                    return Err(format!("port {} is none of the web's own, which alone were allowed", origin.port));
                }
                None => false,
            };
            if is_localhost(&origin.host) && !private {
                return Err("it is this machine, which was not allowed".to_owned());
            }
            if let Some(address) = address {
                self.check_found(&origin.host, address)?;
            }
        }
        let listed = self.confined.is_some()
            || self.configured.iter().any(|rule| rule.covers(origin, address))
            || self.has_added(origin);
        if !listed {
            return Err("it is not on the list of allowed hosts".to_owned());
        }
        match address {
            Some(address) => self.check_address(address),
            None if self.offline && !is_localhost(&origin.host) => {
                Err("the portal runs offline and looks up no name".to_owned())
            }
            None => Ok(()),
        }
    }

    /// Whether a connection may be made to this address, which a name led to.
    pub(crate) fn check_found(&self, host: &str, address: IpAddr) -> Result<(), String> {
        if let Some(openings) = &self.confined {
            let private = openings.iter().any(|opening| opening.private && opening.origin.host == host);
            let within = inner(address);
            if !private && !is_public(within) {
                return Err(format!("{address} is not a public address, and private ones were not allowed"));
            }
            // However it is wrapped, what is never meant is never meant.
            self.check_address(within)?;
        }
        self.check_address(address)
    }

    /// Whether a connection may be made to this address, however it was found.
    pub(crate) fn check_address(&self, address: IpAddr) -> Result<(), String> {
        let address = address.to_canonical();
        if self.offline && !is_near(address) {
            return Err(format!("the portal runs offline and {address} is a public address"));
        }
        match never(address) {
            Some(kind) if !self.configured.iter().any(|rule| rule.lists(address)) => {
                Err(format!("{address} is {kind}"))
            }
            _ => Ok(()),
        }
    }

    fn has_added(&self, origin: &Origin) -> bool {
        self.added.read().unwrap_or_else(|poisoned| poisoned.into_inner()).contains(origin)
    }
}

pub(crate) fn is_localhost(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

/// Loopback and private networks (RFC 1918, RFC 4193, and RFC 6598 which some clusters use).
fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && v4.octets()[1] & 0xC0 == 64;
            v4.is_loopback() || v4.is_private() || v4.is_link_local() || shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// The IPv4 address inside an IPv6 one: mapped (RFC 4291), NAT64 (RFC 6052), 6to4 (RFC 3056); else the address itself.
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address.to_canonical() else { return address.to_canonical() };
    let v4 = |high: u16, low: u16| IpAddr::V4(((u32::from(high) << 16) | u32::from(low)).into());
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4(high, low),
        _ => IpAddr::V6(v6),
    }
}

/// Whether an address lies in the public network: neither near nor kept for documentation, tests or the future (RFC 6890).
fn is_public(address: IpAddr) -> bool {
    if is_near(address) || never(address).is_some() {
        return false;
    }
    match address {
        IpAddr::V4(v4) => match v4.octets() {
            [0 | 240..=255, ..] | [192, 0, 0, _] | [198, 18 | 19, ..] => false,
            _ => !v4.is_documentation(),
        },
        // Global unicast alone; the rest is local or kept.
        IpAddr::V6(v6) => v6.segments()[0] & 0xe000 == 0x2000 && v6.segments()[..2] != [0x2001, 0xdb8],
    }
}

/// Why an address is never meant: cloud metadata services answer there, or nobody does.
fn never(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) if v4.is_link_local() => {
            Some("a link-local address, where cloud machines keep their credentials")
        }
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Some("a link-local address"),
        // AWS's metadata service over IPv6, and Alibaba Cloud's over IPv4.
        IpAddr::V6(v6) if v6.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] => Some("a cloud's metadata service"),
        IpAddr::V4(v4) if v4.octets() == [100, 100, 100, 200] => Some("a cloud's metadata service"),
        _ if address.is_unspecified() => Some("the unspecified address"),
        _ if address.is_multicast() => Some("a multicast address"),
        IpAddr::V4(v4) if v4.is_broadcast() => Some("the broadcast address"),
        _ => None,
    }
}
