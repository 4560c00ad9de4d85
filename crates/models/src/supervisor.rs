//! Workers of the house: started, watched, warmed up, started again after a crash, out of memory while others need it, and never left
//! behind.
//!
//! A worker is a process that speaks the OpenAI dialect on a loopback port; a crash in it costs a model, never the portal. What it
//! computes is no matter here: anything that keeps the contract of [`process`] will do.

mod adapters;
mod health;
mod memory;
mod process;
mod seat;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use domain::ModelState;
use egress::Egress;
use serde::Serialize;
use tokio::sync::{Notify, OwnedMutexGuard, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::library::shown;
use crate::models::{Deployment, ModelView, Named};
use crate::router::Queue;
use crate::{AdapterConfig, Timeouts, WorkerConfig};
pub use adapters::AdapterView;
use adapters::Adapters;
pub(crate) use memory::Memory;
use memory::{Tenant, TooLarge};
use process::{Exit, Process};
use seat::Seat;

/// The provider that workers of the house belong to: the first half of their models' ids.
pub const LOCAL: &str = "local";

/// The id of the small model that comes with Portico, and its name. Where nobody chose and there is another, the other is asked.
pub const STARTER_ID: &str = "local/starter";
pub const STARTER: &str = "starter";

/// The pause after a first crash, and the longest: it doubles in between.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A worker that was ready for so long has not crashed in its start.
const HEALTHY: Duration = Duration::from_secs(60);
/// After that a model that did not fit is tried again when it is asked for: memory may be free by then.
const FITS_LATER: Duration = Duration::from_secs(30);
/// After so many crashes in a row people are told, rather than left waiting.
const TELL_AFTER: u32 = 3;

/// One model and the process that runs it.
pub(crate) struct Worker {
    /// Without its adapters, which may change.
    pub(crate) config: WorkerConfig,
    pub(crate) deployment: Arc<Deployment>,
    adapters: Arc<Adapters>,
    tenant: Arc<Tenant>,
    facts: Arc<Mutex<Facts>>,
    again: Arc<Notify>,
    /// Ends the process when the worker is gone from the configuration.
    _stop: DropGuard,
}

#[derive(Debug, Clone, Default)]
struct Facts {
    pid: Option<u32>,
    restarts: u32,
    loaded_in: Option<Duration>,
    warmed_in: Option<Duration>,
}

/// What is known of a worker's process.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WorkerView {
    /// The model's id.
    pub id: String,
    /// The model as everybody sees it.
    pub model: ModelView,
    /// The file it runs, where its arguments name one.
    pub file: Option<String>,
    /// The process, while there is one.
    pub pid: Option<u32>,
    /// How often it was started again after a crash.
    pub restarts: u32,
    /// Milliseconds from the latest start to loaded.
    pub load_ms: Option<u64>,
    /// Milliseconds of the latest warm-up request.
    pub warm_ms: Option<u64>,
    /// Bytes of memory that it holds; 0 while it is not loaded.
    pub memory: u64,
    /// Where it stands.
    pub state: ModelState,
    /// Its LoRA adapters.
    pub adapters: Vec<AdapterView>,
}

/// What a worker needs of the house.
pub(crate) struct House {
    pub(crate) timeouts: Timeouts,
    pub(crate) egress: Arc<Egress>,
    pub(crate) changed: Arc<watch::Sender<u64>>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Worker {
    /// Starts it, and keeps it running until it is dropped or the house stops.
    pub(crate) fn start(mut config: WorkerConfig, house: House) -> Arc<Worker> {
        let seat = Arc::new(Seat::new(&config.name));
        let display_name = config.display_name.clone().unwrap_or_else(|| config.name.clone());
        let named = Named {
            id: format!("{LOCAL}/{}", config.name),
            name: config.name.clone(),
            display_name,
            provider: LOCAL.to_owned(),
            provider_name: "This machine".to_owned(),
            local: true,
            enabled: true,
            streaming: true,
            warms_up: true,
        };
        // How many requests it answers at the same time it tells itself, once it runs.
        let deployment = Deployment::new(named, seat.clone(), house.timeouts, None, &house.queue, house.changed);
        let deployment = Arc::new(deployment);
        let adapters = Arc::new(Adapters::new(seat.clone(), deployment.clone()));
        adapters.want(std::mem::take(&mut config.adapters));
        let tenant = house.memory.enter(deployment.clone(), config.keep_alive, config.needs);
        let (facts, again) = (Arc::<Mutex<Facts>>::default(), Arc::<Notify>::default());
        let supervised = Supervised {
            config: config.clone(),
            deployment: deployment.clone(),
            seat,
            memory: house.memory,
            tenant: tenant.clone(),
            adapters: adapters.clone(),
            facts: facts.clone(),
            again: again.clone(),
            egress: house.egress,
            timeouts: house.timeouts,
            stop: house.stop.clone(),
        };
        house.tasks.spawn(supervised.keep_running());
        Arc::new(Worker { config, deployment, adapters, tenant, facts, again, _stop: house.stop.drop_guard() })
    }

    /// Tries a worker again that could not load its model.
    pub(crate) fn refresh(&self) {
        self.again.notify_one();
    }

    /// Whether it is what `config` describes, but for its adapters.
    pub(crate) fn runs(&self, config: &WorkerConfig) -> bool {
        self.config == WorkerConfig { adapters: Vec::new(), ..config.clone() }
    }

    /// Has it compute with these adapters and no others from now on. It goes on running.
    pub(crate) fn adapt(&self, adapters: Vec<AdapterConfig>) {
        self.adapters.want(adapters);
    }

    /// Its model, and that with each of its adapters.
    pub(crate) fn deployments(&self) -> Vec<Arc<Deployment>> {
        std::iter::once(self.deployment.clone()).chain(self.adapters.deployments()).collect()
    }

    fn file(&self) -> Option<String> {
        let at = self.config.args.iter().position(|arg| arg == "--model")?;
        self.config.args.get(at + 1).map(|file| file.to_string_lossy().into_owned())
    }

    pub(crate) fn view(&self) -> WorkerView {
        let facts = self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        WorkerView {
            id: self.deployment.id.clone(),
            model: self.deployment.view(),
            file: self.file(),
            pid: facts.pid,
            restarts: facts.restarts,
            load_ms: facts.loaded_in.map(ms),
            warm_ms: facts.warmed_in.map(ms),
            memory: self.tenant.held(),
            state: self.deployment.state(),
            adapters: self.adapters.views(),
        }
    }
}

/// What the task that watches a worker holds.
struct Supervised {
    config: WorkerConfig,
    deployment: Arc<Deployment>,
    seat: Arc<Seat>,
    memory: Arc<Memory>,
    tenant: Arc<Tenant>,
    adapters: Arc<Adapters>,
    facts: Arc<Mutex<Facts>>,
    again: Arc<Notify>,
    egress: Arc<Egress>,
    timeouts: Timeouts,
    stop: CancellationToken,
}

/// How one run of the process ended.
enum End {
    /// We stopped it.
    Stopped,
    /// It left memory, until it is asked for.
    Unloaded,
    /// It said that it cannot do its work; starting it again would not help.
    Failed(String),
    /// It died, hung or never came up.
    Crashed(String),
}

impl Supervised {
    async fn keep_running(self) {
        let model = self.deployment.id.as_str();
        let (mut pause, mut crashes) = (FIRST_PAUSE, 0);
        let mut asked = false;
        loop {
            self.deployment.set(ModelState::Loading { percent: None, eta_ms: None });
            let admitted = tokio::select! {
                () = self.stop.cancelled() => return self.deployment.set(ModelState::Cold),
                admitted = self.memory.admit(&self.tenant, asked) => admitted,
            };
            let (end, ready_for) = match admitted {
                Ok(turn) => self.run(turn).await,
                Err(too_large) => {
                    if !self.waits_for_room(too_large, asked).await {
                        return self.deployment.set(ModelState::Cold);
                    }
                    asked = true;
                    continue;
                }
            };
            self.seat.leave();
            self.note(|facts| facts.pid = None);
            self.tenant.lives_as(None);
            match end {
                End::Stopped => return self.deployment.set(ModelState::Cold),
                End::Unloaded => {
                    tracing::info!(model, "a local model left memory until it is asked for");
                    if !self.is_asked().await {
                        return;
                    }
                    asked = true;
                }
                End::Failed(message) => {
                    tracing::error!(model, message, "a local model could not be loaded");
                    self.deployment.set(failed(message));
                    tokio::select! {
                        () = self.stop.cancelled() => return,
                        () = self.again.notified() => {}
                    }
                    (pause, crashes) = (FIRST_PAUSE, 0);
                }
                End::Crashed(why) => {
                    if ready_for.is_some_and(|time| time >= HEALTHY) {
                        (pause, crashes) = (FIRST_PAUSE, 0);
                    }
                    crashes += 1;
                    tracing::warn!(model, why, pause_ms = pause.as_millis(), "a local worker is started again");
                    self.note(|facts| facts.restarts += 1);
                    // Signal 9 is what the kernel sends where memory has run out.
                    let cause = if why.contains("signal 9") { "killed" } else { "crashed" };
                    metrics::counter!("portico_worker_restarts_total", "model" => model.to_owned(), "cause" => cause)
                        .increment(1);
                    self.deployment.set(match crashes {
                        ..TELL_AFTER => ModelState::Loading { percent: None, eta_ms: None },
                        _ => failed(format!(
                            "its worker has crashed {crashes} times in a row ({why}); it is tried again"
                        )),
                    });
                    tokio::select! {
                        () = self.stop.cancelled() => return,
                        () = sleep(pause) => {}
                        () = self.again.notified() => {}
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    /// Nobody is told of a model that nobody has asked for; who asked is told the figure. False when the house stops.
    async fn waits_for_room(&self, TooLarge { needs, left }: TooLarge, asked: bool) -> bool {
        let figures = format!("it needs {} of memory, and {} can be had", shown(needs), shown(left));
        tracing::warn!(model = self.deployment.id, figures, asked, "a local model is not loaded");
        if asked || !self.memory.could_ever_hold(needs) {
            self.deployment.set(failed(figures));
            tokio::select! {
                () = self.stop.cancelled() => return false,
                () = self.again.notified() => return true,
                () = sleep(FITS_LATER) => {}
            }
        }
        self.deployment.set(ModelState::Cold);
        self.is_asked().await
    }

    /// Waits until somebody asks for the model; false when the house stops first.
    async fn is_asked(&self) -> bool {
        tokio::select! {
            () = self.stop.cancelled() => false,
            () = self.deployment.wanted.notified() => true,
            () = self.again.notified() => true,
        }
    }

    /// One life of the process, and how long it was ready. It is loaded in its `turn`.
    async fn run(&self, turn: Option<OwnedMutexGuard<()>>) -> (End, Option<Duration>) {
        let mut process = match Process::spawn(&self.config) {
            Ok(process) => process,
            Err(error) => {
                let program = self.config.program.display();
                return (End::Failed(format!("{program} could not be started: {error}")), None);
            }
        };
        self.note(|facts| facts.pid = process.pid());
        self.tenant.lives_as(process.pid());
        let ready = OnceLock::new();
        let (end, has_ended) = {
            let (contact, turn) = (process.contact(), Mutex::new(turn));
            let attendance = health::Attendance { worker: self, process: contact, turn, ready: &ready };
            tokio::select! {
                () = self.stop.cancelled() => (End::Stopped, false),
                exit = process.exited() => match exit {
                    Exit::Failed(message) => (End::Failed(message), true),
                    Exit::Died(why) => (End::Crashed(why), true),
                },
                end = attendance.attend() => (end, false),
            }
        };
        // Requests that come from now on wait; those under way end with the connection.
        self.seat.leave();
        let ready_for = ready.get().map(Instant::elapsed);
        match &end {
            End::Stopped | End::Unloaded => process.stop().await,
            End::Crashed(_) if !has_ended => process.kill().await,
            _ => {}
        }
        (end, ready_for)
    }

    fn note(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn failed(message: String) -> ModelState {
    ModelState::Failed { code: "model_failed".to_owned(), message }
}
