//! Checks of this machine: its clock, its limits, its processor, and what the engine computes on.

use domain::{Clock, SystemClock, Timestamp};
use models::library::shown as size;

use super::Outcome;
use crate::config::Config;
use crate::data;

/// 2026-01-01T00:00:00Z: no Portico is older, so an earlier clock is wrong.
const BORN: Timestamp = Timestamp(1_767_225_600_000);
/// A thousand streams need two descriptors each, and the databases some.
const ENOUGH_FILES: u64 = 4096;

pub(super) fn clock(config: &Config) -> Outcome {
    let now = SystemClock::new().now();
    let advice = "set the clock (timedatectl set-ntp true): sessions, limits per day and certificates depend on it";
    if now < BORN {
        return Outcome::Fail("the clock stands before 2026".to_owned(), advice);
    }
    let written = std::fs::metadata(data::database(&config.data)).and_then(|file| file.modified());
    let written = written.ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let ahead = written.and_then(|at| i64::try_from(at.as_millis()).ok()).map_or(0, |at| Timestamp(at).ms_since(now));
    if ahead > 60_000 {
        return Outcome::Warn(format!("the database was written {} s in the future", ahead / 1000), advice);
    }
    Outcome::Ok("plausible".to_owned())
}

pub(super) fn open_files(_: &Config) -> Outcome {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    match limit {
        Some(limit) if limit < ENOUGH_FILES => {
            let advice = "raise it (LimitNOFILE= in systemd, ulimit -Hn): each open stream takes two";
            Outcome::Warn(format!("at most {limit}"), advice)
        }
        Some(limit) => Outcome::Ok(format!("at most {limit}")),
        None => Outcome::Ok("no limit".to_owned()),
    }
}

/// What the processor has of what the engine is compiled for, and how many threads a model gets there.
pub(super) fn processor(_: &Config) -> Outcome {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let sets = engine::machine::instruction_sets();
    let named = |there: bool| -> Vec<&str> { sets.iter().filter(|set| set.1 == there).map(|set| set.0).collect() };
    let missing = named(false);
    if !missing.is_empty() {
        let advice = "models cannot run on this machine; reach one elsewhere with a [[provider]]";
        return Outcome::Warn(format!("{cores} cores, without {}", missing.join(", ")), advice);
    }
    let has = if sets.is_empty() { std::env::consts::ARCH.to_owned() } else { named(true).join(", ") };
    let threads = engine::machine::physical_cores();
    Outcome::Ok(format!("{cores} cores, {has}; a model computes with {threads} threads where nobody says"))
}

/// Whether the system gives the worker large pages, for which it asks (`admin-guide/mm/transhuge.rst` of Linux).
pub(super) fn large_pages(_: &Config) -> Outcome {
    let text = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    match text.split(['[', ']']).nth(1) {
        None => Outcome::Ok("not known on this system".to_owned()),
        Some("never") => {
            let advice =
                "write madvise into /sys/kernel/mm/transparent_hugepage/enabled: models on the processor answer sooner";
            Outcome::Warn("switched off".to_owned(), advice)
        }
        Some(when) => Outcome::Ok(when.to_owned()),
    }
}

/// What models that run here compute on.
pub(super) fn engine(_: &Config) -> Outcome {
    if !cfg!(feature = "engine") {
        return Outcome::Ok("not built in: models are reached elsewhere".to_owned());
    }
    let backends = engine::machine::gpu_backends();
    if backends.is_empty() {
        return Outcome::Ok("llama.cpp, on the processor".to_owned());
    }
    let backends = backends.join(", ");
    let devices: Vec<String> = engine::devices().iter().map(shown).collect();
    if devices.is_empty() {
        let advice =
            "install its driver, and give this user the right to open the device; until then the processor computes";
        return Outcome::Warn(format!("llama.cpp with {backends}, and no device"), advice);
    }
    Outcome::Ok(format!("llama.cpp with {backends}: {}", devices.join("; ")))
}

fn shown(device: &engine::Device) -> String {
    let engine::Device { name, description, memory, free } = device;
    format!("{name} {description}, {} of {} free", size(*free), size(*memory))
}
