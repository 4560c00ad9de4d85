//! The writer's loop: what came is committed together; what the disk has no room for waits or is refused. No SQL here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use domain::TurnId;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::batch::{Batches, Trouble};
use super::job::{Answer, Job};
use super::record::{Delta, Record};
use super::shared::Shared;
use crate::Error;

const MOST_RECORDS: usize = 512;
const LONGEST_WAIT: Duration = Duration::from_millis(2);
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// How long a close waits for places that were reserved and not used.
const LAST_CALL: Duration = Duration::from_secs(5);

pub(crate) struct Room {
    records: mpsc::Receiver<Job>,
    batches: Batches,
    held: Held,
    full: watch::Sender<bool>,
    shared: Arc<Shared>,
}

impl Room {
    pub(crate) fn new(
        records: mpsc::Receiver<Job>,
        batches: Batches,
        full: watch::Sender<bool>,
        shared: Arc<Shared>,
    ) -> Room {
        Room { records, batches, held: Held::new(), full, shared }
    }

    /// Until the store is closed and everything that came is stored.
    pub(crate) async fn run(mut self) {
        let mut again = Instant::now();
        let shared = self.shared.clone();
        let mut watching = false;
        let due = sleep_until(again);
        tokio::pin!(due);
        loop {
            let mut jobs = Vec::new();
            let mut look = false;
            tokio::select! {
                biased;
                count = self.records.recv_many(&mut jobs, MOST_RECORDS) => if count == 0 { break },
                () = sleep_until(again), if !self.held.is_empty() => {}
                () = due.as_mut(), if watching => look = true,
                () = shared.early.first() => look = true,
                () = shared.finish.notified() => break,
            }
            if !self.held.is_empty() && Instant::now() >= again {
                self.try_held().await;
                again = Instant::now() + TRY_AGAIN;
            } else if !jobs.is_empty() {
                self.gather(&mut jobs).await;
            }
            let jobs = shared.early.sift(jobs, Instant::now());
            if look {
                let next = shared.early.due();
                watching = next.is_some();
                due.as_mut().reset(next.unwrap_or(again));
            }
            self.take(jobs).await;
        }
        self.last_call().await;
    }

    /// Lets whoever is ready to submit do so, for as long as more keeps coming: under load the batch grows to what the load
    /// is, and a lone record does not wait at all.
    async fn gather(&mut self, jobs: &mut Vec<Job>) {
        let first = self.shared.now();
        loop {
            let before = jobs.len();
            tokio::task::yield_now().await;
            while jobs.len() < MOST_RECORDS {
                let Ok(job) = self.records.try_recv() else { break };
                jobs.push(job);
            }
            let waited = self.shared.now().saturating_sub(first);
            if jobs.len() == before || jobs.len() >= MOST_RECORDS || waited >= LONGEST_WAIT {
                return;
            }
        }
    }

    async fn take(&mut self, jobs: Vec<Job>) {
        if jobs.is_empty() {
            return self.tell();
        }
        if !self.held.is_empty() {
            self.hold(jobs, None);
            return self.tell();
        }
        self.shared.oldest(jobs.iter().map(|job| job.came).min());
        self.store(jobs).await;
        self.tell();
    }

    /// Commits them together. Where one of them is refused, halves are tried until it stands alone: a bad record never fails
    /// its neighbours, and finding it among 512 takes some twenty commits.
    async fn store(&mut self, jobs: Vec<Job>) {
        let mut parts = vec![jobs];
        while let Some(mut jobs) = parts.pop() {
            if !self.held.is_empty() {
                self.hold(jobs, None);
                continue;
            }
            let outcome = self.batches.commit(&jobs).await;
            match outcome {
                Ok(()) => {
                    self.shared.commits.fetch_add(1, Ordering::Relaxed);
                    jobs.into_iter().for_each(|job| job.answer(&Ok(())));
                }
                Err(Trouble::Passing(error)) => {
                    tracing::warn!(%error, records = jobs.len(), "nothing can be stored now");
                    self.hold(jobs, Some(error));
                }
                Err(Trouble::Record(error)) if jobs.len() == 1 => {
                    if error.code() == "storage_failed" {
                        tracing::error!(error = &error as &dyn std::error::Error, "a record was refused");
                    }
                    let refused = Err(error);
                    jobs.into_iter().for_each(|job| job.answer(&refused));
                }
                Err(Trouble::Record(_)) => {
                    let second = jobs.split_off(jobs.len() / 2);
                    parts.push(second);
                    parts.push(jobs);
                }
            }
        }
    }

    /// What must land waits; the rest is refused with the reason, which stays the last one where none is given.
    fn hold(&mut self, jobs: Vec<Job>, reason: Option<Error>) {
        if let Some(reason) = reason {
            self.held.reason = reason;
        }
        let refused = Err(self.held.reason.clone());
        for job in jobs {
            match job.record {
                Record::Deltas(_) | Record::Settled(_) => self.held.keep(job),
                _ => job.answer(&refused),
            }
        }
    }

    async fn try_held(&mut self) {
        let mut waiting = self.held.take();
        while !waiting.is_empty() && self.held.is_empty() {
            let rest = waiting.split_off(waiting.len().min(MOST_RECORDS));
            self.store(waiting).await;
            waiting = rest;
        }
        for job in waiting {
            self.held.keep(job);
        }
    }

    fn tell(&self) {
        self.shared.oldest(self.held.oldest());
        let full = !self.held.is_empty();
        self.full.send_if_modified(|was| std::mem::replace(was, full) != full);
    }

    /// No new places; what was submitted, and what still comes from places given out, is stored.
    async fn last_call(mut self) {
        self.records.close();
        // Starts wait no longer: this process may be killed before it is done.
        let started = self.shared.early.rest();
        self.take(started).await;
        let mut jobs = Vec::new();
        while let Ok(count @ 1..) = timeout(LAST_CALL, self.records.recv_many(&mut jobs, MOST_RECORDS)).await {
            debug_assert_eq!(count, jobs.len());
            self.take(std::mem::take(&mut jobs)).await;
        }
        if !self.held.is_empty() {
            self.try_held().await;
        }
        let lost = self.held.take();
        if !lost.is_empty() {
            tracing::error!(records = lost.len(), "nothing can be stored to the end: these records are lost");
        }
        let refused = Err(self.held.reason.clone());
        for job in lost {
            job.answer(&refused);
        }
    }
}

/// What must land and could not yet. Bounded by the open turns: the pieces of one answer are joined.
struct Held {
    /// Why it waits.
    reason: Error,
    deltas: BTreeMap<TurnId, Delta>,
    answers: Vec<Answer>,
    settled: Vec<Job>,
    came: Option<Duration>,
}

impl Held {
    fn new() -> Held {
        Held { reason: Error::Full, deltas: BTreeMap::new(), answers: Vec::new(), settled: Vec::new(), came: None }
    }

    fn is_empty(&self) -> bool {
        self.deltas.is_empty() && self.settled.is_empty()
    }

    fn oldest(&self) -> Option<Duration> {
        self.came
    }

    fn keep(&mut self, job: Job) {
        self.came = Some(self.came.map_or(job.came, |came| came.min(job.came)));
        match job.record {
            Record::Deltas(deltas) => {
                deltas.into_iter().for_each(|delta| self.join(delta));
                self.answers.extend(job.answers);
            }
            Record::Settled(settled) => {
                // The settled answer has all of it.
                self.deltas.remove(&settled.turn);
                self.settled.push(Job { record: Record::Settled(settled), ..job });
            }
            _ => {}
        }
    }

    fn join(&mut self, delta: Delta) {
        match self.deltas.get_mut(&delta.turn) {
            None => {
                self.deltas.insert(delta.turn, delta);
            }
            Some(before) => {
                before.seq = delta.seq;
                before.text.push_str(&delta.text);
                before.thought.push_str(&delta.thought);
            }
        }
    }

    fn take(&mut self) -> Vec<Job> {
        let held = std::mem::replace(self, Held { reason: self.reason.clone(), ..Held::new() });
        let came = held.came.unwrap_or_default();
        let mut jobs = Vec::with_capacity(held.settled.len() + 1);
        if !held.deltas.is_empty() || !held.answers.is_empty() {
            let deltas = held.deltas.into_values().collect();
            jobs.push(Job { record: Record::Deltas(deltas), came, answers: held.answers });
        }
        jobs.extend(held.settled);
        jobs
    }
}
