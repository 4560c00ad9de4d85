//! One-time links: the owner's setup, invitations, new passwords. A link is a token that works once and not for long; only its digest is kept.
//! Here are the tokens; where in a URL they stand is the server's (behind `#`, so that no log ever holds one).

use std::time::Duration;

use domain::{Caller, InvitationId, PersonId, Role, TenantId, Timestamp, Via};
use serde_json::json;
use store::{Link, LinkKind, NewLink};

use crate::secret::{Digest, Token};
use crate::{Error, Identity, administer};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Until the terminal that showed it is forgotten; a start makes a new one.
const SETUP: Duration = Duration::from_secs(7 * 24 * 60 * 60);
const RESET: Duration = DAY;

/// A link that was just made; the only time its token is known.
#[derive(Debug)]
pub struct OneTime {
    /// The link.
    pub id: InvitationId,
    /// What goes behind `#token=`.
    pub token: Token,
    /// When it stops working.
    pub expires_at: Timestamp,
}

/// An invitation as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The link, without its token.
    pub link: Link,
    /// The display name of who made it; none when that was the house.
    pub created_by_name: Option<String>,
    /// The display name of who joined by it.
    pub used_by_name: Option<String>,
}

/// What an invitation says to who opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invited {
    /// The role they will have.
    pub role: Role,
    /// The display name of who invited them.
    pub invited_by: String,
}

impl Identity {
    /// Whether nobody owns the house yet.
    pub async fn setup_needed(&self) -> Result<bool, Error> {
        Ok(!self.inner.store.has_owner(TenantId::FIRST).await?)
    }

    /// The token of a new setup link, as long as nobody owns the house. Earlier ones stop working: the terminal that
    /// shows the latest start is the one that counts.
    pub async fn setup_link(&self) -> Result<Option<OneTime>, Error> {
        if !self.setup_needed().await? {
            return Ok(None);
        }
        let house = Identity::house();
        self.link(&house, LinkKind::Setup, Some(Role::Owner), None, "", SETUP).await.map(Some)
    }

    /// Invites somebody for 1 to 30 days. Only an owner invites owners.
    pub async fn invite(&self, caller: &Caller, role: Role, note: &str, days: u32) -> Result<OneTime, Error> {
        administer(caller)?;
        if role == Role::Owner && caller.role != Role::Owner {
            return Err(Error::Forbidden { reason: "only an owner may invite an owner" });
        }
        if !(1..=30).contains(&days) {
            return Err(Error::Invalid { field: "days", reason: "an invitation is good for 1 to 30 days" });
        }
        if note.chars().count() > 200 {
            return Err(Error::Invalid { field: "note", reason: "a note has at most 200 characters" });
        }
        let link = self.link(caller, LinkKind::Invitation, Some(role), None, note.trim(), DAY * days).await?;
        self.audit(Some(caller), "invitation.created", link.id, json!({ "role": role, "days": days })).await;
        Ok(link)
    }

    /// Every invitation that was not withdrawn, the newest first.
    pub async fn invitations(&self, caller: &Caller) -> Result<Vec<Invitation>, Error> {
        administer(caller)?;
        let links = self.inner.store.links(caller.tenant, LinkKind::Invitation).await?;
        let people = self.inner.store.people(caller.tenant).await?;
        let name = |id: Option<PersonId>| {
            let person = people.iter().find(|person| Some(person.id) == id);
            person.map(|person| person.display_name.clone())
        };
        let named = links.into_iter().map(|link| {
            let (created_by_name, used_by_name) = (name(link.created_by), name(link.used_by));
            Invitation { link, created_by_name, used_by_name }
        });
        Ok(named.collect())
    }

    /// Withdraws an invitation.
    pub async fn withdraw(&self, caller: &Caller, invitation: InvitationId) -> Result<(), Error> {
        administer(caller)?;
        self.inner.store.revoke_link(caller.tenant, invitation).await?;
        self.audit(Some(caller), "invitation.withdrawn", invitation, json!({})).await;
        Ok(())
    }

    /// What the invitation says, if it is still good.
    pub async fn invited(&self, token: &str) -> Result<Invited, Error> {
        let link = self.usable(LinkKind::Invitation, token).await?;
        let inviter = match link.created_by {
            Some(id) => self.inner.store.person(link.tenant, id).await?,
            None => None,
        };
        let invited_by = inviter.map(|person| person.display_name).unwrap_or_default();
        Ok(Invited { role: link.role.unwrap_or(Role::Member), invited_by })
    }

    pub(crate) async fn usable(&self, kind: LinkKind, token: &str) -> Result<Link, Error> {
        self.inner.store.link(kind, &Digest::of(token).hex()).await?.ok_or(Error::LinkSpent)
    }

    /// A link by which a person sets a new password. An admin makes none for an owner.
    pub async fn reset_link(&self, caller: &Caller, person: PersonId) -> Result<OneTime, Error> {
        administer(caller)?;
        let person = self.person(caller, person).await?;
        crate::people::may_touch(caller.role, &person)?;
        let link = self.link(caller, LinkKind::Reset, None, Some(person.id), "", RESET).await?;
        self.audit(Some(caller), "password.link_created", person.id, json!({})).await;
        Ok(link)
    }

    async fn link(
        &self,
        caller: &Caller,
        kind: LinkKind,
        role: Option<Role>,
        person: Option<PersonId>,
        note: &str,
        good_for: Duration,
    ) -> Result<OneTime, Error> {
        let token = Token::random()?;
        let expires_at = self.inner.clock.now().plus(good_for);
        let token_hash = token.digest().hex();
        let note = note.to_owned();
        let created_by = (caller.via != Via::House).then_some(caller.person);
        let new = NewLink { tenant: caller.tenant, kind, token_hash, role, note, person, created_by, expires_at };
        let link = self.inner.store.create_link(new).await?;
        Ok(OneTime { id: link.id, token, expires_at })
    }
}
