//! From a JSON schema to the grammar of texts that fit it (JSON Schema 2020-12, <https://json-schema.org>, and the drafts before it). What is
//! written always fits; where a schema leaves a choice (the order of members, white space, members it does not speak of) the grammar may
//! leave out some of it. What cannot be promised is refused with its place, never passed over; annotations are left aside.
//!
//! The schemas that hold at one place are a set of claims (`claims.rs`); for values of each kind they become facts (`facts.rs`), from
//! which the files of the kinds make rules. A rule is known by its set of claims, so that a schema may refer to itself.

mod array;
mod claims;
mod document;
mod facts;
mod fits;
mod number;
mod object;
mod string;

use std::collections::HashMap;

use claims::{Claims, No, Result};
use document::Document;
use facts::{Claim, Facts, Kind, same};
use serde_json::Value;
use string::Forms;

use super::{Grammar, Part, Unusable, language::Language, utf8};

/// Sets of claims that rules are made for, at most.
const MOST_SETS: usize = 20_000;

/// See [`Grammar::of_schema`].
pub(super) fn grammar(schema: &Value) -> std::result::Result<Grammar, Unusable> {
    let mut writer = Writer::new(schema);
    let written = writer.all();
    match written {
        Ok(()) => writer.grammar.pruned().ok_or_else(|| Unusable("the schema at #: nothing fits it".into())),
        Err(No::At(place, why)) => {
            Err(Unusable(format!("the schema at #{}: {why}", writer.claims.document.place_of(place))))
        }
        Err(No::Many) => Err(Unusable("the schema leaves more choices than are supported".into())),
    }
}

struct Writer<'a> {
    claims: Claims<'a>,
    forms: Forms<'a>,
    grammar: Grammar,
    /// The rule of each set of claims, and those that are not written yet.
    known: HashMap<Vec<(usize, bool)>, u32>,
    left: Vec<(u32, Vec<Claim<'a>>)>,
    basics: HashMap<&'static str, u32>,
    /// Languages by what was asked of them.
    words: HashMap<String, u32>,
    /// The schema that is being written: where it is refused, if no closer place is known.
    at: &'a Value,
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn literal(value: &Value) -> Part {
    Part::Text(value.to_string())
}

fn small(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl<'a> Writer<'a> {
    fn new(schema: &'a Value) -> Self {
        Writer {
            claims: Claims::new(Document::new(schema)),
            forms: Forms::default(),
            grammar: Grammar::default(),
            known: HashMap::new(),
            left: Vec::new(),
            basics: HashMap::new(),
            words: HashMap::new(),
            at: schema,
        }
    }

    fn no<T>(&self, why: impl Into<String>) -> Result<'a, T> {
        Err(No::At(self.at, why.into()))
    }

    /// What the grammar or a language says where it cannot be made is said of the schema that is being written.
    fn here<T>(&self, made: std::result::Result<T, Unusable>) -> Result<'a, T> {
        made.or_else(|Unusable(why)| self.no(why))
    }

    fn all(&mut self) -> Result<'a, ()> {
        let root = self.grammar.reserve();
        self.left.push((root, vec![Claim::that(self.claims.document.root)]));
        while let Some((rule, claims)) = self.left.pop() {
            if let Some(claim) = claims.first() {
                self.at = claim.schema;
            }
            let parts = self.value(&claims)?;
            self.define(rule, Part::Any(parts))?;
        }
        Ok(())
    }

    fn define(&mut self, rule: u32, part: Part) -> Result<'a, ()> {
        let defined = self.grammar.define(rule, part);
        self.here(defined)
    }

    /// The values of which all claims are true.
    fn fitting(&mut self, mut claims: Vec<Claim<'a>>) -> Result<'a, Part> {
        claims.retain(|claim| {
            let anything =
                claim.schema == &Value::Bool(true) || claim.schema.as_object().is_some_and(serde_json::Map::is_empty);
            !(anything && claim.holds)
        });
        claims.sort_by_key(Claim::key);
        claims.dedup_by_key(|claim| claim.key());
        if claims.is_empty() {
            return self.any();
        }
        let key: Vec<_> = claims.iter().map(Claim::key).collect();
        if let Some(&rule) = self.known.get(&key) {
            return Ok(Part::Rule(rule));
        }
        if self.known.len() > MOST_SETS {
            return self.no(format!("more than {MOST_SETS} schemas are not supported"));
        }
        let rule = self.grammar.reserve();
        self.known.insert(key, rule);
        self.left.push((rule, claims));
        Ok(Part::Rule(rule))
    }

    fn value(&mut self, claims: &[Claim<'a>]) -> Result<'a, Vec<Part>> {
        let mut kinds = Vec::new();
        for kind in Kind::ALL {
            kinds.push((kind, self.claims.facts(claims, kind)?));
        }
        let open = |facts: &[Facts<'a>]| facts.iter().any(|facts| !facts.told);
        if kinds.iter().all(|(_, facts)| open(facts)) {
            return Ok(vec![self.any()?]);
        }
        // Where a schema names no types but speaks of some, those are written.
        let spoken = |facts: &Vec<Facts<'a>>| facts.iter().any(|facts| facts.told || facts.typed);
        if kinds.iter().any(|(_, facts)| spoken(facts)) {
            kinds.retain(|(_, facts)| spoken(facts));
        }
        let mut parts = Vec::new();
        for (kind, all) in kinds {
            for facts in all {
                self.of_facts(kind, &facts, &mut parts)?;
            }
        }
        Ok(parts)
    }

    fn of_facts(&mut self, kind: Kind, facts: &Facts<'a>, parts: &mut Vec<Part>) -> Result<'a, ()> {
        if let Some(values) = &facts.among {
            for value in values {
                if self.fits_facts(facts, value)? {
                    parts.push(literal(value));
                }
            }
            return Ok(());
        }
        match kind {
            Kind::Null | Kind::Boolean => {
                let values = if kind == Kind::Null { vec![Value::Null] } else { vec![true.into(), false.into()] };
                let left = values.iter().filter(|value| !facts.but.iter().any(|but| same(but, value)));
                parts.extend(left.map(literal));
            }
            Kind::Number => parts.extend(self.number(facts)?),
            Kind::String => parts.extend(self.string(facts)?),
            Kind::Array | Kind::Object => {
                for value in &facts.but {
                    if self.fits_facts(&Facts { but: Vec::new(), ..facts.clone() }, value)? {
                        return self.no("an array or object that is not to come is not supported");
                    }
                }
                parts.extend(if kind == Kind::Array { self.array(facts)? } else { self.object(facts, None)? });
            }
        }
        Ok(())
    }

    /// A word of a language of bytes; `None` where it has none.
    fn word(
        &mut self,
        asked: String,
        language: impl FnOnce(&mut Self) -> std::result::Result<Language, Unusable>,
    ) -> Result<'a, Option<Part>> {
        if let Some(&known) = self.words.get(&asked) {
            return Ok(Some(Part::Word(known)));
        }
        let made = language(self);
        let language = self.here(made)?;
        if language.is_empty() {
            return Ok(None);
        }
        let word = self.grammar.name(language);
        self.words.insert(asked, word);
        Ok(Some(Part::Word(word)))
    }

    fn number(&mut self, facts: &Facts<'a>) -> Result<'a, Option<Part>> {
        let Facts { whole, least, most, steps, but, .. } = facts;
        self.word(format!("{:?}", (whole, least, most, steps, but)), |_| number::language(facts, false))
    }

    fn string(&mut self, facts: &Facts<'a>) -> Result<'a, Option<Part>> {
        if facts.forms.is_empty() && facts.but.is_empty() {
            return if facts.longest.is_some_and(|most| most < facts.shortest) {
                Ok(None)
            } else {
                self.letters(small(facts.shortest), facts.longest.map(small)).map(Some)
            };
        }
        let Facts { shortest, longest, forms, but, .. } = facts;
        self.word(format!("{:?}", (shortest, longest, forms, but)), |writer| writer.forms.values(facts)?.quoted())
    }

    /// A rule that is the same wherever it is needed.
    fn basic(&mut self, name: &'static str, part: impl FnOnce(&mut Self) -> Result<'a, Part>) -> Result<'a, Part> {
        if let Some(&rule) = self.basics.get(name) {
            return Ok(Part::Rule(rule));
        }
        let rule = self.grammar.reserve();
        self.basics.insert(name, rule);
        let part = part(self)?;
        self.define(rule, part)?;
        Ok(Part::Rule(rule))
    }

    fn rule(&mut self, part: Part) -> Result<'a, Part> {
        let rule = self.grammar.reserve();
        self.define(rule, part)?;
        Ok(Part::Rule(rule))
    }

    /// Nothing, a blank, or a line with its indentation: what models write; without end it would let them write nothing else.
    fn space(&mut self) -> Result<'a, Part> {
        self.basic("space", |_| {
            let indentation = Part::Repeat(Box::new(Part::Class(vec![(' ', ' '), ('\t', '\t')])), 0, Some(32));
            Ok(Part::Any(vec![Part::All(Vec::new()), text(" "), Part::All(vec![text("\n"), indentation])]))
        })
    }

    fn comma(&mut self) -> Result<'a, Part> {
        self.basic("comma", |writer| Ok(Part::All(vec![writer.space()?, text(","), writer.space()?])))
    }

    fn colon(&mut self) -> Result<'a, Part> {
        self.basic("colon", |writer| Ok(Part::All(vec![writer.space()?, text(":"), writer.space()?])))
    }

    fn any(&mut self) -> Result<'a, Part> {
        self.basic("any", |writer| {
            let (value, none) = (writer.any()?, Facts::default());
            let letters = writer.letters(0, None)?;
            let member = Part::All(vec![letters.clone(), writer.colon()?, value.clone()]);
            let mut parts = vec![
                writer.list('{', member, 0, None, '}')?,
                writer.list('[', value, 0, None, ']')?,
                letters,
                text("true"),
                text("false"),
                text("null"),
            ];
            parts.extend(writer.number(&none)?);
            Ok(Part::Any(parts))
        })
    }

    /// Items with commas between brackets.
    fn list(&mut self, open: char, item: Part, least: u32, most: Option<u32>, close: char) -> Result<'a, Part> {
        let (open, close) = (text(&open.to_string()), text(&close.to_string()));
        let empty = Part::All(vec![open.clone(), self.space()?, close.clone()]);
        if most == Some(0) {
            return Ok(empty);
        }
        let next = Part::All(vec![self.comma()?, item.clone()]);
        let more = Part::Repeat(Box::new(next), least.saturating_sub(1), most.map(|most| most - 1));
        let full = Part::All(vec![open, self.space()?, item, more, self.space()?, close]);
        Ok(if least == 0 { Part::Any(vec![empty, full]) } else { full })
    }

    /// A string of so many characters, escaped in any way.
    fn letters(&mut self, least: u32, most: Option<u32>) -> Result<'a, Part> {
        let letter = self.basic("letter", |_| {
            let ranges = |ranges: &str| {
                let letters: Vec<char> = ranges.chars().collect();
                Part::Class(letters.chunks(2).map(|pair| (pair[0], pair[1])).collect())
            };
            let hex = || ranges("09afAF");
            let plain = utf8::complement(&[('\0', '\u{1f}'), ('"', '"'), ('\\', '\\'), ('\u{7f}', '\u{7f}')]);
            // The halves of a pair are a character together, alone they are none.
            let low = Part::All(vec![ranges("09acACefEF"), hex(), hex(), hex()]);
            let bottom = Part::All(vec![ranges("ddDD"), ranges("07"), hex(), hex()]);
            let high = Part::All(vec![ranges("ddDD"), ranges("89abAB"), hex(), hex()]);
            let other = Part::All(vec![text("\\u"), ranges("ddDD"), ranges("cfCF"), hex(), hex()]);
            let code = Part::Any(vec![low, bottom, Part::All(vec![high, other])]);
            let named = Part::Class("\"\\/bfnrt".chars().map(|letter| (letter, letter)).collect());
            let escaped = Part::Any(vec![named, Part::All(vec![text("u"), code])]);
            Ok(Part::Any(vec![Part::Class(plain), Part::All(vec![text("\\"), escaped])]))
        })?;
        Ok(Part::All(vec![text("\""), Part::Repeat(Box::new(letter), least, most), text("\"")]))
    }
}
