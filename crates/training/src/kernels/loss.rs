//! The last matrix and the cross-entropy together, some hundred rows at a time, so that the logits of a batch (tokens by vocabulary) never
//! exist at once; its gradients are known as soon as the loss is.

use candle_core::{CpuStorage, InplaceOp1, Layout, Result, Tensor};
use rayon::prelude::*;

use super::{by_rows, exp, in_place, largest, plus, tensor, view, widest};

/// Rows whose logits exist at once.
pub(crate) const ROWS: usize = 512;

/// What of it is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Loss,
    /// Also the gradient of what comes in.
    Gradient,
    /// Also the gradient of the matrix.
    Both,
}

pub(crate) struct Outcome {
    /// Summed over the rows, in nats.
    pub(crate) loss: f64,
    pub(crate) dx: Option<Tensor>,
    pub(crate) dweight: Option<Tensor>,
}

/// The cross-entropy of `x * weightᵀ` against `targets`, one for each row of `x`.
pub(crate) fn cross_entropy(x: &Tensor, weight: &Tensor, targets: &[u32], wanted: Wanted) -> Result<Outcome> {
    let (rows, width) = x.dims2()?;
    let transposed = weight.t()?;
    let mut loss = 0f64;
    let mut dx = Vec::with_capacity(if wanted == Wanted::Loss { 0 } else { rows * width });
    let mut dweight: Option<Tensor> = None;
    for first in (0..rows).step_by(ROWS) {
        let count = ROWS.min(rows - first);
        let targets = &targets[first..first + count];
        let x = x.narrow(0, first, count)?;
        let logits = x.matmul(&transposed)?;
        let sums = view(&logits, |logits| log_sums(logits, count))?;
        loss += view(&logits, |logits| losses(logits, &sums, targets))?;
        if wanted == Wanted::Loss {
            continue;
        }
        logits.inplace_op1(&Gradient { sums: &sums, targets })?;
        view(&logits.matmul(weight)?, |rows| dx.extend_from_slice(rows))?;
        if wanted == Wanted::Both {
            let part = logits.t()?.matmul(&x)?;
            dweight = Some(match dweight {
                Some(sum) => plus(&sum, &part)?,
                None => part,
            });
        }
    }
    let dx = (wanted != Wanted::Loss).then(|| tensor(dx, rows, width)).transpose()?;
    Ok(Outcome { loss, dx, dweight })
}

/// `log(sum(e^logit))` of each row.
fn log_sums(logits: &[f32], rows: usize) -> Vec<f32> {
    let width = logits.len() / rows;
    let of_row = |row: &[f32]| {
        widest(
            #[inline(always)]
            || {
                let most = largest(row);
                let mut sums = [0f32; 16];
                let chunks = row.chunks_exact(16);
                let rest: f32 = chunks.remainder().iter().map(|logit| exp(logit - most)).sum();
                for chunk in chunks {
                    for lane in 0..16 {
                        sums[lane] += exp(chunk[lane] - most);
                    }
                }
                most + (sums.iter().sum::<f32>() + rest).ln()
            },
        )
    };
    logits.par_chunks_exact(width).map(of_row).collect()
}

fn losses(logits: &[f32], sums: &[f32], targets: &[u32]) -> f64 {
    let width = logits.len() / sums.len();
    let of_row = |(row, target): (usize, &u32)| f64::from(sums[row] - logits[row * width + *target as usize]);
    targets.iter().enumerate().map(of_row).sum()
}

/// Turns logits into the gradient of the loss: the probabilities, less one at the target.
struct Gradient<'a> {
    sums: &'a [f32],
    targets: &'a [u32],
}

impl InplaceOp1 for Gradient<'_> {
    fn name(&self) -> &'static str {
        "gradient of the cross-entropy"
    }

    fn cpu_fwd(&self, logits: &mut CpuStorage, layout: &Layout) -> Result<()> {
        by_rows(
            in_place(logits, layout)?,
            layout.dims()[1],
            #[inline(always)]
            |row, logits| {
                for logit in logits.iter_mut() {
                    *logit = exp(*logit - self.sums[row]);
                }
                logits[self.targets[row] as usize] -= 1.0;
            },
        );
        Ok(())
    }
}
