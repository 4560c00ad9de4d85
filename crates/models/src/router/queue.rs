//! Who comes next where a model has no room.
//!
//! Start-time fair queueing: a request that comes gets a start tag, the later of its room's virtual time and the end of its
//! person's previous request, and the end lies as many tokens after it as the request is likely to cost. The lowest start tag
//! goes first. So a person with eighteen questions and one with three take turns, whoever came first, and two who ask
//! differently long questions get the same number of tokens. (P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queueing", ACM
//! SIGCOMM 1996; the bound there is one largest request per person.) What somebody waits for comes before batch work; batch
//! work that has waited long enough counts as such. A full queue turns away the newest request of whoever has most in it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::{Caller, ModelError, PersonId, Priority, TenantId};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::room::{Hold, Room};
use crate::Waiting;

#[cfg(test)]
mod tests;

/// Everybody who waits in this house, for whichever model.
pub(crate) struct Queue {
    options: Waiting,
    line: Mutex<Line>,
    /// How many portals ask the same back ends.
    portals: AtomicUsize,
}

#[derive(Default)]
struct Line {
    waiters: Vec<Waiter>,
    /// Where the latest request of each party ends in virtual time.
    ends: HashMap<Party, u64>,
    numbers: u64,
}

/// Whose turn it is: a person, separately for each model and for batch work.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Party {
    tenant: TenantId,
    person: PersonId,
    priority: Priority,
    model: String,
}

struct Waiter {
    number: u64,
    party: Party,
    since: Instant,
    start: u64,
    cost: u64,
    rooms: Vec<Arc<Room>>,
    within: Option<Arc<Room>>,
    outcome: oneshot::Sender<Result<Pass, ModelError>>,
    standing: watch::Sender<Standing>,
}

/// What somebody who waits is told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// 1 is next.
    pub(crate) position: u32,
    /// Expected wait, where a place was given back before.
    pub(crate) eta: Option<Duration>,
}

/// A place, in the room of a deployment and within that of the alias.
pub(crate) struct Pass {
    pub(super) deployment: Hold,
    pub(super) _within: Option<Hold>,
}

/// What somebody wants who has to wait.
pub(crate) struct Want<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) priority: Priority,
    /// The model as it was asked for: its queue is bounded.
    pub(crate) model: &'a str,
    /// About how many tokens the request will cost.
    pub(crate) cost: u64,
    /// A place in any of these will do, the first is the dearest.
    pub(crate) rooms: Vec<Arc<Room>>,
    /// And one in here.
    pub(crate) within: Option<Arc<Room>>,
}

/// A place in the queue; dropping it leaves the queue.
pub(crate) struct Ticket {
    queue: Arc<Queue>,
    number: u64,
    outcome: oneshot::Receiver<Result<Pass, ModelError>>,
    standing: watch::Receiver<Standing>,
}

/// What became of somebody who waits.
pub(crate) enum Moved {
    /// It is their turn, or they were turned away.
    Out(Result<Pass, ModelError>),
    /// They stand elsewhere now.
    Along(Standing),
}

impl Queue {
    pub(crate) fn new(options: Waiting) -> Arc<Queue> {
        Arc::new(Queue { options, line: Mutex::default(), portals: AtomicUsize::new(1) })
    }

    pub(crate) fn portals(&self) -> usize {
        self.portals.load(Ordering::Relaxed)
    }

    /// So many portals share the back ends from now on.
    pub(crate) fn set_portals(&self, portals: usize) {
        if self.portals.swap(portals.max(1), Ordering::SeqCst) != portals.max(1) {
            self.serve();
        }
    }

    pub(crate) fn longest(&self) -> Duration {
        self.options.longest
    }

    /// Takes a place in the queue, or says that it is full.
    pub(crate) fn join(self: &Arc<Self>, want: Want<'_>) -> Result<Ticket, ModelError> {
        let mut line = self.line();
        line.make_room(&want, self.options.most)?;
        let (tell, outcome) = oneshot::channel();
        let (stand, standing) = watch::channel(Standing::default());
        let number = line.enter(want, tell, stand);
        line.serve(self.options.batch_ages_after);
        Ok(Ticket { queue: self.clone(), number, outcome, standing })
    }

    /// Gives every free place that somebody waits for to whoever comes next.
    pub(crate) fn serve(&self) {
        self.line().serve(self.options.batch_ages_after);
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// Waits until something changes. Cancel safe.
    pub(crate) async fn moved(&mut self) -> Moved {
        tokio::select! {
            biased;
            outcome = &mut self.outcome => {
                // The queue itself never forgets anybody.
                let gone = ModelError::Busy { model: String::new(), waiting: 0, retry_after: None };
                Moved::Out(outcome.unwrap_or(Err(gone)))
            }
            Ok(()) = self.standing.changed() => Moved::Along(*self.standing.borrow_and_update()),
        }
    }

    /// Other rooms will do now: some deployment became ready, or is no longer. The place in the queue is kept.
    pub(crate) fn look_at(&self, rooms: Vec<Arc<Room>>) {
        let mut line = self.queue.line();
        if let Some(waiter) = line.waiters.iter_mut().find(|waiter| waiter.number == self.number) {
            rooms.iter().for_each(|room| room.want());
            waiter.rooms.iter().for_each(|room| room.unwant());
            waiter.rooms = rooms;
            line.serve(self.queue.options.batch_ages_after);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut line = self.queue.line();
        if let Some(at) = line.waiters.iter().position(|waiter| waiter.number == self.number) {
            line.leave(at);
            line.tell();
        }
    }
}

impl Line {
    /// Lets somebody in where the queue of their model is full: by turning away the newest request of whoever has most in it, or
    /// not at all, where that is themselves.
    fn make_room(&mut self, want: &Want<'_>, most: u32) -> Result<(), ModelError> {
        let of_model = |waiter: &&Waiter| waiter.party.model == want.model;
        let waiting = self.waiters.iter().filter(of_model).count();
        if waiting < usize::try_from(most).unwrap_or(usize::MAX) {
            return Ok(());
        }
        let busy = ModelError::Busy {
            model: want.model.to_owned(),
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
            retry_after: eta(waiting, &want.rooms, want.within.as_ref()),
        };
        let has = |party: &Party| self.waiters.iter().filter(|waiter| waiter.party == *party).count();
        let mut counts: Vec<(usize, u64, usize)> = Vec::new();
        for (at, waiter) in self.waiters.iter().enumerate().filter(|(_, waiter)| of_model(waiter)) {
            counts.push((has(&waiter.party), waiter.number, at));
        }
        let heaviest = counts.into_iter().max_by_key(|(count, number, _)| (*count, *number));
        match heaviest {
            Some((count, _, at)) if count > has(&party(want)) + 1 => {
                let waiter = self.leave(at);
                // Taken back: it will not cost anything.
                self.ends.entry(waiter.party).and_modify(|end| *end = end.saturating_sub(waiter.cost));
                let _ = waiter.outcome.send(Err(busy));
                Ok(())
            }
            _ => Err(busy),
        }
    }

    fn enter(
        &mut self,
        want: Want<'_>,
        outcome: oneshot::Sender<Result<Pass, ModelError>>,
        standing: watch::Sender<Standing>,
    ) -> u64 {
        self.numbers += 1;
        let party = party(&want);
        let now = want.rooms.iter().map(|room| room.served.load(Ordering::Relaxed)).max().unwrap_or(0);
        let start = self.ends.get(&party).copied().unwrap_or(0).max(now);
        self.ends.insert(party.clone(), start + want.cost);
        let Want { rooms, within, cost, .. } = want;
        rooms.iter().chain(&within).for_each(|room| room.want());
        let since = Instant::now();
        self.waiters.push(Waiter { number: self.numbers, party, since, start, cost, rooms, within, outcome, standing });
        self.numbers
    }

    fn leave(&mut self, at: usize) -> Waiter {
        let waiter = self.waiters.remove(at);
        waiter.rooms.iter().chain(&waiter.within).for_each(|room| room.unwant());
        waiter
    }

    fn serve(&mut self, batch_ages_after: Duration) {
        let now = Instant::now();
        self.waiters.sort_by_key(|waiter| waiter.turn(now, batch_ages_after));
        let mut at = 0;
        while let Some(waiter) = self.waiters.get(at) {
            let Some(pass) = waiter.enter() else {
                at += 1;
                continue;
            };
            let waiter = self.leave(at);
            pass.deployment.room().served.fetch_max(waiter.start, Ordering::Relaxed);
            if let Err(Ok(pass)) = waiter.outcome.send(Ok(pass)) {
                // They left in this very moment: their place is free again, perhaps for somebody who was passed over.
                pass.give_back();
                at = 0;
            }
        }
        self.forget();
        self.tell();
    }

    /// Whoever has nothing here is remembered only while that would make a difference.
    fn forget(&mut self) {
        if self.waiters.is_empty() && self.ends.len() > 1_024 {
            self.ends.clear();
        }
    }

    /// Tells everybody where they stand: how many of those before them want one of the same rooms.
    fn tell(&self) {
        for room in self.waiters.iter().flat_map(|waiter| waiter.rooms.iter().chain(&waiter.within)) {
            room.ahead.store(0, Ordering::Relaxed);
        }
        for waiter in &self.waiters {
            let rooms = || waiter.rooms.iter().chain(&waiter.within);
            let position = 1 + rooms().map(|room| room.ahead.load(Ordering::Relaxed)).max().unwrap_or(0);
            rooms().for_each(|room| room.ahead.store(position, Ordering::Relaxed));
            waiter.standing.send_if_modified(|known| {
                let moved = known.position != position;
                if moved {
                    let eta = eta(usize::try_from(position).unwrap_or(1), &waiter.rooms, waiter.within.as_ref());
                    *known = Standing { position, eta };
                }
                moved
            });
        }
    }
}

impl Waiter {
    /// The lowest goes first.
    fn turn(&self, now: Instant, batch_ages_after: Duration) -> (Priority, u64, u64) {
        let aged = now.duration_since(self.since) >= batch_ages_after;
        let priority = if aged { Priority::Interactive } else { self.party.priority };
        (priority, self.start, self.number)
    }

    fn enter(&self) -> Option<Pass> {
        let within = match &self.within {
            Some(room) => Some(room.take()?),
            None => None,
        };
        match self.rooms.iter().find_map(|room| room.take()) {
            Some(deployment) => Some(Pass { deployment, _within: within }),
            None => {
                within.into_iter().for_each(Hold::give_back);
                None
            }
        }
    }
}

impl Pass {
    fn give_back(self) {
        self.deployment.give_back();
        self._within.into_iter().for_each(Hold::give_back);
    }
}

fn party(want: &Want<'_>) -> Party {
    let Caller { tenant, person, .. } = *want.caller;
    Party { tenant, person, priority: want.priority, model: want.model.to_owned() }
}

/// When the `position`th of those who wait has a place: by the mean time for which places are held.
fn eta(position: usize, rooms: &[Arc<Room>], within: Option<&Arc<Room>>) -> Option<Duration> {
    let held: Vec<Duration> = rooms.iter().filter_map(|room| room.mean_held()).collect();
    let mean = held.iter().sum::<Duration>() / u32::try_from(held.len()).ok().filter(|count| *count > 0)?;
    let places: usize = rooms.iter().filter_map(|room| room.limit()).sum();
    let places = within.and_then(|room| room.limit()).map_or(places, |most| most.min(places.max(1))).max(1);
    Some(mean * u32::try_from(position).unwrap_or(u32::MAX) / u32::try_from(places).unwrap_or(u32::MAX))
}
