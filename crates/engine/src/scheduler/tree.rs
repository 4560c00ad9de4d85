//! The book of what the backend's cache holds: a radix tree over tokens, each of its tokens one cell, each open slot a place in it. What
//! two slots share stands in it once. It books what was computed and computes nothing; two slots that computed the same tokens apart have
//! them twice, as the backend has.

use std::collections::BTreeMap;

use crate::backend::{Adapter, Slot, Token};

type Id = usize;

/// A run of tokens after those of its parent.
#[derive(Debug)]
struct Node {
    /// `None` of a root, which has no tokens.
    parent: Option<Id>,
    tokens: Vec<Token>,
    children: Vec<Id>,
    /// The slots whose last token is this node's last.
    ends: Vec<Slot>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    unused: Vec<Id>,
    roots: BTreeMap<Option<Adapter>, Id>,
    slots: BTreeMap<Slot, Id>,
    cells: u32,
}

/// The longest beginning of some tokens that the tree holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// A slot that begins with it.
    pub(super) slot: Slot,
    /// Its number of tokens, at least one.
    pub(super) len: u32,
}

impl Tree {
    /// Cells that are taken.
    pub(super) fn cells(&self) -> u32 {
        self.cells
    }

    /// Gives an unused slot a place without tokens. What `adapter` computed is not what another or none would have.
    pub(super) fn open(&mut self, slot: Slot, adapter: Option<Adapter>) {
        let root = match self.roots.get(&adapter) {
            Some(&root) => root,
            None => {
                let root = self.add(None, Vec::new());
                self.roots.insert(adapter, root);
                root
            }
        };
        self.nodes[root].ends.push(slot);
        self.slots.insert(slot, root);
    }

    /// Tokens of an open slot; 0 of any other.
    pub(super) fn len(&self, slot: Slot) -> u32 {
        self.path(slot).map(|node| count(&self.nodes[node].tokens)).sum()
    }

    /// The adapter that an open slot was opened for.
    pub(super) fn adapter(&self, slot: Slot) -> Option<Adapter> {
        let root = self.path(slot).last()?;
        self.roots.iter().find(|(_, of)| **of == root).and_then(|(adapter, _)| *adapter)
    }

    /// Adds computed tokens to an open slot.
    pub(super) fn push(&mut self, slot: Slot, tokens: &[Token]) {
        let Some(&end) = self.slots.get(&slot) else { return };
        if tokens.is_empty() {
            return;
        }
        self.cells += count(tokens);
        let node = &mut self.nodes[end];
        if node.parent.is_some() && node.children.is_empty() && node.ends.len() == 1 {
            node.tokens.extend_from_slice(tokens);
            return;
        }
        let child = self.add(Some(end), tokens.to_vec());
        self.nodes[end].children.push(child);
        self.place(slot, child);
    }

    /// Gives `to`, which is open and empty, the first `len` tokens of `from`. No cell is taken by it.
    pub(super) fn share(&mut self, from: Slot, to: Slot, len: u32) {
        if let Some(node) = self.node_at(from, len) {
            self.place(to, node);
        }
    }

    /// Leaves an open slot its first `len` tokens.
    pub(super) fn truncate(&mut self, slot: Slot, len: u32) {
        let Some(&old) = self.slots.get(&slot) else { return };
        if let Some(node) = self.node_at(slot, len) {
            self.place(slot, node);
            self.prune(old);
        }
    }

    /// Takes an open slot's place away.
    pub(super) fn close(&mut self, slot: Slot) {
        if let Some(end) = self.slots.remove(&slot) {
            self.nodes[end].ends.retain(|&other| other != slot);
            self.prune(end);
        }
    }

    /// The longest beginning of `tokens` that is held for `adapter`.
    pub(super) fn find(&self, adapter: Option<Adapter>, tokens: &[Token]) -> Option<Found> {
        let mut best = None;
        let mut left: Vec<(Id, usize)> = self.roots.get(&adapter).map(|&root| (root, 0)).into_iter().collect();
        while let Some((node, depth)) = left.pop() {
            for &child in &self.nodes[node].children {
                let run = &self.nodes[child].tokens;
                let common = common(run, tokens.get(depth..).unwrap_or_default());
                if common > 0 && best.is_none_or(|(_, len)| depth + common > len) {
                    best = Some((child, depth + common));
                }
                if common == run.len() {
                    left.push((child, depth + common));
                }
            }
        }
        let (node, len) = best?;
        Some(Found { slot: self.any_slot_below(node)?, len: u32::try_from(len).ok()? })
    }

    /// The first `len` tokens of an open slot.
    pub(super) fn tokens(&self, slot: Slot, len: u32) -> Vec<Token> {
        let path: Vec<_> = self.path(slot).collect();
        let all = path.into_iter().rev().flat_map(|node| self.nodes[node].tokens.iter().copied());
        all.take(len as usize).collect()
    }

    /// Cells that closing `slot` would free: those that no other slot holds.
    pub(super) fn only_of(&self, slot: Slot) -> u32 {
        let mut cells = 0;
        let mut below = None;
        for node in self.path(slot) {
            let Node { tokens, children, ends, .. } = &self.nodes[node];
            if ends.iter().any(|&other| other != slot) || children.iter().any(|&child| Some(child) != below) {
                break;
            }
            cells += count(tokens);
            below = Some(node);
        }
        cells
    }

    /// Cells that `slots` hold together.
    pub(super) fn cells_of(&self, slots: impl Iterator<Item = Slot>) -> u32 {
        let mut seen = vec![false; self.nodes.len()];
        let mut cells = 0;
        for slot in slots {
            for node in self.path(slot) {
                if std::mem::replace(&mut seen[node], true) {
                    break;
                }
                cells += count(&self.nodes[node].tokens);
            }
        }
        cells
    }

    /// The nodes of a slot, from its end to its root.
    fn path(&self, slot: Slot) -> impl Iterator<Item = Id> {
        std::iter::successors(self.slots.get(&slot).copied(), |&node| self.nodes[node].parent)
    }

    /// The node that ends at `len` tokens of `slot`, which is split for it where there is none.
    fn node_at(&mut self, slot: Slot, len: u32) -> Option<Id> {
        let mut end = self.len(slot);
        let path: Vec<_> = self.path(slot).collect();
        for node in path {
            let begin = end - count(&self.nodes[node].tokens);
            if len >= end {
                return Some(node);
            }
            if len > begin {
                return Some(self.split(node, (len - begin) as usize));
            }
            end = begin;
        }
        None
    }

    /// Puts the first `at` tokens of `node` into a node of their own above it.
    fn split(&mut self, node: Id, at: usize) -> Id {
        let rest = self.nodes[node].tokens.split_off(at);
        let first = std::mem::replace(&mut self.nodes[node].tokens, rest);
        let parent = self.nodes[node].parent;
        let upper = self.add(parent, first);
        self.nodes[upper].children.push(node);
        self.nodes[node].parent = Some(upper);
        if let Some(parent) = parent {
            self.nodes[parent].children.retain(|&child| child != node);
            self.nodes[parent].children.push(upper);
        }
        upper
    }

    fn place(&mut self, slot: Slot, node: Id) {
        if let Some(old) = self.slots.insert(slot, node) {
            self.nodes[old].ends.retain(|&other| other != slot);
        }
        self.nodes[node].ends.push(slot);
    }

    /// Frees `node` and what is above it, as far as no slot holds it; joins a node to its only child.
    fn prune(&mut self, mut node: Id) {
        while let Node { parent: Some(parent), ends, children, tokens } = &self.nodes[node] {
            let parent = *parent;
            if !ends.is_empty() {
                return;
            }
            match children.as_slice() {
                [] => {
                    self.cells -= count(tokens);
                    self.remove(node, parent, None);
                    node = parent;
                }
                &[child] => {
                    let mut joined = std::mem::take(&mut self.nodes[node].tokens);
                    joined.append(&mut self.nodes[child].tokens);
                    self.nodes[child].tokens = joined;
                    self.nodes[child].parent = Some(parent);
                    self.remove(node, parent, Some(child));
                    return;
                }
                _ => return,
            }
        }
        // A root: there may come as many adapters and scales as people like.
        if self.nodes[node].ends.is_empty() && self.nodes[node].children.is_empty() {
            self.roots.retain(|_, root| *root != node);
            self.unused.push(node);
        }
    }

    fn remove(&mut self, node: Id, parent: Id, heir: Option<Id>) {
        let siblings = &mut self.nodes[parent].children;
        siblings.retain(|&child| child != node);
        siblings.extend(heir);
        self.nodes[node] = Node { parent: None, tokens: Vec::new(), children: Vec::new(), ends: Vec::new() };
        self.unused.push(node);
    }

    fn add(&mut self, parent: Option<Id>, tokens: Vec<Token>) -> Id {
        let node = Node { parent, tokens, children: Vec::new(), ends: Vec::new() };
        match self.unused.pop() {
            Some(id) => {
                self.nodes[id] = node;
                id
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        }
    }

    fn any_slot_below(&self, mut node: Id) -> Option<Slot> {
        loop {
            let Node { ends, children, .. } = &self.nodes[node];
            if let Some(&slot) = ends.first() {
                return Some(slot);
            }
            node = *children.first()?;
        }
    }
}

/// Number of leading tokens that two runs have in common.
pub(super) fn common(left: &[Token], right: &[Token]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

fn count(tokens: &[Token]) -> u32 {
    u32::try_from(tokens.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::{Found, Tree, common};
    use crate::backend::{Adapter, Slot, Token};

    /// Numbered cells and their tokens.
    type Cells = Vec<(u64, Token)>;

    /// The same book kept naively: each slot a list of cells.
    #[derive(Default)]
    struct Plain {
        slots: BTreeMap<Slot, (Option<Adapter>, Cells)>,
        next: u64,
    }

    impl Plain {
        fn cells_of(&self, of: impl Fn(Slot) -> bool) -> BTreeSet<u64> {
            let held = self.slots.iter().filter(|(slot, _)| of(**slot));
            held.flat_map(|(_, (_, cells))| cells.iter().map(|(cell, _)| *cell)).collect()
        }

        fn tokens(&self, slot: Slot) -> Vec<Token> {
            self.slots[&slot].1.iter().map(|(_, token)| *token).collect()
        }
    }

    #[derive(Debug, Clone)]
    enum Act {
        Push(u32, Vec<Token>),
        Share(u32, u32, u32),
        Truncate(u32, u32),
        Close(u32),
        Find(Option<u32>, Vec<Token>),
    }

    fn act() -> impl Strategy<Value = Act> {
        let tokens = || proptest::collection::vec(0..2, 0..9);
        prop_oneof![
            4 => (0_u32..6, tokens()).prop_map(|(slot, tokens)| Act::Push(slot, tokens)),
            3 => (0_u32..6, 0_u32..6, 0_u32..12).prop_map(|(from, to, len)| Act::Share(from, to, len)),
            2 => (0_u32..6, 0_u32..12).prop_map(|(slot, len)| Act::Truncate(slot, len)),
            2 => (0_u32..6).prop_map(Act::Close),
            3 => (proptest::option::of(0_u32..2), tokens()).prop_map(|(adapter, tokens)| Act::Find(adapter, tokens)),
        ]
    }

    fn adapter_of(slot: u32) -> Option<Adapter> {
        (slot % 3).checked_sub(1).map(|id| Adapter::new(id, 1.0))
    }

    proptest! {
        #[test]
        fn the_tree_books_what_a_list_of_cells_would(acts in proptest::collection::vec(act(), 1..60)) {
            let (mut tree, mut plain) = (Tree::default(), Plain::default());
            for act in acts {
                match act {
                    Act::Push(slot, tokens) => {
                        let adapter = adapter_of(slot);
                        let slot = Slot(slot);
                        let (_, cells) = plain.slots.entry(slot).or_insert_with(|| {
                            tree.open(slot, adapter);
                            (adapter, Vec::new())
                        });
                        tree.push(slot, &tokens);
                        for token in tokens {
                            plain.next += 1;
                            cells.push((plain.next, token));
                        }
                    }
                    Act::Share(from, to, len) => {
                        let (from, to) = (Slot(from), Slot(to));
                        let Some((adapter, cells)) = plain.slots.get(&from).cloned() else { continue };
                        if plain.slots.contains_key(&to) {
                            continue;
                        }
                        tree.open(to, adapter);
                        tree.share(from, to, len);
                        plain.slots.insert(to, (adapter, cells[..cells.len().min(len as usize)].to_vec()));
                    }
                    Act::Truncate(slot, len) => {
                        tree.truncate(Slot(slot), len);
                        if let Some((_, cells)) = plain.slots.get_mut(&Slot(slot)) {
                            cells.truncate(len as usize);
                        }
                    }
                    Act::Close(slot) => {
                        tree.close(Slot(slot));
                        plain.slots.remove(&Slot(slot));
                    }
                    Act::Find(adapter, tokens) => {
                        let adapter = adapter.map(|id| Adapter::new(id, 1.0));
                        let of = plain.slots.iter().filter(|(_, (of, _))| *of == adapter);
                        let longest = of.map(|(slot, _)| common(&plain.tokens(*slot), &tokens)).max().unwrap_or(0);
                        match tree.find(adapter, &tokens) {
                            None => prop_assert_eq!(longest, 0),
                            Some(Found { slot, len }) => {
                                prop_assert_eq!(len as usize, longest);
                                prop_assert_eq!(&plain.tokens(slot)[..longest], &tokens[..longest]);
                                prop_assert_eq!(plain.slots[&slot].0, adapter);
                            }
                        }
                    }
                }
                let adapters: BTreeSet<_> = plain.slots.values().map(|(adapter, _)| *adapter).collect();
                prop_assert!(tree.roots.keys().eq(&adapters), "{:?}", tree.roots);
                prop_assert_eq!(tree.cells() as usize, plain.cells_of(|_| true).len());
                for (&slot, (adapter, cells)) in &plain.slots {
                    prop_assert_eq!(tree.adapter(slot), *adapter);
                    prop_assert_eq!(tree.len(slot) as usize, cells.len());
                    let others = plain.cells_of(|other| other != slot);
                    let only = cells.iter().filter(|(cell, _)| !others.contains(cell)).count();
                    prop_assert_eq!(tree.only_of(slot) as usize, only);
                    let half = cells.len() / 2;
                    prop_assert_eq!(&tree.tokens(slot, u32::try_from(half).expect("few"))[..], &plain.tokens(slot)[..half]);
                }
                let few = tree.cells_of(plain.slots.keys().copied().filter(|slot| slot.0 < 3));
                prop_assert_eq!(few as usize, plain.cells_of(|slot| slot.0 < 3).len());
            }
        }
    }
}
