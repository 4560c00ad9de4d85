//! Accounts: who there is, and what they may prove it with. Rows only: hashing, throttling and deciding are identity's.
//!
//! These come before there is a [`Caller`](domain::Caller), so that a tenant goes first where no caller can.

mod keys;
mod links;
mod persons;
mod sessions;

use domain::{TenantId, Timestamp};

use crate::rows::Columns;
use crate::{Error, Store};
pub use keys::{ActiveKey, Key, KeyChange, NewKey, Whose};
pub use links::{Link, LinkKind, NewLink};
pub use persons::{NewPerson, Person, PersonChange};
pub use sessions::{NewSession, Session};

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    pub id: TenantId,
    pub name: String,
    pub created_at: Timestamp,
}

impl Store {
    /// All tenants. For the house.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        let rows = sqlx::query("SELECT id, name, created_at FROM tenants ORDER BY id")
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter()
            .map(|row| Ok(Tenant { id: row.id("id")?, name: row.text("name")?, created_at: row.at("created_at")? }))
            .collect()
    }

    pub(crate) async fn first_tenant(&self) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query("INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(TenantId::FIRST.to_string())
            .bind("")
            .bind(self.now().0)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}
