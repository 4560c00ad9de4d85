//! The client: pinned connections behind the policy. How they are kept and driven is `pool`'s.

use std::error::Error as StdError;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use domain::{Clock, Timestamp};
use http::header::{ACCEPT_ENCODING, HeaderValue, USER_AGENT};
use http::{Request, Response, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tower_service::Service;

use crate::policy::{Opening, Policy, is_localhost};
use crate::pool::{Body, Pool, Trouble};
use crate::record::Record;
use crate::{Contact, Error, Origin, Rule};

/// What the configuration says.
#[derive(Debug, Clone)]
pub struct Options {
    /// Hosts, addresses and networks that may be contacted besides those added at run time.
    pub allow: Vec<Rule>,
    /// A PEM file with the certificates of an intranet's own authority, trusted beside the public ones.
    pub extra_ca: Option<PathBuf>,
    /// For name, connection and TLS together.
    pub connect_timeout: Duration,
    /// No name is looked up and only private addresses are contacted, whatever is listed.
    pub offline: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options { allow: Vec::new(), extra_ca: None, connect_timeout: Duration::from_secs(5), offline: false }
    }
}

/// The only outgoing HTTP client. Cheap to share behind an `Arc`.
pub struct Egress {
    pool: Pool,
    dialer: Dialer,
    policy: Arc<Policy>,
    tls: ClientConfig,
    record: Option<Arc<Record>>,
    clock: Arc<dyn Clock>,
}

impl Egress {
    /// A client that may contact what the options list, and nothing else until [`Egress::allow`].
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Result<Egress, Error> {
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Certificates { file: "TLS".to_owned(), reason: error.to_string() })?
            .with_root_certificates(roots(options.extra_ca.as_deref())?)
            .with_no_client_auth();
        let policy = Arc::new(Policy::new(options.allow, options.offline));
        let dialer = Dialer::new(policy.clone(), tls.clone(), options.connect_timeout);
        Ok(Egress::over(dialer, policy, tls, Some(Arc::default()), clock))
    }

    /// A client for the portal's own workers on this machine's loopback, and nowhere else. It keeps no record: nothing leaves.
    pub fn loopback(&self, connect_timeout: Duration) -> Egress {
        let network = |base: IpAddr, prefix| Rule::Network { base, prefix };
        let rules = vec![network(Ipv4Addr::LOCALHOST.into(), 8), network(Ipv6Addr::LOCALHOST.into(), 128)];
        let policy = Arc::new(Policy::new(rules, true));
        let dialer = Dialer::new(policy.clone(), self.tls.clone(), connect_timeout);
        Egress::over(dialer, policy, self.tls.clone(), None, self.clock.clone())
    }

    /// A client under the same configured rules and in the same record, whose hosts added at run time are its own: what one
    /// errand may reach is open to nobody else, and is gone with it.
    pub fn errand(&self) -> Egress {
        let policy = Arc::new(self.policy.configured_alone());
        let dialer = Dialer::new(policy.clone(), self.tls.clone(), self.dialer.timeout);
        Egress::over(dialer, policy, self.tls.clone(), self.record.clone(), self.clock.clone())
    }

    /// A client for a program that is not the house's own, in the same record: it reaches these origins and no others, whatever
    /// the configuration lists, and private addresses only where an opening says so.
    pub fn confined(&self, openings: Vec<Opening>) -> Egress {
        let policy = Arc::new(self.policy.confined(openings));
        let dialer = Dialer::new(policy.clone(), self.tls.clone(), self.dialer.timeout);
        Egress::over(dialer, policy, self.tls.clone(), self.record.clone(), self.clock.clone())
    }

    /// A confined client that also reaches the web: every host whose addresses are public, at ports 80 and 443.
    pub fn public(&self, openings: Vec<Opening>) -> Egress {
        let policy = Arc::new(self.policy.public(openings));
        let dialer = Dialer::new(policy.clone(), self.tls.clone(), self.dialer.timeout);
        Egress::over(dialer, policy, self.tls.clone(), self.record.clone(), self.clock.clone())
    }

    fn over(
        dialer: Dialer,
        policy: Arc<Policy>,
        tls: ClientConfig,
        record: Option<Arc<Record>>,
        clock: Arc<dyn Clock>,
    ) -> Egress {
        Egress { pool: Pool::default(), dialer, policy, tls, record, clock }
    }

    /// Lets requests go to this origin, until [`Egress::allow_only`] says otherwise. Link-local and metadata addresses stay
    /// refused: only the configuration opens those.
    pub fn allow(&self, origin: Origin) {
        self.policy.allow(origin);
    }

    /// Replaces all that was added by [`Egress::allow`], in one step.
    pub fn allow_only(&self, origins: Vec<Origin>) {
        self.policy.allow_only(origins);
    }

    /// What the clock says by which hosts are recorded.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether a request to this address would be let out now.
    pub fn check(&self, uri: &Uri) -> Result<(), Error> {
        let origin = Origin::of(uri)?;
        self.policy.check(&origin).map_err(|reason| Error::Forbidden { url: origin.to_string(), reason })
    }

    /// An address of this origin that a connection may be made to, for who speaks something else than HTTP. The connection must be
    /// made to the address that is returned, not to the name.
    pub async fn address(&self, origin: &Origin) -> Result<SocketAddr, Error> {
        let url = origin.to_string();
        let forbidden = |reason: String| Error::Forbidden { url: url.clone(), reason };
        self.policy.check(origin).map_err(forbidden)?;
        if let Some(record) = &self.record {
            record.note(origin, self.clock.now());
        }
        if let Ok(address) = origin.host().parse::<IpAddr>() {
            return Ok(SocketAddr::new(address, origin.port()));
        }
        let unreachable = |reason: String| Error::Unreachable { url: url.clone(), reason };
        let name = origin.host().parse::<Name>().map_err(|error| unreachable(error.to_string()))?;
        let mut resolver = Resolver { policy: self.policy.clone(), system: GaiResolver::new() };
        let found = tokio::time::timeout(self.dialer.timeout, resolver.call(name)).await;
        let found = found.map_err(|_| Error::ConnectTimeout { url: url.clone(), after: self.dialer.timeout })?;
        let mut found = found.map_err(|failed| match failed.downcast_ref::<AddressRefused>() {
            Some(refused) => forbidden(refused.0.clone()),
            None => unreachable(failed.to_string()),
        })?;
        let first = found.next().ok_or_else(|| unreachable("the name leads to no address".to_owned()))?;
        Ok(SocketAddr::new(first.ip(), origin.port()))
    }

    /// Sends a request and returns once the head of the answer is there. A redirect is returned like any other answer.
    /// Dropping the future, or the body it returned, closes the connection.
    pub async fn request(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Body>, Error> {
        let origin = Origin::of(request.uri())?;
        if let Err(reason) = self.policy.check(&origin) {
            return Err(Error::Forbidden { url: origin.to_string(), reason });
        }
        if let Some(record) = &self.record {
            record.note(&origin, self.clock.now());
        }
        let headers = request.headers_mut();
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(concat!("portico/", env!("CARGO_PKG_VERSION"))));
        self.pool.exchange(&origin, request, &self.dialer).await.map_err(|trouble| explain(&origin, &trouble))
    }

    /// Every host contacted since the start, by name.
    pub fn contacts(&self) -> Vec<Contact> {
        self.record.as_deref().map(Record::all).unwrap_or_default()
    }
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Egress").field("policy", &self.policy).finish_non_exhaustive()
    }
}

fn roots(extra: Option<&Path>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Some(file) = extra else { return Ok(roots) };
    let bad = |reason: String| Error::Certificates { file: file.display().to_string(), reason };
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| bad(error.to_string()))?;
    let mut found = false;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| bad(error.to_string()))?;
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
        found = true;
    }
    if found { Ok(roots) } else { Err(bad("there is no certificate in it".to_owned())) }
}

/// The sentence behind the wrapping: what the system said, at the end of the chain of causes.
fn explain(origin: &Origin, trouble: &Trouble) -> Error {
    let url = origin.to_string();
    let mut cause: &(dyn StdError + 'static) = match trouble {
        Trouble::NotConnected(error) => error.as_ref(),
        Trouble::HungUp(error) => error,
    };
    loop {
        if let Some(late) = cause.downcast_ref::<Late>() {
            return Error::ConnectTimeout { url, after: late.0 };
        }
        if let Some(refused) = cause.downcast_ref::<AddressRefused>() {
            return Error::Forbidden { url, reason: refused.0.clone() };
        }
        let Some(source) = cause.source() else { break };
        cause = source;
    }
    let reason = cause.to_string();
    match trouble {
        Trouble::NotConnected(_) => Error::Unreachable { url, reason },
        Trouble::HungUp(_) => Error::Cut { url, reason },
    }
}

/// No connection in time.
#[derive(Debug, thiserror::Error)]
#[error("no connection within {0:?}")]
struct Late(Duration);

/// All addresses of a name are refused.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct AddressRefused(String);

type Https = HttpsConnector<HttpConnector<Resolver>>;
type Failed = Box<dyn StdError + Send + Sync>;

/// Makes connections, with one clock over name, TCP and TLS.
#[derive(Clone)]
struct Dialer {
    https: Https,
    timeout: Duration,
}

impl Dialer {
    fn new(policy: Arc<Policy>, tls: ClientConfig, timeout: Duration) -> Dialer {
        let mut tcp = HttpConnector::new_with_resolver(Resolver { policy, system: GaiResolver::new() });
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let https =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(tcp);
        Dialer { https, timeout }
    }
}

impl Service<Uri> for Dialer {
    type Response = <Https as Service<Uri>>::Response;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failed>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connected = self.https.call(uri);
        let timeout = self.timeout;
        Box::pin(async move {
            match tokio::time::timeout(timeout, connected).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Late(timeout).into()),
            }
        })
    }
}

/// Resolves names, and lets only addresses through that the policy allows. The connection is made to what it returned, so a
/// name cannot change its mind in between. An address written in the URL never comes here, and `localhost` is not looked up.
#[derive(Clone)]
struct Resolver {
    policy: Arc<Policy>,
    system: GaiResolver,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Failed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Failed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let host = name.as_str().trim_end_matches('.').to_ascii_lowercase();
        if is_localhost(&host) {
            let near: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            let addresses: Vec<SocketAddr> = near.iter().map(|ip| SocketAddr::new(*ip, 0)).collect();
            return Box::pin(std::future::ready(Ok(addresses.into_iter())));
        }
        let policy = self.policy.clone();
        let found = self.system.call(name);
        Box::pin(async move {
            let mut refused = None;
            let mut allowed = Vec::new();
            for address in found.await? {
                match policy.check_found(&host, address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(reason) => refused = Some(reason),
                }
            }
            match refused {
                Some(reason) if allowed.is_empty() => Err(AddressRefused(reason).into()),
                _ => Ok(allowed.into_iter()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use hyper_rustls::MaybeHttpsStream;

    use super::*;

    #[tokio::test]
    async fn case_30_outgoing_sockets_do_not_wait_for_acknowledgements() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let clock = Arc::new(domain::testing::ManualClock::at(0));
        let egress = Egress::new(Options::default(), clock).unwrap();
        let mut dialer = Dialer::new(egress.policy, egress.tls, Duration::from_secs(1));
        let MaybeHttpsStream::Http(stream) = dialer.call(uri).await.unwrap() else { panic!("plain http") };
        assert!(stream.inner().nodelay().unwrap());
    }
}
