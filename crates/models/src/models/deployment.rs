//! One model at one back end: what is known of it, and whether it may be asked.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use domain::{ModelError, ModelProvider, ModelState, Offered};
use tokio::sync::{Notify, watch};

use super::ModelView;
use crate::Timeouts;
use crate::family;
use crate::router::{Breaker, Latency, Queue, Room};

/// How long a back end is asked last that is over its limit and does not say for how long.
const REST: Duration = Duration::from_secs(1);

pub(crate) struct Deployment {
    pub(crate) named: Named,
    pub(crate) backend: Arc<dyn ModelProvider>,
    pub(crate) timeouts: Timeouts,
    pub(crate) room: Arc<Room>,
    pub(crate) breaker: Breaker,
    pub(crate) latency: Latency,
    /// What its back end tells of it, once it has.
    offered: RwLock<Option<Offered>>,
    /// What its maker publishes of it, by its name.
    published: OnceLock<Option<&'static family::Model>>,
    /// Whether its latest request was answered: worth more than any list it is missing from.
    answered: AtomicBool,
    /// The least time that a question to its machine and the answer took, in milliseconds; `u32::MAX` where nobody has measured it.
    rtt: AtomicU32,
    /// Finishes what it has and gets nothing new.
    draining: AtomicBool,
    state: watch::Sender<ModelState>,
    /// `state` in one byte, for whoever looks at it with every request.
    phase: AtomicU8,
    changed: Arc<watch::Sender<u64>>,
    /// Somebody waits for it although it is not in memory.
    pub(crate) wanted: Notify,
    /// The model that an adapter changes: it comes and goes with that one.
    base: Option<Arc<Deployment>>,
}

/// What does not change as long as there is a deployment.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    /// `provider/name`
    pub(crate) id: String,
    /// What the back end knows it by.
    pub(crate) name: String,
    pub(crate) display_name: String,
    pub(crate) provider: String,
    pub(crate) provider_name: String,
    /// Whether a worker of the house runs it, which tells how it is.
    pub(crate) local: bool,
    pub(crate) enabled: bool,
    /// Whether it may be asked for a stream.
    pub(crate) streaming: bool,
    /// Whether people are let in only once it has answered a request of ours.
    pub(crate) warms_up: bool,
}

/// How willingly a deployment is asked; the least is asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// It answers, as far as is known.
    Ready,
    /// Nobody has asked it yet.
    Untried,
    /// It failed, but what is known may be old: where no other is left, it is asked all the same, so that one stays half open.
    Last,
    /// It is over its limit and said until when: asked after those, but where it is alone, it may judge each request itself.
    Cooling,
    /// It loads or warms up: nobody asks it, and waiting for it helps.
    Coming,
    /// Not to be asked.
    Out,
}

impl Standing {
    /// Whether a request may go there at all.
    pub(crate) fn asks(self) -> bool {
        self <= Standing::Cooling
    }
}

impl std::ops::Deref for Deployment {
    type Target = Named;
    fn deref(&self) -> &Named {
        &self.named
    }
}

impl Deployment {
    /// `most`: how many requests it gets at the same time.
    pub(crate) fn new(
        named: Named,
        backend: Arc<dyn ModelProvider>,
        timeouts: Timeouts,
        most: Option<u32>,
        queue: &Arc<Queue>,
        changed: Arc<watch::Sender<u64>>,
    ) -> Deployment {
        let room = if named.local { Room::own(most, queue) } else { Room::new(most, queue) };
        Deployment {
            named,
            backend,
            timeouts,
            room,
            breaker: Breaker::default(),
            latency: Latency::default(),
            offered: RwLock::default(),
            published: OnceLock::new(),
            answered: AtomicBool::new(false),
            rtt: AtomicU32::new(u32::MAX),
            draining: AtomicBool::new(false),
            state: watch::Sender::new(ModelState::Cold),
            phase: AtomicU8::new(phase(&ModelState::Cold)),
            changed,
            wanted: Notify::new(),
            base: None,
        }
    }

    /// An adapter of a worker's model: asked in the same places, loaded when that is, and then in a state of its own.
    pub(crate) fn adapter_of(base: &Arc<Deployment>, named: Named, backend: Arc<dyn ModelProvider>) -> Deployment {
        let state = ModelState::Loading { percent: None, eta_ms: None };
        Deployment {
            named,
            backend,
            timeouts: base.timeouts,
            room: base.room.clone(),
            breaker: Breaker::default(),
            latency: Latency::default(),
            offered: RwLock::default(),
            published: OnceLock::new(),
            answered: AtomicBool::new(false),
            rtt: AtomicU32::new(u32::MAX),
            draining: AtomicBool::new(false),
            phase: AtomicU8::new(phase(&state)),
            state: watch::Sender::new(state),
            changed: base.changed.clone(),
            wanted: Notify::new(),
            base: Some(base.clone()),
        }
    }

    /// Has a model of the house loaded that is not in memory.
    pub(crate) fn want(&self) {
        if self.local && self.is_cold() {
            self.decisive().wanted.notify_one();
        }
    }

    pub(crate) fn is_cold(&self) -> bool {
        self.decisive().phase.load(Ordering::Relaxed) == COLD
    }

    pub(crate) fn state(&self) -> ModelState {
        self.decisive().state.borrow().clone()
    }

    /// Whose state counts: that of the model below until it is ready.
    fn decisive(&self) -> &Deployment {
        self.base.as_deref().filter(|base| base.phase.load(Ordering::Relaxed) != READY).unwrap_or(self)
    }

    pub(crate) fn set(&self, state: ModelState) {
        let new = self.state.send_if_modified(|known| {
            let new = *known != state;
            self.phase.store(phase(&state), Ordering::Relaxed);
            *known = state;
            new
        });
        if new {
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// Whether it may be asked now, without a lock.
    pub(crate) fn standing(&self) -> Standing {
        if self.draining.load(Ordering::Relaxed) {
            return Standing::Out;
        }
        // Of a worker of the house everything is known; what is known of another machine's may be old.
        let guarded = self.local || self.warms_up;
        let standing = match self.decisive().phase.load(Ordering::Relaxed) {
            READY => Standing::Ready,
            COLD | COMING if guarded => Standing::Coming,
            COLD => Standing::Untried,
            COMING => Standing::Last,
            _ if guarded => Standing::Out,
            _ => Standing::Last,
        };
        match standing {
            Standing::Coming | Standing::Out => standing,
            _ if self.breaker.cooling().is_some() => Standing::Cooling,
            _ if !self.breaker.passes() => Standing::Last,
            _ => standing,
        }
    }

    /// A question to its machine and the answer took at least so long.
    pub(crate) fn is_away(&self, time: Duration) {
        self.rtt.store(u32::try_from(time.as_millis()).unwrap_or(u32::MAX - 1), Ordering::Relaxed);
    }

    /// The least time that a question to its machine and the answer took, in milliseconds.
    pub(crate) fn rtt_ms(&self) -> Option<u32> {
        Some(self.rtt.load(Ordering::Relaxed)).filter(|ms| *ms != u32::MAX)
    }

    pub(crate) fn drain(&self, draining: bool) {
        self.draining.store(draining, Ordering::Relaxed);
        self.changed.send_modify(|count| *count += 1);
    }

    pub(crate) fn draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Its back end tells of it. That may change: an Ollama allots a context when it loads a model.
    pub(crate) fn learn(&self, offered: &Offered) {
        let news = {
            let mut known = self.offered.write().unwrap_or_else(PoisonError::into_inner);
            let news = known.as_ref().is_some_and(|known| known.context != offered.context);
            *known = Some(offered.clone());
            news
        };
        if news {
            self.changed.send_modify(|count| *count += 1);
        }
    }

    /// What it can do, in its back end's own words, where that tells.
    pub(crate) fn capabilities(&self) -> Option<Vec<String>> {
        self.offered.read().unwrap_or_else(PoisonError::into_inner).as_ref()?.capabilities.clone()
    }

    /// Whether a request that is about to be sent makes its back end load it first. It is loading from then on.
    pub(crate) fn wakes(&self) -> bool {
        if self.phase.load(Ordering::Relaxed) != COLD || self.local || self.warms_up {
            return false;
        }
        let tells = |known: &Offered| known.loaded == Some(false);
        let asleep = self.offered.read().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(tells);
        if asleep {
            self.set(ModelState::Loading { percent: None, eta_ms: None });
        }
        asleep
    }

    /// The request that was to wake it was not answered.
    pub(crate) fn sleeps_on(&self) {
        if self.phase.load(Ordering::Relaxed) == COMING {
            self.set(ModelState::Cold);
        }
    }

    /// An answer has begun.
    pub(crate) fn succeed(&self) {
        self.breaker.succeed();
        if self.local || (self.answered.load(Ordering::Relaxed) && self.phase.load(Ordering::Relaxed) == READY) {
            return;
        }
        self.answered.store(true, Ordering::Relaxed);
        self.set(ModelState::Ready);
    }

    /// What a failed request says about it. A client's own mistake says nothing.
    pub(crate) fn note(&self, error: &ModelError) {
        match error {
            ModelError::Unreachable { .. }
            | ModelError::TimedOut { .. }
            | ModelError::Cut { .. }
            | ModelError::Garbled { .. } => self.fails(),
            ModelError::Broken { retry_after, .. } => {
                self.fails();
                retry_after.iter().for_each(|told| self.breaker.rest(*told));
            }
            ModelError::OverLimit { retry_after: Some(told), .. } => self.breaker.cool(*told),
            ModelError::OverLimit { retry_after: None, .. } => self.breaker.rest(REST),
            _ => {}
        }
        // Of a worker the supervisor knows better.
        if self.local {
            return;
        }
        match error {
            ModelError::Loading { .. } => self.set(ModelState::Loading { percent: None, eta_ms: None }),
            ModelError::Unreachable { .. }
            | ModelError::Refused { .. }
            | ModelError::NoSuchModel { .. }
            | ModelError::Forbidden { .. } => self.refuse(error),
            _ => {}
        }
    }

    fn fails(&self) {
        if self.breaker.fail() {
            tracing::warn!(deployment = self.id, "failed several times in a row: others are asked first");
        }
    }

    /// Another portal found that it fails: others are asked first for so long, and its own breaker decides after that.
    pub(crate) fn heard_failing(&self, pause: Duration) {
        if !self.local {
            self.breaker.rest(pause);
        }
    }

    /// A request has shown that it cannot be used.
    fn refuse(&self, error: &ModelError) {
        self.answered.store(false, Ordering::Relaxed);
        self.fail(error);
    }

    /// Its back end does not list it, or has no list: that may be so although it answers.
    pub(crate) fn doubt(&self, error: &ModelError) {
        if !self.answered.load(Ordering::Relaxed) {
            self.fail(error);
        }
    }

    /// It cannot be used, for this reason.
    pub(crate) fn fail(&self, error: &ModelError) {
        self.set(ModelState::Failed { code: error.code().to_owned(), message: error.to_string() });
    }

    pub(crate) fn view(&self) -> ModelView {
        let offered = self.offered.read().unwrap_or_else(PoisonError::into_inner);
        let offered = offered.as_ref();
        let published = *self.published.get_or_init(|| family::find(&self.name));
        ModelView {
            id: self.id.clone(),
            name: self.display_name.clone(),
            provider: self.provider.clone(),
            provider_name: self.provider_name.clone(),
            local: self.local,
            // What the back end tells wins: it may have been started with less.
            context: offered.and_then(|offered| offered.context).or(published.map(|model| model.context)),
            modalities: modalities(offered, published),
            chat_template: offered.and_then(|offered| offered.chat_template),
            answers: answers(&self.name, offered.and_then(|offered| offered.capabilities.as_deref())),
            enabled: self.enabled,
            state: self.state(),
            created: offered.and_then(|offered| offered.created),
            alias: false,
            targets: Vec::new(),
        }
    }
}

const COLD: u8 = 0;
const COMING: u8 = 1;
const READY: u8 = 2;
const FAILED: u8 = 3;

fn phase(state: &ModelState) -> u8 {
    match state {
        ModelState::Cold => COLD,
        ModelState::Loading { .. } | ModelState::Warming => COMING,
        ModelState::Ready => READY,
        ModelState::Failed { .. } => FAILED,
    }
}

/// What a model takes, as far as its back end or its maker tells.
fn modalities(offered: Option<&Offered>, published: Option<&family::Model>) -> Vec<String> {
    match offered.and_then(|offered| offered.capabilities.as_ref()) {
        Some(can) if can.iter().any(|word| word == "vision") => vec!["text".to_owned(), "image".to_owned()],
        Some(_) => vec!["text".to_owned()],
        None => published.map(|model| model.input.clone()).unwrap_or_default(),
    }
}

/// Whether a model answers questions, as far as its back end (`capabilities`, in its own words) or its name tells: embedders,
/// rerankers, voices and painters are not for chat.
pub(super) fn answers(name: &str, capabilities: Option<&[String]>) -> bool {
    if let Some(can) = capabilities {
        return can.iter().any(|word| word == "completion");
    }
    let name = name.to_lowercase();
    let others = ["embed", "rerank", "whisper", "tts", "dall-e", "gpt-image", "moderation", "transcribe", "bge-"];
    !others.iter().any(|word| name.contains(word))
}
