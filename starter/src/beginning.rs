//! How the model begins: random numbers, and in its first two layers the circuit that finds what followed the same token before and copies it
//! (induction heads: Olsson et al., 2022, <https://arxiv.org/abs/2209.11895>). A model this small would learn it, too, but only after many more
//! tokens than there are hours for; what it copies, and when, is learned.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use candle_core::{Device, Tensor};
use training::{Model, Shape};

use crate::dice::Dice;

/// The first numbers of each row between the layers: one that is the same for all tokens, then those that tell of the token before.
const RESERVED: usize = 32;
/// The deviation of a fresh embedding, as the trainer draws it, and how far the constant number stands out.
const DEVIATION: f32 = 0.02;
const CONSTANT: f32 = 3.0 * DEVIATION;
/// How sharply the first layer looks one token back, and the second at an equal one.
const BACK: f32 = 2.4;
const EQUAL: f32 = 1.5;
/// Pairs of a head that turn too fast to compare tokens that are far from each other.
const FAST: usize = 6;

/// A model of this shape.
///
/// # Errors
/// When the shape has no room for the circuit.
pub fn model(shape: &Shape, seed: u64) -> Result<Model> {
    let (width, head) = (shape.width, shape.head_width);
    ensure!(
        shape.layers >= 2 && head == RESERVED && shape.heads * head == width && shape.key_heads == shape.heads,
        "no room for the circuit"
    );
    let mut tensors: BTreeMap<String, Tensor> = Model::new(shape.clone(), seed)?.tensors()?.into_iter().collect();
    let mut change = |name: &str, write: &mut dyn FnMut(&mut [f32], usize)| -> Result<()> {
        let Some(tensor) = tensors.get_mut(name) else { return Ok(()) };
        let columns = tensor.dims()[1];
        let mut numbers: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
        write(&mut numbers, columns);
        *tensor = Tensor::from_vec(numbers, tensor.dims(), &Device::Cpu)?;
        Ok(())
    };
    let spread = ((width - RESERVED) as f32).sqrt();
    let mut dice = Dice::new(seed, 0);
    let mut sign = || if dice.percent(50) { 1.0 / spread } else { -1.0 / spread };
    let glance: Vec<Vec<f32>> = (0..head).map(|_| (RESERVED..width).map(|_| sign()).collect()).collect();
    let theta = |pair: usize| (shape.rope_base as f32).powf(-(pair as f32) / (head / 2) as f32);

    change("token_embd.weight", &mut |table, columns| {
        for row in table.chunks_exact_mut(columns) {
            row[..RESERVED].fill(0.0);
            row[0] = CONSTANT;
        }
    })?;
    // The first head of the first layer looks at the token before: its scores depend on the distance alone.
    change("blk.0.attn_q.weight", &mut |matrix, columns| {
        for (row, numbers) in matrix.chunks_exact_mut(columns).take(head).enumerate() {
            numbers.fill(0.0);
            numbers[0] = if row % 2 == 0 { BACK } else { 0.0 };
        }
    })?;
    change("blk.0.attn_k.weight", &mut |matrix, columns| {
        for (row, numbers) in matrix.chunks_exact_mut(columns).take(head).enumerate() {
            numbers.fill(0.0);
            let angle = theta(row / 2);
            numbers[0] = BACK * if row % 2 == 0 { angle.cos() } else { angle.sin() };
        }
    })?;
    // It notes what it saw, in few numbers, where there was nothing.
    change("blk.0.attn_v.weight", &mut |matrix, columns| {
        for (numbers, seen) in matrix.chunks_exact_mut(columns).zip(&glance) {
            numbers.fill(0.0);
            numbers[RESERVED..].copy_from_slice(seen);
        }
    })?;
    change("blk.0.attn_output.weight", &mut |matrix, columns| {
        for (row, numbers) in matrix.chunks_exact_mut(columns).enumerate() {
            numbers[..head].fill(0.0);
            if (1..head).contains(&row) {
                numbers[row] = 1.5 * DEVIATION;
            }
        }
    })?;
    // The heads of the second layer look where the token before was the one that is here now, and each brings a part of the token there.
    change("blk.1.attn_q.weight", &mut |matrix, columns| {
        for (row, numbers) in matrix.chunks_exact_mut(columns).enumerate() {
            let row = row % head;
            numbers.fill(0.0);
            if row >= 2 * FAST {
                numbers[RESERVED..].iter_mut().zip(&glance[row]).for_each(|(number, seen)| *number = EQUAL * seen);
            }
        }
    })?;
    change("blk.1.attn_k.weight", &mut |matrix, columns| {
        for (row, numbers) in matrix.chunks_exact_mut(columns).enumerate() {
            let row = row % head;
            numbers.fill(0.0);
            if row >= 2 * FAST {
                numbers[row] = EQUAL;
            }
        }
    })?;
    let part = (width - RESERVED).div_ceil(shape.heads);
    let brought = |row: usize| {
        let place = RESERVED + row / head * part + row % head;
        (row % head < part && place < width).then_some(place)
    };
    change("blk.1.attn_v.weight", &mut |matrix, columns| {
        for (row, numbers) in matrix.chunks_exact_mut(columns).enumerate() {
            numbers.fill(0.0);
            if let Some(place) = brought(row) {
                numbers[place] = 1.0;
            }
        }
    })?;
    change("blk.1.attn_output.weight", &mut |matrix, columns| {
        matrix.fill(0.0);
        for (row, place) in (0..columns).filter_map(|row| Some((row, brought(row)?))) {
            matrix[place * columns + row] = 3.0 * DEVIATION;
        }
    })?;
    Ok(Model::of_tensors(shape.clone(), tensors)?)
}
