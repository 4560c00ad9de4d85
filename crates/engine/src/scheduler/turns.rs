//! Whose turn it is: a virtual clock per person and priority that runs by the tokens computed for them, so that who has had least goes first
//! (the virtual token counter of Sheng et al., "Fairness in Serving Large Language Models", arXiv 2401.00588). It knows no sequence.

use std::{collections::HashMap, sync::Arc};

/// What a token of an answer counts against one of a prompt: it costs more, as in the paper.
const ANSWER: u64 = 2;
/// How much faster the clock of a batch runs: of what both want, interactive requests get eight tokens for one.
const BATCH: u64 = 8;

/// How urgent a request is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Somebody waits for it.
    #[default]
    Interactive,
    /// Nobody waits for it; it gives way, but is never left without any turn.
    Batch,
}

/// Requests that share one clock.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Flow {
    pub(crate) person: Arc<str>,
    pub(crate) priority: Priority,
}

#[derive(Debug, Default)]
struct Clock {
    time: u64,
    requests: u32,
}

/// All clocks.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    clocks: HashMap<Flow, Clock>,
    /// No clock of somebody who has requests is behind this: who was away has saved nothing up.
    floor: u64,
}

impl Turns {
    /// A request of `flow` has come.
    pub(crate) fn enter(&mut self, flow: &Flow) {
        self.floor = self.clocks.values().map(|clock| clock.time).min().unwrap_or(self.floor).max(self.floor);
        let floor = self.floor;
        let clock = self.clocks.entry(flow.clone()).or_insert(Clock { time: floor, requests: 0 });
        clock.requests += 1;
    }

    /// A request of `flow` is over.
    pub(crate) fn leave(&mut self, flow: &Flow) {
        let Some(clock) = self.clocks.get_mut(flow) else { return };
        clock.requests = clock.requests.saturating_sub(1);
        if clock.requests == 0 {
            // Forgotten at once: who comes back at once has at least what the others had had when it came.
            let time = clock.time;
            self.clocks.remove(flow);
            if self.clocks.is_empty() {
                self.floor = self.floor.max(time);
            }
        }
    }

    /// Tokens were computed for `flow`.
    pub(crate) fn charge(&mut self, flow: &Flow, prompt: u32, answer: u32) {
        let Some(clock) = self.clocks.get_mut(flow) else { return };
        let tokens = u64::from(prompt).saturating_add(u64::from(answer) * ANSWER);
        let speed = if flow.priority == Priority::Batch { BATCH } else { 1 };
        clock.time = clock.time.saturating_add(tokens * speed);
    }

    /// What to sort by: the smallest goes first.
    pub(crate) fn order(&self, flow: &Flow) -> (u64, Priority) {
        (self.clocks.get(flow).map_or(self.floor, |clock| clock.time), flow.priority)
    }
}

#[cfg(test)]
mod tests {
    use super::{Flow, Priority, Turns};

    fn flow(person: &str, priority: Priority) -> Flow {
        Flow { person: person.into(), priority }
    }

    /// Gives 900 tokens, one at a time, to whose turn it is.
    fn shares(turns: &mut Turns, flows: &[Flow]) -> Vec<u32> {
        let mut had = vec![0; flows.len()];
        for _ in 0..900 {
            let next = (0..flows.len()).min_by_key(|&index| turns.order(&flows[index])).expect("flows");
            turns.charge(&flows[next], 1, 0);
            had[next] += 1;
        }
        had
    }

    #[test]
    fn people_get_the_same_however_many_requests_they_have() {
        let (ann, ben) = (flow("ann", Priority::Interactive), flow("ben", Priority::Interactive));
        let mut turns = Turns::default();
        for _ in 0..10 {
            turns.enter(&ann);
        }
        turns.enter(&ben);
        assert_eq!(shares(&mut turns, &[ann, ben]), [450, 450]);
    }

    #[test]
    fn a_batch_gets_a_ninth_beside_a_person_who_waits() {
        let (ann, batch) = (flow("ann", Priority::Interactive), flow("ann", Priority::Batch));
        let mut turns = Turns::default();
        turns.enter(&batch);
        turns.enter(&ann);
        assert_eq!(turns.order(&ann).min(turns.order(&batch)), turns.order(&ann), "who waits goes first");
        assert_eq!(shares(&mut turns, &[ann, batch]), [800, 100]);
    }

    #[test]
    fn who_was_away_has_saved_nothing_up_and_who_comes_back_has_lost_nothing() {
        let (ann, ben) = (flow("ann", Priority::Interactive), flow("ben", Priority::Interactive));
        let mut turns = Turns::default();
        turns.enter(&ann);
        turns.charge(&ann, 10_000, 0);
        turns.enter(&ben);
        assert_eq!(shares(&mut turns, &[ann.clone(), ben.clone()]), [450, 450]);
        turns.leave(&ben);
        turns.charge(&ann, 5_000, 0);
        turns.enter(&ben);
        assert_eq!(shares(&mut turns, &[ann, ben]), [450, 450]);
    }
}
