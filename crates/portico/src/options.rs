//! The configuration in the words of the parts that it is for: the way out, the models, the providers and keys of the file, the workers.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use domain::KeyScope;
use identity::FixedKey;
use models::{Key, ModelConfig, ProviderConfig, WorkerConfig};

use crate::config::{Config, LocalModel, Log};

pub(crate) fn way_out(config: &Config) -> anyhow::Result<egress::Options> {
    let allow = config.egress.allow.iter().map(|rule| rule.parse()).collect::<Result<_, _>>()?;
    Ok(egress::Options {
        allow,
        extra_ca: config.egress.ca_file.clone(),
        connect_timeout: config.timeouts.connect,
        offline: config.egress.offline,
    })
}

pub(crate) fn model_options(config: &Config) -> models::Options {
    let timeouts = models::Timeouts {
        first_token: config.timeouts.first_token,
        idle: config.timeouts.idle,
        total: config.timeouts.total,
        ..models::Timeouts::default()
    };
    let retries = config.retries_before_first_token;
    models::Options { timeouts, retries, waiting: config.queue, ..models::Options::default() }
}

pub(crate) fn providers(config: &Config) -> Vec<ProviderConfig> {
    let model = |model: &crate::config::ProviderModel| ModelConfig {
        name: model.name.clone(),
        display_name: model.display_name.clone(),
        enabled: model.enabled,
        streaming: model.streaming,
        max_concurrent: model.max_concurrent,
    };
    let provider = |provider: &crate::config::Provider| ProviderConfig {
        slug: provider.slug.clone(),
        name: provider.name.clone(),
        kind: provider.kind.clone(),
        base_url: provider.base_url.clone(),
        key: provider.api_key.as_ref().map(|key| Key::new(key.reveal())),
        models: Some(provider.models.iter().map(model).collect::<Vec<_>>()).filter(|models| !models.is_empty()),
        enabled: provider.enabled,
        timeouts: None,
        max_concurrent: provider.max_concurrent,
        warm_up: provider.warm_up,
    };
    config.providers.iter().map(provider).collect()
}

/// What `[[key]]` in the configuration is told about.
pub(crate) const TEST_KEYS: &str =
    "the configuration holds [[key]], API keys that whoever reads the file can use; they are for tests alone";

pub(crate) fn fixed_keys(config: &Config) -> Vec<FixedKey> {
    let key = |key: &crate::config::FixedKey| FixedKey {
        text: key.value.reveal().to_owned(),
        person: key.person.clone(),
        role: key.role,
        scope: KeyScope { models: key.models.clone(), ..KeyScope::default() },
    };
    config.keys.iter().map(key).collect()
}

/// One worker per local model: this very binary, started as `portico engine`.
pub(crate) fn workers(config: &Config) -> anyhow::Result<Vec<WorkerConfig>> {
    if config.models.is_empty() {
        return Ok(Vec::new());
    }
    anyhow::ensure!(
        cfg!(feature = "engine"),
        "this portico was built without its engine, so it cannot run {}; build it with --features engine, or use a provider",
        config.models[0].path.display()
    );
    let program: PathBuf = std::env::current_exe().context("the path of this program")?;
    Ok(config.models.iter().map(|model| worker(program.clone(), model, config.log)).collect())
}

/// A worker for a model of the library; `None` where this binary runs no models.
pub(crate) fn library_worker(path: &Path, name: &str, context: Option<u32>, log: Log) -> Option<WorkerConfig> {
    let program = cfg!(feature = "engine").then(std::env::current_exe)?.ok()?;
    Some(worker(program, &LocalModel { path: path.to_owned(), name: name.to_owned(), context, threads: None }, log))
}

fn worker(program: PathBuf, model: &LocalModel, log: Log) -> WorkerConfig {
    let mut args: Vec<std::ffi::OsString> = vec!["engine".into(), "--model".into(), model.path.clone().into()];
    args.extend([
        "--name".into(),
        model.name.clone().into(),
        "--listen".into(),
        "127.0.0.1:0".into(),
        "--parent-watch".into(),
    ]);
    for (flag, value) in [("--context", model.context), ("--threads", model.threads)] {
        if let Some(value) = value {
            args.extend([flag.into(), value.to_string().into()]);
        }
    }
    let env = log.environment().map(|(name, value)| (name.into(), value.into())).to_vec();
    WorkerConfig { name: model.name.clone(), display_name: None, program, args, env }
}
