//! Checks of this machine: its clock, its limits, its processor.

use domain::{Clock, SystemClock, Timestamp};

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

pub(super) fn processor(_: &Config) -> Outcome {
    #[cfg(target_arch = "x86_64")]
    if !std::arch::is_x86_feature_detected!("avx2") {
        let advice = "models cannot run on this machine; reach one elsewhere with a [[provider]]";
        return Outcome::Warn("no AVX2".to_owned(), advice);
    }
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Outcome::Ok(format!(
        "{cores} cores, {}",
        if cfg!(target_arch = "x86_64") { "AVX2" } else { std::env::consts::ARCH }
    ))
}
