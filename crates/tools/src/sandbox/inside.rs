//! The process that walls itself in: a world of its own, limits, a filter of system calls; then the program, as that world's first
//! process, so that all it started ends with it; then what it left behind is brought out. It has one thread: the kernel asks that of
//! who makes a world.

use std::fs;
use std::io::{BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitCode, Stdio};

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, getegid, geteuid, getrlimit, set_dumpable_behavior,
    set_parent_process_death_signal, setrlimit,
};
use rustix::thread::{
    CapabilitySet, CapabilitySets, CpuSet, Gid, Uid, UnshareFlags, remove_capability_from_bounding_set,
    sched_getaffinity, sched_setaffinity, set_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid, unshare_unsafe,
};

use super::watch::Tree;
use super::wire::{self, File, Job, Report};
use super::{ADDRESSES, PROCESSES, SCRATCH, filter, root, watch};

/// Who the program is, to itself: nobody.
const NOBODY: u32 = 65_534;

/// What is said to who cannot be walled in.
type Refused = String;

/// Runs the program that standard input describes, walled in, and writes the report to standard output. For a process that does
/// nothing else, and has one thread.
pub fn enter() -> ExitCode {
    let answer = match wire::read_job(BufReader::new(std::io::stdin().lock())) {
        Ok((job, files)) => run(&job, files).map_or_else(wire::refusal, wire::report),
        Err(error) => wire::refusal(format!("the sandbox was not told what to run: {error}")),
    };
    let mut out = std::io::stdout().lock();
    match out.write_all(&answer).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn run(job: &Job, files: Vec<File>) -> Result<Report, Refused> {
    let processes = open("/proc", OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY, Mode::empty())
        .map_err(|error| format!("/proc cannot be read: {error}"))?;
    // Asked of the system once, while it can be asked.
    let page = rustix::param::page_size() as u64;
    be_somebody_small()?;
    new_world()?;
    root::build(&job.interpreter, &job.texts, &files)
        .map_err(|error| format!("this system does not let the sandbox build its own file system: {error}"))?;
    limit().map_err(|error| format!("the sandbox cannot be limited: {error}"))?;
    give_up_all().map_err(|error| format!("the sandbox cannot give up its rights: {error}"))?;
    filter::apply()?;
    let child = start(job).map_err(|error| format!("{} does not start: {error}", job.interpreter.display()))?;
    Ok(follow(child, &Tree { processes, page }, job, &files))
}

/// Root of this machine becomes nobody: limits on processes do not hold for root.
fn be_somebody_small() -> Result<(), Refused> {
    if !geteuid().is_root() {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    set_thread_groups(&[])
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        // What changed its owner may not be looked at by its new one, and so not write its own map of people.
        .and_then(|()| set_dumpable_behavior(DumpableBehavior::Dumpable))
        .map_err(|error| format!("the sandbox cannot become another than root: {error}"))
}

#[expect(unsafe_code, reason = "the wrapper is unsafe for the sake of a flag that is not used here")]
fn new_world() -> Result<(), Refused> {
    let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
    let all = UnshareFlags::NEWUSER
        | UnshareFlags::NEWNS
        | UnshareFlags::NEWPID
        | UnshareFlags::NEWNET
        | UnshareFlags::NEWIPC
        | UnshareFlags::NEWUTS
        | UnshareFlags::NEWCGROUP;
    // SAFETY: file descriptors stay shared with nobody: there is one thread, and FILES is not among the flags.
    unsafe { unshare_unsafe(all) }.map_err(|error| {
        format!(
            "this system gives the portal no namespaces of its own ({error}), so no code is run here: it takes a Linux kernel with \
             unprivileged user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns), under \
             systemd the drop-in portico-python.conf, in a container a seccomp profile that allows unshare and mount"
        )
    })?;
    fs::write("/proc/self/setgroups", "deny")
        .and_then(|()| fs::write("/proc/self/uid_map", format!("{NOBODY} {uid} 1")))
        .and_then(|()| fs::write("/proc/self/gid_map", format!("{NOBODY} {gid} 1")))
        .map_err(|error| format!("this system does not let the sandbox say who is who in it: {error}"))?;
    // Nobody in here makes a further world with rights of its own; the filter says so, too. A unit of systemd may forbid these two.
    let _ = fs::write("/proc/sys/user/max_user_namespaces", "0");
    let _ = rustix::system::sethostname(b"sandbox");
    Ok(())
}

/// The program's limits. They are this process's, too, and what it starts has no others.
fn limit() -> rustix::io::Result<()> {
    for (resource, most) in [
        (Resource::As, ADDRESSES),
        (Resource::Fsize, SCRATCH),
        (Resource::Core, 0),
        (Resource::Nofile, 128),
        (Resource::Nproc, PROCESSES),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 0),
    ] {
        let most = getrlimit(resource).maximum.map_or(most, |hard| hard.min(most));
        setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    // One processor: then the time on the clock bounds the processor's time, however many processes there are.
    let allowed = sched_getaffinity(None)?;
    let all: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu)).collect();
    let mine = usize::try_from(std::process::id()).unwrap_or_default() % all.len().max(1);
    if let Some(&cpu) = all.get(mine) {
        let mut one = CpuSet::new();
        one.set(cpu);
        sched_setaffinity(None, &one)?;
    }
    // People's answers come first.
    let _ = rustix::process::nice(10);
    Ok(())
}

/// Every right that a namespace gave, for good.
fn give_up_all() -> rustix::io::Result<()> {
    for bit in 0..64 {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            // Beyond the last right that this kernel knows.
            Err(rustix::io::Errno::INVAL) if bit > 0 => break,
            done => done?,
        }
    }
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    set_no_new_privs(true)
}

#[expect(unsafe_code, reason = "no safe wrapper does this in a child")]
fn start(job: &Job) -> std::io::Result<Child> {
    let mut command = Command::new(&job.interpreter);
    command.args(&job.arguments).env_clear().envs(job.environment.iter().cloned()).current_dir(root::WORK);
    let alone = || -> std::io::Result<()> {
        // Should this process be killed, the program goes with it.
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // Whatever the portal's own parent left open is closed when the program begins.
        // SAFETY: a system call with three numbers; no descriptor is closed that somebody here still uses.
        let closed = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        if closed == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
    };
    // SAFETY: between fork and exec two system calls are made, and nothing is allocated.
    unsafe { command.pre_exec(alone) };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
}

/// Waits for the end. The first process of a world takes all others with it, so that what is brought out lies still.
fn follow(mut child: Child, tree: &Tree, job: &Job, given: &[File]) -> Report {
    let watched = watch::until_the_end(&mut child, tree, job.wall());
    let _ = child.kill();
    let status = child.wait();
    let ended = watched.ended.unwrap_or_else(|| watch::how(status.ok()));
    let (files, left) = root::left_behind(given);
    Report { ended, stdout: watched.stdout, stderr: watched.stderr, files, left }
}

/// A process by its number.
pub(super) fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}
