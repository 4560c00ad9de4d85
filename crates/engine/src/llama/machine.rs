//! What the machine offers: instruction sets, cores and free memory. Linux's own files where they exist; no guess where they do not.

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

/// Bytes that can be had without swapping: what the machine has and what the control group still allows, the smaller of the two.
pub(super) fn free_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let machine = kib * 1024;
    Some(group_memory().map_or(machine, |group| group.min(machine)))
}

fn group_memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let read = |file: &str| fs::read_to_string(format!("/sys/fs/cgroup/{group}/{file}")).ok();
    let most: u64 = read("memory.max")?.trim().parse().ok()?;
    let used: u64 = read("memory.current")?.trim().parse().ok()?;
    // Cached file pages count as used, but make way.
    let cached = read("memory.stat")
        .and_then(|stat| stat.lines().find_map(|line| line.strip_prefix("file ").and_then(|bytes| bytes.parse().ok())))
        .unwrap_or(0);
    Some(most.saturating_sub(used.saturating_sub(cached)))
}
