//! How the model begins: random numbers, and in them a circuit that copies. Each token has a code, which is never learned. The first layer notes
//! the codes of the two tokens before; the second finds where the same tokens stood before and reads the code of what followed there
//! (induction heads: Olsson et al., 2022, <https://arxiv.org/abs/2209.11895>); some heads of the layers above read the code of whatever they look
//! at, and learn where to look. A code that was read speaks for its token in the last matrix. A model this small would learn it, too, but only
//! after many more tokens than there are hours for. What is copied, and when, is learned.

use std::{collections::BTreeMap, ops::Range};

use anyhow::{Result, ensure};
use candle_core::{Device, Tensor};
use training::{Error, Model, Shape};

use crate::dice::Dice;

/// Bits of a code, and numbers of a head.
const BITS: usize = 32;
/// Where what lies between the layers: a token's own code, those of the two before it, what was found, one number that is the same for all
/// tokens, and then what is free.
const OWN: usize = 0;
const BEFORE: usize = BITS;
const BEFORE_THAT: usize = 2 * BITS;
const FOUND: usize = 3 * BITS;
const CONSTANT: usize = 4 * BITS;
const FREE: usize = 4 * BITS + 1;
/// Heads of the circuit in its two layers, and those of each layer above that read codes.
const HEADS: usize = 2;
const READERS: usize = 3;
/// How far the constant stands out beside a code's ones, and how far fresh numbers go.
const STANDS_OUT: f32 = 3.0;
const DEVIATION: f32 = 0.3;
/// Pairs of a head that turn too fast to compare tokens that are far from each other.
const FAST: usize = 5;
/// How sharply the first layer looks back, and the second at what is equal: by one token, and by two.
const BACK: f32 = 2.9;
const EQUAL: [f32; HEADS] = [1.85, 1.8];
/// How loudly what was found is said: by the two heads, by the readers, and in the last matrix.
const FINDS: [f32; HEADS] = [0.3, 0.8];
const READS: f32 = 0.8;
const SAYS: f32 = 0.25;
/// Codes that are tried for one that differs from all before it.
const TRIES: usize = 16;

/// A model of this shape.
///
/// # Errors
/// When the shape has no room for the circuit.
pub fn model(shape: &Shape, seed: u64) -> Result<Model> {
    let fits = shape.layers > HEADS && shape.heads >= READERS && shape.key_heads == shape.heads;
    ensure!(fits && shape.head_width == BITS && shape.width > FREE && !shape.tied, "no room for the circuit");
    let tensors: BTreeMap<String, Tensor> = Model::new(shape.clone(), seed)?.tensors()?.into_iter().collect();
    let mut change = Change { tensors };
    let codes = codes(shape.vocabulary, seed);
    embed(&mut change, &codes)?;
    look_back(&mut change, shape)?;
    find(&mut change)?;
    for layer in 2..shape.layers {
        read(&mut change, layer)?;
    }
    Ok(Model::of_tensors(shape.clone(), change.tensors)?)
}

/// Leaves the circuit as it is while the model learns.
///
/// # Errors
/// When the model's shape has no room for it.
pub fn hold(model: &mut Model) -> Result<(), Error> {
    let (layers, vocabulary, width, inner) =
        (model.shape().layers, model.shape().vocabulary, model.shape().width, model.shape().inner);
    let circuit = HEADS * BITS;
    model.hold("token_embd.weight", 0..vocabulary, 0..FREE)?;
    model.hold("output.weight", 0..vocabulary, FOUND..FOUND + BITS)?;
    // What the first layer learns to write goes where no code is.
    model.hold("blk.0.attn_output.weight", 0..FREE, 0..width)?;
    model.hold("blk.0.ffn_down.weight", 0..FREE, 0..inner)?;
    for layer in 0..layers {
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        let heads: Range<usize> = 0..if layer < 2 { circuit } else { READERS * BITS };
        model.hold(&name("attn_v"), heads.clone(), 0..width)?;
        model.hold(&name("attn_output"), 0..width, heads.clone())?;
        if layer < 2 {
            model.hold(&name("attn_norm"), 0..1, 0..width)?;
            model.hold(&name("attn_q"), heads.clone(), 0..width)?;
            model.hold(&name("attn_k"), heads, 0..width)?;
        }
    }
    Ok(())
}

struct Change {
    tensors: BTreeMap<String, Tensor>,
}

impl Change {
    /// Lets `write` change each row of a matrix, which it is given with its number.
    fn rows(&mut self, name: &str, mut write: impl FnMut(usize, &mut [f32])) -> Result<()> {
        let Some(tensor) = self.tensors.get_mut(name) else { return Ok(()) };
        let columns = tensor.dims()[1];
        let mut numbers: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
        numbers.chunks_exact_mut(columns).enumerate().for_each(|(row, numbers)| write(row, numbers));
        *tensor = Tensor::from_vec(numbers, tensor.dims(), &Device::Cpu)?;
        Ok(())
    }

    /// Heads that read the codes at `from` and write them to `to`.
    fn codes(&mut self, layer: usize, heads: &[(usize, usize, f32)]) -> Result<()> {
        self.rows(&format!("blk.{layer}.attn_v.weight"), |row, numbers| {
            if let Some((from, _, _)) = heads.get(row / BITS) {
                numbers.fill(0.0);
                numbers[from + row % BITS] = 1.0;
            }
        })?;
        self.rows(&format!("blk.{layer}.attn_output.weight"), |row, numbers| {
            numbers[..heads.len() * BITS].fill(0.0);
            for (head, (_, to, loud)) in heads.iter().enumerate() {
                if (*to..to + BITS).contains(&row) {
                    numbers[head * BITS + row - to] = *loud;
                }
            }
        })
    }
}

/// A code for each token, as far from the others as a few tries find.
fn codes(count: usize, seed: u64) -> Vec<u32> {
    let mut dice = Dice::new(seed, 0);
    let mut codes: Vec<u32> = Vec::with_capacity(count);
    for _ in 0..count {
        let nearest = |code: u32| codes.iter().map(|other| (code ^ other).count_ones()).min();
        let tried: Vec<u32> = (0..TRIES).map(|_| dice.next() as u32).collect();
        let farthest = tried.into_iter().max_by_key(|code| nearest(*code));
        codes.extend(farthest);
    }
    codes
}

fn sign(code: u32, bit: usize) -> f32 {
    if (code >> bit) & 1 == 1 { 1.0 } else { -1.0 }
}

fn embed(change: &mut Change, codes: &[u32]) -> Result<()> {
    change.rows("token_embd.weight", |token, numbers| {
        numbers[..FREE].fill(0.0);
        (0..BITS).for_each(|bit| numbers[OWN + bit] = sign(codes[token], bit));
        numbers[CONSTANT] = STANDS_OUT;
        // The trainer's fresh numbers have a deviation of 0.02.
        numbers[FREE..].iter_mut().for_each(|number| *number *= DEVIATION / 0.02);
    })?;
    change.rows("output.weight", |token, numbers| {
        (0..BITS).for_each(|bit| numbers[FOUND + bit] = SAYS * sign(codes[token], bit));
    })
}

/// The first layer's first two heads look one and two tokens back: their scores depend on the distance alone. They note what they see.
fn look_back(change: &mut Change, shape: &Shape) -> Result<()> {
    let angle = |pair: usize| (shape.rope_base as f32).powf(-(pair as f32) / (BITS / 2) as f32);
    change.rows("blk.0.attn_q.weight", |row, numbers| {
        if row < HEADS * BITS {
            numbers.fill(0.0);
            numbers[CONSTANT] = if row % 2 == 0 { BACK } else { 0.0 };
        }
    })?;
    change.rows("blk.0.attn_k.weight", |row, numbers| {
        if row < HEADS * BITS {
            numbers.fill(0.0);
            let angle = (row / BITS + 1) as f32 * angle(row % BITS / 2);
            numbers[CONSTANT] = BACK * if row % 2 == 0 { angle.cos() } else { angle.sin() };
        }
    })?;
    change.codes(0, &[(OWN, BEFORE, 0.5), (OWN, BEFORE_THAT, 0.5)])?;
    change.rows("blk.0.attn_output.weight", |row, numbers| {
        if row < FREE {
            numbers[HEADS * BITS..].fill(0.0);
        }
    })?;
    change.rows("blk.0.ffn_down.weight", |row, numbers| {
        if row < FREE {
            numbers.fill(0.0);
        }
    })
}

/// The second layer's first head looks where the token before was the one that is here now; the second one also asks that the one before that
/// be the same, for which it lays one code over the other, shifted.
fn find(change: &mut Change) -> Result<()> {
    const SLOW: usize = BITS - 2 * FAST;
    let shifted = |row: usize| 2 * FAST + (row - 2 * FAST + SLOW / 2) % SLOW;
    let mut match_codes = |name: &str, one: usize, other: usize| {
        change.rows(name, |row, numbers| {
            let (head, row) = (row / BITS, row % BITS);
            if head >= HEADS {
                return;
            }
            numbers.fill(0.0);
            if row >= 2 * FAST {
                numbers[one + row] = EQUAL[head];
                if head == 1 {
                    numbers[other + shifted(row)] = EQUAL[head];
                }
            }
        })
    };
    match_codes("blk.1.attn_q.weight", OWN, BEFORE)?;
    match_codes("blk.1.attn_k.weight", BEFORE, BEFORE_THAT)?;
    change.codes(1, &FINDS.map(|loud| (OWN, FOUND, loud)))
}

/// Heads of a layer above that say what they look at.
fn read(change: &mut Change, layer: usize) -> Result<()> {
    change.codes(layer, &[(OWN, FOUND, READS); READERS])
}

#[cfg(test)]
mod tests {
    use training::{Architecture, Rope, Shape};

    use super::model;
    use crate::dice::Dice;

    fn shape() -> Shape {
        Shape {
            architecture: Architecture::Llama,
            vocabulary: 1500,
            width: 224,
            layers: 5,
            heads: 7,
            key_heads: 7,
            head_width: 32,
            inner: 448,
            context: 512,
            epsilon: 1e-5,
            rope: Rope::Pairs,
            rope_base: 1e6,
            rope_factors: None,
            biases: false,
            head_norms: false,
            tied: false,
        }
    }

    #[test]
    fn what_followed_the_same_two_tokens_before_is_said_before_anything_is_learned() {
        let model = model(&shape(), 1).unwrap();
        let mut dice = Dice::new(5, 0);
        let (mut right, mut asked) = (0, 0);
        for _ in 0..10 {
            // So few different tokens that one alone does not always tell where the piece stood; then a piece of it again.
            let text: Vec<u32> = (0..90).map(|_| dice.below(150) as u32).collect();
            let piece = &text[30..50];
            let tokens: Vec<u32> = text.iter().chain(piece).copied().collect();
            let logits = model.logits(&tokens).unwrap();
            for place in 92..109 {
                let best = (0..1500).max_by(|&one, &other| logits[place][one].total_cmp(&logits[place][other]));
                right += usize::from(best == Some(tokens[place + 1] as usize));
                asked += 1;
            }
        }
        assert!(right * 100 >= asked * 90, "{right} of {asked}");
    }
}
