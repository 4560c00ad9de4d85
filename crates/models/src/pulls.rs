//! Models on their way to an Ollama's disk: each pull is a task that outlives the page that asked for it, told about in
//! snapshots. What Ollama says line by line is read in `providers/ollama`; nothing is stored here.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::{Failure, ModelError};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::providers::ollama::{Ollama, Progress};

/// Watchers are woken at most this often by mere progress.
const TICK: Duration = Duration::from_millis(200);

/// Where a pull stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PullState {
    /// Under way.
    Running,
    /// The model is installed.
    Done,
    /// It ended with a failure; asked for again, it goes on where it was.
    Failed,
    /// Somebody stopped it; asked for again, it goes on where it was.
    Cancelled,
}

/// A pull as people see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PullView {
    /// `provider/model`: there is one at a time.
    pub id: String,
    /// The provider's slug.
    pub provider: String,
    /// The model as Ollama's library names it.
    pub model: String,
    /// Where it stands.
    pub state: PullState,
    /// Ollama's own words for what it does now.
    pub status: String,
    /// Bytes to fetch, as far as the layers are known.
    pub total: u64,
    /// Bytes that are there.
    pub completed: u64,
    /// Why it failed, where it did.
    pub failure: Option<Failure>,
}

/// All pulls since the start, the newest of each model.
#[derive(Debug)]
pub(crate) struct Pulls {
    all: Mutex<Vec<Pull>>,
    changed: watch::Sender<u64>,
}

#[derive(Debug)]
struct Pull {
    view: PullView,
    /// Digest, total, completed.
    layers: Vec<(String, u64, u64)>,
    cancel: CancellationToken,
}

impl Default for Pulls {
    fn default() -> Self {
        Pulls { all: Mutex::default(), changed: watch::Sender::new(0) }
    }
}

impl Pulls {
    /// Begins a pull; one that runs already is joined. `done` is called once the model is there.
    pub(crate) fn start(
        self: &Arc<Self>,
        ollama: Arc<Ollama>,
        provider: &str,
        model: &str,
        tasks: &TaskTracker,
        stop: &CancellationToken,
        done: impl FnOnce() + Send + 'static,
    ) -> PullView {
        let id = format!("{provider}/{model}");
        let (view, cancel) = {
            let mut all = self.lock();
            if let Some(running) = all.iter().find(|pull| pull.view.id == id && pull.is_running()) {
                return running.view.clone();
            }
            all.retain(|pull| pull.view.id != id);
            let view = PullView {
                id: id.clone(),
                provider: provider.to_owned(),
                model: model.to_owned(),
                state: PullState::Running,
                status: "asking".to_owned(),
                total: 0,
                completed: 0,
                failure: None,
            };
            let cancel = stop.child_token();
            all.push(Pull { view: view.clone(), layers: Vec::new(), cancel: cancel.clone() });
            (view, cancel)
        };
        self.tell();
        let (pulls, model) = (self.clone(), model.to_owned());
        tasks.spawn(async move {
            let ended = tokio::select! {
                () = cancel.cancelled() => (PullState::Cancelled, None),
                ended = pulls.follow(&id, &ollama, &model) => match ended {
                    Ok(()) => (PullState::Done, None),
                    Err(error) => {
                        let failure = Failure { code: error.code().into(), message: error.to_string() };
                        (PullState::Failed, Some(failure))
                    }
                },
            };
            pulls.change(&id, |pull| (pull.view.state, pull.view.failure) = ended.clone());
            if ended.0 == PullState::Done {
                done();
            }
            pulls.tell();
        });
        view
    }

    async fn follow(&self, id: &str, ollama: &Ollama, model: &str) -> Result<(), ModelError> {
        let mut lines = ollama.pull(model).await?;
        let mut told = Instant::now();
        while let Some(progress) = lines.next().await? {
            let news = self.change(id, |pull| pull.take(progress));
            if news == Some(true) || told.elapsed() >= TICK {
                told = Instant::now();
                self.tell();
            }
        }
        Ok(())
    }

    /// Stops a pull that runs; forgets one that is over. False where there is none.
    pub(crate) fn cancel(&self, id: &str) -> bool {
        let mut all = self.lock();
        let Some(at) = all.iter().position(|pull| pull.view.id == id) else { return false };
        if all[at].is_running() {
            all[at].cancel.cancel();
        } else {
            all.remove(at);
            drop(all);
            self.tell();
        }
        true
    }

    pub(crate) fn list(&self) -> Vec<PullView> {
        self.lock().iter().map(|pull| pull.view.clone()).collect()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn change<T>(&self, id: &str, change: impl FnOnce(&mut Pull) -> T) -> Option<T> {
        self.lock().iter_mut().find(|pull| pull.view.id == id).map(change)
    }

    fn tell(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Pull>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pull {
    fn is_running(&self) -> bool {
        self.view.state == PullState::Running
    }

    /// Returns whether another step has begun.
    fn take(&mut self, progress: Progress) -> bool {
        if let (Some(digest), Some(total)) = (progress.digest, progress.total) {
            let completed = progress.completed.unwrap_or(0).min(total);
            match self.layers.iter_mut().find(|layer| layer.0 == digest) {
                Some(layer) => (layer.1, layer.2) = (total, completed.max(layer.2)),
                None => self.layers.push((digest, total, completed)),
            }
            self.view.total = self.layers.iter().map(|layer| layer.1).sum();
            self.view.completed = self.layers.iter().map(|layer| layer.2).sum();
        }
        let new = self.view.status != progress.status;
        self.view.status = progress.status;
        new
    }
}
