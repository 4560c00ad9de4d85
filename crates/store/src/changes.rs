//! The notice that something changed, within this process: whoever shows or caches it reads it anew. It never carries rows.

use domain::{ConversationId, PersonId, TenantId};
use tokio::sync::broadcast;

use crate::Store;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// One conversation of one person.
    Conversation {
        /// Whose tenant.
        tenant: TenantId,
        /// Whose.
        person: PersonId,
        /// Which.
        id: ConversationId,
        /// How.
        kind: Kind,
    },
    /// Keys were made or revoked.
    Keys,
    /// A person was added, changed, or their sessions ended.
    People,
    /// Providers or settings.
    Catalog,
}

/// How a conversation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is new (or was restored).
    Created,
    /// Its title, flags, messages or settings.
    Updated,
    /// It is gone.
    Deleted,
}

#[derive(Debug, Clone)]
pub(crate) struct Changes(broadcast::Sender<Changed>);

impl Changes {
    pub(crate) fn new() -> Self {
        Changes(broadcast::channel(1024).0)
    }

    pub(crate) fn tell(&self, changed: Changed) {
        // Nobody listening is fine.
        let _ = self.0.send(changed);
    }
}

impl Store {
    /// Notices from now on. A receiver that lags behind by 1,024 is told so, and should read everything anew.
    pub fn changed(&self) -> broadcast::Receiver<Changed> {
        self.inner.changes.0.subscribe()
    }

    pub(crate) fn tell(&self, changed: Changed) {
        self.inner.changes.tell(changed);
    }
}
