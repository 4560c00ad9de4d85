//! What is written to the audit log.

use serde::Serialize;

use crate::{Caller, Timestamp};

/// Something a person or the house did, as the audit log keeps it. Never prompt text, keys or passwords.
#[derive(Debug, Clone, Serialize)]
pub struct Act {
    /// When.
    pub at: Timestamp,
    /// Who; `None` for a stranger at the door.
    #[serde(skip)]
    pub caller: Option<Caller>,
    /// What, as `noun.verb`: `session.opened`, `turn.finished`, `provider.added`.
    pub verb: &'static str,
    /// The id or name of the thing it was done to.
    pub subject: String,
    /// More, as JSON.
    pub detail: serde_json::Value,
}
