//! One layer: attention, then the feed-forward part, each behind a norm and beside a residual path.

use std::ops::Range;

use candle_core::{Result, Tensor};

use super::linear::{Kept as KeptLinear, Linear};
use crate::{
    adapter::Dropout,
    kernels::{
        attention::{self, Heads},
        norm, plus,
        rope::{self, HeadNorms, Turns},
        swiglu,
    },
    parameters::{Gradients, Id, Parameters},
};

/// The tensors of one layer.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) attention_norm: Id,
    /// Queries, keys and values.
    pub(crate) packed: Linear,
    /// The norms of a head of queries and of one of keys.
    pub(crate) head_norms: Option<[Id; 2]>,
    pub(crate) attention_out: Linear,
    pub(crate) feed_norm: Id,
    /// Gate and up.
    pub(crate) gate_up: Linear,
    pub(crate) down: Linear,
}

/// What all layers of one pass share.
pub(crate) struct Pass<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) heads: Heads,
    pub(crate) epsilon: f32,
    pub(crate) turns: &'a Turns,
    /// Of each token, in its document.
    pub(crate) positions: &'a [usize],
    pub(crate) documents: &'a [Range<usize>],
    pub(crate) dropout: Option<&'a Dropout>,
}

/// What the way back needs of one layer.
pub(crate) struct Kept {
    x: Tensor,
    attention_in: Tensor,
    packed: Tensor,
    turned: Tensor,
    attention: attention::Kept,
    middle: Tensor,
    feed_in: Tensor,
    gate_up: Tensor,
    inner: Tensor,
    changes: [Vec<KeptLinear>; 4],
}

impl Block {
    pub(crate) fn forward(&self, pass: &Pass<'_>, x: Tensor) -> Result<(Tensor, Kept)> {
        let of = |id| pass.parameters.value(id);
        let norms = self.head_norms(pass);

        let attention_in = norm::forward(&x, of(self.attention_norm), pass.epsilon)?;
        let (packed, for_packed) = self.packed.forward(pass.parameters, &attention_in, pass.dropout)?;
        let turned = rope::forward(&packed, pass.heads, norms.as_ref(), pass.turns, pass.positions)?;
        let attention = attention::forward(&turned, pass.heads, pass.documents)?;
        let (out, for_out) = self.attention_out.forward(pass.parameters, &attention.out, pass.dropout)?;
        let middle = plus(&x, &out)?;

        let feed_in = norm::forward(&middle, of(self.feed_norm), pass.epsilon)?;
        let (gate_up, for_gate_up) = self.gate_up.forward(pass.parameters, &feed_in, pass.dropout)?;
        let inner = swiglu::forward(&gate_up)?;
        let (out, for_down) = self.down.forward(pass.parameters, &inner, pass.dropout)?;
        let y = plus(&middle, &out)?;

        let changes = [for_packed, for_out, for_gate_up, for_down];
        Ok((y, Kept { x, attention_in, packed, turned, attention, middle, feed_in, gate_up, inner, changes }))
    }

    pub(crate) fn backward(
        &self,
        pass: &Pass<'_>,
        kept: &Kept,
        dy: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let all = pass.parameters;
        let [for_packed, for_out, for_gate_up, for_down] = &kept.changes;
        let norms = self.head_norms(pass);

        let dinner = self.down.backward(all, &kept.inner, for_down, dy, gradients)?;
        let dgate_up = swiglu::backward(&kept.gate_up, &dinner)?;
        let dfeed_in = self.gate_up.backward(all, &kept.feed_in, for_gate_up, &dgate_up, gradients)?;
        let dmiddle = self.norm_backward(pass, self.feed_norm, &kept.middle, &dfeed_in, dy, gradients)?;

        let dattention = self.attention_out.backward(all, &kept.attention.out, for_out, &dmiddle, gradients)?;
        let dturned = attention::backward(&kept.turned, &kept.attention, &dattention, pass.heads, pass.documents)?;
        let (dpacked, dnorms) =
            rope::backward(&kept.packed, &dturned, pass.heads, norms.as_ref(), pass.turns, pass.positions)?;
        for (id, gradient) in self.head_norms.into_iter().flatten().zip(dnorms.into_iter().flatten()) {
            if all.learns(id) {
                let width = gradient.len();
                gradients.add(id, &Tensor::from_vec(gradient, width, dpacked.device())?)?;
            }
        }
        let dattention_in = self.packed.backward(all, &kept.attention_in, for_packed, &dpacked, gradients)?;
        self.norm_backward(pass, self.attention_norm, &kept.x, &dattention_in, &dmiddle, gradients)
    }

    fn norm_backward(
        &self,
        pass: &Pass<'_>,
        weight: Id,
        x: &Tensor,
        dy: &Tensor,
        beside: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<Tensor> {
        let learns = pass.parameters.learns(weight);
        let (dx, dweight) = norm::backward(x, pass.parameters.value(weight), pass.epsilon, dy, beside, learns)?;
        if let Some(gradient) = dweight {
            gradients.add(weight, &gradient)?;
        }
        Ok(dx)
    }

    fn head_norms<'a>(&self, pass: &'a Pass<'_>) -> Option<HeadNorms<'a>> {
        let [queries, keys] = self.head_norms?;
        let of = |id| pass.parameters.value(id);
        Some(HeadNorms { queries: of(queries), keys: of(keys), epsilon: pass.epsilon })
    }
}
