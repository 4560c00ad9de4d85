//! How fast a model learns on this machine, beside what its matrix products alone would take:
//! `cargo run --release -p training --example pace -- [threads] [document's tokens]`.

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Tensor};
use training::{Architecture, Example, Examples, Model, Rope, Run, Schedule, Settings, Shape, Then, on_threads};

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<usize>());
    let threads = arguments.next().transpose()?.unwrap_or(2);
    let length = arguments.next().transpose()?.unwrap_or(128);
    on_threads(threads, || measure(length))?
}

#[expect(clippy::print_stdout, reason = "a program that prints figures")]
fn measure(length: usize) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let shape = Shape {
        architecture: Architecture::Llama,
        vocabulary: 4096,
        width: 256,
        layers: 6,
        heads: 8,
        key_heads: 4,
        head_width: 32,
        inner: 704,
        context: 512,
        epsilon: 1e-5,
        rope: Rope::Pairs,
        rope_base: 10_000.0,
        rope_factors: None,
        biases: false,
        head_norms: false,
        tied: true,
    };
    let document = |number: usize| Example::text((0..length).map(|at| (at * at + number) as u32 * 7 % 4096).collect());
    let examples = Examples::new((0..400).map(document).collect(), shape.vocabulary, shape.context)?;
    let settings = Settings {
        schedule: Schedule { peak: 1e-3, floor: 1e-4, warmup: 2, steps: 8 },
        batch_tokens: 4096,
        accumulate: 1,
        clip: 1.0,
        decay: 0.1,
        seed: 1,
        held_out_every: 100,
        checkpoint_every: Duration::from_secs(3600),
    };
    let parameters = shape.parameters();
    let mut model = Model::new(shape.clone(), 1)?;
    let mut paces = Vec::new();
    Run::new(&mut model, &examples, None, settings, None)?.go(|progress| {
        paces.push(progress.tokens_per_s);
        Then::GoOn
    })?;
    paces.sort_by(f64::total_cmp);
    let pace = paces[paces.len() / 2];
    // Forward one multiplication and addition for each parameter and token, back two; attention on top, half of it masked.
    let attention = 12 * shape.layers * shape.heads * shape.head_width * length / 2;
    let work = 6.0 * parameters as f64 + attention as f64;
    let product = product()?;
    println!(
        "{parameters} parameters, documents of {length} tokens: {pace:.0} tokens/s, {:.0} GFLOP/s",
        pace * work / 1e9
    );
    println!("matrix products alone (4096 x 256 x 1408): {product:.0} GFLOP/s");
    Ok(())
}

fn product() -> Result<f64, candle_core::Error> {
    let left = Tensor::ones((4096, 256), DType::F32, &Device::Cpu)?;
    let right = Tensor::ones((1408, 256), DType::F32, &Device::Cpu)?;
    left.matmul(&right.t()?)?;
    let begun = Instant::now();
    for _ in 0..50 {
        left.matmul(&right.t()?)?;
    }
    Ok(50.0 * 2.0 * (4096 * 256 * 1408) as f64 / begun.elapsed().as_secs_f64() / 1e9)
}
