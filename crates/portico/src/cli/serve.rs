//! What `portico serve` takes on its command line. What it does is in `house.rs`.

use std::path::PathBuf;

use super::Place;
use crate::config::{Config, Mistakes, Overrides};

/// The flags of `portico serve`.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    #[command(flatten)]
    place: Place,
    /// Address and port [default: 127.0.0.1:8420]; port 0: the system chooses.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// A GGUF model to run here; may be given more than once.
    #[arg(long = "model", value_name = "FILE.gguf")]
    models: Vec<PathBuf>,
    /// Reach nothing but this machine, whatever is configured.
    #[arg(long)]
    offline: bool,
}

impl ServeArgs {
    /// The configuration that was asked for.
    pub fn config(&self) -> Result<Config, Mistakes> {
        let (listen, models, offline) = (self.listen.clone(), self.models.clone(), self.offline);
        Config::load(&Overrides { listen, models, offline, ..self.place.overrides() })
    }
}
