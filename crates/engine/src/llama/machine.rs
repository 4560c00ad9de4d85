//! What the machine offers: instruction sets and cores. Linux's own files where they exist; no guess where they do not.

use std::{collections::HashSet, fs};

use crate::Error;

/// Refuses a processor that would die of an illegal instruction.
pub(super) fn check_processor() -> Result<(), Error> {
    #[cfg(target_arch = "x86_64")]
    {
        let sets = [
            ("AVX2", std::is_x86_feature_detected!("avx2")),
            ("FMA", std::is_x86_feature_detected!("fma")),
            ("F16C", std::is_x86_feature_detected!("f16c")),
            ("BMI2", std::is_x86_feature_detected!("bmi2")),
        ];
        let missing: Vec<_> = sets.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect();
        if !missing.is_empty() {
            return Err(Error::Processor { missing: missing.join(", ") });
        }
    }
    Ok(())
}

/// Cores without their second threads, which share the arithmetic that a model lives on.
pub(super) fn physical_cores() -> u32 {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of = |block: &str, key: &str| {
        let line = block.lines().find(|line| line.starts_with(key))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let cores: HashSet<_> =
        text.split("\n\n").filter_map(|block| Some((of(block, "physical id")?, of(block, "core id")?))).collect();
    let cores = if cores.is_empty() { allowed } else { cores.len().min(allowed) };
    u32::try_from(cores).unwrap_or(1)
}
