//! The notice that something changed: whoever shows or caches it reads it anew. It never carries rows. Other portals of the same
//! database hear of it, too.

use std::sync::Arc;

use domain::{ConversationId, PersonId, TenantId};
use tokio::sync::broadcast;

use crate::Store;
use crate::nodes::{Wire, Word};

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
    /// A call waits for somebody's word, or has it.
    Approvals,
}

/// How a conversation changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is new (or was restored).
    Created,
    /// Its title, flags, messages or settings.
    Updated,
    /// It is gone.
    Deleted,
}

#[derive(Debug, Clone)]
pub(crate) struct Changes {
    here: broadcast::Sender<Changed>,
    wire: Arc<Wire>,
}

impl Changes {
    pub(crate) fn new(wire: Arc<Wire>) -> Self {
        Changes { here: broadcast::channel(1024).0, wire }
    }

    /// It changed here: this portal and the others are told.
    pub(crate) fn tell(&self, changed: Changed) {
        self.hear(changed);
        self.wire.say(changed.into());
    }

    /// It changed elsewhere: this portal is told.
    pub(crate) fn hear(&self, changed: Changed) {
        // Nobody listening is fine.
        let _ = self.here.send(changed);
    }
}

impl Store {
    /// Notices from now on. A receiver that lags behind by 1,024 is told so, and should read everything anew.
    pub fn changed(&self) -> broadcast::Receiver<Changed> {
        self.inner.changes.here.subscribe()
    }

    /// What other portals of this database say from now on.
    pub fn heard(&self) -> broadcast::Receiver<Word> {
        self.inner.wire.heard()
    }

    /// Tells the other portals of this database; nobody where there are none.
    pub fn say(&self, word: Word) {
        self.inner.wire.say(word);
    }

    pub(crate) fn tell(&self, changed: Changed) {
        self.inner.changes.tell(changed);
    }
}
