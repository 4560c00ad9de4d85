//! What happens to queries and keys before they meet: RMSNorm of each head where the model has it (Qwen3), and turning by the position
//! (RoPE, Su et al., 2021, <https://arxiv.org/abs/2104.09864>).

use candle_core::{Result, Tensor};

use super::{
    attention::Heads,
    by_rows,
    norm::{backward_row, shrink, weight_gradient},
    tensor, view,
};

/// Which two numbers of a head are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rope {
    /// Neighbours (0 and 1, 2 and 3): GGUF files of the architecture `llama`, and the paper.
    Pairs,
    /// One of the first half with one of the second: Hugging Face's layout, and GGUF files of Qwen.
    Halves,
}

/// Cosine and sine for each position and pair.
pub(crate) struct Turns {
    rope: Rope,
    /// Position by pair.
    turns: Vec<(f32, f32)>,
    pairs: usize,
}

impl Turns {
    /// For positions below `positions`. `slower` divides the frequency of each pair (llama.cpp's `rope_freqs.weight`).
    pub(crate) fn new(rope: Rope, base: f64, width: usize, slower: Option<&[f32]>, positions: usize) -> Self {
        let pairs = width / 2;
        let frequency = |pair: usize| {
            base.powf(-2.0 * pair as f64 / width as f64) / slower.map_or(1.0, |slower| f64::from(slower[pair]))
        };
        let angles = (0..positions).flat_map(|position| (0..pairs).map(move |pair| position as f64 * frequency(pair)));
        Turns { rope, turns: angles.map(|angle| (angle.cos() as f32, angle.sin() as f32)).collect(), pairs }
    }

    /// Turns one head at a position; `back` the other way.
    #[inline(always)]
    fn turn(&self, head: &mut [f32], position: usize, back: bool) {
        let turns = &self.turns[position * self.pairs..(position + 1) * self.pairs];
        let direction = if back { -1.0 } else { 1.0 };
        match self.rope {
            Rope::Pairs => {
                for (pair, (cos, sin)) in head.chunks_exact_mut(2).zip(turns) {
                    (pair[0], pair[1]) = turned(pair[0], pair[1], *cos, sin * direction);
                }
            }
            Rope::Halves => {
                let (first, second) = head.split_at_mut(self.pairs);
                for ((one, two), (cos, sin)) in first.iter_mut().zip(second).zip(turns) {
                    (*one, *two) = turned(*one, *two, *cos, sin * direction);
                }
            }
        }
    }
}

#[inline(always)]
fn turned(one: f32, two: f32, cos: f32, sin: f32) -> (f32, f32) {
    (one.mul_add(cos, -(two * sin)), one.mul_add(sin, two * cos))
}

/// The norms of a head of queries and of a head of keys.
pub(crate) struct HeadNorms<'a> {
    pub(crate) queries: &'a Tensor,
    pub(crate) keys: &'a Tensor,
    pub(crate) epsilon: f32,
}

/// A new tensor: normed and turned. `positions` has the position of each row.
pub(crate) fn forward(
    packed: &Tensor,
    heads: Heads,
    norms: Option<&HeadNorms<'_>>,
    turns: &Turns,
    positions: &[usize],
) -> Result<Tensor> {
    let (rows, width) = packed.dims2()?;
    let weights = norms.map(weights).transpose()?;
    let mut out = view(packed, <[f32]>::to_vec)?;
    by_rows(
        &mut out,
        width,
        #[inline(always)]
        |row, out| {
            let turned = out.chunks_exact_mut(heads.width).take(heads.queries + heads.keys).enumerate();
            for (number, head) in turned {
                if let Some((weights, epsilon)) = &weights {
                    let by = shrink(head, *epsilon);
                    for (number, weight) in head.iter_mut().zip(&weights[usize::from(number >= heads.queries)]) {
                        *number *= by * weight;
                    }
                }
                turns.turn(head, positions[row], false);
            }
        },
    );
    tensor(out, rows, width)
}

fn weights(norms: &HeadNorms<'_>) -> Result<([Vec<f32>; 2], f32)> {
    Ok(([view(norms.queries, <[f32]>::to_vec)?, view(norms.keys, <[f32]>::to_vec)?], norms.epsilon))
}

/// The gradient of what came in, `packed`, and those of the two norms' weights.
pub(crate) fn backward(
    packed: &Tensor,
    dout: &Tensor,
    heads: Heads,
    norms: Option<&HeadNorms<'_>>,
    turns: &Turns,
    positions: &[usize],
) -> Result<(Tensor, Option<[Vec<f32>; 2]>)> {
    let (rows, width) = packed.dims2()?;
    let count = heads.queries + heads.keys;
    let mut back = view(dout, <[f32]>::to_vec)?;
    by_rows(
        &mut back,
        width,
        #[inline(always)]
        |row, back| {
            for head in back.chunks_exact_mut(heads.width).take(count) {
                turns.turn(head, positions[row], true);
            }
        },
    );
    let Some(norms) = norms else { return Ok((tensor(back, rows, width)?, None)) };

    let (weights, epsilon) = weights(norms)?;
    let mut out = back.clone();
    let gradients = view(packed, |packed| {
        by_rows(
            &mut out,
            width,
            #[inline(always)]
            |row, out| {
                for (number, out) in out.chunks_exact_mut(heads.width).take(count).enumerate() {
                    let at = row * width + number * heads.width..row * width + (number + 1) * heads.width;
                    let x = &packed[at.clone()];
                    out.fill(0.0);
                    backward_row(x, &weights[usize::from(number >= heads.queries)], &back[at], shrink(x, epsilon), out);
                }
            },
        );
        let of = |first: usize, count: usize| {
            let columns = |from: &[f32]| -> Vec<f32> {
                let part = first * heads.width..(first + count) * heads.width;
                from.chunks_exact(width).flat_map(|row| row[part.clone()].iter().copied()).collect()
            };
            weight_gradient(&columns(packed), &columns(&back), heads.width, epsilon)
        };
        [of(0, heads.queries), of(heads.queries, heads.keys)]
    })?;
    Ok((tensor(out, rows, width)?, Some(gradients)))
}
