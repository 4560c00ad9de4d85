//! Seeded numbers. What is drawn depends on a seed and on what it is for, never on how much was drawn before: a run that goes on needs
//! no state of a generator. Not for secrets.

/// A stream of numbers (SplitMix64: Steele, Lea and Flood, 2014).
pub(crate) struct Random(u64);

impl Random {
    /// The stream for one purpose, named by its path (for example epoch and step).
    pub(crate) fn new(seed: u64, path: &[u64]) -> Self {
        path.iter().fold(Random(seed), |outer, part| {
            let mut mixed = Random(outer.0 ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            Random(mixed.next())
        })
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from 0 up to, but without, 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From the normal distribution with mean 0 and deviation 1 (Box and Muller, 1958).
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = (1.0 - self.unit(), self.unit());
        (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }

    /// Another order of `items` (Fisher and Yates).
    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let other = (u128::from(self.next()) * (last as u128 + 1)) >> 64;
            items.swap(last, other as usize);
        }
    }
}
