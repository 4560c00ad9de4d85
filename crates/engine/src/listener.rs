//! Where the worker listens: a loopback port, a Unix socket or, behind a [`Front`], an address that other machines reach; and the one
//! line that tells the parent which. No requests here, and no TLS.

use std::{
    io::{self, Write},
    net::SocketAddr,
    path::PathBuf,
    sync::Arc,
};

use axum::{Router, serve::ListenerExt};
use domain::BoxFuture;
use tokio::net::{TcpListener, UnixListener, UnixStream};

use crate::Error;

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A TCP address; port 0 lets the system choose. An address that others can reach wants a key and a [`Front`].
    Tcp(SocketAddr),
    /// The path of a Unix socket that only this user can open.
    Unix(PathBuf),
}

impl std::fmt::Display for Listen {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Listen::Tcp(address) => address.fmt(out),
            Listen::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

impl std::str::FromStr for Listen {
    type Err = String;

    /// `127.0.0.1:8421`, `[::1]:0` or `unix:/run/portico/engine.sock`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Listen::Unix(path.into()));
        }
        text.parse().map(Listen::Tcp).map_err(|_| format!("{text} is neither an address with a port nor unix:PATH"))
    }
}

impl Listen {
    /// Whether other machines can connect there.
    pub fn is_reachable(&self) -> bool {
        matches!(self, Listen::Tcp(address) if !address.ip().is_loopback())
    }
}

/// Carries connections to the routes until it is dropped: in TLS, and with bounds on clients who dawdle. The worker has none of that;
/// whoever lets other machines reach it brings it.
#[derive(Clone)]
pub struct Front(Arc<Carry>);

type Carry = dyn Fn(TcpListener, Router) -> BoxFuture<'static, ()> + Send + Sync;

impl Front {
    /// A front that carries so.
    pub fn new(carry: impl Fn(TcpListener, Router) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Front(Arc::new(carry))
    }

    /// Carries what comes to `listener`.
    pub fn carry(&self, listener: TcpListener, router: Router) -> BoxFuture<'static, ()> {
        (self.0)(listener, router)
    }
}

impl std::fmt::Debug for Front {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Front")
    }
}

pub(crate) enum Listener {
    Tcp(TcpListener, Option<Front>),
    Unix(UnixListener, PathBuf),
}

impl Listener {
    pub(crate) async fn bind(listen: &Listen, front: Option<Front>, has_key: bool) -> Result<Self, Error> {
        let failed = |source| Error::Listen { address: listen.to_string(), source };
        match listen {
            Listen::Tcp(_) if listen.is_reachable() && (!has_key || front.is_none()) => {
                Err(failed(io::Error::other("an address that other machines reach needs a key and TLS")))
            }
            Listen::Tcp(address) => {
                TcpListener::bind(address).await.map(|listener| Listener::Tcp(listener, front)).map_err(failed)
            }
            Listen::Unix(path) => {
                let listener = match UnixListener::bind(path) {
                    Err(error)
                        if error.kind() == io::ErrorKind::AddrInUse && UnixStream::connect(path).await.is_err() =>
                    {
                        // Left behind by a worker that was killed: nobody answers there.
                        std::fs::remove_file(path).map_err(failed)?;
                        UnixListener::bind(path)
                    }
                    bound => bound,
                };
                let listener = listener.map_err(failed)?;
                only_for_this_user(path).map_err(failed)?;
                Ok(Listener::Unix(listener, path.clone()))
            }
        }
    }

    /// Tells the parent, in one line on standard output, where the worker listens.
    pub(crate) fn announce(&self) -> Result<(), Error> {
        let address = match self {
            Listener::Tcp(listener, _) => listener.local_addr().map_err(Error::Socket)?.to_string(),
            Listener::Unix(_, path) => Listen::Unix(path.clone()).to_string(),
        };
        say(&serde_json::json!({"listening": address}));
        Ok(())
    }

    pub(crate) async fn serve(self, router: Router) -> Result<(), Error> {
        let served = match self {
            Listener::Tcp(listener, Some(front)) => {
                front.carry(listener, router).await;
                Ok(())
            }
            Listener::Tcp(listener, None) => {
                // Without it a stream's small writes wait for acknowledgements (40 ms each).
                let listener = listener.tap_io(|stream| {
                    if let Err(error) = stream.set_nodelay(true) {
                        tracing::debug!(%error, "no TCP_NODELAY");
                    }
                });
                axum::serve(listener, router).await
            }
            Listener::Unix(listener, path) => {
                let _socket = RemovedAtTheEnd(path);
                axum::serve(listener, router).await
            }
        };
        served.map_err(Error::Socket)
    }
}

/// One line on standard output. A parent that does not read is no reason to end.
pub(crate) fn say(line: &serde_json::Value) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn only_for_this_user(path: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
}

struct RemovedAtTheEnd(PathBuf);

impl Drop for RemovedAtTheEnd {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
