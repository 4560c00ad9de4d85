//! SwiGLU (Shazeer, 2020, <https://arxiv.org/abs/2002.05202>) over one matrix whose left half is the gate and whose right half is what
//! passes it: `y = gate * sigmoid(gate) * up`.

use candle_core::{Result, Tensor};

use super::{by_rows, exp, tensor, view};

pub(crate) fn forward(gate_up: &Tensor) -> Result<Tensor> {
    let (rows, both) = gate_up.dims2()?;
    let width = both / 2;
    let mut out = vec![0f32; rows * width];
    view(gate_up, |gate_up| {
        by_rows(
            &mut out,
            width,
            #[inline(always)]
            |row, out| {
                let (gate, up) = gate_up[row * both..(row + 1) * both].split_at(width);
                for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
                    *out = gate * sigmoid(*gate) * up;
                }
            },
        );
    })?;
    tensor(out, rows, width)
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

pub(crate) fn backward(gate_up: &Tensor, dy: &Tensor) -> Result<Tensor> {
    let (rows, both) = gate_up.dims2()?;
    let width = both / 2;
    let mut out = vec![0f32; rows * both];
    view(gate_up, |gate_up| {
        view(dy, |dy| {
            by_rows(
                &mut out,
                both,
                #[inline(always)]
                |row, out| {
                    let (gate, up) = gate_up[row * both..(row + 1) * both].split_at(width);
                    let dy = &dy[row * width..(row + 1) * width];
                    let (dgate, dup) = out.split_at_mut(width);
                    for column in 0..width {
                        let (gate, up, dy) = (gate[column], up[column], dy[column]);
                        let open = sigmoid(gate);
                        dup[column] = dy * gate * open;
                        dgate[column] = dy * up * open * (1.0 + gate * (1.0 - open));
                    }
                },
            );
        })
    })??;
    tensor(out, rows, both)
}
