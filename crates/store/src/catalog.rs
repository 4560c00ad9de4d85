//! Providers that an administrator added, and settings of the house. What is read from files is not here.

use domain::{Caller, ProviderId, TenantId, Timestamp};
use serde_json::Value;
use sqlx::any::AnyRow;

use crate::changes::Changed;
use crate::rows::{Columns, clean, corrupt, hex, json, unhex};
use crate::{Error, Store};

/// A provider as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct ProviderRow {
    pub id: ProviderId,
    pub tenant: TenantId,
    /// One of its kind in the tenant; the first half of its models' ids, so it never changes.
    pub name: String,
    /// What people read.
    pub title: String,
    /// Which adapter reaches it.
    pub kind: String,
    pub base_url: String,
    /// Encrypted by whoever stored it.
    pub sealed_key: Option<Vec<u8>>,
    /// As the settings page keeps them.
    pub models: Value,
    pub enabled: bool,
    pub created_at: Timestamp,
}

/// A provider to be.
#[derive(Debug, Clone)]
pub struct NewProvider {
    pub name: String,
    pub title: String,
    pub kind: String,
    pub base_url: String,
    pub sealed_key: Option<Vec<u8>>,
    pub models: Value,
    pub enabled: bool,
}

/// What is to become different; absent stays. Inner `None` takes the value away.
#[derive(Debug, Clone, Default)]
pub struct ProviderChange {
    pub title: Option<String>,
    pub kind: Option<String>,
    pub base_url: Option<String>,
    pub sealed_key: Option<Option<Vec<u8>>>,
    pub models: Option<Value>,
    pub enabled: Option<bool>,
}

impl Store {
    /// The providers of a tenant, by age.
    pub async fn providers(&self, tenant: TenantId) -> Result<Vec<ProviderRow>, Error> {
        let rows = sqlx::query("SELECT * FROM providers WHERE tenant = $1 ORDER BY id")
            .bind(tenant.to_string())
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(provider).collect()
    }

    /// Adds one. [`Error::Duplicate`] of `name` where the name is taken.
    pub async fn create_provider(&self, caller: &Caller, new: NewProvider) -> Result<ProviderRow, Error> {
        let made = ProviderRow {
            id: ProviderId(self.inner.ids.next()),
            tenant: caller.tenant,
            name: clean(new.name),
            title: clean(new.title),
            kind: clean(new.kind),
            base_url: clean(new.base_url),
            sealed_key: new.sealed_key,
            models: new.models,
            enabled: new.enabled,
            created_at: self.now(),
        };
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO providers (id, tenant, name, title, kind, base_url, sealed_key, models, enabled, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(made.id.to_string())
        .bind(made.tenant.to_string())
        .bind(made.name.clone())
        .bind(made.title.clone())
        .bind(made.kind.clone())
        .bind(made.base_url.clone())
        .bind(made.sealed_key.as_deref().map(hex))
        .bind(json(&made.models)?)
        .bind(i64::from(made.enabled))
        .bind(made.created_at.0)
        .execute(&mut *tx)
        .await
        .map_err(Error::taken("name"))?;
        tx.commit().await?;
        self.tell(Changed::Catalog);
        Ok(made)
    }

    /// Changes one, and returns it as it is now.
    pub async fn change_provider(
        &self,
        caller: &Caller,
        id: ProviderId,
        change: ProviderChange,
    ) -> Result<ProviderRow, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let row = sqlx::query("SELECT * FROM providers WHERE tenant = $1 AND id = $2")
            .bind(caller.tenant.to_string())
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(Error::NotFound { what: "provider" })?;
        let mut after = provider(&row)?;
        after.title = change.title.map_or(after.title, clean);
        after.kind = change.kind.map_or(after.kind, clean);
        after.base_url = change.base_url.map_or(after.base_url, clean);
        after.sealed_key = change.sealed_key.unwrap_or(after.sealed_key);
        after.models = change.models.unwrap_or(after.models);
        after.enabled = change.enabled.unwrap_or(after.enabled);
        sqlx::query(
            "UPDATE providers SET title = $1, kind = $2, base_url = $3, sealed_key = $4, models = $5, enabled = $6 \
             WHERE tenant = $7 AND id = $8",
        )
        .bind(after.title.clone())
        .bind(after.kind.clone())
        .bind(after.base_url.clone())
        .bind(after.sealed_key.as_deref().map(hex))
        .bind(json(&after.models)?)
        .bind(i64::from(after.enabled))
        .bind(caller.tenant.to_string())
        .bind(id.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.tell(Changed::Catalog);
        Ok(after)
    }

    /// Removes one.
    pub async fn delete_provider(&self, caller: &Caller, id: ProviderId) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query("DELETE FROM providers WHERE tenant = $1 AND id = $2")
            .bind(caller.tenant.to_string())
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "provider" });
        }
        self.tell(Changed::Catalog);
        Ok(())
    }

    /// What the newest test of a model's capabilities found, and when.
    pub async fn capabilities(&self, tenant: TenantId, model: &str) -> Result<Option<(Timestamp, Value)>, Error> {
        let row = sqlx::query("SELECT at, matrix FROM capabilities WHERE tenant = $1 AND model = $2")
            .bind(tenant.to_string())
            .bind(model)
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.map(|row| Ok((row.at("at")?, row.json("matrix")?))).transpose()
    }

    /// Keeps what a test of a model's capabilities found, in place of the one before; returns its time.
    pub async fn put_capabilities(&self, caller: &Caller, model: &str, matrix: &Value) -> Result<Timestamp, Error> {
        let now = self.now();
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO capabilities (tenant, model, at, matrix) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (tenant, model) DO UPDATE SET at = excluded.at, matrix = excluded.matrix",
        )
        .bind(caller.tenant.to_string())
        .bind(clean(model.to_owned()))
        .bind(now.0)
        .bind(json(matrix)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(now)
    }

    /// A setting of a tenant.
    pub async fn setting(&self, tenant: TenantId, key: &str) -> Result<Option<Value>, Error> {
        let row = sqlx::query("SELECT value FROM settings WHERE tenant = $1 AND key = $2")
            .bind(tenant.to_string())
            .bind(key)
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.map(|row| row.json("value")).transpose()
    }

    /// Stores a setting in place of what was there.
    pub async fn put_setting(&self, tenant: TenantId, key: &str, value: &Value) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO settings (tenant, key, value) VALUES ($1, $2, $3) \
             ON CONFLICT (tenant, key) DO UPDATE SET value = excluded.value",
        )
        .bind(tenant.to_string())
        .bind(key)
        .bind(json(value)?)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.tell(Changed::Catalog);
        Ok(())
    }
}

fn provider(row: &AnyRow) -> Result<ProviderRow, Error> {
    let sealed = row.maybe_text("sealed_key")?;
    let sealed_key = match &sealed {
        None => None,
        Some(text) => Some(unhex(text).ok_or_else(|| corrupt("sealed_key", ""))?),
    };
    Ok(ProviderRow {
        id: row.id("id")?,
        tenant: row.id("tenant")?,
        name: row.text("name")?,
        title: row.text("title")?,
        kind: row.text("kind")?,
        base_url: row.text("base_url")?,
        sealed_key,
        models: row.json("models")?,
        enabled: row.flag("enabled")?,
        created_at: row.at("created_at")?,
    })
}
