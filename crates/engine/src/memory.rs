//! The memory that a model may be given: what the machine has and what the control group of this process still allows. Linux's own
//! files where they exist; no guess where they do not.

use std::fs;

/// Bytes that can be had without swapping: what the machine has and what the control group still allows, the smaller of the two.
pub fn free() -> Option<u64> {
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
