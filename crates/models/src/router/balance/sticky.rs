//! One deployment for a conversation, as long as that one is ready; a request waits for it rather than going elsewhere. Which
//! one it is follows from the conversation's id alone, by weighted rendezvous hashing, so nothing is remembered.

use super::{Asked, Balancer, Candidate, suits};

pub(super) struct Sticky;

impl Balancer for Sticky {
    fn choose(&self, among: &[Candidate<'_>], asked: &Asked<'_>) -> usize {
        let key = asked.affinity();
        let late = |candidate: &Candidate<'_>| {
            // The first of several exponential clocks whose rates are the weights.
            let uniform = (suits(key, candidate.id) >> 11) as f64 / (1_u64 << 53) as f64;
            -(uniform.max(f64::MIN_POSITIVE)).ln() / f64::from(candidate.weight)
        };
        let times: Vec<f64> = among.iter().map(late).collect();
        (0..among.len()).min_by(|one, other| times[*one].total_cmp(&times[*other])).unwrap_or(0)
    }

    fn waits(&self) -> bool {
        true
    }
}
