//! Output that follows a grammar: which bytes may come next, for any context-free grammar, over UTF-8. Grammars are written in GBNF, the notation
//! of llama.cpp (`grammar/gbnf.rs`), or follow from a JSON schema (`grammar/schema.rs`); what is regular in them stays an automaton of its own
//! (`grammar/language.rs`). `grammar/automaton.rs` runs a grammar, `grammar/mask.rs` says which tokens it allows. It chooses no token.

mod automaton;
mod gbnf;
mod language;
mod mask;
mod pattern;
mod schema;
mod utf8;

pub use automaton::{Automaton, State};
pub(crate) use language::{Language, Term};
pub use mask::{Constraint, Form, Words};

/// Symbols of all rules together, at most: what is larger is refused rather than left to fill the memory.
const MOST_SYMBOLS: usize = 1 << 22;
/// Repetitions of one thing, at most.
const MOST_TIMES: u32 = 1 << 16;

/// A grammar cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unusable(pub String);

/// One place of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// Any one byte from the first to the second.
    Byte(u8, u8),
    /// What a rule says.
    Rule(u32),
    /// A word of a language.
    Word(u32),
    /// A word of a language that has not come before in the same list. A list is what its rule and the rules at the ends of its rules say.
    Fresh(u32),
    /// The end of an alternative.
    End,
}

/// Rules over bytes; the first one is the whole text. See the module.
#[derive(Debug, Clone, Default)]
pub struct Grammar {
    /// All alternatives of all rules, each ended by [`Symbol::End`].
    pub(crate) symbols: Vec<Symbol>,
    /// Where the alternatives of each rule begin.
    pub(crate) rules: Vec<Vec<u32>>,
    /// The languages of bytes that symbols name.
    pub(crate) languages: Vec<Language>,
}

/// What a rule may be made of, before it is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Exactly this.
    Text(String),
    /// One character of these ranges.
    Class(Vec<(char, char)>),
    /// A rule by its number.
    Rule(u32),
    /// A word of a language of bytes, by its number.
    Word(u32),
    /// A word that has not come before; see [`Symbol::Fresh`].
    Fresh(u32),
    /// One after the other.
    All(Vec<Part>),
    /// One of them.
    Any(Vec<Part>),
    /// At least so often and at most so often.
    Repeat(Box<Part>, u32, Option<u32>),
}

impl Grammar {
    /// Reads GBNF; the rule `root` is the whole text.
    ///
    /// # Errors
    /// [`Unusable`] with the line where it cannot be read, or what makes it unusable.
    pub fn read(text: &str) -> Result<Self, Unusable> {
        gbnf::read(text)
    }

    /// The JSON texts that fit a schema (JSON Schema 2020-12, and what older drafts wrote differently).
    ///
    /// # Errors
    /// [`Unusable`] naming the place in the schema and the keyword that cannot be promised.
    pub fn of_schema(schema: &serde_json::Value) -> Result<Self, Unusable> {
        schema::grammar(schema)
    }

    /// All JSON objects.
    ///
    /// # Errors
    /// None in practice: the schema is known.
    pub fn any_object() -> Result<Self, Unusable> {
        schema::grammar(&serde_json::json!({"type": "object"}))
    }

    /// Takes in another grammar; the rule that is its whole text.
    pub(crate) fn take_in(&mut self, other: Grammar) -> u32 {
        let small = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        let (symbols, rules, languages) =
            (small(self.symbols.len()), small(self.rules.len()), small(self.languages.len()));
        self.symbols.extend(other.symbols.into_iter().map(|symbol| match symbol {
            Symbol::Rule(rule) => Symbol::Rule(rule + rules),
            Symbol::Word(language) => Symbol::Word(language + languages),
            Symbol::Fresh(language) => Symbol::Fresh(language + languages),
            other => other,
        }));
        let moved = |alternatives: Vec<u32>| alternatives.into_iter().map(|begin| begin + symbols).collect();
        self.rules.extend(other.rules.into_iter().map(moved));
        self.languages.extend(other.languages);
        rules
    }

    /// A number for a language of bytes.
    pub(crate) fn name(&mut self, language: Language) -> u32 {
        self.languages.push(language);
        u32::try_from(self.languages.len() - 1).unwrap_or(u32::MAX)
    }

    /// A number for a rule that is laid out later.
    pub(crate) fn reserve(&mut self) -> u32 {
        self.rules.push(Vec::new());
        u32::try_from(self.rules.len() - 1).unwrap_or(u32::MAX)
    }

    /// Lays out a reserved rule.
    pub(crate) fn define(&mut self, rule: u32, part: Part) -> Result<(), Unusable> {
        let alternatives = match part {
            Part::Any(parts) => parts,
            part => vec![part],
        };
        for alternative in alternatives {
            let mut symbols = Vec::new();
            self.lay_out(alternative, &mut symbols)?;
            symbols.push(Symbol::End);
            let begin = u32::try_from(self.symbols.len()).unwrap_or(u32::MAX);
            if self.symbols.len() + symbols.len() > MOST_SYMBOLS {
                return Err(Unusable(format!("the grammar has more than {MOST_SYMBOLS} symbols")));
            }
            self.symbols.extend(symbols);
            if let Some(alternatives) = self.rules.get_mut(rule as usize) {
                alternatives.push(begin);
            }
        }
        Ok(())
    }

    fn lay_out(&mut self, part: Part, into: &mut Vec<Symbol>) -> Result<(), Unusable> {
        if into.len() > MOST_SYMBOLS {
            return Err(Unusable(format!("the grammar has more than {MOST_SYMBOLS} symbols")));
        }
        match part {
            Part::Text(text) => into.extend(text.bytes().map(|byte| Symbol::Byte(byte, byte))),
            Part::Rule(rule) => into.push(Symbol::Rule(rule)),
            Part::Word(language) => into.push(Symbol::Word(language)),
            Part::Fresh(language) => into.push(Symbol::Fresh(language)),
            Part::All(parts) => {
                for part in parts {
                    self.lay_out(part, into)?;
                }
            }
            Part::Class(ranges) => {
                let sequences = utf8::sequences(&ranges);
                if let [bytes] = sequences.as_slice() {
                    into.extend(bytes.iter().map(|&(first, last)| Symbol::Byte(first, last)));
                } else {
                    let rule = self.reserve();
                    for bytes in sequences {
                        let begin = u32::try_from(self.symbols.len()).unwrap_or(u32::MAX);
                        self.symbols.extend(bytes.iter().map(|&(first, last)| Symbol::Byte(first, last)));
                        self.symbols.push(Symbol::End);
                        self.rules[rule as usize].push(begin);
                    }
                    into.push(Symbol::Rule(rule));
                }
            }
            any @ Part::Any(_) => {
                let rule = self.reserve();
                self.define(rule, any)?;
                into.push(Symbol::Rule(rule));
            }
            Part::Repeat(part, least, most) => self.repeat(*part, least, most, into)?,
        }
        Ok(())
    }

    /// `least` times, and then a rule that says "once more and on, or nothing" of itself, or of the next as long as there is a limit.
    fn repeat(&mut self, part: Part, least: u32, most: Option<u32>, into: &mut Vec<Symbol>) -> Result<(), Unusable> {
        let once = self.reserve();
        self.define(once, part)?;
        if least.max(most.unwrap_or(0)) > MOST_TIMES {
            return Err(Unusable(format!("a repetition of more than {MOST_TIMES} is not supported")));
        }
        into.extend((0..least).map(|_| Symbol::Rule(once)));
        let Some(most) = most else {
            let more = self.reserve();
            self.define(
                more,
                Part::Any(vec![Part::All(vec![Part::Rule(once), Part::Rule(more)]), Part::All(Vec::new())]),
            )?;
            into.push(Symbol::Rule(more));
            return Ok(());
        };
        let mut more = None;
        for _ in least..most {
            let rule = self.reserve();
            let first = std::iter::once(Part::Rule(once)).chain(more.map(Part::Rule)).collect();
            self.define(rule, Part::Any(vec![Part::All(first), Part::All(Vec::new())]))?;
            more = Some(rule);
        }
        into.extend(more.map(Symbol::Rule));
        Ok(())
    }

    /// Without the alternatives that fit no text that comes to an end; `None` where nothing is left.
    pub(crate) fn pruned(mut self) -> Option<Self> {
        let ends = self.ends();
        let symbols = &self.symbols;
        let whole = |begin: u32| {
            let rest = symbols.get(begin as usize..).unwrap_or_default();
            rest.iter().take_while(|symbol| **symbol != Symbol::End).all(|symbol| !dead(*symbol, &ends))
        };
        self.rules.iter_mut().for_each(|alternatives| alternatives.retain(|&begin| whole(begin)));
        ends.first().is_some_and(|ends| *ends).then_some(self)
    }

    fn ends(&self) -> Vec<bool> {
        self.comes_true(|symbol, ends| !dead(symbol, ends))
    }

    /// Refuses rules that are not there, and those that begin with themselves: reading them would never come to a byte.
    pub(crate) fn check(self) -> Result<Self, Unusable> {
        if let Some(rule) = self.rules.iter().position(Vec::is_empty) {
            return Err(Unusable(format!("rule {rule} is not defined")));
        }
        if self.ends().contains(&false) {
            return Err(Unusable("a rule fits no text that comes to an end".into()));
        }
        let empty = self.comes_true(|symbol, empty| matches!(symbol, Symbol::Rule(rule) if empty[rule as usize]));
        // 0 not seen, 1 being followed, 2 done.
        let mut seen = vec![0_u8; self.rules.len()];
        for rule in 0..self.rules.len() {
            if self.begins_with_itself(rule, &empty, &mut seen) {
                return Err(Unusable("a rule begins with itself (left recursion), which is not supported".into()));
            }
        }
        Ok(self)
    }

    fn alternative(&self, begin: u32) -> impl Iterator<Item = Symbol> {
        let symbols = self.symbols.get(begin as usize..).unwrap_or_default();
        symbols.iter().copied().take_while(|symbol| *symbol != Symbol::End)
    }

    /// For each rule whether one of its alternatives has only symbols of which something holds, that may depend on what holds of rules.
    fn comes_true(&self, holds: impl Fn(Symbol, &[bool]) -> bool) -> Vec<bool> {
        let mut known = vec![false; self.rules.len()];
        loop {
            let mut changed = false;
            for (rule, alternatives) in self.rules.iter().enumerate() {
                let now = alternatives.iter().any(|&begin| self.alternative(begin).all(|symbol| holds(symbol, &known)));
                changed |= now && !std::mem::replace(&mut known[rule], now);
            }
            if !changed {
                return known;
            }
        }
    }

    /// Follows what `rule` may begin with, on a stack of its own: a grammar may be deep.
    fn begins_with_itself(&self, rule: usize, empty: &[bool], seen: &mut [u8]) -> bool {
        let mut path = vec![(rule, self.first_rules(rule, empty))];
        if seen[rule] == 2 {
            return false;
        }
        seen[rule] = 1;
        while let Some((rule, left)) = path.last_mut() {
            let Some(next) = left.pop() else {
                seen[*rule] = 2;
                path.pop();
                continue;
            };
            match seen[next] {
                1 => return true,
                2 => {}
                _ => {
                    seen[next] = 1;
                    path.push((next, self.first_rules(next, empty)));
                }
            }
        }
        false
    }

    fn first_rules(&self, rule: usize, empty: &[bool]) -> Vec<usize> {
        let mut first = Vec::new();
        for &begin in &self.rules[rule] {
            let mut symbols = self.alternative(begin).peekable();
            while let Some(Symbol::Rule(next)) = symbols.next() {
                let next = next as usize;
                // A rule that ends with itself goes on where it is: that is how repetitions are laid out.
                if next != rule || symbols.peek().is_some() {
                    first.push(next);
                }
                if !empty[next] {
                    break;
                }
            }
        }
        first
    }
}

fn dead(symbol: Symbol, ends: &[bool]) -> bool {
    matches!(symbol, Symbol::Rule(rule) if !ends[rule as usize])
}
