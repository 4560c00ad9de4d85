//! Runs a grammar byte by byte. A state is a set of places in rules, each with what to return to; states and their transitions are found as
//! they are needed and kept, so that what recurs (the inside of a string) costs a look-up.

use std::{collections::HashMap, sync::Arc};

use super::{Grammar, Symbol};

/// Returns to which a place can go back: an index, or none at the end of the text.
type Return = u32;
const NOWHERE: Return = u32::MAX;
/// Transitions that are not known yet, and those that lead nowhere.
const UNKNOWN: u32 = u32::MAX;
const NONE: u32 = u32::MAX - 1;

/// A state by its number; valid for the automaton that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State(u32);

/// See the module.
#[derive(Debug)]
pub struct Automaton {
    grammar: Arc<Grammar>,
    returns: Vec<Place>,
    return_of: HashMap<Place, Return>,
    memories: Vec<Memory>,
    memory_of: HashMap<Memory, u32>,
    states: Vec<Known>,
    state_of: HashMap<Places, State>,
    /// The bytes of the token that is looked at.
    path: Vec<u8>,
    /// Whether what was found holds on this path only.
    on_path: bool,
}

/// A symbol that comes next, and where to go on after its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Place {
    symbol: u32,
    back: Return,
    /// The state of the symbol's language, where it is one.
    within: u32,
    /// What has come in the list that the place is in.
    memory: u32,
}

/// The words of a list that must not come again, and the beginning of the next: all of it as long as one of them begins so; from there on it
/// is another word, and its bytes stand in the path, or are added when a token is taken. So looking at tokens remembers little.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Memory {
    words: Arc<Vec<Vec<u8>>>,
    begun: Vec<u8>,
    /// Where in the path its bytes go on, once it is another word.
    parted: Option<usize>,
}

type Places = (Vec<Place>, bool);

#[derive(Debug)]
struct Known {
    /// Places before a byte.
    places: Vec<Place>,
    /// Whether the text may end here.
    ends: bool,
    next: Next,
}

/// The states after bytes. Many states are seen once, on the way through some token, and know few of them.
#[derive(Debug)]
enum Next {
    Few(Vec<(u8, u32)>),
    All(Box<[u32; 256]>),
}

impl Next {
    fn get(&self, byte: u8) -> u32 {
        match self {
            Next::Few(few) => few.iter().find(|(of, _)| *of == byte).map_or(UNKNOWN, |(_, next)| *next),
            Next::All(all) => all[usize::from(byte)],
        }
    }

    fn set(&mut self, byte: u8, next: u32) {
        match self {
            Next::Few(few) if few.len() < 12 => few.push((byte, next)),
            Next::Few(few) => {
                let mut all = Box::new([UNKNOWN; 256]);
                few.iter().for_each(|&(byte, next)| all[usize::from(byte)] = next);
                all[usize::from(byte)] = next;
                *self = Next::All(all);
            }
            Next::All(all) => all[usize::from(byte)] = next,
        }
    }
}

impl Automaton {
    /// An automaton and the state before the first byte.
    pub fn new(grammar: Arc<Grammar>) -> (Self, State) {
        let mut automaton = Automaton {
            grammar,
            returns: Vec::new(),
            return_of: HashMap::new(),
            memories: vec![Memory::default()],
            memory_of: HashMap::from([(Memory::default(), 0)]),
            states: Vec::new(),
            state_of: HashMap::new(),
            path: Vec::new(),
            on_path: false,
        };
        let begins = automaton.grammar.rules.first().cloned().unwrap_or_default();
        let at = |symbol| Place { symbol, back: NOWHERE, within: 0, memory: 0 };
        let start = automaton.state(begins.into_iter().map(at).collect());
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
        let next = self.look(state, byte, 0)?;
        Some(self.take(next))
    }

    /// The state after a token up to its byte `nth`, which is `byte`, if the token were taken: those before have been looked at.
    pub(super) fn look(&mut self, state: State, byte: u8, nth: usize) -> Option<State> {
        self.path.truncate(nth);
        self.path.push(byte);
        let known = self.states.get(state.0 as usize)?;
        match known.next.get(byte) {
            UNKNOWN => {}
            NONE => return None,
            next => return Some(State(next)),
        }
        self.on_path = false;
        let mut after = Vec::new();
        for place in known.places.clone() {
            after.extend(self.place_after(place, byte));
        }
        let next = (!after.is_empty()).then(|| self.state(after));
        if !self.on_path
            && let Some(known) = self.states.get_mut(state.0 as usize)
        {
            known.next.set(byte, next.map_or(NONE, |next| next.0));
        }
        next
    }

    /// The state where the token that led to `state` has been taken.
    pub(super) fn take(&mut self, state: State) -> State {
        let Some(known) = self.known(state) else { return state };
        if known.places.iter().all(|place| self.memories[place.memory as usize].parted.is_none()) {
            return state;
        }
        let mut places = known.places.clone();
        for place in &mut places {
            let memory = &self.memories[place.memory as usize];
            if memory.parted.is_some() {
                let memory = Memory { begun: self.word(memory), parted: Some(0), ..memory.clone() };
                place.memory = self.remember(memory);
            }
        }
        // Its bytes so far are in memory now.
        let ends = self.ends(state);
        self.keep(places, ends)
    }

    fn word(&self, memory: &Memory) -> Vec<u8> {
        let more = memory.parted.and_then(|from| self.path.get(from..)).unwrap_or_default();
        [memory.begun.as_slice(), more].concat()
    }

    fn known(&self, state: State) -> Option<&Known> {
        self.states.get(state.0 as usize)
    }

    fn place_after(&mut self, place: Place, byte: u8) -> Option<Place> {
        match *self.grammar.symbols.get(place.symbol as usize)? {
            Symbol::Byte(first, last) => {
                (first..=last).contains(&byte).then_some(Place { symbol: place.symbol + 1, ..place })
            }
            Symbol::Word(language) => {
                let within = self.grammar.languages.get(language as usize)?.after(place.within, byte.into())?;
                Some(Place { within, ..place })
            }
            Symbol::Fresh(language) => {
                let language = self.grammar.languages.get(language as usize)?;
                let within = language.after(place.within, byte.into())?;
                let mut memory = self.memories.get(place.memory as usize)?.clone();
                if memory.parted.is_some() {
                    return Some(Place { within, ..place });
                }
                memory.begun.push(byte);
                if !memory.words.iter().any(|word| word.starts_with(&memory.begun)) {
                    self.on_path = true;
                    memory.parted = Some(self.path.len());
                    return Some(Place { within, memory: self.remember(memory), ..place });
                }
                // Not into a beginning all of whose words have come.
                let rest = |word: &Vec<u8>| word.strip_prefix(memory.begun.as_slice()).map(<[u8]>::to_vec);
                let spent = memory.words.iter().filter_map(rest).filter(|rest| {
                    let end = rest.iter().try_fold(within, |state, &byte| language.after(state, byte.into()));
                    end.is_some_and(|end| language.ends(end))
                });
                let spent = u32::try_from(spent.count()).unwrap_or(u32::MAX);
                (spent < language.room(within)).then(|| Place { within, memory: self.remember(memory), ..place })
            }
            Symbol::Rule(_) | Symbol::End => None,
        }
    }

    /// The state whose places are those that `left` leads to without a byte.
    fn state(&mut self, mut left: Vec<Place>) -> State {
        let mut places = Vec::new();
        let mut ends = false;
        let mut seen = std::collections::HashSet::new();
        while let Some(place) = left.pop() {
            if !seen.insert(place) {
                continue;
            }
            let after = Place { symbol: place.symbol + 1, within: 0, ..place };
            match self.grammar.symbols.get(place.symbol as usize) {
                Some(Symbol::Byte(..)) => places.push(place),
                Some(&Symbol::Word(language)) => {
                    let language = &self.grammar.languages[language as usize];
                    if language.goes_on(place.within) {
                        places.push(place);
                    }
                    if language.ends(place.within) {
                        left.push(after);
                    }
                }
                Some(&Symbol::Fresh(language)) => {
                    let language = &self.grammar.languages[language as usize];
                    let memory = &self.memories[place.memory as usize];
                    if language.goes_on(place.within) {
                        places.push(place);
                    }
                    if language.ends(place.within) && !memory.words.contains(&memory.begun) {
                        let mut words = Vec::clone(&memory.words);
                        words.push(self.word(memory));
                        words.sort_unstable();
                        self.on_path |= memory.parted.is_some();
                        let memory = self.remember(Memory { words: words.into(), ..Memory::default() });
                        left.push(Place { memory, ..after });
                    }
                }
                Some(&Symbol::Rule(rule)) => {
                    // After the last symbol of a rule there is nothing to come back to: long lists do not grow a long way back, and what
                    // a list remembers goes on with it.
                    let last = self.grammar.symbols.get(after.symbol as usize) == Some(&Symbol::End);
                    let (back, memory) = if last { (place.back, place.memory) } else { (self.return_to(after), 0) };
                    let begins = self.grammar.rules.get(rule as usize).map(Vec::as_slice).unwrap_or_default();
                    left.extend(begins.iter().map(|&symbol| Place { symbol, back, within: 0, memory }));
                }
                _ if place.back == NOWHERE => ends = true,
                _ => left.extend(self.returns.get(place.back as usize)),
            }
        }
        self.keep(places, ends)
    }

    fn keep(&mut self, mut places: Vec<Place>, ends: bool) -> State {
        places.sort_unstable();
        let key = (places, ends);
        if let Some(&state) = self.state_of.get(&key) {
            return state;
        }
        let state = State(u32::try_from(self.states.len()).unwrap_or(NONE - 1));
        self.states.push(Known { places: key.0.clone(), ends, next: Next::Few(Vec::new()) });
        self.state_of.insert(key, state);
        state
    }

    fn return_to(&mut self, place: Place) -> Return {
        if let Some(&known) = self.return_of.get(&place) {
            return known;
        }
        let new = u32::try_from(self.returns.len()).unwrap_or(NOWHERE - 1);
        self.returns.push(place);
        self.return_of.insert(place, new);
        new
    }

    fn remember(&mut self, memory: Memory) -> u32 {
        if let Some(&known) = self.memory_of.get(&memory) {
            return known;
        }
        let new = u32::try_from(self.memories.len()).unwrap_or(u32::MAX);
        self.memories.push(memory.clone());
        self.memory_of.insert(memory, new);
        new
    }
}
