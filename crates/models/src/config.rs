//! What the configuration and the settings page say about providers.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A credential. It is never shown: not in logs, not by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// Surrounding white space is dropped: keys are pasted.
    pub fn new(text: &str) -> Key {
        Key(text.trim().to_owned())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The four clocks of a request, and the one of answers that come in a single piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// From asking to the first event, waiting for a model to load included.
    pub first_token: Duration,
    /// Between two events of a stream; it begins with the first token.
    pub idle: Duration,
    /// The whole answer; none by default.
    pub total: Option<Duration>,
    /// A whole answer that is not streamed: its head comes only when the model has finished.
    pub plain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            first_token: Duration::from_secs(120),
            idle: Duration::from_secs(60),
            total: None,
            plain: Duration::from_secs(600),
        }
    }
}

/// How long and how many may wait where a model has no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// How many requests may wait for one model.
    pub most: u32,
    /// How long a request waits before it is told that there is no room.
    pub longest: Duration,
    /// After this a batch request is treated like one that somebody watches, so that it never waits for ever.
    pub batch_ages_after: Duration,
}

impl Default for Waiting {
    fn default() -> Self {
        Waiting { most: 256, longest: Duration::from_secs(300), batch_ages_after: Duration::from_secs(30) }
    }
}

/// What holds for every provider. The connect clock belongs to the way out (`egress::Options`).
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// The clocks of every request.
    pub timeouts: Timeouts,
    /// How often a request is sent again after a failure before its first token.
    pub retries: u32,
    /// How often providers are asked whether they are there.
    pub probe_every: Duration,
    /// Where there is no room.
    pub waiting: Waiting,
    /// Bytes of memory that can be had on this machine; where it does not tell, models of this machine are loaded as they come.
    pub free_memory: fn() -> Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        let (timeouts, waiting, probe_every) = (Timeouts::default(), Waiting::default(), Duration::from_secs(30));
        Options { timeouts, retries: 2, probe_every, waiting, free_memory: || None }
    }
}

/// One provider, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderConfig {
    /// The first half of its models' ids.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// Which adapter; see [`crate::KINDS`].
    pub kind: String,
    /// Where it is, with or without `/v1`.
    pub base_url: String,
    /// Its credential.
    pub key: Option<Key>,
    /// Its models; `None` means all that it lists.
    pub models: Option<Vec<ModelConfig>>,
    /// A provider that is not enabled is never contacted.
    pub enabled: bool,
    /// Its own clocks, where they differ.
    pub timeouts: Option<Timeouts>,
    /// How many requests each of its models answers at the same time, where the model itself does not say; the others wait
    /// their turn here. `None`: as many as come.
    pub max_concurrent: Option<u32>,
    /// Whether each of its models is asked for one token before people are let in, at the start and after every loss. That may
    /// cost money; without it, a model that is listed is ready.
    pub warm_up: bool,
}

/// One model of a provider, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// What the provider knows it by; the second half of its id.
    pub name: String,
    /// Its name for people; the provider's word where absent.
    #[serde(default)]
    pub display_name: Option<String>,
    /// Whether it is offered.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Whether it may be asked for a stream. Where not, its answer is asked for in one piece and shown as one.
    #[serde(default = "yes")]
    pub streaming: bool,
    /// How many requests it answers at the same time; the provider's word where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrent: Option<u32>,
}

impl ModelConfig {
    /// A model that is offered, under the provider's own word for it.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        ModelConfig { name, display_name: None, enabled: true, streaming: true, max_concurrent: None }
    }
}

fn yes() -> bool {
    true
}

/// A model that a worker of the house runs. The command is told rather than known, so that tests start a scripted worker.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerConfig {
    /// The second half of its id, `local/NAME`.
    pub name: String,
    /// Its name for people; `name` where absent.
    pub display_name: Option<String>,
    /// The program: this binary itself.
    pub program: PathBuf,
    /// Its arguments: `engine --model FILE --listen 127.0.0.1:0` and more.
    pub args: Vec<OsString>,
    /// Set in its environment, from which everything named `PORTICO_...` is taken first: a worker needs none of our secrets.
    pub env: Vec<(OsString, OsString)>,
    /// System prompts that stay computed: nobody waits for them to be read.
    pub pinned: Vec<String>,
    /// How long it stays in memory when nobody asks.
    pub keep_alive: KeepAlive,
    /// Bytes of memory that it takes; nothing makes way for it where that is not known.
    pub needs: Option<u64>,
    /// What it computes with where that is asked for. They may change while it runs.
    pub adapters: Vec<AdapterConfig>,
}

/// A LoRA adapter of a local model, which people ask for as the model `local/NAME:ADAPTER`.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterConfig {
    /// What comes after the model's name and a colon.
    pub name: String,
    /// The GGUF file.
    pub path: PathBuf,
    /// How much of its change is applied; 1 is as it was trained.
    pub scale: f32,
}

/// How long a model of this machine stays in memory when nobody asks it.
///
/// Whoever runs a model wants it at hand, and idle memory costs nothing until somebody else needs it: so it stays unless told otherwise, and
/// makes way for another that is asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum KeepAlive {
    /// Until another model needs the room.
    #[default]
    UntilNeeded,
    /// The same, but for no longer than this.
    For(Duration),
    /// As long as the portal runs.
    Always,
}
