//! A LoRA adapter (Hu et al., 2021, <https://arxiv.org/abs/2106.09685>): which matrices of a model it changes, and how.

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{Error, Shape, random::Random};

/// A matrix that an adapter may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Target {
    #[serde(rename = "q_proj")]
    Query,
    #[serde(rename = "k_proj")]
    Key,
    #[serde(rename = "v_proj")]
    Value,
    #[serde(rename = "o_proj")]
    Out,
    #[serde(rename = "gate_proj")]
    Gate,
    #[serde(rename = "up_proj")]
    Up,
    #[serde(rename = "down_proj")]
    Down,
}

impl Target {
    /// All of them, in the order of a layer.
    pub const ALL: [Target; 7] =
        [Target::Query, Target::Key, Target::Value, Target::Out, Target::Gate, Target::Up, Target::Down];

    /// Hugging Face's name for it, the last part of the module's path; the names that `--targets` knows.
    pub fn name(self) -> &'static str {
        ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"][self as usize]
    }

    /// Its name in GGUF, between the layer and `.weight`.
    pub fn in_gguf(self) -> &'static str {
        ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"][self as usize]
    }

    /// The module of a layer in Hugging Face's models.
    pub(crate) fn module(self) -> String {
        let part = if self <= Target::Out { "self_attn" } else { "mlp" };
        format!("{part}.{}", self.name())
    }

    /// Numbers that go out of it and that come in.
    pub(crate) fn sides(self, shape: &Shape) -> (usize, usize) {
        let (queries, keys) = (shape.heads * shape.head_width, shape.key_heads * shape.head_width);
        match self {
            Target::Query => (queries, shape.width),
            Target::Key | Target::Value => (keys, shape.width),
            Target::Out => (shape.width, queries),
            Target::Gate | Target::Up => (shape.inner, shape.width),
            Target::Down => (shape.width, shape.inner),
        }
    }
}

impl std::str::FromStr for Target {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let known = || Target::ALL.map(Target::name).join(", ");
        Target::ALL
            .into_iter()
            .find(|target| target.name() == name || target.in_gguf() == name)
            .ok_or_else(|| Error::Refused(format!("{name} is no matrix of a layer; there are {}", known())))
    }
}

/// What an adapter is like before it has learned anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lora {
    /// Rows of `a`, columns of `b`.
    pub rank: usize,
    /// The change is `alpha / rank * b * a`.
    pub alpha: f64,
    /// The share of what comes in that is left out at random while learning; 0 for none.
    pub dropout: f64,
    pub targets: Vec<Target>,
}

impl Lora {
    /// Whether there can be such an adapter for a model.
    ///
    /// # Errors
    /// [`Error::Refused`] with what cannot be.
    pub fn check(&self, shape: &Shape) -> Result<(), Error> {
        let narrowest = self.targets.iter().map(|target| target.sides(shape)).map(|(out, x)| out.min(x)).min();
        let sentence = match narrowest {
            None => "an adapter that changes no matrix learns nothing".into(),
            Some(narrowest) if self.rank == 0 || self.rank > narrowest => {
                format!("the rank is {}; for these matrices it can be 1 to {narrowest}", self.rank)
            }
            Some(_) if !(self.alpha.is_finite() && self.alpha > 0.0) => "alpha must be above 0".into(),
            Some(_) if !(0.0..1.0).contains(&self.dropout) => "dropout must be at least 0 and below 1".into(),
            Some(_) => return Ok(()),
        };
        Err(Error::Refused(sentence))
    }

    pub(crate) fn scale(&self) -> f32 {
        (self.alpha / self.rank as f64) as f32
    }
}

/// What is left out in one step. Depends on the step, not on what was drawn before.
pub(crate) struct Dropout {
    pub(crate) rate: f64,
    pub(crate) seed: u64,
    /// Step and part of the step.
    pub(crate) step: [u64; 2],
}

impl Dropout {
    /// 0 with the rate's chance, else what keeps the mean.
    pub(crate) fn mask(&self, of: usize, dims: (usize, usize)) -> candle_core::Result<Tensor> {
        let mut random = Random::new(self.seed, &[self.step[0], self.step[1], of as u64]);
        let keeps = (1.0 / (1.0 - self.rate)) as f32;
        let mask = (0..dims.0 * dims.1).map(|_| if random.unit() < self.rate { 0.0 } else { keeps }).collect();
        Tensor::from_vec(mask, dims, &Device::Cpu)
    }
}
