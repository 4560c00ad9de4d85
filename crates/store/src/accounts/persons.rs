//! People.

use domain::{PersonId, Role, TenantId, Timestamp};
use serde_json::Value;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::changes::Changed;
use crate::rows::{Columns, clean, json};
use crate::{Error, Store};

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub id: PersonId,
    pub tenant: TenantId,
    /// What they sign in with; one of its kind in the tenant.
    pub name: String,
    pub display_name: String,
    pub role: Role,
    pub disabled: bool,
    /// As identity wrote it; `None` where no password was set.
    pub password_hash: Option<String>,
    /// `zh-CN`, `en`; `None` follows the browser.
    pub language: Option<String>,
    /// A JSON object that the portal keeps for them.
    pub settings: Value,
    /// Tokens a day; `None` for the house's own limit.
    pub daily_token_limit: Option<u64>,
    pub created_at: Timestamp,
    pub last_seen_at: Option<Timestamp>,
}

/// A person to be.
#[derive(Debug, Clone)]
pub struct NewPerson {
    pub name: String,
    pub display_name: String,
    pub role: Role,
    pub password_hash: Option<String>,
    pub language: Option<String>,
}

/// What is to become different; absent stays. Inner `None` takes the value away.
#[derive(Debug, Clone, Default)]
pub struct PersonChange {
    pub display_name: Option<String>,
    pub role: Option<Role>,
    pub disabled: Option<bool>,
    pub password_hash: Option<String>,
    pub language: Option<Option<String>>,
    /// The whole object, merged already.
    pub settings: Option<Value>,
    pub daily_token_limit: Option<Option<u64>>,
}

impl Store {
    /// Adds a person. [`Error::Duplicate`] of `name` where the name is taken.
    pub async fn create_person(&self, tenant: TenantId, new: NewPerson) -> Result<Person, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let person = self.insert_person(&mut tx, tenant, new).await?;
        tx.commit().await?;
        self.tell(Changed::People);
        Ok(person)
    }

    pub(super) async fn insert_person(
        &self,
        connection: &mut AnyConnection,
        tenant: TenantId,
        new: NewPerson,
    ) -> Result<Person, Error> {
        let person = Person {
            id: PersonId(self.inner.ids.next()),
            tenant,
            name: clean(new.name),
            display_name: clean(new.display_name),
            role: new.role,
            disabled: false,
            password_hash: new.password_hash,
            language: new.language,
            settings: Value::Object(serde_json::Map::new()),
            daily_token_limit: None,
            created_at: self.now(),
            last_seen_at: None,
        };
        sqlx::query(
            "INSERT INTO persons (id, tenant, name, display_name, role, disabled, password_hash, language, settings, created_at) \
             VALUES ($1, $2, $3, $4, $5, 0, $6, $7, $8, $9)",
        )
        .bind(person.id.to_string())
        .bind(tenant.to_string())
        .bind(person.name.clone())
        .bind(person.display_name.clone())
        .bind(person.role.as_str())
        .bind(person.password_hash.clone())
        .bind(person.language.clone())
        .bind(json(&person.settings)?)
        .bind(person.created_at.0)
        .execute(connection)
        .await
        .map_err(Error::taken("name"))?;
        Ok(person)
    }

    /// One person of a tenant.
    pub async fn person(&self, tenant: TenantId, id: PersonId) -> Result<Option<Person>, Error> {
        let row = sqlx::query("SELECT * FROM persons WHERE tenant = $1 AND id = $2")
            .bind(tenant.to_string())
            .bind(id.to_string())
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.map(|row| person(&row)).transpose()
    }

    /// The person who signs in with `name`.
    pub async fn person_by_name(&self, tenant: TenantId, name: &str) -> Result<Option<Person>, Error> {
        let row = sqlx::query("SELECT * FROM persons WHERE tenant = $1 AND name = $2")
            .bind(tenant.to_string())
            .bind(name)
            .fetch_optional(&self.inner.database.read)
            .await?;
        row.map(|row| person(&row)).transpose()
    }

    /// Everybody in a tenant, by age.
    pub async fn people(&self, tenant: TenantId) -> Result<Vec<Person>, Error> {
        let rows = sqlx::query("SELECT * FROM persons WHERE tenant = $1 ORDER BY id")
            .bind(tenant.to_string())
            .fetch_all(&self.inner.database.read)
            .await?;
        rows.iter().map(person).collect()
    }

    /// Changes a person, and returns them as they are now. Taking the role from, or disabling, the last owner who can sign in
    /// is a [`Error::Conflict`]. A disabled person's sessions end with it.
    pub async fn change_person(&self, tenant: TenantId, id: PersonId, change: PersonChange) -> Result<Person, Error> {
        let mut tx = self.inner.database.write_tx().await?;
        let row = sqlx::query("SELECT * FROM persons WHERE tenant = $1 AND id = $2")
            .bind(tenant.to_string())
            .bind(id.to_string())
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(Error::NotFound { what: "person" })?;
        let before = person(&row)?;
        let after = changed(before.clone(), change);
        let governs = |person: &Person| person.role == Role::Owner && !person.disabled;
        if governs(&before) && !governs(&after) && owners(&mut tx, tenant).await? <= 1 {
            return Err(Error::Conflict { what: format!("{} is the last owner; make another one first", before.name) });
        }
        update(&mut tx, &after).await?;
        if after.disabled {
            sqlx::query("DELETE FROM sessions WHERE person = $1").bind(id.to_string()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        self.tell(Changed::People);
        if after.disabled != before.disabled || after.role != before.role {
            self.tell(Changed::Keys);
        }
        Ok(after)
    }

    /// Whether a tenant has an owner who can sign in; while it has none, the setup link is printed.
    pub async fn has_owner(&self, tenant: TenantId) -> Result<bool, Error> {
        let mut connection = self.inner.database.read.acquire().await?;
        Ok(owners(&mut connection, tenant).await? > 0)
    }
}

pub(super) async fn owners(connection: &mut AnyConnection, tenant: TenantId) -> Result<i64, Error> {
    let row = sqlx::query(
        "SELECT CAST(COUNT(*) AS BIGINT) AS n FROM persons WHERE tenant = $1 AND role = 'owner' AND disabled = 0",
    )
    .bind(tenant.to_string())
    .fetch_one(connection)
    .await?;
    row.int("n")
}

fn changed(mut person: Person, change: PersonChange) -> Person {
    person.display_name = change.display_name.map_or(person.display_name, clean);
    person.role = change.role.unwrap_or(person.role);
    person.disabled = change.disabled.unwrap_or(person.disabled);
    person.password_hash = change.password_hash.or(person.password_hash);
    person.language = change.language.unwrap_or(person.language);
    person.settings = change.settings.unwrap_or(person.settings);
    person.daily_token_limit = change.daily_token_limit.unwrap_or(person.daily_token_limit);
    person
}

async fn update(connection: &mut AnyConnection, person: &Person) -> Result<(), Error> {
    sqlx::query(
        "UPDATE persons SET display_name = $1, role = $2, disabled = $3, password_hash = $4, language = $5, settings = $6, \
         daily_token_limit = $7 WHERE tenant = $8 AND id = $9",
    )
    .bind(person.display_name.clone())
    .bind(person.role.as_str())
    .bind(i64::from(person.disabled))
    .bind(person.password_hash.clone())
    .bind(person.language.clone())
    .bind(json(&person.settings)?)
    .bind(person.daily_token_limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX)))
    .bind(person.tenant.to_string())
    .bind(person.id.to_string())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) fn person(row: &AnyRow) -> Result<Person, Error> {
    Ok(Person {
        id: row.id("id")?,
        tenant: row.id("tenant")?,
        name: row.text("name")?,
        display_name: row.text("display_name")?,
        role: row.role("role")?,
        disabled: row.flag("disabled")?,
        password_hash: row.maybe_text("password_hash")?,
        language: row.maybe_text("language")?,
        settings: row.json("settings")?,
        daily_token_limit: row.maybe_number("daily_token_limit")?,
        created_at: row.at("created_at")?,
        last_seen_at: row.maybe_at("last_seen_at")?,
    })
}
