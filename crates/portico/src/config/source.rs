//! Reading values from three places, the nearest first: a flag, an environment variable, the file. Every value is asked for by name; what was never asked for is a
//! key nobody knows. What a value may be is not decided here but in `read.rs`.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::mistake::{Mistake, Place, Span};
use super::suggest::nearest;

/// Looks up an environment variable.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The text that is read, and what was found wrong with it so far.
pub(super) struct Source<'a> {
    text: &'a str,
    env: Env<'a>,
    flags: HashMap<&'static str, String>,
    mistakes: RefCell<Vec<Mistake>>,
    /// Section path (with `[]` for a list) and the keys it has.
    asked: RefCell<Vec<(String, &'static str)>>,
    present: RefCell<Vec<(String, String, Place)>>,
}

/// One table of the file, with what the environment says about it.
pub(super) struct Section<'s, 'a> {
    source: &'s Source<'a>,
    /// Dotted, empty at the top, ending in `[]` inside a list of tables.
    path: String,
    table: Option<&'s DeTable<'a>>,
    /// The header, for what is missing.
    place: Option<Place>,
}

/// A value and where it was read.
#[derive(Debug, Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// One of a list that holds texts and small tables.
pub(super) enum Item<'s, 'a> {
    Text(Found<String>),
    Section(Section<'s, 'a>),
}

/// What a key was found to hold before its type is known.
enum Raw<'s, 'a> {
    Toml(&'s Spanned<DeValue<'a>>),
    Text(String, Place),
}

impl<'a> Source<'a> {
    pub(super) fn new(text: &'a str, env: Env<'a>, flags: HashMap<&'static str, String>) -> Self {
        let (mistakes, asked, present) = Default::default();
        Source { text, env, flags, mistakes, asked, present }
    }

    /// The top of the file. Text that is not TOML is noted, every place of it, and what could be read is still looked at.
    pub(super) fn root<'s>(&'s self, table: &'s DeTable<'a>) -> Section<'s, 'a> {
        let section = Section { source: self, path: String::new(), table: Some(table), place: None };
        section.note_keys();
        section
    }

    /// An environment variable that a key names, such as `api_key_env`.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.trim().is_empty())
    }

    pub(super) fn mistake(&self, mistake: Mistake) {
        self.mistakes.borrow_mut().push(mistake);
    }

    pub(super) fn place(&self, range: &std::ops::Range<usize>) -> Place {
        Place::File(Span::find(self.text, range))
    }

    /// Everything wrong, with the keys that nobody asked for.
    pub(super) fn finish(self) -> Vec<Mistake> {
        let asked = self.asked.into_inner();
        let mut mistakes = self.mistakes.into_inner();
        for (path, key, place) in self.present.into_inner() {
            if !asked.iter().any(|(section, known)| *section == path && *known == key) {
                mistakes.push(unknown(&asked, &path, &key, place));
            }
        }
        mistakes
    }
}

/// Keys that people try because other programs have them: section, key, what to write instead.
const EXPECTED: [(&str, &str, &str); 3] = [
    (
        "provider[]",
        "api_key",
        "a key never stands in this file: name a variable with `api_key_env` or a file with `api_key_file`",
    ),
    ("", "port", "address and port are one: listen = \"127.0.0.1:8420\""),
    ("", "host", "address and port are one: listen = \"127.0.0.1:8420\""),
];

/// The sentence for a key that nobody knows, and what was probably meant.
fn unknown(asked: &[(String, &'static str)], path: &str, key: &str, place: Place) -> Mistake {
    let mistake = Mistake::new(place, format!("unknown key `{}`", dotted(path, key)));
    if let Some((_, _, instead)) = EXPECTED.iter().find(|(section, tried, _)| *section == path && *tried == key) {
        return mistake.hint(*instead);
    }
    let here = || asked.iter().filter(|(section, _)| section == path).map(|(_, known)| *known);
    if let Some(meant) = nearest(key, here()) {
        return mistake.hint(format!("did you mean `{meant}`?"));
    }
    let elsewhere = asked.iter().find(|(_, known)| *known == key).map(|(section, _)| section.as_str());
    match elsewhere {
        Some("") => mistake.hint(format!("`{key}` belongs at the top of the file, before the first [section]")),
        Some(section) if section.ends_with("[]") => {
            mistake.hint(format!("`{key}` belongs under [[{}]]", section.trim_end_matches("[]")))
        }
        Some(section) => mistake.hint(format!("`{key}` belongs under [{section}]")),
        None => {
            let mut known: Vec<&str> = here().collect();
            known.sort_unstable();
            known.dedup();
            mistake.hint(format!("known here: {}", known.join(", ")))
        }
    }
}

/// The key as a person would write it.
fn dotted(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{}.{key}", path.replace("[]", "")) }
}

impl<'s, 'a> Section<'s, 'a> {
    /// A text.
    pub(super) fn text(&self, key: &'static str) -> Option<Found<String>> {
        match self.raw(key)? {
            Raw::Text(value, place) => Some(Found { value, place }),
            Raw::Toml(found) => match found.get_ref() {
                DeValue::String(value) => Some(Found { value: value.to_string(), place: self.at(found) }),
                other => self.wrong(key, found, "a text in quotes", other),
            },
        }
    }

    /// A whole number inside `range`.
    pub(super) fn number(&self, key: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let wanted = || format!("a whole number from {} to {}", range.start(), range.end());
        let (number, place) = match self.raw(key)? {
            Raw::Text(value, place) => (value.trim().replace('_', "").parse::<i128>().ok(), place),
            Raw::Toml(found) => match found.get_ref() {
                DeValue::Integer(value) => (i128::from_str_radix(value.as_str(), value.radix()).ok(), self.at(found)),
                other => return self.wrong(key, found, &wanted(), other),
            },
        };
        let number = number.and_then(|number| u64::try_from(number).ok()).filter(|number| range.contains(number));
        if number.is_none() {
            self.source.mistake(Mistake::new(place, format!("`{}` must be {}", dotted(&self.path, key), wanted())));
        }
        number
    }

    /// A number inside `range`, decimal or whole.
    pub(super) fn decimal(&self, key: &'static str, range: RangeInclusive<f64>) -> Option<f64> {
        let wanted = || format!("a number from {} to {}", range.start(), range.end());
        let (number, place) = match self.raw(key)? {
            Raw::Text(value, place) => (value.trim().parse().ok(), place),
            Raw::Toml(found) => match found.get_ref() {
                DeValue::Integer(value) => (value.as_str().parse().ok(), self.at(found)),
                DeValue::Float(value) => (value.as_str().parse().ok(), self.at(found)),
                other => return self.wrong(key, found, &wanted(), other),
            },
        };
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            self.source.mistake(Mistake::new(place, format!("`{}` must be {}", dotted(&self.path, key), wanted())));
        }
        number
    }

    /// Yes or no.
    pub(super) fn flag(&self, key: &'static str) -> Option<bool> {
        match self.raw(key)? {
            Raw::Text(value, place) => match value.trim().to_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Some(true),
                "false" | "0" | "no" | "off" => Some(false),
                _ => {
                    let sentence = format!("`{}` must be true or false", dotted(&self.path, key));
                    self.source.mistake(Mistake::new(place, sentence));
                    None
                }
            },
            Raw::Toml(found) => match found.get_ref() {
                DeValue::Boolean(value) => Some(*value),
                other => self.wrong(key, found, "true or false", other),
            },
        }
    }

    /// A list of texts; in the environment separated by commas.
    pub(super) fn texts(&self, key: &'static str) -> Vec<Found<String>> {
        match self.raw(key) {
            None => Vec::new(),
            Some(Raw::Text(value, place)) => {
                let parts = value.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts.map(|part| Found { value: part.to_owned(), place: place.clone() }).collect()
            }
            Some(Raw::Toml(found)) => {
                let DeValue::Array(list) = found.get_ref() else {
                    self.wrong::<()>(key, found, "a list of texts, as in [\"a\", \"b\"]", found.get_ref());
                    return Vec::new();
                };
                list.iter().filter_map(|item| self.text_in_list(key, item)).collect()
            }
        }
    }

    fn text_in_list(&self, key: &'static str, item: &Spanned<DeValue<'a>>) -> Option<Found<String>> {
        match item.get_ref() {
            DeValue::String(value) => Some(Found { value: value.to_string(), place: self.at(item) }),
            other => {
                let name = dotted(&self.path, key);
                let sentence = format!("`{name}` holds texts in quotes, but this is {}", called(other));
                self.source.mistake(Mistake::new(self.at(item), sentence));
                None
            }
        }
    }

    /// The table `[key]`; empty when absent, since the environment may still fill it.
    pub(super) fn section(&self, key: &'static str) -> Section<'s, 'a> {
        self.ask(key);
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let empty = Section { source: self.source, path: path.clone(), table: None, place: None };
        let Some((header, found)) = self.entry(key) else { return empty };
        let DeValue::Table(table) = found.get_ref() else {
            let sentence = format!("`{path}` is a section, but this is {}", called(found.get_ref()));
            self.source
                .mistake(Mistake::new(self.at(found), sentence).hint(format!("write [{path}] and its keys below")));
            return empty;
        };
        let place = Some(self.source.place(&header));
        let section = Section { source: self.source, path, table: Some(table), place };
        section.note_keys();
        section
    }

    /// The tables `[[key]]`, in the order of the file.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'s, 'a>> {
        self.ask(key);
        let Some((_, found)) = self.entry(key) else { return Vec::new() };
        let name = dotted(&self.path, key);
        let wrong = || {
            let sentence = format!("`{name}` is a list of sections");
            let hint = format!("write [[{name}]] with two brackets, once for each");
            self.source.mistake(Mistake::new(self.at(found), sentence).hint(hint));
        };
        let DeValue::Array(list) = found.get_ref() else {
            wrong();
            return Vec::new();
        };
        let mut sections = Vec::new();
        for item in list.iter() {
            let DeValue::Table(table) = item.get_ref() else {
                wrong();
                continue;
            };
            let place = Some(self.at(item));
            let section = Section { source: self.source, path: format!("{name}[]"), table: Some(table), place };
            section.note_keys();
            sections.push(section);
        }
        sections
    }

    /// A list of texts and of tables written in one line.
    pub(super) fn items(&self, key: &'static str, wanted: &str) -> Vec<Item<'s, 'a>> {
        self.ask(key);
        let Some((_, found)) = self.entry(key) else { return Vec::new() };
        let DeValue::Array(list) = found.get_ref() else {
            self.wrong::<()>(key, found, wanted, found.get_ref());
            return Vec::new();
        };
        let item = |item: &'s Spanned<DeValue<'a>>| match item.get_ref() {
            DeValue::String(value) => Some(Item::Text(Found { value: value.to_string(), place: self.at(item) })),
            DeValue::Table(table) => {
                let path = format!("{}[]", dotted(&self.path, key));
                let section = Section { source: self.source, path, table: Some(table), place: Some(self.at(item)) };
                section.note_keys();
                Some(Item::Section(section))
            }
            other => self.wrong(key, item, wanted, other),
        };
        list.iter().filter_map(item).collect()
    }

    /// A text that must be there.
    pub(super) fn required(&self, key: &'static str, what: &str) -> Option<Found<String>> {
        let found = self.text(key);
        let absent = found.is_none() && self.table.is_none_or(|table| !table.contains_key(key));
        if let (true, Some(place)) = (absent, self.place.clone()) {
            let header = self.path.trim_end_matches("[]");
            let header = if self.path.ends_with("[]") { format!("[[{header}]]") } else { format!("[{header}]") };
            let sentence = format!("{header} needs `{key}`: {what}");
            self.source.mistake(Mistake::new(place, sentence));
        }
        found
    }

    fn raw(&self, key: &'static str) -> Option<Raw<'s, 'a>> {
        self.ask(key);
        let path = dotted(&self.path, key);
        if let Some(value) = self.source.flags.get(path.as_str()) {
            return Some(Raw::Text(value.clone(), Place::Flag(flag_name(key))));
        }
        let name = format!("PORTICO_{}", path.replace('.', "__").to_uppercase());
        // An empty variable is an unset one: compose files and unit files leave them empty.
        let from_env = (self.source.env)(&name).filter(|value| !value.is_empty() && !self.path.ends_with("[]"));
        if let Some(value) = from_env {
            return Some(Raw::Text(value, Place::Env(name)));
        }
        self.entry(key).map(|(_, found)| Raw::Toml(found))
    }

    fn ask(&self, key: &'static str) {
        self.source.asked.borrow_mut().push((self.path.clone(), key));
    }

    fn note_keys(&self) {
        let keys = self.table.into_iter().flat_map(|table| table.keys());
        let keys = keys.map(|key| (self.path.clone(), key.get_ref().to_string(), self.source.place(&key.span())));
        self.source.present.borrow_mut().extend(keys);
    }

    fn entry(&self, key: &str) -> Option<(std::ops::Range<usize>, &'s Spanned<DeValue<'a>>)> {
        let (key, value) = self.table?.get_key_value(key)?;
        Some((key.span(), value))
    }

    fn at<T>(&self, found: &Spanned<T>) -> Place {
        self.source.place(&found.span())
    }

    fn wrong<T>(&self, key: &str, found: &Spanned<DeValue<'a>>, wanted: &str, is: &DeValue<'a>) -> Option<T> {
        let sentence = format!("`{}` must be {wanted}, but this is {}", dotted(&self.path, key), called(is));
        self.source.mistake(Mistake::new(self.at(found), sentence));
        None
    }
}

impl<T> Found<T> {
    /// As [`Found::parse`], and keeps the place.
    pub(super) fn parse_found<U>(
        self,
        source: &Source<'_>,
        parse: impl FnOnce(T) -> Result<U, Wrong>,
    ) -> Option<Found<U>> {
        let place = self.place.clone();
        self.parse(source, parse).map(|value| Found { value, place })
    }

    /// Looks closer at the value; what `parse` says is wrong is noted at its place.
    pub(super) fn parse<U>(self, source: &Source<'_>, parse: impl FnOnce(T) -> Result<U, Wrong>) -> Option<U> {
        match parse(self.value) {
            Ok(value) => Some(value),
            Err(wrong) => {
                let mistake = Mistake::new(self.place, wrong.sentence);
                source.mistake(match wrong.hint {
                    Some(hint) => mistake.hint(hint),
                    None => mistake,
                });
                None
            }
        }
    }
}

/// What is wrong with a value, before it is known where it stands.
pub(super) struct Wrong {
    sentence: String,
    hint: Option<String>,
}

impl Wrong {
    pub(super) fn new(sentence: impl Into<String>) -> Self {
        Wrong { sentence: sentence.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

fn flag_name(key: &str) -> &'static str {
    match key {
        "listen" => "--listen",
        "data" => "--data",
        _ => "--model",
    }
}

fn called(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    }
}
