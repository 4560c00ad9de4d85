//! RMSNorm (Zhang and Sennrich, 2019, <https://arxiv.org/abs/1910.07467>): `y = weight * x / sqrt(mean(x²) + epsilon)`.

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use super::{by_rows, dot, tensor, view, widest};

/// Rows whose share of the weight's gradient is summed in one piece.
const PIECE: usize = 256;

#[inline(always)]
pub(crate) fn shrink(row: &[f32], epsilon: f32) -> f32 {
    1.0 / (dot(row, row) / row.len() as f32 + epsilon).sqrt()
}

pub(crate) fn forward(x: &Tensor, weight: &Tensor, epsilon: f32) -> Result<Tensor> {
    let (rows, width) = x.dims2()?;
    let mut out = vec![0f32; rows * width];
    view(x, |x| {
        view(weight, |weight| {
            by_rows(
                &mut out,
                width,
                #[inline(always)]
                |row, out| {
                    let x = &x[row * width..(row + 1) * width];
                    let by = shrink(x, epsilon);
                    for ((out, x), weight) in out.iter_mut().zip(x).zip(weight) {
                        *out = x * by * weight;
                    }
                },
            );
        })
    })??;
    tensor(out, rows, width)
}

/// The gradient of one row: `dx = by * (dy∘weight - x * by² * mean(dy∘weight∘x))`, added to what `out` holds.
#[inline(always)]
pub(crate) fn backward_row(x: &[f32], weight: &[f32], dy: &[f32], by: f32, out: &mut [f32]) {
    let mut along = [0f32; 16];
    let width = x.len();
    for (place, x) in x.iter().enumerate() {
        along[place % 16] = (dy[place] * weight[place]).mul_add(*x, along[place % 16]);
    }
    let pull = along.iter().sum::<f32>() * by * by / width as f32;
    for (((out, x), weight), dy) in out.iter_mut().zip(x).zip(weight).zip(dy) {
        *out += by * (dy * weight - x * pull);
    }
}

/// The gradient of `x`, with `beside` added (that of the residual path), and where `learns` that of the weight.
pub(crate) fn backward(
    x: &Tensor,
    weight: &Tensor,
    epsilon: f32,
    dy: &Tensor,
    beside: &Tensor,
    learns: bool,
) -> Result<(Tensor, Option<Tensor>)> {
    let (rows, width) = x.dims2()?;
    let mut out = view(beside, <[f32]>::to_vec)?;
    let dweight = view(x, |x| {
        view(dy, |dy| {
            view(weight, |weight| {
                by_rows(
                    &mut out,
                    width,
                    #[inline(always)]
                    |row, out| {
                        let at = row * width..(row + 1) * width;
                        let x = &x[at.clone()];
                        backward_row(x, weight, &dy[at], shrink(x, epsilon), out);
                    },
                );
                learns.then(|| weight_gradient(x, dy, width, epsilon))
            })
        })
    })???;
    let dweight = dweight.map(|sums| Tensor::from_vec(sums, width, &Device::Cpu)).transpose()?;
    Ok((tensor(out, rows, width)?, dweight))
}

/// `sum(dy * x * by)` of each column. Pieces are added in their order: the same sum on every number of threads.
pub(crate) fn weight_gradient(x: &[f32], dy: &[f32], width: usize, epsilon: f32) -> Vec<f32> {
    let pieces: Vec<Vec<f32>> = x
        .par_chunks(width * PIECE)
        .zip(dy.par_chunks(width * PIECE))
        .map(|(x, dy)| {
            widest(
                #[inline(always)]
                || {
                    let mut sums = vec![0f32; width];
                    for (x, dy) in x.chunks_exact(width).zip(dy.chunks_exact(width)) {
                        let by = shrink(x, epsilon);
                        for ((sum, x), dy) in sums.iter_mut().zip(x).zip(dy) {
                            *sum = (dy * by).mul_add(*x, *sum);
                        }
                    }
                    sums
                },
            )
        })
        .collect();
    let mut total = vec![0f32; width];
    for piece in pieces {
        for (sum, number) in total.iter_mut().zip(piece) {
            *sum += number;
        }
    }
    total
}
