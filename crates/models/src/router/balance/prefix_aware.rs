//! The deployment that has probably read this beginning before, so that its KV cache saves the prefill; unless it has more under
//! way than a quarter above the mean: then the next one in the beginning's own order, which soon knows it, too. A hash alone
//! spirals: the worker that is fast because of its cache gets ever more, until it is the slowest.
//!
//! Consistent hashing with bounded loads: V. Mirrokni, M. Thorup, M. Zadimoghaddam, SODA 2018 (arXiv:1608.01350).

use std::cmp::Reverse;

use super::{Asked, Balancer, Candidate, suits};

/// How far above the mean a load may be, in quarters: 5 is 1.25 times.
const BOUND: usize = 5;

pub(super) struct PrefixAware;

impl Balancer for PrefixAware {
    fn choose(&self, among: &[Candidate<'_>], asked: &Asked<'_>) -> usize {
        let total: usize = among.iter().map(|candidate| candidate.load).sum();
        let most = ((total + 1) * BOUND).div_ceil(among.len() * 4);
        let beginning = asked.beginning();
        let roomy = (0..among.len()).filter(|at| among[*at].load < most);
        // By the pigeonhole one of them is always below the bound.
        roomy.min_by_key(|at| Reverse(suits(beginning, among[*at].id))).unwrap_or(0)
    }
}
