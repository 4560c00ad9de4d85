//! Which texts are almost the same: MinHash over runs of three characters (Broder, "On the resemblance and containment of
//! documents", 1997), banded so that only likely pairs are compared; what is compared is compared exactly.

use std::collections::HashMap;

use super::example::normal;

/// From this resemblance on two texts count as almost the same.
pub const NEAR: f64 = 0.8;

/// Characters in a run. Words would not do: Chinese has no blanks between them.
const RUN: usize = 3;
/// Bands of hashes, and hashes in each: a pair at [`NEAR`] shares none of the bands once in 5,000 pairs (`(1 - 0.8^4)^16`).
const BANDS: usize = 16;
const ROWS: usize = 4;
/// Of one band's bucket so many are looked at: text of a form letter must not make the search quadratic.
const LOOKED_AT: usize = 64;

/// For each text the first earlier one that it is almost the same as, where there is one. The earlier one has none itself.
pub fn alike<T: AsRef<str>>(texts: &[T]) -> Vec<Option<usize>> {
    let mut buckets: HashMap<(usize, u64), Vec<usize>> = HashMap::new();
    let mut kept: HashMap<usize, Vec<u64>> = HashMap::new();
    let mut found = Vec::with_capacity(texts.len());
    for (at, text) in texts.iter().enumerate() {
        let runs = runs(text.as_ref());
        let bands = bands(&runs);
        let twin = bands
            .iter()
            .filter_map(|band| buckets.get(band))
            .flat_map(|bucket| bucket.iter().take(LOOKED_AT))
            .copied()
            .filter(|other| kept.get(other).is_some_and(|theirs| shared(&runs, theirs) >= NEAR))
            .min();
        if twin.is_none() {
            for band in bands {
                buckets.entry(band).or_default().push(at);
            }
            kept.insert(at, runs);
        }
        found.push(twin);
    }
    found
}

/// How much two texts have in common: the runs of both over the runs of either, 0 to 1.
pub fn resemblance(one: &str, other: &str) -> f64 {
    shared(&runs(one), &runs(other))
}

/// The hashes of a text's runs, sorted, each once.
fn runs(text: &str) -> Vec<u64> {
    let letters: Vec<char> = normal(text).chars().collect();
    let hash = |run: &[char]| run.iter().fold(0, |hash, letter| mix(hash ^ u64::from(u32::from(*letter))));
    let mut runs: Vec<u64> = match letters.len() {
        ..RUN => vec![hash(&letters)],
        _ => letters.windows(RUN).map(hash).collect(),
    };
    runs.sort_unstable();
    runs.dedup();
    runs
}

fn shared(one: &[u64], other: &[u64]) -> f64 {
    let (mut left, mut right, mut both) = (one.iter().peekable(), other.iter().peekable(), 0_u32);
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        match a.cmp(b) {
            std::cmp::Ordering::Less => _ = left.next(),
            std::cmp::Ordering::Greater => _ = right.next(),
            std::cmp::Ordering::Equal => {
                both += 1;
                left.next();
                right.next();
            }
        }
    }
    let either = one.len() + other.len() - both as usize;
    f64::from(both) / either.max(1) as f64
}

/// One number for each band: two texts share it where they share all minima of the band.
fn bands(runs: &[u64]) -> [(usize, u64); BANDS] {
    std::array::from_fn(|band| {
        let minima = (0..ROWS).map(|row| {
            let salt = mix((band * ROWS + row) as u64);
            runs.iter().map(|run| mix(run ^ salt)).min().unwrap_or_default()
        });
        (band, minima.fold(0, |hash, minimum| mix(hash ^ minimum)))
    })
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, 2014): each bit of the input moves half of the output's.
fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
