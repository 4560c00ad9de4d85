//! The deployment with the fewest requests under way for its weight; equals take turns. With all loads known in one place the
//! least is found by looking at each; portals that do not know of each other's requests still spread, since their turns differ
//! (for what choosing the least of two does where looking at all is dear: M. Mitzenmacher, "The Power of Two Choices in
//! Randomized Load Balancing", IEEE TPDS 2001).

use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Asked, Balancer, Candidate};

#[derive(Default)]
pub(super) struct LeastBusy {
    turn: AtomicUsize,
}

impl Balancer for LeastBusy {
    fn choose(&self, among: &[Candidate<'_>], _: &Asked<'_>) -> usize {
        let first = self.turn.fetch_add(1, Ordering::Relaxed) % among.len();
        let after = |at: usize| (first + at) % among.len();
        let mut best = after(0);
        for at in (1..among.len()).map(after) {
            if busier(&among[best], &among[at]) {
                best = at;
            }
        }
        best
    }
}

/// Whether one more would be more for `one` than for `other`, each by its weight.
fn busier(one: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    let part = |of: &Candidate<'_>, weight: u32| (of.load as u128 + 1) * u128::from(weight);
    part(one, other.weight) > part(other, one.weight)
}
