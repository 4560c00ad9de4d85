//! Aliases that administrators keep, with every version there was. What an alias may say and who asks it is not known here:
//! `config` is whatever was stored.

use domain::{Caller, PersonId, TenantId, Timestamp};
use serde_json::Value;
use sqlx::any::AnyRow;

use crate::changes::Changed;
use crate::rows::{Columns, clean, corrupt, json};
use crate::{Error, Store};

/// The most versions that are read back.
const HISTORY: i64 = 200;

/// An alias as it holds now.
#[derive(Debug, Clone, PartialEq)]
pub struct AliasRow {
    pub name: String,
    /// `None`: in every environment.
    pub environment: Option<String>,
    pub version: i64,
    pub config: Value,
    pub person: PersonId,
    pub at: Timestamp,
    pub note: String,
}

/// One version of an alias.
#[derive(Debug, Clone, PartialEq)]
pub struct AliasVersion {
    /// From 1.
    pub version: i64,
    /// `None`: this version took the alias away.
    pub config: Option<Value>,
    /// The version whose content it brought back.
    pub restores: Option<i64>,
    pub note: String,
    pub person: PersonId,
    pub at: Timestamp,
}

/// A version to be.
#[derive(Debug, Clone)]
pub struct NewAliasVersion {
    pub name: String,
    pub environment: Option<String>,
    /// `None` takes the alias away.
    pub config: Option<Value>,
    pub restores: Option<i64>,
    pub note: String,
    /// Where the alias holds already: [`Error::Duplicate`] of `name`.
    pub must_be_new: bool,
}

const NOW: &str = "SELECT a.name, a.environment, a.version, v.config, v.person, v.at, v.note FROM aliases a \
     JOIN alias_versions v ON v.tenant = a.tenant AND v.name = a.name AND v.environment = a.environment \
     AND v.version = a.version WHERE a.tenant = $1";

impl Store {
    /// The aliases of a tenant, by name.
    pub async fn aliases(&self, tenant: TenantId) -> Result<Vec<AliasRow>, Error> {
        let select = format!("{NOW} ORDER BY a.name, a.environment");
        let rows = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(tenant.to_string())
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(alias).collect()
    }

    /// One of them.
    pub async fn alias(
        &self,
        tenant: TenantId,
        name: &str,
        environment: Option<&str>,
    ) -> Result<Option<AliasRow>, Error> {
        let select = format!("{NOW} AND a.name = $2 AND a.environment = $3");
        let row = sqlx::query(sqlx::AssertSqlSafe(select))
            .bind(tenant.to_string())
            .bind(name)
            .bind(environment.unwrap_or_default())
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.as_ref().map(alias).transpose()
    }

    /// Its versions, newest first, at most 200; also those of one that was taken away.
    pub async fn alias_versions(
        &self,
        tenant: TenantId,
        name: &str,
        environment: Option<&str>,
    ) -> Result<Vec<AliasVersion>, Error> {
        let rows = sqlx::query(
            "SELECT version, config, restores, note, person, at FROM alias_versions \
             WHERE tenant = $1 AND name = $2 AND environment = $3 ORDER BY version DESC LIMIT $4",
        )
        .bind(tenant.to_string())
        .bind(name)
        .bind(environment.unwrap_or_default())
        .bind(HISTORY)
        .fetch_all(&self.inner.database.read)
        .await?;
        rows.iter().map(version).collect()
    }

    /// Puts a new version in force; its number.
    pub async fn put_alias(&self, caller: &Caller, new: NewAliasVersion) -> Result<i64, Error> {
        let tenant = caller.tenant.to_string();
        let (name, environment) = (clean(new.name), clean(new.environment.unwrap_or_default()));
        let mut tx = self.inner.database.write_tx().await?;
        let held = sqlx::query("SELECT version FROM aliases WHERE tenant = $1 AND name = $2 AND environment = $3")
            .bind(tenant.clone())
            .bind(name.clone())
            .bind(environment.clone())
            .fetch_optional(&mut *tx)
            .await?;
        match (&held, new.must_be_new, &new.config) {
            (Some(_), true, _) => return Err(Error::Duplicate { what: "name" }),
            (None, _, None) => return Err(Error::NotFound { what: "alias" }),
            _ => {}
        }
        let last = sqlx::query(
            "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) AS version FROM alias_versions \
             WHERE tenant = $1 AND name = $2 AND environment = $3",
        )
        .bind(tenant.clone())
        .bind(name.clone())
        .bind(environment.clone())
        .fetch_one(&mut *tx)
        .await?;
        let version = last.int("version")? + 1;
        sqlx::query(
            "INSERT INTO alias_versions (tenant, name, environment, version, config, restores, note, person, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(tenant.clone())
        .bind(name.clone())
        .bind(environment.clone())
        .bind(version)
        .bind(new.config.as_ref().map(json).transpose()?)
        .bind(new.restores)
        .bind(clean(new.note))
        .bind(caller.person.to_string())
        .bind(self.now().0)
        .execute(&mut *tx)
        .await?;
        let point = match new.config {
            Some(_) => {
                "INSERT INTO aliases (tenant, name, environment, version) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (tenant, name, environment) DO UPDATE SET version = excluded.version"
            }
            None => "DELETE FROM aliases WHERE tenant = $1 AND name = $2 AND environment = $3 AND version < $4",
        };
        sqlx::query(point).bind(tenant).bind(name).bind(environment).bind(version).execute(&mut *tx).await?;
        tx.commit().await?;
        self.tell(Changed::Catalog);
        Ok(version)
    }
}

fn environment(row: &AnyRow) -> Result<Option<String>, Error> {
    Ok(Some(row.text("environment")?).filter(|name| !name.is_empty()))
}

fn alias(row: &AnyRow) -> Result<AliasRow, Error> {
    Ok(AliasRow {
        name: row.text("name")?,
        environment: environment(row)?,
        version: row.int("version")?,
        config: row.json("config")?,
        person: row.id("person")?,
        at: row.at("at")?,
        note: row.text("note")?,
    })
}

fn version(row: &AnyRow) -> Result<AliasVersion, Error> {
    let config = row.maybe_text("config")?;
    let config = match &config {
        None => None,
        Some(text) => Some(serde_json::from_str(text).map_err(|_| corrupt("config", text))?),
    };
    Ok(AliasVersion {
        version: row.int("version")?,
        config,
        restores: row.maybe_int("restores")?,
        note: row.text("note")?,
        person: row.id("person")?,
        at: row.at("at")?,
    })
}
