//! TLS to a server of an intranet, whose certificate an own authority signed. The key beside this file is nobody's but the test's
//! (made with openssl, valid for a hundred years; the authority's own key was thrown away).

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use egress::{Error, Options};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{OK, egress, get};

fn file(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/tls")).join(name)
}

async fn serve() -> SocketAddr {
    let certificate = CertificateDer::from_pem_file(file("server.pem")).expect("a certificate");
    let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate], key))
        .expect("a server");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    #[expect(clippy::disallowed_methods, reason = "a test's server ends with its runtime")]
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut socket) = acceptor.accept(socket).await else { continue };
            let mut buffer = [0; 4096];
            if socket.read(&mut buffer).await.is_ok_and(|n| n > 0) {
                let _ = socket.write_all(OK.as_bytes()).await;
            }
        }
    });
    address
}

fn options(extra_ca: Option<PathBuf>) -> Options {
    let allow = ["127.0.0.1", "localhost"].map(|rule| rule.parse().expect("a rule")).to_vec();
    Options { allow, extra_ca, ..Options::default() }
}

#[tokio::test]
async fn an_own_authority_is_trusted_where_its_certificate_is_configured() {
    let port = serve().await.port();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("https://{host}:{port}/v1/models");
        let answer = egress(options(Some(file("ca.pem")))).request(get(&url)).await.expect(host);
        assert_eq!(answer.status(), 200);
        let failed = egress(options(None)).request(get(&url)).await.expect_err("nobody vouches for it");
        let Error::Unreachable { reason, .. } = failed else { unreachable!("{failed:?}") };
        assert!(reason.contains("UnknownIssuer"), "{reason}");
    }
}
