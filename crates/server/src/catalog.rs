//! Where models are configured: the local workers, the file's providers (read at start and at SIGHUP), and the providers that
//! administrators added, kept in the store with their keys sealed; and the aliases for them. Joins them into what `models`
//! serves, at start and after every change.

use std::sync::{Arc, PoisonError, RwLock};

use domain::{Caller, ProviderId, TenantId};
use identity::Envelope;
use models::{AliasConfig, Key, ModelConfig, Models, ProviderConfig};
use store::{ProviderRow, Store};

/// Why the models could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A provider's key cannot be sealed or opened.
    #[error(transparent)]
    Sealed(#[from] identity::Error),
}

/// What the configuration file says about models.
#[derive(Debug, Clone, Default)]
pub struct Fixed {
    /// Its providers.
    pub providers: Vec<ProviderConfig>,
    /// Its aliases, those that hold in this environment.
    pub aliases: Vec<AliasConfig>,
}

/// The providers and aliases of this installation.
pub struct Catalog {
    store: Store,
    models: Models,
    envelope: Envelope,
    fixed: RwLock<Arc<Fixed>>,
}

impl std::fmt::Debug for Catalog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Catalog")
    }
}

impl Catalog {
    /// Over what the configuration file says.
    pub fn new(store: Store, models: Models, envelope: Envelope, fixed: Fixed) -> Self {
        Catalog { store, models, envelope, fixed: RwLock::new(fixed.into()) }
    }

    /// What the configuration file says.
    pub fn fixed(&self) -> Arc<Fixed> {
        Arc::clone(&self.fixed.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts what the configuration file says now in force. Where the store does not answer, everything stays as it was.
    pub async fn fix(&self, tenant: TenantId, fixed: Fixed) -> Result<(), CatalogError> {
        let before = std::mem::replace(&mut *self.lock(), fixed.into());
        self.reload(tenant).await.inspect_err(|_| *self.lock() = before)
    }

    fn lock(&self) -> std::sync::RwLockWriteGuard<'_, Arc<Fixed>> {
        self.fixed.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the store's providers again and puts all of them, with the aliases, in force as one snapshot.
    pub async fn reload(&self, tenant: TenantId) -> Result<(), CatalogError> {
        let Fixed { providers: mut all, aliases } = self.fixed().as_ref().clone();
        for row in self.store.providers(tenant).await? {
            match self.opened(&row) {
                Ok(config) => all.push(config),
                // The others still work; this one shows why it does not.
                Err(error) => tracing::error!(provider = %row.name, %error, "a provider is left out"),
            }
        }
        self.models.configure_all(all, aliases);
        Ok(())
    }

    /// A stored provider with its key.
    pub fn opened(&self, row: &ProviderRow) -> Result<ProviderConfig, CatalogError> {
        let key = self.key_of(row)?;
        Ok(ProviderConfig {
            slug: row.name.clone(),
            name: row.title.clone(),
            kind: row.kind.clone(),
            base_url: row.base_url.clone(),
            key,
            enabled: row.enabled,
            models: named(row),
            timeouts: None,
            max_concurrent: None,
            warm_up: false,
        })
    }

    /// The key of a stored provider, in the clear.
    pub fn key_of(&self, row: &ProviderRow) -> Result<Option<Key>, CatalogError> {
        let Some(sealed) = &row.sealed_key else { return Ok(None) };
        let opened = self.envelope.open(&label(&row.name), sealed)?;
        let text = String::from_utf8(opened).map_err(|_| identity::Error::Sealed)?;
        Ok(Some(Key::new(&text)))
    }

    /// A key as it is kept: sealed for the provider of this name alone.
    pub fn sealed(&self, name: &str, key: &str) -> Result<Vec<u8>, CatalogError> {
        Ok(self.envelope.seal(&label(name), key.trim().as_bytes())?)
    }

    /// The stored provider of the caller's tenant.
    pub async fn find(&self, caller: &Caller, id: ProviderId) -> Result<Option<ProviderRow>, CatalogError> {
        Ok(self.store.providers(caller.tenant).await?.into_iter().find(|row| row.id == id))
    }
}

/// The models a stored provider names; `None` where it offers all that it lists.
pub(crate) fn named(row: &ProviderRow) -> Option<Vec<ModelConfig>> {
    serde_json::from_value(row.models.clone()).ok().filter(|models: &Vec<ModelConfig>| !models.is_empty())
}

fn label(name: &str) -> String {
    format!("provider {name}: key")
}
