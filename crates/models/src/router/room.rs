//! How many requests a back end is busy with, and how many it may have: a count that is a value, so that no way out of a request
//! forgets to lower it. Who comes next where there is no room is the queue's.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Queue;

/// The room of one deployment, or of one alias over all its deployments.
pub(crate) struct Room {
    limit: AtomicUsize,
    taken: AtomicUsize,
    /// How many wait for a place here; nobody overtakes them.
    wanted: AtomicUsize,
    /// When a place was given back last, in milliseconds after `began`.
    used: AtomicU64,
    began: Instant,
    /// The mean time for which a place is held, in microseconds; 0 where none was given back yet.
    held: AtomicU64,
    /// How far the queue's virtual time has come here; see [`Queue`].
    pub(super) served: AtomicU64,
    /// Scratch of the queue while it counts who stands before whom.
    pub(super) ahead: AtomicU32,
    /// Whether other portals send requests there, too: each has its share of the limit.
    shared: bool,
    queue: Arc<Queue>,
}

/// One request that counts until this is dropped: by its end, a cancel or a panic.
pub(crate) struct Hold {
    room: Arc<Room>,
    since: Instant,
    /// It was never used.
    quiet: bool,
}

impl Room {
    /// `limit`: how many requests fit; `None`: as many as come.
    pub(crate) fn new(limit: Option<u32>, queue: &Arc<Queue>) -> Arc<Room> {
        Room::with(limit, queue, true)
    }

    /// The same at a worker of this machine, where no other portal asks.
    pub(crate) fn own(limit: Option<u32>, queue: &Arc<Queue>) -> Arc<Room> {
        Room::with(limit, queue, false)
    }

    fn with(limit: Option<u32>, queue: &Arc<Queue>, shared: bool) -> Arc<Room> {
        let room = Room {
            limit: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            wanted: AtomicUsize::new(0),
            used: AtomicU64::new(0),
            began: Instant::now(),
            held: AtomicU64::new(0),
            served: AtomicU64::new(0),
            ahead: AtomicU32::new(0),
            shared,
            queue: queue.clone(),
        };
        room.limit.store(fitting(limit), Ordering::Relaxed);
        Arc::new(room)
    }

    pub(crate) fn set_limit(&self, limit: Option<u32>) {
        if self.limit.swap(fitting(limit), Ordering::SeqCst) != fitting(limit) && self.is_wanted() {
            self.queue.serve();
        }
    }

    /// How many fit, as far as they come from this portal.
    pub(crate) fn limit(&self) -> Option<usize> {
        Some(self.fitting()).filter(|limit| *limit != usize::MAX)
    }

    /// Portals know nothing of each other's requests, so each takes an equal part of what a back end can do. A part is one place at least:
    /// more portals than places ask for more than the limit says.
    fn fitting(&self) -> usize {
        match self.limit.load(Ordering::Relaxed) {
            limit if !self.shared || limit == usize::MAX => limit,
            limit => (limit / self.queue.portals()).max(1.min(limit)),
        }
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// How many wait for a place here, and perhaps elsewhere, too.
    pub(crate) fn waiting(&self) -> usize {
        self.wanted.load(Ordering::Relaxed)
    }

    /// For how long nobody has been here or wanted to be; `None` where somebody is.
    pub(crate) fn idle(&self) -> Option<Duration> {
        let busy = self.taken() > 0 || self.is_wanted();
        let used = Duration::from_millis(self.used.load(Ordering::SeqCst));
        (!busy).then(|| self.began.elapsed().saturating_sub(used))
    }

    /// Somebody has just been here.
    pub(crate) fn touch(&self) {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.used.store(now, Ordering::SeqCst);
    }

    pub(super) fn mean_held(&self) -> Option<Duration> {
        Some(self.held.load(Ordering::Relaxed)).filter(|micros| *micros > 0).map(Duration::from_micros)
    }

    /// A place, where there is one that nobody waits for.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<Hold> {
        if self.is_wanted() { None } else { self.take() }
    }

    /// A place, whoever waits: for the queue, which knows who that is.
    pub(super) fn take(self: &Arc<Self>) -> Option<Hold> {
        // The order matters between this and `wanted`: who leaves lowers `taken` and then looks at `wanted`, who waits raises
        // `wanted` and then looks at `taken`, so at least one of them sees the other.
        let more = |taken: usize| (taken < self.fitting()).then_some(taken + 1);
        self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).ok()?;
        Some(Hold { room: self.clone(), since: Instant::now(), quiet: false })
    }

    pub(super) fn want(&self) {
        self.wanted.fetch_add(1, Ordering::SeqCst);
    }

    pub(super) fn unwant(&self) {
        self.wanted.fetch_sub(1, Ordering::SeqCst);
    }

    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) > 0
    }
}

impl Hold {
    pub(super) fn room(&self) -> &Arc<Room> {
        &self.room
    }

    /// Gives the place back without asking the queue who comes next: for the queue itself.
    pub(super) fn give_back(mut self) {
        self.quiet = true;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if self.quiet {
            self.room.taken.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        self.room.touch();
        let took = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX).max(1);
        // An eighth of the latest: a few answers in, the mean follows what people ask now.
        let mean = |known: u64| Some(if known == 0 { took } else { known - known / 8 + took / 8 });
        let _ = self.room.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, mean);
        self.room.taken.fetch_sub(1, Ordering::SeqCst);
        if self.room.is_wanted() {
            self.room.queue.serve();
        }
    }
}

fn fitting(limit: Option<u32>) -> usize {
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}
