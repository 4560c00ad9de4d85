//! Reaching models: the adapters to back ends, what is known of each model's state, and the way from a model's id to an answer.
//!
//! It keeps no conversation, charges nobody and stores nothing; it waits, retries before the first token, and tells the truth
//! about how an answer ended.

mod alias;
pub mod capability;
pub mod card;
mod catalog;
mod config;
mod discovery;
pub mod family;
pub mod library;
mod models;
mod probe;
mod providers;
mod pulls;
mod router;
pub mod sizing;
mod supervisor;
mod warm_up;

#[cfg(feature = "testing")]
pub mod testing;

pub use alias::{AliasConfig, Balance, Errand, Target};
pub use catalog::{Preset, presets};
pub use config::{
    AdapterConfig, KeepAlive, Key, ModelConfig, Options, ProviderConfig, Timeouts, Waiting, WorkerConfig,
};
pub use discovery::Found;
pub use models::{DeploymentView, Gift, Meant, ModelView, Models, ProviderView, normalise_base_url};
pub use probe::Probed;
pub use providers::KINDS;
pub use providers::ollama::{Installed, Loaded};
pub use pulls::{PullState, PullView};
pub use router::{BreakerState, FirstToken};
pub use supervisor::{AdapterView, LOCAL, STARTER, STARTER_ID, WorkerView};
