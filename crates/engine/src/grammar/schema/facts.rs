//! What is asked of a value of one kind, when every choice has been made: bounds, patterns, items, members. Facts can be added, and tell when
//! no value is left.

use std::{collections::BTreeSet, rc::Rc};

use serde_json::{Map, Value};

use super::number::Decimal;

/// The kinds of values that grammars are made for one by one. A whole number is a number that is asked more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    pub(super) const ALL: [Kind; 6] =
        [Kind::Object, Kind::Array, Kind::String, Kind::Number, Kind::Boolean, Kind::Null];

    pub(super) fn of(value: &Value) -> Self {
        match value {
            Value::Null => Kind::Null,
            Value::Bool(_) => Kind::Boolean,
            Value::Number(_) => Kind::Number,
            Value::String(_) => Kind::String,
            Value::Array(_) => Kind::Array,
            Value::Object(_) => Kind::Object,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Array => "array",
            Kind::Object => "object",
        }
    }
}

/// That a value fits a schema, or that it does not.
#[derive(Debug, Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) schema: &'a Value,
    pub(super) holds: bool,
}

impl<'a> Claim<'a> {
    pub(super) fn that(schema: &'a Value) -> Self {
        Claim { schema, holds: true }
    }

    pub(super) fn not(schema: &'a Value) -> Self {
        Claim { schema, holds: false }
    }

    /// Schemas are told apart by where they stand.
    pub(super) fn key(&self) -> (usize, bool) {
        (std::ptr::from_ref(self.schema).addr(), self.holds)
    }
}

/// The schemas with `unevaluated…` inside of which a keyword stands, by number.
pub(super) type Scopes = Rc<[u32]>;

/// What a string has to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form<'a> {
    Pattern(&'a str),
    Format(&'a str),
}

/// `items` and its kin of one schema.
#[derive(Debug, Clone)]
pub(super) struct Items<'a> {
    pub(super) first: &'a [Value],
    pub(super) rest: Option<Claim<'a>>,
    pub(super) scopes: Scopes,
}

/// `contains`: so many items fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Contains<'a> {
    pub(super) claim: Claim<'a>,
    pub(super) least: u32,
    pub(super) most: Option<u32>,
}

/// `properties` and its kin of one schema.
#[derive(Debug, Clone)]
pub(super) struct Members<'a> {
    pub(super) keys: &'a Map<String, Value>,
    pub(super) scopes: Scopes,
}

/// `unevaluatedProperties` or `unevaluatedItems`.
#[derive(Debug, Clone)]
pub(super) struct Unevaluated<'a> {
    pub(super) schema: &'a Value,
    pub(super) scope: u32,
    /// Those around it, for which it evaluates what it takes.
    pub(super) scopes: Scopes,
}

/// One thing that is asked.
#[derive(Debug, Clone)]
pub(super) enum Fact<'a> {
    /// A type is named, and this kind has it.
    Typed,
    Among(Vec<&'a Value>),
    But(Vec<&'a Value>),
    Whole(bool),
    Least(Decimal, bool),
    Most(Decimal, bool),
    Step(Decimal),
    Shortest(u64),
    Longest(u64),
    Form(Form<'a>, bool),
    Items(Items<'a>),
    Contains(Contains<'a>),
    /// The item there is there, and fits.
    Item(usize, Claim<'a>),
    Unique,
    Members(Members<'a>),
    Name(Claim<'a>),
    Required(&'a str),
    Absent(&'a str),
    Member(&'a str, Claim<'a>),
    Unevaluated(Unevaluated<'a>),
}

/// All that is asked of a value of one kind.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts<'a> {
    /// Whether anything is asked of it, but for its type; and whether that is.
    pub(super) told: bool,
    pub(super) typed: bool,
    pub(super) among: Option<Vec<&'a Value>>,
    pub(super) but: Vec<&'a Value>,
    pub(super) whole: Option<bool>,
    pub(super) least: Option<(Decimal, bool)>,
    pub(super) most: Option<(Decimal, bool)>,
    pub(super) steps: Vec<Decimal>,
    /// Characters, items or members.
    pub(super) shortest: u64,
    pub(super) longest: Option<u64>,
    pub(super) forms: Vec<(Form<'a>, bool)>,
    pub(super) items: Vec<Items<'a>>,
    pub(super) contains: Vec<Contains<'a>>,
    pub(super) at: Vec<(usize, Claim<'a>)>,
    pub(super) unique: bool,
    pub(super) members: Vec<Members<'a>>,
    pub(super) names: Vec<Claim<'a>>,
    pub(super) required: BTreeSet<&'a str>,
    pub(super) absent: BTreeSet<&'a str>,
    pub(super) values: Vec<(&'a str, Claim<'a>)>,
    pub(super) unevaluated: Vec<Unevaluated<'a>>,
}

impl<'a> Facts<'a> {
    /// Adds a fact; false where no value is left, as far as the facts themselves tell.
    pub(super) fn add(&mut self, fact: Fact<'a>) -> bool {
        self.told |= !matches!(fact, Fact::Typed);
        match fact {
            Fact::Typed => self.typed = true,
            Fact::Among(values) => {
                let both = match self.among.take() {
                    None => values,
                    Some(known) => {
                        known.into_iter().filter(|value| values.iter().any(|other| same(value, other))).collect()
                    }
                };
                self.among = Some(both);
            }
            Fact::But(values) => self.but.extend(values),
            Fact::Whole(whole) => {
                if self.whole.replace(whole).is_some_and(|known| known != whole) {
                    return false;
                }
            }
            Fact::Least(bound, inclusive) => {
                let tighter = |(known, open): &(Decimal, bool)| (&bound, !inclusive) > (known, !*open);
                if self.least.as_ref().is_none_or(tighter) {
                    self.least = Some((bound, inclusive));
                }
            }
            Fact::Most(bound, inclusive) => {
                let tighter = |(known, open): &(Decimal, bool)| (&bound, inclusive) < (known, *open);
                if self.most.as_ref().is_none_or(tighter) {
                    self.most = Some((bound, inclusive));
                }
            }
            Fact::Step(step) => self.steps.push(step),
            Fact::Shortest(count) => self.shortest = self.shortest.max(count),
            Fact::Longest(count) => self.longest = Some(self.longest.map_or(count, |known| known.min(count))),
            Fact::Form(form, wanted) => {
                if self.forms.contains(&(form, !wanted)) {
                    return false;
                }
                if !self.forms.contains(&(form, wanted)) {
                    self.forms.push((form, wanted));
                }
            }
            Fact::Items(items) => self.items.push(items),
            Fact::Contains(contains) => self.contains.push(contains),
            Fact::Item(nth, claim) => {
                self.shortest = self.shortest.max(nth as u64 + 1);
                self.at.push((nth, claim));
            }
            Fact::Unique => self.unique = true,
            Fact::Members(members) => self.members.push(members),
            Fact::Name(claim) => self.names.push(claim),
            Fact::Required(name) => drop(self.required.insert(name)),
            Fact::Absent(name) => drop(self.absent.insert(name)),
            Fact::Member(name, claim) => self.values.push((name, claim)),
            Fact::Unevaluated(unevaluated) => self.unevaluated.push(unevaluated),
        }
        self.leave_something()
    }

    fn leave_something(&mut self) -> bool {
        if let Some(values) = &mut self.among {
            values.retain(|value| !self.but.iter().any(|other| same(value, other)));
            if values.is_empty() {
                return false;
            }
        }
        if let (Some((least, closed)), Some((most, closed_too))) = (&self.least, &self.most)
            && (least > most || (least == most && !(*closed && *closed_too)))
        {
            return false;
        }
        self.longest.is_none_or(|most| self.shortest.max(self.required.len() as u64) <= most)
            && self.required.is_disjoint(&self.absent)
    }
}

/// Whether two values are the same as JSON Schema compares them: 1 is 1.0.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| right.get(name).is_some_and(|other| same(value, other)))
        }
        (left, right) => left == right,
    }
}
