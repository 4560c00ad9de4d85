//! SIGHUP: what a running portal takes from its configuration file again. Providers, aliases, limits and certificates change in force, each
//! as one snapshot, so that a request keeps what it began with; a file with mistakes changes nothing. What else is in the file
//! takes the next start, and is named in the log.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use domain::TenantId;
use server::{Fixed, Server, Tls};

use crate::config::{Config, Mistakes};
use crate::options::{fixed_keys, providers};

/// What is in force, and where it is put.
pub(crate) struct Reload {
    server: Server,
    tls: Option<Arc<Tls>>,
    config: Config,
}

impl Reload {
    pub(crate) fn new(server: Server, tls: Option<Arc<Tls>>, config: Config) -> Self {
        Reload { server, tls, config }
    }

    /// Puts what was read in force, or keeps the last good one.
    pub(crate) async fn take(&mut self, read: Result<Config, Mistakes>) {
        self.renew_certificate();
        let fresh = match read {
            Ok(fresh) => fresh,
            Err(mistakes) => {
                return tracing::error!(
                    "the configuration file is wrong, so the last good one stays in force:\n{mistakes}"
                );
            }
        };
        let fixed = Fixed {
            providers: providers(&fresh),
            aliases: fresh.aliases.clone(),
            environment: fresh.environment.clone(),
        };
        if let Err(error) = self.server.catalog.fix(TenantId::FIRST, fixed).await {
            return tracing::error!(%error, "the configuration file was read, and the last one stays in force");
        }
        if let Err(error) = self.server.identity.fix_keys(fixed_keys(&fresh)).await {
            tracing::error!(%error, "the keys of the configuration file were read, and the last ones stay in force");
        }
        self.server.ledger.limit_everybody(fresh.limits.daily_tokens_per_person.map(u64::from));
        let body = usize::try_from(fresh.limits.body_bytes).unwrap_or(usize::MAX);
        self.server.doors.body_limit.store(body, Ordering::Relaxed);
        let later = self.needs_a_start(&fresh);
        self.config.limits = fresh.limits;
        self.config.providers = fresh.providers;
        self.config.aliases = fresh.aliases;
        match later.as_slice() {
            [] => tracing::info!("the configuration file was read again: providers, aliases and limits are in force"),
            later => tracing::warn!(
                "the configuration file was read again: providers, aliases and limits are in force, {} with the next start",
                later.join(", ")
            ),
        }
    }

    fn renew_certificate(&self) {
        match self.tls.as_deref().map(Tls::reload) {
            Some(Ok(())) => tracing::info!("certificate and key were read again"),
            Some(Err(error)) => tracing::error!(%error, "the old certificate stays"),
            None => {}
        }
    }

    /// The keys whose values differ and do not change while the portal runs.
    fn needs_a_start(&self, fresh: &Config) -> Vec<&'static str> {
        let now = &self.config;
        let changed = [
            ("listen", now.listen != fresh.listen),
            ("public_url", now.public_url != fresh.public_url),
            ("trusted_proxies", now.trusted_proxies != fresh.trusted_proxies),
            ("data", now.data != fresh.data),
            ("database", now.database != fresh.database),
            ("tls", now.tls != fresh.tls),
            ("metrics", now.metrics != fresh.metrics),
            ("files", now.files != fresh.files),
            ("log", now.log != fresh.log),
            ("egress", now.egress != fresh.egress),
            ("timeouts", now.timeouts != fresh.timeouts),
            ("retries", now.retries_before_first_token != fresh.retries_before_first_token),
            ("queue", now.queue != fresh.queue),
            ("library", now.library != fresh.library),
            ("model", now.models != fresh.models),
        ];
        changed.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}
