//! Every host that was contacted, for the page that shows what leaves the house. Kept in memory: the count begins with the process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, RwLock};

use domain::Timestamp;
use serde::Serialize;

use crate::Origin;

/// One host that was contacted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Contact {
    /// Scheme, host and port.
    pub origin: String,
    /// The first request.
    pub first: Timestamp,
    /// The latest request.
    pub last: Timestamp,
    /// How many requests.
    pub count: u64,
}

#[derive(Debug)]
struct Entry {
    first: Timestamp,
    last: AtomicI64,
    count: AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    hosts: RwLock<HashMap<Origin, Arc<Entry>>>,
}

impl Record {
    pub(crate) fn note(&self, origin: &Origin, now: Timestamp) {
        let entry = self.entry(origin, now);
        entry.last.store(now.0, Ordering::Relaxed);
        entry.count.fetch_add(1, Ordering::Relaxed);
    }

    fn entry(&self, origin: &Origin, now: Timestamp) -> Arc<Entry> {
        if let Some(known) = self.hosts.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(origin) {
            return known.clone();
        }
        let mut hosts = self.hosts.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let new = || Arc::new(Entry { first: now, last: AtomicI64::new(now.0), count: AtomicU64::new(0) });
        hosts.entry(origin.clone()).or_insert_with(new).clone()
    }

    /// By name.
    pub(crate) fn all(&self) -> Vec<Contact> {
        let hosts = self.hosts.read().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut all: Vec<Contact> = hosts
            .iter()
            .map(|(origin, entry)| Contact {
                origin: origin.to_string(),
                first: entry.first,
                last: Timestamp(entry.last.load(Ordering::Relaxed)),
                count: entry.count.load(Ordering::Relaxed),
            })
            .collect();
        all.sort_by(|a, b| a.origin.cmp(&b.origin));
        all
    }
}
