//! `portico serve`: the parts joined into a running portal, in the order in which they need each other, and taken apart in the
//! opposite one. What each part does lies in its crate.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use anyhow::Context as _;
use chat::Chat;
use domain::{Clock, Ids, SystemClock, TenantId};
use egress::Egress;
use identity::{Cost, Envelope, Identity};
use ledger::Ledger;
use models::Models;
use models::library::Downloads;
use server::{Catalog, Doors, Parts, Server, Shelves, Tls};
use store::{Place, Store};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tools::sandbox::Sandbox;
use tools::{Gateway, Ground, Vault};
use tuning::{Datasets, Jobs};

use crate::config::{Config, Database, Metrics, Mistakes};
use crate::data::DataFolder;
use crate::options::{TEST_KEYS, fixed_keys, library_runner, model_options, providers, way_out, workers};
use crate::reload::Reload;
use crate::{data, jobs, machine, port};

/// How long answers that are under way may go on after the first signal.
const DRAIN: Duration = Duration::from_secs(30);

/// How long the second signal waits for what is to be stored.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// A running portal.
pub(crate) struct House {
    server: Server,
    store: Store,
    models: Models,
    chat: Chat,
    downloads: Arc<Downloads>,
    public_url: String,
    tls: Option<Arc<Tls>>,
    listener: TcpListener,
    metrics: Option<(TcpListener, axum::Router)>,
    closing: CancellationToken,
    tasks: TaskTracker,
    /// Held to the end: nobody else opens this data meanwhile.
    _folder: DataFolder,
}

impl House {
    /// Opens everything; nothing is served yet.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<House> {
        machine::raise_descriptor_limit();
        // Ports first: the commonest mistake is a portal that runs already, and it must not wait for anything else.
        let listener = TcpListener::from_std(port::listen(config.listen)?)?;
        let metrics_listener = match config.metrics {
            Metrics::At(at) => Some(TcpListener::from_std(port::listen(at)?)?),
            Metrics::Off => None,
        };
        let mut folder = DataFolder::open(&config.data)?;
        let key = folder.secret_key(std::env::var("PORTICO_SECRET_KEY").ok().as_deref())?;
        let tls = config.tls.as_ref().map(|tls| Tls::open(&tls.cert, &tls.key)).transpose()?.map(Arc::new);

        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let ids = Ids::new(Arc::clone(&clock));
        let node = node_name(folder.path())?;
        let place = place(config, folder.path());
        let options = store::Options { place, clock: Arc::clone(&clock), ids: ids.clone(), node: node.clone() };
        let store = Store::open(options).await?;
        let recovered = store.recover(&node).await?;
        if recovered.turns > 0 {
            tracing::warn!(
                turns = recovered.turns,
                "answers that an earlier process was writing are marked interrupted"
            );
        }

        store.interrupt_enquiries(&node).await?;

        let identity = Identity::open(store.clone(), Arc::clone(&clock), Cost::default()).await?;
        identity.fix_keys(fixed_keys(config)).await?;
        if !config.keys.is_empty() {
            tracing::warn!(keys = config.keys.len(), "{TEST_KEYS}");
        }
        let ledger =
            Ledger::open(store.clone(), Arc::clone(&clock), config.limits.daily_tokens_per_person.map(u64::from))
                .await?;
        let egress = Arc::new(Egress::new(way_out(config)?, Arc::clone(&clock))?);
        let models = Models::new(model_options(config), Arc::clone(&egress));
        let fixed = server::Fixed {
            providers: providers(config),
            aliases: config.aliases.clone(),
            environment: config.environment.clone(),
        };
        let catalog = Catalog::new(store.clone(), models.clone(), Envelope::new(&key.0), fixed);
        catalog.reload(TenantId::FIRST).await?;
        let library = crate::library::open(config, Arc::clone(&egress));
        if let Some(weights) = crate::starter::WEIGHTS {
            let wanted = config.starter && config.models.is_empty() && models.providers().is_empty();
            // A portal without it is still one.
            if let Err(error) = crate::starter::take_in(&config.data, &library, wanted, weights) {
                tracing::error!(error = format!("{error:#}"), "the starter model could not be taken in");
            }
        }
        let runner = library_runner(config);
        let fixed = workers(config)?;
        let adapters = crate::library::adapters(config, &fixed);
        let mut workers = crate::library::with_those_that_run(&library, fixed, &runner);
        workers.iter_mut().for_each(|worker| worker.adapters = adapters.of(&worker.name));
        models.run_workers(workers);
        let downloads = Downloads::open(library.clone());
        let shelves = Shelves {
            library,
            adapters,
            downloads: Arc::clone(&downloads),
            fixed: config.models.iter().map(|model| model.path.clone()).collect(),
            runner: Box::new(runner),
        };
        let datasets = Datasets::new(store.clone());
        let (folder_of_jobs, trainer) = (crate::training::folder(config), crate::training::trainer());
        let training = Jobs::new(store.clone(), datasets.clone(), folder_of_jobs, trainer);
        let vault = Box::new(Sealing(Envelope::new(&key.0)));
        let (reader, documents) = crate::files::readers()?;
        let ground = Ground { documents: Some(documents), ..lent(config) };
        let tools = Gateway::on(ground, store.clone(), Arc::clone(&egress), vault, Arc::clone(&clock));
        tools.reload(TenantId::FIRST).await?;
        let (now, new) = (Arc::clone(&clock), ids.clone());
        let uploads = crate::files::open(config, store.clone())?;
        let files = chat::Files { uploads: uploads.clone(), reader };
        let chat = Chat::start(store.clone(), models.clone(), ledger.clone(), tools.clone(), files, now, new);

        let own_port = listener.local_addr()?.port();
        let public_url = config.url(listener.local_addr()?);
        folder.announce(&public_url)?;
        let (closing, tasks) = (CancellationToken::new(), TaskTracker::new());
        let doors = Doors {
            public_url: public_url.clone(),
            tls: tls.is_some(),
            trusted_proxies: config.trusted_proxies.clone(),
            body_limit: AtomicUsize::new(usize::try_from(config.limits.body_bytes).unwrap_or(usize::MAX)),
            brand: "Portico".to_owned(),
            local_engine: cfg!(feature = "engine"),
            own_ports: vec![own_port],
            draining: closing.clone(),
            tasks: tasks.clone(),
        };
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new()
            .set_buckets(&BUCKETS)
            .and_then(metrics_exporter_prometheus::PrometheusBuilder::install_recorder);
        if let Ok(recorder) = &recorder {
            tasks.spawn(jobs::keep_metrics(recorder.clone(), closing.clone()));
        }
        let (keep, identity_task) = (store.clone(), identity.clone());
        let server = Server::new(Parts {
            chat: chat.clone(),
            identity,
            store: store.clone(),
            models: models.clone(),
            catalog,
            personas: crate::personas::open(config),
            shelves: Arc::new(shelves),
            datasets,
            training: training.clone(),
            tools,
            uploads: uploads.clone(),
            upload_limits: crate::files::limits(config),
            scanner: crate::files::scanner(config)?,
            ledger,
            clock,
            ids,
            doors,
        });
        let metrics = match (metrics_listener, recorder) {
            (Some(listener), recorder) => {
                Some((listener, server::metrics_router(recorder.context("metrics")?, server.clone())))
            }
            (None, _) => None,
        };
        let stop = closing.clone();
        tasks.spawn(async move { identity_task.follow(stop).await });
        tasks.spawn(crate::others::live(server.clone(), public_url.clone(), closing.clone()));
        let stop = closing.clone();
        tasks.spawn(async move { training.run(stop).await });
        if config.discover {
            // An offer to an administrator; on this machine's own loopback, so it holds offline, too.
            let (models, stop) = (models.clone(), closing.clone());
            let looking = async move { models.discover(&[own_port]).await };
            tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    _ = looking => {}
                }
            });
        }
        let taken_up = chat.take_up_batches().await?;
        if taken_up > 0 {
            tracing::info!(batches = taken_up, "batches that an earlier process was running go on");
        }
        tasks.spawn(jobs::keep_waiting(chat.clone(), closing.clone()));
        tasks.spawn(jobs::keep_house(keep, uploads, closing.clone()));
        Ok(House {
            server,
            store,
            models,
            chat,
            downloads,
            public_url,
            tls,
            listener,
            metrics,
            closing,
            tasks,
            _folder: folder,
        })
    }

    /// Where people reach it.
    pub(crate) fn public_url(&self) -> &str {
        &self.public_url
    }

    /// The model that is asked where nobody chooses.
    pub(crate) fn default_model(&self) -> Option<String> {
        chat::default_model(&self.models).map(|model| model.id)
    }

    /// The address of the link that makes the first owner, while there is none.
    pub(crate) async fn setup_link(&self) -> anyhow::Result<Option<String>> {
        let link = self.server.identity.setup_link().await?;
        Ok(link.map(|link| format!("{}/setup#token={}", self.public_url, link.token.as_str())))
    }

    /// Serves until a signal, then drains: no new questions, running answers to their end (30 s at most), a second signal ends
    /// them at once, and what they had said is stored within 3 s. `read` reads the configuration again, at every SIGHUP.
    pub(crate) async fn serve(self, config: Config, read: impl Fn() -> Result<Config, Mistakes>) -> anyhow::Result<()> {
        let House { server, store, models, chat, downloads, tls, listener, metrics, closing, tasks, _folder, .. } =
            self;
        let mut reload = Reload::new(server.clone(), tls.clone(), config);
        let tools = server.tools.clone();
        let router = server::router(server);
        // Connections close only after the answers on them have ended.
        let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
        connections.spawn(server::serve(listener, tls.clone(), router, cut.clone(), DRAIN));
        if let Some((listener, router)) = metrics {
            connections.spawn(server::serve(listener, None, router, cut.clone(), Duration::from_secs(1)));
        }
        connections.close();
        machine::signal(async || reload.take(read()).await).await?;
        tracing::info!("draining; a second signal ends at once");
        closing.cancel();
        let drained = async {
            downloads.close().await;
            chat.drain(DRAIN).await;
            cut.cancel();
            connections.wait().await;
            tools.close().await;
            tasks.close();
            tasks.wait().await;
            models.shutdown().await;
            store.close().await;
        };
        tokio::select! {
            () = drained => {}
            again = machine::signal(async || {}) => {
                again?;
                let saved = async {
                    chat.drain(Duration::ZERO).await;
                    store.writer().flush().await
                };
                let saved = tokio::time::timeout(LAST_WRITES, saved).await;
                tracing::warn!(
                    saved = matches!(saved, Ok(Ok(()))),
                    "ended by a second signal; answers that were running are marked interrupted, at the next start if not now"
                );
                models.shutdown().await;
            }
        }
        Ok(())
    }
}

/// The secrets of plugins, sealed with the key of this house.
struct Sealing(Envelope);

impl Vault for Sealing {
    fn seal(&self, label: &str, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.seal(label, plain).ok()
    }

    fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.open(label, sealed).ok()
    }
}

/// Seconds; the upper ends are where a person has stopped waiting.
const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

fn place(config: &Config, folder: &Path) -> Place {
    match &config.database {
        Database::Sqlite => Place::Sqlite(data::database(folder)),
        Database::Postgres(url) => Place::Postgres(url.reveal().to_owned()),
    }
}

/// The name of this node in the records it writes: made once, kept in the data folder, so that after a crash it finds its own.
fn node_name(folder: &Path) -> anyhow::Result<String> {
    let file = folder.join("node");
    if let Ok(name) = std::fs::read_to_string(&file) {
        let name = name.trim();
        if !name.is_empty() {
            return Ok(name.to_owned());
        }
    }
    let mut bytes = [0_u8; 6];
    getrandom::fill(&mut bytes).context("the system gives no random bytes")?;
    let name: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(&file, format!("{name}\n")).with_context(|| file.display().to_string())?;
    Ok(name)
}

/// What plugins of the house are lent: a sandbox, which is this program again, and the folders of databases.
fn lent(config: &Config) -> Ground {
    let sandbox = |program| Sandbox::new(program, &["sandbox"], &config.plugins.python);
    let own = config.data.join("databases");
    let databases = config.plugins.databases.iter().cloned().chain([own]).collect();
    Ground { sandbox: std::env::current_exe().ok().map(sandbox), databases, documents: None }
}
