//! From a JSON schema to the grammar of texts that fit it (JSON Schema 2020-12, <https://json-schema.org>). What is generated always fits; where a
//! schema leaves a choice (further properties, white space) the grammar may leave out some of it. A keyword whose promise cannot be kept is
//! refused, never passed over. Annotations are left aside, and so is `format` where it is only one.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::{Grammar, Part, Unusable, schema_number, utf8};

/// References followed and schemas in one another, at most.
const DEEPEST: usize = 64;
/// Keywords that say nothing about which values fit, and those that are read where they belong.
const SILENT: &[&str] = &[
    "$schema",
    "$id",
    "$anchor",
    "$comment",
    "$defs",
    "definitions",
    "title",
    "description",
    "default",
    "examples",
    "example",
    "deprecated",
    "readOnly",
    "writeOnly",
    "contentMediaType",
    "contentEncoding",
    "contentSchema",
    "strict",
    "nullable",
    "discriminator",
    "xml",
    "externalDocs",
    "unevaluatedProperties",
    "unevaluatedItems",
    "$vocabulary",
    "$dynamicAnchor",
    "id",
];

/// See [`Grammar::of_schema`].
pub(super) fn grammar(schema: &Value) -> Result<Grammar, Unusable> {
    let mut writer = Writer {
        document: schema,
        grammar: Grammar::default(),
        known: HashMap::new(),
        basics: HashMap::new(),
        depth: 0,
    };
    let root = writer.grammar.reserve();
    let part = writer.value(schema, "")?;
    writer.grammar.define(root, part)?;
    writer.grammar.check()
}

struct Writer<'a> {
    document: &'a Value,
    grammar: Grammar,
    /// The rule of each place that is referred to.
    known: HashMap<String, u32>,
    basics: HashMap<&'static str, u32>,
    depth: usize,
}

fn refused(at: &str, why: impl std::fmt::Display) -> Unusable {
    Unusable(format!("the schema at #{at}: {why}"))
}

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

impl<'a> Writer<'a> {
    fn value(&mut self, schema: &'a Value, at: &str) -> Result<Part, Unusable> {
        if self.depth > DEEPEST {
            return Err(refused(at, format_args!("more than {DEEPEST} schemas in one another")));
        }
        self.depth += 1;
        let part = match schema {
            Value::Bool(true) => self.any(),
            Value::Bool(false) => Err(refused(at, "false fits nothing")),
            Value::Object(keys) => self.object_of_keywords(keys, at),
            _ => Err(refused(at, "a schema is an object or a boolean")),
        };
        self.depth -= 1;
        part
    }

    fn object_of_keywords(&mut self, keys: &'a Map<String, Value>, at: &str) -> Result<Part, Unusable> {
        let telling: Vec<&str> = keys.keys().map(String::as_str).filter(|key| !SILENT.contains(key)).collect();
        if let Some(reference) = keys.get("$ref") {
            return match (telling.as_slice(), reference) {
                (["$ref"], Value::String(reference)) => self.reference(reference, at),
                _ => Err(refused(at, "$ref beside other keywords is not supported")),
            };
        }
        if let Some(value) = keys.get("const") {
            self.only(&telling, &["const", "type"], at)?;
            return Ok(literal(value));
        }
        if let Some(Value::Array(values)) = keys.get("enum") {
            self.only(&telling, &["enum", "type"], at)?;
            let fits: Vec<_> = values.iter().filter(|value| has_type(value, keys.get("type"))).map(literal).collect();
            return if fits.is_empty() {
                Err(refused(at, "enum holds nothing that fits its type"))
            } else {
                Ok(Part::Any(fits))
            };
        }
        for (word, list) in [("anyOf", keys.get("anyOf")), ("oneOf", keys.get("oneOf")), ("allOf", keys.get("allOf"))] {
            let Some(list) = list else { continue };
            // A type beside alternatives is what each of them says again, or it cuts some off.
            self.only(&telling, &[word], at)?;
            let Value::Array(schemas) = list else { return Err(refused(at, format_args!("{word} is a list"))) };
            if word == "oneOf" && !self.are_apart(schemas) {
                return Err(refused(at, "oneOf of schemas that may fit both is not supported; anyOf is"));
            }
            if word == "allOf" && schemas.len() != 1 {
                return Err(refused(at, "allOf of several schemas is not supported"));
            }
            let parts =
                schemas.iter().enumerate().map(|(nth, schema)| self.value(schema, &format!("{at}/{word}/{nth}")));
            let parts = parts.collect::<Result<Vec<_>, _>>()?;
            return if parts.is_empty() {
                Err(refused(at, format_args!("{word} is empty")))
            } else {
                Ok(Part::Any(parts))
            };
        }
        let types = types(keys, at)?;
        let known = types.iter().flat_map(|kind| keywords_of(kind)).chain(&["type"]).copied().collect::<Vec<_>>();
        if types.len() == ALL.len() {
            self.only(&telling, &[], at)?;
            return self.any();
        }
        // What constrains another type than those that may come constrains nothing.
        let other = ALL.iter().flat_map(|kind| keywords_of(kind)).copied();
        let allowed: Vec<_> = known.into_iter().chain(other).collect();
        self.only(&telling, &allowed, at)?;
        let parts = types.iter().map(|kind| self.of_type(kind, keys, at)).collect::<Result<_, _>>()?;
        Ok(Part::Any(parts))
    }

    fn only(&self, telling: &[&str], allowed: &[&str], at: &str) -> Result<(), Unusable> {
        match telling.iter().find(|key| !allowed.contains(key)) {
            Some(key) if allowed.len() < 8 && !allowed.is_empty() => {
                Err(refused(at, format_args!("{key} beside {} is not supported", allowed[0])))
            }
            Some(key) => Err(refused(at, format_args!("{key} is not supported here"))),
            None => Ok(()),
        }
    }

    fn reference(&mut self, reference: &str, at: &str) -> Result<Part, Unusable> {
        let Some(path) = reference.strip_prefix('#') else {
            return Err(refused(at, format_args!("{reference} is in another document")));
        };
        if let Some(&rule) = self.known.get(path) {
            return Ok(Part::Rule(rule));
        }
        let unescaped = path.replace("%25", "%").replace("%22", "\"");
        let Some(schema) = self.document.pointer(&unescaped) else {
            return Err(refused(at, format_args!("{reference} is not there")));
        };
        let rule = self.grammar.reserve();
        self.known.insert(path.to_owned(), rule);
        let part = self.value(schema, path)?;
        self.grammar.define(rule, part)?;
        Ok(Part::Rule(rule))
    }

    /// Whether no value fits two of `schemas`, as far as their types or a constant in a required property tell.
    fn are_apart(&self, schemas: &[Value]) -> bool {
        let resolved: Vec<&Value> = schemas.iter().map(|schema| self.resolved(schema)).collect();
        resolved.iter().enumerate().all(|(nth, left)| resolved.iter().skip(nth + 1).all(|right| apart(left, right)))
    }

    fn resolved<'b>(&'b self, mut schema: &'b Value) -> &'b Value {
        for _ in 0..DEEPEST {
            let path = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
            match path.and_then(|path| self.document.pointer(path)) {
                Some(next) => schema = next,
                None => break,
            }
        }
        schema
    }

    fn of_type(&mut self, kind: &str, keys: &'a Map<String, Value>, at: &str) -> Result<Part, Unusable> {
        match kind {
            "null" => Ok(text("null")),
            "boolean" => Ok(Part::Any(vec![text("true"), text("false")])),
            "integer" => schema_number::integer(keys).map_err(|why| refused(at, why)),
            "number" => schema_number::number(keys).map_err(|why| refused(at, why)),
            "string" => self.string(keys, at),
            "array" => self.array(keys, at),
            _ => self.object(keys, at),
        }
    }

    /// A rule that is the same wherever it is needed.
    fn basic(
        &mut self,
        name: &'static str,
        part: impl FnOnce(&mut Self) -> Result<Part, Unusable>,
    ) -> Result<Part, Unusable> {
        if let Some(&rule) = self.basics.get(name) {
            return Ok(Part::Rule(rule));
        }
        let rule = self.grammar.reserve();
        self.basics.insert(name, rule);
        let part = part(self)?;
        self.grammar.define(rule, part)?;
        Ok(Part::Rule(rule))
    }

    /// Nothing, a blank, or a line with its indentation: what models write; without end it would let them write nothing else.
    fn space(&mut self) -> Result<Part, Unusable> {
        self.basic("space", |_| {
            let indentation = Part::Repeat(Box::new(Part::Class(vec![(' ', ' '), ('\t', '\t')])), 0, Some(32));
            Ok(Part::Any(vec![Part::All(Vec::new()), text(" "), Part::All(vec![text("\n"), indentation])]))
        })
    }

    fn any(&mut self) -> Result<Part, Unusable> {
        self.basic("any", |writer| {
            let (none, value) = (Map::new(), writer.any()?);
            let word = Part::Any(vec![text("null"), text("true"), text("false")]);
            let number = schema_number::number(&none).map_err(|why| refused("", why))?;
            let letters = writer.letters(0, None)?;
            let key = Part::All(vec![letters.clone(), writer.space()?, text(":"), writer.space()?, value.clone()]);
            let array = writer.list('[', value, 0, None, ']')?;
            let object = writer.list('{', key, 0, None, '}')?;
            Ok(Part::Any(vec![object, array, letters, number, word]))
        })
    }

    /// Items with commas between brackets.
    fn list(&mut self, open: char, item: Part, least: u32, most: Option<u32>, close: char) -> Result<Part, Unusable> {
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

    fn comma(&mut self) -> Result<Part, Unusable> {
        self.basic("comma", |writer| Ok(Part::All(vec![writer.space()?, text(","), writer.space()?])))
    }

    fn letters(&mut self, least: u32, most: Option<u32>) -> Result<Part, Unusable> {
        let letter = self.basic("letter", |_| {
            let hex = || Part::Class(vec![('0', '9'), ('a', 'f'), ('A', 'F')]);
            let plain = utf8::complement(&[('\0', '\u{1f}'), ('"', '"'), ('\\', '\\'), ('\u{7f}', '\u{7f}')]);
            // Not the halves of a pair: alone they are no character.
            let low =
                Part::All(vec![Part::Class(vec![('0', '9'), ('a', 'c'), ('A', 'C'), ('e', 'f'), ('E', 'F')]), hex()]);
            let high = Part::All(vec![Part::Class(vec![('d', 'd'), ('D', 'D')]), Part::Class(vec![('0', '7')])]);
            let code = Part::All(vec![text("u"), Part::Any(vec![low, high]), hex(), hex()]);
            let named = Part::Class("\"\\/bfnrt".chars().map(|letter| (letter, letter)).collect());
            Ok(Part::Any(vec![Part::Class(plain), Part::All(vec![text("\\"), Part::Any(vec![named, code])])]))
        })?;
        Ok(Part::All(vec![text("\""), Part::Repeat(Box::new(letter), least, most), text("\"")]))
    }

    fn string(&mut self, keys: &Map<String, Value>, at: &str) -> Result<Part, Unusable> {
        if keys.contains_key("pattern") {
            return Err(refused(at, "pattern is not supported"));
        }
        let (least, most) = (count(keys, "minLength", at)?, count(keys, "maxLength", at)?);
        let form = keys.get("format").and_then(Value::as_str).and_then(format);
        match form {
            Some(form) if least.is_none() && most.is_none() => Ok(Part::All(vec![text("\""), form, text("\"")])),
            _ if most.is_some_and(|most| most < least.unwrap_or(0)) => Err(refused(at, "maxLength is below minLength")),
            _ => self.letters(least.unwrap_or(0), most),
        }
    }

    fn array(&mut self, keys: &'a Map<String, Value>, at: &str) -> Result<Part, Unusable> {
        let (least, most) = (count(keys, "minItems", at)?.unwrap_or(0), count(keys, "maxItems", at)?);
        let tuple = keys
            .get("prefixItems")
            .or_else(|| keys.get("items").filter(|items| items.is_array()))
            .and_then(Value::as_array);
        if keys.get("uniqueItems") == Some(&Value::Bool(true)) && most.is_none_or(|most| most > 1) {
            return Err(refused(at, "uniqueItems is not supported"));
        }
        if most.is_some_and(|most| most < least) {
            return Err(refused(at, "maxItems is below minItems"));
        }
        if let Some(tuple) = tuple {
            let fits = least as usize <= tuple.len() && most.is_none_or(|most| most as usize >= tuple.len());
            if !fits || tuple.is_empty() {
                return Err(refused(at, "a tuple with another number of items than it lists is not supported"));
            }
            let mut parts = vec![text("["), self.space()?];
            for (nth, item) in tuple.iter().enumerate() {
                if nth > 0 {
                    parts.push(self.comma()?);
                }
                parts.push(self.value(item, &format!("{at}/prefixItems/{nth}"))?);
            }
            parts.extend([self.space()?, text("]")]);
            return Ok(Part::All(parts));
        }
        let item = match keys.get("items") {
            Some(Value::Bool(false)) if least == 0 => return Ok(text("[]")),
            Some(items) => self.value(items, &format!("{at}/items"))?,
            None => self.any()?,
        };
        self.list('[', item, least, most, ']')
    }

    fn object(&mut self, keys: &'a Map<String, Value>, at: &str) -> Result<Part, Unusable> {
        let none = Map::new();
        let named = match keys.get("properties") {
            Some(Value::Object(named)) => Some(named),
            Some(_) => return Err(refused(at, "properties is an object")),
            None => None,
        };
        let required: Vec<&str> =
            keys.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let (least, most) = (count(keys, "minProperties", at)?.unwrap_or(0), count(keys, "maxProperties", at)?);
        let other = keys.get("additionalProperties");
        let names: Vec<&str> = named.unwrap_or(&none).keys().map(String::as_str).collect();
        if names.is_empty() && required.is_empty() {
            if keys.contains_key("patternProperties") || keys.contains_key("propertyNames") {
                return Err(refused(at, "patternProperties and propertyNames are not supported"));
            }
            if other == Some(&Value::Bool(false)) || most == Some(0) {
                return if least == 0 { Ok(text("{}")) } else { Err(refused(at, "nothing fits")) };
            }
            if least > 1 {
                return Err(refused(at, "minProperties above 1 without names is not supported"));
            }
            let value = match other {
                Some(schema) => self.value(schema, &format!("{at}/additionalProperties"))?,
                None => self.any()?,
            };
            let member = Part::All(vec![self.letters(0, None)?, self.space()?, text(":"), self.space()?, value]);
            return self.list('{', member, least, most, '}');
        }
        if keys.contains_key("propertyNames") || keys.contains_key("patternProperties") {
            return Err(refused(at, "patternProperties and propertyNames are not supported"));
        }
        let unnamed: Vec<&str> = required.iter().copied().filter(|name| !names.contains(name)).collect();
        if !unnamed.is_empty() && other == Some(&Value::Bool(false)) {
            return Err(refused(at, format_args!("{} is required and not allowed", unnamed[0])));
        }
        let all = names.len() + unnamed.len();
        let must = required.iter().collect::<std::collections::BTreeSet<_>>().len();
        if (least as usize) > must || most.is_some_and(|most| (most as usize) < all) {
            return Err(refused(at, "a number of properties that the required ones do not settle is not supported"));
        }
        let mut members = Vec::new();
        for name in names.iter().copied().chain(unnamed) {
            let schema = named.and_then(|named| named.get(name)).or(other).unwrap_or(&Value::Bool(true));
            let must = required.contains(&name);
            if schema == &Value::Bool(false) && !must {
                continue;
            }
            let value =
                self.value(schema, &format!("{at}/properties/{}", name.replace('~', "~0").replace('/', "~1")))?;
            members.push((
                Part::All(vec![literal(&Value::from(name)), self.space()?, text(":"), self.space()?, value]),
                must,
            ));
        }
        self.members(members)
    }

    /// Named members in their order, the optional ones there or not. From the last to the first, each is two rules: with something before it
    /// and with nothing.
    fn members(&mut self, members: Vec<(Part, bool)>) -> Result<Part, Unusable> {
        let end = Part::All(vec![self.space()?, text("}")]);
        let (mut first, mut later) = (text("}"), end);
        for (member, must) in members.into_iter().rev() {
            let member_rule = self.rule(member)?;
            let later_rule = self.rule(later)?;
            let with = |before: Vec<Part>| {
                Part::All(before.into_iter().chain([member_rule.clone(), later_rule.clone()]).collect())
            };
            let as_first = with(vec![self.space()?]);
            let as_later = with(vec![self.comma()?]);
            (first, later) = match must {
                true => (as_first, as_later),
                false => (Part::Any(vec![as_first, self.rule(first)?]), Part::Any(vec![as_later, later_rule])),
            };
        }
        Ok(Part::All(vec![text("{"), first]))
    }

    fn rule(&mut self, part: Part) -> Result<Part, Unusable> {
        let rule = self.grammar.reserve();
        self.grammar.define(rule, part)?;
        Ok(Part::Rule(rule))
    }
}

const ALL: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/// The types that may come; those that other keywords speak of where none is named, all where nothing does.
fn types<'b>(keys: &'b Map<String, Value>, at: &str) -> Result<Vec<&'b str>, Unusable> {
    let mut types: Vec<&str> = match keys.get("type") {
        Some(Value::String(kind)) => vec![kind],
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).collect(),
        Some(_) => return Err(refused(at, "type is a name or a list of names")),
        None => {
            let spoken = |kind: &&&str| keywords_of(kind).iter().any(|key| keys.contains_key(*key));
            let spoken: Vec<_> = ALL.iter().filter(spoken).copied().filter(|kind| *kind != "integer").collect();
            if spoken.is_empty() { ALL.to_vec() } else { spoken }
        }
    };
    if keys.get("nullable") == Some(&Value::Bool(true)) && !types.contains(&"null") {
        types.push("null");
    }
    match types.iter().find(|kind| !ALL.contains(kind)) {
        Some(kind) => Err(refused(at, format_args!("there is no type {kind}"))),
        None if types.is_empty() => Err(refused(at, "type names none")),
        None => Ok(types),
    }
}

fn keywords_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "integer" | "number" => &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
        "string" => &["minLength", "maxLength", "pattern", "format"],
        "array" => &["items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"],
        "object" => &[
            "properties",
            "required",
            "additionalProperties",
            "minProperties",
            "maxProperties",
            "patternProperties",
            "propertyNames",
        ],
        _ => &[],
    }
}

fn literal(value: &Value) -> Part {
    Part::Text(value.to_string())
}

fn has_type(value: &Value, kinds: Option<&Value>) -> bool {
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    match kinds {
        Some(Value::String(kind)) => is(kind),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

fn apart(left: &Value, right: &Value) -> bool {
    let kinds = |schema: &Value| -> Vec<String> {
        let of =
            |kind: &Value| if kind == "integer" { Some("number".to_owned()) } else { kind.as_str().map(str::to_owned) };
        match &schema["type"] {
            Value::Array(kinds) => kinds.iter().filter_map(of).collect(),
            kind => of(kind).into_iter().collect(),
        }
    };
    let (lefts, rights) = (kinds(left), kinds(right));
    if !lefts.is_empty() && !rights.is_empty() && !lefts.iter().any(|kind| rights.contains(kind)) {
        return true;
    }
    let values = |schema: &Value| match (&schema["const"], &schema["enum"]) {
        (Value::Null, Value::Array(values)) => values.clone(),
        (Value::Null, _) => Vec::new(),
        (value, _) => vec![value.clone()],
    };
    let differ = |left: &Value, right: &Value| {
        let (left, right) = (values(left), values(right));
        !left.is_empty() && !right.is_empty() && !left.iter().any(|value| right.contains(value))
    };
    let requires = |schema: &Value, name: &str| {
        schema["required"].as_array().is_some_and(|names| names.iter().any(|other| other == name))
    };
    let by_property = || {
        let names = left["properties"].as_object().into_iter().flat_map(Map::keys);
        names
            .filter(|name| requires(left, name) && requires(right, name))
            .any(|name| differ(&left["properties"][name], &right["properties"][name]))
    };
    differ(left, right) || by_property()
}

fn count(keys: &Map<String, Value>, name: &str, at: &str) -> Result<Option<u32>, Unusable> {
    match keys.get(name) {
        None => Ok(None),
        Some(value) => match value.as_u64().and_then(|count| u32::try_from(count).ok()) {
            Some(count) => Ok(Some(count)),
            None => Err(refused(at, format_args!("{name} is a whole number from 0 to {}", u32::MAX))),
        },
    }
}

/// Formats that are kept although they may be taken for annotations.
fn format(name: &str) -> Option<Part> {
    let digit = |first, last| Part::Class(vec![(first, last)]);
    let two = |tens: char, ones: char| Part::All(vec![digit('0', tens), digit('0', ones)]);
    let date = || {
        let month =
            Part::Any(vec![Part::All(vec![text("0"), digit('1', '9')]), Part::All(vec![text("1"), digit('0', '2')])]);
        // The days that every month has: the 29th and later would need a calendar.
        let day = Part::Any(vec![
            Part::All(vec![text("0"), digit('1', '9')]),
            Part::All(vec![text("1"), digit('0', '9')]),
            Part::All(vec![text("2"), digit('0', '8')]),
        ]);
        Part::All(vec![Part::Repeat(Box::new(digit('0', '9')), 4, Some(4)), text("-"), month, text("-"), day])
    };
    let time = || {
        let hour = || Part::Any(vec![two('1', '9'), Part::All(vec![text("2"), digit('0', '3')])]);
        let fraction = Part::All(vec![text("."), Part::Repeat(Box::new(digit('0', '9')), 1, Some(6))]);
        let zone = Part::Any(vec![
            text("Z"),
            Part::All(vec![Part::Class(vec![('+', '+'), ('-', '-')]), hour(), text(":"), two('5', '9')]),
        ]);
        Part::All(vec![
            hour(),
            text(":"),
            two('5', '9'),
            text(":"),
            two('5', '9'),
            Part::Repeat(Box::new(fraction), 0, Some(1)),
            zone,
        ])
    };
    match name {
        "date" => Some(date()),
        "time" => Some(time()),
        "date-time" => Some(Part::All(vec![date(), text("T"), time()])),
        "uuid" => {
            let hex = |times| Part::Repeat(Box::new(Part::Class(vec![('0', '9'), ('a', 'f')])), times, Some(times));
            let dash = || text("-");
            Some(Part::All(vec![hex(8), dash(), hex(4), dash(), hex(4), dash(), hex(4), dash(), hex(12)]))
        }
        _ => None,
    }
}
