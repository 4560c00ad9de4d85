//! Proof in, [`Caller`] out: passwords, sessions, one-time links, API keys, and the rules about who may change whom.
//!
//! It decides and the store keeps: rows are read and written there, what a row means is known here. It knows nothing of HTTP: cookies,
//! links as URLs and status codes are the server's.
//!
//! A request is let in without reading a row: keys are held in memory ([`Identity::caller_by_key`]), sessions for some seconds
//! ([`Identity::caller_by_session`]). What is revoked here is forgotten at once; what another process revokes (the command line,
//! another node) within [`REFRESH`].

mod api_key;
mod envelope;
mod error;
mod fixed;
mod keys;
mod links;
mod name;
mod password;
mod people;
mod scope;
mod secret;
mod sessions;
mod sign_in;
mod throttle;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::{Act, Caller, Clock, PersonId, Role, TenantId, Via};
use serde_json::Value;
use store::{Record, Store};
use tokio_util::sync::CancellationToken;

pub use api_key::well_formed;
pub use envelope::Envelope;
pub use error::Error;
pub use fixed::FixedKey;
pub use keys::{Keyholder, NewKey};
pub use links::{Invitation, Invited, OneTime};
pub use name::LoginName;
pub use password::Cost;
pub use people::{PersonChange, ProfileChange};
pub use secret::Token;
pub use sessions::ends_at;
pub use sign_in::{Account, SignedIn};

/// How soon a change that another process made is seen here.
pub const REFRESH: Duration = Duration::from_secs(4);

/// Who stands at the door, as far as the connection tells.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Where the request comes from; behind a trusted proxy, what the proxy says.
    pub address: IpAddr,
    /// What the browser calls itself.
    pub user_agent: String,
}

/// The door. Clones are the same door.
#[derive(Clone)]
pub struct Identity {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    passwords: password::Passwords,
    throttle: throttle::Throttle,
    keys: keys::Snapshot,
    /// Keys of the configuration.
    fixed: std::sync::Mutex<Vec<fixed::Fixed>>,
    sessions: sessions::Seen,
    /// Changes to people and keys, one at a time: what was read before a revocation never overwrites it in memory.
    changing: tokio::sync::Mutex<()>,
}

impl Identity {
    /// The door of the house whose people are in `store`, with every key in memory.
    pub async fn open(store: Store, clock: Arc<dyn Clock>, cost: Cost) -> Result<Identity, Error> {
        let inner = Inner {
            passwords: password::Passwords::new(cost)?,
            throttle: throttle::Throttle::new(clock.clone()),
            keys: keys::Snapshot::default(),
            fixed: std::sync::Mutex::default(),
            sessions: sessions::Seen::default(),
            changing: tokio::sync::Mutex::default(),
            store,
            clock,
        };
        let identity = Identity { inner: Arc::new(inner) };
        identity.read_keys().await?;
        Ok(identity)
    }

    /// Keeps what is in memory true until `stop`, and notes which keys were used. The house runs this once.
    pub async fn follow(&self, stop: CancellationToken) {
        let mut changed = self.inner.store.changed();
        let mut swept = self.inner.clock.monotonic();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(REFRESH) => {}
                change = changed.recv() => match change {
                    Ok(store::Changed::Keys | store::Changed::People) => {}
                    Ok(_) => continue,
                    // Lagged: something was missed, so read anew. Closed: the store goes down, the timer is enough.
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                },
            }
            if let Err(error) = self.refresh().await {
                tracing::warn!(%error, "keys could not be read anew; the ones in memory stay");
            }
            self.sweep(&mut swept).await;
        }
        self.note_used_keys(true).await;
    }

    /// Makes what is in memory true now: changes of other processes are seen, keys that were used are noted.
    pub async fn refresh(&self) -> Result<(), Error> {
        self.note_used_keys(false).await;
        self.read_keys().await
    }

    /// Removes sessions that have expired, every hour.
    async fn sweep(&self, swept: &mut Duration) {
        let now = self.inner.clock.monotonic();
        if now.saturating_sub(*swept) < Duration::from_secs(3600) {
            return;
        }
        *swept = now;
        if let Err(error) = self.inner.store.sweep_sessions().await {
            tracing::warn!(%error, "expired sessions could not be removed; they open nothing anyway");
        }
    }

    /// The house itself, for what is done at the machine: start-up and the command line.
    pub fn house() -> Caller {
        Caller { tenant: TenantId::FIRST, person: PersonId(uuid::Uuid::nil()), role: Role::Owner, via: Via::House }
    }

    /// Writes to the audit log. That it could not be written is told to the operator, not to the person: the act has happened.
    async fn audit(&self, caller: Option<&Caller>, verb: &'static str, subject: impl ToString, detail: Value) {
        let at = self.inner.clock.now();
        let act = Act { at, caller: caller.copied(), verb, subject: subject.to_string(), detail };
        if let Err(error) = self.inner.store.writer().submit(Record::Act(act)).await.await {
            tracing::warn!(%error, verb, "an act could not be written to the audit log");
        }
    }
}

/// Only administrators go on.
fn administer(caller: &Caller) -> Result<(), Error> {
    if caller.role.administers() {
        return Ok(());
    }
    Err(Error::Forbidden { reason: "only an administrator may do this" })
}
