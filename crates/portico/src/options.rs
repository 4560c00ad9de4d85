//! The configuration in the words of the parts that it is for: the way out, the models, the providers and keys of the file, the workers.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use domain::KeyScope;
use identity::FixedKey;
use models::{AdapterConfig, Key, ModelConfig, ProviderConfig, WorkerConfig};

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
    let free_memory = engine::memory::free;
    models::Options { timeouts, retries, waiting: config.queue, free_memory, ..models::Options::default() }
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
    let prefixes = prefixes_folder(config);
    let worker = |model: &LocalModel| {
        let draft = crate::drafts::file(config, model).unwrap_or_else(|why| {
            tracing::error!(model = model.name, why, "the model runs without its draft");
            None
        });
        worker(program.clone(), model, draft.as_deref(), &prefixes, config.log)
    };
    Ok(config.models.iter().map(worker).collect())
}

/// Makes workers for the models of the library; they come to nothing where this binary runs no models.
pub(crate) fn library_runner(config: &Config) -> impl Fn(&Path, &str, Option<u32>) -> Option<WorkerConfig> + use<> {
    let (prefixes, log) = (prefixes_folder(config), config.log);
    move |path, name, context| {
        let program = cfg!(feature = "engine").then(std::env::current_exe)?.ok()?;
        let model = LocalModel { context, ..LocalModel::plain(path, name.to_owned()) };
        Some(worker(program, &model, None, &prefixes, log))
    }
}

/// Where workers keep the beginnings of texts that they have computed, each model in a folder of its own.
pub(crate) fn prefixes_folder(config: &Config) -> PathBuf {
    let folder = config.data.join("prefixes");
    std::path::absolute(&folder).unwrap_or(folder)
}

fn worker(program: PathBuf, model: &LocalModel, draft: Option<&Path>, prefixes: &Path, log: Log) -> WorkerConfig {
    let mut args: Vec<std::ffi::OsString> = vec!["engine".into(), "--model".into(), model.path.clone().into()];
    args.extend([
        "--name".into(),
        model.name.clone().into(),
        "--listen".into(),
        "127.0.0.1:0".into(),
        "--parent-watch".into(),
        "--prefixes".into(),
        prefixes.join(folder_name(&model.name)).into(),
    ]);
    for (flag, value) in [("--context", model.context), ("--threads", model.threads)] {
        if let Some(value) = value {
            args.extend([flag.into(), value.to_string().into()]);
        }
    }
    if model.cache != engine::Cache::default() {
        args.extend(["--cache".into(), model.cache.name().into()]);
    }
    args.extend(draft.into_iter().flat_map(|draft| ["--draft".into(), draft.into()]));
    let (name, pinned) = (model.name.clone(), model.system_prompts.clone());
    let needs = crate::library::needs(&model.path, model.context, model.cache);
    let beside = draft.and_then(|draft| crate::library::needs(draft, model.context, model.cache)).unwrap_or(0);
    let needs = needs.map(|needs| needs.saturating_add(beside));
    let env = log.environment().map(|(name, value)| (name.into(), value.into())).to_vec();
    let (keep_alive, adapters) = (model.keep_alive, model.adapters.iter().map(absolute).collect());
    WorkerConfig { name, display_name: None, program, args, env, pinned, keep_alive, needs, adapters }
}

fn absolute(adapter: &AdapterConfig) -> AdapterConfig {
    let path = std::path::absolute(&adapter.path).unwrap_or_else(|_| adapter.path.clone());
    AdapterConfig { path, ..adapter.clone() }
}

/// A name as one folder: other letters than those of model names stand as their numbers, so that no two names meet and none leads elsewhere.
fn folder_name(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let mut folder = String::new();
    for letter in name.chars() {
        match letter {
            letter if plain(letter) => folder.push(letter),
            '.' if !folder.is_empty() => folder.push('.'),
            letter => folder.push_str(&format!("%{:x}%", u32::from(letter))),
        }
    }
    folder
}
