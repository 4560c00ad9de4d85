//! Which examples are held out of the training, to measure what was learned rather than memorised.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Example;
use super::example::normal;

/// How a data set is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Division {
    /// Out of a hundred examples so many are held out: 0 to 50.
    pub held_out: u8,
    /// Another seed holds out others.
    pub seed: i64,
}

/// Whether an example is held out.
///
/// By a hash of the seed and the question as it is compared, so that what is added, taken away or put in another order moves
/// no other example, and the wordings of an answer to one question are never on both sides.
pub fn held_out(example: &Example, division: Division) -> bool {
    let mut sum = Sha256::new();
    sum.update(division.seed.to_be_bytes());
    sum.update(normal(example.question()));
    let digest = sum.finalize();
    let drawn = digest.iter().take(8).fold(0_u64, |drawn, byte| drawn << 8 | u64::from(*byte));
    drawn % 10_000 < u64::from(division.held_out) * 100
}
