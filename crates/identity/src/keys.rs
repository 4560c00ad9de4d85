//! API keys: made, listed, revoked, and looked up on every request of a program. All keys are in memory, by digest: a lookup reads no row and allocates nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use domain::{Caller, KeyId, PersonId, Timestamp, Via};
use serde_json::json;
use store::{Record, Touch};

use crate::secret::{Digest, Token};
use crate::{Error, Identity, api_key};

/// That a key was used is written at most once in this time.
const NOTE_USE_MS: i64 = 60_000;
const MOST_PER_PERSON: usize = 100;

/// Every key that lets somebody in.
#[derive(Default)]
pub(crate) struct Snapshot(RwLock<HashMap<Digest, Arc<Held>>>);

struct Held {
    caller: Caller,
    key: KeyId,
    expires_at: Option<Timestamp>,
    used_at: AtomicI64,
    noted_at: AtomicI64,
}

/// A key that was just made; the only time its text is known.
#[derive(Debug)]
pub struct NewKey {
    /// The key as it is listed.
    pub key: store::Key,
    /// Its text.
    pub token: Token,
}

impl Identity {
    /// Who shows this key, if it lets anybody in. Reads no row and allocates nothing.
    pub fn caller_by_key(&self, text: &str) -> Option<Caller> {
        let digest = api_key::digest(text)?;
        let keys = self.inner.keys.0.read().unwrap_or_else(PoisonError::into_inner);
        let held = keys.get(&digest)?;
        let now = self.inner.clock.now();
        if held.expires_at.is_some_and(|end| end <= now) {
            return None;
        }
        held.used_at.store(now.0, Ordering::Relaxed);
        Some(held.caller)
    }

    /// The caller's own keys.
    pub async fn keys(&self, caller: &Caller) -> Result<Vec<store::Key>, Error> {
        Ok(self.inner.store.keys(caller).await?)
    }

    /// Makes a key for the caller.
    pub async fn new_key(&self, caller: &Caller, name: &str, expires_at: Option<Timestamp>) -> Result<NewKey, Error> {
        let name = name.trim();
        if !(1..=100).contains(&name.chars().count()) {
            return Err(Error::Invalid { field: "name", reason: "a key's name has 1 to 100 characters" });
        }
        if expires_at.is_some_and(|end| end <= self.inner.clock.now()) {
            return Err(Error::Invalid { field: "expires_at", reason: "that moment has passed" });
        }
        let _changing = self.inner.changing.lock().await;
        if self.inner.store.keys(caller).await?.len() >= MOST_PER_PERSON {
            return Err(Error::Invalid { field: "name", reason: "a person has at most 100 keys; revoke one first" });
        }
        let token = api_key::random()?;
        let (prefix, hash) = (api_key::prefix(&token), token.digest().hex());
        let new = store::NewKey { person: caller.person, name: name.to_owned(), prefix, hash, expires_at };
        let key = self.inner.store.create_key(caller.tenant, new).await?;
        self.audit(Some(caller), "key.created", key.id, json!({ "name": key.name, "expires_at": expires_at })).await;
        self.read_keys_anew().await?;
        Ok(NewKey { key, token })
    }

    /// Revokes one of the caller's keys; it opens nothing from this moment.
    pub async fn revoke_key(&self, caller: &Caller, key: KeyId) -> Result<(), Error> {
        let _changing = self.inner.changing.lock().await;
        self.inner.store.revoke_key(caller, key).await?;
        self.inner.keys.forget(|held| held.key == key);
        self.audit(Some(caller), "key.revoked", key, json!({})).await;
        Ok(())
    }

    /// Everybody's keys. At the machine only: who has none of these rights sees and revokes their own.
    pub async fn everybodys_keys(&self, caller: &Caller) -> Result<Vec<store::Key>, Error> {
        at_the_machine(caller)?;
        Ok(self.inner.store.keys_of_tenant(caller.tenant).await?)
    }

    /// Revokes anybody's key. At the machine only.
    pub async fn revoke_anybodys_key(&self, caller: &Caller, key: KeyId) -> Result<(), Error> {
        at_the_machine(caller)?;
        let _changing = self.inner.changing.lock().await;
        self.inner.store.revoke_key_of_tenant(caller.tenant, key).await?;
        self.inner.keys.forget(|held| held.key == key);
        self.audit(Some(caller), "key.revoked", key, json!({})).await;
        Ok(())
    }

    /// Reads every key, waiting for changes that are being made.
    pub(crate) async fn read_keys(&self) -> Result<(), Error> {
        let _changing = self.inner.changing.lock().await;
        self.read_keys_anew().await
    }

    /// The same for one who is making a change.
    pub(crate) async fn read_keys_anew(&self) -> Result<(), Error> {
        let rows = self.inner.store.all_active_keys().await?;
        let mut keys = self.inner.keys.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut anew = HashMap::with_capacity(rows.len());
        for row in rows {
            let Some(digest) = Digest::parse(&row.hash) else { continue };
            let caller = Caller { tenant: row.tenant, person: row.person, role: row.role, via: Via::Key(row.id) };
            let used = |held: &Arc<Held>| (held.used_at.load(Ordering::Relaxed), held.noted_at.load(Ordering::Relaxed));
            let (used_at, noted_at) = keys.get(&digest).map_or((0, 0), used);
            let (used_at, noted_at) = (used_at.into(), noted_at.into());
            let held = Held { caller, key: row.id, expires_at: row.expires_at, used_at, noted_at };
            anew.insert(digest, Arc::new(held));
        }
        *keys = anew;
        Ok(())
    }

    /// Tells the store which keys were used; with `all` also those noted within the last minute.
    pub(crate) async fn note_used_keys(&self, all: bool) {
        for held in self.inner.keys.used(all) {
            let (Via::Key(key), person) = (held.caller.via, held.caller.person) else { continue };
            let at = held.used_at.load(Ordering::Relaxed);
            held.noted_at.store(at, Ordering::Relaxed);
            let touch = Touch::Key { key, person, at: Timestamp(at) };
            drop(self.inner.store.writer().submit(Record::Touch(touch)).await);
        }
    }
}

fn at_the_machine(caller: &Caller) -> Result<(), Error> {
    if caller.via == Via::House {
        return Ok(());
    }
    Err(Error::Forbidden { reason: "this is done at the machine, with the portico command" })
}

impl Snapshot {
    fn forget(&self, which: impl Fn(&Held) -> bool) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|_, held| !which(held));
    }

    pub(crate) fn forget_person(&self, person: PersonId) {
        self.forget(|held| held.caller.person == person);
    }

    fn used(&self, all: bool) -> Vec<Arc<Held>> {
        let least = if all { 1 } else { NOTE_USE_MS };
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let due = |held: &&Arc<Held>| {
            let (used, noted) = (held.used_at.load(Ordering::Relaxed), held.noted_at.load(Ordering::Relaxed));
            used.saturating_sub(noted) >= least
        };
        keys.values().filter(due).cloned().collect()
    }
}
