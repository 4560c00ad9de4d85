//! A model's eyes at work: a thread of their own, which looks at one picture after the other while answers go on, and remembers what it saw. It
//! gives way to whoever computes answers: a step takes no longer for it than the machine has too few processors.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
};

use tokio::sync::oneshot;

use super::{Refused, Sent};
use crate::backend::{Seen, Sight};

/// Pictures that may wait; one more is refused.
const LONGEST_QUEUE: usize = 64;
/// Bytes of what is remembered.
const MEMORY: usize = 256 << 20;
/// How much the eyes give way to others, as `nice` counts it.
#[cfg(target_os = "linux")]
const NICE: i32 = 10;

/// Where pictures are handed in. The thread ends when this is gone.
pub struct Eyes {
    inbox: Sender<Job>,
    waiting: Arc<AtomicUsize>,
}

struct Job {
    picture: Sent,
    reply: oneshot::Sender<Result<Seen, NotSeen>>,
}

/// A picture was not looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSeen {
    /// Too many wait already: come back later.
    #[error("{LONGEST_QUEUE} pictures are waiting to be looked at already")]
    Busy,
    /// The picture will not do: another.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The thread is gone: the worker is about to end.
    #[error("the engine is stopping")]
    Gone,
}

impl Eyes {
    /// Opens them.
    pub fn new(sight: Box<dyn Sight>) -> Self {
        let (inbox, jobs) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let open = Looking { sight, seen: VecDeque::new(), waiting: Arc::clone(&waiting) };
        std::thread::spawn(move || open.look_at(&jobs));
        Eyes { inbox, waiting }
    }

    /// What stands for a picture in a prompt. Dropping the future gives it up, unless it is being looked at.
    ///
    /// # Errors
    /// [`NotSeen`].
    pub async fn look(&self, picture: Sent) -> Result<Seen, NotSeen> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= LONGEST_QUEUE {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(NotSeen::Busy);
        }
        let (reply, seen) = oneshot::channel();
        self.inbox.send(Job { picture, reply }).map_err(|_| NotSeen::Gone)?;
        seen.await.unwrap_or(Err(NotSeen::Gone))
    }
}

/// The thread's own side.
struct Looking {
    sight: Box<dyn Sight>,
    /// What was seen, that of longest ago first.
    seen: VecDeque<([u8; 32], Seen)>,
    waiting: Arc<AtomicUsize>,
}

impl Looking {
    fn look_at(mut self, jobs: &Receiver<Job>) {
        give_way();
        for Job { picture, reply } in jobs {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            if reply.is_closed() {
                continue;
            }
            // Whoever asked may have left.
            let _ = reply.send(self.look(&picture));
        }
    }

    fn look(&mut self, picture: &Sent) -> Result<Seen, NotSeen> {
        if let Some(at) = self.seen.iter().position(|(digest, _)| *digest == picture.digest)
            && let Some(known) = self.seen.remove(at)
        {
            let seen = known.1.clone();
            self.seen.push_back(known);
            return Ok(seen);
        }
        let pixels = picture.decode()?;
        let seen = self.sight.look(&pixels).map_err(Refused)?;
        self.seen.push_back((picture.digest, seen.clone()));
        while self.seen.len() > 1 && self.seen.iter().map(|(_, seen)| size(seen)).sum::<usize>() > MEMORY {
            self.seen.pop_front();
        }
        Ok(seen)
    }
}

/// On Linux a thread may be nice by itself, and those that it starts to compute are as nice. Elsewhere answers are slower while a picture is
/// looked at.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(%error, "the eyes do not give way to answers");
    }
}

fn size(seen: &Seen) -> usize {
    seen.rows.iter().map(|rows| size_of_val(rows.numbers.as_slice())).sum()
}
