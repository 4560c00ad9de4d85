//! Where a schema's references lead: inside its own document, by pointers, anchors and the identities of its parts. Nothing is fetched.

use std::{collections::HashMap, rc::Rc};

use serde_json::{Map, Value};

/// Keywords whose values are no schemas, whatever they look like.
const VALUES: &[&str] = &["enum", "const", "default", "examples", "example"];
/// Keywords whose members are schemas by a name.
const NAMED: &[&str] = &["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
/// Keywords whose values are schemas or lists of them.
const SCHEMAS: &[&str] = &[
    "items",
    "prefixItems",
    "additionalItems",
    "unevaluatedItems",
    "contains",
    "additionalProperties",
    "unevaluatedProperties",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
    "allOf",
    "anyOf",
    "oneOf",
    "contentSchema",
    "extends",
    "disallow",
    "type",
];

/// A schema with all that it refers to.
pub(super) struct Document<'a> {
    pub(super) root: &'a Value,
    /// Drafts up to 7: nothing beside a reference counts.
    pub(super) old: bool,
    /// Draft 3, which has words of its own.
    pub(super) oldest: bool,
    resources: HashMap<String, &'a Value>,
    anchors: HashMap<(String, String), &'a Value>,
    dynamic: HashMap<String, Vec<&'a Value>>,
    /// How many parts ask to be what a recursive reference means (2019-09).
    recursive: usize,
    /// The identity that holds at each place with a reference.
    bases: HashMap<*const Value, Rc<str>>,
}

impl<'a> Document<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        let draft = root["$schema"].as_str().unwrap_or_default();
        let is = |name: &str| draft.contains(name);
        let mut document = Document {
            root,
            old: ["draft-03", "draft-04", "draft-05", "draft-06", "draft-07"].iter().any(|name| is(name)),
            oldest: is("draft-03"),
            resources: HashMap::from([(String::new(), root)]),
            anchors: HashMap::new(),
            dynamic: HashMap::new(),
            recursive: 0,
            bases: HashMap::new(),
        };
        document.walk(root, "".into(), true);
        document
    }

    /// Finds what has a name, and where references stand; in a part that is `known` to be a schema, names count.
    fn walk(&mut self, schema: &'a Value, mut base: Rc<str>, known: bool) {
        let keys = match schema {
            Value::Object(keys) => keys,
            Value::Array(list) => return list.iter().for_each(|one| self.walk(one, Rc::clone(&base), known)),
            _ => return,
        };
        let said = |word: &str| keys.get(word).and_then(Value::as_str).filter(|_| known);
        let id = said("$id").or_else(|| said("id").filter(|_| self.old));
        let alone = self.old && keys.contains_key("$ref");
        if let Some(id) = id.filter(|_| !alone) {
            let (address, anchor) = id.split_once('#').unwrap_or((id, ""));
            if !address.is_empty() {
                base = join(&base, address).into();
                self.resources.entry(base.to_string()).or_insert(schema);
            }
            if !anchor.is_empty() {
                self.anchors.insert((base.to_string(), anchor.to_owned()), schema);
            }
        }
        for word in ["$anchor", "$dynamicAnchor"] {
            if let Some(anchor) = said(word) {
                self.anchors.insert((base.to_string(), anchor.to_owned()), schema);
            }
        }
        if let Some(anchor) = said("$dynamicAnchor") {
            self.dynamic.entry(anchor.to_owned()).or_default().push(schema);
        }
        self.recursive += usize::from(keys.get("$recursiveAnchor") == Some(&Value::Bool(true)));
        if ["$ref", "$dynamicRef", "$recursiveRef"].iter().any(|word| keys.contains_key(*word)) {
            self.bases.insert(schema, Rc::clone(&base));
        }
        for (word, value) in keys.iter().filter(|(word, _)| !VALUES.contains(&word.as_str())) {
            match value {
                Value::Object(named) if NAMED.contains(&word.as_str()) => {
                    named.values().for_each(|one| self.walk(one, Rc::clone(&base), known));
                }
                _ => self.walk(value, Rc::clone(&base), known && SCHEMAS.contains(&word.as_str())),
            }
        }
    }

    /// The schema that the reference `word` of `from` means.
    pub(super) fn target(&self, from: &'a Value, word: &str) -> Result<&'a Value, String> {
        let Some(reference) = from[word].as_str() else { return Err(format!("{word} is a text")) };
        let base = self.bases.get(&std::ptr::from_ref(from)).map_or("", |base| base);
        if word == "$recursiveRef" && self.recursive > 1 {
            return Err("$recursiveRef with several $recursiveAnchor is not supported".into());
        }
        let (address, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let elsewhere = || format!("{reference} is in another document");
        let resource = match address {
            "" => base.to_owned(),
            address => join(base, address),
        };
        let schema = *self.resources.get(&resource).ok_or_else(elsewhere)?;
        let fragment = unescaped(fragment);
        let found = if fragment.is_empty() || fragment.starts_with('/') {
            schema.pointer(&fragment)
        } else {
            if word == "$dynamicRef" && self.dynamic.get(&fragment).is_some_and(|all| all.len() > 1) {
                return Err(format!("$dynamicRef to one of several {fragment} is not supported"));
            }
            self.anchors.get(&(resource, fragment)).copied()
        };
        found.ok_or_else(|| format!("{reference} is not there"))
    }

    /// The pointer to a part of the document.
    pub(super) fn place_of(&self, part: &Value) -> String {
        let mut left = vec![(self.root, String::new())];
        while let Some((value, place)) = left.pop() {
            if std::ptr::eq(value, part) {
                return place;
            }
            match value {
                Value::Object(members) => left.extend(members.iter().map(|(name, value)| (value, under(&place, name)))),
                Value::Array(items) => {
                    left.extend(items.iter().enumerate().map(|(nth, value)| (value, format!("{place}/{nth}"))));
                }
                _ => {}
            }
        }
        String::new()
    }
}

fn under(place: &str, name: &str) -> String {
    format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// The members of a keyword that holds schemas by name, or other things by name.
pub(super) fn members<'a>(keys: &'a Map<String, Value>, word: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    keys.get(word).and_then(Value::as_object).into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// An address as it is meant beside another (RFC 3986 §5.2, as far as schemas use it).
fn join(base: &str, address: &str) -> String {
    let has_scheme = |address: &str| {
        address.split_once(':').is_some_and(|(scheme, _)| !scheme.is_empty() && !scheme.contains(['/', '?', '#']))
    };
    if has_scheme(address) || base.is_empty() {
        return address.to_owned();
    }
    let after_scheme = base.find("://").map_or(0, |at| at + 3);
    let root = base[after_scheme..].find('/').map_or(base.len(), |at| at + after_scheme);
    if address.starts_with('/') {
        return format!("{}{address}", &base[..root]);
    }
    let folder = base[root..].rfind('/').map_or(base.len(), |at| at + root);
    if !has_scheme(base) && !base.contains('/') {
        return address.to_owned();
    }
    let mut parts: Vec<&str> = base[root..folder].split('/').collect();
    for part in address.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("{}{}", &base[..root], parts.join("/"))
}

/// `%22` as it is meant.
fn unescaped(fragment: &str) -> String {
    let (mut bytes, mut left) = (Vec::new(), fragment.as_bytes());
    while let Some((&byte, rest)) = left.split_first() {
        let code = rest.get(..2).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (byte, code) {
            (b'%', Some(code)) => {
                bytes.push(code);
                left = &rest[2..];
            }
            _ => {
                bytes.push(byte);
                left = rest;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn addresses_are_meant_beside_their_base() {
        for (base, address, meant) in [
            ("http://a/b/c.json", "d.json", "http://a/b/d.json"),
            ("http://a/b/c.json", "/d.json", "http://a/d.json"),
            ("http://a/b/", "../d", "http://a/d"),
            ("http://a", "d", "http://a/d"),
            ("http://a/b", "urn:x:y", "urn:x:y"),
            ("", "d.json", "d.json"),
            ("c.json", "d.json", "d.json"),
        ] {
            assert_eq!(join(base, address), meant, "{address} at {base}");
        }
    }
}
