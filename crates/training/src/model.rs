//! A decoder of the Llama and Qwen kind, forward and backward: learned as a whole from nothing, or frozen with a LoRA adapter beside it.
//! The way back is written out by hand and keeps no graph; the processor's memory and 32-bit numbers only.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};

use crate::{
    Error, Shape,
    adapter::{Dropout, Lora, Target},
    examples::Batch,
    kernels::{
        self,
        loss::{Wanted, cross_entropy},
        norm,
        rope::Turns,
    },
    parameters::{Gradients, Id, Parameter, Parameters},
    random::Random,
};

mod block;
mod linear;
mod named;

use block::{Block, Kept, Pass};
use linear::{Change, Linear};

/// The deviation of a fresh matrix (GPT-2's).
const DEVIATION: f64 = 0.02;

/// A decoder that can be taught.
#[derive(Clone, Debug)]
pub struct Model {
    shape: Shape,
    pub(crate) parameters: Parameters,
    embedding: Id,
    blocks: Vec<Block>,
    norm: Id,
    output: Id,
    lora: Option<Lora>,
}

/// The loss of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Loss {
    /// Cross-entropy in nats, summed over the tokens.
    pub sum: f64,
    /// Tokens that were to be predicted.
    pub tokens: usize,
}

impl Loss {
    /// Nats for each token.
    pub fn mean(self) -> f64 {
        self.sum / self.tokens.max(1) as f64
    }
}

impl std::ops::AddAssign for Loss {
    fn add_assign(&mut self, other: Self) {
        self.sum += other.sum;
        self.tokens += other.tokens;
    }
}

impl Model {
    /// A model that knows nothing yet. The same seed gives the same numbers.
    ///
    /// # Errors
    /// [`Error::Refused`] when there can be no such shape.
    pub fn new(shape: Shape, seed: u64) -> Result<Self, Error> {
        let towards_residual = DEVIATION / (2.0 * shape.layers as f64).sqrt();
        let mut number = 0;
        Self::build(shape, true, |name, dims| {
            number += 1;
            let mut random = Random::new(seed, &[1, number]);
            let deviation = match name {
                _ if name.ends_with("norm.weight") => None,
                _ if name.ends_with(".bias") => Some(0.0),
                _ if name.contains("attn_output") || name.contains("ffn_down") => Some(towards_residual),
                _ => Some(DEVIATION),
            };
            let one = || deviation.map_or(1.0, |deviation| (random.normal() * deviation) as f32);
            let numbers: Vec<f32> = std::iter::repeat_with(one).take(dims.iter().product()).collect();
            Ok(Tensor::from_vec(numbers, dims, &Device::Cpu)?)
        })
    }

    /// A model whose tensors `read` gives by their names in GGUF and the dimensions that they must have, outer first.
    pub(crate) fn build(
        shape: Shape,
        learns: bool,
        mut read: impl FnMut(&str, &[usize]) -> Result<Tensor, Error>,
    ) -> Result<Self, Error> {
        shape.check()?;
        let mut parameters = Parameters::default();
        let mut add =
            |name: &str, dims: &[usize]| -> Result<Id, Error> { Ok(parameters.add(name, read(name, dims)?, learns)) };
        let embedding = add("token_embd.weight", &[shape.vocabulary, shape.width])?;
        let norm = add("output_norm.weight", &[shape.width])?;
        let output = match shape.tied {
            true => embedding,
            false => add("output.weight", &[shape.vocabulary, shape.width])?,
        };
        let mut blocks = Vec::with_capacity(shape.layers);
        for layer in 0..shape.layers {
            blocks.push(Self::build_block(&shape, layer, &mut parameters, learns, &mut read)?);
        }
        Ok(Model { shape, parameters, embedding, blocks, norm, output, lora: None })
    }

    fn build_block(
        shape: &Shape,
        layer: usize,
        parameters: &mut Parameters,
        learns: bool,
        read: &mut impl FnMut(&str, &[usize]) -> Result<Tensor, Error>,
    ) -> Result<Block, Error> {
        let mut linear = |targets: &[Target], biases: bool| -> Result<Linear, Error> {
            let mut weights = Vec::with_capacity(targets.len());
            let mut bias = Vec::new();
            for target in targets {
                let (out, x) = target.sides(shape);
                weights.push(read(&format!("blk.{layer}.{}.weight", target.in_gguf()), &[out, x])?);
                if biases {
                    bias.push(read(&format!("blk.{layer}.{}.bias", target.in_gguf()), &[out])?);
                }
            }
            let name = targets.iter().map(|target| target.in_gguf()).collect::<Vec<_>>().join("+");
            let weight = parameters.add(format!("blk.{layer}.{name}.weight"), Tensor::cat(&weights, 0)?, learns);
            let bias = match bias.is_empty() {
                true => None,
                false => Some(parameters.add(format!("blk.{layer}.{name}.bias"), Tensor::cat(&bias, 0)?, learns)),
            };
            Ok(Linear { weight, bias, changes: Vec::new() })
        };
        let packed = linear(PACKED, shape.biases)?;
        let attention_out = linear(&[Target::Out], false)?;
        let gate_up = linear(GATE_UP, false)?;
        let down = linear(&[Target::Down], false)?;
        let mut norm = |name: &str, width: usize| -> Result<Id, Error> {
            let name = format!("blk.{layer}.{name}.weight");
            let value = read(&name, &[width])?;
            Ok(parameters.add(name, value, learns))
        };
        let attention_norm = norm("attn_norm", shape.width)?;
        let feed_norm = norm("ffn_norm", shape.width)?;
        let head_norms = match shape.head_norms {
            true => Some([norm("attn_q_norm", shape.head_width)?, norm("attn_k_norm", shape.head_width)?]),
            false => None,
        };
        Ok(Block { attention_norm, packed, head_norms, attention_out, feed_norm, gate_up, down })
    }

    /// The model that these tensors are, by their names in GGUF, outer dimension first; it learns as a whole.
    ///
    /// # Errors
    /// [`Error::Refused`] with the tensor that is missing or has other dimensions.
    pub fn of_tensors(shape: Shape, mut tensors: BTreeMap<String, Tensor>) -> Result<Self, Error> {
        Self::build(shape, true, |name, dims| {
            let tensor = tensors.remove(name).ok_or_else(|| Error::Refused(format!("the tensor {name} is missing")))?;
            if tensor.dims() != dims {
                let found = tensor.dims();
                return Err(Error::Refused(format!("the tensor {name} is {found:?}; here it is {dims:?}")));
            }
            Ok(tensor)
        })
    }

    /// Its dimensions.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The adapter that it learns, if it does not learn as a whole.
    pub fn lora(&self) -> Option<&Lora> {
        self.lora.as_ref()
    }

    /// Freezes the model and puts an adapter beside it, which at first changes nothing: `a` is drawn as PyTorch's linear layers are
    /// (Kaiming, evenly within ±1/√inputs), `b` is 0, as in Hugging Face's PEFT.
    ///
    /// # Errors
    /// [`Error::Refused`] when there can be no such adapter, or there is one already.
    pub fn adapt(&mut self, lora: Lora, seed: u64) -> Result<(), Error> {
        lora.check(&self.shape)?;
        if self.lora.is_some() {
            return Err(Error::Refused("the model has an adapter already".into()));
        }
        for parameter in &mut self.parameters.0 {
            parameter.learns = false;
        }
        for (layer, block) in self.blocks.iter_mut().enumerate() {
            let linears: [(&[Target], &mut Linear); 4] = [
                (PACKED, &mut block.packed),
                (&[Target::Out], &mut block.attention_out),
                (GATE_UP, &mut block.gate_up),
                (&[Target::Down], &mut block.down),
            ];
            for (targets, linear) in linears {
                let mut first = 0;
                for target in targets {
                    let (out, x) = target.sides(&self.shape);
                    let rows = first..first + out;
                    first += out;
                    if !lora.targets.contains(target) {
                        continue;
                    }
                    let name = format!("blk.{layer}.{}.weight", target.in_gguf());
                    let mut random = Random::new(seed, &[2, layer as u64, *target as u64]);
                    let bound = 1.0 / (x as f64).sqrt();
                    let numbers = (0..lora.rank * x).map(|_| ((2.0 * random.unit() - 1.0) * bound) as f32).collect();
                    let a = kernels::tensor(numbers, lora.rank, x)?;
                    let b = kernels::tensor(vec![0.0; out * lora.rank], out, lora.rank)?;
                    let a = self.parameters.add(format!("{name}.lora_a"), a, true);
                    let b = self.parameters.add(format!("{name}.lora_b"), b, true);
                    linear.changes.push(Change { rows, a, b, scale: lora.scale() });
                }
            }
        }
        self.lora = Some(lora);
        Ok(())
    }

    /// The matrices of its adapter by name (`blk.N.attn_q.weight.lora_a` and `lora_b`).
    pub fn adapter_tensors(&self) -> Vec<(String, Tensor)> {
        let of_adapter = self.parameters.0.iter().filter(|one| one.name.contains(".lora_"));
        of_adapter.map(|one| (one.name.clone(), one.value.clone())).collect()
    }

    /// Puts numbers into a matrix of its adapter.
    ///
    /// # Errors
    /// [`Error::Refused`] when it has no such matrix, or one of other dimensions.
    pub fn set_adapter_tensor(&mut self, name: &str, value: Tensor) -> Result<(), Error> {
        let matches = |one: &&mut Parameter| one.name == name && one.name.contains(".lora_");
        match self.parameters.0.iter_mut().find(matches) {
            Some(one) if one.value.dims() == value.dims() => one.value = value,
            _ => return Err(Error::Refused(format!("the adapter has no {name} of {:?}", value.dims()))),
        }
        Ok(())
    }

    /// The matrices of its adapter: the layer, which matrix they change, and `a` and `b`.
    pub(crate) fn changes(&self) -> Vec<(usize, Target, &Tensor, &Tensor)> {
        let find = |name: String| self.parameters.0.iter().find(|one| one.name == name).map(|one| &one.value);
        let of = |layer: usize, target: Target| {
            let name = format!("blk.{layer}.{}.weight", target.in_gguf());
            Some((layer, target, find(format!("{name}.lora_a"))?, find(format!("{name}.lora_b"))?))
        };
        let all = (0..self.shape.layers).flat_map(|layer| Target::ALL.map(|target| (layer, target)));
        all.filter_map(|(layer, target)| of(layer, target)).collect()
    }

    /// The loss of a batch, as it is.
    ///
    /// # Errors
    /// [`Error::Computation`]: none that is known.
    pub fn loss(&self, batch: &Batch) -> Result<Loss, Error> {
        if batch.targets.is_empty() {
            return Ok(Loss::default());
        }
        let (hidden, _) = self.hidden(batch, None, false)?;
        let hidden = kernels::gather(&hidden, &batch.rows)?;
        let outcome = cross_entropy(&hidden, self.parameters.value(self.output), &batch.targets, Wanted::Loss)?;
        Ok(Loss { sum: outcome.loss, tokens: batch.targets.len() })
    }

    /// The logits after each token of one document: a row for each token.
    ///
    /// # Errors
    /// [`Error::Refused`] when there are no tokens, or others than the model's.
    pub fn logits(&self, tokens: &[u32]) -> Result<Vec<Vec<f32>>, Error> {
        if tokens.is_empty() || tokens.iter().any(|token| *token as usize >= self.shape.vocabulary) {
            return Err(Error::Refused("logits are asked for tokens that are none of the model's".into()));
        }
        let whole = 0..tokens.len();
        let batch = Batch { inputs: tokens.to_vec(), documents: vec![whole], ..Batch::default() };
        let (hidden, _) = self.hidden(&batch, None, false)?;
        Ok(hidden.matmul(&self.parameters.value(self.output).t()?)?.to_vec2()?)
    }

    /// The loss of a batch, and the gradient of its sum for each tensor that learns, by name. A vector's is a matrix of one row.
    ///
    /// # Errors
    /// [`Error::Computation`]: none that is known.
    pub fn gradients(&self, batch: &Batch) -> Result<(Loss, BTreeMap<String, Tensor>), Error> {
        let mut gradients = Gradients::default();
        let loss = self.learn(batch, None, &mut gradients)?;
        let of = |(id, one): (Id, &Parameter)| Some((one.name.clone(), gradients.of(id)?.clone()));
        Ok((loss, self.parameters.learning().filter_map(of).collect()))
    }

    /// The loss of a batch; the gradients of its sum are added to `gradients`.
    pub(crate) fn learn(
        &self,
        batch: &Batch,
        dropout: Option<&Dropout>,
        gradients: &mut Gradients,
    ) -> Result<Loss, Error> {
        if batch.targets.is_empty() {
            return Ok(Loss::default());
        }
        let all = &self.parameters;
        let (hidden, kept) = self.hidden(batch, dropout, true)?;
        let learned = kernels::gather(&hidden, &batch.rows)?;
        let wanted = if all.learns(self.output) { Wanted::Both } else { Wanted::Gradient };
        let outcome = cross_entropy(&learned, all.value(self.output), &batch.targets, wanted)?;
        if let Some(gradient) = &outcome.dweight {
            gradients.add(self.output, gradient)?;
        }
        if let (Some(dlearned), Some(trail)) = (&outcome.dx, &kept) {
            let dhidden = kernels::scatter(dlearned, &batch.rows, batch.inputs.len())?;
            self.backward(batch, dropout, trail, &dhidden, gradients)?;
        }
        Ok(Loss { sum: outcome.loss, tokens: batch.targets.len() })
    }

    /// What the last norm gives, and where it is wanted what the way back needs.
    fn hidden(&self, batch: &Batch, dropout: Option<&Dropout>, keep: bool) -> Result<(Tensor, Option<Trail>), Error> {
        let (turns, positions) = self.turns(batch);
        let pass = self.pass(batch, &turns, &positions, dropout);
        let mut x = kernels::gather(self.parameters.value(self.embedding), &batch.inputs)?;
        let mut layers = Vec::new();
        for block in &self.blocks {
            let (y, kept) = block.forward(&pass, x)?;
            x = y;
            if keep {
                layers.push(kept);
            }
        }
        let hidden = norm::forward(&x, self.parameters.value(self.norm), pass.epsilon)?;
        let trail = keep.then(|| Trail { layers, last: x, turns, positions });
        Ok((hidden, trail))
    }

    fn backward(
        &self,
        batch: &Batch,
        dropout: Option<&Dropout>,
        trail: &Trail,
        dhidden: &Tensor,
        gradients: &mut Gradients,
    ) -> Result<(), Error> {
        let all = &self.parameters;
        let pass = self.pass(batch, &trail.turns, &trail.positions, dropout);
        let nothing = trail.last.zeros_like()?;
        let learns = all.learns(self.norm);
        let (mut dx, dweight) =
            norm::backward(&trail.last, all.value(self.norm), pass.epsilon, dhidden, &nothing, learns)?;
        if let Some(gradient) = dweight {
            gradients.add(self.norm, &gradient)?;
        }
        for (block, kept) in self.blocks.iter().zip(&trail.layers).rev() {
            dx = block.backward(&pass, kept, &dx, gradients)?;
        }
        if all.learns(self.embedding) {
            gradients.add(self.embedding, &kernels::scatter(&dx, &batch.inputs, self.shape.vocabulary)?)?;
        }
        Ok(())
    }

    fn turns(&self, batch: &Batch) -> (Turns, Vec<usize>) {
        let longest = batch.documents.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        let (shape, positions) = (&self.shape, batch.documents.iter().flat_map(|rows| 0..rows.len()).collect());
        let factors = shape.rope_factors.as_deref();
        (Turns::new(shape.rope, shape.rope_base, shape.head_width, factors, longest), positions)
    }

    fn pass<'a>(
        &'a self,
        batch: &'a Batch,
        turns: &'a Turns,
        positions: &'a [usize],
        dropout: Option<&'a Dropout>,
    ) -> Pass<'a> {
        let (heads, epsilon) = (self.shape.packed(), self.shape.epsilon as f32);
        let documents = &batch.documents;
        Pass { parameters: &self.parameters, heads, epsilon, turns, positions, documents, dropout }
    }
}

/// What the way back needs.
struct Trail {
    layers: Vec<Kept>,
    last: Tensor,
    turns: Turns,
    positions: Vec<usize>,
}

const PACKED: &[Target] = &[Target::Query, Target::Key, Target::Value];
const GATE_UP: &[Target] = &[Target::Gate, Target::Up];
