//! A worker's life: listen, say so, load on a thread of its own, answer until it is told to end or its parent is gone.

use std::{path::PathBuf, sync::Arc, time::Duration};

use domain::{Clock, Ids, SystemClock};
use tokio::sync::oneshot;

use crate::{
    AdapterFile, Cache, Error, GpuLayers,
    backend::Backend,
    confidence::Calibration,
    gguf::projector_beside,
    http::{self, Door},
    listener::{self, Front, Listen, Listener},
    model::{Loaded, Model, Progress},
    parent,
    scheduler::{STEP_TARGET, objection},
};

/// How long the thread that computes may take to notice that it is over.
const GRACE: Duration = Duration::from_secs(1);

/// How long an orderly end may take once the parent is gone.
const PARENT_GRACE: Duration = Duration::from_secs(2);

/// What a worker is to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The GGUF file; the first of its parts when it is split.
    pub model: PathBuf,
    /// The name that clients use; the file's stem when absent.
    pub model_name: Option<String>,
    /// Where to listen.
    pub listen: Listen,
    /// What stands before a TCP address; without it only this machine is served, in plain HTTP.
    pub front: Option<Front>,
    /// The bearer key that requests must carry.
    pub key: Option<String>,
    /// Most tokens of one conversation; the model's own length, at most 8192, when absent.
    pub context: Option<u32>,
    /// Threads that compute; when absent the number of physical cores, or one for a very small model.
    pub threads: Option<u32>,
    /// How many of the model's layers go to a GPU.
    pub gpu_layers: GpuLayers,
    /// How long a step that reads a piece of a prompt may make those who are answering wait;
    /// [`STEP_TARGET`](crate::scheduler::STEP_TARGET) when absent.
    pub step_target: Option<Duration>,
    /// Guess ahead where an answer repeats what stands before. The text is the same without; off only to measure what it brings.
    pub guesses: bool,
    /// The GGUF file of a smaller model with the same vocabulary, which guesses ahead.
    pub draft: Option<PathBuf>,
    /// The GGUF file of the projector with which the model sees pictures; the one beside the model that is named as its own when absent.
    pub projector: Option<PathBuf>,
    /// LoRA adapters to begin with.
    pub adapters: Vec<AdapterFile>,
    /// What answers' confidence says for this model.
    pub calibration: Calibration,
    /// A folder of this model's own, where the beginnings of texts are kept over a restart; nothing is written when absent.
    pub prefixes: Option<PathBuf>,
    /// Whether an answer follows from its request alone, to the last bit, and not from who else asks: by default where that costs little, which
    /// is with very small models. It costs batches, so prompts are read no faster than answers are written, and a cache of a whole context for
    /// each sequence. Why: `docs/adr/0006-the-same-bytes.md`.
    pub deterministic: Option<bool>,
    /// In which numbers the model's cache is kept.
    pub cache: Cache,
    /// End when standard input closes, whose other end the parent holds. For a worker that a portal starts; one that is run alone may have
    /// `/dev/null` there, which is closed from the beginning.
    pub parent_watch: bool,
}

impl Options {
    fn name(&self) -> String {
        let stem = || self.model.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        self.model_name.clone().or_else(stem).unwrap_or_else(|| "model".into())
    }
}

/// Serves the model that `load` brings. `load` runs on its own thread, after the address has been announced.
///
/// # Errors
/// Why the worker ended by itself. The sentence has been written to standard output as `{"failed": …}`.
pub async fn serve_with<L>(options: Options, load: L) -> Result<(), Error>
where
    L: Fn(&Options, &Progress) -> Result<Loaded, Error> + Send + 'static,
{
    let served = live(options, load).await;
    if let Err(error) = &served {
        listener::say(&serde_json::json!({"failed": error.to_string()}));
    }
    served
}

async fn live<L>(options: Options, load: L) -> Result<(), Error>
where
    L: Fn(&Options, &Progress) -> Result<Loaded, Error> + Send + 'static,
{
    let listener = Listener::bind(&options.listen, options.front.clone(), options.key.is_some()).await?;
    let parent_gone = options.parent_watch.then(|| parent::gone(PARENT_GRACE));
    listener.announce()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let door = Arc::new(Door {
        model: Model::new(options.name()),
        key: options.key.clone(),
        calibration: Arc::new(options.calibration.clone()),
        ids: Ids::new(Arc::clone(&clock)),
        clock,
    });
    let mut working = work(Arc::clone(&door), options, load);
    let ended = tokio::select! {
        served = listener.serve(http::router(Arc::clone(&door))) => served,
        worked = &mut working => return worked.unwrap_or(Err(Error::Died)).and(Err(Error::Died)),
        () = told_to_end() => Ok(()),
        () = async { match parent_gone { Some(gone) => gone.await, None => std::future::pending().await } } => Ok(()),
    };
    door.model.stop();
    // An answer that is being computed is given up; C++ must not be computing while the process tears itself down.
    let _ = tokio::time::timeout(GRACE, working).await;
    ended
}

/// Loads and works on a thread of its own; what it comes to arrives through the receiver, an error when it panicked.
fn work<L>(door: Arc<Door>, options: Options, load: L) -> oneshot::Receiver<Result<(), Error>>
where
    L: Fn(&Options, &Progress) -> Result<Loaded, Error> + Send + 'static,
{
    let (done, working) = oneshot::channel();
    std::thread::spawn(move || {
        let projector = options.projector.clone().or_else(|| projector_beside(&options.model));
        let options = Options { projector, ..options };
        let step_target = options.step_target.unwrap_or(STEP_TARGET);
        let loaded = load(&options, &door.model.progress).and_then(|loaded| {
            let draft = load_draft(&options, &load, &loaded)?;
            door.model.is_loaded(loaded, draft, &options.adapters, step_target, options.prefixes.as_deref())
        });
        let _ = done.send(loaded.map(|work| work()));
    });
    working
}

/// The model that is to guess for `model`, where one is wanted.
fn load_draft<L>(options: &Options, load: &L, model: &Loaded) -> Result<Option<Box<dyn Backend>>, Error>
where
    L: Fn(&Options, &Progress) -> Result<Loaded, Error>,
{
    let Some(path) = &options.draft else { return Ok(None) };
    let refused = |reason: String| Err(Error::Draft { path: path.clone(), reason });
    let Loaded::Writer(model) = model else { return refused("has nothing to guess: the model writes no text".into()) };
    let options = Options {
        model: path.clone(),
        draft: None,
        projector: None,
        adapters: Vec::new(),
        prefixes: None,
        ..options.clone()
    };
    let Loaded::Writer(draft) = load(&options, &Progress::default())? else {
        return refused("cannot guess: it writes no text".into());
    };
    if !draft.facts().shares {
        return refused("has a running state, which cannot go back behind a wrong guess".into());
    }
    match objection(&*model.vocabulary(), &*draft.vocabulary()) {
        Some(reason) => refused(reason),
        None => Ok(Some(draft)),
    }
}

async fn told_to_end() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    }
    #[cfg(not(unix))]
    let _ = tokio::signal::ctrl_c().await;
}
