//! Strings: what patterns, formats and lengths leave, as languages of their values.

use std::collections::HashMap;

use super::facts::{Facts, Form};
use crate::grammar::{
    Unusable,
    language::{Language, Term},
    pattern,
};

/// Characters of a string that has to look like something, at most, where its schema allows more; the first that is not too large for an automaton.
const MOST: [u64; 3] = [1024, 200, 60];

/// Languages by what they are of.
#[derive(Default)]
pub(super) struct Forms<'a> {
    known: HashMap<Form<'a>, Result<Option<Language>, Unusable>>,
}

impl<'a> Forms<'a> {
    /// The language of a form; `None` for a format that is not known, which is an annotation.
    pub(super) fn language(&mut self, form: Form<'a>) -> Result<Option<Language>, Unusable> {
        let read = || match form {
            Form::Pattern(pattern) => pattern::language(pattern).map(Some),
            Form::Format(name) => match pattern_of_format(name) {
                Some(pattern) => pattern::language(&format!("^(?:{pattern})$")).map(Some),
                None => Ok(None),
            },
        };
        self.known.entry(form).or_insert_with(read).clone()
    }

    /// The values that `facts` ask for.
    pub(super) fn values(&mut self, facts: &Facts<'a>) -> Result<Language, Unusable> {
        let mut language = Language::all();
        for &(form, wanted) in &facts.forms {
            let Some(other) = self.language(form)? else { continue };
            language = match (form, wanted) {
                (_, true) => language.and(&other)?,
                (Form::Pattern(_), false) => language.minus(&other)?,
                // What is written of a format is not all of it.
                (Form::Format(name), false) => {
                    return Err(Unusable(format!("not the format {name} is not supported")));
                }
            };
        }
        let words: Vec<&str> = facts.but.iter().filter_map(|value| value.as_str()).collect();
        language = language.minus(&Language::words(words)?)?;
        if facts.shortest == 0 && facts.longest.is_none() {
            return Ok(language);
        }
        let any = || Term::Class(vec![(0, char::MAX.into())]);
        let least = u32::try_from(facts.shortest).unwrap_or(u32::MAX);
        let within = |most: Option<u64>| {
            let most = most.map(|most| u32::try_from(most).unwrap_or(u32::MAX));
            if least > 5000 {
                return Err(Unusable("minLength above 5000 beside a pattern is not supported".into()));
            }
            language.and(&Language::of(&any().times(least, most))?)
        };
        let Some(longest) = facts.longest else { return within(None) };
        let mut kept = within(Some(longest.min(MOST[0].max(facts.shortest))));
        for most in &MOST[1..] {
            if kept.is_err() && facts.shortest <= *most {
                kept = within(Some(longest.min(*most)));
            }
        }
        kept
    }
}

/// Whether a string is what `facts` ask for.
pub(super) fn fits<'a>(forms: &mut Forms<'a>, facts: &Facts<'a>, text: &str) -> Result<bool, Unusable> {
    let count = text.chars().count() as u64;
    if count < facts.shortest || facts.longest.is_some_and(|most| count > most) {
        return Ok(false);
    }
    for &(form, wanted) in &facts.forms {
        if let Some(language) = forms.language(form)?
            && language.contains(text) != wanted
        {
            return Ok(false);
        }
    }
    Ok(!facts.but.iter().any(|value| value.as_str() == Some(text)))
}

/// What is written of a format: always right, not all of it (JSON Schema 2020-12, validation, §7.3).
fn pattern_of_format(name: &str) -> Option<String> {
    const DATE: &str =
        "[12]\\d{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)";
    const TIME: &str = "(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,6})?(?:Z|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)";
    const SPAN: &str = "T(?:\\d{1,2}H(?:\\d{1,2}M(?:\\d{1,2}S)?)?|\\d{1,2}M(?:\\d{1,2}S)?|\\d{1,2}S)";
    const DAYS: &str = "(?:\\d{1,3}Y(?:\\d{1,2}M(?:\\d{1,2}D)?)?|\\d{1,2}M(?:\\d{1,2}D)?|\\d{1,3}D)";
    const LABEL: &str = "[A-Za-z][A-Za-z0-9]{0,19}(?:-[A-Za-z0-9]{1,19})?";
    const BYTE: &str = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
    const LETTERS: &str = "[A-Za-z0-9._~!$&'()*+,;=:@-]";
    let host = format!("{LABEL}(?:\\.{LABEL}){{0,3}}");
    let behind = format!("(?:\\?(?:{LETTERS}|[/?])*)?(?:#(?:{LETTERS}|[/?])*)?");
    let urn = "urn:[a-z][a-z0-9]{1,20}:[A-Za-z0-9._:-]{1,60}";
    let address =
        format!("(?:https?|ftp|wss?|file|[a-z]{{3,8}})://{host}(?::[1-9]\\d{{0,3}})?(?:/{LETTERS}*)*{behind}|{urn}");
    let pattern = match name {
        "date" => DATE.into(),
        "time" => TIME.into(),
        "date-time" => format!("{DATE}T{TIME}"),
        "duration" => format!("P(?:\\d{{1,3}}W|{DAYS}(?:{SPAN})?|{SPAN})"),
        "uuid" => "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}".into(),
        "email" | "idn-email" => {
            format!("[A-Za-z0-9_+-]{{1,30}}(?:\\.[A-Za-z0-9_+-]{{1,30}})?@{LABEL}(?:\\.{LABEL}){{1,3}}")
        }
        "hostname" | "idn-hostname" | "host-name" => host,
        "ipv4" | "ip-address" => format!("(?:{BYTE}\\.){{3}}{BYTE}"),
        "ipv6" => {
            let group = "[0-9a-fA-F]{1,4}";
            format!("(?:{group}:){{7}}{group}|::|::{group}|(?:{group}:){{1,6}}:{group}")
        }
        "uri" | "iri" => address,
        "uri-reference" | "iri-reference" => {
            format!("{address}|/?[A-Za-z0-9._~-]+(?:/[A-Za-z0-9._~-]*)*{behind}|#[A-Za-z0-9._~-]*")
        }
        "uri-template" => "(?:[A-Za-z0-9._~/-]|\\{[A-Za-z_][A-Za-z0-9_]*\\})*".into(),
        "json-pointer" => "(?:/(?:[^~/]|~[01])*)*".into(),
        "relative-json-pointer" => "(?:0|[1-9]\\d{0,4})(?:#|(?:/(?:[^~/]|~[01])*)*)".into(),
        "regex" => "\\^?[A-Za-z0-9_ ]*(?:\\.\\*)?\\$?".into(),
        // Draft 3.
        "color" => "#[0-9A-Fa-f]{3}(?:[0-9A-Fa-f]{3})?|black|blue|gray|green|red|white|yellow".into(),
        // `contentEncoding`.
        "base64" => "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?".into(),
        _ => return None,
    };
    Some(pattern)
}
