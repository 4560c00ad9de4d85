//! Adapters: which are attached and how many requests want each, and which one a step is computed with. llama.cpp applies an adapter to a
//! whole batch, so sequences with different ones take turns.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::backend::{Adapter, Lora};

/// Steps of one turn: changing the adapter costs a little, and waiting for four short steps is not noticed.
const TURN: u32 = 4;
/// A turn that has lasted so long is over before that.
const LONG: Duration = Duration::from_millis(100);

/// An adapter could not be attached or given up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    /// The file is not one for this model. The sentence begins with what the file is.
    #[error("{0}")]
    Refused(String),
    /// Requests want it.
    #[error("{0} requests want it")]
    InUse(u32),
    /// There is none with this number, or it is being given up already.
    #[error("there is no adapter {0}")]
    Unknown(u32),
    /// The thread is gone: the worker is about to end.
    #[error("the engine is stopping")]
    Gone,
}

/// The way back to who attached an adapter.
pub(super) type Attached = oneshot::Sender<Result<(u32, Lora), NotChanged>>;

/// How many requests want each adapter that is attached. Shared by those who ask and the thread that computes.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(Arc<Mutex<BTreeMap<u32, Wants>>>);

#[derive(Debug, Default)]
struct Wants {
    requests: u32,
    /// It takes no new requests.
    leaves: bool,
}

/// A request's claim on its adapter, which stays attached as long.
#[derive(Debug)]
pub(super) struct Claim {
    wanted: Wanted,
    id: u32,
}

impl Wanted {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, Wants>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, id: u32) {
        self.lock().insert(id, Wants::default());
    }

    /// `None` where there is no such adapter, or not for much longer.
    pub(super) fn claim(&self, id: u32) -> Option<Claim> {
        let mut all = self.lock();
        let wants = all.get_mut(&id).filter(|wants| !wants.leaves)?;
        wants.requests += 1;
        Some(Claim { wanted: self.clone(), id })
    }

    /// No more requests are let to adapter `id`; those that want it end in peace where `wait` says so, and else are a reason to refuse.
    pub(super) fn close(&self, id: u32, wait: bool) -> Result<(), NotChanged> {
        let mut all = self.lock();
        let wants = all.get_mut(&id).filter(|wants| !wants.leaves).ok_or(NotChanged::Unknown(id))?;
        if wants.requests > 0 && !wait {
            return Err(NotChanged::InUse(wants.requests));
        }
        wants.leaves = true;
        Ok(())
    }

    pub(super) fn requests(&self, id: u32) -> u32 {
        self.lock().get(&id).map_or(0, |wants| wants.requests)
    }

    /// Forgets an adapter that is closed and that nobody wants any more; whether that was so.
    fn forget(&self, id: u32) -> bool {
        let mut all = self.lock();
        let over = all.get(&id).is_none_or(|wants| wants.leaves && wants.requests == 0);
        if over {
            all.remove(&id);
        }
        over
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(wants) = self.wanted.lock().get_mut(&self.id) {
            wants.requests -= 1;
        }
    }
}

/// Whose turn it is, and who leaves.
#[derive(Debug, Default)]
pub(super) struct Adapters {
    pub(super) wanted: Wanted,
    leaving: Vec<(u32, oneshot::Sender<()>)>,
    attached: u32,
    turns: Turns,
}

#[derive(Debug, Default)]
struct Turns {
    current: Option<Adapter>,
    steps_left: u32,
    steps: u64,
    /// Since which step those who are ready have been waiting.
    since: BTreeMap<Option<Adapter>, u64>,
    lasted: Duration,
}

impl Adapters {
    pub(super) fn new(wanted: Wanted) -> Self {
        Adapters { wanted, ..Adapters::default() }
    }

    /// A number that no adapter has had.
    pub(super) fn new_id(&mut self) -> u32 {
        self.attached += 1;
        self.attached - 1
    }

    /// Adapter `id`, which is closed, is to go as soon as nobody wants it.
    pub(super) fn leaves(&mut self, id: u32, gone: oneshot::Sender<()>) {
        self.leaving.push((id, gone));
    }

    /// Those that go now, each with whom to tell.
    pub(super) fn gone(&mut self) -> Vec<(u32, oneshot::Sender<()>)> {
        let wanted = &self.wanted;
        self.leaving.extract_if(.., |(id, _)| wanted.forget(*id)).collect()
    }

    /// The adapter of the next step, of those that somebody is `ready` for: the present one until its turn is over, then the one that has
    /// waited longest. `None` when nobody is ready.
    pub(super) fn next(&mut self, ready: impl Iterator<Item = Option<Adapter>>) -> Option<Option<Adapter>> {
        self.turns.next(ready)
    }

    /// The step took `time`.
    pub(super) fn took(&mut self, time: Duration) {
        self.turns.lasted += time;
    }
}

impl Turns {
    fn next(&mut self, ready: impl Iterator<Item = Option<Adapter>>) -> Option<Option<Adapter>> {
        self.steps += 1;
        let mut waiting: BTreeMap<_, _> = ready.map(|adapter| (adapter, self.steps)).collect();
        for (adapter, since) in &mut waiting {
            *since = self.since.get(adapter).copied().unwrap_or(*since);
        }
        self.since = waiting;
        if self.steps_left == 0 || self.lasted >= LONG || !self.since.contains_key(&self.current) {
            self.current = *self.since.iter().min_by_key(|(_, since)| **since)?.0;
            (self.steps_left, self.lasted) = (TURN, Duration::ZERO);
        }
        self.steps_left -= 1;
        self.since.insert(self.current, self.steps);
        Some(self.current)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Adapters, LONG, NotChanged, Wanted};
    use crate::backend::Adapter;

    #[test]
    fn adapters_take_turns_and_nobody_waits_for_one_that_nobody_wants() {
        let (none, first, second) = (None, Some(Adapter::new(0, 1.0)), Some(Adapter::new(1, 1.0)));
        let mut adapters = Adapters::default();
        let mut of = |ready: &[Option<Adapter>], steps: usize| -> Vec<_> {
            (0..steps).map(|_| adapters.next(ready.iter().copied())).collect()
        };
        assert_eq!(of(&[], 1), [None]);
        assert_eq!(of(&[second, second], 6), [Some(second); 6]);
        assert_eq!(
            of(&[first, second, none], 12)[2..],
            [vec![Some(none); 4], vec![Some(first); 4], vec![Some(second); 2]].concat()
        );
        assert_eq!(of(&[first, none], 2), [Some(none), Some(none)]);
    }

    #[test]
    fn a_turn_of_long_steps_is_short_and_who_comes_again_and_again_keeps_nobody_from_its_turn() {
        let heavy = Some(Adapter::new(0, 1.0));
        let mut adapters = Adapters::default();
        let mut had = Vec::new();
        for step in 0_u8..20 {
            // Every step somebody new with a scale of their own, who is gone after it.
            let new = Some(Adapter::new(1, f32::from(step) + 1.0));
            let next = adapters.next([None, heavy, new].into_iter()).expect("ready");
            adapters.took(if next == heavy { LONG } else { Duration::from_millis(1) });
            had.push(next);
        }
        let longest = |of: Option<Adapter>| had.split(|next| *next == of).map(<[_]>::len).max();
        assert!(had.windows(2).all(|two| two != [heavy, heavy]), "{had:?}");
        assert!(longest(None) <= Some(3) && longest(heavy) <= Some(6), "{had:?}");
    }

    #[test]
    fn an_adapter_goes_when_nobody_wants_it_any_more() {
        let wanted = Wanted::default();
        let mut adapters = Adapters::new(wanted.clone());
        let id = adapters.new_id();
        assert!(wanted.claim(id).is_none());
        wanted.add(id);
        let claim = wanted.claim(id).expect("attached");
        assert_eq!(wanted.close(id, false), Err(NotChanged::InUse(1)));
        assert_eq!(wanted.close(id, true), Ok(()));
        assert!(wanted.claim(id).is_none(), "no more are let in");
        assert_eq!(wanted.close(id, true), Err(NotChanged::Unknown(id)));
        let (gone, mut told) = tokio::sync::oneshot::channel();
        adapters.leaves(id, gone);
        assert!(adapters.gone().is_empty());
        drop(claim);
        for (_, gone) in adapters.gone() {
            gone.send(()).expect("heard");
        }
        assert_eq!(told.try_recv(), Ok(()));
        assert_ne!(adapters.new_id(), id);
    }
}
