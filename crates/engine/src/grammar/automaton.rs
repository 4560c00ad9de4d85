//! Runs a grammar byte by byte. A state is a set of places in rules, each with what to return to; states and their transitions are found as
//! they are needed and kept, so that what recurs (the inside of a string) costs a look-up.

use std::{collections::HashMap, sync::Arc};

use super::{Grammar, Symbol};

/// Returns to which a place can go back: an index, or none at the end of the text.
type Return = u32;
const NOWHERE: Return = u32::MAX;

/// A state by its number; valid for the automaton that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State(u32);

/// See the module.
#[derive(Debug)]
pub struct Automaton {
    grammar: Arc<Grammar>,
    /// Where to go on after a rule, and where after that.
    returns: Vec<(u32, Return)>,
    return_of: HashMap<(u32, Return), Return>,
    states: Vec<Known>,
    state_of: HashMap<Places, State>,
}

type Places = (Vec<(u32, Return)>, bool);

#[derive(Debug)]
struct Known {
    /// Places before a byte.
    places: Vec<(u32, Return)>,
    /// Whether the text may end here.
    ends: bool,
    next: HashMap<u8, Option<State>>,
}

impl Automaton {
    /// An automaton and the state before the first byte.
    pub fn new(grammar: Arc<Grammar>) -> (Self, State) {
        let mut automaton = Automaton {
            grammar,
            returns: Vec::new(),
            return_of: HashMap::new(),
            states: Vec::new(),
            state_of: HashMap::new(),
        };
        let begins = automaton.grammar.rules.first().cloned().unwrap_or_default();
        let start = automaton.state(begins.into_iter().map(|begin| (begin, NOWHERE)).collect());
        (automaton, start)
    }

    /// Whether the text may end at `state`.
    pub fn ends(&self, state: State) -> bool {
        self.known(state).is_some_and(|known| known.ends)
    }

    /// Whether the text may go on at `state`.
    pub fn goes_on(&self, state: State) -> bool {
        self.known(state).is_some_and(|known| !known.places.is_empty())
    }

    /// The state after `byte`; `None` where it may not come.
    pub fn step(&mut self, state: State, byte: u8) -> Option<State> {
        let known = self.known(state)?;
        if let Some(&next) = known.next.get(&byte) {
            return next;
        }
        let allowed = |&&(place, _): &&(u32, Return)| match self.grammar.symbols.get(place as usize) {
            Some(&Symbol::Byte(first, last)) => (first..=last).contains(&byte),
            _ => false,
        };
        let after: Vec<_> = known.places.iter().filter(allowed).map(|&(place, back)| (place + 1, back)).collect();
        let next = (!after.is_empty()).then(|| self.state(after));
        if let Some(known) = self.states.get_mut(state.0 as usize) {
            known.next.insert(byte, next);
        }
        next
    }

    fn known(&self, state: State) -> Option<&Known> {
        self.states.get(state.0 as usize)
    }

    /// The state whose places are those that `left` leads to without a byte.
    fn state(&mut self, mut left: Vec<(u32, Return)>) -> State {
        let mut places = Vec::new();
        let mut ends = false;
        let mut seen = std::collections::HashSet::new();
        while let Some((place, back)) = left.pop() {
            if !seen.insert((place, back)) {
                continue;
            }
            match self.grammar.symbols.get(place as usize) {
                Some(Symbol::Byte(..)) => places.push((place, back)),
                Some(&Symbol::Rule(rule)) => {
                    // After the last symbol of a rule there is nothing to come back to: long lists do not grow a long way back.
                    let last = self.grammar.symbols.get(place as usize + 1) == Some(&Symbol::End);
                    let back = if last { back } else { self.return_to(place + 1, back) };
                    let begins = self.grammar.rules.get(rule as usize).map(Vec::as_slice).unwrap_or_default();
                    left.extend(begins.iter().map(|&begin| (begin, back)));
                }
                _ if back == NOWHERE => ends = true,
                _ => left.extend(self.returns.get(back as usize)),
            }
        }
        places.sort_unstable();
        let key = (places, ends);
        if let Some(&state) = self.state_of.get(&key) {
            return state;
        }
        let state = State(u32::try_from(self.states.len()).unwrap_or(u32::MAX));
        self.states.push(Known { places: key.0.clone(), ends, next: HashMap::new() });
        self.state_of.insert(key, state);
        state
    }

    fn return_to(&mut self, place: u32, back: Return) -> Return {
        if let Some(&known) = self.return_of.get(&(place, back)) {
            return known;
        }
        let new = u32::try_from(self.returns.len()).unwrap_or(NOWHERE - 1);
        self.returns.push((place, back));
        self.return_of.insert((place, back), new);
        new
    }
}
