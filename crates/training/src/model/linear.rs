//! One matrix, `y = x * weightᵀ + bias`, and the LoRA changes of its parts (Hu et al., 2021, <https://arxiv.org/abs/2106.09685>). Matrices
//! that multiply the same rows are kept as one (queries, keys and values; gate and up): fewer, larger products.

use std::ops::Range;

use candle_core::{Result, Tensor};

use crate::{
    adapter::Dropout,
    kernels::{add_row, add_to_columns, sum_of_rows},
    parameters::{Gradients, Id, Parameters},
};

/// A matrix of a model, or several that stand one below the other.
#[derive(Clone, Debug)]
pub(crate) struct Linear {
    pub(crate) weight: Id,
    pub(crate) bias: Option<Id>,
    pub(crate) changes: Vec<Change>,
}

/// The change `scale * b * a` of some rows of the matrix.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) rows: Range<usize>,
    pub(crate) a: Id,
    pub(crate) b: Id,
    pub(crate) scale: f32,
}

/// What the way back needs of one change.
pub(crate) struct Kept {
    /// What came in, thinned where there is dropout.
    x: Tensor,
    mask: Option<Tensor>,
    /// `x * aᵀ`
    inner: Tensor,
}

impl Linear {
    pub(crate) fn forward(
        &self,
        parameters: &Parameters,
        x: &Tensor,
        dropout: Option<&Dropout>,
    ) -> Result<(Tensor, Vec<Kept>)> {
        let y = x.matmul(&parameters.value(self.weight).t()?)?;
        if let Some(bias) = self.bias {
            add_row(&y, parameters.value(bias))?;
        }
        let mut kept = Vec::with_capacity(self.changes.len());
        for change in &self.changes {
            let mask = dropout.map(|dropout| dropout.mask(change.a.0, x.dims2()?)).transpose()?;
            let x = match &mask {
                Some(mask) => (x * mask)?,
                None => x.clone(),
            };
            let inner = x.matmul(&parameters.value(change.a).t()?)?;
            let delta = inner.matmul(&parameters.value(change.b).t()?)?;
            add_to_columns(&y, &delta, change.rows.start, change.scale)?;
            kept.push(Kept { x, mask, inner });
        }
        Ok((y, kept))
    }

    /// The gradient of what came in; those of what learns are added to `gradients`.
    pub(crate) fn backward(
        &self,
        parameters: &Parameters,
        x: &Tensor,
        kept: &[Kept],
        dy: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let dx = dy.matmul(parameters.value(self.weight))?;
        if parameters.learns(self.weight) {
            gradients.add(self.weight, &dy.t()?.matmul(x)?)?;
        }
        if let Some(bias) = self.bias
            && parameters.learns(bias)
        {
            gradients.add(bias, &sum_of_rows(dy)?)?;
        }
        for (change, kept) in self.changes.iter().zip(kept) {
            let dpart = (dy.narrow(1, change.rows.start, change.rows.len())?.contiguous()? * f64::from(change.scale))?;
            gradients.add(change.b, &dpart.t()?.matmul(&kept.inner)?)?;
            let dinner = dpart.matmul(parameters.value(change.b))?;
            gradients.add(change.a, &dinner.t()?.matmul(&kept.x)?)?;
            let mut through = dinner.matmul(parameters.value(change.a))?;
            if let Some(mask) = &kept.mask {
                through = (through * mask)?;
            }
            add_to_columns(&dx, &through, 0, 1.0)?;
        }
        Ok(dx)
    }
}
