//! By weight alone, spread evenly in time: the n-th request falls at the n-th multiple of the golden ratio on a circle that the
//! deployments share by weight, so that any run of requests is split almost exactly (H. Weyl's sequence; its discrepancy is the
//! least there is). No state but a count.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Asked, Balancer, Candidate};

/// 2^64 divided by the golden ratio.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Default)]
pub(super) struct Weighted {
    at: AtomicU64,
}

impl Balancer for Weighted {
    fn choose(&self, among: &[Candidate<'_>], _: &Asked<'_>) -> usize {
        let total: u64 = among.iter().map(|candidate| u64::from(candidate.weight)).sum();
        let at = self.at.fetch_add(STEP, Ordering::Relaxed);
        let mut left = ((u128::from(at) * u128::from(total)) >> 64) as u64;
        for (index, candidate) in among.iter().enumerate() {
            match left.checked_sub(u64::from(candidate.weight)) {
                Some(rest) => left = rest,
                None => return index,
            }
        }
        among.len() - 1
    }
}
