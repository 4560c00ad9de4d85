//! Passes over a row of logits, which has a number for each of perhaps 150,000 tokens, at every token of every answer: written so that the
//! compiler makes vectors of them, and the same to the last bit on every machine. What is done with the numbers is decided elsewhere.

use crate::backend::Token;

/// Numbers that are looked at side by side.
const LANES: usize = 16;
/// Numbers of which the highest is found before any is looked at by itself.
const BLOCK: usize = 256;

/// The highest of `logits`; NaN is none of them.
pub(super) fn highest(logits: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (whole, rest) = logits.as_chunks::<LANES>();
    for chunk in whole {
        for (lane, &logit) in lanes.iter_mut().zip(chunk) {
            *lane = higher(logit, *lane);
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, |most, logit| higher(logit, most))
}

/// Not `f32::max`, whose care about NaN on either side takes twice as long.
fn higher(logit: f32, most: f32) -> f32 {
    if logit > most { logit } else { most }
}

/// The likeliest token; the smaller id on a tie; NaN never wins.
pub fn argmax(logits: &[f32]) -> Token {
    let (mut best, mut most) = (0, f32::NEG_INFINITY);
    for (block, first) in logits.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        if highest(block) > most {
            for (token, &logit) in (first..).zip(block) {
                if logit > most {
                    (best, most) = (token, logit);
                }
            }
        }
    }
    best
}

/// Puts the `keep` likeliest tokens into `into`, the likeliest first, the smaller id first of equals.
pub(super) fn likeliest(logits: &[f32], keep: usize, into: &mut Vec<(Token, f32)>) {
    into.clear();
    if keep == 0 {
        return;
    }
    // Sorted out when twice as many have gathered, so that each token is moved a few times at most.
    let most = keep.saturating_mul(2).saturating_add(BLOCK);
    let order = |left: &(Token, f32), right: &(Token, f32)| right.1.total_cmp(&left.1).then(left.0.cmp(&right.0));
    // What is not above this is not among them: all that are equal to it and kept have smaller ids.
    let mut least = f32::NEG_INFINITY;
    let mut full = false;
    for (block, first) in logits.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        if full && highest(block) <= least {
            continue;
        }
        let tokens = (first..).zip(block.iter().copied());
        into.extend(tokens.filter(|(_, logit)| if full { *logit > least } else { !logit.is_nan() }));
        if into.len() >= most {
            let (_, last, _) = into.select_nth_unstable_by(keep - 1, order);
            (least, full) = (last.1, true);
            into.truncate(keep);
        }
    }
    if into.len() > keep {
        into.select_nth_unstable_by(keep - 1, order);
        into.truncate(keep);
    }
    into.sort_unstable_by(order);
}

/// Puts e^((logit - most) / temperature) of each logit into `into`, 0 for those below `floor` and for NaN; the sum of all.
pub(super) fn weigh(logits: &[f32], most: f32, floor: f32, temperature: f32, into: &mut Vec<f32>) -> f64 {
    let slope = temperature.recip();
    let weight = |&logit: &f32| if logit >= floor { exp((logit - most) * slope) } else { 0.0 };
    into.clear();
    into.extend(logits.iter().map(weight));
    into.chunks(BLOCK).map(sum).sum()
}

/// The sum of e^(logit - most).
pub(super) fn mass(logits: &[f32], most: f32) -> f64 {
    let of_block = |block: &[f32]| {
        let mut weights = [0.0; BLOCK];
        for (weight, &logit) in weights.iter_mut().zip(block) {
            *weight = exp(logit - most);
        }
        sum(&weights)
    };
    logits.chunks(BLOCK).map(of_block).sum()
}

/// Which of `weights`, laid end to end, lies `at` from the beginning; `None` past their end.
pub(super) fn find(weights: &[f32], mut at: f64) -> Option<usize> {
    for (block, first) in weights.chunks(BLOCK).zip((0..).step_by(BLOCK)) {
        let all = sum(block);
        if at >= all {
            at -= all;
            continue;
        }
        for (index, &weight) in (first..).zip(block) {
            at -= f64::from(weight);
            if at < 0.0 {
                return Some(index);
            }
        }
    }
    None
}

fn sum(block: &[f32]) -> f64 {
    let mut lanes = [0.0_f32; LANES];
    let (whole, rest) = block.as_chunks::<LANES>();
    for chunk in whole {
        for (lane, weight) in lanes.iter_mut().zip(chunk) {
            *lane += weight;
        }
    }
    lanes.iter().chain(rest).map(|&weight| f64::from(weight)).sum()
}

/// e^x for an x of at most 0, within 3e-7 of it; 0 below -87, where a float has no more to say, and for NaN. By Cody and Waite: the whole
/// powers of two go into the exponent, a polynomial does the rest.
fn exp(x: f32) -> f32 {
    /// Added to a small number, it leaves its nearest whole number in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first short enough that its multiples are exact.
    const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let whole = rounded - ROUND;
    let rest = (x - whole * LN_2.0) - whole * LN_2.1;
    let power = f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0_f32.to_bits()));
    let mut series = 1.0 / 720.0;
    for factor in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = series * rest + factor;
    }
    if x >= -87.0 { power * series } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::{exp, find, likeliest, mass, weigh};

    #[test]
    fn the_exponential_is_that_of_the_library() {
        for step in 0..=43_500_u16 {
            let x = -f32::from(step) / 500.0;
            let right = x.exp();
            assert!((exp(x) - right).abs() <= right * 3e-7, "e^{x} is {right}, not {}", exp(x));
        }
        assert_eq!(exp(0.0).to_bits(), 1.0_f32.to_bits());
        assert!([-87.1, f32::NEG_INFINITY, f32::NAN].iter().all(|&x| exp(x).to_bits() == 0));
    }

    #[test]
    fn a_long_row_is_as_many_short_ones() {
        let logits: Vec<f32> = (0..5000_u32).map(|token| f32::from((token * 7919 % 1009) as u16) / 50.0).collect();
        let mut sorted: Vec<_> = (0..).zip(logits.iter().copied()).collect();
        sorted.sort_by(|left: &(i32, f32), right| right.1.total_cmp(&left.1));
        let mut found = Vec::new();
        for keep in [0, 1, 40, 300, 4999, 5000, 6000] {
            likeliest(&logits, keep, &mut found);
            assert_eq!(found, sorted[..keep.min(5000)]);
        }
        let naive: f64 = logits.iter().map(|logit| f64::from(logit - 20.16).exp()).sum();
        assert!((mass(&logits, 20.16) - naive).abs() < naive * 1e-6);
        let mut weights = Vec::new();
        let all = weigh(&logits, 20.16, 10.0, 1.0, &mut weights);
        let before: f64 = weights[..2500].iter().map(|&weight| f64::from(weight)).sum();
        assert_eq!(
            weights.iter().filter(|weight| **weight == 0.0).count(),
            logits.iter().filter(|logit| **logit < 10.0).count()
        );
        let next = (2500..5000).find(|&index| weights[index] > 0.0).expect("one");
        assert_eq!(find(&weights, before + f64::from(weights[next]) / 2.0), Some(next));
        assert_eq!(find(&weights, all * 1.001), None);
    }
}
