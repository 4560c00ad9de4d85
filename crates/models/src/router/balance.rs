//! The family of balancers: which of several deployments that are ready gets a request. One that is full, failed or loading is
//! no candidate; that is decided before.

use super::Asked;
use crate::Balance;

mod least_busy;
mod prefix_aware;
mod sticky;
mod weighted;

/// One deployment that may be chosen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) id: &'a str,
    /// How many requests it has under way.
    pub(super) load: usize,
    /// At least 1.
    pub(super) weight: u32,
}

/// Chooses one. It may count, but takes no lock.
pub(super) trait Balancer: Send + Sync {
    /// An index into `among`, which is never empty.
    fn choose(&self, among: &[Candidate<'_>], asked: &Asked<'_>) -> usize;

    /// Whether a request waits for the one that was chosen rather than going to another.
    fn waits(&self) -> bool {
        false
    }
}

pub(super) fn balancer(kind: Balance) -> Box<dyn Balancer> {
    match kind {
        Balance::LeastBusy => Box::new(least_busy::LeastBusy::default()),
        Balance::Weighted => Box::new(weighted::Weighted::default()),
        Balance::PrefixAware => Box::new(prefix_aware::PrefixAware),
        Balance::Sticky => Box::new(sticky::Sticky),
    }
}

/// How well a deployment suits a key: the same on every node and after every restart, and independent for any two deployments
/// (D. Thaler, C. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM ToN 1998: rendezvous hashing). One
/// that goes takes only its own keys along.
fn suits(key: u64, id: &str) -> u64 {
    mixed(key ^ hashed(id.as_bytes()))
}

/// FNV-1a, 64 bits: short names, no secret to keep.
pub(super) fn hashed(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The finaliser of SplitMix64: every bit of the input moves about half of the bits of the output.
fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use domain::testing::somebody;
    use domain::{Author, ConversationId, Message, Prompt, Sampling};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::Errand;

    /// Ten thousand requests, each under way while the next `width` are chosen; how many each deployment had at most.
    fn spread(kind: Balance, width: usize, weights: &[u32], question: impl Fn(usize) -> (u128, String)) -> Spread {
        let balancer = balancer(kind);
        let ids: Vec<String> = (0..weights.len()).map(|at| format!("p/{at}")).collect();
        let (mut load, mut most, mut total) = (vec![0; ids.len()], vec![0; ids.len()], vec![0; ids.len()]);
        let (mut under_way, mut moves) = (std::collections::VecDeque::new(), HashSet::new());
        for number in 0..10_000 {
            if under_way.len() == width {
                let ended: usize = under_way.pop_front().unwrap();
                load[ended] -= 1;
            }
            let (conversation, text) = question(number);
            let prompt = Prompt::chat(vec![Message::new(Author::User, text)], Sampling::default());
            let conversation = Some(ConversationId(Uuid::from_u128(conversation)));
            let (caller, errand) = (somebody(1), Errand { conversation, ..Errand::default() });
            let among: Vec<Candidate<'_>> = ids
                .iter()
                .zip(&load)
                .zip(weights)
                .map(|((id, load), weight)| Candidate { id, load: *load, weight: *weight })
                .collect();
            let chosen = balancer.choose(&among, &Asked { caller: &caller, errand, prompt: &prompt });
            load[chosen] += 1;
            most[chosen] = most[chosen].max(load[chosen]);
            total[chosen] += 1;
            moves.insert((conversation, chosen));
            under_way.push_back(chosen);
        }
        Spread { most, total, pairs: moves.len() }
    }

    struct Spread {
        most: Vec<usize>,
        total: Vec<usize>,
        /// How many pairs of conversation and deployment there were.
        pairs: usize,
    }

    #[test]
    fn prefix_aware_never_spirals_onto_one_worker() {
        // Everybody asks with the same long beginning: without a bound all of them go to one.
        for (width, deployments) in [(8, 4), (64, 4), (64, 8), (200, 3)] {
            let spread =
                spread(Balance::PrefixAware, width, &vec![1; deployments], |n| (n as u128, "same ".repeat(400)));
            let mean = width.div_ceil(deployments);
            let bound = (5 * width).div_ceil(4 * deployments);
            let most = *spread.most.iter().max().unwrap();
            println!("{width} under way on {deployments}: at most {most} on one, mean {mean}, bound {bound}");
            assert!(most <= bound, "{:?}", spread.most);
        }
    }

    #[test]
    fn prefix_aware_keeps_a_beginning_where_it_was_while_there_is_room() {
        let spread = spread(Balance::PrefixAware, 1, &[1; 4], |n| ((n % 40) as u128, format!("question {}", n % 40)));
        assert_eq!(spread.pairs, 40, "forty beginnings, one place for each");
        assert!(spread.total.iter().all(|total| *total > 0), "{:?}", spread.total);
    }

    #[test]
    fn sticky_stays_and_spreads_by_weight() {
        let spread = spread(Balance::Sticky, 64, &[1, 3], |n| ((n % 1_000) as u128, "x".into()));
        assert_eq!(spread.pairs, 1_000, "a conversation never moves");
        assert!((2_000..3_000).contains(&spread.total[0]), "a quarter: {:?}", spread.total);
    }

    #[test]
    fn weighted_gives_each_its_share_and_in_turns() {
        let spread = spread(Balance::Weighted, 8, &[1, 2, 5], |n| (n as u128, "x".into()));
        for (total, share) in spread.total.iter().zip([1_250_i64, 2_500, 6_250]) {
            assert!((i64::try_from(*total).unwrap() - share).abs() < 20, "{:?}", spread.total);
        }
        assert!(spread.most[2] <= 6, "of any eight in a row, five and at most one more: {:?}", spread.most);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// No deployment ever has more under way than its part of all, rounded up.
        #[test]
        fn least_busy_is_even(width in 1_usize..80, deployments in 1_usize..9) {
            let spread = spread(Balance::LeastBusy, width, &vec![1; deployments], |n| (n as u128, "x".into()));
            prop_assert!(spread.most.iter().all(|most| *most <= width.div_ceil(deployments)), "{:?}", spread.most);
            let (least, most) = (spread.total.iter().min().unwrap(), spread.total.iter().max().unwrap());
            prop_assert!(most - least <= width.max(2), "{:?}", spread.total);
        }

        /// The promise of the family: an index that is there, whatever the loads and weights are.
        #[test]
        fn every_member_chooses_one_of_them(loads in prop::collection::vec((0_usize..50, 1_u32..9), 1..9), text in ".{0,40}") {
            let ids: Vec<String> = (0..loads.len()).map(|at| format!("p/{at}")).collect();
            let among: Vec<Candidate<'_>> =
                ids.iter().zip(&loads).map(|(id, (load, weight))| Candidate { id, load: *load, weight: *weight }).collect();
            let prompt = Prompt::chat(vec![Message::new(Author::User, text)], Sampling::default());
            let caller = somebody(1);
            for kind in Balance::ALL {
                let chosen = balancer(kind).choose(&among, &Asked { caller: &caller, errand: Errand::default(), prompt: &prompt });
                prop_assert!(chosen < among.len(), "{kind:?}");
            }
        }
    }
}
