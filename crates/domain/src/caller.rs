//! Who is asking. Every function that reads or writes a tenant's data takes a [`Caller`] first.

use serde::{Deserialize, Serialize};

use crate::{KeyId, PersonId, SessionId, TenantId};

/// What a person may do in their tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, and cannot be demoted by an admin.
    Owner,
    /// Models, people, settings.
    Admin,
    /// Own conversations and keys.
    Member,
}

impl Role {
    /// Whether this role may change models, people and settings.
    pub fn administers(self) -> bool {
        matches!(self, Role::Owner | Role::Admin)
    }

    /// The word used in the database, in JSON and in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Owner => "owner",
            Role::Admin => "admin",
            Role::Member => "member",
        }
    }

    /// The role behind a word of [`Role::as_str`].
    pub fn parse(word: &str) -> Option<Role> {
        match word {
            "owner" => Some(Role::Owner),
            "admin" => Some(Role::Admin),
            "member" => Some(Role::Member),
            _ => None,
        }
    }
}

/// The proof that was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// A browser's session cookie.
    Session(SessionId),
    /// An API key.
    Key(KeyId),
    /// The house itself: start-up, jobs, the command line on this machine.
    House,
}

/// Who is asking, settled once at the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Caller {
    /// Whose data.
    pub tenant: TenantId,
    /// Which person.
    pub person: PersonId,
    /// What they may do.
    pub role: Role,
    /// How they proved it.
    pub via: Via,
}
