//! Training jobs of this node: one after another, each a child process of low priority that is watched, told to stop, and gone on
//! with from its checkpoint. What a job computes is no matter here: anything that keeps the contract of [`process`] will do.

mod process;

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Caller, DatasetId, JobId, Role, Via};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{Job, JobState, Loss, NewJob, Store};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{Datasets, Error, Side};
use process::{Child, End, Said};
use rustix::process::Signal;

/// What a job told is stored so often: a person looks at it every second.
const STORED_EVERY: Duration = Duration::from_millis(500);
/// After a fault of the store the next try waits so long.
const PAUSE: Duration = Duration::from_secs(5);
/// So long a checkpoint may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a model learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// The model's file on this machine.
    pub file: PathBuf,
    /// The adapter's rank.
    pub rank: u32,
    /// What its change is multiplied by, times the rank.
    pub alpha: f64,
    /// The highest rate; it warms up to it and falls by a cosine.
    pub learning_rate: f64,
    /// How often each example is seen.
    pub epochs: u32,
    /// Everything random follows from it.
    pub seed: u32,
}

impl Recipe {
    fn check(&self) -> Result<(), Error> {
        let wrong = |field, range| Err(Error::Recipe { field, range });
        match self {
            one if !(1..=256).contains(&one.rank) => wrong("rank", "1 to 256"),
            one if !(0.1..=1024.0).contains(&one.alpha) => wrong("alpha", "0.1 to 1024"),
            one if !(1e-7..=0.1).contains(&one.learning_rate) => wrong("learning_rate", "0.0000001 to 0.1"),
            one if !(1..=200).contains(&one.epochs) => wrong("epochs", "1 to 200"),
            _ => Ok(()),
        }
    }
}

/// A job that is asked for.
#[derive(Debug, Clone)]
pub struct Order {
    pub name: String,
    /// The model's name.
    pub model: String,
    pub dataset: DatasetId,
    pub version: i64,
    pub recipe: Recipe,
}

/// What the program that trains is given.
#[derive(Debug)]
pub struct Task<'a> {
    pub recipe: &'a Recipe,
    /// JSON lines that are learned.
    pub train: &'a Path,
    /// And those that are held out; it may be empty.
    pub held_out: &'a Path,
    /// Where the checkpoint lies, and in the end the adapter with its card.
    pub folder: &'a Path,
    /// Which data it is, for the card.
    pub data: String,
}

/// A program with its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    pub path: PathBuf,
    pub args: Vec<OsString>,
}

/// How a task becomes a program.
pub type Trainer = Box<dyn Fn(&Task<'_>) -> Program + Send + Sync>;

/// Training jobs. Clones are the same.
#[derive(Clone)]
pub struct Jobs {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    datasets: Datasets,
    folder: PathBuf,
    trainer: Option<Trainer>,
    /// There is something to do.
    asked: Notify,
    /// How to stop what runs.
    running: Mutex<HashMap<JobId, CancellationToken>>,
}

impl Jobs {
    /// Jobs whose files lie in `folder`; without a trainer none can be asked for.
    pub fn new(store: Store, datasets: Datasets, folder: PathBuf, trainer: Option<Trainer>) -> Jobs {
        let (asked, running) = (Notify::new(), Mutex::default());
        Jobs { inner: Arc::new(Inner { store, datasets, folder, trainer, asked, running }) }
    }

    /// Whether this portal can train.
    pub fn can_train(&self) -> bool {
        self.inner.trainer.is_some()
    }

    /// Asks for one; it begins when those before it have ended.
    pub async fn create(&self, caller: &Caller, order: Order) -> Result<Job, Error> {
        if !self.can_train() {
            return Err(Error::NoTrainer);
        }
        order.recipe.check()?;
        self.inner.datasets.version(caller, order.dataset, order.version).await?;
        let Order { name, model, dataset, version, recipe } = order;
        let recipe = serde_json::to_value(recipe).unwrap_or_default();
        let job = self.inner.store.create_job(caller, NewJob { name, model, dataset, version, recipe }).await?;
        self.inner.asked.notify_one();
        Ok(job)
    }

    /// Stops one that waits or runs. One that runs writes its checkpoint first; it can go on later.
    pub async fn stop(&self, caller: &Caller, id: JobId) -> Result<(), Error> {
        let job = self.job(caller, id).await?;
        if job.state == JobState::Queued {
            return Ok(self.inner.store.move_job(id, &[JobState::Queued], JobState::Stopped, None, None).await?);
        }
        match self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).get(&id) {
            Some(stop) => stop.cancel(),
            None => return Err(Error::Conflict { what: format!("the job is {}", job.state.as_str()) }),
        }
        Ok(())
    }

    /// Lets one go on that rests and is not done.
    pub async fn resume(&self, caller: &Caller, id: JobId) -> Result<(), Error> {
        if !self.can_train() {
            return Err(Error::NoTrainer);
        }
        self.job(caller, id).await?;
        let rests = [JobState::Stopped, JobState::Interrupted, JobState::Failed];
        self.inner.store.move_job(id, &rests, JobState::Queued, None, None).await?;
        self.inner.asked.notify_one();
        Ok(())
    }

    /// Deletes one that rests, with its files.
    pub async fn delete(&self, caller: &Caller, id: JobId) -> Result<(), Error> {
        self.inner.store.delete_job(caller, id).await?;
        let folder = self.folder(id);
        match tokio::fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(folder = %folder.display(), %error, "the files of a deleted training job stay behind");
            }
            _ => {}
        }
        Ok(())
    }

    async fn job(&self, caller: &Caller, id: JobId) -> Result<Job, Error> {
        self.inner.store.job(caller, id).await?.ok_or(Error::NotFound { what: "job" })
    }

    /// Where the files of a job lie.
    pub fn folder(&self, id: JobId) -> PathBuf {
        self.inner.folder.join(id.to_string())
    }

    /// Runs what is asked for, one after another, until `closing`; what runs then is interrupted at a checkpoint.
    pub async fn run(&self, closing: CancellationToken) {
        if let Err(error) = self.inner.store.interrupt_jobs().await {
            tracing::error!(%error, "training jobs of an earlier process could not be marked");
        }
        while !closing.is_cancelled() {
            let next = match self.inner.store.next_job().await {
                Ok(job) => job.filter(|_| self.can_train()),
                Err(error) => {
                    tracing::warn!(%error, "the next training job could not be read");
                    tokio::select! {
                        () = closing.cancelled() => return,
                        () = sleep(PAUSE) => continue,
                    }
                }
            };
            match next {
                Some(job) => self.attend(job, &closing).await,
                None => tokio::select! {
                    () = closing.cancelled() => return,
                    () = self.inner.asked.notified() => {}
                },
            }
        }
    }

    /// One job from its beginning to wherever it ends.
    async fn attend(&self, job: Job, closing: &CancellationToken) {
        let stop = CancellationToken::new();
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).insert(job.id, stop.clone());
        let begun = self.inner.store.move_job(job.id, &[JobState::Queued], JobState::Running, None, None).await;
        // Somebody may have stopped it just now.
        if begun.is_ok() {
            let (state, failure) = match self.teach(&job, &stop, closing).await {
                Ok(state) => (state, None),
                Err(why) => (JobState::Failed, Some(why)),
            };
            let result = match state {
                JobState::Done => Some(self.made(job.id).await),
                _ => None,
            };
            tracing::info!(job = %job.id, state = state.as_str(), failure, "a training job ended");
            let told = self.inner.store.move_job(job.id, &[JobState::Running], state, failure, result).await;
            if let Err(error) = told {
                tracing::error!(%error, job = %job.id, "where a training job stands could not be stored");
            }
        }
        self.inner.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&job.id);
    }

    async fn teach(
        &self,
        job: &Job,
        stop: &CancellationToken,
        closing: &CancellationToken,
    ) -> Result<JobState, String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let recipe: Recipe = serde_json::from_value(job.recipe.clone()).map_err(|error| said(&error))?;
        let folder = self.folder(job.id);
        let [train, held_out] = self.lay_out(job, &folder).await?;
        let data = format!("data set {}, version {}", job.dataset, job.version);
        let task = Task { recipe: &recipe, train: &train, held_out: &held_out, folder: &folder, data };
        let program =
            self.inner.trainer.as_ref().map(|trainer| trainer(&task)).ok_or_else(|| said(&Error::NoTrainer))?;
        let mut child = Child::spawn(&program)
            .map_err(|error| format!("{} could not be started: {error}", program.path.display()))?;
        self.follow(job.id, &mut child, stop, closing).await?;
        let interrupted = closing.is_cancelled() && !stop.is_cancelled();
        match child.ended().await {
            End::Done => Ok(JobState::Done),
            _ if interrupted => Ok(JobState::Interrupted),
            _ if stop.is_cancelled() => Ok(JobState::Stopped),
            End::Stopped => Ok(JobState::Stopped),
            End::Failed(why) => Err(why),
        }
    }

    /// Writes what is learned and what is held out; a job that goes on gets the same.
    async fn lay_out(&self, job: &Job, folder: &Path) -> Result<[PathBuf; 2], String> {
        let caller = Caller { tenant: job.tenant, person: job.person, role: Role::Admin, via: Via::House };
        let looked = self.inner.datasets.looked(&caller, job.dataset, Some(job.version)).await;
        let looked = looked.map_err(|error| format!("its data set cannot be read: {error}"))?;
        let files = [("train.jsonl", Side::Train), ("held_out.jsonl", Side::HeldOut)];
        let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
        tokio::fs::create_dir_all(folder).await.map_err(|error| failed(folder, error))?;
        for (name, side) in files {
            let path = folder.join(name);
            tokio::fs::write(&path, looked.lines(side)).await.map_err(|error| failed(&path, error))?;
        }
        Ok(files.map(|(name, _)| folder.join(name)))
    }

    /// Stores what the child tells until its output ends, and asks it to stop where that is wanted.
    async fn follow(
        &self,
        id: JobId,
        child: &mut Child,
        stop: &CancellationToken,
        closing: &CancellationToken,
    ) -> Result<(), String> {
        let (mut losses, mut latest, mut keep_to) = (Vec::new(), json!({}), None);
        let (mut first, mut deadline) = (true, None);
        let mut stored = Instant::now();
        loop {
            let line = tokio::select! {
                line = child.line() => line,
                () = asked(stop, closing), if deadline.is_none() => {
                    deadline = Some(Instant::now() + PATIENCE);
                    child.signal(Signal::TERM);
                    continue;
                }
                () = overdue(deadline) => {
                    deadline = Some(Instant::now() + PATIENCE);
                    child.signal(Signal::KILL);
                    continue;
                }
            };
            if let Some(Said { step, loss, held_out, told }) = &line {
                if std::mem::take(&mut first) {
                    keep_to = Some(step.saturating_sub(1));
                }
                let micros = |nats: &Option<f64>| nats.filter(|nats| nats.is_finite()).map(|nats| (nats * 1e6) as i64);
                losses.push(Loss { step: *step, train: micros(loss), held_out: micros(held_out) });
                latest = told.clone();
            }
            if !losses.is_empty() && (line.is_none() || stored.elapsed() >= STORED_EVERY) {
                let noted = self.inner.store.note_progress(id, &latest, &losses, keep_to.take()).await;
                noted.map_err(|error| format!("its progress could not be stored: {error}"))?;
                losses.clear();
                stored = Instant::now();
            }
            if line.is_none() {
                return Ok(());
            }
        }
    }

    /// What a job that is done has left: its folder, and the card of its adapter.
    async fn made(&self, id: JobId) -> Value {
        let folder = self.folder(id);
        let card = tokio::fs::read(folder.join("card.json")).await.ok();
        let card: Value = card.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        json!({ "folder": folder, "card": card })
    }
}

async fn asked(stop: &CancellationToken, closing: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = closing.cancelled() => {}
    }
}

async fn overdue(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
