//! Follows a program to its end: takes in what it says, looks at the clock and at the memory of all its processes, and at whether
//! anybody still waits. One thread: see `inside`.

use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Dir, Mode, OFlags, openat};
use rustix::process::Pid;

use super::wire::Ended;
use super::{MEMORY, SAID, inside};

/// How often clock and memory are looked at.
const TICK: Duration = Duration::from_millis(20);
/// How many processes are counted; a tree that has more is over every limit already.
const COUNTED: usize = 256;

/// What was seen.
#[derive(Default)]
pub(super) struct Watched {
    /// Why it was ended; absent where it ended itself.
    pub(super) ended: Option<Ended>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Where processes are looked at: this machine's `/proc`, opened while it was there, and the bytes of a page of memory.
pub(super) struct Tree {
    pub(super) processes: OwnedFd,
    pub(super) page: u64,
}

/// Until the program ends or has to be ended.
pub(super) fn until_the_end(child: &mut Child, tree: &Tree, wall: Duration) -> Watched {
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Watched::default();
    };
    let leash = std::io::stdin();
    let (mut said, mut moaned) = (Vec::new(), Vec::new());
    let (mut hears, mut sees) = (true, true);
    let began = Instant::now();
    let ended = loop {
        let mut fds = vec![PollFd::new(&leash, PollFlags::IN)];
        if hears {
            fds.push(PollFd::new(&stdout, PollFlags::IN));
        }
        if sees {
            fds.push(PollFd::new(&stderr, PollFlags::IN));
        }
        let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
        let _ = poll(&mut fds, Some(&tick));
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(fds);
        if ready[0] {
            // The other end closed: whoever waited is gone.
            break Some(Ended::Time);
        }
        let (first, second) = (hears && ready[1], sees && ready[1 + usize::from(hears)]);
        if first {
            hears = take(&mut stdout, &mut said);
        }
        if second {
            sees = take(&mut stderr, &mut moaned);
        }
        if said.len() > SAID || moaned.len() > SAID {
            break Some(Ended::Output);
        }
        if matches!(child.try_wait(), Ok(Some(_))) {
            break None;
        }
        if began.elapsed() > wall {
            break Some(Ended::Time);
        }
        if inside::pid(child).is_some_and(|first| held(tree, first) > MEMORY) {
            break Some(Ended::Memory);
        }
    };
    if ended.is_none() {
        // All other processes of its world are gone with it, so the pipes end.
        while hears && said.len() <= SAID {
            hears = take(&mut stdout, &mut said);
        }
        while sees && moaned.len() <= SAID {
            sees = take(&mut stderr, &mut moaned);
        }
    }
    let ended = ended.or((said.len() > SAID || moaned.len() > SAID).then_some(Ended::Output));
    said.truncate(SAID);
    moaned.truncate(SAID);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Watched { ended, stdout: text(said), stderr: text(moaned) }
}

/// Takes in what is there; `false` at the end.
fn take(from: &mut impl Read, into: &mut Vec<u8>) -> bool {
    let mut piece = [0; 16 << 10];
    match from.read(&mut piece) {
        Ok(0) | Err(_) => false,
        Ok(n) => {
            into.extend_from_slice(&piece[..n]);
            true
        }
    }
}

/// The memory of a process and all below it, in bytes: an orphan belongs to the first process of its world, so none is lost.
fn held(Tree { processes, page }: &Tree, first: Pid) -> u64 {
    let (mut all, mut waiting, mut seen) = (0, vec![first.as_raw_nonzero().get()], 0);
    while let Some(pid) = waiting.pop() {
        seen += 1;
        if seen > COUNTED {
            return u64::MAX;
        }
        let told = text_of(processes, &format!("{pid}/statm"));
        let word = |at: usize| told.split(' ').nth(at).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0);
        // Resident pages without those of files: libraries that all of them share count for nobody.
        all += word(1).saturating_sub(word(2)) * page;
        // Each thread has children of its own.
        let tasks = openat(
            processes,
            format!("{pid}/task"),
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        );
        for task in tasks.and_then(Dir::new).into_iter().flatten().flatten() {
            let task = task.file_name().to_string_lossy().into_owned();
            let children = text_of(processes, &format!("{pid}/task/{task}/children"));
            waiting.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
    }
    all
}

fn text_of(processes: &OwnedFd, path: &str) -> String {
    let mut text = String::new();
    let file = openat(processes, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    let _ = file.map(|file| fs::File::from(file).take(64 << 10).read_to_string(&mut text));
    text
}

/// How it ended by itself.
pub(super) fn how(status: Option<ExitStatus>) -> Ended {
    use std::os::unix::process::ExitStatusExt as _;
    match status {
        Some(status) => match status.code() {
            Some(code) => Ended::Exit(code),
            None => Ended::Signal(status.signal().unwrap_or(0)),
        },
        None => Ended::Signal(0),
    }
}
