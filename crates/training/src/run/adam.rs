//! AdamW (Kingma and Ba, 2014, <https://arxiv.org/abs/1412.6980>; decoupled decay: Loshchilov and Hutter, 2017,
//! <https://arxiv.org/abs/1711.05101>), as PyTorch computes it. Matrices decay, norms and biases do not.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use crate::{
    Error,
    kernels::{view, widest},
    parameters::{Gradients, Id, Parameters},
};

const BETAS: (f64, f64) = (0.9, 0.95);
const EPSILON: f32 = 1e-8;
/// Numbers of one piece of work.
const PIECE: usize = 1 << 14;

/// The moments of one parameter.
pub(super) struct Moments {
    pub(super) id: Id,
    pub(super) first: Vec<f32>,
    pub(super) second: Vec<f32>,
}

pub(super) struct Adam(pub(super) Vec<Moments>);

/// One step of it.
#[derive(Clone, Copy)]
pub(super) struct Step {
    /// Counted from 1.
    pub(super) number: usize,
    pub(super) rate: f64,
    pub(super) decay: f64,
    /// What gradients are multiplied by.
    pub(super) scale: f32,
}

impl Adam {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let zeros = |count| vec![0f32; count];
        let of = |(id, one): (Id, &crate::parameters::Parameter)| {
            let count = one.value.elem_count();
            Moments { id, first: zeros(count), second: zeros(count) }
        };
        Adam(parameters.learning().map(of).collect())
    }

    pub(super) fn update(
        &mut self,
        parameters: &mut Parameters,
        gradients: &Gradients,
        step: Step,
    ) -> Result<(), Error> {
        for moments in &mut self.0 {
            let Some(gradient) = gradients.of(moments.id) else { continue };
            let one = &mut parameters.0[moments.id.0];
            let parameter = &mut one.value;
            let decay = if parameter.rank() == 2 { step.decay } else { 0.0 };
            let mut value = view(parameter, <[f32]>::to_vec)?;
            view(gradient, |gradient| update(&mut value, gradient, moments, Step { decay, ..step }))?;
            let width = parameter.dims().last().copied().unwrap_or(1);
            for held in &one.held {
                view(parameter, |before| held.restore(before, &mut value, width))?;
            }
            *parameter = Tensor::from_vec(value, parameter.dims(), &Device::Cpu)?;
        }
        Ok(())
    }
}

fn update(value: &mut [f32], gradient: &[f32], moments: &mut Moments, step: Step) {
    let corrected = |beta: f64| 1.0 - beta.powf(step.number as f64);
    let rate = (step.rate / corrected(BETAS.0)) as f32;
    let root = (1.0 / corrected(BETAS.1).sqrt()) as f32;
    let keeps = (1.0 - step.rate * step.decay) as f32;
    let (one, two) = (BETAS.0 as f32, BETAS.1 as f32);
    let pieces = value.par_chunks_mut(PIECE).zip(gradient.par_chunks(PIECE));
    let moments = moments.first.par_chunks_mut(PIECE).zip(moments.second.par_chunks_mut(PIECE));
    pieces.zip(moments).for_each(|((value, gradient), (first, second))| {
        widest(
            #[inline(always)]
            || {
                for (((value, gradient), first), second) in value.iter_mut().zip(gradient).zip(first).zip(second) {
                    let gradient = gradient * step.scale;
                    *first = one * *first + (1.0 - one) * gradient;
                    *second = two * *second + (1.0 - two) * gradient * gradient;
                    *value = *value * keeps - rate * *first / (second.sqrt() * root + EPSILON);
                }
            },
        );
    });
}
