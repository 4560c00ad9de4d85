//! Links that work once: the first owner's, an invitation, a new password. Known by the hash of their token.

use domain::{InvitationId, PersonId, Role, TenantId, Timestamp};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::persons::{NewPerson, Person, owners, person};
use crate::changes::Changed;
use crate::rows::{Columns, clean};
use crate::{Error, Store};

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// Makes the first owner.
    Setup,
    /// Makes a person with a role.
    Invitation,
    /// Gives a person a new password.
    Reset,
}

impl LinkKind {
    /// The word in the database and in the audit log.
    pub fn as_str(self) -> &'static str {
        match self {
            LinkKind::Setup => "setup",
            LinkKind::Invitation => "invitation",
            LinkKind::Reset => "reset",
        }
    }

    fn parse(word: &str) -> Option<LinkKind> {
        match word {
            "setup" => Some(LinkKind::Setup),
            "invitation" => Some(LinkKind::Invitation),
            "reset" => Some(LinkKind::Reset),
            _ => None,
        }
    }
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub id: InvitationId,
    pub tenant: TenantId,
    pub kind: LinkKind,
    /// The role of whom it makes.
    pub role: Option<Role>,
    pub note: String,
    /// Whose password it resets.
    pub person: Option<PersonId>,
    pub created_by: Option<PersonId>,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
    pub used_by: Option<PersonId>,
}

/// A link to be.
#[derive(Debug, Clone)]
pub struct NewLink {
    pub tenant: TenantId,
    pub kind: LinkKind,
    pub token_hash: String,
    pub role: Option<Role>,
    pub note: String,
    pub person: Option<PersonId>,
    pub created_by: Option<PersonId>,
    pub expires_at: Timestamp,
}

impl Store {
    /// Makes a link. A new setup or reset link takes the place of the unused ones of its kind (and person).
    pub async fn create_link(&self, new: NewLink) -> Result<Link, Error> {
        let link = Link {
            id: InvitationId(self.inner.ids.next()),
            tenant: new.tenant,
            kind: new.kind,
            role: new.role,
            note: clean(new.note),
            person: new.person,
            created_by: new.created_by,
            created_at: self.now(),
            expires_at: new.expires_at,
            used_at: None,
            used_by: None,
        };
        let mut tx = self.inner.database.write_tx().await?;
        if link.kind != LinkKind::Invitation {
            sqlx::query(
                "DELETE FROM links WHERE tenant = $1 AND kind = $2 AND used_at IS NULL AND COALESCE(person, '') = $3",
            )
            .bind(link.tenant.to_string())
            .bind(link.kind.as_str())
            .bind(link.person.map(|id| id.to_string()).unwrap_or_default())
            .execute(&mut *tx)
            .await?;
        }
        insert(&mut tx, &link, new.token_hash).await?;
        tx.commit().await?;
        Ok(link)
    }

    /// The link with this token, where it can still be used.
    pub async fn link(&self, kind: LinkKind, token_hash: &str) -> Result<Option<Link>, Error> {
        let mut connection = self.inner.database.read.acquire().await?;
        usable(&mut connection, kind, token_hash, self.now()).await
    }

    /// The links of a kind in a tenant, used and expired ones as well, newest first.
    pub async fn links(&self, tenant: TenantId, kind: LinkKind) -> Result<Vec<Link>, Error> {
        let rows = sqlx::query("SELECT * FROM links WHERE tenant = $1 AND kind = $2 ORDER BY id DESC")
            .bind(tenant.to_string())
            .bind(kind.as_str())
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(link).collect()
    }

    /// Takes a link back that was not used.
    pub async fn revoke_link(&self, tenant: TenantId, id: InvitationId) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query("DELETE FROM links WHERE tenant = $1 AND id = $2 AND used_at IS NULL")
            .bind(tenant.to_string())
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "invitation" });
        }
        Ok(())
    }

    /// Uses a setup or invitation link, once, and adds the person in the same commit; the link gives the role. `None` where
    /// the link is spent, expired, or unknown (or where an owner is there already, for a setup link).
    pub async fn join(&self, kind: LinkKind, token_hash: &str, new: NewPerson) -> Result<Option<Person>, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let Some(link) = usable(&mut tx, kind, token_hash, self.now()).await? else { return Ok(None) };
        let role = match kind {
            LinkKind::Setup if owners(&mut tx, link.tenant).await? > 0 => return Ok(None),
            LinkKind::Setup => Role::Owner,
            LinkKind::Invitation => link.role.unwrap_or(Role::Member),
            LinkKind::Reset => return Ok(None),
        };
        let person = self.insert_person(&mut tx, link.tenant, NewPerson { role, ..new }).await?;
        if !spend(&mut tx, &link, person.id, self.now()).await? {
            return Ok(None);
        }
        tx.commit().await?;
        self.tell(Changed::People);
        Ok(Some(person))
    }

    /// Uses a reset link, once: sets the password and ends all sessions of its person in the same commit. `None` where the
    /// link is spent, expired, or unknown.
    pub async fn reset(&self, token_hash: &str, password_hash: String) -> Result<Option<Person>, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let Some(link) = usable(&mut tx, LinkKind::Reset, token_hash, self.now()).await? else { return Ok(None) };
        let Some(id) = link.person else { return Ok(None) };
        if !spend(&mut tx, &link, id, self.now()).await? {
            return Ok(None);
        }
        sqlx::query("UPDATE persons SET password_hash = $1 WHERE tenant = $2 AND id = $3")
            .bind(password_hash)
            .bind(link.tenant.to_string())
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        sqlx::query("DELETE FROM sessions WHERE person = $1").bind(id.to_string()).execute(&mut *tx).await?;
        let row = sqlx::query("SELECT * FROM persons WHERE tenant = $1 AND id = $2")
            .bind(link.tenant.to_string())
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        self.tell(Changed::People);
        row.map(|row| person(&row)).transpose()
    }
}

async fn usable(
    connection: &mut AnyConnection,
    kind: LinkKind,
    token_hash: &str,
    now: Timestamp,
) -> Result<Option<Link>, Error> {
    let row =
        sqlx::query("SELECT * FROM links WHERE token_hash = $1 AND kind = $2 AND used_at IS NULL AND expires_at > $3")
            .bind(token_hash)
            .bind(kind.as_str())
            .bind(now.0)
            .fetch_optional(connection)
            .await?;
    row.map(|row| link(&row)).transpose()
}

/// True for the one who was first.
async fn spend(connection: &mut AnyConnection, link: &Link, by: PersonId, now: Timestamp) -> Result<bool, Error> {
    let done = sqlx::query("UPDATE links SET used_at = $1, used_by = $2 WHERE id = $3 AND used_at IS NULL")
        .bind(now.0)
        .bind(by.to_string())
        .bind(link.id.to_string())
        .execute(connection)
        .await?;
    Ok(done.rows_affected() == 1)
}

async fn insert(connection: &mut AnyConnection, link: &Link, token_hash: String) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO links (id, tenant, kind, token_hash, role, note, person, created_by, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(link.id.to_string())
    .bind(link.tenant.to_string())
    .bind(link.kind.as_str())
    .bind(token_hash)
    .bind(link.role.map(Role::as_str))
    .bind(link.note.clone())
    .bind(link.person.map(|id| id.to_string()))
    .bind(link.created_by.map(|id| id.to_string()))
    .bind(link.created_at.0)
    .bind(link.expires_at.0)
    .execute(connection)
    .await?;
    Ok(())
}

fn link(row: &AnyRow) -> Result<Link, Error> {
    let role = match row.maybe_text("role")? {
        None => None,
        Some(_) => Some(row.role("role")?),
    };
    Ok(Link {
        id: row.id("id")?,
        tenant: row.id("tenant")?,
        kind: row.word("kind", LinkKind::parse)?,
        role,
        note: row.text("note")?,
        person: row.maybe_id("person")?,
        created_by: row.maybe_id("created_by")?,
        created_at: row.at("created_at")?,
        expires_at: row.at("expires_at")?,
        used_at: row.maybe_at("used_at")?,
        used_by: row.maybe_id("used_by")?,
    })
}
