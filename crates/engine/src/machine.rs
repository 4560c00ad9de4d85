//! What the machine offers a model: instruction sets, cores, and how many of them compute. Linux's own files where they exist; no guess
//! where they do not.

use std::{collections::HashSet, fs};

use crate::Error;

/// Weights in bytes below which one thread computes: a step is so short then that threads would mostly wait for each other, and on a busy
/// machine for the processor (a step of the 1 MB test model takes 0.3 ms alone, and tens of ms when two threads share a core with other
/// work).
const WORTH_A_THREAD: u64 = 32 << 20;

/// The instruction sets that the C++ is compiled for on this kind of processor (`.cargo/config.toml`), and whether it has them. Empty
/// where nothing beyond the processor's usual ones is used.
pub fn instruction_sets() -> Vec<(&'static str, bool)> {
    #[cfg(target_arch = "x86_64")]
    return vec![
        ("AVX2", std::is_x86_feature_detected!("avx2")),
        ("FMA", std::is_x86_feature_detected!("fma")),
        ("F16C", std::is_x86_feature_detected!("f16c")),
        ("BMI2", std::is_x86_feature_detected!("bmi2")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}

/// Refuses a processor that would die of an illegal instruction.
///
/// # Errors
/// [`Error::Processor`] with what is missing.
pub fn check_processor() -> Result<(), Error> {
    suits(&instruction_sets())
}

fn suits(sets: &[(&str, bool)]) -> Result<(), Error> {
    let missing: Vec<_> = sets.iter().filter(|(_, there)| !there).map(|(name, _)| *name).collect();
    if missing.is_empty() { Ok(()) } else { Err(Error::Processor { missing: missing.join(", ") }) }
}

/// The GPU backends that this build has, by llama.cpp's names.
pub fn gpu_backends() -> Vec<&'static str> {
    let built =
        [("cuda", cfg!(feature = "cuda")), ("vulkan", cfg!(feature = "vulkan")), ("metal", cfg!(feature = "metal"))];
    built.into_iter().filter(|(_, built)| *built).map(|(name, _)| name).collect()
}

/// Threads that compute a model of so many bytes where nobody says: the physical cores, one for a very small model.
pub fn threads_for(weights: u64) -> u32 {
    if weights < WORTH_A_THREAD { 1 } else { physical_cores() }
}

/// Cores without their second threads, which share the arithmetic that a model lives on.
pub fn physical_cores() -> u32 {
    let allowed = std::thread::available_parallelism().map_or(1, usize::from);
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cores = cores_in(&text);
    let cores = if cores == 0 { allowed } else { cores.min(allowed) };
    u32::try_from(cores).unwrap_or(1)
}

/// The processors that this process may run on, by number; none where the system does not tell (`proc_pid_status(5)`).
pub fn processors() -> Vec<usize> {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = text.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.and_then(numbers_in).unwrap_or_default()
}

/// The numbers of a list such as `0-3,8`.
fn numbers_in(list: &str) -> Option<Vec<usize>> {
    let of = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    let ranges: Option<Vec<_>> = list.trim().split(',').map(of).collect();
    Some(ranges?.into_iter().flatten().collect())
}

/// The cores that `/proc/cpuinfo` tells apart; 0 where it tells of none (arm64, most containers of it).
fn cores_in(text: &str) -> usize {
    let of = |block: &str, key: &str| {
        let line = block.lines().find(|line| line.starts_with(key))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let cores: HashSet<_> =
        text.split("\n\n").filter_map(|block| Some((of(block, "physical id")?, of(block, "core id")?))).collect();
    cores.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_that_lacks_something_is_told_what() {
        let all = [("AVX2", true), ("FMA", true), ("F16C", true), ("BMI2", true)];
        assert!(suits(&all).is_ok() && suits(&[]).is_ok());
        let old = [("AVX2", false), ("FMA", false), ("F16C", true), ("BMI2", true)];
        let error = suits(&old).expect_err("it lacks two");
        assert_eq!(
            error.to_string(),
            "this processor lacks AVX2, FMA, which the engine needs; run the model on another machine and add that as a provider"
        );
        assert_eq!(error.exit_code(), 3);
    }

    #[test]
    fn a_list_of_processors_is_read() {
        assert_eq!(numbers_in("\t0-2,5,8-9\n"), Some(vec![0, 1, 2, 5, 8, 9]));
        assert_eq!(numbers_in("0"), Some(vec![0]));
        assert_eq!(numbers_in(""), None);
        let here = std::thread::available_parallelism().map_or(1, usize::from);
        let all = processors();
        assert!(all.is_empty() || all.len() >= here, "{all:?}");
    }

    #[test]
    fn second_threads_are_no_cores() {
        let block =
            |socket, core| format!("processor\t: 0\nphysical id\t: {socket}\ncore id\t\t: {core}\nflags\t: avx2\n");
        let two_by_two = [block(0, 0), block(0, 1), block(0, 0), block(0, 1), block(1, 0), block(1, 1)].join("\n");
        assert_eq!(cores_in(&two_by_two), 4);
        assert_eq!(cores_in("processor : 0\nBogoMIPS : 50.00\n"), 0);
        assert_eq!(threads_for(1 << 20), 1);
        assert!(threads_for(1 << 30) >= 1);
    }
}
