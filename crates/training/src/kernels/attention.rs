//! Causal attention over documents that lie one after another: a token sees those before it in its own document, no others, and nothing
//! is padded. Query heads share key and value heads in groups. The probabilities are not kept: the way back computes them again from the
//! logarithm of each row's sum, as in FlashAttention (Dao et al., 2022, <https://arxiv.org/abs/2205.14135>).

use std::ops::Range;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::{by_rows, dot, exp_all, largest, tensor, view, widest};

/// Where what lies in a row of queries, keys and values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heads {
    pub(crate) queries: usize,
    /// Key heads, and as many value heads.
    pub(crate) keys: usize,
    pub(crate) width: usize,
}

impl Heads {
    fn group(&self) -> usize {
        self.queries / self.keys
    }

    fn scale(&self) -> f32 {
        1.0 / (self.width as f32).sqrt()
    }
}

/// What the way back needs.
pub(crate) struct Kept {
    /// The attention's result, one row for each token.
    pub(crate) out: Tensor,
    /// For each piece (document, key head): for each query head and token, the logarithm of the sum of its row.
    sums: Vec<Vec<f32>>,
}

/// One piece of work: a document and a key head with its group of query heads.
struct Piece<'a> {
    rows: &'a Range<usize>,
    key: usize,
}

fn pieces<'a>(heads: &Heads, documents: &'a [Range<usize>]) -> Vec<Piece<'a>> {
    documents.iter().flat_map(|rows| (0..heads.keys).map(move |key| Piece { rows, key })).collect()
}

/// A head's columns of a document: one row for each token.
fn head(of: &[f32], row: usize, rows: &Range<usize>, at: usize, width: usize) -> Vec<f32> {
    rows.clone().flat_map(|token| of[token * row + at..token * row + at + width].iter().copied()).collect()
}

/// Rows for columns.
fn turned(of: &[f32], width: usize) -> Vec<f32> {
    let length = of.len() / width;
    let mut out = vec![0f32; of.len()];
    for (row, numbers) in of.chunks_exact(width).enumerate() {
        for (column, number) in numbers.iter().enumerate() {
            out[column * length + row] = *number;
        }
    }
    out
}

/// `out[j] = sum over d of by[d] * columns[d][j]` for the first `count` columns of a matrix whose rows are `length` long.
#[inline(always)]
fn against(by: &[f32], columns: &[f32], length: usize, count: usize, out: &mut [f32]) {
    let out = &mut out[..count];
    out.fill(0.0);
    for (by, rows) in by.chunks_exact(4).zip(columns.chunks_exact(4 * length)) {
        let (a, b) = (&rows[..count], &rows[length..length + count]);
        let (c, d) = (&rows[2 * length..2 * length + count], &rows[3 * length..3 * length + count]);
        for column in 0..count {
            let sum = by[0].mul_add(a[column], by[1].mul_add(b[column], out[column]));
            out[column] = by[2].mul_add(c[column], by[3].mul_add(d[column], sum));
        }
    }
    let done = by.len() / 4 * 4;
    for (by, row) in by[done..].iter().zip(columns[done * length..].chunks_exact(length)) {
        for (out, number) in out.iter_mut().zip(row) {
            *out = by.mul_add(*number, *out);
        }
    }
}

/// `out += sum over j of by[j] * rows[j]`.
#[inline(always)]
fn weighted(by: &[f32], rows: &[f32], out: &mut [f32]) {
    let width = out.len();
    let fours = by.chunks_exact(4);
    let done = by.len() - fours.remainder().len();
    for (by, rows) in fours.zip(rows.chunks_exact(4 * width)) {
        let (a, b) = rows[..2 * width].split_at(width);
        let (c, d) = rows[2 * width..].split_at(width);
        for column in 0..width {
            let sum = by[0].mul_add(a[column], by[1].mul_add(b[column], out[column]));
            out[column] = by[2].mul_add(c[column], by[3].mul_add(d[column], sum));
        }
    }
    for (by, row) in by[done..].iter().zip(rows[done * width..].chunks_exact(width)) {
        for (out, number) in out.iter_mut().zip(row) {
            *out = by.mul_add(*number, *out);
        }
    }
}

/// `rows[j] += by[j] * row` for two rows at once.
#[inline(always)]
fn spread(by: [&[f32]; 2], row: [&[f32]; 2], rows: &mut [f32]) {
    let width = row[0].len();
    let (first, second) = (&row[0][..width], &row[1][..width]);
    for ((one, two), out) in by[0].iter().zip(by[1]).zip(rows.chunks_exact_mut(width)) {
        for column in 0..width {
            out[column] = one.mul_add(first[column], two.mul_add(second[column], out[column]));
        }
    }
}

/// `heads` of each row of `packed` (queries, keys, values; turned by their position), attended over `documents`.
pub(crate) fn forward(packed: &Tensor, heads: Heads, documents: &[Range<usize>]) -> Result<Kept> {
    let (tokens, row) = packed.dims2()?;
    let pieces = pieces(&heads, documents);
    let done: Vec<(Vec<f32>, Vec<f32>)> = view(packed, |packed| {
        pieces
            .par_iter()
            .map(|piece| {
                widest(
                    #[inline(always)]
                    || forward_piece(packed, row, heads, piece),
                )
            })
            .collect()
    })?;
    let width = heads.queries * heads.width;
    let mut out = vec![0f32; tokens * width];
    let of_token = owners(documents, tokens);
    by_rows(
        &mut out,
        width,
        #[inline(always)]
        |token, out| {
            let (document, place) = of_token[token];
            for (query, out) in out.chunks_exact_mut(heads.width).enumerate() {
                let (results, length) =
                    (&done[document * heads.keys + query / heads.group()].0, documents[document].len());
                let from = (query % heads.group() * length + place) * heads.width;
                out.copy_from_slice(&results[from..from + heads.width]);
            }
        },
    );
    Ok(Kept { out: tensor(out, tokens, width)?, sums: done.into_iter().map(|(_, sums)| sums).collect() })
}

/// For each token its document and its place in it.
fn owners(documents: &[Range<usize>], tokens: usize) -> Vec<(usize, usize)> {
    let mut owners = Vec::with_capacity(tokens);
    for (document, rows) in documents.iter().enumerate() {
        owners.extend((0..rows.len()).map(|place| (document, place)));
    }
    owners
}

/// The results (query head, token, number) and the logarithms of the sums (query head, token).
#[inline(always)]
fn forward_piece(packed: &[f32], row: usize, heads: Heads, piece: &Piece<'_>) -> (Vec<f32>, Vec<f32>) {
    let (width, length, group) = (heads.width, piece.rows.len(), heads.group());
    let keys = turned(&head(packed, row, piece.rows, (heads.queries + piece.key) * width, width), width);
    let values = head(packed, row, piece.rows, (heads.queries + heads.keys + piece.key) * width, width);
    let mut out = vec![0f32; group * length * width];
    let mut sums = Vec::with_capacity(group * length);
    let mut scores = vec![0f32; length];
    let places = (0..group).flat_map(|query| (0..length).map(move |place| (query, place)));
    for ((query, place), out) in places.zip(out.chunks_exact_mut(width)) {
        let at = (piece.rows.start + place) * row + (piece.key * group + query) * width;
        against(&packed[at..at + width], &keys, length, place + 1, &mut scores);
        let scores = &mut scores[..=place];
        let most = largest(scores) * heads.scale();
        let sum = exp_all(scores, heads.scale(), most);
        weighted(scores, &values, out);
        for number in out.iter_mut() {
            *number /= sum;
        }
        sums.push(most + sum.ln());
    }
    (out, sums)
}

/// The gradient of `packed`, given that of the result.
pub(crate) fn backward(
    packed: &Tensor,
    kept: &Kept,
    dout: &Tensor,
    heads: Heads,
    documents: &[Range<usize>],
) -> Result<Tensor> {
    let (tokens, row) = packed.dims2()?;
    let pieces = pieces(&heads, documents);
    let done: Vec<[Vec<f32>; 3]> = view(packed, |packed| {
        view(&kept.out, |out| {
            view(dout, |dout| {
                let of = |(piece, sums): (&Piece<'_>, &Vec<f32>)| {
                    let forward = Forward { packed, out, sums };
                    widest(
                        #[inline(always)]
                        || backward_piece(&forward, dout, row, heads, piece),
                    )
                };
                pieces.par_iter().zip(&kept.sums).map(of).collect()
            })
        })
    })???;
    let mut dpacked = vec![0f32; tokens * row];
    let of_token = owners(documents, tokens);
    by_rows(
        &mut dpacked,
        row,
        #[inline(always)]
        |token, out| {
            let (document, place) = of_token[token];
            let length = documents[document].len();
            for (number, out) in out.chunks_exact_mut(heads.width).enumerate() {
                let (key, kind, at) = match number.checked_sub(heads.queries) {
                    None => (number / heads.group(), 0, number % heads.group() * length + place),
                    Some(other) => (other % heads.keys, 1 + other / heads.keys, place),
                };
                let from = &done[document * heads.keys + key][kind];
                out.copy_from_slice(&from[at * heads.width..(at + 1) * heads.width]);
            }
        },
    );
    tensor(dpacked, tokens, row)
}

struct Forward<'a> {
    packed: &'a [f32],
    out: &'a [f32],
    sums: &'a [f32],
}

/// The gradients of the queries (query head, token, number), the keys and the values (token, number). Two tokens at a time, so that
/// the keys' and values' gradients are walked half as often.
#[inline(always)]
fn backward_piece(forward: &Forward<'_>, dout: &[f32], row: usize, heads: Heads, piece: &Piece<'_>) -> [Vec<f32>; 3] {
    let (width, length, group) = (heads.width, piece.rows.len(), heads.group());
    let wide = heads.queries * width;
    let keys = head(forward.packed, row, piece.rows, (heads.queries + piece.key) * width, width);
    let values = head(forward.packed, row, piece.rows, (heads.queries + heads.keys + piece.key) * width, width);
    let (keys_turned, values_turned) = (turned(&keys, width), turned(&values, width));
    let mut dqueries = vec![0f32; group * length * width];
    let mut dkeys = vec![0f32; length * width];
    let mut dvalues = vec![0f32; length * width];
    // Probabilities and the gradients of the scores of two neighbours; the first one's row ends with a zero.
    let mut chances = [vec![0f32; length], vec![0f32; length]];
    let mut dscores = [vec![0f32; length], vec![0f32; length]];
    for query in 0..group {
        let column = (piece.key * group + query) * width;
        for first in (0..length).step_by(2) {
            let both = [first, (first + 1).min(length - 1)];
            let seen = both[1] + 1;
            for (side, place) in both.into_iter().enumerate() {
                let (chances, dscores) = (&mut chances[side], &mut dscores[side]);
                chances[..seen].fill(0.0);
                dscores[..seen].fill(0.0);
                if side == 1 && place == first {
                    continue;
                }
                let token = piece.rows.start + place;
                let asked = &forward.packed[token * row + column..token * row + column + width];
                let at = token * wide + column..token * wide + column + width;
                let (dout, out) = (&dout[at.clone()], &forward.out[at]);
                against(asked, &keys_turned, length, place + 1, chances);
                exp_all(&mut chances[..=place], heads.scale(), forward.sums[query * length + place]);
                against(dout, &values_turned, length, place + 1, dscores);
                let mean = dot(dout, out);
                for (dscore, chance) in dscores[..=place].iter_mut().zip(&chances[..=place]) {
                    *dscore = chance * (*dscore - mean) * heads.scale();
                }
                let at = (query * length + place) * width;
                weighted(&dscores[..=place], &keys, &mut dqueries[at..at + width]);
            }
            let tokens = both.map(|place| piece.rows.start + place);
            let asked = tokens.map(|token| &forward.packed[token * row + column..token * row + column + width]);
            let douts = tokens.map(|token| &dout[token * wide + column..token * wide + column + width]);
            spread([&dscores[0][..seen], &dscores[1][..seen]], asked, &mut dkeys);
            spread([&chances[0][..seen], &chances[1][..seen]], douts, &mut dvalues);
        }
    }
    [dqueries, dkeys, dvalues]
}
