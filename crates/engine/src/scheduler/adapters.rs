//! Which adapter a step is computed with. llama.cpp applies adapters to a whole batch, so sequences with different ones take turns.

use std::collections::BTreeMap;

use crate::backend::Adapter;

/// Steps of one turn: changing the adapter costs a little, and waiting for four steps is not noticed.
const TURN: u32 = 4;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Adapters {
    current: Option<Adapter>,
    steps_left: u32,
    steps: u64,
    last: BTreeMap<Option<Adapter>, u64>,
}

impl Adapters {
    /// The adapter of the next step, of those that somebody is `ready` for: the present one until its turn is over, then the one that has
    /// waited longest. `None` when nobody is ready.
    pub(super) fn next(&mut self, ready: impl Iterator<Item = Option<Adapter>>) -> Option<Option<Adapter>> {
        let mut ready: Vec<_> = ready.collect();
        ready.sort_unstable();
        ready.dedup();
        self.steps += 1;
        if self.steps_left == 0 || !ready.contains(&self.current) {
            let waited = |adapter: &Option<Adapter>| self.last.get(adapter).copied().unwrap_or(0);
            self.current = ready.into_iter().min_by_key(waited)?;
            self.steps_left = TURN;
        }
        self.steps_left -= 1;
        self.last.insert(self.current, self.steps);
        Some(self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::Adapters;
    use crate::backend::Adapter;

    #[test]
    fn adapters_take_turns_and_nobody_waits_for_one_that_nobody_wants() {
        let (none, first, second) = (None, Some(Adapter(0)), Some(Adapter(1)));
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
}
