//! Accepting connections: TCP_NODELAY, TLS with certificates that can be renewed while running, WebSocket upgrades, and a
//! drain that lets what is under way come to its end. Not here: what is answered (`router`).

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// A client may take this long to shake hands, and as long again to send its request head; longer is somebody holding a connection for
/// its own sake.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read or holds no usable PEM.
    #[error("{}: {reason}", file.display())]
    File {
        /// Which file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not belong together, or are of a kind that is not supported.
    #[error("the certificate and its key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

/// A certificate and key on disk, and what was last read from them.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<rustls::ServerConfig>>,
}

impl Tls {
    /// Reads PEM files.
    pub fn open(certificate: &Path, key: &Path) -> Result<Tls, TlsError> {
        let current = RwLock::new(read_pair(certificate, key)?);
        Ok(Tls { certificate: certificate.to_owned(), key: key.to_owned(), current })
    }

    /// Reads the files again. Connections that are open keep their certificate; where the new files are wrong the old ones stay.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = read_pair(&self.certificate, &self.key)?;
        *self.current.write().unwrap_or_else(std::sync::PoisonError::into_inner) = fresh;
        Ok(())
    }

    fn acceptor(&self) -> tokio_rustls::TlsAcceptor {
        Arc::clone(&self.current.read().unwrap_or_else(std::sync::PoisonError::into_inner)).into()
    }
}

fn read_pair(certificate: &Path, key: &Path) -> Result<Arc<rustls::ServerConfig>, TlsError> {
    let wrong = |file: &Path| {
        let file = file.to_owned();
        move |error: rustls::pki_types::pem::Error| TlsError::File { file, reason: error.to_string() }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(wrong(certificate))?;
    if chain.is_empty() {
        let reason = "it holds no certificate (a PEM file has -----BEGIN CERTIFICATE-----)".to_owned();
        return Err(TlsError::File { file: certificate.to_owned(), reason });
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(wrong(key))?;
    let mut config = rustls::ServerConfig::builder().with_no_client_auth().with_single_cert(chain, private)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The address a connection came from, as the socket says.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Serves `router` until `draining` is cancelled, then closes idle connections and waits for the rest until `deadline`.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    router: Router,
    draining: CancellationToken,
    deadline: Duration,
) {
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = draining.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // Out of descriptors, or a client that left in the queue: the listener itself is fine.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (router, tls, draining, cut) = (router.clone(), tls.clone(), draining.clone(), cut.clone());
        connections.spawn(async move {
            tokio::select! {
                () = converse(stream, peer, tls, router, draining) => {}
                () = cut.cancelled() => {}
            }
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(deadline, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "connections were cut at the end of the drain");
        cut.cancel();
        connections.wait().await;
    }
}

async fn converse(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Arc<Tls>>,
    router: Router,
    draining: CancellationToken,
) {
    let Some(tls) = tls else {
        return speak(TokioIo::new(stream), peer, router, draining).await;
    };
    let shaken = tokio::time::timeout(HEAD_TIMEOUT, tls.acceptor().accept(stream)).await;
    match shaken {
        Ok(Ok(stream)) => speak(TokioIo::new(stream), peer, router, draining).await,
        Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS session"),
        Err(_) => tracing::debug!(%peer, "no TLS session in time"),
    }
}

async fn speak<S>(io: TokioIo<S>, peer: SocketAddr, router: Router, draining: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let asked = Arc::new(AtomicBool::new(false));
    let asks = Arc::clone(&asked);
    let service = TowerToHyperService::new(router.map_request(move |mut request: axum::http::Request<Incoming>| {
        asks.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(Peer(peer));
        request.map(Body::new)
    }));
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).pipeline_flush(true);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(20));
    let connection = builder.serve_connection_with_upgrades(io, service);
    tokio::pin!(connection);
    tokio::select! {
        result = connection.as_mut() => return ended(result, peer),
        () = silence(&asked) => return tracing::debug!(%peer, "nothing was asked in time"),
        () = draining.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    ended(connection.await, peer);
}

/// Returns when nothing was ever asked: the clock of hyper's heads starts only with the first byte of HTTP/1, and not at all in HTTP/2.
async fn silence(asked: &AtomicBool) {
    tokio::time::sleep(HEAD_TIMEOUT).await;
    if asked.load(Ordering::Relaxed) {
        std::future::pending::<()>().await;
    }
}

fn ended(result: Result<(), Box<dyn std::error::Error + Send + Sync>>, peer: SocketAddr) {
    if let Err(error) = result {
        tracing::trace!(%peer, %error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::Instant;

    use super::*;

    /// The paused clock goes on by itself whenever everybody waits.
    #[tokio::test(start_paused = true)]
    async fn who_connects_and_never_asks_is_let_go() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let router = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let stop = CancellationToken::new();
        let serving = serve(listener, None, router, stop.clone(), Duration::from_secs(1));
        let visiting = async {
            // Nothing, less than the greeting of HTTP/2, all of it, a head that never ends.
            for said in ["", "PRI * HT", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\nX: "] {
                let begun = Instant::now();
                let mut client = TcpStream::connect(at).await.unwrap();
                client.write_all(said.as_bytes()).await.unwrap();
                // Whether it is told so or just cut is hyper's matter.
                let _ = client.read_to_end(&mut Vec::new()).await;
                assert!(begun.elapsed() <= HEAD_TIMEOUT + Duration::from_secs(1), "{said:?}: {:?}", begun.elapsed());
                assert!(begun.elapsed() >= HEAD_TIMEOUT, "{said:?}: {:?}", begun.elapsed());
            }
            // One that has asked may rest and ask again.
            let mut client = TcpStream::connect(at).await.unwrap();
            for _ in 0..2 {
                client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
                let mut answer = [0; 512];
                let read = client.read(&mut answer).await.unwrap();
                assert!(answer[..read].starts_with(b"HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(&answer[..read]));
                tokio::time::sleep(HEAD_TIMEOUT / 2).await;
            }
            stop.cancel();
        };
        tokio::join!(serving, visiting);
    }
}
