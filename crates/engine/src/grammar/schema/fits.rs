//! Whether a value that stands in a schema (`enum`, `const`) fits what else is asked of it. It judges by the same facts from which grammars are
//! made, and knows no other rules.

use serde_json::Value;

use super::{
    Writer,
    claims::Result,
    facts::{Claim, Facts, Kind, same},
    number, string,
};

impl<'a> Writer<'a> {
    pub(super) fn fits(&mut self, claims: &[Claim<'a>], value: &Value) -> Result<'a, bool> {
        for facts in self.claims.facts(claims, Kind::of(value))? {
            if self.fits_facts(&facts, value)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn fits_facts(&mut self, facts: &Facts<'a>, value: &Value) -> Result<'a, bool> {
        let is = |other: &&Value| same(other, value);
        if facts.among.as_ref().is_some_and(|values| !values.iter().any(is)) || facts.but.iter().any(is) {
            return Ok(false);
        }
        match value {
            Value::Null | Value::Bool(_) => Ok(true),
            Value::Number(_) => Ok(number::fits(facts, value)),
            Value::String(text) => {
                let fits = string::fits(&mut self.forms, facts, text);
                self.here(fits)
            }
            Value::Array(items) => self.array_fits(facts, items),
            Value::Object(members) => {
                let count = members.len() as u64;
                if count < facts.shortest
                    || facts.longest.is_some_and(|most| count > most)
                    || !facts.required.iter().all(|name| members.contains_key(*name))
                    || facts.absent.iter().any(|name| members.contains_key(*name))
                {
                    return Ok(false);
                }
                for (name, member) in members {
                    if !self.fits(&facts.names, &Value::from(name.as_str()))? {
                        return Ok(false);
                    }
                    let claims = self.claims_of_member(facts, name)?;
                    if !self.fits(&claims, member)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
        }
    }

    fn array_fits(&mut self, facts: &Facts<'a>, items: &[Value]) -> Result<'a, bool> {
        let count = items.len() as u64;
        if count < facts.shortest || facts.longest.is_some_and(|most| count > most) {
            return Ok(false);
        }
        let again = |(nth, item): (usize, &Value)| items.iter().take(nth).any(|other| same(other, item));
        if facts.unique && items.iter().enumerate().any(again) {
            return Ok(false);
        }
        for (nth, item) in items.iter().enumerate() {
            let claims = facts.of_item(nth);
            if !self.fits(&claims, item)? {
                return Ok(false);
            }
        }
        for contains in &facts.contains {
            let mut found = 0;
            for item in items {
                found += u32::from(self.fits(&[contains.claim], item)?);
            }
            if found < contains.least || contains.most.is_some_and(|most| found > most) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
