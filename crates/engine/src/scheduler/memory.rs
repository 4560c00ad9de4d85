//! The backend with the book of its cache: the one owner of slots, positions and cells. Sequences that run hold a slot each; those that ended
//! are kept, as far as there is room, for whoever begins as they did, those used last in the cache, the others beside it (`memory/parked.rs`);
//! pinned beginnings stay (`memory/beginnings.rs`). Who may run is decided elsewhere.
//!
//! What is kept goes by cost: a kept sequence is worth the tokens that would have to be computed again times its uses, and ages as others go
//! (GreedyDual: Cao and Irani, "Cost-Aware WWW Proxy Caching Algorithms", 1997).

use std::{path::Path, sync::Arc};

use crate::backend::{Adapter, Backend, Facts, Failed, Input, Lora, Slot, Token};

use super::{saved::Saved, tree::Tree};

mod beginnings;
mod parked;

use beginnings::Pin;
pub(super) use beginnings::Pinning;
use parked::{Entry, Parked};

/// Beginnings in common that are shorter are computed again: that is cheaper than to keep account of them.
pub(super) const WORTH_SHARING: u32 = 16;

/// Backend and book. See the module.
pub(super) struct Memory {
    backend: Box<dyn Backend>,
    tree: Tree,
    free: Vec<Slot>,
    running: Vec<Slot>,
    /// Those used longest ago first.
    kept: Vec<Kept>,
    parked: Parked,
    pins: Vec<Pin>,
    saved: Option<Saved>,
    /// The worth of what was last evicted: new worth is counted from here.
    age: u64,
}

struct Kept {
    slot: Slot,
    /// Who asked for it; nobody in particular where that is empty.
    person: Arc<str>,
    uses: u32,
    worth: u64,
}

/// The next tokens of a running sequence.
pub(super) struct Piece<'a> {
    pub(super) slot: Slot,
    pub(super) tokens: &'a [Token],
    /// The logits of the tokens from this index on are wanted.
    pub(super) wants_from: usize,
}

/// How many of the first `len` tokens are left where they do not end within a picture: its places may have to be computed all at once.
fn before_a_cut_picture(tokens: &[Token], len: usize) -> usize {
    match tokens.get(len) {
        Some(next) if *next < 0 => len - tokens.iter().take(len).rev().take_while(|token| **token < 0).count(),
        _ => len,
    }
}

impl Memory {
    /// With what was saved and pinned before back in its place.
    pub(super) fn new(backend: Box<dyn Backend>, saved: Option<Saved>) -> Self {
        let free = (0..backend.facts().slots).rev().map(Slot).collect();
        let (running, kept, pins) = (Vec::new(), Vec::new(), Vec::new());
        let (tree, parked) = (Tree::default(), Parked::new(backend.facts().parked));
        let mut memory = Memory { backend, tree, free, running, kept, parked, pins, saved, age: 0 };
        memory.pin_what_was_pinned(None);
        memory
    }

    pub(super) fn facts(&self) -> &Facts {
        self.backend.facts()
    }

    /// A slot for a sequence that is to hold `tokens`, with the beginning that is there already. `None` when every slot runs.
    pub(super) fn open(&mut self, adapter: Option<Adapter>, tokens: &[Token]) -> Option<Slot> {
        self.unpark(adapter, tokens);
        self.read_back(adapter, tokens);
        if self.free.is_empty() {
            self.evict(self.find(adapter, tokens).map(|(slot, _)| slot));
        }
        let slot = self.free.pop()?;
        self.tree.open(slot, adapter);
        self.running.push(slot);
        self.catch_up(slot, adapter, tokens);
        self.make_light();
        Some(slot)
    }

    /// Gives a running slot a longer beginning of its `tokens` where one has been computed meanwhile.
    pub(super) fn catch_up(&mut self, slot: Slot, adapter: Option<Adapter>, tokens: &[Token]) {
        let Some((from, len)) = self.find(adapter, tokens) else { return };
        if len < self.tree.len(slot).saturating_add(WORTH_SHARING) || from == slot {
            return;
        }
        self.cut(slot, 0);
        self.tree.share(from, slot, len);
        self.backend.share(from, slot, len);
        self.used(from);
        self.drop_contained();
    }

    /// Cells of [`room`](Self::room) that a newcomer with `tokens` would take: those that no running sequence holds already.
    pub(super) fn need(&self, adapter: Option<Adapter>, tokens: &[Token]) -> u32 {
        let all = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
        let Some((slot, len)) = self.find(adapter, tokens) else { return all };
        let held = || self.running.iter().copied().chain(self.pinned());
        let added = self.tree.cells_of(held().chain([slot])) - self.tree.cells_of(held());
        all - len.min(self.tree.len(slot) - added)
    }

    /// The last of `tokens` has to be computed in any case, for its logits.
    fn find(&self, adapter: Option<Adapter>, tokens: &[Token]) -> Option<(Slot, u32)> {
        if !self.facts().shares {
            return None;
        }
        let all_but_last = tokens.split_last()?.1;
        let found = self.tree.find(adapter, all_but_last)?;
        let len = u32::try_from(before_a_cut_picture(tokens, found.len as usize)).ok()?;
        (len >= WORTH_SHARING).then_some((found.slot, len))
    }

    /// Tokens that a slot holds.
    pub(super) fn len(&self, slot: Slot) -> u32 {
        self.tree.len(slot)
    }

    /// Cells that running sequences do not hold: free, or kept and to be had. A sequence that runs alone may have those of the pinned ones, too,
    /// so that it comes to its end.
    pub(super) fn room(&self) -> u32 {
        match self.running.as_slice() {
            &[alone] => self.facts().cells.saturating_sub(self.tree.len(alone)),
            _ => self.room_beside(self.running.iter().copied()),
        }
    }

    /// Cells that `slots` and what is pinned leave.
    pub(super) fn room_beside(&self, slots: impl Iterator<Item = Slot>) -> u32 {
        self.facts().cells.saturating_sub(self.tree.cells_of(slots.chain(self.pinned())))
    }

    fn pinned(&self) -> impl Iterator<Item = Slot> {
        self.pins.iter().filter_map(|pin| pin.slot)
    }

    /// Computes the next tokens of running sequences; `row` gets the index of the piece, that of the token in it, and its logits. There must be
    /// [`room`](Self::room) for them; what is kept makes way.
    ///
    /// # Errors
    /// [`Failed`]; the book is then true all the same, and no row was given.
    pub(super) fn compute(
        &mut self,
        adapter: Option<Adapter>,
        pieces: &[Piece<'_>],
        row: &mut dyn FnMut(usize, usize, &[f32]),
    ) -> Result<(), Failed> {
        let (mut batch, mut origins) = (Vec::new(), Vec::new());
        for (index, piece) in pieces.iter().enumerate() {
            let begin = self.tree.len(piece.slot);
            for ((nth, &token), position) in piece.tokens.iter().enumerate().zip(begin..) {
                batch.push(Input { slot: piece.slot, position, token, wants_logits: nth >= piece.wants_from });
                origins.push((index, nth));
            }
        }
        self.make_room(u32::try_from(batch.len()).unwrap_or(u32::MAX));
        let computed = self.backend.decode(&batch, adapter, &mut |at, logits| {
            if let Some(&(index, nth)) = origins.get(at) {
                row(index, nth, logits);
            }
        });
        for piece in pieces {
            match &computed {
                Ok(()) => self.tree.push(piece.slot, piece.tokens),
                Err(_) if self.facts().shares => self.backend.truncate(piece.slot, self.tree.len(piece.slot)),
                Err(_) => {
                    // A running state cannot go back: it is computed again.
                    self.tree.truncate(piece.slot, 0);
                    self.backend.truncate(piece.slot, 0);
                }
            }
        }
        computed
    }

    /// Ends a running sequence of `person`; what it holds is kept for others as long as there is room, where `keep` says so.
    pub(super) fn close(&mut self, slot: Slot, person: &Arc<str>, keep: bool) {
        self.running.retain(|&running| running != slot);
        if !keep || !self.facts().shares || self.tree.only_of(slot) < WORTH_SHARING {
            return self.release(slot);
        }
        self.keep(slot, person);
        self.drop_contained();
        self.make_light();
    }

    /// What ended sequences hold beyond [`Facts::kept`] goes beside the cache while others run.
    fn make_light(&mut self) {
        if self.parked.is_used() && !self.running.is_empty() {
            while self.cells_kept() > self.facts().kept && self.evict(None) {}
        }
    }

    /// Cells that only kept sequences hold.
    fn cells_kept(&self) -> u32 {
        self.tree.cells() - self.tree.cells_of(self.running.iter().copied().chain(self.pinned()))
    }

    fn keep(&mut self, slot: Slot, person: &Arc<str>) {
        let worth = self.worth(slot, 1);
        self.kept.push(Kept { slot, person: Arc::clone(person), uses: 1, worth });
    }

    /// Leaves a running slot its first `len` tokens.
    pub(super) fn cut(&mut self, slot: Slot, len: u32) {
        if self.tree.len(slot) > len {
            self.tree.truncate(slot, len);
            self.backend.truncate(slot, len);
        }
    }

    /// What is kept makes way first, what is pinned last.
    fn make_room(&mut self, cells: u32) {
        while self.tree.cells().saturating_add(cells) > self.facts().cells && (self.evict(None) || self.unseat()) {}
    }

    /// Frees the slot of a kept sequence, `spare` last of all; false when none is kept. Where it can wait beside the cache, it is the one used
    /// longest ago, and else the one that is worth least, which is lost.
    fn evict(&mut self, spare: Option<Slot>) -> bool {
        let others = (0..self.kept.len()).filter(|index| Some(self.kept[*index].slot) != spare);
        let chosen = match self.parked.is_used() {
            true => others.min(),
            false => others.min_by_key(|index| self.kept[*index].worth),
        };
        // Only `spare` is left, or none.
        let Some(index) = chosen.or(self.kept.len().checked_sub(1)) else { return false };
        let kept = self.kept.remove(index);
        let slot = kept.slot;
        self.park(kept);
        self.release(slot);
        true
    }

    /// Copies what a kept sequence holds to beside the cache.
    fn park(&mut self, kept: Kept) {
        let (slot, worth) = (kept.slot, kept.worth);
        let state = if self.parked.is_used() { self.backend.save(slot) } else { None };
        let gone = match state {
            None => worth,
            Some(state) => {
                let tokens = self.tree.tokens(slot, self.tree.len(slot));
                self.parked.put(Entry { adapter: self.tree.adapter(slot), tokens, state, kept })
            }
        };
        self.age = self.age.max(gone);
    }

    /// Brings back what waits beside the cache and begins as `tokens` do, where there is room.
    pub(super) fn unpark(&mut self, adapter: Option<Adapter>, tokens: &[Token]) {
        let Some(found) = self.parked.find(adapter, tokens) else { return };
        let held = self.tree.find(adapter, tokens).map_or(0, |found| found.len);
        let has_slot = !(self.free.is_empty() && self.kept.is_empty());
        let room = self.room_beside(self.running.iter().copied());
        if found.common < held.saturating_add(WORTH_SHARING) || found.whole > room || !has_slot {
            return;
        }
        let Entry { adapter, tokens, state, kept } = self.parked.take(found);
        if self.free.is_empty() {
            self.evict(None);
        }
        self.make_room(found.whole);
        let Some(slot) = self.free.pop() else { return };
        if self.backend.restore(slot, found.whole, &state) {
            self.tree.open(slot, adapter);
            self.tree.push(slot, &tokens);
            self.kept.push(Kept { slot, ..kept });
            return;
        }
        self.free.push(slot);
        tracing::warn!(tokens = found.whole, "what waited beside the cache could not be brought back");
    }

    /// Loads an adapter, with what was saved and pinned of it before.
    pub(super) fn attach(&mut self, id: u32, file: &Path) -> Result<Lora, String> {
        let lora = self.backend.attach(id, file)?;
        self.pin_what_was_pinned(Some(id));
        Ok(lora)
    }

    /// Gives up an adapter that no running sequence uses, with all that is kept of it.
    pub(super) fn detach(&mut self, id: u32) {
        self.unpin_all_of(id);
        let of_it = |tree: &Tree, slot| tree.adapter(slot).is_some_and(|adapter| adapter.id == id);
        while let Some(index) = self.kept.iter().position(|kept| of_it(&self.tree, kept.slot)) {
            let kept = self.kept.remove(index);
            self.release(kept.slot);
        }
        self.parked.drop_all_of(id);
        self.backend.detach(id);
    }

    /// Gives up all that is kept in the cache.
    pub(super) fn drop_kept(&mut self) {
        for Kept { slot, worth, .. } in std::mem::take(&mut self.kept) {
            self.age = self.age.max(worth);
            self.release(slot);
        }
    }

    /// Gives up kept sequences that are wholly the beginning of others: they cost a slot and save nothing.
    fn drop_contained(&mut self) {
        while let Some(index) = self.kept.iter().position(|kept| self.tree.only_of(kept.slot) == 0) {
            let kept = self.kept.remove(index);
            self.release(kept.slot);
        }
    }

    fn used(&mut self, slot: Slot) {
        let Some(index) = self.kept.iter().position(|kept| kept.slot == slot) else { return };
        let mut kept = self.kept.remove(index);
        kept.uses = kept.uses.saturating_add(1);
        kept.worth = self.worth(slot, kept.uses);
        self.kept.push(kept);
    }

    fn worth(&self, slot: Slot, uses: u32) -> u64 {
        self.age.saturating_add(u64::from(self.tree.len(slot)).saturating_mul(u64::from(uses)))
    }

    fn release(&mut self, slot: Slot) {
        self.tree.close(slot);
        self.backend.truncate(slot, 0);
        self.free.push(slot);
    }
}
