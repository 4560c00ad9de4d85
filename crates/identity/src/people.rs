//! Who is who, and who may change whom: an admin does not touch an owner, only an owner makes owners, and the last owner stays one.

use domain::{Caller, PersonId, Role};
use serde_json::{Map, Value, json};
use store::Person;

use crate::name::{display_name, name_taken};
use crate::{Error, Identity, LoginName, administer};

/// What a person changes about themselves. `None`: as it was.
#[derive(Debug, Clone, Default)]
pub struct ProfileChange {
    /// What others read.
    pub display_name: Option<String>,
    /// `zh-CN`, `en`, or `Some(None)` for the browser's.
    pub language: Option<Option<String>>,
    /// Merged into the settings key by key; null deletes.
    pub settings: Option<Map<String, Value>>,
}

/// What an administrator changes about a person. `None`: as it was.
#[derive(Debug, Clone, Copy, Default)]
pub struct PersonChange {
    /// Their role.
    pub role: Option<Role>,
    /// Whether they may come in.
    pub disabled: Option<bool>,
    /// Tokens per day; `Some(None)`: what the configuration says.
    pub daily_token_limit: Option<Option<u64>>,
}

/// The settings of one person, as JSON, together.
const MOST_SETTINGS: usize = 64 * 1024;

impl Identity {
    /// The caller themselves.
    pub async fn me(&self, caller: &Caller) -> Result<Person, Error> {
        self.person(caller, caller.person).await
    }

    /// Everybody in the tenant.
    pub async fn people(&self, caller: &Caller) -> Result<Vec<Person>, Error> {
        administer(caller)?;
        Ok(self.inner.store.people(caller.tenant).await?)
    }

    /// The person behind a login name, for the command line.
    pub async fn person_by_name(&self, caller: &Caller, name: &str) -> Result<Person, Error> {
        administer(caller)?;
        let name = LoginName::parse(name)?;
        let person = self.inner.store.person_by_name(caller.tenant, name.as_str()).await?;
        person.ok_or(Error::NotFound { what: "person" })
    }

    /// Adds a person without a password; a reset link lets them choose one.
    pub async fn add(&self, caller: &Caller, name: &str, role: Role) -> Result<Person, Error> {
        administer(caller)?;
        owners_make_owners(caller, role)?;
        let name = LoginName::parse(name)?;
        let display_name = name.to_string();
        let new = store::NewPerson { name: name.to_string(), display_name, role, password_hash: None, language: None };
        let added = self.inner.store.create_person(caller.tenant, new).await;
        let person = added.map_err(|error| name_taken(error, name.to_string()))?;
        let detail = json!({ "name": person.name, "role": person.role });
        self.audit(Some(caller), "person.added", person.id, detail).await;
        Ok(person)
    }

    /// Changes what a person says about themselves.
    pub async fn change_me(&self, caller: &Caller, change: ProfileChange) -> Result<Person, Error> {
        let _changing = self.inner.changing.lock().await;
        let me = self.me(caller).await?;
        let mut changed = store::PersonChange::default();
        if let Some(shown) = change.display_name {
            changed.display_name = Some(display_name(&shown, &LoginName::parse(&me.name)?)?);
        }
        if let Some(chosen) = change.language {
            changed.language = Some(chosen.map(|chosen| language(&chosen).map(str::to_owned)).transpose()?);
        }
        if let Some(settings) = change.settings {
            changed.settings = Some(merged(me.settings, settings)?);
        }
        Ok(self.inner.store.change_person(caller.tenant, caller.person, changed).await?)
    }

    /// Changes a person's role, limit, or whether they may come in. Who is disabled is out at once: sessions end, keys open nothing.
    pub async fn change_person(
        &self,
        caller: &Caller,
        person: PersonId,
        change: PersonChange,
    ) -> Result<Person, Error> {
        administer(caller)?;
        let _changing = self.inner.changing.lock().await;
        let before = self.person(caller, person).await?;
        may_touch(caller.role, &before)?;
        if let Some(role) = change.role {
            owners_make_owners(caller, role)?;
        }
        let PersonChange { role, disabled, daily_token_limit } = change;
        let row = store::PersonChange { role, disabled, daily_token_limit, ..store::PersonChange::default() };
        let after = self.inner.store.change_person(caller.tenant, person, row).await.map_err(|error| match error {
            store::Error::Conflict { .. } => Error::LastOwner,
            other => Error::Store(other),
        })?;
        // A new role counts from now on, for sessions and keys that are open as well.
        self.inner.sessions.forget_person(person);
        self.inner.keys.forget_person(person);
        let detail = json!({ "role": role, "disabled": disabled, "daily_token_limit": daily_token_limit });
        self.audit(Some(caller), "person.changed", person, detail).await;
        self.read_keys_anew().await?;
        Ok(after)
    }
}

/// Only owners change owners.
pub(crate) fn may_touch(role: Role, person: &Person) -> Result<(), Error> {
    if person.role == Role::Owner && role != Role::Owner {
        return Err(Error::Forbidden { reason: "only an owner may change an owner" });
    }
    Ok(())
}

fn owners_make_owners(caller: &Caller, role: Role) -> Result<(), Error> {
    if role == Role::Owner && caller.role != Role::Owner {
        return Err(Error::Forbidden { reason: "only an owner may make somebody an owner" });
    }
    Ok(())
}

/// The languages the portal speaks.
pub(crate) fn language(tag: &str) -> Result<&'static str, Error> {
    match tag {
        "zh-CN" => Ok("zh-CN"),
        "en" => Ok("en"),
        _ => Err(Error::Invalid { field: "language", reason: "the portal speaks zh-CN and en" }),
    }
}

fn merged(before: Value, change: Map<String, Value>) -> Result<Value, Error> {
    let mut settings = match before {
        Value::Object(settings) => settings,
        _ => Map::new(),
    };
    for (key, value) in change {
        match value {
            Value::Null => settings.remove(&key),
            value => settings.insert(key, value),
        };
    }
    let settings = Value::Object(settings);
    if settings.to_string().len() > MOST_SETTINGS {
        return Err(Error::Invalid { field: "settings", reason: "settings take at most 64 KiB" });
    }
    Ok(settings)
}
