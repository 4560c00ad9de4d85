//! Small models and documents that tests share.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use training::{Architecture, Example, Model, Rope, Shape};

/// A model of each kind: groups of heads, both ways to turn, biases, norms of heads, its own last matrix.
pub(crate) fn shapes() -> [Shape; 3] {
    let llama = Shape {
        architecture: Architecture::Llama,
        vocabulary: 23,
        width: 20,
        layers: 2,
        heads: 4,
        key_heads: 2,
        head_width: 6,
        inner: 18,
        context: 64,
        epsilon: 1e-5,
        rope: Rope::Pairs,
        rope_base: 10_000.0,
        rope_factors: Some(vec![1.0, 2.0, 8.0]),
        biases: false,
        head_norms: false,
        tied: true,
    };
    let qwen2 = Shape {
        architecture: Architecture::Qwen2,
        rope: Rope::Halves,
        rope_factors: None,
        biases: true,
        tied: false,
        ..llama.clone()
    };
    let qwen3 = Shape { architecture: Architecture::Qwen3, biases: false, head_norms: true, ..qwen2.clone() };
    [llama, qwen2, qwen3]
}

/// Numbers between -1 and 1 that look random.
pub(crate) fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    // The first ones after a small seed are small.
    std::iter::repeat_with(next).skip(50).take(count).collect()
}

/// A model whose numbers are large enough that every part of it matters, biases and norms, too.
pub(crate) fn lively(shape: &Shape, seed: u64) -> Model {
    Model::of_tensors(shape.clone(), tensors(shape, seed)).unwrap()
}

pub(crate) fn tensors(shape: &Shape, seed: u64) -> BTreeMap<String, Tensor> {
    let fresh = Model::new(shape.clone(), seed).unwrap().tensors().unwrap();
    let of = |(number, (name, tensor)): (usize, (String, Tensor))| {
        let size = if name.ends_with("norm.weight") { 1.0 } else { 0.5 };
        let middle = if name.ends_with("norm.weight") { 1.3 } else { 0.0 };
        let numbers = noise(seed + number as u64, tensor.elem_count());
        let numbers = numbers.into_iter().map(|number| middle + size * number).collect();
        (name, Tensor::from_vec(numbers, tensor.dims(), &Device::Cpu).unwrap())
    };
    fresh.into_iter().enumerate().map(of).collect()
}

/// Documents of several lengths, of which some tokens are not learned.
pub(crate) fn documents(vocabulary: usize, lengths: &[usize]) -> Vec<Example> {
    let one = |(number, length): (usize, &usize)| {
        let at = |place: usize| (place * place * 7 + place * (number + 3) + number * 5) % vocabulary;
        let tokens = (0..*length).map(|place| at(place) as u32).collect();
        let learned = (0..*length).map(|place| (place + number) % 3 != 0).collect();
        Example { tokens, learned }
    };
    lengths.iter().enumerate().map(one).collect()
}
