//! Where models are configured: the local workers, the file's providers (read at start and at SIGHUP), and the providers that
//! administrators added, kept in the store with their keys sealed; and the aliases for them, of the file and of the store. Joins
//! them into what `models` serves, at start and after every change.

use std::sync::{Arc, PoisonError, RwLock};

use domain::{Caller, ProviderId, TenantId};
use identity::Envelope;
use models::{AliasConfig, Key, ModelConfig, Models, ProviderConfig};
use store::{AliasRow, ProviderRow, Store};

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
    /// Which environment this house is.
    pub environment: Option<String>,
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

    /// Reads the store's providers and aliases again and puts all of them in force as one snapshot.
    pub async fn reload(&self, tenant: TenantId) -> Result<(), CatalogError> {
        let fixed = self.fixed();
        let mut all = fixed.providers.clone();
        let stored = self.store.aliases(tenant).await?;
        let aliases = joined(&fixed, &stored);
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

/// The stored aliases that hold in this house: those of its environment, and those of all that have none of their own here. A
/// name that the configuration file gives is the file's.
pub(crate) fn holding<'r>(fixed: &Fixed, stored: &'r [AliasRow]) -> Vec<&'r AliasRow> {
    let here = |row: &&AliasRow| row.environment.is_some() && row.environment == fixed.environment;
    let holds = |row: &&AliasRow| {
        let special = || stored.iter().filter(here).any(|other| other.name == row.name);
        let of_file = fixed.aliases.iter().any(|alias| alias.name == row.name);
        !of_file && (here(row) || row.environment.is_none() && !special())
    };
    stored.iter().filter(holds).collect()
}

/// The file's aliases and the stored ones that hold. One answers for unknown names: the file's, else the first by name.
fn joined(fixed: &Fixed, stored: &[AliasRow]) -> Vec<AliasConfig> {
    let mut all = fixed.aliases.clone();
    for row in holding(fixed, stored) {
        let Some(mut alias) = alias_of(row) else {
            tracing::error!(alias = %row.name, "an alias is left out: what is stored of it is none");
            continue;
        };
        alias.catch_all &= !all.iter().any(|other| other.catch_all);
        all.push(alias);
    }
    all
}

/// What a stored alias says.
pub(crate) fn alias_of(row: &AliasRow) -> Option<AliasConfig> {
    serde_json::from_value(row.config.clone()).ok()
}

/// The models a stored provider names; `None` where it offers all that it lists.
pub(crate) fn named(row: &ProviderRow) -> Option<Vec<ModelConfig>> {
    serde_json::from_value(row.models.clone()).ok().filter(|models: &Vec<ModelConfig>| !models.is_empty())
}

fn label(name: &str) -> String {
    format!("provider {name}: key")
}
