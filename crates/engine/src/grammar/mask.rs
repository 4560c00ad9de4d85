//! Which tokens a grammar allows: a tree of the vocabulary's bytes, walked once for each state that needs it. Most tokens are only looked at
//! one by one: the model's own choice is usually allowed, and then nothing is masked.

use std::{collections::HashMap, sync::Arc};

use super::{Automaton, Grammar, State};
use crate::backend::{Token, Vocabulary};

/// The vocabulary as a tree of bytes; the same for all grammars.
#[derive(Debug)]
pub struct Words {
    nodes: Vec<Node>,
    bytes: Vec<Box<[u8]>>,
    ends: Vec<Token>,
}

#[derive(Debug, Default)]
struct Node {
    children: Vec<(u8, u32)>,
    tokens: Vec<Token>,
}

impl Words {
    /// Reads all tokens of a vocabulary.
    pub fn of(vocabulary: &dyn Vocabulary) -> Self {
        let mut words = Words { nodes: vec![Node::default()], bytes: Vec::new(), ends: Vec::new() };
        for token in (0..).take(vocabulary.size()) {
            let mut bytes = Vec::new();
            vocabulary.decode(token, false, &mut bytes);
            if vocabulary.ends(token) {
                words.ends.push(token);
                bytes.clear();
            }
            words.insert(token, &bytes);
            words.bytes.push(bytes.into());
        }
        words
    }

    fn insert(&mut self, token: Token, bytes: &[u8]) {
        let mut node = 0;
        for &byte in bytes {
            let known = self.nodes[node].children.iter().find(|(of, _)| *of == byte).map(|(_, child)| *child as usize);
            node = known.unwrap_or_else(|| {
                self.nodes.push(Node::default());
                let child = self.nodes.len() - 1;
                self.nodes[node].children.push((byte, u32::try_from(child).unwrap_or(u32::MAX)));
                child
            });
        }
        if node != 0 {
            self.nodes[node].tokens.push(token);
        }
    }

    fn bytes(&self, token: Token) -> &[u8] {
        usize::try_from(token).ok().and_then(|token| self.bytes.get(token)).map_or(&[], AsRef::as_ref)
    }
}

/// What an answer has to be, and the vocabulary that it is written in.
#[derive(Debug, Clone)]
pub struct Form {
    /// The texts that fit.
    pub grammar: Arc<Grammar>,
    /// The model's tokens.
    pub words: Arc<Words>,
}

/// The output of one request as far as it has come.
#[derive(Debug)]
pub struct Constraint {
    words: Arc<Words>,
    automaton: Automaton,
    state: State,
    /// The allowed tokens of states that had to be masked.
    masks: HashMap<State, Arc<[bool]>>,
}

impl Constraint {
    /// Before the first token.
    pub fn new(form: Form) -> Self {
        let (automaton, state) = Automaton::new(form.grammar);
        Constraint { words: form.words, automaton, state, masks: HashMap::new() }
    }

    /// Whether `token` may come next.
    pub fn allows(&mut self, token: Token) -> bool {
        if self.words.ends.contains(&token) {
            return self.automaton.ends(self.state);
        }
        let words = Arc::clone(&self.words);
        let bytes = words.bytes(token);
        !bytes.is_empty() && self.after(bytes).is_some()
    }

    /// Goes on with a token that is allowed.
    pub fn push(&mut self, token: Token) {
        let words = Arc::clone(&self.words);
        if let Some(state) = self.after(words.bytes(token)) {
            self.state = self.automaton.take(state);
        }
    }

    /// Whether the text is whole and nothing may follow.
    pub fn is_done(&self) -> bool {
        self.automaton.ends(self.state) && !self.automaton.goes_on(self.state)
    }

    /// Makes all tokens impossible that may not come next.
    pub fn mask(&mut self, logits: &mut [f32]) {
        let mask = self.mask_of_state();
        for (logit, &allowed) in logits.iter_mut().zip(mask.iter()) {
            if !allowed {
                *logit = f32::NEG_INFINITY;
            }
        }
    }

    fn mask_of_state(&mut self) -> Arc<[bool]> {
        if let Some(mask) = self.masks.get(&self.state) {
            return Arc::clone(mask);
        }
        let words = Arc::clone(&self.words);
        let mut mask = vec![false; words.bytes.len()];
        let mut allow = |token: Token| {
            if let Some(allowed) = usize::try_from(token).ok().and_then(|token| mask.get_mut(token)) {
                *allowed = true;
            }
        };
        // Depth first: what has been looked at before a node is what leads to it.
        let mut left = Vec::new();
        let (mut node, mut state, mut nth) = (0, self.state, 0);
        loop {
            left.extend(words.nodes[node].children.iter().map(|&(byte, child)| (child as usize, byte, state, nth)));
            let next = std::iter::from_fn(|| left.pop())
                .find_map(|(child, byte, before, at)| Some((child, self.automaton.look(before, byte, at)?, at + 1)));
            let Some(found) = next else { break };
            (node, state, nth) = found;
            words.nodes[node].tokens.iter().for_each(|&token| allow(token));
        }
        if self.automaton.ends(self.state) {
            words.ends.iter().for_each(|&token| allow(token));
        }
        let mask: Arc<[bool]> = mask.into();
        self.masks.insert(self.state, Arc::clone(&mask));
        mask
    }

    fn after(&mut self, bytes: &[u8]) -> Option<State> {
        bytes.iter().enumerate().try_fold(self.state, |state, (nth, &byte)| self.automaton.look(state, byte, nth))
    }
}
