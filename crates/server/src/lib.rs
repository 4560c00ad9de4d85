//! The doors: the portal's API, the OpenAI API, server-sent events and WebSocket, the pages, health and metrics. A door
//! settles who asks and what, hands it to `chat` (or to the part it belongs to), and writes the answer. No rule of the house
//! lives here.

mod anthropic;
mod assets;
mod caller;
mod catalog;
mod door;
mod health;
mod key;
mod listen;
mod live;
mod mcp;
mod openai;
mod openapi;
mod portal;
mod problem;
mod responses;
mod router;
mod sse;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use assistants::Library;
use chat::Chat;
use domain::{Clock, Ids};
use egress::Clamd;
use identity::Identity;
use ipnet::IpNet;
use ledger::Ledger;
use models::Models;
use store::{Store, Uploads};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tools::Gateway;
use tuning::{Datasets, Jobs};

pub use catalog::{Catalog, CatalogError, Fixed};
pub use health::metrics_router;
pub use listen::{Peer, Tls, TlsError, serve};
pub use openapi::document;
pub use portal::files::UploadLimits;
pub use portal::library::{Runner, Shelves};
pub use problem::Problem;
pub use router::router;

/// What the doors reach. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    parts: Arc<Parts>,
    /// When the doors were opened, in seconds since 1970.
    opened_at: i64,
}

/// The parts behind the doors, joined by the house.
pub struct Parts {
    /// Turns.
    pub chat: Chat,
    /// Who asks.
    pub identity: Identity,
    /// What is remembered.
    pub store: Store,
    /// Which models there are.
    pub models: Models,
    /// Where they are configured.
    pub catalog: Catalog,
    /// The assistants to begin with.
    pub personas: Library,
    /// The model files of this machine.
    pub shelves: Arc<Shelves>,
    /// What models are taught with.
    pub datasets: Datasets,
    /// What teaches them.
    pub training: Jobs,
    /// What plugins there are.
    pub tools: Gateway,
    /// What people uploaded.
    pub uploads: Uploads,
    /// How much they may.
    pub upload_limits: UploadLimits,
    /// What looks at it first, where there is one.
    pub scanner: Option<Clamd>,
    /// What is used.
    pub ledger: Ledger,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Ids.
    pub ids: Ids,
    /// How the doors stand.
    pub doors: Doors,
}

/// How the doors stand.
#[derive(Debug)]
pub struct Doors {
    /// The address people reach the portal at, without a trailing slash: links are made with it.
    pub public_url: String,
    /// Whether the listener itself speaks TLS.
    pub tls: bool,
    /// Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The largest request body, in bytes. May change while the portal runs.
    pub body_limit: AtomicUsize,
    /// The product's name in this installation.
    pub brand: String,
    /// Whether this binary can run models itself.
    pub local_engine: bool,
    /// Ports of this machine that are the portal's own: it does not look for models there.
    pub own_ports: Vec<u16>,
    /// Cancelled when the portal goes down.
    pub draining: CancellationToken,
    /// What the doors do in the background.
    pub tasks: TaskTracker,
}

impl Doors {
    /// The largest request body, in bytes, as it is just now.
    pub(crate) fn body_limit(&self) -> usize {
        self.body_limit.load(Ordering::Relaxed)
    }
}

impl Server {
    /// The doors over the house's parts.
    pub fn new(parts: Parts) -> Server {
        let opened_at = parts.clock.now().0 / 1000;
        Server { parts: Arc::new(parts), opened_at }
    }
}

impl std::ops::Deref for Server {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.parts
    }
}
