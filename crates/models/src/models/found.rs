//! What is found out by asking: what already runs on this machine, and what one deployment can do.

use super::Models;
use crate::capability::{self, Evidence};
use crate::discovery::{self, Found};

impl Models {
    /// Looks for model servers at their usual ports on this machine's loopback, but at none of `except`: the portal's own. What is
    /// found is kept for [`Models::found`], and added by nobody.
    pub async fn discover(&self, except: &[u16]) -> Vec<Found> {
        self.discover_at(discovery::usual_ports(), except).await
    }

    /// The same at other ports.
    pub async fn discover_at(&self, ports: &[u16], except: &[u16]) -> Vec<Found> {
        self.inner.discovery.look(&self.inner.loopback, ports, except).await;
        self.found()
    }

    /// What the newest look found, each with the provider that is configured there by now.
    pub fn found(&self) -> Vec<Found> {
        let snapshot = self.inner.snapshot();
        let known = |one: &Found| {
            let port = discovery::port_here(&one.base_url);
            let here = snapshot.providers.iter().find(|it| discovery::port_here(&it.config.base_url) == port);
            here.map(|provider| provider.config.slug.clone())
        };
        self.inner.discovery.newest().into_iter().map(|one| Found { known: known(&one), ..one }).collect()
    }

    /// What a model can do, asked of its back end by real requests ([`capability::COST`]); `None` where there is no such model.
    pub async fn test(&self, id: &str) -> Option<Vec<Evidence>> {
        let (backend, name) = {
            let snapshot = self.inner.snapshot();
            let deployment = snapshot.deployments.iter().find(|deployment| deployment.id == id)?;
            (deployment.backend.clone(), deployment.name.clone())
        };
        Some(capability::test(backend.as_ref(), &name).await)
    }
}
