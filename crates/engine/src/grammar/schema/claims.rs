//! From claims about schemas to facts about values: for values of one kind, all keywords of all schemas in force become facts, and where they leave a
//! choice (`anyOf`, `if`, what is not to be), every choice becomes facts of its own. What is claimed not to be is taken apart by keyword, down
//! to facts that say the opposite.

use std::{collections::HashMap, rc::Rc};

use serde_json::{Map, Value};

use super::{
    document::{Document, members},
    facts::{Claim, Contains, Fact, Facts, Form, Items, Kind, Members, Scopes, Unevaluated},
    number::Decimal,
};

/// Schemas in one another at one place, at most: also what ends one that leads to itself without a value in between.
const DEEPEST: u8 = 64;
/// Choices at one place, at most; and how often choosing is tried before less is written than could be.
const MOST: usize = 200;
const MOST_STEPS: usize = 20_000;
/// Steps for one schema altogether, at most: some seconds.
const MOST_WORK: usize = 1_000_000;

/// A schema cannot be promised: why, and where.
#[derive(Debug, Clone)]
pub(super) enum No<'a> {
    At(&'a Value, String),
    /// There are too many choices.
    Many,
}

pub(super) type Result<'a, T> = std::result::Result<T, No<'a>>;

/// What is still to be looked at.
#[derive(Clone)]
enum Todo<'a> {
    Claim(Claim<'a>, Scopes, u8),
    Fact(Fact<'a>),
}

#[derive(Clone)]
struct Choice<'a> {
    options: Vec<Vec<Todo<'a>>>,
    /// Whether options may be left out: each says in its way that something does not fit, and some ways cannot be said.
    spare: bool,
}

/// A schema that is being looked at.
struct Place<'a> {
    keys: &'a Map<String, Value>,
    schema: &'a Value,
    kind: Kind,
    scopes: Scopes,
    depth: u8,
}

impl<'a> Place<'a> {
    fn no<T>(&self, why: impl Into<String>) -> Result<'a, T> {
        Err(No::At(self.schema, why.into()))
    }

    fn that(&self, schema: &'a Value) -> Todo<'a> {
        Todo::Claim(Claim::that(schema), Rc::clone(&self.scopes), self.depth + 1)
    }

    /// What does not fit evaluates nothing.
    fn not(&self, schema: &'a Value) -> Todo<'a> {
        Todo::Claim(Claim::not(schema), Rc::from([]), self.depth + 1)
    }

    fn list(&self, word: &str) -> Result<'a, &'a [Value]> {
        match self.keys.get(word) {
            Some(Value::Array(list)) => Ok(list),
            _ => self.no(format!("{word} is a list")),
        }
    }

    fn count(&self, word: &str) -> Result<'a, u64> {
        let value = &self.keys[word];
        let whole = |value: f64| value >= 0.0 && value.fract() == 0.0 && value < 1e15;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "looked at just above")]
        match value.as_u64().or_else(|| value.as_f64().filter(|value| whole(*value)).map(|value| value as u64)) {
            Some(count) => Ok(count),
            None => self.no(format!("{word} is a whole number from 0")),
        }
    }

    fn number(&self, word: &str) -> Result<'a, Decimal> {
        match Decimal::of(&self.keys[word]) {
            Some(number) => Ok(number),
            None => self.no(format!("{word} is a number of usual size")),
        }
    }

    fn text(&self, word: &str) -> Result<'a, &'a str> {
        match &self.keys[word] {
            Value::String(text) => Ok(text),
            _ => self.no(format!("{word} is a text")),
        }
    }

    fn names(&self, word: &str, value: &'a Value) -> Result<'a, Vec<&'a str>> {
        let names = value.as_array().map(|names| names.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        match names.flatten() {
            Some(names) => Ok(names),
            None => self.no(format!("{word} is a list of names")),
        }
    }
}

/// Whether values of a kind have a type: always, never, or if they are whole, or broken, numbers.
enum Typed {
    Always,
    Never,
    Whole(bool),
}

/// See the module.
pub(super) struct Claims<'a> {
    pub(super) document: Document<'a>,
    scopes: u32,
    apart: HashMap<(usize, usize, Kind), bool>,
    /// Choices are not followed; what is found holds whatever is chosen.
    shallow: bool,
    /// Of what may be left out, the first that can be said is enough.
    frugal: bool,
    steps: usize,
    work: usize,
}

impl<'a> Claims<'a> {
    pub(super) fn new(document: Document<'a>) -> Self {
        Claims { document, scopes: 0, apart: HashMap::new(), shallow: false, frugal: false, steps: 0, work: 0 }
    }

    /// The facts that values of `kind` may fit for all claims to be true: any of them.
    pub(super) fn facts(&mut self, claims: &[Claim<'a>], kind: Kind) -> Result<'a, Vec<Facts<'a>>> {
        let todos = |claims: &[Claim<'a>]| claims.iter().map(|&claim| Todo::Claim(claim, Rc::from([]), 0)).collect();
        let mut found = Err(No::Many);
        for frugal in [false, true] {
            (self.frugal, self.steps) = (frugal, 0);
            let mut out = Vec::new();
            found = self.choose(todos(claims), Vec::new(), Facts::default(), kind, &mut out).map(|()| out);
            if !matches!(found, Err(No::Many)) {
                break;
            }
        }
        match (found, claims.first()) {
            (Err(No::Many), Some(claim)) => {
                Err(No::At(claim.schema, format!("more than {MOST} ways to fit are not supported")))
            }
            (found, _) => found,
        }
    }

    fn choose(
        &mut self,
        todos: Vec<Todo<'a>>,
        mut choices: Vec<Choice<'a>>,
        mut facts: Facts<'a>,
        kind: Kind,
        out: &mut Vec<Facts<'a>>,
    ) -> Result<'a, ()> {
        self.steps += 1;
        self.work += 1;
        if self.steps > MOST_STEPS || self.work > MOST_WORK {
            return Err(No::Many);
        }
        if !self.settle(todos, kind, &mut facts, &mut choices)? {
            return Ok(());
        }
        let Some(choice) = choices.pop() else {
            if out.len() >= MOST {
                return Err(No::Many);
            }
            out.push(facts);
            return Ok(());
        };
        let before = out.len();
        let mut failed = None;
        for option in choice.options {
            match self.choose(option, choices.clone(), facts.clone(), kind, out) {
                Ok(()) => {}
                Err(no @ No::At(..)) if choice.spare => failed = Some(no),
                Err(no) => return Err(no),
            }
            if self.frugal && choice.spare && out.len() > before {
                break;
            }
        }
        match failed {
            Some(no) if out.len() == before => Err(no),
            _ => Ok(()),
        }
    }

    /// What is true whatever is chosen; `None` where nothing can be.
    fn in_any_case(&mut self, claims: &[Claim<'a>], kind: Kind) -> Option<Facts<'a>> {
        let todos = claims.iter().map(|&claim| Todo::Claim(claim, Rc::from([]), 0)).collect();
        let before = std::mem::replace(&mut self.shallow, true);
        let mut facts = Facts::default();
        let left = self.settle(todos, kind, &mut facts, &mut Vec::new());
        self.shallow = before;
        (!matches!(left, Ok(false))).then_some(facts)
    }

    /// Whether no value fits both, as far as can be told without choosing.
    fn are_apart(&mut self, left: &'a Value, right: &'a Value, kind: Kind) -> bool {
        let key = (std::ptr::from_ref(left).addr(), std::ptr::from_ref(right).addr(), kind);
        if let Some(&known) = self.apart.get(&key) {
            return known;
        }
        self.apart.insert(key, false);
        let apart = self.is_hopeless(&[Claim::that(left), Claim::that(right)], kind, 3);
        self.apart.insert(key, apart);
        apart
    }

    fn is_hopeless(&mut self, claims: &[Claim<'a>], kind: Kind, deep: u8) -> bool {
        let Some(facts) = self.in_any_case(claims, kind) else { return true };
        deep > 0
            && facts.required.iter().any(|name| {
                let claims = facts.of_plain_member(name);
                !claims.is_empty() && Kind::ALL.into_iter().all(|kind| self.is_hopeless(&claims, kind, deep - 1))
            })
    }

    /// Looks at everything there is to look at; false where nothing fits.
    fn settle(
        &mut self,
        mut todos: Vec<Todo<'a>>,
        kind: Kind,
        facts: &mut Facts<'a>,
        choices: &mut Vec<Choice<'a>>,
    ) -> Result<'a, bool> {
        while let Some(todo) = todos.pop() {
            let (claim, scopes, depth) = match todo {
                Todo::Fact(fact) => {
                    if !facts.add(fact) {
                        return Ok(false);
                    }
                    continue;
                }
                Todo::Claim(claim, scopes, depth) => (claim, scopes, depth),
            };
            let schema = claim.schema;
            if depth > DEEPEST {
                return Err(No::At(schema, format!("more than {DEEPEST} schemas at one place, or one that is itself")));
            }
            let keys = match schema {
                Value::Bool(fits) if *fits == claim.holds => continue,
                Value::Bool(_) => return Ok(false),
                Value::Object(keys) => keys,
                _ => return Err(No::At(schema, "a schema is an object or a boolean".into())),
            };
            let place = Place { keys, schema, kind, scopes, depth };
            let fits = if claim.holds {
                self.assert(place, &mut todos, choices)?
            } else {
                self.deny(&place, &mut todos, choices)?
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn assert(
        &mut self,
        mut place: Place<'a>,
        todos: &mut Vec<Todo<'a>>,
        choices: &mut Vec<Choice<'a>>,
    ) -> Result<'a, bool> {
        let keys = place.keys;
        if self.document.old && keys.contains_key("$ref") {
            todos.push(place.that(self.target(&place, "$ref")?));
            return Ok(true);
        }
        match self.typed(&place)? {
            Typed::Always => {}
            Typed::Never => return Ok(false),
            Typed::Whole(whole) => todos.push(Todo::Fact(Fact::Whole(whole))),
        }
        if keys.contains_key("type") {
            todos.push(Todo::Fact(Fact::Typed));
        }
        for (kind, word) in [(Kind::Object, "unevaluatedProperties"), (Kind::Array, "unevaluatedItems")] {
            if let Some(schema) = keys.get(word).filter(|_| kind == place.kind) {
                self.scopes += 1;
                let scopes = Rc::clone(&place.scopes);
                todos.push(Todo::Fact(Fact::Unevaluated(Unevaluated { schema, scope: self.scopes, scopes })));
                place.scopes = place.scopes.iter().copied().chain([self.scopes]).collect();
            }
        }
        for (word, value) in keys {
            self.assert_word(&place, word, value, todos, choices)?;
        }
        let names = ["properties", "patternProperties", "additionalProperties"];
        if place.kind == Kind::Object && names.iter().any(|word| keys.contains_key(*word)) {
            todos.push(Todo::Fact(Fact::Members(Members { keys, scopes: Rc::clone(&place.scopes) })));
            if self.document.oldest {
                let required = members(keys, "properties").filter(|(_, schema)| schema["required"] == true);
                todos.extend(required.map(|(name, _)| Todo::Fact(Fact::Required(name))));
            }
        }
        if place.kind == Kind::Array
            && let Some((first, rest)) = items(keys)
        {
            let items = Items { first, rest: rest.map(Claim::that), scopes: Rc::clone(&place.scopes) };
            todos.push(Todo::Fact(Fact::Items(items)));
        }
        Ok(true)
    }

    fn assert_word(
        &mut self,
        place: &Place<'a>,
        word: &'a str,
        value: &'a Value,
        todos: &mut Vec<Todo<'a>>,
        choices: &mut Vec<Choice<'a>>,
    ) -> Result<'a, ()> {
        let mut fact = |fact: Fact<'a>| todos.push(Todo::Fact(fact));
        match (place.kind, word) {
            (_, "enum") => fact(Fact::Among(of_kind(place.list(word)?, place.kind))),
            (_, "const") => fact(Fact::Among(of_kind(std::slice::from_ref(value), place.kind))),
            (_, "$ref" | "$dynamicRef" | "$recursiveRef") => todos.push(place.that(self.target(place, word)?)),
            (_, "allOf") => todos.extend(place.list(word)?.iter().map(|schema| place.that(schema))),
            (_, "extends") if self.document.oldest => match value {
                Value::Array(list) => todos.extend(list.iter().map(|schema| place.that(schema))),
                schema => todos.push(place.that(schema)),
            },
            (_, "not") => todos.push(place.not(value)),
            (_, "disallow") if self.document.oldest => return place.no("disallow is not supported"),
            (_, "anyOf") => {
                let options = place.list(word)?.iter().map(|schema| vec![place.that(schema)]).collect();
                choices.push(Choice { options, spare: false });
            }
            (_, "oneOf") if !self.shallow => choices.push(self.one_of(place)?),
            (_, "if") => {
                let other = |word: &str| place.keys.get(word);
                if other("then").or(other("else")).is_some() || !place.scopes.is_empty() {
                    let then = [Some(place.that(value)), other("then").map(|schema| place.that(schema))];
                    let or_else = [Some(place.not(value)), other("else").map(|schema| place.that(schema))];
                    let options = [then, or_else].map(|option| option.into_iter().flatten().collect());
                    choices.push(Choice { options: options.into(), spare: true });
                }
            }
            (Kind::Number, "minimum") => {
                let open = place.keys.get("exclusiveMinimum") == Some(&Value::Bool(true));
                fact(Fact::Least(place.number(word)?, !open));
            }
            (Kind::Number, "maximum") => {
                let open = place.keys.get("exclusiveMaximum") == Some(&Value::Bool(true));
                fact(Fact::Most(place.number(word)?, !open));
            }
            // A boolean, in draft 4, says something of the bound beside it.
            (Kind::Number, "exclusiveMinimum") if !value.is_boolean() => fact(Fact::Least(place.number(word)?, false)),
            (Kind::Number, "exclusiveMaximum") if !value.is_boolean() => fact(Fact::Most(place.number(word)?, false)),
            (Kind::Number, "multipleOf") => fact(Fact::Step(place.number(word)?)),
            (Kind::Number, "divisibleBy") if self.document.oldest => fact(Fact::Step(place.number(word)?)),
            (Kind::String, "minLength") | (Kind::Array, "minItems") | (Kind::Object, "minProperties") => {
                fact(Fact::Shortest(place.count(word)?));
            }
            (Kind::String, "maxLength") | (Kind::Array, "maxItems") | (Kind::Object, "maxProperties") => {
                fact(Fact::Longest(place.count(word)?));
            }
            (Kind::String, "pattern") => fact(Fact::Form(Form::Pattern(place.text(word)?), true)),
            (Kind::String, "format") => fact(Fact::Form(Form::Format(place.text(word)?), true)),
            // Before 2019-09 they could be more than annotations.
            (Kind::String, "contentEncoding") if self.document.old && *value == "base64" => {
                fact(Fact::Form(Form::Format("base64"), true));
            }
            (Kind::String, "contentMediaType") if self.document.old => {
                return place.no("contentMediaType is not supported");
            }
            (Kind::Array, "uniqueItems") if *value == true => fact(Fact::Unique),
            (Kind::Array, "contains") => {
                let count = |word: &str| place.keys.get(word).map(|_| place.count(word)).transpose();
                let small = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
                let (least, most) = (count("minContains")?.map_or(1, small), count("maxContains")?.map(small));
                if least > 0 || most.is_some() {
                    fact(Fact::Contains(Contains { claim: Claim::that(value), least, most }));
                }
            }
            (Kind::Object, "required") if !(self.document.oldest && value.is_boolean()) => {
                place.names(word, value)?.into_iter().for_each(|name| fact(Fact::Required(name)));
            }
            (Kind::Object, "propertyNames") => fact(Fact::Name(Claim::that(value))),
            (Kind::Object, "dependentRequired" | "dependentSchemas" | "dependencies") => {
                for (name, value) in members(place.keys, word) {
                    let mut there = vec![Todo::Fact(Fact::Required(name))];
                    match value {
                        Value::Array(_) => {
                            let names = place.names(word, value)?.into_iter();
                            there.extend(names.map(|name| Todo::Fact(Fact::Required(name))));
                        }
                        Value::String(other) => there.push(Todo::Fact(Fact::Required(other))),
                        schema => there.push(place.that(schema)),
                    }
                    let options = vec![vec![Todo::Fact(Fact::Absent(name))], there];
                    choices.push(Choice { options, spare: false });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn one_of(&mut self, place: &Place<'a>) -> Result<'a, Choice<'a>> {
        let list = place.list("oneOf")?;
        let mut options = Vec::new();
        for (nth, schema) in list.iter().enumerate() {
            if self.is_hopeless(&[Claim::that(schema)], place.kind, 0) {
                continue;
            }
            let mut option = Vec::new();
            for (_, other) in list.iter().enumerate().filter(|(other, _)| *other != nth) {
                if !self.are_apart(schema, other, place.kind) {
                    option.push(place.not(other));
                }
            }
            option.push(place.that(schema));
            options.push(option);
        }
        Ok(Choice { options, spare: false })
    }

    /// Adds, as one choice, all ways in which a value does not fit.
    fn deny(
        &mut self,
        place: &Place<'a>,
        todos: &mut Vec<Todo<'a>>,
        choices: &mut Vec<Choice<'a>>,
    ) -> Result<'a, bool> {
        let mut options: Vec<Vec<Todo<'a>>> = Vec::new();
        let keys = place.keys;
        if self.document.old && keys.contains_key("$ref") {
            todos.push(place.not(self.target(place, "$ref")?));
            return Ok(true);
        }
        match self.typed(place)? {
            Typed::Always => {}
            Typed::Never => return Ok(true),
            Typed::Whole(whole) => options.push(vec![Todo::Fact(Fact::Whole(!whole))]),
        }
        let mut failed = None;
        for (word, value) in keys {
            match self.deny_word(place, word, value) {
                Ok(more) => options.extend(more),
                Err(no) => failed = Some(no),
            }
        }
        match (options.len(), failed) {
            (0, Some(no)) => Err(no),
            (0, None) => Ok(false),
            (1, None) => {
                todos.extend(options.into_iter().flatten());
                Ok(true)
            }
            _ => {
                choices.push(Choice { options, spare: true });
                Ok(true)
            }
        }
    }

    /// The ways in which a value does not fit a keyword.
    fn deny_word(&mut self, place: &Place<'a>, word: &'a str, value: &'a Value) -> Result<'a, Vec<Vec<Todo<'a>>>> {
        let fact = |fact: Fact<'a>| Ok(vec![vec![Todo::Fact(fact)]]);
        let unsaid = || place.no(format!("{word} that is not to fit is not supported"));
        let fewer = |fewer: fn(u64) -> Fact<'a>| match place.count(word)? {
            0 => Ok(Vec::new()),
            count => fact(fewer(count - 1)),
        };
        match (place.kind, word) {
            (_, "enum") => fact(Fact::But(of_kind(place.list(word)?, place.kind))),
            (_, "const") => fact(Fact::But(of_kind(std::slice::from_ref(value), place.kind))),
            (_, "$ref" | "$dynamicRef" | "$recursiveRef") => Ok(vec![vec![place.not(self.target(place, word)?)]]),
            (_, "allOf") => Ok(place.list(word)?.iter().map(|schema| vec![place.not(schema)]).collect()),
            (_, "anyOf") => Ok(vec![place.list(word)?.iter().map(|schema| place.not(schema)).collect()]),
            (_, "oneOf") => {
                let list = place.list(word)?;
                let none = list.iter().map(|schema| place.not(schema)).collect();
                let pairs = list.iter().enumerate().flat_map(|(nth, left)| {
                    list.iter().skip(nth + 1).map(move |right| vec![place.that(left), place.that(right)])
                });
                Ok(std::iter::once(none).chain(pairs).collect())
            }
            (_, "not") => Ok(vec![vec![place.that(value)]]),
            (_, "if") => {
                let mut ways = Vec::new();
                if let Some(then) = place.keys.get("then") {
                    ways.push(vec![place.that(value), place.not(then)]);
                }
                if let Some(or_else) = place.keys.get("else") {
                    ways.push(vec![place.not(value), place.not(or_else)]);
                }
                Ok(ways)
            }
            (Kind::Number, "minimum") => {
                let open = place.keys.get("exclusiveMinimum") == Some(&Value::Bool(true));
                fact(Fact::Most(place.number(word)?, open))
            }
            (Kind::Number, "maximum") => {
                let open = place.keys.get("exclusiveMaximum") == Some(&Value::Bool(true));
                fact(Fact::Least(place.number(word)?, open))
            }
            (Kind::Number, "exclusiveMinimum") if !value.is_boolean() => fact(Fact::Most(place.number(word)?, true)),
            (Kind::Number, "exclusiveMaximum") if !value.is_boolean() => fact(Fact::Least(place.number(word)?, true)),
            (Kind::String, "minLength") | (Kind::Array, "minItems") | (Kind::Object, "minProperties") => {
                fewer(Fact::Longest)
            }
            (Kind::String, "maxLength") | (Kind::Array, "maxItems") | (Kind::Object, "maxProperties") => {
                fact(Fact::Shortest(place.count(word)? + 1))
            }
            (Kind::String, "pattern") => fact(Fact::Form(Form::Pattern(place.text(word)?), false)),
            (Kind::String, "format") => fact(Fact::Form(Form::Format(place.text(word)?), false)),
            (Kind::Array, "contains")
                if !["minContains", "maxContains"].iter().any(|word| place.keys.contains_key(*word)) =>
            {
                let rest = Some(Claim::not(value));
                fact(Fact::Items(Items { first: &[], rest, scopes: Rc::from([]) }))
            }
            (Kind::Array, "items" | "prefixItems") => {
                let Some((first, rest)) = items(place.keys) else { return Ok(Vec::new()) };
                let is_first = value.as_array().is_some_and(|list| std::ptr::eq(list.as_slice(), first));
                if is_first {
                    let item = |(nth, schema)| vec![Todo::Fact(Fact::Item(nth, Claim::not(schema)))];
                    return Ok(first.iter().enumerate().map(item).collect());
                }
                match rest {
                    Some(rest) if first.is_empty() => {
                        fact(Fact::Contains(Contains { claim: Claim::not(rest), least: 1, most: None }))
                    }
                    Some(Value::Bool(false)) => fact(Fact::Shortest(first.len() as u64 + 1)),
                    _ => unsaid(),
                }
            }
            (Kind::Object, "required") => {
                let names = place.names(word, value)?.into_iter();
                Ok(names.map(|name| vec![Todo::Fact(Fact::Absent(name))]).collect())
            }
            (Kind::Object, "properties") => {
                let way = |(name, schema)| {
                    vec![Todo::Fact(Fact::Required(name)), Todo::Fact(Fact::Member(name, Claim::not(schema)))]
                };
                Ok(members(place.keys, word).map(way).collect())
            }
            (Kind::Object, "dependentRequired" | "dependentSchemas" | "dependencies") => {
                let mut ways = Vec::new();
                for (name, value) in members(place.keys, word) {
                    let there = || Todo::Fact(Fact::Required(name));
                    match value {
                        Value::Array(_) => {
                            for other in place.names(word, value)? {
                                ways.push(vec![there(), Todo::Fact(Fact::Absent(other))]);
                            }
                        }
                        Value::String(other) => ways.push(vec![there(), Todo::Fact(Fact::Absent(other))]),
                        schema => ways.push(vec![there(), place.not(schema)]),
                    }
                }
                Ok(ways)
            }
            (Kind::Array, "additionalItems") => Ok(Vec::new()),
            (Kind::Number, "multipleOf")
            | (Kind::Array, "uniqueItems" | "contains" | "unevaluatedItems")
            | (
                Kind::Object,
                "patternProperties" | "additionalProperties" | "propertyNames" | "unevaluatedProperties",
            ) => unsaid(),
            _ => Ok(Vec::new()),
        }
    }

    fn target(&self, place: &Place<'a>, word: &str) -> Result<'a, &'a Value> {
        self.document.target(place.schema, word).or_else(|why| place.no(why))
    }

    fn typed(&self, place: &Place<'a>) -> Result<'a, Typed> {
        let names: Vec<&str> = match place.keys.get("type") {
            None => return Ok(Typed::Always),
            Some(Value::String(name)) => vec![name],
            Some(Value::Array(names)) if names.iter().all(Value::is_string) => {
                names.iter().filter_map(Value::as_str).collect()
            }
            Some(_) => return place.no("type is a name or a list of names"),
        };
        let known = |name: &&&str| {
            **name == "integer"
                || (**name == "any" && self.document.oldest)
                || Kind::ALL.iter().any(|kind| kind.name() == **name)
        };
        if let Some(name) = names.iter().find(|name| !known(name)) {
            return place.no(format!("there is no type {name}"));
        }
        let has = |name: &str| names.contains(&name);
        let nullable = place.kind == Kind::Null && place.keys.get("nullable") == Some(&Value::Bool(true));
        Ok(if has(place.kind.name()) || has("any") || nullable {
            Typed::Always
        } else if place.kind == Kind::Number && has("integer") {
            Typed::Whole(true)
        } else {
            Typed::Never
        })
    }
}

fn of_kind(values: &[Value], kind: Kind) -> Vec<&Value> {
    values.iter().filter(|value| Kind::of(value) == kind).collect()
}

/// The schemas of the first items and of those behind them; `None` where nothing is said. Older drafts say both in other words.
fn items(keys: &Map<String, Value>) -> Option<(&[Value], Option<&Value>)> {
    match (keys.get("prefixItems"), keys.get("items")) {
        (Some(Value::Array(first)), rest) => Some((first, rest)),
        (_, Some(Value::Array(first))) => Some((first, keys.get("additionalItems"))),
        (_, Some(rest)) => Some((&[], Some(rest))),
        _ => None,
    }
}
