//! Beginnings that outlive the sequences that had them: pinned ones, which are not evicted, and those on disk, which come back instead of
//! being computed again.

use std::{borrow::Cow, collections::BTreeSet};

use super::{Kept, Memory, WORTH_SHARING};
use crate::{
    backend::{Adapter, Slot, Token},
    scheduler::{
        Prefix,
        saved::{self, Saved},
        tree::{Found, common},
    },
};

/// Fewer tokens are computed as fast as they are read back.
const WORTH_READING: u32 = 64;
/// What stands in a file between an adapter and its scale.
const AT: &str = " at ";
/// The part of the cells, and of the slots that nothing runs in, that may be pinned.
const PINNED_PART: u32 = 2;

/// A beginning that stays.
pub(super) struct Pin {
    id: String,
    adapter: Option<Adapter>,
    tokens: Vec<Token>,
    /// Where it is; `None` after it had to make way for a sequence that could not go on otherwise.
    pub(super) slot: Option<Slot>,
}

/// What came of an attempt to pin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scheduler) enum Pinning {
    /// It stays from now on.
    Done(Prefix),
    /// Nobody has computed it yet.
    Missing,
    /// There is no room for it: of so many tokens, so many may be pinned still.
    NoRoom { tokens: u32, left: u32 },
}

impl Memory {
    /// Pins a beginning that was computed before, here or in another life; without its last few tokens where those were not kept.
    pub(in crate::scheduler) fn pin(&mut self, adapter: Option<Adapter>, tokens: &[Token]) -> Pinning {
        let nearly = |len: usize| len + WORTH_SHARING as usize > tokens.len();
        let is_it = |pin: &Pin| pin.adapter == adapter && nearly(pin.tokens.len()) && tokens.starts_with(&pin.tokens);
        let known = self.pins.iter().position(is_it);
        if let Some(pin) = known.and_then(|index| self.pins.get(index)).filter(|pin| pin.slot.is_some()) {
            return Pinning::Done(self.view(pin));
        }
        let (len, left) = (u32::try_from(tokens.len()).unwrap_or(u32::MAX), self.left_to_pin());
        if known.is_none() && len > left {
            return Pinning::NoRoom { tokens: len, left };
        }
        self.unpark(adapter, tokens);
        self.read_back(adapter, tokens);
        if self.free.is_empty() {
            self.evict(self.tree.find(adapter, tokens).map(|found| found.slot));
        }
        let found = self.tree.find(adapter, tokens).filter(|found| nearly(found.len as usize));
        let (Some(Found { slot: from, len }), Some(slot)) = (found, self.free.last().copied()) else {
            return Pinning::Missing;
        };
        let Some(tokens) = tokens.get(..len as usize) else { return Pinning::Missing };
        self.free.pop();
        self.tree.open(slot, adapter);
        self.tree.share(from, slot, len);
        self.backend.share(from, slot, len);
        self.drop_contained();
        if let Some(index) = known {
            self.pins.remove(index);
        }
        let id = saved::id(
            &self.backend.identity(None).unwrap_or_default(),
            self.word(adapter).flatten().as_deref(),
            tokens,
        );
        let pin = Pin { id, adapter, tokens: tokens.to_vec(), slot: Some(slot) };
        let view = self.view(&pin);
        self.pins.push(pin);
        self.save(adapter, slot, tokens, true);
        Pinning::Done(view)
    }

    /// Lets a pinned beginning go as others do; false where there is none of this id.
    pub(in crate::scheduler) fn unpin(&mut self, id: &str) -> bool {
        let Some(index) = self.pins.iter().position(|pin| pin.id == id) else { return false };
        let Pin { adapter, tokens, slot, .. } = self.pins.swap_remove(index);
        if let (Some(word), Some(saved)) = (self.word(adapter), &mut self.saved) {
            saved.mark(word.as_deref(), &tokens, false);
        }
        if let Some(slot) = slot {
            self.keep(slot, &"".into());
            self.drop_contained();
        }
        true
    }

    /// What is pinned.
    pub(in crate::scheduler) fn prefixes(&self) -> Vec<Prefix> {
        self.pins.iter().map(|pin| self.view(pin)).collect()
    }

    fn view(&self, pin: &Pin) -> Prefix {
        let tokens = u32::try_from(pin.tokens.len()).unwrap_or(u32::MAX);
        Prefix { id: pin.id.clone(), adapter: pin.adapter, tokens }
    }

    /// Tokens that one more beginning may have.
    fn left_to_pin(&self) -> u32 {
        let facts = self.facts();
        let slots = facts.slots.saturating_sub(facts.parallel) / PINNED_PART;
        if !facts.shares || self.pins.len() >= slots as usize {
            return 0;
        }
        (facts.cells / PINNED_PART).saturating_sub(self.tree.cells_of(self.pinned()))
    }

    /// A pinned beginning makes way, the shortest first; it comes back when there is room. False where there is none.
    pub(super) fn unseat(&mut self) -> bool {
        let seated = self.pins.iter_mut().filter(|pin| pin.slot.is_some());
        let Some(slot) = seated.min_by_key(|pin| pin.tokens.len()).and_then(|pin| pin.slot.take()) else {
            return false;
        };
        self.release(slot);
        true
    }

    /// Lets go of all that is pinned for the adapter `id`, which is going away.
    pub(super) fn unpin_all_of(&mut self, id: u32) {
        for pin in
            self.pins.extract_if(.., |pin| pin.adapter.is_some_and(|adapter| adapter.id == id)).collect::<Vec<_>>()
        {
            if let (Some(word), Some(saved)) = (self.word(pin.adapter), &mut self.saved) {
                saved.mark(word.as_deref(), &pin.tokens, false);
            }
            pin.slot.into_iter().for_each(|slot| self.release(slot));
        }
    }

    /// What was pinned in another life without an adapter, or with the one that is now `id`.
    pub(super) fn pin_what_was_pinned(&mut self, id: Option<u32>) {
        for (word, tokens) in self.saved.as_ref().map(Saved::pinned).unwrap_or_default() {
            let adapter = id.zip(word.as_deref().and_then(scale)).map(|(id, scale)| Adapter::new(id, scale));
            if adapter.is_some() != id.is_some() || self.word(adapter) != Some(word) {
                continue;
            }
            let pinned = self.pin(adapter, &tokens);
            tracing::info!(tokens = tokens.len(), ?pinned, "a beginning that was saved is pinned");
        }
    }

    /// One thing that can be done while nobody asks: a pinned beginning that made way comes back, or what several people begin with is saved.
    /// False when nothing is left to do.
    ///
    /// What is one person's alone is not written to disk: they were promised that of some requests no text is stored.
    pub(in crate::scheduler) fn tidy(&mut self) -> bool {
        if let Some((adapter, tokens)) =
            self.pins.iter().find(|pin| pin.slot.is_none()).map(|pin| (pin.adapter, pin.tokens.clone()))
            && matches!(self.pin(adapter, &tokens), Pinning::Done(_))
        {
            return true;
        }
        let Some((adapter, tokens)) = self.most_worth_saving() else { return false };
        if self.free.is_empty() {
            // Whatever goes, the question is asked anew.
            return self.evict(self.tree.find(adapter, &tokens).map(|found| found.slot));
        }
        self.unpark(adapter, &tokens);
        let held = self.tree.find(adapter, &tokens).filter(|found| found.len as usize == tokens.len());
        let (Some(Found { slot, len }), Some(copy)) = (held, self.free.pop()) else { return false };
        self.backend.share(slot, copy, len);
        self.save(adapter, copy, &tokens, false);
        self.backend.truncate(copy, 0);
        self.free.push(copy);
        true
    }

    /// Of the beginnings that several people have in common, the one that would save them most: tokens times people.
    fn most_worth_saving(&self) -> Option<(Option<Adapter>, Vec<Token>)> {
        let saved = self.saved.as_ref()?;
        let in_cache = self.kept.iter().map(|kept| {
            let Kept { slot, person, .. } = kept;
            (self.tree.adapter(*slot), Cow::Owned(self.tree.tokens(*slot, self.tree.len(*slot))), person)
        });
        let beside = self.parked.iter().map(|entry| (entry.adapter, Cow::Borrowed(&*entry.tokens), &entry.kept.person));
        let all: Vec<_> = in_cache.chain(beside).collect();
        let in_common = all.iter().enumerate().flat_map(|(nth, (adapter, tokens, _))| {
            let others = all.iter().skip(nth + 1).filter(move |(of, ..)| of == adapter);
            others.map(move |(_, other, _)| (*adapter, tokens.get(..common(tokens, other)).unwrap_or_default()))
        });
        let worth = |(adapter, tokens): (Option<Adapter>, &[Token])| {
            let word = self.word(adapter)?;
            let gain = tokens.len() - saved.covers(word.as_deref(), tokens);
            let alike = all.iter().filter(|(of, all, _)| *of == adapter && all.starts_with(tokens));
            let people = people(alike.map(|(.., person)| &***person));
            (gain >= WORTH_READING as usize && people > 1).then_some((gain * people, tokens.len()))
        };
        // What stands for a picture does so only as long as this process lives.
        let words = |tokens: &[Token]| tokens.iter().take_while(|token| **token >= 0).count();
        let candidates = in_common.map(|(adapter, tokens)| (adapter, tokens.get(..words(tokens)).unwrap_or_default()));
        let best = candidates.filter_map(|one| Some((worth(one)?, one))).max_by_key(|(worth, _)| *worth);
        best.map(|(_, (adapter, tokens))| (adapter, tokens.to_vec()))
    }

    /// Brings a beginning of `tokens` back from disk where that saves more than it costs and there is room.
    pub(super) fn read_back(&mut self, adapter: Option<Adapter>, tokens: &[Token]) {
        let (Some(word), Some(saved)) = (self.word(adapter), &self.saved) else { return };
        let Some((common, whole)) = saved.find(word.as_deref(), tokens) else { return };
        let held = self.tree.find(adapter, tokens).map_or(0, |found| found.len);
        let room = self.room_beside(self.running.iter().copied());
        if common < held.saturating_add(WORTH_READING) || whole > room || (self.free.is_empty() && self.kept.is_empty())
        {
            return;
        }
        let Some((tokens, state)) = self.saved.as_mut().and_then(|saved| saved.read(word.as_deref(), tokens)) else {
            return;
        };
        if self.free.is_empty() {
            self.evict(None);
        }
        self.make_room(whole);
        let Some(slot) = self.free.pop() else { return };
        if self.backend.restore(slot, whole, &state) {
            self.tree.open(slot, adapter);
            self.tree.push(slot, &tokens);
            self.keep(slot, &"".into());
            return;
        }
        self.free.push(slot);
        tracing::warn!(tokens = whole, "a saved beginning does not fit this model and is removed");
        if let Some(saved) = &mut self.saved {
            saved.forget(word.as_deref(), &tokens);
        }
    }

    /// Saves what a slot holds, which are `tokens`.
    fn save(&mut self, adapter: Option<Adapter>, slot: Slot, tokens: &[Token], pinned: bool) {
        let (Some(word), Some(saved)) = (self.word(adapter), &mut self.saved) else { return };
        if saved.mark(word.as_deref(), tokens, pinned) {
            return;
        }
        if let Some(state) = self.backend.save(slot) {
            saved.save(word.as_deref(), tokens, pinned, state);
        }
    }

    /// What files know an adapter by; `None` where it cannot be told from others.
    fn word(&self, adapter: Option<Adapter>) -> Option<Option<String>> {
        let Some(adapter) = adapter else { return Some(None) };
        let identity = self.backend.identity(Some(adapter.id))?;
        Some(Some(format!("{identity}{AT}{}", adapter.scale())))
    }
}

/// How many people these are; who is not named is somebody else each time.
fn people<'a>(persons: impl Iterator<Item = &'a str>) -> usize {
    let (nobody, named): (Vec<_>, Vec<_>) = persons.partition(|person| person.is_empty());
    nobody.len() + named.into_iter().collect::<BTreeSet<_>>().len()
}

/// The scale in the [`word`](Memory::word) for an adapter.
fn scale(word: &str) -> Option<f32> {
    word.rsplit_once(AT)?.1.parse().ok()
}
