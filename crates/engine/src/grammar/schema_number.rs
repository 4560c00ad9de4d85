//! Numbers between bounds as grammars. Whole numbers have any bounds that 64 bits hold; other numbers only 0, where the sign says all.

use serde_json::{Map, Value};

use super::Part;

/// Digits of a number without bounds, at most: more than a double tells apart, and no endless row of them.
const DIGITS: u32 = 17;

fn text(text: &str) -> Part {
    Part::Text(text.to_owned())
}

fn digits(least: u32, most: u32) -> Part {
    Part::Repeat(Box::new(Part::Class(vec![('0', '9')])), least, Some(most))
}

/// Numbers with a fraction or an exponent.
pub(super) fn number(keys: &Map<String, Value>) -> Result<Part, String> {
    if let Some(key) =
        ["maximum", "exclusiveMaximum", "exclusiveMinimum", "multipleOf"].iter().find(|key| keys.contains_key(**key))
    {
        return Err(format!("{key} of a number is not supported (of an integer it is)"));
    }
    let sign = match keys.get("minimum").map(Value::as_f64) {
        None => Part::Repeat(Box::new(text("-")), 0, Some(1)),
        Some(Some(0.0)) => Part::All(Vec::new()),
        Some(_) => return Err("a minimum of a number other than 0 is not supported (of an integer it is)".into()),
    };
    let natural = Part::Any(vec![text("0"), Part::All(vec![Part::Class(vec![('1', '9')]), digits(0, DIGITS - 2)])]);
    let fraction = Part::Repeat(Box::new(Part::All(vec![text("."), digits(1, DIGITS - 1)])), 0, Some(1));
    let sign_of_exponent = Part::Repeat(Box::new(Part::Class(vec![('+', '+'), ('-', '-')])), 0, Some(1));
    let exponent = Part::All(vec![Part::Class(vec![('e', 'e'), ('E', 'E')]), sign_of_exponent, digits(1, 2)]);
    Ok(Part::All(vec![sign, natural, fraction, Part::Repeat(Box::new(exponent), 0, Some(1))]))
}

/// Whole numbers.
pub(super) fn integer(keys: &Map<String, Value>) -> Result<Part, String> {
    if keys.get("multipleOf").is_some_and(|step| step.as_f64() != Some(1.0)) {
        return Err("multipleOf is not supported".into());
    }
    let bound = |key: &str| match keys.get(key) {
        // Older drafts have a boolean here, which says something of the bound beside it.
        Some(Value::Bool(false)) | None => Ok(None),
        Some(value) => match value.as_i64() {
            Some(bound) => Ok(Some(bound)),
            None => Err(format!("{key} of an integer is a whole number of 64 bits here")),
        },
    };
    let step = |bound: Option<i64>, by: i64| bound.and_then(|bound| bound.checked_add(by));
    let least = bound("minimum")?.max(step(bound("exclusiveMinimum")?, 1));
    let most = [bound("maximum")?, step(bound("exclusiveMaximum")?, -1)].into_iter().flatten().min();
    if least.zip(most).is_some_and(|(least, most)| least > most) {
        return Err("no integer fits its bounds".into());
    }
    // 15 digits are exact for every reader of JSON.
    const FAR: i64 = 999_999_999_999_999;
    let (least, most) = (least.unwrap_or((-FAR).min(most.unwrap_or(0))), most.unwrap_or(FAR.max(least.unwrap_or(0))));
    let mut parts = Vec::new();
    if least < 0 {
        let (from, to) = ((-most.clamp(-i64::MAX, -1)).unsigned_abs(), least.unsigned_abs());
        parts.push(Part::All(vec![text("-"), between(from, to)]));
    }
    if most >= 0 {
        parts.push(between(least.max(0).unsigned_abs(), most.unsigned_abs()));
    }
    Ok(Part::Any(parts))
}

/// The decimal numbers from `first` to `last`, without leading zeros.
fn between(first: u64, last: u64) -> Part {
    let mut parts = Vec::new();
    let mut from = first;
    for len in first.to_string().len()..=last.to_string().len() {
        let longest = 10_u64.checked_pow(u32::try_from(len).unwrap_or(u32::MAX)).map_or(u64::MAX, |next| next - 1);
        let to = last.min(longest);
        parts.push(of_one_length(from.to_string().as_bytes(), to.to_string().as_bytes()));
        from = longest.saturating_add(1);
    }
    Part::Any(parts)
}

/// Rows of digits of the same length, from one to the other.
fn of_one_length(first: &[u8], last: &[u8]) -> Part {
    let (Some((&low, first)), Some((&high, last))) = (first.split_first(), last.split_first()) else {
        return Part::All(Vec::new());
    };
    let letter = |digit: u8| char::from(digit);
    let rest = u32::try_from(first.len()).unwrap_or(u32::MAX);
    if first.iter().all(|&digit| digit == b'0') && last.iter().all(|&digit| digit == b'9') {
        return Part::All(vec![Part::Class(vec![(letter(low), letter(high))]), digits(rest, rest)]);
    }
    if low == high {
        return Part::All(vec![text(&letter(low).to_string()), of_one_length(first, last)]);
    }
    let (nines, zeros) = (vec![b'9'; first.len()], vec![b'0'; first.len()]);
    let mut parts = vec![
        Part::All(vec![text(&letter(low).to_string()), of_one_length(first, &nines)]),
        Part::All(vec![text(&letter(high).to_string()), of_one_length(&zeros, last)]),
    ];
    if low + 1 < high {
        parts.push(Part::All(vec![Part::Class(vec![(letter(low + 1), letter(high - 1))]), digits(rest, rest)]));
    }
    Part::Any(parts)
}
