//! Downloads that outlive the page that asked for them: each a task of its own, told about in snapshots. What was ordered is written
//! down until it is here, so that after a restart it can be gone on with; that is done when somebody asks, not by itself.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};

use egress::Origin;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Error, Library, Offer, Order, Source, Step, must_be_sound, shelf};

/// Where a download stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DownloadState {
    /// Under way.
    Running,
    /// The model is here.
    Done,
    /// It ended with a failure; asked for again, it goes on where it was, as far as that is of use.
    Failed,
    /// Somebody stopped it, or the portal was stopped; asked for again, it goes on where it was.
    Paused,
}

/// A download as people see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Download {
    /// What the model will be called: there is one download of it at a time.
    pub name: String,
    /// Its address, without its query.
    pub url: String,
    /// Where it stands.
    pub state: DownloadState,
    /// Whether all of it is here and is being compared with its checksum.
    pub checking: bool,
    /// Bytes that are here.
    pub have: u64,
    /// Bytes of the whole; 0 as long as nobody told.
    pub total: u64,
    /// Why it is tried again, while it is, or why it failed.
    pub message: Option<String>,
    /// The failure's word for programs.
    pub code: Option<&'static str>,
}

/// What is written down of an order.
#[derive(Serialize, Deserialize)]
struct Written {
    url: String,
    wanted: Option<String>,
    from: Option<String>,
    sha256: Option<String>,
    anyway: bool,
}

struct One {
    view: Download,
    cancel: CancellationToken,
}

/// All downloads since the start, and those that an earlier one left.
pub struct Downloads {
    library: Library,
    all: Mutex<BTreeMap<String, One>>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl std::fmt::Debug for Downloads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Downloads")
    }
}

impl Downloads {
    /// Finds what an earlier portal left unfinished; nothing is contacted.
    pub fn open(library: Library) -> Arc<Downloads> {
        let left = library.unfinished().into_iter().map(|order| {
            let view = view(&library, &order, DownloadState::Paused);
            (order.name, One { view, cancel: CancellationToken::new() })
        });
        let all = Mutex::new(left.collect());
        Arc::new(Downloads { library, all, tasks: TaskTracker::new(), stop: CancellationToken::new() })
    }

    /// Begins a download, or goes on with it; one that runs already is joined. What can be refused without asking anybody is.
    pub fn start(self: &Arc<Self>, order: Order) -> Result<Download, Error> {
        let (begun, cancel) = {
            let mut all = self.lock();
            if let Some(running) = all.get(&order.name).filter(|one| one.view.state == DownloadState::Running) {
                return Ok(running.view.clone());
            }
            self.library.admit(&order)?;
            self.library.write_order(&order)?;
            let (view, cancel) = (view(&self.library, &order, DownloadState::Running), self.stop.child_token());
            all.insert(order.name.clone(), One { view: view.clone(), cancel: cancel.clone() });
            (view, cancel)
        };
        let this = Arc::clone(self);
        self.tasks.spawn(async move { this.run(order, cancel).await });
        Ok(begun)
    }

    /// Goes on with one that failed, was stopped or was left by an earlier portal.
    pub fn resume(self: &Arc<Self>, name: &str) -> Result<Download, Error> {
        shelf::check_name(name)?;
        let order = self.library.unfinished().into_iter().find(|order| order.name == name);
        self.start(order.ok_or_else(|| Error::NotHere { name: name.to_owned() })?)
    }

    /// Stops one that runs; forgets one that does not, with what arrived of it. False where there is none of this name.
    pub fn cancel(&self, name: &str) -> Result<bool, Error> {
        let mut all = self.lock();
        match all.get(name) {
            None => return Ok(false),
            Some(one) if one.view.state == DownloadState::Running => one.cancel.cancel(),
            Some(one) => {
                if one.view.state != DownloadState::Done {
                    self.library.forget(name)?;
                }
                all.remove(name);
            }
        }
        Ok(true)
    }

    /// All of them, by name.
    pub fn list(&self) -> Vec<Download> {
        self.lock().values().map(|one| one.view.clone()).collect()
    }

    /// Stops all of them; what arrived is kept.
    pub async fn close(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    async fn run(&self, order: Order, cancel: CancellationToken) {
        let name = order.name.as_str();
        let tell = |step| self.note(name, |view| take(view, step));
        let done = self.library.pull(&order, &tell, &cancel).await;
        if let Err(error) = &done {
            tracing::warn!(model = name, %error, "a model was not fetched");
        }
        self.note(name, |view| match done {
            Ok(_) => (view.state, view.checking, view.message) = (DownloadState::Done, false, None),
            Err(Error::Cancelled) => (view.state, view.checking, view.message) = (DownloadState::Paused, false, None),
            Err(error) => {
                (view.state, view.checking) = (DownloadState::Failed, false);
                (view.message, view.code) = (Some(error.to_string()), Some(error.code()));
            }
        });
    }

    fn note(&self, name: &str, change: impl FnOnce(&mut Download)) {
        if let Some(one) = self.lock().get_mut(name) {
            change(&mut one.view);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, One>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn view(library: &Library, order: &Order, state: DownloadState) -> Download {
    let files =
        library.shelf.arrived(&order.name).into_iter().filter(|path| path.extension().is_some_and(|it| it == "gguf"));
    let have: u64 = files.filter_map(|file| Some(fs::metadata(file).ok()?.len())).sum();
    let total = order.offer.as_ref().map_or(0, |offer| offer.bytes).max(have);
    let url = order.url.to_string().split('?').next().unwrap_or_default().to_owned();
    Download { name: order.name.clone(), url, state, checking: false, have, total, message: None, code: None }
}

fn take(view: &mut Download, step: Step) {
    match step {
        Step::Asking => {}
        Step::Fetching { have, total } => {
            (view.have, view.total, view.message, view.checking) = (have, total, None, false);
        }
        Step::Waiting { reason } => view.message = Some(reason),
        Step::Checking { total, .. } => (view.have, view.total, view.checking) = (total, total, true),
    }
}

impl Library {
    /// What can be said against an order before anybody is asked.
    fn admit(&self, order: &Order) -> Result<(), Error> {
        must_be_sound(order)?;
        self.must_be_new(&order.name)?;
        self.must_fit(order)?;
        let errand = self.egress.errand();
        errand.allow(Origin::of(&order.url)?);
        Ok(errand.check(&order.url)?)
    }

    fn write_order(&self, order: &Order) -> Result<(), Error> {
        self.shelf.make()?;
        let wanted = order.offer.as_ref().map(|offer: &Offer| format!("{}:{}", offer.name, offer.quant));
        let from = wanted.is_some().then(|| order.source.to_string());
        let (sha256, anyway) = (order.sha256.clone(), order.anyway);
        let written = Written { url: order.url.to_string(), wanted, from, sha256, anyway };
        let path = self.shelf.partial().join(format!("{}.order", order.name));
        let text = serde_json::to_vec(&written).map_err(|error| Error::io(&path)(error.into()))?;
        shelf::write_whole(&path, &text).map_err(Error::io(&path))
    }

    /// What was ordered and is not here yet, by name.
    fn unfinished(&self) -> Vec<Order> {
        let Ok(entries) = fs::read_dir(self.shelf.partial()) else { return Vec::new() };
        let orders = entries.flatten().filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            let name = file.strip_suffix(".order")?;
            shelf::check_name(name).ok()?;
            let written: Written = serde_json::from_slice(&fs::read(entry.path()).ok()?).ok()?;
            let from = written.from.and_then(|from| from.parse::<Source>().ok()).unwrap_or_default();
            let wanted = written.wanted.unwrap_or(written.url);
            let order = self.order(&wanted, &from, None).ok()?;
            let sha256 = written.sha256.or_else(|| order.sha256.clone());
            Some(Order { name: name.to_owned(), sha256, anyway: written.anyway, ..order })
        });
        let mut orders: Vec<Order> = orders.collect();
        orders.sort_by(|one, other| one.name.cmp(&other.name));
        orders
    }
}
