//! The configuration: one TOML file, with flags and environment variables on top. An empty file runs; every mistake is named with its line, all of
//! them at once. It holds what was written, checked; it opens nothing and changes nothing.
//!
//! A flag (`--listen`) beats an environment variable (`PORTICO_LISTEN`, `PORTICO_DATABASE__URL`: `__` between levels), which
//! beats the file. Relative paths in the file are relative to the file; elsewhere, to the working directory.

mod alias;
mod key;
mod local;
mod mistake;
mod read;
mod reader;
mod secret;
mod source;
mod suggest;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

pub(crate) use mistake::wide;
pub use mistake::{Mistake, Mistakes, Place, Span};
pub use secret::Secret;

/// Everything that is configured.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from, when there was one.
    pub file: Option<PathBuf>,
    /// Where the portal listens. Port 0: the system chooses.
    pub listen: SocketAddr,
    /// The address people type, without a slash at the end, when it is not simply where it listens.
    pub public_url: Option<String>,
    /// Proxies whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The data folder.
    pub data: PathBuf,
    /// Where conversations and accounts lie.
    pub database: Database,
    /// Certificate and key, for https without a proxy.
    pub tls: Option<Tls>,
    /// Where `/metrics` listens, if at all.
    pub metrics: Metrics,
    /// How much one person and one request may take.
    pub limits: Limits,
    /// What people upload.
    pub files: Files,
    /// What is written to standard error.
    pub log: Log,
    /// Which hosts may be reached.
    pub egress: Egress,
    /// Whether this machine's usual ports are looked at for model servers at start.
    pub discover: bool,
    /// Whether the small model that comes with Portico is taken in where there is no other. Not by itself as long as it is still being taught
    /// (`starter/README.md` has its scores).
    pub starter: bool,
    /// The four clocks of a request to a model.
    pub timeouts: Timeouts,
    /// How often a request is repeated before its first token. After it, never.
    pub retries_before_first_token: u32,
    /// Models that run here, each in a worker of its own.
    pub models: Vec<LocalModel>,
    /// Models that can be fetched.
    pub library: Library,
    /// What plugins of the house are lent.
    pub plugins: Plugins,
    /// Providers reached over HTTP.
    pub providers: Vec<Provider>,
    /// What this installation is: chooses among aliases that are meant for one environment.
    pub environment: Option<String>,
    /// Names for models, those that hold in this environment.
    pub aliases: Vec<models::AliasConfig>,
    /// API keys that are known beforehand. For tests: `check` and `doctor` say so.
    pub keys: Vec<FixedKey>,
    /// Who waits where a model has no room.
    pub queue: Queue,
}

/// Who waits where a model has no room, and how long.
pub type Queue = models::Waiting;

/// Where conversations and accounts lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A file in the data folder.
    Sqlite,
    /// A PostgreSQL URL; it may hold a password.
    Postgres(Secret),
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate chain.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Where `/metrics` listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metrics {
    /// Not at all.
    Off,
    /// On a listener of its own.
    At(SocketAddr),
}

/// How much one person and one request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Tokens per person and UTC day; `None`: no limit. A limit set on the person wins.
    pub daily_tokens_per_person: Option<u32>,
    /// The largest request body in bytes.
    pub body_bytes: u64,
}

/// What people upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// Where it lies; `None`: `uploads` in the data folder.
    pub folder: Option<PathBuf>,
    /// The largest file in bytes.
    pub largest_bytes: u64,
    /// What all files of a person may hold, in bytes.
    pub per_person_bytes: u64,
    /// What looks at each file first, if anything.
    pub clamd: Option<egress::Clamd>,
}

/// What is written to standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// How a line looks.
    pub format: LogFormat,
    /// How much is said: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: &'static str,
}

impl Log {
    /// What `env` alone says of it, for a process that reads no configuration file.
    pub fn of_environment(env: &dyn Fn(&str) -> Option<String>) -> Result<Log, Mistakes> {
        let of_the_log = |name: &str| env(name).filter(|_| name.starts_with("PORTICO_LOG__"));
        Ok(Config::read("", None, &of_the_log, &Overrides::default())?.log)
    }

    /// The same for the environment of a process that is started from here.
    pub(crate) fn environment(self) -> [(&'static str, &'static str); 2] {
        let format = if self.format == LogFormat::Json { "json" } else { "text" };
        [("PORTICO_LOG__FORMAT", format), ("PORTICO_LOG__LEVEL", self.level)]
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Which hosts may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Egress {
    /// Host names, addresses and CIDR ranges beyond those of the providers.
    pub allow: Vec<String>,
    /// Nothing but this machine is reached, whatever else is configured.
    pub offline: bool,
    /// Certificates that are trusted beside the public authorities': an own authority's, or a server's own (PEM).
    pub ca_file: Option<PathBuf>,
}

/// What this machine lends to plugins of the house.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plugins {
    /// The interpreter that Python's tool runs.
    pub python: PathBuf,
    /// Folders whose SQLite files may be asked.
    pub databases: Vec<PathBuf>,
}

/// Models that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Library {
    /// Who is asked for a name of the catalogue: a hub, or a mirror of one.
    pub from: models::library::Source,
}

/// The four clocks of a request to a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the first token.
    pub first_token: Duration,
    /// Between two tokens.
    pub idle: Duration,
    /// For the whole answer; `None`: as long as it takes.
    pub total: Option<Duration>,
}

/// A model that runs here.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalModel {
    /// The GGUF file.
    pub path: PathBuf,
    /// What it is called; the file's name without `.gguf` when not said.
    pub name: String,
    /// Context in tokens; `None`: what the model was made for.
    pub context: Option<u32>,
    /// `None`: one per core.
    pub threads: Option<u32>,
    /// Texts that questions to it begin with: they are computed before anybody asks, and stay so.
    pub system_prompts: Vec<String>,
    /// How long it stays in memory when nobody asks.
    pub keep_alive: models::KeepAlive,
    /// LoRA adapters, each a model of its own, `local/NAME:ADAPTER`.
    pub adapters: Vec<models::AdapterConfig>,
    /// A smaller model that guesses ahead for it.
    pub draft: Option<Draft>,
    /// In which numbers its cache of keys and values is kept.
    pub cache: engine::Cache,
}

/// A model that guesses ahead for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Draft {
    /// A GGUF file.
    File(PathBuf),
    /// A model of the library, by its name there.
    Library(String),
}

/// A provider reached over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The first half of a model's id: `ollama` in `ollama/llama3`.
    pub slug: String,
    /// What people read.
    pub name: String,
    /// Which adapter reaches it; one of [`models::KINDS`].
    pub kind: String,
    /// With or without `/v1`.
    pub base_url: String,
    /// From `api_key_env` or `api_key_file`.
    pub api_key: Option<Secret>,
    /// Empty: all that it lists.
    pub models: Vec<ProviderModel>,
    /// Whether it is contacted at all. Answers that are under way when it is switched off end in peace.
    pub enabled: bool,
    /// How many requests each of its models gets at the same time; `None`: as many as come.
    pub max_concurrent: Option<u32>,
    /// Whether its models are asked for one token before people are let in.
    pub warm_up: bool,
}

/// One model of a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderModel {
    /// What the provider calls it.
    pub name: String,
    /// What people read.
    pub display_name: Option<String>,
    /// Whether people see it.
    pub enabled: bool,
    /// Whether it may be asked for a stream.
    pub streaming: bool,
    /// How many requests it gets at the same time; `None`: as its provider.
    pub max_concurrent: Option<u32>,
}

/// An API key that is known beforehand, for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedKey {
    /// The key itself.
    pub value: Secret,
    /// The login name of its person, who is added where nobody has it.
    pub person: String,
    /// The role of a person who is added.
    pub role: domain::Role,
    /// What it may ask; empty: everything.
    pub models: Vec<String>,
}

/// What the command line says, on top of everything else.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data`.
    pub data: Option<PathBuf>,
    /// `--listen`.
    pub listen: Option<String>,
    /// `--model`, as often as given.
    pub models: Vec<PathBuf>,
    /// `--offline`.
    pub offline: bool,
}

impl Config {
    /// The address people type for a portal that listens at `bound`, without a slash at the end. Where it listens on every
    /// network, the first address of this machine that others can reach.
    pub fn url(&self, bound: SocketAddr) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let ip = if bound.ip().is_unspecified() { crate::port::reachable_address() } else { bound.ip() };
        format!("{scheme}://{}", SocketAddr::new(ip, bound.port()))
    }

    /// Reads the file, the environment of this process and `over`. Without `--config` and `PORTICO_CONFIG` the file is
    /// `portico.toml` in the working directory, if there is one.
    pub fn load(over: &Overrides) -> Result<Config, Mistakes> {
        let env = |name: &str| std::env::var(name).ok();
        let named =
            over.config.clone().or_else(|| env("PORTICO_CONFIG").filter(|name| !name.is_empty()).map(PathBuf::from));
        let file = named.or_else(|| Some(PathBuf::from("portico.toml")).filter(|file| file.exists()));
        let text = match &file {
            Some(file) => std::fs::read_to_string(file).map_err(|why| Mistakes::unreadable(file.clone(), &why))?,
            None => String::new(),
        };
        Config::read(&text, file.as_deref(), &env, over)
    }

    /// Reads `text` as if it lay in `file`, with `env` for the environment.
    pub fn read(
        text: &str,
        file: Option<&Path>,
        env: &dyn Fn(&str) -> Option<String>,
        over: &Overrides,
    ) -> Result<Config, Mistakes> {
        let mut flags = HashMap::new();
        flags.extend(over.listen.clone().map(|listen| ("listen", listen)));
        flags.extend(over.data.as_ref().map(|data| ("data", data.display().to_string())));
        let source = source::Source::new(text, env, flags);
        let (table, errors) = toml::de::DeTable::parse_recoverable(text);
        let config = read::config(&source, table.get_ref(), &errors, file, over);
        let list = source.finish();
        if list.is_empty() {
            return Ok(config);
        }
        let mut mistakes = Mistakes { file: file.map(Path::to_owned), list };
        mistakes.sort();
        Err(mistakes)
    }
}
