//! Calls in JSON of which only a beginning has come: the names that are known, and what there is of the arguments. It judges nothing: whether
//! a block is calls at all is seen when it is whole.

use super::{ARGS, FENCES, MARKS, OPEN};

/// A call whose name is known and whose arguments have begun.
pub(super) struct Begun<'a> {
    pub(super) name: String,
    /// The object as it stands there, as far as it has come.
    pub(super) arguments: &'a str,
}

/// The calls at the beginning of `text`, up to the first that is not far enough.
pub(super) fn calls(text: &str) -> Vec<Begun<'_>> {
    let text = text.trim_start();
    let marks = MARKS.iter().chain(FENCES).chain(&[OPEN]);
    let inside = marks.filter_map(|mark| text.strip_prefix(mark)).next().unwrap_or(text);
    if let Some((name, rest)) = inside.split_once(ARGS) {
        let start = rest.len() - rest.trim_start().len();
        let end = value_end(rest, start).unwrap_or(rest.len());
        let arguments = rest.get(start..end).filter(|arguments| arguments.starts_with('{'));
        return arguments.map(|arguments| Begun { name: name.trim().to_owned(), arguments }).into_iter().collect();
    }
    let (mut found, mut at) = (Vec::new(), 0);
    loop {
        let rest = inside.get(at..).unwrap_or_default();
        at += rest.len() - rest.trim_start_matches([' ', '\n', '\r', '\t', '[', ',', ';']).len();
        let (name, arguments, end) = object(inside, at);
        let (Some(name), Some(arguments)) = (name, arguments) else { return found };
        found.push(Begun { name, arguments });
        let Some(end) = end else { return found };
        at = end;
    }
}

/// Name and arguments of the object at `at`, and where it ends.
fn object(text: &str, mut at: usize) -> (Option<String>, Option<&str>, Option<usize>) {
    let (mut name, mut arguments) = (None, None);
    if text.as_bytes().get(at) != Some(&b'{') {
        return (None, None, None);
    }
    at += 1;
    loop {
        at = skip(text, at);
        match text.as_bytes().get(at) {
            Some(b'}') => return (name, arguments, Some(at + 1)),
            Some(b'"') => {}
            _ => return (name, arguments, None),
        }
        let Some(end) = value_end(text, at) else { return (name, arguments, None) };
        let key = text.get(at + 1..end - 1).unwrap_or_default();
        at = skip(text, end);
        let end = value_end(text, at);
        let value = text.get(at..end.unwrap_or(text.len())).unwrap_or_default();
        match key {
            "function" if value.starts_with('{') => {
                let inner = object(text, at);
                (name, arguments) = (inner.0.or(name), inner.1.or(arguments));
            }
            "name" | "function" if end.is_some() => name = serde_json::from_str(value).ok().or(name),
            "arguments" | "parameters" if value.starts_with('{') => arguments = Some(value),
            _ => {}
        }
        let Some(end) = end else { return (name, arguments, None) };
        at = end;
    }
}

/// Past blanks, commas and colons.
fn skip(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.len() - rest.trim_start_matches([' ', '\n', '\r', '\t', ',', ':']).len()
}

/// Where the JSON value at `at` ends, if it does.
fn value_end(text: &str, at: usize) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (nth, byte) in text.bytes().enumerate().skip(at) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => {
                quoted = !quoted;
                if !quoted && depth == 0 {
                    return Some(nth + 1);
                }
            }
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return Some(nth),
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(nth + 1);
                }
            }
            b',' if depth == 0 => return Some(nth),
            _ => {}
        }
    }
    None
}
