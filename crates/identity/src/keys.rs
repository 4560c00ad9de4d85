//! API keys: made, listed, changed, revoked, and looked up on every request of a program. All keys are in memory, by digest: a
//! lookup reads no row and allocates nothing. What a key may do is `scope.rs`'s to check when it is written.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use domain::{Caller, KeyId, KeyScope, PersonId, Timestamp, Via};
use serde_json::json;
use store::{KeyChange, Record, Touch, Whose};

use crate::secret::{Digest, Token};
use crate::{Error, Identity, administer, api_key, scope};

/// That a key was used is written at most once in this time.
const NOTE_USE_MS: i64 = 60_000;
const MOST_PER_PERSON: usize = 100;

/// Every key that lets somebody in.
#[derive(Default)]
pub(crate) struct Snapshot(RwLock<HashMap<Digest, Arc<Held>>>);

struct Held {
    caller: Caller,
    scope: Arc<KeyScope>,
    key: KeyId,
    expires_at: Option<Timestamp>,
    used_at: AtomicI64,
    noted_at: AtomicI64,
}

/// Who holds a key, and what it may do.
#[derive(Debug, Clone)]
pub struct Keyholder {
    /// The key's person.
    pub caller: Caller,
    /// What this key may do; never more than its person.
    pub scope: Arc<KeyScope>,
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
    /// Who shows this key at `address`, which is only asked for where the key is bound to some. Reads no row and allocates
    /// nothing.
    pub fn caller_by_key(&self, text: &str, address: impl FnOnce() -> IpAddr) -> Result<Keyholder, Error> {
        let digest = api_key::digest(text).ok_or(Error::KeyUnknown)?;
        let keys = self.inner.keys.0.read().unwrap_or_else(PoisonError::into_inner);
        let held = keys.get(&digest).ok_or(Error::KeyUnknown)?;
        let now = self.inner.clock.now();
        if held.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::KeyExpired);
        }
        if !held.scope.addresses.is_empty() {
            let address = address();
            if !held.scope.allows_address(&address) {
                return Err(Error::AddressNotAllowed { address });
            }
        }
        held.used_at.store(now.0, Ordering::Relaxed);
        Ok(Keyholder { caller: held.caller, scope: Arc::clone(&held.scope) })
    }

    /// The caller's own keys.
    pub async fn keys(&self, caller: &Caller) -> Result<Vec<store::Key>, Error> {
        Ok(self.inner.store.keys(caller).await?)
    }

    /// Everybody's keys, for administrators.
    pub async fn everybodys_keys(&self, caller: &Caller) -> Result<Vec<store::Key>, Error> {
        administer(caller)?;
        Ok(self.inner.store.keys_of_tenant(caller.tenant).await?)
    }

    /// A key that the caller may look at: their own, or anybody's for administrators.
    pub async fn key(&self, caller: &Caller, key: KeyId) -> Result<store::Key, Error> {
        let found = self.inner.store.key(caller, whose(caller), key).await?;
        found.ok_or(Error::NotFound { what: "key" })
    }

    /// Makes a key for the caller.
    pub async fn new_key(
        &self,
        caller: &Caller,
        name: &str,
        scope: KeyScope,
        expires_at: Option<Timestamp>,
    ) -> Result<NewKey, Error> {
        let name = scope::name(name)?;
        scope::check(&scope)?;
        self.to_come(expires_at)?;
        let _changing = self.inner.changing.lock().await;
        if self.inner.store.keys(caller).await?.len() >= MOST_PER_PERSON {
            return Err(Error::Invalid { field: "name", reason: "a person has at most 100 keys; revoke one first" });
        }
        let token = api_key::random()?;
        let (prefix, hash) = (api_key::prefix(&token), token.digest().hex());
        let new = store::NewKey { person: caller.person, name, prefix, hash, scope, expires_at };
        let key = self.inner.store.create_key(caller.tenant, new).await?;
        let detail = json!({ "name": key.name, "scope": key.scope, "expires_at": expires_at });
        self.audit(Some(caller), "key.created", key.id, detail).await;
        self.read_keys_anew().await?;
        Ok(NewKey { key, token })
    }

    /// Changes what a key is called, what it may do and when it ends: one's own, or anybody's for administrators. In force from
    /// this moment.
    pub async fn change_key(&self, caller: &Caller, key: KeyId, change: KeyChange) -> Result<store::Key, Error> {
        let name = change.name.as_deref().map(scope::name).transpose()?;
        if let Some(scope) = &change.scope {
            scope::check(scope)?;
        }
        self.to_come(change.expires_at.flatten())?;
        let _changing = self.inner.changing.lock().await;
        let change = KeyChange { name, ..change };
        let key = self.inner.store.change_key(caller, whose(caller), key, change).await?;
        let detail = json!({ "name": key.name, "scope": key.scope, "expires_at": key.expires_at });
        self.audit(Some(caller), "key.changed", key.id, detail).await;
        self.read_keys_anew().await?;
        Ok(key)
    }

    /// Revokes a key, one's own or anybody's for administrators; it opens nothing from this moment.
    pub async fn revoke_key(&self, caller: &Caller, key: KeyId) -> Result<(), Error> {
        let _changing = self.inner.changing.lock().await;
        match whose(caller) {
            Whose::Own => self.inner.store.revoke_key(caller, key).await?,
            Whose::Anybodys => self.inner.store.revoke_key_of_tenant(caller.tenant, key).await?,
        }
        self.inner.keys.forget(|held| held.key == key);
        self.audit(Some(caller), "key.revoked", key, json!({})).await;
        Ok(())
    }

    fn to_come(&self, end: Option<Timestamp>) -> Result<(), Error> {
        if end.is_some_and(|end| end <= self.inner.clock.now()) {
            return Err(Error::Invalid { field: "expires_at", reason: "that moment has passed" });
        }
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
        let fixed = self.fixed_keys().await?;
        let mut keys = self.inner.keys.0.write().unwrap_or_else(PoisonError::into_inner);
        let mut anew = HashMap::with_capacity(rows.len());
        for row in rows {
            let Some(digest) = Digest::parse(&row.hash) else { continue };
            let caller = Caller { tenant: row.tenant, person: row.person, role: row.role, via: Via::Key(row.id) };
            let used = |held: &Arc<Held>| (held.used_at.load(Ordering::Relaxed), held.noted_at.load(Ordering::Relaxed));
            let (used_at, noted_at) = keys.get(&digest).map_or((0, 0), used);
            let (used_at, noted_at) = (used_at.into(), noted_at.into());
            let scope = Arc::new(row.scope);
            let held = Held { caller, scope, key: row.id, expires_at: row.expires_at, used_at, noted_at };
            anew.insert(digest, Arc::new(held));
        }
        for (digest, caller, scope) in fixed {
            let Via::Key(key) = caller.via else { continue };
            let (used_at, noted_at) = Default::default();
            let held = Held { caller, scope: Arc::new(scope), key, expires_at: None, used_at, noted_at };
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

fn whose(caller: &Caller) -> Whose {
    if caller.role.administers() { Whose::Anybodys } else { Whose::Own }
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
