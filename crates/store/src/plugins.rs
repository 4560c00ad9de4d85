//! Plugins as they were installed, and a line for each of their calls. What a manifest means is not known here.

use domain::{Caller, PersonId, PluginId, TenantId, Timestamp, TurnId};
use serde_json::Value;
use sqlx::any::AnyRow;

use crate::changes::Changed;
use crate::rows::{Columns, clean, corrupt, hex, json, unhex};
use crate::{Error, Store};

/// A call's line is kept this long, in milliseconds: ninety days.
const KEPT_MS: i64 = 90 * 86_400_000;

/// A plugin as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginRow {
    pub id: PluginId,
    /// One of its kind in the tenant.
    pub name: String,
    pub kind: String,
    /// As it was written.
    pub manifest: Value,
    /// As the gateway keeps them.
    pub settings: Value,
    /// Permissions, as a manifest writes them.
    pub grants: Vec<String>,
    /// Encrypted by whoever stored it.
    pub sealed: Option<Vec<u8>>,
    pub enabled: bool,
    /// Who installed it.
    pub person: PersonId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A plugin to be.
#[derive(Debug, Clone)]
pub struct NewPlugin {
    pub name: String,
    pub kind: String,
    pub manifest: Value,
    pub settings: Value,
    pub grants: Vec<String>,
    pub sealed: Option<Vec<u8>>,
    pub enabled: bool,
}

/// What is to become different; absent stays. Inner `None` takes the value away.
#[derive(Debug, Clone, Default)]
pub struct PluginChange {
    pub settings: Option<Value>,
    pub grants: Option<Vec<String>>,
    pub sealed: Option<Option<Vec<u8>>>,
    pub enabled: Option<bool>,
}

/// One call of a plugin's tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginCall {
    pub person: PersonId,
    pub plugin: String,
    pub tool: String,
    /// The turn it was for; none for a test.
    pub turn: Option<TurnId>,
    pub at: Timestamp,
    pub ms: u32,
    /// `done`, or why it failed: a word of the error table.
    pub outcome: String,
    /// What was sent, masked.
    pub sent: String,
    /// What came back, masked.
    pub received: String,
}

impl Store {
    /// The plugins of a tenant, by age.
    pub async fn plugins(&self, tenant: TenantId) -> Result<Vec<PluginRow>, Error> {
        let rows = sqlx::query("SELECT * FROM plugins WHERE tenant = $1 ORDER BY id")
            .bind(tenant.to_string())
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(plugin).collect()
    }

    /// Adds one. [`Error::Duplicate`] of `name` where the name is taken.
    pub async fn create_plugin(&self, caller: &Caller, new: NewPlugin) -> Result<PluginRow, Error> {
        let now = self.now();
        let made = PluginRow {
            id: PluginId(self.inner.ids.next()),
            name: clean(new.name),
            kind: clean(new.kind),
            manifest: new.manifest,
            settings: new.settings,
            grants: new.grants.into_iter().map(clean).collect(),
            sealed: new.sealed,
            enabled: new.enabled,
            person: caller.person,
            created_at: now,
            updated_at: now,
        };
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query(
            "INSERT INTO plugins (id, tenant, name, kind, manifest, settings, grants, sealed, enabled, person, created_at, \
             updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11)",
        )
        .bind(made.id.to_string())
        .bind(caller.tenant.to_string())
        .bind(made.name.clone())
        .bind(made.kind.clone())
        .bind(json(&made.manifest)?)
        .bind(json(&made.settings)?)
        .bind(json(&made.grants)?)
        .bind(made.sealed.as_deref().map(hex))
        .bind(i64::from(made.enabled))
        .bind(made.person.to_string())
        .bind(now.0)
        .execute(&mut *tx)
        .await
        .map_err(Error::taken("name"))?;
        tx.commit().await?;
        self.tell(Changed::Catalog);
        Ok(made)
    }

    /// Changes one, and returns it as it is now.
    pub async fn change_plugin(&self, caller: &Caller, name: &str, change: PluginChange) -> Result<PluginRow, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let row = sqlx::query("SELECT * FROM plugins WHERE tenant = $1 AND name = $2")
            .bind(caller.tenant.to_string())
            .bind(name)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(Error::NotFound { what: "plugin" })?;
        let mut after = plugin(&row)?;
        after.settings = change.settings.unwrap_or(after.settings);
        after.grants = change.grants.unwrap_or(after.grants).into_iter().map(clean).collect();
        after.sealed = change.sealed.unwrap_or(after.sealed);
        after.enabled = change.enabled.unwrap_or(after.enabled);
        after.updated_at = self.now();
        sqlx::query(
            "UPDATE plugins SET settings = $1, grants = $2, sealed = $3, enabled = $4, updated_at = $5 \
             WHERE tenant = $6 AND id = $7",
        )
        .bind(json(&after.settings)?)
        .bind(json(&after.grants)?)
        .bind(after.sealed.as_deref().map(hex))
        .bind(i64::from(after.enabled))
        .bind(after.updated_at.0)
        .bind(caller.tenant.to_string())
        .bind(after.id.to_string())
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        self.tell(Changed::Catalog);
        Ok(after)
    }

    /// Removes one; the lines of its calls stay.
    pub async fn delete_plugin(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let done = sqlx::query("DELETE FROM plugins WHERE tenant = $1 AND name = $2")
            .bind(caller.tenant.to_string())
            .bind(name)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "plugin" });
        }
        self.tell(Changed::Catalog);
        Ok(())
    }

    /// Keeps a line of a call, and forgets those that are older than ninety days. Its person is the caller.
    pub async fn note_plugin_call(&self, caller: &Caller, call: PluginCall) -> Result<(), Error> {
        let mut tx = self.inner.database.write_tx().await?;
        sqlx::query("DELETE FROM plugin_calls WHERE tenant = $1 AND at < $2")
            .bind(caller.tenant.to_string())
            .bind(self.now().0 - KEPT_MS)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO plugin_calls (id, tenant, person, plugin, tool, turn, at, ms, outcome, sent, received) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(self.inner.ids.next().to_string())
        .bind(caller.tenant.to_string())
        .bind(caller.person.to_string())
        .bind(clean(call.plugin))
        .bind(clean(call.tool))
        .bind(call.turn.map(|turn| turn.to_string()))
        .bind(call.at.0)
        .bind(i64::from(call.ms))
        .bind(clean(call.outcome))
        .bind(clean(call.sent))
        .bind(clean(call.received))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The newest calls of a tenant's plugin, everybody's, newest first.
    pub async fn plugin_calls(&self, tenant: TenantId, plugin: &str, limit: u32) -> Result<Vec<PluginCall>, Error> {
        let rows =
            sqlx::query("SELECT * FROM plugin_calls WHERE tenant = $1 AND plugin = $2 ORDER BY id DESC LIMIT $3")
                .bind(tenant.to_string())
                .bind(plugin)
                .bind(i64::from(limit))
                .fetch_all(&self.inner.database.read)
                .await?;
        rows.iter().map(call).collect()
    }

    /// The calls of one of the caller's own turns, in the order in which they ended.
    pub async fn turn_calls(&self, caller: &Caller, turn: TurnId) -> Result<Vec<PluginCall>, Error> {
        let rows =
            sqlx::query("SELECT * FROM plugin_calls WHERE tenant = $1 AND turn = $2 AND person = $3 ORDER BY id")
                .bind(caller.tenant.to_string())
                .bind(turn.to_string())
                .bind(caller.person.to_string())
                .fetch_all(&self.inner.database.read)
                .await?;
        rows.iter().map(call).collect()
    }
}

fn plugin(row: &AnyRow) -> Result<PluginRow, Error> {
    let sealed = match row.maybe_text("sealed")? {
        None => None,
        Some(text) => Some(unhex(&text).ok_or_else(|| corrupt("sealed", ""))?),
    };
    Ok(PluginRow {
        id: row.id("id")?,
        name: row.text("name")?,
        kind: row.text("kind")?,
        manifest: row.json("manifest")?,
        settings: row.json("settings")?,
        grants: row.json("grants")?,
        sealed,
        enabled: row.flag("enabled")?,
        person: row.id("person")?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}

fn call(row: &AnyRow) -> Result<PluginCall, Error> {
    Ok(PluginCall {
        person: row.id("person")?,
        plugin: row.text("plugin")?,
        tool: row.text("tool")?,
        turn: row.maybe_id("turn")?,
        at: row.at("at")?,
        ms: row.number("ms")?,
        outcome: row.text("outcome")?,
        sent: row.text("sent")?,
        received: row.text("received")?,
    })
}
