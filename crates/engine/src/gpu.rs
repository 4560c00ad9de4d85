//! How much of a model goes to a GPU, reckoned from what the devices have free before anything is loaded. Which devices there are is
//! llama.cpp's to tell; a build without a GPU backend knows of none.

use serde::Serialize;

use crate::{Error, machine};

/// Left free on each device: the buffers of a step, and whoever else draws on it.
const RESERVE: u64 = 768 << 20;

/// A device that computes beside the processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Device {
    /// llama.cpp's name: `CUDA0`, `Vulkan0`, `Metal`.
    pub name: String,
    /// The maker's name for it.
    pub description: String,
    /// Bytes of its memory.
    pub memory: u64,
    /// Bytes of it that were free before the model was loaded.
    pub free: u64,
}

/// How many of a model's layers go to GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GpuLayers {
    /// As many as the devices hold; none where there is no device.
    #[default]
    Auto,
    /// So many, or all where the model has fewer; 0: the processor alone.
    Count(u32),
}

impl std::str::FromStr for GpuLayers {
    type Err = String;

    /// `auto` or a number.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(GpuLayers::Auto),
            _ => {
                text.parse().map(GpuLayers::Count).map_err(|_| format!("{text} is neither auto nor a number of layers"))
            }
        }
    }
}

/// A model's layers on both sides. What follows the last layer (the output) counts as one, as llama.cpp counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    /// Layers on GPUs.
    pub layers: u32,
    /// Layers of the model.
    pub of: u32,
}

impl Split {
    /// As wished, where that can be. `bytes` are the model's weights and the cache of one context, taken as spread evenly over its
    /// `blocks`.
    ///
    /// # Errors
    /// [`Error::NoGpu`] where layers are wished on devices and there are none.
    pub fn of(wish: GpuLayers, blocks: u32, bytes: u64, devices: &[Device]) -> Result<Split, Error> {
        let of = blocks.saturating_add(1);
        let layers = match wish {
            GpuLayers::Count(count) if count > 0 && devices.is_empty() => return Err(nowhere()),
            GpuLayers::Count(count) => count.min(of),
            GpuLayers::Auto => {
                let each = bytes.div_ceil(u64::from(of)).max(1);
                // A layer lies on one device.
                let held: u64 = devices.iter().map(|device| device.free.saturating_sub(RESERVE) / each).sum();
                u32::try_from(held).unwrap_or(u32::MAX).min(of)
            }
        };
        Ok(Split { layers, of })
    }

    /// The part of `bytes` that lies on GPUs.
    pub fn on_gpu(self, bytes: u64) -> u64 {
        let part = u128::from(bytes) * u128::from(self.layers) / u128::from(self.of.max(1));
        u64::try_from(part).unwrap_or(u64::MAX)
    }

    /// The part that lies in the machine's own memory.
    pub fn on_cpu(self, bytes: u64) -> u64 {
        bytes - self.on_gpu(bytes)
    }

    /// Bytes that devices have left for the cache beside the weights; `None` where nothing lies on them.
    pub fn left(self, weights: u64, devices: &[Device]) -> Option<u64> {
        let free: u64 = devices.iter().map(|device| device.free.saturating_sub(RESERVE)).sum();
        (self.layers > 0).then(|| free.saturating_sub(self.on_gpu(weights)))
    }
}

fn nowhere() -> Error {
    let reason = match machine::gpu_backends().as_slice() {
        [] => "this portico computes on the processor alone; build it with --features cuda, vulkan or metal, or leave \
               --gpu-layers out"
            .to_owned(),
        built => format!(
            "no GPU is there for {}; look whether its driver is installed and this user may open the device, or leave \
             --gpu-layers out",
            built.join(" or ")
        ),
    };
    Error::NoGpu { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;

    fn devices(free: &[u64]) -> Vec<Device> {
        let device = |(number, free): (usize, &u64)| Device {
            name: format!("CUDA{number}"),
            description: "a card".into(),
            memory: 24 * GIB,
            free: *free,
        };
        free.iter().enumerate().map(device).collect()
    }

    fn split(wish: &str, bytes: u64, free: &[u64]) -> (u32, u32) {
        let split = Split::of(wish.parse().expect("a wish"), 32, bytes, &devices(free)).expect("it can be");
        (split.layers, split.of)
    }

    #[test]
    fn as_many_layers_as_the_devices_hold() {
        assert_eq!(split("auto", 8 * GIB, &[]), (0, 33));
        assert_eq!(split("auto", 8 * GIB, &[24 * GIB]), (33, 33));
        assert_eq!(split("auto", 33 * GIB, &[10 * GIB + RESERVE]), (10, 33));
        // Two devices of which each holds ten and a half.
        assert_eq!(split("auto", 33 * GIB, &[10 * GIB + GIB / 2 + RESERVE; 2]), (20, 33));
        assert_eq!(split("auto", 8 * GIB, &[RESERVE]), (0, 33));
        assert_eq!(split("auto", 0, &[GIB]), (33, 33));
    }

    #[test]
    fn a_number_is_kept_to() {
        assert_eq!(split("0", 8 * GIB, &[24 * GIB]), (0, 33));
        assert_eq!(split("0", 8 * GIB, &[]), (0, 33));
        assert_eq!(split("12", 8 * GIB, &[24 * GIB]), (12, 33));
        assert_eq!(split("999", 80 * GIB, &[GIB]), (33, 33));
        let refused = Split::of(GpuLayers::Count(1), 32, GIB, &[]).expect_err("nowhere");
        assert_eq!(refused.exit_code(), 3);
        assert!(refused.to_string().contains("leave --gpu-layers out"), "{refused}");
        for wrong in ["", "all of them", "-1", "1.5"] {
            assert!(wrong.parse::<GpuLayers>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_lies_where_adds_up() {
        let half = Split { layers: 1, of: 2 };
        assert_eq!((half.on_gpu(7), half.on_cpu(7)), (3, 4));
        assert_eq!(half.left(2 * GIB, &devices(&[4 * GIB + RESERVE])), Some(3 * GIB));
        let none = Split { layers: 0, of: 33 };
        assert_eq!((none.on_cpu(u64::MAX), none.left(GIB, &devices(&[24 * GIB]))), (u64::MAX, None));
        let all = Split { layers: 33, of: 33 };
        assert_eq!(all.on_gpu(u64::MAX), u64::MAX);
    }
}
