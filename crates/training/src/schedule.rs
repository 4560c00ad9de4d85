//! The learning rate over a run: a linear warm-up, then half a cosine.

use std::f64::consts::PI;

/// How the learning rate moves over the steps of a run.
///
/// Linear from 0 to `peak` over `warmup` steps, then half a cosine down to `floor` at `steps` (Loshchilov and Hutter, 2016,
/// <https://arxiv.org/abs/1608.03983>, one period without restarts), as Hugging Face's `get_cosine_schedule_with_warmup`
/// computes it but for the floor.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Schedule {
    pub peak: f64,
    pub floor: f64,
    /// Steps of the optimiser, not of the batch: gradients that are accumulated count once.
    pub warmup: usize,
    pub steps: usize,
}

impl Schedule {
    /// The rate of step `step`, counted from 0. Never below `floor` once the warm-up is over, also past the end.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / self.warmup as f64;
        }
        let falling = self.steps.saturating_sub(self.warmup).max(1);
        let done = ((step - self.warmup) as f64 / falling as f64).min(1.0);
        self.floor + (self.peak - self.floor) * 0.5 * (1.0 + (PI * done).cos())
    }
}
