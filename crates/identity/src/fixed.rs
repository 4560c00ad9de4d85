//! Keys that stand in the configuration, for tests: a job that starts a portal of its own knows its key beforehand. Only their
//! digests are held, in memory; nothing of them is stored, listed or revoked here.

use std::sync::PoisonError;

use domain::{Caller, KeyId, KeyScope, PersonId, Role, TenantId, Via};

use crate::secret::Digest;
use crate::{Error, Identity};

/// A key as it is written down.
#[derive(Debug, Clone)]
pub struct FixedKey {
    /// The key itself: it begins with `pk-test`.
    pub text: String,
    /// The name of its person, who is added (without a password) where nobody has it.
    pub person: String,
    /// The role of a person who is added.
    pub role: Role,
    /// What it may do.
    pub scope: KeyScope,
}

/// What is kept of one.
pub(crate) struct Fixed {
    digest: Digest,
    tenant: TenantId,
    person: PersonId,
    scope: KeyScope,
}

impl Identity {
    /// Lets these keys in, and no other fixed ones.
    pub async fn fix_keys(&self, keys: Vec<FixedKey>) -> Result<(), Error> {
        let house = Identity::house();
        let mut fixed = Vec::with_capacity(keys.len());
        for key in keys {
            let person = match self.person_by_name(&house, &key.person).await {
                Err(Error::NotFound { .. }) => self.add(&house, &key.person, key.role).await?,
                found => found?,
            };
            let digest = Digest::of(&key.text);
            fixed.push(Fixed { digest, tenant: person.tenant, person: person.id, scope: key.scope });
        }
        let _changing = self.inner.changing.lock().await;
        *self.inner.fixed.lock().unwrap_or_else(PoisonError::into_inner) = fixed;
        self.read_keys_anew().await
    }

    /// The fixed keys whose people may come in, with who shows them.
    pub(crate) async fn fixed_keys(&self) -> Result<Vec<(Digest, Caller, KeyScope)>, Error> {
        let held: Vec<(Digest, TenantId, PersonId, KeyScope)> = {
            let fixed = self.inner.fixed.lock().unwrap_or_else(PoisonError::into_inner);
            fixed.iter().map(|key| (key.digest, key.tenant, key.person, key.scope.clone())).collect()
        };
        let mut keys = Vec::with_capacity(held.len());
        for (digest, tenant, id, scope) in held {
            let Some(person) = self.inner.store.person(tenant, id).await?.filter(|person| !person.disabled) else {
                continue;
            };
            // The same key has the same id after a restart: what was used with it is found again.
            let via = Via::Key(KeyId(uuid::Builder::from_custom_bytes(digest.beginning()).into_uuid()));
            keys.push((digest, Caller { tenant, person: id, role: person.role, via }, scope));
        }
        Ok(keys)
    }
}
