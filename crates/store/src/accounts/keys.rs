//! API keys. A key is known by its hash; the key itself was shown once.

use domain::{Caller, KeyId, KeyScope, PersonId, Role, TenantId, Timestamp};
use sqlx::any::AnyRow;

use crate::changes::Changed;
use crate::rows::{Columns, clean, json, owner};
use crate::{Error, Store};

/// An API key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: KeyId,
    pub tenant: TenantId,
    pub person: PersonId,
    pub name: String,
    /// Its first characters, by which a person knows it again.
    pub prefix: String,
    pub scope: KeyScope,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub last_used_at: Option<Timestamp>,
}

/// A key to be.
#[derive(Debug, Clone)]
pub struct NewKey {
    pub person: PersonId,
    pub name: String,
    pub prefix: String,
    pub hash: String,
    pub scope: KeyScope,
    pub expires_at: Option<Timestamp>,
}

/// What is to become different; absent stays. Inner `None` takes the value away.
#[derive(Debug, Clone, Default)]
pub struct KeyChange {
    pub name: Option<String>,
    pub scope: Option<KeyScope>,
    pub expires_at: Option<Option<Timestamp>>,
}

/// Whose keys may be touched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The caller's own.
    Own,
    /// Anybody's in the caller's tenant.
    Anybodys,
}

/// A key as the snapshot holds it that every request is looked up in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveKey {
    pub id: KeyId,
    pub hash: String,
    pub tenant: TenantId,
    pub person: PersonId,
    /// The role of its person now.
    pub role: Role,
    pub scope: KeyScope,
    pub expires_at: Option<Timestamp>,
}

impl Store {
    /// Makes a key for a person.
    pub async fn create_key(&self, tenant: TenantId, new: NewKey) -> Result<Key, Error> {
        let key = Key {
            id: KeyId(self.inner.ids.next()),
            tenant,
            person: new.person,
            name: clean(new.name),
            prefix: new.prefix,
            scope: new.scope,
            created_at: self.now(),
            expires_at: new.expires_at,
            last_used_at: None,
        };
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO keys (id, tenant, person, name, prefix, hash, created_at, expires_at, scope) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(key.id.to_string())
        .bind(key.tenant.to_string())
        .bind(key.person.to_string())
        .bind(key.name.clone())
        .bind(key.prefix.clone())
        .bind(new.hash)
        .bind(key.created_at.0)
        .bind(key.expires_at.map(|at| at.0))
        .bind(json(&key.scope)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.tell(Changed::Keys);
        Ok(key)
    }

    /// The caller's own keys that were not revoked, newest first.
    pub async fn keys(&self, caller: &Caller) -> Result<Vec<Key>, Error> {
        let (tenant, person) = owner(caller);
        let rows =
            sqlx::query("SELECT * FROM keys WHERE tenant = $1 AND person = $2 AND revoked_at IS NULL ORDER BY id DESC")
                .bind(tenant)
                .bind(person)
                .fetch_all(&self.inner.database.read)
                .await?;
        rows.iter().map(key).collect()
    }

    /// Everybody's keys that were not revoked, oldest first. For administrators and the command line.
    pub async fn keys_of_tenant(&self, tenant: TenantId) -> Result<Vec<Key>, Error> {
        let rows = sqlx::query("SELECT * FROM keys WHERE tenant = $1 AND revoked_at IS NULL ORDER BY id")
            .bind(tenant.to_string())
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(key).collect()
    }

    /// A key that was not revoked.
    pub async fn key(&self, caller: &Caller, whose: Whose, id: KeyId) -> Result<Option<Key>, Error> {
        let row = sqlx::query("SELECT * FROM keys WHERE id = $1 AND tenant = $2 AND revoked_at IS NULL")
            .bind(id.to_string())
            .bind(caller.tenant.to_string())
            .fetch_optional(&self.inner.database.read)
            .await?;
        let found = row.as_ref().map(key).transpose()?;
        Ok(found.filter(|key| whose == Whose::Anybodys || key.person == caller.person))
    }

    /// Changes a key, and returns it as it is now.
    pub async fn change_key(&self, caller: &Caller, whose: Whose, id: KeyId, change: KeyChange) -> Result<Key, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let row = sqlx::query("SELECT * FROM keys WHERE id = $1 AND tenant = $2 AND revoked_at IS NULL")
            .bind(id.to_string())
            .bind(caller.tenant.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let found = row.as_ref().map(key).transpose()?;
        let found = found.filter(|key| whose == Whose::Anybodys || key.person == caller.person);
        let mut after = found.ok_or(Error::NotFound { what: "key" })?;
        after.name = change.name.map_or(after.name, clean);
        after.scope = change.scope.unwrap_or(after.scope);
        after.expires_at = change.expires_at.unwrap_or(after.expires_at);
        sqlx::query("UPDATE keys SET name = $1, scope = $2, expires_at = $3 WHERE id = $4 AND tenant = $5")
            .bind(after.name.clone())
            .bind(json(&after.scope)?)
            .bind(after.expires_at.map(|at| at.0))
            .bind(id.to_string())
            .bind(caller.tenant.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.tell(Changed::Keys);
        Ok(after)
    }

    /// Revokes one of the caller's own.
    pub async fn revoke_key(&self, caller: &Caller, id: KeyId) -> Result<(), Error> {
        let (tenant, person) = owner(caller);
        let revoke =
            "UPDATE keys SET revoked_at = $1 WHERE id = $2 AND tenant = $3 AND person = $4 AND revoked_at IS NULL";
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query(revoke)
            .bind(self.now().0)
            .bind(id.to_string())
            .bind(tenant)
            .bind(person)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.revoked(done.rows_affected())
    }

    /// Revokes anybody's. For administrators and the command line.
    pub async fn revoke_key_of_tenant(&self, tenant: TenantId, id: KeyId) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query("UPDATE keys SET revoked_at = $1 WHERE id = $2 AND tenant = $3 AND revoked_at IS NULL")
            .bind(self.now().0)
            .bind(id.to_string())
            .bind(tenant.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        self.revoked(done.rows_affected())
    }

    fn revoked(&self, rows: u64) -> Result<(), Error> {
        if rows == 0 {
            return Err(Error::NotFound { what: "key" });
        }
        self.tell(Changed::Keys);
        Ok(())
    }

    /// Every key that opens a door now, of every tenant. For the snapshot that requests are looked up in; read it anew on
    /// [`Changed::Keys`]. Those that have expired are among them: whoever shows one is told so.
    pub async fn all_active_keys(&self) -> Result<Vec<ActiveKey>, Error> {
        let rows = sqlx::query(
            "SELECT k.id, k.hash, k.tenant, k.person, k.scope, k.expires_at, p.role FROM keys k \
             JOIN persons p ON p.id = k.person AND p.tenant = k.tenant \
             WHERE k.revoked_at IS NULL AND p.disabled = 0 ORDER BY k.id",
        )
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(ActiveKey {
                    id: row.id("id")?,
                    hash: row.text("hash")?,
                    tenant: row.id("tenant")?,
                    person: row.id("person")?,
                    role: row.role("role")?,
                    scope: row.json("scope")?,
                    expires_at: row.maybe_at("expires_at")?,
                })
            })
            .collect()
    }
}

fn key(row: &AnyRow) -> Result<Key, Error> {
    Ok(Key {
        id: row.id("id")?,
        tenant: row.id("tenant")?,
        person: row.id("person")?,
        name: row.text("name")?,
        prefix: row.text("prefix")?,
        scope: row.json("scope")?,
        created_at: row.at("created_at")?,
        expires_at: row.maybe_at("expires_at")?,
        last_used_at: row.maybe_at("last_used_at")?,
    })
}
