//! How a command reaches what is stored: the same database as the portal, also while it runs. The portal notices within seconds. Commands take
//! turns, since each writes the one audit chain of this machine's command line.

use std::fs::File;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use domain::{Clock, Ids, SystemClock};
use identity::{Cost, Identity};
use store::{Options, Person, Store};

use super::Place;
use crate::config::{Config, Database};
use crate::data;

/// What a command works with.
pub(super) struct House {
    pub(super) config: Config,
    pub(super) store: Store,
    pub(super) door: Identity,
    _turn: File,
}

/// What a command does about a data folder without a database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    Refuse,
    Make,
}

/// Opens the house, does the work, and closes it whatever came of it.
pub(super) fn visit(
    place: &Place,
    absent: Absent,
    work: impl AsyncFnOnce(&House) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let config = place.config()?;
    run(async {
        let house = House::open(config, absent).await?;
        let done = work(&house).await;
        house.store.close().await;
        done.map(|()| ExitCode::SUCCESS)
    })
}

/// Runs to the end on a small runtime of its own.
pub(super) fn run<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.context("the runtime cannot be started")?.block_on(work)
}

impl House {
    async fn open(config: Config, absent: Absent) -> anyhow::Result<House> {
        let file = data::database(&config.data);
        if absent == Absent::Refuse && config.database == Database::Sqlite && !file.exists() {
            let folder = config.data.display();
            bail!("there is no database in {folder} yet; start the portal once, or name another folder with --data");
        }
        data::create(&config.data)?;
        let turn = data::take_turn(&config.data)?;
        let store = open_store(&config.database, &config.data).await?;
        let door = Identity::open(store.clone(), Arc::new(SystemClock::new()), Cost::default()).await?;
        Ok(House { config, store, door, _turn: turn })
    }

    /// The person who signs in as `name`.
    pub(super) async fn person(&self, name: &str) -> anyhow::Result<Person> {
        match self.door.person_by_name(&Identity::house(), name).await {
            Err(identity::Error::NotFound { .. }) => {
                bail!("nobody signs in as {name}; `portico user list` shows everybody")
            }
            found => Ok(found?),
        }
    }

    /// The URL of `path` on the portal, as people type it.
    pub(super) fn url(&self, path: &str) -> String {
        let base = data::announced(&self.config.data).unwrap_or_else(|| self.config.url(self.config.listen));
        format!("{base}{path}")
    }
}

/// Where the rows of the data folder at `folder` are.
pub(super) fn place(database: &Database, folder: &Path) -> store::Place {
    match database {
        Database::Sqlite => store::Place::Sqlite(data::database(folder)),
        Database::Postgres(url) => store::Place::Postgres(url.reveal().to_owned()),
    }
}

/// The store of the data folder at `folder`, for a command.
pub(super) async fn open_store(database: &Database, folder: &Path) -> anyhow::Result<Store> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let place = place(database, folder);
    let machine = rustix::system::uname();
    let node = format!("command@{}", machine.nodename().to_string_lossy());
    let ids = Ids::new(clock.clone());
    Store::open(Options { place, clock, ids, node }).await.context("the database cannot be opened")
}
