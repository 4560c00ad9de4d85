//! The worker of `portico engine` before its clients: where it listens, with which key, and the portal's own TLS in front of it where
//! other machines reach it. What it computes is the crate `engine`'s.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use engine::{Front, Listen};
use server::Tls;
use tokio_util::sync::CancellationToken;

use crate::machine;

/// The variable that holds the key, where no file does.
pub const KEY: &str = "PORTICO_ENGINE_KEY";
/// A key that other machines may try is at least so long.
const SHORTEST_KEY: usize = 20;

/// Where a worker listens, and what keeps strangers out there.
#[derive(Debug, Clone, clap::Args)]
pub struct Door {
    /// `127.0.0.1:8421`, or `unix:/path`; port 0: the system chooses. An address that other machines reach needs a key
    /// and TLS.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub listen: Listen,
    /// The file with the key that requests must carry [default: the variable PORTICO_ENGINE_KEY].
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// The certificate and the chain above it (PEM); read again at SIGHUP.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Speak plain http to other machines, where the network between is a tunnel of your own; the key is still needed.
    #[arg(long, conflicts_with = "tls_cert")]
    pub without_tls: bool,
}

impl Door {
    /// The key and what stands before the address; a sentence that says what to do where it is not to be opened so. `key` is the
    /// variable's.
    pub fn open(&self, key: Option<String>) -> anyhow::Result<(Option<String>, Option<Front>)> {
        let key = match &self.key_file {
            Some(file) => Some(read_key(file)?),
            None => key.map(|key| key.trim().to_owned()).filter(|key| !key.is_empty()),
        };
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(private)) => Some(Arc::new(Tls::open(certificate, private)?)),
            _ => None,
        };
        if let Listen::Tcp(address) = self.listen
            && self.listen.is_reachable()
        {
            strangers_stay_out(address, key.as_deref(), tls.is_some() || self.without_tls)?;
        }
        let wanted = tls.is_some() || self.without_tls;
        Ok((key, wanted.then(|| front(tls))))
    }
}

fn read_key(file: &Path) -> anyhow::Result<String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).with_context(|| format!("the key file {shown} cannot be read"))?;
    let key = text.trim().to_owned();
    ensure!(!key.is_empty(), "the key file {shown} is empty; write a key into it: openssl rand -hex 32 > {shown}");
    ensure!(
        key.bytes().all(|byte| byte.is_ascii_graphic()),
        "the key file {shown} holds more than a key: one line of letters, digits and signs is wanted"
    );
    let mode = std::fs::metadata(file).map(|file| file.permissions().mode()).unwrap_or(0);
    if mode & 0o044 != 0 {
        tracing::warn!(file = %shown, "other users of this machine can read the key; chmod 600 the file");
    }
    Ok(key)
}

fn strangers_stay_out(address: SocketAddr, key: Option<&str>, hidden: bool) -> anyhow::Result<()> {
    let Some(key) = key else {
        anyhow::bail!(
            "other machines can reach {address}, so the engine wants a key there: write one into a file \
             (openssl rand -hex 32 > engine.key) and say --key-file engine.key, or put it into the variable {KEY}"
        );
    };
    ensure!(
        key.len() >= SHORTEST_KEY,
        "other machines can reach {address} and try keys, and this one has only {} characters; take one of at least \
         {SHORTEST_KEY}: openssl rand -hex 32",
        key.len()
    );
    ensure!(
        hidden,
        "other machines can reach {address}, so the engine speaks TLS there: name a certificate and its key with --tls-cert \
         and --tls-key; or say --without-tls where all that lies between is a tunnel of your own (WireGuard, a network of one host's \
         containers)"
    );
    Ok(())
}

/// The portal's own way to accept connections, with its bounds on clients who dawdle.
fn front(tls: Option<Arc<Tls>>) -> Front {
    Front::new(move |listener, router| {
        let tls = tls.clone();
        Box::pin(async move {
            let serving = server::serve(listener, tls.clone(), router, CancellationToken::new(), Duration::ZERO);
            tokio::select! {
                () = serving => {}
                () = renewing(tls) => {}
            }
        })
    })
}

/// Reads the certificate again at every SIGHUP, for ever.
async fn renewing(tls: Option<Arc<Tls>>) {
    let renewed = machine::hangups(|| match tls.as_deref().map(Tls::reload) {
        Some(Ok(())) => tracing::info!("certificate and key were read again"),
        Some(Err(error)) => tracing::error!(%error, "the old certificate stays"),
        None => {}
    });
    let Err(error) = renewed.await;
    tracing::warn!(%error, "SIGHUP is not heard; a renewed certificate takes a restart");
    std::future::pending().await
}
