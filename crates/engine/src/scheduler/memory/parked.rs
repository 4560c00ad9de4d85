//! Ended sequences that wait outside the cache: what was computed of them lies in plain memory, and is copied back when somebody begins as they
//! did. In the cache they would take time of every step, which looks at all cells up to the last one in use, whoever they belong to; back and
//! forth takes less than a step.

use super::Kept;
use crate::{
    backend::{Adapter, Token},
    scheduler::tree::common,
};

/// A sequence that was kept, without its slot.
pub(super) struct Entry {
    pub(super) adapter: Option<Adapter>,
    pub(super) tokens: Vec<Token>,
    pub(super) state: Vec<u8>,
    pub(super) kept: Kept,
}

/// What is found of some tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) index: usize,
    /// How many of the tokens, from the first.
    pub(super) common: u32,
    /// How many the entry has itself.
    pub(super) whole: u32,
}

/// See the module.
pub(super) struct Parked {
    /// Most bytes of all states together.
    most: u64,
    entries: Vec<Entry>,
}

impl Parked {
    pub(super) fn new(most: u64) -> Self {
        Parked { most, entries: Vec::new() }
    }

    /// Whether there is room for anything at all.
    pub(super) fn is_used(&self) -> bool {
        self.most > 0
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entry that has most in common with `tokens`.
    pub(super) fn find(&self, adapter: Option<Adapter>, tokens: &[Token]) -> Option<Found> {
        let fitting = self.entries.iter().enumerate().filter(|(_, entry)| entry.adapter == adapter);
        let lengths = fitting.map(|(index, entry)| (common(&entry.tokens, tokens), index, entry.tokens.len()));
        let (common, index, whole) = lengths.max_by_key(|(common, ..)| *common)?;
        Some(Found { index, common: u32::try_from(common).ok()?, whole: u32::try_from(whole).ok()? })
    }

    /// Takes out what was [found](Self::find).
    pub(super) fn take(&mut self, found: Found) -> Entry {
        self.entries.swap_remove(found.index)
    }

    /// Takes in an entry; what is wholly its beginning goes, and then those that are worth least as long as all take too much. The largest worth
    /// of those; 0 where there are none.
    pub(super) fn put(&mut self, entry: Entry) -> u64 {
        let contained = |other: &Entry| other.adapter == entry.adapter && entry.tokens.starts_with(&other.tokens);
        self.entries.retain(|other| !contained(other));
        self.entries.push(entry);
        let mut gone = 0;
        while self.bytes() > self.most {
            let worth = |index: &usize| self.entries[*index].kept.worth;
            let Some(least) = (0..self.entries.len()).min_by_key(worth) else { break };
            gone = gone.max(self.entries.swap_remove(least).kept.worth);
        }
        gone
    }

    /// Gives up all that the adapter `id` computed.
    pub(super) fn drop_all_of(&mut self, id: u32) {
        self.entries.retain(|entry| entry.adapter.is_none_or(|adapter| adapter.id != id));
    }

    fn bytes(&self) -> u64 {
        self.entries.iter().map(|entry| entry.state.len() as u64).sum()
    }
}
