//! Objects: the members that a schema names, in its order, and then those whose names it describes. Others are written only where it says that
//! they may come, or names none at all.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    Writer,
    claims::Result,
    document::members,
    facts::{Claim, Facts, Kind, Members},
    literal, small, text,
};
use crate::grammar::{Part, language::Language};

/// Patterns for names at one place, at most.
const MOST_PATTERNS: usize = 6;
/// Members that are counted, at most, where more may come.
const MOST_COUNTED: u32 = 128;

impl<'a> Members<'a> {
    fn named(&self, name: &str) -> Option<&'a Value> {
        self.keys.get("properties").and_then(|named| named.get(name))
    }

    fn other(&self) -> Option<&'a Value> {
        self.keys.get("additionalProperties")
    }

    /// What is claimed of a member, and whether that evaluates it; `matches` says of patterns whether they do.
    fn claims(&self, name: Option<&str>, matches: impl Fn(&str) -> bool, claims: &mut Vec<Claim<'a>>) -> bool {
        let named = name.and_then(|name| self.named(name));
        let patterned = members(self.keys, "patternProperties").filter(|(pattern, _)| matches(pattern));
        let known: Vec<_> = named.into_iter().chain(patterned.map(|(_, schema)| schema)).collect();
        let evaluated = !known.is_empty() || self.other().is_some();
        match self.other() {
            Some(other) if known.is_empty() => claims.push(Claim::that(other)),
            _ => claims.extend(known.into_iter().map(Claim::that)),
        }
        evaluated
    }
}

impl<'a> Facts<'a> {
    /// What is claimed of a member, as far as no pattern has to be followed for it.
    pub(super) fn of_plain_member(&self, name: &str) -> Vec<Claim<'a>> {
        let plain =
            |members: &&Members<'a>| members.named(name).is_some() || !members.keys.contains_key("patternProperties");
        let mut claims = Vec::new();
        for members in self.members.iter().filter(plain) {
            members.claims(Some(name), |_| false, &mut claims);
        }
        claims.extend(self.values.iter().filter(|(of, _)| *of == name).map(|(_, claim)| *claim));
        claims
    }

    fn of_member(&self, name: Option<&str>, matches: impl Fn(&str) -> bool) -> Vec<Claim<'a>> {
        let mut claims = Vec::new();
        let mut evaluated = BTreeSet::new();
        for members in &self.members {
            if members.claims(name, &matches, &mut claims) {
                evaluated.extend(members.scopes.iter().copied());
            }
        }
        claims.extend(self.values.iter().filter(|(of, _)| name == Some(*of)).map(|(_, claim)| *claim));
        for unevaluated in &self.unevaluated {
            let scope = unevaluated.scope;
            if !evaluated.contains(&scope) && !self.unevaluated.iter().any(|other| other.scopes.contains(&scope)) {
                claims.push(Claim::that(unevaluated.schema));
            }
        }
        claims
    }

    /// The names that are spoken of, in the order in which they are.
    pub(super) fn declared(&self) -> Vec<&'a str> {
        let named = self.members.iter().flat_map(|rule| members(rule.keys, "properties")).map(|(name, _)| name);
        let mut seen = BTreeSet::new();
        let all = named.chain(self.required.iter().copied()).chain(self.values.iter().map(|(name, _)| *name));
        all.filter(|name| seen.insert(*name)).collect()
    }

    fn patterns(&self) -> Vec<&'a str> {
        let all =
            self.members.iter().flat_map(|rule| members(rule.keys, "patternProperties")).map(|(pattern, _)| pattern);
        all.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether the schema says that members may come which it does not name.
    fn speaks_of_others(&self) -> bool {
        let says = |schema: Option<&Value>| schema.is_some_and(|schema| *schema != Value::Bool(false));
        self.members.iter().any(|rule| says(rule.other()) || rule.keys.contains_key("patternProperties"))
            || self.unevaluated.iter().any(|unevaluated| says(Some(unevaluated.schema)))
    }
}

/// A kind of members whose names are not listed.
struct Others<'a> {
    names: Language,
    claims: Vec<Claim<'a>>,
}

impl<'a> Writer<'a> {
    pub(super) fn claims_of_member(&mut self, facts: &Facts<'a>, name: &str) -> Result<'a, Vec<Claim<'a>>> {
        let mut matching = BTreeSet::new();
        for pattern in facts.patterns() {
            if self.pattern(pattern)?.contains(name) {
                matching.insert(pattern);
            }
        }
        Ok(facts.of_member(Some(name), |pattern| matching.contains(pattern)))
    }

    fn pattern(&mut self, pattern: &'a str) -> Result<'a, Language> {
        let known = self.forms.language(super::facts::Form::Pattern(pattern));
        self.here(known).map(Option::unwrap_or_default)
    }

    /// The objects that fit; `None` where there are none. With `first`, a member with its value that comes before all others.
    pub(super) fn object(&mut self, facts: &Facts<'a>, first: Option<(&'a str, Part)>) -> Result<'a, Option<Part>> {
        let declared = facts.declared();
        let mut named = Vec::new();
        let mut leading = None;
        if let Some((name, value)) = &first {
            let member = Part::All(vec![literal(&Value::from(*name)), self.colon()?, value.clone()]);
            leading = Some(member.clone());
            named.push((member, true));
        }
        for &name in declared.iter().filter(|name| first.as_ref().is_none_or(|(first, _)| first != *name)) {
            let must = facts.required.contains(name);
            let may = !facts.absent.contains(name) && self.fits(&facts.names, &Value::from(name))?;
            if may {
                let value = self.claims_of_member(facts, name)?;
                if value.iter().any(|claim| claim.holds && *claim.schema == Value::Bool(false)) && !must {
                    continue;
                }
                let value = self.fitting(value)?;
                let member = Part::All(vec![literal(&Value::from(name)), self.colon()?, value]);
                named.push((self.rule(member)?, must));
            } else if must {
                return Ok(None);
            }
        }
        let must = named.iter().filter(|(_, must)| *must).count() as u64;
        let (shortest, mut longest) = (facts.shortest.max(must), facts.longest);
        let open = declared.is_empty() || facts.speaks_of_others() || shortest > named.len() as u64;
        let others = if open { self.others(facts, &declared)? } else { Vec::new() };
        if others.is_empty() && longest.is_some_and(|most| most >= named.len() as u64) {
            longest = None;
        }
        if longest.is_some_and(|most| most < shortest) {
            return Ok(None);
        }
        if shortest > u64::from(MOST_COUNTED) {
            return self.no(format!("more than {MOST_COUNTED} members that must come are not supported"));
        }
        // One more name than those that must come is another one in any case; where more have to be, they are told apart.
        let apart = shortest > must + 1 && !others.is_empty();
        if apart && others.iter().any(|others| others.names.len() < MOST_COUNTED) {
            return self.no("minProperties beside few possible names is not supported");
        }
        self.members(&named, others, [shortest, longest.unwrap_or(u64::MAX)].map(small), apart, leading).map(Some)
    }

    /// The kinds of members that are not named, each with the names that only it has.
    fn others(&mut self, facts: &Facts<'a>, declared: &[&'a str]) -> Result<'a, Vec<Others<'a>>> {
        let patterns = facts.patterns();
        if patterns.len() > MOST_PATTERNS {
            return self.no(format!("more than {MOST_PATTERNS} patterns for names at one place are not supported"));
        }
        let mut allowed = Language::all();
        if !facts.names.is_empty() {
            allowed = Language::default();
            for one in self.claims.facts(&facts.names, Kind::String)? {
                let listed =
                    one.among.clone().map(|values| values.into_iter().filter_map(Value::as_str).collect::<Vec<_>>());
                let names = match listed {
                    Some(names) => Language::words(names),
                    None => self.forms.values(&one),
                };
                let either = names.and_then(|names| allowed.or(&names));
                allowed = self.here(either)?;
            }
        }
        let taken = Language::words(declared.iter().copied().chain(facts.absent.iter().copied()));
        let left = taken.and_then(|taken| allowed.minus(&taken));
        allowed = self.here(left)?;
        let mut kinds = Vec::new();
        for chosen in 0..1_usize << patterns.len() {
            let is_chosen = |nth: usize| chosen & (1 << nth) != 0;
            let matching: Vec<&str> =
                patterns.iter().enumerate().filter(|(nth, _)| is_chosen(*nth)).map(|(_, pattern)| *pattern).collect();
            let claims = facts.of_member(None, |pattern| matching.contains(&pattern));
            if claims.iter().any(|claim| claim.holds && *claim.schema == Value::Bool(false)) {
                continue;
            }
            let mut names = allowed.clone();
            for (nth, pattern) in patterns.iter().enumerate() {
                let pattern = self.pattern(pattern)?;
                let kept = if is_chosen(nth) { names.and(&pattern) } else { names.minus(&pattern) };
                names = self.here(kept)?;
            }
            if !names.is_empty() {
                kinds.push(Others { names, claims });
            }
        }
        Ok(kinds)
    }

    /// The named members in their order, the optional ones there or not, and then the others; counted as far as a number is asked for. A rule
    /// for each place and count, from the last to the first.
    fn members(
        &mut self,
        named: &[(Part, bool)],
        others: Vec<Others<'a>>,
        [shortest, longest]: [u32; 2],
        apart: bool,
        leading: Option<Part>,
    ) -> Result<'a, Part> {
        let mut ways = Vec::new();
        for Others { names, claims } in others {
            let key = if apart || !names.is_all() {
                let quoted = names.quoted();
                let word = self.here(quoted)?;
                let word = self.grammar.name(word);
                if apart { Part::Fresh(word) } else { Part::Word(word) }
            } else {
                self.letters(0, None)?
            };
            ways.push([key, self.colon()?, self.fitting(claims)?]);
        }
        let limited = longest != u32::MAX;
        let longest = longest.min(MOST_COUNTED.max(shortest));
        let most = if limited { longest } else { shortest }.max(1);
        let rules: Vec<Vec<u32>> =
            (0..=named.len()).map(|_| (0..=most).map(|_| self.grammar.reserve()).collect()).collect();
        let before = |writer: &mut Self, count: u32| if count == 0 { writer.space() } else { writer.comma() };
        for (at, rules_here) in rules.iter().enumerate() {
            for (count, &rule) in
                (0_u32..).zip(rules_here).take_while(|(count, _)| *count as usize <= at || at == named.len())
            {
                let after = (count + 1).min(most) as usize;
                let room = !limited || count < longest;
                let mut parts = Vec::new();
                if let Some((member, must)) = named.get(at) {
                    if room {
                        let next = Part::Rule(rules[at + 1][after]);
                        parts.push(Part::All(vec![before(self, count)?, member.clone(), next]));
                    }
                    if !must {
                        parts.push(Part::Rule(rules[at + 1][count as usize]));
                    }
                } else {
                    if count >= shortest {
                        let space = if count == 0 && !named.is_empty() { Part::All(Vec::new()) } else { self.space()? };
                        parts.push(Part::All(vec![space, text("}")]));
                    }
                    for [key, colon, value] in ways.iter().filter(|_| room) {
                        let next = Part::Rule(rules[at][after]);
                        parts.push(Part::All(vec![
                            before(self, count)?,
                            key.clone(),
                            colon.clone(),
                            value.clone(),
                            next,
                        ]));
                    }
                }
                self.define(rule, Part::Any(parts))?;
            }
        }
        // Written out where it stands, so that what it says is remembered in the list that it stands in.
        Ok(match leading {
            Some(member) => Part::All(vec![text("{"), self.space()?, member, Part::Rule(rules[1][1])]),
            None => Part::All(vec![text("{"), Part::Rule(rules[0][0])]),
        })
    }
}
