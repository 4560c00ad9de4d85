//! Eyes for stories260K: projectors with random weights, of the simplest kinds that llama.cpp has, and pictures to look at. None can be
//! downloaded here; what they see means nothing, but it is the same for whoever computes it right.

use std::path::Path;

use super::written::{Meta, write};

/// Sides of a picture and of its patches, and numbers of a place.
const SIDE: u32 = 64;
const PATCH: u32 = 8;
const INNER: u64 = 32;
const FORWARD: u64 = 64;
const LAYERS: u32 = 2;
/// Numbers of a place as stories260K reads them.
const MODEL: u64 = 64;

/// A kind of projector.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// LLaVA's: each patch is a place, and sees what is before it.
    Causal,
    /// Gemma 3's: four patches are a place, and all places see one another.
    Whole,
}

impl Kind {
    /// Places of a picture.
    pub(crate) fn places(self) -> u64 {
        let patches = u64::from(SIDE / PATCH).pow(2);
        if self == Kind::Causal { patches } else { patches / 4 }
    }
}

/// Bits that are the same for the same seed.
fn bits(seed: u64) -> impl FnMut() -> u16 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u16::try_from(state >> 48).expect("16 bits")
    }
}

/// Numbers between -1 and 1.
fn random(seed: u64) -> impl FnMut() -> f32 {
    let mut bits = bits(seed);
    move || f32::from(bits()) / 32_768.0 - 1.0
}

/// Writes a projector for a model that reads `width` numbers of a place.
pub(crate) fn write_projector(path: &Path, kind: Kind, width: u64) {
    let mut tensors: Vec<(String, Vec<u64>, f32)> = Vec::new();
    let mut add = |name: &str, shape: &[u64], size: f32| tensors.push((name.into(), shape.to_vec(), size));
    let patches = u64::from(SIDE / PATCH).pow(2);
    add("v.patch_embd.weight", &[PATCH.into(), PATCH.into(), 3, INNER], 0.1);
    add("v.position_embd.weight", &[INNER, patches], 0.5);
    for norm in ["v.pre_ln", "v.post_ln"] {
        add(&format!("{norm}.weight"), &[INNER], 1.0);
        add(&format!("{norm}.bias"), &[INNER], 0.1);
    }
    for layer in 0..LAYERS {
        for (name, from, to) in [
            ("attn_q", INNER, INNER),
            ("attn_k", INNER, INNER),
            ("attn_v", INNER, INNER),
            ("attn_out", INNER, INNER),
            ("ffn_up", INNER, FORWARD),
            ("ffn_down", FORWARD, INNER),
        ] {
            add(&format!("v.blk.{layer}.{name}.weight"), &[from, to], 0.3);
            add(&format!("v.blk.{layer}.{name}.bias"), &[to], 0.1);
        }
        for norm in ["ln1", "ln2"] {
            add(&format!("v.blk.{layer}.{norm}.weight"), &[INNER], 1.0);
            add(&format!("v.blk.{layer}.{norm}.bias"), &[INNER], 0.1);
        }
    }
    match kind {
        Kind::Causal => {
            add("mm.0.weight", &[INNER, width], 0.3);
            add("mm.0.bias", &[width], 0.1);
            add("mm.2.weight", &[width, width], 0.3);
            add("mm.2.bias", &[width], 0.1);
        }
        Kind::Whole => {
            add("mm.input_projection.weight", &[width, INNER], 0.5);
            add("mm.soft_emb_norm.weight", &[INNER], 1.0);
        }
    }
    let mut random = random(7);
    let numbers: Vec<Vec<f32>> =
        tensors.iter().map(|(_, shape, size)| (0..shape.iter().product()).map(|_| random() * size).collect()).collect();
    let tensors: Vec<_> = tensors
        .into_iter()
        .zip(&numbers)
        .map(|((name, shape, _), numbers)| (name, shape, numbers.as_slice()))
        .collect();
    let whole = |number: u64| Meta::Whole(u32::try_from(number).expect("small"));
    let meta = [
        ("general.architecture", Meta::Text("clip")),
        ("general.name", Meta::Text("random eyes")),
        ("clip.has_vision_encoder", Meta::Flag(true)),
        ("clip.projector_type", Meta::Text(if kind == Kind::Causal { "mlp" } else { "gemma3" })),
        ("clip.use_gelu", Meta::Flag(true)),
        ("clip.vision.image_size", Meta::Whole(SIDE)),
        ("clip.vision.patch_size", Meta::Whole(PATCH)),
        ("clip.vision.embedding_length", whole(INNER)),
        ("clip.vision.feed_forward_length", whole(FORWARD)),
        ("clip.vision.block_count", Meta::Whole(LAYERS)),
        ("clip.vision.attention.head_count", Meta::Whole(2)),
        ("clip.vision.projection_dim", whole(width)),
        ("clip.vision.attention.layer_norm_epsilon", Meta::Number(1e-5)),
        ("clip.vision.projector.scale_factor", Meta::Whole(2)),
        ("clip.vision.image_mean", Meta::Numbers(&[0.5; 3])),
        ("clip.vision.image_std", Meta::Numbers(&[0.5; 3])),
    ];
    write(path, &meta, &tensors);
}

/// A projector for stories260K.
pub(crate) fn write_eyes(path: &Path, kind: Kind) {
    write_projector(path, kind, MODEL);
}

/// Red, green and blue of a picture of coloured noise: another for each seed.
pub(crate) fn picture(seed: u64, width: u32, height: u32) -> Vec<u8> {
    let mut bits = bits(seed);
    (0..width * height * 3).map(|_| u8::try_from(bits() >> 8).expect("a byte")).collect()
}
