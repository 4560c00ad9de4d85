//! Regular languages as deterministic automata over numbers, which are characters or bytes: what a pattern, a format or a bounded number
//! allows, and what is left of it when more is asked. It knows neither JSON nor schemas.

use std::collections::{BTreeSet, HashMap};

use super::{Unusable, utf8};

/// States of one automaton, at most.
const MOST_STATES: usize = 6000;
/// Places of a pattern with its repetitions written out, at most.
const MOST_PLACES: usize = 60_000;

/// What a language may be made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Term {
    /// One character of these ranges.
    Class(Vec<(u32, u32)>),
    /// One after the other.
    All(Vec<Term>),
    /// One of them.
    Any(Vec<Term>),
    /// At least so often and at most so often.
    Repeat(Box<Term>, u32, Option<u32>),
    /// Nothing, where the text begins.
    Begin,
    /// Nothing, where the text ends.
    End,
}

impl Term {
    /// Exactly this text.
    pub(crate) fn text(text: &str) -> Self {
        Term::All(text.chars().map(|letter| Term::Class(vec![(letter.into(), letter.into())])).collect())
    }

    /// One of these characters.
    pub(crate) fn range(first: char, last: char) -> Self {
        Term::Class(vec![(first.into(), last.into())])
    }

    /// This or nothing.
    pub(crate) fn perhaps(self) -> Self {
        Term::Repeat(Box::new(self), 0, Some(1))
    }

    /// This so often.
    pub(crate) fn times(self, least: u32, most: Option<u32>) -> Self {
        Term::Repeat(Box::new(self), least, most)
    }
}

/// A language: its automaton, which begins at state 0, and from each of whose states an end can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Language {
    states: Vec<State>,
    /// How many words can still be made from a state; `u32::MAX` is that many or more, or without end.
    room: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct State {
    pub(super) ends: bool,
    /// First and last character and where they lead, sorted and apart.
    pub(super) edges: Vec<(u32, u32, u32)>,
}

impl State {
    fn after(&self, letter: u32) -> Option<u32> {
        let nth = self.edges.partition_point(|&(_, last, _)| last < letter);
        self.edges.get(nth).filter(|(first, ..)| *first <= letter).map(|&(.., to)| to)
    }
}

fn too_large() -> Unusable {
    Unusable("a pattern is too large".into())
}

impl Language {
    /// The texts that are `term`.
    pub(crate) fn of(term: &Term) -> Result<Self, Unusable> {
        let mut draft = Draft::default();
        let end = draft.add(term, 0)?;
        draft.language(end)
    }

    /// The texts in which `term` is found.
    pub(crate) fn holding(term: &Term) -> Result<Self, Unusable> {
        let any = || Term::Class(vec![(0, char::MAX.into())]).times(0, None);
        Self::of(&Term::All(vec![any(), term.clone(), any()]))
    }

    /// All texts.
    pub(crate) fn all() -> Self {
        let all = State { ends: true, edges: vec![(0, char::MAX.into(), 0)] };
        Language { states: vec![all], room: vec![u32::MAX] }
    }

    /// These texts.
    pub(crate) fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, Unusable> {
        Self::of(&Term::Any(words.into_iter().map(Term::text).collect()))
    }

    /// These texts, by bytes.
    pub(crate) fn texts(texts: &[String]) -> Result<Self, Unusable> {
        let bytes =
            |text: &String| Term::All(text.bytes().map(|byte| Term::Class(vec![(byte.into(), byte.into())])).collect());
        Self::of(&Term::Any(texts.iter().map(bytes).collect()))
    }

    /// States that are known already.
    pub(super) fn of_states(states: Vec<State>) -> Self {
        Self::tidy(states)
    }

    /// What is in both.
    pub(crate) fn and(&self, other: &Self) -> Result<Self, Unusable> {
        self.with(other, |left, right| left && right)
    }

    /// What is in this and not in the other.
    pub(crate) fn minus(&self, other: &Self) -> Result<Self, Unusable> {
        self.with(other, |left, right| left && !right)
    }

    /// What is in either.
    pub(crate) fn or(&self, other: &Self) -> Result<Self, Unusable> {
        let mut draft = Draft::default();
        let ends: Vec<_> = [self, other].iter().map(|language| draft.take_in(language, 0)).collect();
        let end = draft.place();
        ends.into_iter().flatten().for_each(|from| draft.edge(from, Way::Free, end));
        draft.language(end)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.states.is_empty()
    }

    /// Whether it is every text.
    pub(crate) fn is_all(&self) -> bool {
        *self == Self::all()
    }

    /// The number of its words; `u32::MAX` is that many or more.
    pub(crate) fn len(&self) -> u32 {
        self.room(0)
    }

    pub(super) fn room(&self, state: u32) -> u32 {
        self.room.get(state as usize).copied().unwrap_or(0)
    }

    pub(super) fn ends(&self, state: u32) -> bool {
        self.states.get(state as usize).is_some_and(|state| state.ends)
    }

    pub(super) fn goes_on(&self, state: u32) -> bool {
        self.states.get(state as usize).is_some_and(|state| !state.edges.is_empty())
    }

    pub(super) fn after(&self, state: u32, letter: u32) -> Option<u32> {
        self.states.get(state as usize)?.after(letter)
    }

    pub(crate) fn contains(&self, text: &str) -> bool {
        text.chars().try_fold(0, |state, letter| self.after(state, letter.into())).is_some_and(|state| self.ends(state))
    }

    /// The JSON texts of strings whose values these are, by bytes, each value written in one way: a language of bytes.
    pub(crate) fn quoted(&self) -> Result<Self, Unusable> {
        let mut draft = Draft::default();
        let (begin, end) = (draft.place(), draft.place());
        let quote = u32::from(b'"');
        draft.edge(0, Way::Letter(quote, quote), begin);
        let places: Vec<usize> =
            (0..self.states.len()).map(|state| if state == 0 { begin } else { draft.place() }).collect();
        // Where a range of bytes goes on alike, it goes on in the same place.
        let mut shared: HashMap<(Vec<(u8, u8)>, usize), usize> = HashMap::new();
        for (state, &from) in self.states.iter().zip(&places) {
            if state.ends {
                draft.edge(from, Way::Letter(quote, quote), end);
            }
            let mut escape = None;
            for &(first, last, to) in &state.edges {
                let to = places[to as usize];
                for (letter, name) in ESCAPED {
                    if (first..=last).contains(&u32::from(*letter)) {
                        let slash = *escape.get_or_insert_with(|| draft.place());
                        draft.edge(slash, Way::Letter(u32::from(*name), u32::from(*name)), to);
                    }
                }
                for sequence in utf8::sequences(&plain(first, last)) {
                    let (mut at, mut rest) = (from, sequence.as_slice());
                    while let Some((&(low, high), after)) = rest.split_first() {
                        let next = match after {
                            [] => to,
                            _ => *shared.entry((after.to_vec(), to)).or_insert_with(|| draft.place()),
                        };
                        let known = draft.ways[at].contains(&(Way::Letter(low.into(), high.into()), next));
                        if !known {
                            draft.edge(at, Way::Letter(low.into(), high.into()), next);
                        }
                        (at, rest) = (next, after);
                    }
                }
            }
            if let Some(slash) = escape {
                draft.edge(from, Way::Letter(u32::from(b'\\'), u32::from(b'\\')), slash);
            }
        }
        draft.language(end)
    }

    fn with(&self, other: &Self, ends: impl Fn(bool, bool) -> bool) -> Result<Self, Unusable> {
        let mut found: HashMap<(u32, Option<u32>), u32> = HashMap::from([((0, Some(0)), 0)]);
        let mut left = vec![(0, (!other.is_empty()).then_some(0))];
        found.insert(left[0], 0);
        let mut states = vec![State::default()];
        let nothing = State::default();
        while let Some(pair @ (mine, others)) = left.pop() {
            let this = self.states.get(mine as usize).unwrap_or(&nothing);
            let that = others.and_then(|state| other.states.get(state as usize)).unwrap_or(&nothing);
            let mut edges = Vec::new();
            for &(first, last, to) in &this.edges {
                let mut from = first;
                let mut cut = |first: u32, last: u32, beside: Option<u32>| {
                    let next = (to, beside);
                    let id = *found.entry(next).or_insert_with(|| {
                        left.push(next);
                        states.push(State::default());
                        u32::try_from(states.len() - 1).unwrap_or(u32::MAX)
                    });
                    edges.push((first, last, id));
                };
                for &(low, high, beside) in that.edges.iter().filter(|(low, high, _)| *low <= last && *high >= first) {
                    if low > from {
                        cut(from, low - 1, None);
                    }
                    cut(low.max(from), high.min(last), Some(beside));
                    from = high.saturating_add(1);
                }
                if from <= last {
                    cut(from, last, None);
                }
            }
            if states.len() > MOST_STATES {
                return Err(too_large());
            }
            let id = found[&pair] as usize;
            states[id] = State { ends: ends(this.ends, that.ends), edges };
        }
        Ok(Self::tidy(states))
    }

    /// Without the states that lead nowhere, and with one state for those that are alike.
    fn tidy(states: Vec<State>) -> Self {
        let mut lives: Vec<bool> = states.iter().map(|state| state.ends).collect();
        loop {
            let mut changed = false;
            for (nth, state) in states.iter().enumerate().rev() {
                if !lives[nth] && state.edges.iter().any(|&(.., to)| lives[to as usize]) {
                    lives[nth] = true;
                    changed = true;
                }
            }
            if !changed {
                break;
            }
        }
        if !lives.first().is_some_and(|lives| *lives) {
            return Language::default();
        }
        // Which states are alike is refined until nothing changes (Moore).
        let mut class: Vec<u32> = states.iter().map(|state| u32::from(state.ends)).collect();
        let mut count = 0;
        let mut alike: Vec<State>;
        loop {
            let mut known: HashMap<(u32, State), u32> = HashMap::new();
            alike = Vec::new();
            let mut next = vec![0; states.len()];
            for (nth, state) in states.iter().enumerate().filter(|(nth, _)| lives[*nth]) {
                let mut edges: Vec<(u32, u32, u32)> = Vec::new();
                for &(first, last, to) in state.edges.iter().filter(|(.., to)| lives[*to as usize]) {
                    let to = class[to as usize];
                    match edges.last_mut() {
                        Some((_, end, known)) if *known == to && *end + 1 == first => *end = last,
                        _ => edges.push((first, last, to)),
                    }
                }
                let key = (class[nth], State { ends: state.ends, edges });
                let new = u32::try_from(known.len()).unwrap_or(u32::MAX);
                next[nth] = *known.entry(key.clone()).or_insert_with(|| {
                    alike.push(key.1);
                    new
                });
            }
            let settled = known.len() == count;
            count = known.len();
            class = next;
            if settled {
                break;
            }
        }
        // The edges name the classes of the round before, which are the same when nothing has changed.
        let mut language = Language { states: alike, room: Vec::new() };
        language.room = language.rooms();
        language
    }

    fn rooms(&self) -> Vec<u32> {
        // 0 not seen, 1 being counted, 2 done.
        let mut room = vec![0_u64; self.states.len()];
        let mut seen = vec![0_u8; self.states.len()];
        let mut endless = vec![false; self.states.len()];
        for start in 0..self.states.len() {
            let mut path = vec![(start, 0)];
            while let Some(&mut (state, ref mut nth)) = path.last_mut() {
                seen[state] = seen[state].max(1);
                let edge = self.states[state].edges.get(*nth).copied();
                *nth += 1;
                match edge {
                    Some((.., to)) => match seen[to as usize] {
                        0 => path.push((to as usize, 0)),
                        1 => endless[to as usize] = true,
                        _ => {}
                    },
                    None => {
                        if seen[state] < 2 {
                            let State { ends, edges } = &self.states[state];
                            let words = edges.iter().fold(u64::from(*ends), |sum, &(first, last, to)| {
                                let times = u64::from(last - first + 1).saturating_mul(room[to as usize]);
                                sum.saturating_add(if endless[to as usize] { u64::MAX } else { times })
                            });
                            room[state] = words;
                            endless[state] |= edges.iter().any(|&(.., to)| endless[to as usize]);
                            seen[state] = 2;
                        }
                        path.pop();
                    }
                }
            }
        }
        let counted =
            |(room, endless): (&u64, &bool)| if *endless { u32::MAX } else { u32::try_from(*room).unwrap_or(u32::MAX) };
        room.iter().zip(&endless).map(counted).collect()
    }
}

/// What JSON writes with a backslash, and the letter behind it. Other control characters are left out.
const ESCAPED: &[(u8, u8)] =
    &[(b'"', b'"'), (b'\\', b'\\'), (8, b'b'), (12, b'f'), (b'\n', b'n'), (b'\r', b'r'), (b'\t', b't')];

/// The characters from `first` to `last` that stand for themselves in a JSON string.
fn plain(first: u32, last: u32) -> Vec<(char, char)> {
    let blocks = [(' ', '!'), ('#', '['), (']', '\u{7e}'), ('\u{80}', '\u{d7ff}'), ('\u{e000}', char::MAX)];
    let within = |(low, high): (char, char)| {
        let (low, high) = (u32::from(low).max(first), u32::from(high).min(last));
        (low <= high).then_some((char::from_u32(low)?, char::from_u32(high)?))
    };
    blocks.into_iter().filter_map(within).collect()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Letter(u32, u32),
    Free,
    Begin,
    End,
}

/// An automaton that may be in several places at once, beginning at place 0.
struct Draft {
    ways: Vec<Vec<(Way, usize)>>,
}

impl Default for Draft {
    fn default() -> Self {
        Draft { ways: vec![Vec::new()] }
    }
}

impl Draft {
    fn place(&mut self) -> usize {
        self.ways.push(Vec::new());
        self.ways.len() - 1
    }

    fn edge(&mut self, from: usize, way: Way, to: usize) {
        self.ways[from].push((way, to));
    }

    /// Puts `term` behind a place; where it ends.
    fn add(&mut self, term: &Term, from: usize) -> Result<usize, Unusable> {
        if self.ways.len() > MOST_PLACES {
            return Err(too_large());
        }
        match term {
            Term::Class(ranges) => {
                let to = self.place();
                ranges.iter().for_each(|&(first, last)| self.edge(from, Way::Letter(first, last), to));
                Ok(to)
            }
            Term::All(terms) => terms.iter().try_fold(from, |from, term| self.add(term, from)),
            Term::Any(terms) => {
                let to = self.place();
                for term in terms {
                    let begin = self.place();
                    self.edge(from, Way::Free, begin);
                    let end = self.add(term, begin)?;
                    self.edge(end, Way::Free, to);
                }
                Ok(to)
            }
            Term::Repeat(term, least, most) => {
                let mut at = from;
                for _ in 0..*least {
                    at = self.add(term, at)?;
                }
                let to = self.place();
                match most {
                    None => {
                        let begin = self.place();
                        self.edge(at, Way::Free, begin);
                        let end = self.add(term, begin)?;
                        self.edge(end, Way::Free, begin);
                        self.edge(begin, Way::Free, to);
                    }
                    Some(most) => {
                        for _ in *least..*most {
                            self.edge(at, Way::Free, to);
                            at = self.add(term, at)?;
                        }
                        self.edge(at, Way::Free, to);
                    }
                }
                Ok(to)
            }
            Term::Begin | Term::End => {
                let to = self.place();
                self.edge(from, if *term == Term::Begin { Way::Begin } else { Way::End }, to);
                Ok(to)
            }
        }
    }

    /// Puts a language behind a place; the places where it ends.
    fn take_in(&mut self, language: &Language, from: usize) -> Vec<usize> {
        let places: Vec<usize> = language.states.iter().map(|_| self.place()).collect();
        if let Some(&first) = places.first() {
            self.edge(from, Way::Free, first);
        }
        for (state, &place) in language.states.iter().zip(&places) {
            state
                .edges
                .iter()
                .for_each(|&(low, high, to)| self.edge(place, Way::Letter(low, high), places[to as usize]));
        }
        places.iter().zip(&language.states).filter(|(_, state)| state.ends).map(|(place, _)| *place).collect()
    }

    /// The places that `places` are at once, without a letter.
    fn reached(&self, places: impl IntoIterator<Item = usize>, begins: bool, ends: bool) -> BTreeSet<usize> {
        let mut left: Vec<usize> = places.into_iter().collect();
        let mut reached = BTreeSet::new();
        while let Some(place) = left.pop() {
            if reached.insert(place) {
                let free = |way: Way| way == Way::Free || (way == Way::Begin && begins) || (way == Way::End && ends);
                left.extend(self.ways[place].iter().filter(|(way, _)| free(*way)).map(|(_, to)| *to));
            }
        }
        reached
    }

    /// One state for each set of places that a text can be in.
    fn language(&self, end: usize) -> Result<Language, Unusable> {
        let start = self.reached([0], true, false);
        let mut found = HashMap::from([(start.clone(), 0_u32)]);
        let mut left = vec![start];
        let mut states = vec![State::default()];
        while let Some(places) = left.pop() {
            let id = found[&places] as usize;
            let ends = self.reached(places.iter().copied(), id == 0, true).contains(&end);
            let ways: Vec<(u32, u32, usize)> = places
                .iter()
                .flat_map(|&place| &self.ways[place])
                .filter_map(
                    |&(way, to)| if let Way::Letter(first, last) = way { Some((first, last, to)) } else { None },
                )
                .collect();
            let borders: BTreeSet<u32> = ways.iter().flat_map(|&(first, last, _)| [first, last + 1]).collect();
            let borders: Vec<u32> = borders.into_iter().collect();
            let mut edges = Vec::new();
            for pair in borders.windows(2) {
                let (first, last) = (pair[0], pair[1] - 1);
                let to = ways.iter().filter(|(low, high, _)| *low <= first && last <= *high).map(|(.., to)| *to);
                let to = self.reached(to, false, false);
                if to.is_empty() {
                    continue;
                }
                if states.len() > MOST_STATES {
                    return Err(too_large());
                }
                let id = *found.entry(to.clone()).or_insert_with(|| {
                    left.push(to);
                    states.push(State::default());
                    u32::try_from(states.len() - 1).unwrap_or(u32::MAX)
                });
                edges.push((first, last, id));
            }
            states[id] = State { ends, edges };
        }
        Ok(Language::tidy(states))
    }
}
