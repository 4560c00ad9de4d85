//! Variables in a prompt: `{{name}}` is replaced by its value, once, from left to right. No template language: there is no
//! condition, no loop, and a value is never read again, whatever braces it has.

use domain::{Timestamp, civil};

/// What the portal itself fills.
pub(crate) const BUILT_IN: [&str; 3] = ["date", "language", "name"];

/// When and by whom an assistant is asked.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'o> {
    pub at: Timestamp,
    /// Minutes by which the person's clock is ahead of UTC.
    pub utc_offset: i32,
    /// What the person is called.
    pub name: &'o str,
    /// The language of their pages: `zh-CN`, `en`.
    pub language: Option<&'o str>,
}

impl Occasion<'_> {
    /// What a variable of the portal's stands for now.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        match name {
            "date" => Some(date(self.at, self.utc_offset)),
            "name" => Some(self.name.to_owned()),
            "language" => Some(language(self.language).to_owned()),
            _ => None,
        }
    }
}

fn language(tag: Option<&str>) -> &str {
    match tag {
        Some("zh-CN") => "简体中文",
        Some("en") => "English",
        Some(other) => other,
        None => "the language of the question",
    }
}

/// `2026-11-26`, where the person is.
fn date(at: Timestamp, utc_offset: i32) -> String {
    let minutes = at.0.div_euclid(60_000) + i64::from(utc_offset);
    let (year, month, day) = civil(minutes.div_euclid(24 * 60));
    format!("{year:04}-{month:02}-{day:02}")
}

/// `text` with every variable that has a value replaced; the others stay as they are.
pub fn fill(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut filled = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Variable { name, written } => match value(name) {
                Some(value) => filled.push_str(&value),
                None => filled.push_str(written),
            },
        }
    }
    filled
}

/// The variables of a text, as often as they are there.
pub fn named(text: &str) -> Vec<&str> {
    let name = |piece| match piece {
        Piece::Variable { name, .. } => Some(name),
        Piece::Text(_) => None,
    };
    pieces(text).into_iter().filter_map(name).collect()
}

enum Piece<'t> {
    Text(&'t str),
    Variable { name: &'t str, written: &'t str },
}

fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let inside = &rest[open + 2..];
        let name = inside.find("}}").map(|close| &inside[..close]);
        let Some((name, length)) = name.and_then(|written| Some((variable(written)?, written.len()))) else {
            // One brace further on: `{{{date}}` has a variable in it.
            pieces.push(Piece::Text(&rest[..=open]));
            rest = &rest[open + 1..];
            continue;
        };
        let end = open + 2 + length + 2;
        pieces.push(Piece::Text(&rest[..open]));
        pieces.push(Piece::Variable { name, written: &rest[open..end] });
        rest = &rest[end..];
    }
    pieces.push(Piece::Text(rest));
    pieces
}

/// The name between two pairs of braces, where it is one.
fn variable(written: &str) -> Option<&str> {
    let name = written.trim();
    let word = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_';
    (!name.is_empty() && name.chars().all(word)).then_some(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Unit, Variable};

    fn said(prompt: &str, at: i64, utc_offset: i32) -> String {
        let variables = vec![Variable { name: "house".into(), value: "{{name}} & {{date}}".into() }];
        let unit = Unit { prompt: prompt.into(), variables, ..Unit::default() };
        unit.instructions(&Occasion { at: Timestamp(at), utc_offset, name: "林 {{house}}", language: Some("zh-CN") })
    }

    #[test]
    fn what_is_known_is_filled_once_and_the_rest_stays() {
        let check = |prompt, wanted: &str| assert_eq!(said(prompt, 0, 0), wanted, "{prompt}");
        check("{{date}}, {{ name }}, {{language}}", "1970-01-01, 林 {{house}}, 简体中文");
        check("{{house}}", "{{name}} & {{date}}");
        check("{{{date}}}", "{1970-01-01}");
        check("{{unknown}} {{Date}} {{ }} {{", "{{unknown}} {{Date}} {{ }} {{");
        check("{% if date %}{{date", "{% if date %}{{date");
        check("", "");
    }

    #[test]
    fn a_day_begins_where_the_person_is() {
        // 2026-11-26T19:34:00Z
        let evening = 1_795_721_640_000;
        assert_eq!(said("{{date}}", evening, 0), "2026-11-26");
        assert_eq!(said("{{date}}", evening, 8 * 60), "2026-11-27");
        assert_eq!(said("{{date}}", evening, -20 * 60), "2026-11-25");
        assert_eq!(said("{{date}}", -1, 0), "1969-12-31");
        assert_eq!(said("{{date}}", 951_782_400_000, 0), "2000-02-29");
    }

    proptest! {
        #[test]
        fn without_values_a_text_stays_as_it_is(text in "[a-z{} 中]{0,60}") {
            prop_assert_eq!(fill(&text, |_| None), text);
        }
    }
}
