//! From a model's name to its first token. Read [`Router::open`] as the table of contents: the model, then each of its
//! fallbacks; in each, a place at one of its deployments, the question, and another try where that can help. After the first
//! token nothing is tried again: what is returned from here is the answer, whatever becomes of it.
//!
//! What a deployment is and how it is, is not decided here (`models`), nor what is said to it (`providers`).

mod asked;
mod balance;
mod breaker;
mod latency;
mod model;
mod place;
mod queue;
mod room;
mod tries;
mod whole;

use std::sync::Arc;

use domain::{Caller, ModelError, ModelState, Prompt, Reply, TurnEvent};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout_at};

pub(crate) use asked::Asked;
pub(crate) use breaker::Breaker;
pub use breaker::BreakerState;
pub use latency::FirstToken;
pub(crate) use latency::Latency;
pub(crate) use model::Model;
pub(crate) use queue::Queue;
pub(crate) use room::Room;

use crate::Errand;
use crate::models::{Deployment, Snapshot, Standing};
use balance::Candidate;
use place::Place;
use queue::{Moved, Pass, Want};
pub(crate) use tries::Trail;
use tries::{Tries, another_may_answer};

pub(crate) type Notice<'a> = &'a mut (dyn FnMut(TurnEvent) + Send);

/// One request's way; it works with the snapshot it began with.
pub(crate) struct Router<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) queue: &'a Arc<Queue>,
    /// Counts changes of any deployment.
    pub(crate) changed: &'a watch::Sender<u64>,
    /// How often deployments that failed are asked again.
    pub(crate) retries: u32,
}

impl Router<'_> {
    pub(crate) async fn open(
        &self,
        caller: &Caller,
        errand: Errand,
        prompt: Prompt,
        trail: &mut Trail,
        notice: Notice<'_>,
    ) -> Result<Reply, ModelError> {
        let asked = Asked { caller, errand, prompt: &prompt };
        let Some(mut model) = self.snapshot.model(&prompt.model) else {
            return Err(ModelError::NoSuchModel { url: "this portal".to_owned(), model: prompt.model });
        };
        let mut chain = Chain::default();
        let mut first_error = None;
        loop {
            chain.enter(model);
            let before = trail.tried.len();
            let error = match self.ask(model, &asked, chain.next_is_ready(self.snapshot), trail, notice).await {
                Ok(reply) => return Ok(reply),
                Err(error) => error,
            };
            trail.leave(model, before, error.code());
            let next = if another_may_answer(&error) { chain.next(self.snapshot) } else { None };
            let (from, code) = (model.id.clone(), error.code());
            // Of several reasons the one of the model that was asked for is told.
            let error = first_error.get_or_insert(error);
            let Some(next) = next else { return Err(error.clone()) };
            let to = next.id.clone();
            metrics::counter!("portico_fallbacks_total", "from" => from.clone(), "to" => to.clone(), "code" => code)
                .increment(1);
            notice(TurnEvent::FellBack { from, to, code: code.into() });
            model = next;
        }
    }

    /// A place alone, at once given back: which deployment it was at.
    #[cfg(feature = "testing")]
    pub(crate) async fn choose(&self, model: &Model, asked: &Asked<'_>) -> Result<String, ModelError> {
        let mut trail = Trail::default();
        let mut tries = Tries::new(model, self.retries, &mut trail);
        let place = self.place(model, asked, &mut tries, false, &mut |_| {}).await?;
        Ok(place.deployment.id.clone())
    }

    /// Asks one model: at any of its deployments, and again where that can help.
    async fn ask(
        &self,
        model: &Model,
        asked: &Asked<'_>,
        another_is_ready: bool,
        trail: &mut Trail,
        notice: Notice<'_>,
    ) -> Result<Reply, ModelError> {
        let mut tries = Tries::new(model, self.retries, trail);
        loop {
            let place = self.place(model, asked, &mut tries, another_is_ready, notice).await?;
            let deployment = place.deployment.clone();
            let wakes = deployment.wakes();
            if wakes {
                notice(TurnEvent::Warming { state: deployment.state() });
            }
            let began = Instant::now();
            let error = match question(&place, asked, notice).await {
                Ok(reply) => {
                    deployment.succeed();
                    // A reply is there with its first event: of an answer in one piece that is its end, which is no first token.
                    if asked.prompt.stream && deployment.streaming {
                        deployment.latency.note(began.elapsed());
                    }
                    return Ok(place.hold(reply, tries.trail));
                }
                Err(error) => error,
            };
            if wakes {
                deployment.sleeps_on();
            }
            deployment.note(&error);
            drop(place);
            Box::pin(tries.after(model, &deployment, error, notice)).await?;
        }
    }

    /// A place at a deployment that may be asked: at once, or after waiting for one to become ready or to have room.
    async fn place(
        &self,
        model: &Model,
        asked: &Asked<'_>,
        tries: &mut Tries<'_>,
        another_is_ready: bool,
        notice: Notice<'_>,
    ) -> Result<Place, ModelError> {
        if let Some(place) = at_once(model, tries) {
            return Ok(place);
        }
        if let Selected::Place(place) = select(model, asked, tries) {
            return Ok(place);
        }
        // From here on: whatever changes after the look at the deployments is not missed.
        let mut changes = self.changed.subscribe();
        let mut told = None;
        loop {
            match select(model, asked, tries) {
                Selected::Place(place) => return Ok(place),
                Selected::Full(choices) => {
                    let began = Instant::now();
                    let waited = Box::pin(self.wait(model, asked, tries, choices, &mut changes, notice)).await;
                    // The clock of the first token stands still in the queue, which has its own.
                    let waiting = began.elapsed();
                    tries.until += waiting;
                    tries.trail.queued += waiting;
                    if let Some(place) = waited? {
                        return Ok(place);
                    }
                }
                Selected::Coming if another_is_ready => return Err(loading(model)),
                Selected::Coming => {
                    want(model, tries);
                    let state = model.state();
                    if told.as_ref() != Some(&state) {
                        told = Some(state.clone());
                        notice(TurnEvent::Warming { state });
                    }
                    if !matches!(timeout_at(tries.until, changes.changed()).await, Ok(Ok(()))) {
                        return Err(loading(model));
                    }
                }
                Selected::Nobody => return Err(nobody(model)),
            }
        }
    }

    /// Waits in the queue for a place at one of these. `None`: they are no longer the ones to wait for.
    async fn wait(
        &self,
        model: &Model,
        asked: &Asked<'_>,
        tries: &Tries<'_>,
        choices: Vec<usize>,
        changes: &mut watch::Receiver<u64>,
        notice: Notice<'_>,
    ) -> Result<Option<Place>, ModelError> {
        let until = Instant::now() + self.queue.longest();
        let mut ticket = self.queue.join(Want {
            caller: asked.caller,
            priority: asked.errand.priority,
            model: &model.id,
            cost: asked.cost(),
            rooms: model.rooms(&choices),
            within: model.room.clone(),
        })?;
        let mut choices = choices;
        loop {
            tokio::select! {
                biased;
                moved = ticket.moved() => match moved {
                    Moved::Out(pass) => return pass.map(|pass| model.place(pass)),
                    Moved::Along(standing) => {
                        let eta_ms = standing.eta.map(|eta| u64::try_from(eta.as_millis()).unwrap_or(u64::MAX));
                        notice(TurnEvent::Queued { position: standing.position, eta_ms });
                    }
                },
                Ok(()) = changes.changed() => {
                    let now = wanted(model, asked, tries);
                    if now.is_empty() {
                        return Ok(None);
                    }
                    if now != choices {
                        ticket.look_at(model.rooms(&now));
                        choices = now;
                    }
                }
                () = sleep_until(until) => {
                    let waiting = choices.iter().map(|at| model.choices[*at].deployment.room.waiting()).max();
                    let waiting = u32::try_from(waiting.unwrap_or(0)).unwrap_or(u32::MAX);
                    return Err(ModelError::Busy { model: model.id.clone(), waiting, retry_after: None });
                }
            }
        }
    }
}

/// The question, as the deployment is asked.
async fn question(place: &Place, asked: &Asked<'_>, notice: Notice<'_>) -> Result<Reply, ModelError> {
    let (deployment, prompt) = (&place.deployment, asked.prompt);
    let mut prompt = Prompt {
        model: deployment.name.clone(),
        task: prompt.task,
        messages: prompt.messages.clone(),
        tools: prompt.tools.clone(),
        rounds: prompt.rounds.clone(),
        sampling: prompt.sampling.clone(),
        stream: prompt.stream,
        body: prompt.body.clone(),
        on_behalf: None,
    };
    if deployment.local {
        return Box::pin(question_at_home(deployment, asked, prompt, notice)).await;
    }
    if prompt.stream && !deployment.streaming {
        prompt = whole::in_one_piece(prompt);
        return deployment.backend.open(prompt).await.map(whole::as_stream);
    }
    deployment.backend.open(prompt).await
}

/// The question to a worker of the house, which is told whose it is and tells where it stands in the worker's own queue.
async fn question_at_home(
    deployment: &Deployment,
    asked: &Asked<'_>,
    mut prompt: Prompt,
    notice: Notice<'_>,
) -> Result<Reply, ModelError> {
    let (queued, mut places) = mpsc::unbounded_channel();
    // Nobody is told any more where the request has been answered.
    let queued = move |position, eta_ms| drop(queued.send(TurnEvent::Queued { position, eta_ms }));
    prompt.on_behalf = Some(asked.on_behalf(Arc::new(queued)));
    let mut opening = deployment.backend.open(prompt);
    loop {
        tokio::select! {
            biased;
            reply = &mut opening => return reply,
            Some(place) = places.recv() => notice(place),
        }
    }
}

/// The only deployment of a model, where it may be asked and has room: most requests, without a lock or an allocation.
fn at_once(model: &Model, tries: &Tries<'_>) -> Option<Place> {
    let [only] = model.choices.as_slice() else { return None };
    let asks = model.room.is_none() && !tries.has_failed(0) && only.deployment.standing().asks();
    let deployment = if asks { only.deployment.room.try_enter()? } else { return None };
    Some(Place { deployment: only.deployment.clone(), _pass: Pass { deployment, _within: None } })
}

/// What can be done for a request now.
enum Selected {
    /// Ask here.
    Place(Place),
    /// Wait for room at one of these, the dearest first.
    Full(Vec<usize>),
    /// Wait for one to become ready.
    Coming,
    /// There is nobody to wait for.
    Nobody,
}

/// Looks for a place among the deployments that are readiest, as the model's balancer chooses.
fn select(model: &Model, asked: &Asked<'_>, tries: &Tries<'_>) -> Selected {
    let (standing, mut left) = readiest(model, tries);
    match standing {
        Standing::Coming => return Selected::Coming,
        Standing::Out => return Selected::Nobody,
        _ => {}
    }
    let within = match model.room.as_ref().map(|room| room.try_enter()) {
        Some(None) => return Selected::Full(by_choice(model, asked, left)),
        Some(within) => within,
        None => None,
    };
    let mut full = Vec::new();
    while !left.is_empty() {
        let at = choose(model, asked, &left);
        let choice = left.remove(at);
        let deployment = &model.choices[choice].deployment;
        match deployment.room.try_enter() {
            // Where another request is the trial of a breaker that is half open, this one looks further.
            Some(_) if standing < Standing::Last && !deployment.breaker.begin() => {}
            Some(hold) => {
                let pass = Pass { deployment: hold, _within: within };
                return Selected::Place(Place { deployment: deployment.clone(), _pass: pass });
            }
            None if model.balancer.waits() => return Selected::Full(vec![choice]),
            None => full.push(choice),
        }
    }
    match full.is_empty() {
        // Every one of them is being tried by somebody else: they count as failed until that is over.
        true => select(model, asked, tries),
        false => Selected::Full(full),
    }
}

/// Has one of the models loaded that are not in memory, where none is on its way.
fn want(model: &Model, tries: &Tries<'_>) {
    let (_, coming) = readiest(model, tries);
    let mut coming = coming.into_iter().map(|at| &model.choices[at].deployment);
    if coming.clone().all(|deployment| deployment.is_cold()) {
        let _ = coming.next().map(|deployment| deployment.want());
    }
}

/// Those whom a request that already waits would wait for now.
fn wanted(model: &Model, asked: &Asked<'_>, tries: &Tries<'_>) -> Vec<usize> {
    match readiest(model, tries) {
        (Standing::Coming | Standing::Out, _) => Vec::new(),
        (_, left) if model.balancer.waits() => vec![left[choose(model, asked, &left)]],
        (_, left) => by_choice(model, asked, left),
    }
}

/// The deployments that are asked before all others and did not fail just now; if they all did, who is still coming.
fn readiest(model: &Model, tries: &Tries<'_>) -> (Standing, Vec<usize>) {
    let mut best = (Standing::Out, Vec::new());
    for (at, choice) in model.choices.iter().enumerate().filter(|(at, _)| !tries.has_failed(*at)) {
        let standing = choice.deployment.standing();
        if standing < best.0 {
            best = (standing, vec![at]);
        } else if standing == best.0 {
            best.1.push(at);
        }
    }
    best
}

/// All of these, in the order in which the balancer chooses them.
fn by_choice(model: &Model, asked: &Asked<'_>, mut left: Vec<usize>) -> Vec<usize> {
    let mut order = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let at = choose(model, asked, &left);
        order.push(left.remove(at));
    }
    order
}

fn choose(model: &Model, asked: &Asked<'_>, left: &[usize]) -> usize {
    let candidate = |at: &usize| {
        let choice = &model.choices[*at];
        let deployment = &choice.deployment;
        Candidate { id: &deployment.id, load: deployment.room.taken(), weight: choice.weight.max(1) }
    };
    let among: Vec<Candidate<'_>> = left.iter().map(candidate).collect();
    model.balancer.choose(&among, asked)
}

fn loading(model: &Model) -> ModelError {
    ModelError::Loading { model: model.title().to_owned(), retry_after: None }
}

/// Why there is nobody to ask.
fn nobody(model: &Model) -> ModelError {
    let deployments = || model.choices.iter().map(|choice| &choice.deployment);
    let failed = deployments().find_map(|one| match one.state() {
        ModelState::Failed { message, .. } => Some(message),
        _ => None,
    });
    match failed {
        Some(message) => ModelError::Failed { model: model.title().to_owned(), message },
        None if model.choices.is_empty() => {
            ModelError::NoSuchModel { url: "this portal".to_owned(), model: model.id.clone() }
        }
        None => ModelError::Busy { model: model.id.clone(), waiting: 0, retry_after: None },
    }
}

/// The models that are asked one after the other, each once.
#[derive(Default)]
struct Chain {
    been: Vec<String>,
    /// The next one last.
    left: Vec<String>,
}

impl Chain {
    fn enter(&mut self, model: &Model) {
        if self.been.is_empty() && model.fallbacks().is_empty() {
            return;
        }
        self.been.push(model.id.clone());
        self.left.extend(model.fallbacks().iter().rev().cloned());
    }

    fn next<'s>(&mut self, snapshot: &'s Snapshot) -> Option<&'s Arc<Model>> {
        while let Some(name) = self.left.pop() {
            let found = snapshot.known(&name).filter(|model| !self.been.contains(&model.id));
            if found.is_some() {
                return found;
            }
        }
        None
    }

    fn next_is_ready(&self, snapshot: &Snapshot) -> bool {
        let left = self.left.iter().filter_map(|name| snapshot.known(name));
        left.filter(|model| !self.been.contains(&model.id)).any(|model| model.state() == ModelState::Ready)
    }
}
