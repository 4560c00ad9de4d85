//! What a process gives up before it reads a file that may be hostile: memory and time beyond the limits, files, new processes, and,
//! where the kernel has Landlock, every path and port.

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetStatus,
    Scope,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::limits;

/// How far it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confined {
    /// Limits, and no path and no port can be opened.
    Wholly,
    /// As far as this kernel's Landlock goes.
    Partly,
    /// Limits alone: this kernel has no Landlock.
    LimitsOnly,
}

/// Confines this process for good. What is open stays open; `written` is how large a file may grow under its hands (0: none, where
/// standard output is a pipe).
///
/// # Errors
/// A limit that could not be set.
pub fn confine(written: u64) -> std::io::Result<Confined> {
    for (resource, most) in [
        (Resource::As, limits::MEMORY),
        (Resource::Cpu, limits::CPU.as_secs()),
        (Resource::Fsize, written),
        (Resource::Core, 0),
        // It has its standard streams and the file.
        (Resource::Nofile, 8),
        // Not held against root, by the kernel's rule.
        (Resource::Nproc, 0),
    ] {
        let most = getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    landlock().map_err(std::io::Error::other)
}

/// No rule is added: everything that the kernel's Landlock handles is refused.
fn landlock() -> Result<Confined, landlock::RulesetError> {
    let abi = ABI::V6;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))?
        .handle_access(AccessNet::from_all(abi))?
        .scope(Scope::from_all(abi))?
        .create()?
        .restrict_self()?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Confined::Wholly,
        RulesetStatus::PartiallyEnforced => Confined::Partly,
        RulesetStatus::NotEnforced => Confined::LimitsOnly,
    })
}
