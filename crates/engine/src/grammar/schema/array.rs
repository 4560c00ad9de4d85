//! Arrays: tuples and lists, items that must be among them, and items that must not come twice.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    Writer,
    claims::Result,
    facts::{Claim, Facts, Kind},
    number, small, text,
};
use crate::grammar::{Part, language::Language};

/// Items that are counted one by one, at most; where more may come, no more are written.
const MOST_COUNTED: u32 = 4096;
/// Members that are looked at for one that tells objects apart, at most.
const MOST_MEMBERS: usize = 12;
/// `contains` at one place, at most.
const MOST_CONTAINS: usize = 3;

impl<'a> Facts<'a> {
    /// What is claimed of an item.
    pub(super) fn of_item(&self, nth: usize) -> Vec<Claim<'a>> {
        let mut claims = Vec::new();
        for items in &self.items {
            claims.extend(items.first.get(nth).map(Claim::that).or(items.rest));
        }
        claims.extend(self.at.iter().filter(|(at, _)| *at == nth).map(|(_, claim)| *claim));
        for unevaluated in &self.unevaluated {
            let scope = unevaluated.scope;
            let known = |items: &&super::facts::Items<'a>| nth < items.first.len() || items.rest.is_some();
            let evaluated = self.items.iter().filter(known).any(|items| items.scopes.contains(&scope))
                || self.unevaluated.iter().any(|other| other.scopes.contains(&scope));
            if !evaluated {
                claims.push(Claim::that(unevaluated.schema));
            }
        }
        claims
    }

    /// How many items are asked something of their own.
    fn firsts(&self) -> u32 {
        let items = self.items.iter().map(|items| items.first.len());
        small(items.chain(self.at.iter().map(|(nth, _)| nth + 1)).max().unwrap_or(0) as u64)
    }
}

impl<'a> Writer<'a> {
    /// The arrays that fit; `None` where there are none.
    pub(super) fn array(&mut self, facts: &Facts<'a>) -> Result<'a, Option<Part>> {
        let (shortest, firsts) = (small(facts.shortest), facts.firsts());
        if shortest.max(firsts) > MOST_COUNTED {
            return self.no(format!("more than {MOST_COUNTED} items that must come are not supported"));
        }
        let longest = facts.longest.map(|most| small(most).min(MOST_COUNTED.max(shortest)));
        if longest.is_some_and(|most| most < shortest) {
            return Ok(None);
        }
        if facts.unique && longest.is_none_or(|most| most > 1) {
            return self.array_of_others(facts, shortest, longest);
        }
        if facts.contains.is_empty() && firsts == 0 {
            let item = self.fitting(facts.of_item(0))?;
            return self.list('[', item, shortest, longest, ']').map(Some);
        }
        self.array_by_item(facts, shortest, longest).map(Some)
    }

    /// A rule for each item that is counted and each number of those found that must be among them.
    fn array_by_item(&mut self, facts: &Facts<'a>, shortest: u32, longest: Option<u32>) -> Result<'a, Part> {
        if facts.contains.len() > MOST_CONTAINS {
            return self.no("so many contains at one place are not supported");
        }
        let last = longest.unwrap_or_else(|| shortest.max(facts.firsts())).max(1);
        let (mut rules, mut left) = (HashMap::new(), Vec::new());
        let start = (0, vec![0; facts.contains.len()]);
        let first = self.grammar.reserve();
        rules.insert(start.clone(), first);
        left.push(start);
        while let Some(at) = left.pop() {
            let rule = rules[&at];
            let (nth, found) = at;
            let mut ways = Vec::new();
            let enough = found.iter().zip(&facts.contains).all(|(found, contains)| *found >= contains.least);
            if nth >= shortest && enough {
                ways.push(Part::All(vec![self.space()?, text("]")]));
            }
            for chosen in 0..1_u32 << facts.contains.len() {
                if longest.is_some_and(|most| nth >= most) {
                    break;
                }
                let Some((claims, found)) = chosen_item(facts, nth, &found, chosen) else { continue };
                let next = ((nth + 1).min(last), found);
                let tail = *rules.entry(next.clone()).or_insert_with(|| {
                    left.push(next);
                    self.grammar.reserve()
                });
                let before = if nth == 0 { self.space()? } else { self.comma()? };
                ways.push(Part::All(vec![before, self.fitting(claims)?, Part::Rule(tail)]));
            }
            self.define(rule, Part::Any(ways))?;
            if rules.len() > 4 * MOST_COUNTED as usize {
                return self.no("so many items beside contains are not supported");
            }
        }
        Ok(Part::All(vec![text("["), Part::Rule(first)]))
    }

    /// Items of which none comes twice: each is written in one way, and objects differ in one member that they all have.
    fn array_of_others(&mut self, facts: &Facts<'a>, shortest: u32, longest: Option<u32>) -> Result<'a, Option<Part>> {
        if facts.firsts() > 0 || !facts.contains.is_empty() {
            return self.no("uniqueItems beside contains or items by their place is not supported");
        }
        let claims = facts.of_item(0);
        let (scalars, mut refused) = self.written_once(&claims)?;
        let count = scalars.len();
        let mut items = Vec::new();
        if !scalars.is_empty() {
            items.push(Part::Fresh(self.grammar.name(scalars)));
        }
        let objects = self.objects_that_differ(&claims)?;
        refused &= objects.is_empty();
        let most =
            if objects.is_empty() { longest.unwrap_or(u32::MAX).min(count) } else { longest.unwrap_or(u32::MAX) };
        items.extend(objects);
        if refused {
            return self
                .no("uniqueItems of arrays, or of objects without a member that tells them apart, is not supported");
        }
        if most < shortest {
            return Ok(None);
        }
        if most == 0 {
            return Ok(Some(Part::All(vec![text("["), self.space()?, text("]")])));
        }
        // Only what is counted has a rule of its own.
        let counted = if most == u32::MAX { shortest.max(1) } else { most.min(MOST_COUNTED.max(shortest)) };
        let rules: Vec<u32> = (0..=counted).map(|_| self.grammar.reserve()).collect();
        for (nth, &rule) in (0..).zip(&rules) {
            let mut ways = Vec::new();
            if nth >= shortest {
                ways.push(Part::All(vec![self.space()?, text("]")]));
            }
            if nth < counted || most == u32::MAX {
                let before = if nth == 0 { self.space()? } else { self.comma()? };
                let tail = Part::Rule(rules[(nth as usize + 1).min(rules.len() - 1)]);
                ways.extend(items.iter().map(|item| Part::All(vec![before.clone(), item.clone(), tail.clone()])));
            }
            self.define(rule, Part::Any(ways))?;
        }
        Ok(Some(Part::All(vec![text("["), Part::Rule(rules[0])])))
    }

    /// Objects that begin with a member, the same for all, whose value has not come before.
    fn objects_that_differ(&mut self, claims: &[Claim<'a>]) -> Result<'a, Vec<Part>> {
        let all = self.claims.facts(claims, Kind::Object)?;
        let all: Vec<_> = all.into_iter().filter(|facts| facts.among.is_none()).collect();
        let mut telling: Vec<Vec<(&'a str, Language)>> = Vec::new();
        for facts in &all {
            let mut members = Vec::new();
            // What must be there anyway comes first.
            let (must, may): (Vec<_>, Vec<_>) =
                facts.declared().into_iter().partition(|name| facts.required.contains(name));
            for name in must.into_iter().chain(may).filter(|name| !facts.absent.contains(name)).take(MOST_MEMBERS) {
                let value = self.claims_of_member(facts, name)?;
                if let Ok((language, _)) = self.written_once(&value)
                    && language.len() > MOST_COUNTED
                {
                    members.push((name, language));
                }
            }
            telling.push(members);
        }
        let of = |members: &[(&'a str, Language)], name: &str| members.iter().position(|(of, _)| *of == name);
        let shared = |name: &&str| telling.iter().filter(|members| of(members, name).is_some()).count();
        let names = telling.iter().flatten().map(|(name, _)| *name);
        // The first of those that most of them have.
        let Some(best) = names.rev().max_by_key(shared) else { return Ok(Vec::new()) };
        let mut objects = Vec::new();
        for (facts, members) in all.iter().zip(&telling) {
            if let Some((_, language)) = of(members, best).and_then(|nth| members.get(nth)) {
                let word = Part::Fresh(self.grammar.name(language.clone()));
                objects.extend(self.object(facts, Some((best, word)))?);
            }
        }
        Ok(objects)
    }

    /// The texts of values of which all claims are true, one for each value: of scalars, and of arrays and objects that are listed; and
    /// whether there are others.
    fn written_once(&mut self, claims: &[Claim<'a>]) -> Result<'a, (Language, bool)> {
        let mut all = Language::default();
        let mut others = false;
        for kind in Kind::ALL {
            for facts in self.claims.facts(claims, kind)? {
                let made = match (&facts.among, kind) {
                    (Some(values), _) => {
                        let mut texts = Vec::new();
                        for value in values {
                            if self.fits_facts(&facts, value)? {
                                texts.push(once(value));
                            }
                        }
                        Language::texts(&texts)
                    }
                    (None, Kind::Number) => number::language(&facts, true),
                    (None, Kind::String) => self.forms.values(&facts).and_then(|language| language.quoted()),
                    (None, Kind::Array | Kind::Object) => {
                        others |= facts.told || facts.typed;
                        continue;
                    }
                    (None, _) => {
                        let mut parts = Vec::new();
                        self.of_facts(kind, &facts, &mut parts)?;
                        let told = |part| if let Part::Text(text) = part { Some(text) } else { None };
                        Language::texts(&parts.into_iter().filter_map(told).collect::<Vec<_>>())
                    }
                };
                let either = made.and_then(|made| all.or(&made));
                all = self.here(either)?;
            }
        }
        Ok((all, others))
    }
}

/// What is claimed of an item that is found by those of `contains` that are chosen, and how many they have found then.
fn chosen_item<'a>(facts: &Facts<'a>, nth: u32, found: &[u32], chosen: u32) -> Option<(Vec<Claim<'a>>, Vec<u32>)> {
    let mut claims = facts.of_item(nth as usize);
    let mut found = found.to_vec();
    for (at, (contains, found)) in facts.contains.iter().zip(&mut found).enumerate() {
        if chosen & (1 << at) != 0 {
            // What has been found often enough need not be found again.
            if contains.most.is_none() && *found >= contains.least || contains.most.is_some_and(|most| *found >= most) {
                return None;
            }
            claims.push(contains.claim);
            *found += 1;
        } else if contains.most.is_some() {
            claims.push(Claim { holds: !contains.claim.holds, ..contains.claim });
        }
    }
    Some((claims, found))
}

fn once(value: &Value) -> String {
    match value.as_f64() {
        #[expect(clippy::cast_possible_truncation, reason = "whole and exact")]
        Some(number) if number.fract() == 0.0 && number.abs() < 1e15 => (number as i64).to_string(),
        _ => value.to_string(),
    }
}
