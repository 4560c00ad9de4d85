//! The one writer: whoever wants something stored on the hot path hands it a [`Record`] and holds a [`Receipt`].
//!
//! This file is the handle. `record.rs` has the words, `room.rs` the loop and what is tried again, `early.rs` what waits for
//! its end, `batch.rs` one commit, `brief.rs` the one that is made most often, `sorted.rs` what both are made of, `tables.rs` their
//! statements.

mod batch;
mod brief;
mod early;
mod job;
mod record;
mod room;
mod shared;
mod sorted;
mod tables;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use domain::Clock;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::changes::Changes;
use crate::database::Database;
use crate::{Error, Order};
use job::Job;
pub use record::{Asked, Delta, FinalAnswer, NewAnswer, NewMessage, Record, Settled, Started, Touch};
use room::Room;
use shared::Shared;

/// How many records may wait or have a place reserved. Each open turn holds one place.
const PLACES: usize = 65_536;

/// The handle to the one writer. Clones hand to the same one.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Job>,
    full: watch::Receiver<bool>,
    shared: Arc<Shared>,
}

/// A place in the writer's queue, so that a record can be submitted later (from a `Drop`, too) without waiting or failing.
#[derive(Debug)]
pub struct Slot(mpsc::OwnedPermit<Job>);

/// Tells when the record is on disk, or why it is not. Dropping it does not withdraw the record.
#[derive(Debug)]
pub struct Receipt(oneshot::Receiver<Result<(), Error>>);

impl Future for Receipt {
    type Output = Result<(), Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|answer| answer.unwrap_or(Err(Error::Closed)))
    }
}

impl Writer {
    pub(crate) fn start(
        running: &mut JoinSet<()>,
        database: &Arc<Database>,
        clock: &Arc<dyn Clock>,
        node: &str,
        order: &Arc<Order>,
        changes: &Changes,
    ) -> Writer {
        let (queue, records) = mpsc::channel(PLACES);
        let (full_now, full) = watch::channel(false);
        let shared = Arc::new(Shared::new(clock.clone()));
        let batches = batch::Batches::new(database.clone(), node.to_owned(), order.clone(), changes.clone());
        running.spawn(Room::new(records, batches, full_now, shared.clone()).run());
        Writer { queue, full, shared }
    }

    /// Waits for a place in the queue. Fails only when the store is closed.
    pub async fn reserve(&self) -> Result<Slot, Error> {
        self.queue.clone().reserve_owned().await.map(Slot).map_err(|_| Error::Closed)
    }

    /// A place in the queue where one is free now.
    pub fn try_reserve(&self) -> Option<Slot> {
        self.queue.clone().try_reserve_owned().ok().map(Slot)
    }

    /// Hands over a record. Never waits, never fails; the receipt tells how it went.
    pub fn try_submit(&self, slot: Slot, record: Record) -> Receipt {
        let (answer, receipt) = oneshot::channel();
        let job = Job::new(record, self.shared.now(), answer);
        match &job.record {
            Record::Started(started) => self.shared.early.wait(started.turn, job),
            _ => drop(slot.0.send(job)),
        }
        Receipt(receipt)
    }

    /// Waits for a place, then hands the record over.
    pub async fn submit(&self, record: Record) -> Receipt {
        let (answer, receipt) = oneshot::channel();
        let job = Job::new(record, self.shared.now(), answer);
        match &job.record {
            Record::Started(started) => self.shared.early.wait(started.turn, job),
            // Where the store is closed the job is dropped, and the receipt says so.
            _ => drop(self.queue.send(job).await),
        }
        Receipt(receipt)
    }

    /// The start of a turn that holds a place in the queue for its end. Nobody asks how this went: what must land is the end.
    pub fn begins(&self, started: Started) {
        let turn = started.turn;
        self.shared.early.wait(turn, Job::unheard(Record::Started(started), self.shared.now()));
    }

    /// Waits until everything that was handed over before is on disk, but for starts that still wait for their end.
    pub async fn flush(&self) -> Result<(), Error> {
        // Records are committed in the order in which they came, so an empty one is answered after all before it.
        self.submit(Record::Deltas(Vec::new())).await.await
    }

    /// Whether records that must land are waiting because the disk is full (or the database cannot be reached).
    pub fn full(&self) -> bool {
        *self.full.borrow()
    }

    /// Tells when [`Writer::full`] changes.
    pub fn watch_full(&self) -> watch::Receiver<bool> {
        self.full.clone()
    }

    /// The age of the oldest record that is not committed; zero when all are.
    pub fn lag(&self) -> Duration {
        match self.shared.oldest.load(Ordering::Relaxed) {
            0 => Duration::ZERO,
            oldest => self.shared.clock.monotonic().saturating_sub(Duration::from_micros(oldest - 1)),
        }
    }

    /// Batches committed since the start: records handed over divided by this is how many share one.
    pub fn commits(&self) -> u64 {
        self.shared.commits.load(Ordering::Relaxed)
    }

    pub(crate) fn finish(&self) {
        self.shared.finish.notify_one();
    }
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}
