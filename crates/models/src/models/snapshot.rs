//! What is known at one moment: replaced as a whole, so that a request works with the one it began with.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::{Deployment, ModelView, Provider};
use crate::AliasConfig;
use crate::router::{Model, Queue};
use crate::supervisor::Worker;

#[derive(Default)]
pub(crate) struct Snapshot {
    pub(super) workers: Vec<Arc<Worker>>,
    pub(super) providers: Vec<Arc<Provider>>,
    pub(super) aliases: Vec<AliasConfig>,
    /// Every deployment, offered or not, in the order in which they are shown.
    pub(super) deployments: Vec<Arc<Deployment>>,
    /// The aliases, in their order.
    named: Vec<Arc<Model>>,
    /// What a request may name: aliases, ids, and names without a provider where one provider alone has them.
    by_name: HashMap<String, Arc<Model>>,
    catch_all: Option<Arc<Model>>,
}

impl Snapshot {
    pub(super) fn new(
        workers: Vec<Arc<Worker>>,
        providers: Vec<Arc<Provider>>,
        aliases: Vec<AliasConfig>,
        before: &Snapshot,
        queue: &Arc<Queue>,
    ) -> Snapshot {
        let local = workers.iter().flat_map(|worker| worker.deployments());
        let deployments: Vec<Arc<Deployment>> =
            local.chain(providers.iter().flat_map(|provider| provider.deployments())).collect();
        let offered = || deployments.iter().filter(|deployment| deployment.enabled);
        let singles: Vec<Arc<Model>> = offered().cloned().map(|one| Arc::new(Model::single(one))).collect();
        let known = |id: &str| offered().find(|deployment| deployment.id == id).cloned();
        let alias = |config: &AliasConfig| {
            let before = before.named.iter().find(|model| model.id == config.name);
            Arc::new(Model::alias(config.clone(), before.map(Arc::as_ref), queue, known))
        };
        let named: Vec<Arc<Model>> = aliases.iter().map(alias).collect();
        let catch_all = named.iter().find(|model| model.alias.as_ref().is_some_and(|alias| alias.catch_all)).cloned();
        let mut by_name = bare(&singles);
        by_name.extend(singles.iter().map(|model| (model.id.clone(), model.clone())));
        by_name.extend(named.iter().map(|model| (model.id.clone(), model.clone())));
        Snapshot { workers, providers, aliases, deployments, named, by_name, catch_all }
    }

    /// The model of this name: an alias, an id, a name that one provider alone has, or the alias that answers for all others.
    pub(crate) fn model(&self, name: &str) -> Option<&Arc<Model>> {
        self.by_name.get(name).or(self.catch_all.as_ref())
    }

    /// The same, but for the alias that answers for all others: what an administrator writes is meant by its name.
    pub(crate) fn known(&self, name: &str) -> Option<&Arc<Model>> {
        self.by_name.get(name)
    }

    /// Aliases first: they are what people are meant to choose.
    pub(super) fn views(&self) -> Vec<ModelView> {
        let aliases = self.named.iter().map(|model| model.view());
        aliases.chain(self.deployments.iter().map(|deployment| deployment.view())).collect()
    }
}

/// Names without their provider, where that leaves no doubt: programs that were written for one back end name none.
fn bare(singles: &[Arc<Model>]) -> HashMap<String, Arc<Model>> {
    let mut found: HashMap<String, Option<Arc<Model>>> = HashMap::new();
    for model in singles {
        let Some((_, name)) = model.id.split_once('/') else { continue };
        match found.entry(name.to_owned()) {
            Entry::Vacant(free) => drop(free.insert(Some(model.clone()))),
            Entry::Occupied(mut taken) => *taken.get_mut() = None,
        }
    }
    found.into_iter().filter_map(|(name, model)| Some((name, model?))).collect()
}
