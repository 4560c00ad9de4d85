//! Numbers between bounds and on steps, as languages of their decimal digits. What is written stays within digits that every reader of JSON tells
//! apart, so that a bound holds for the reader, too.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Facts, same};
use crate::grammar::{
    Unusable,
    language::{Language, State, Term},
};

/// Digits before the point of a whole number, and before and behind it of another, at most: 15 altogether are exact in a double.
const WHOLE: u32 = 15;
const BEFORE: u32 = 9;
const BEHIND: u32 = 6;
/// Remainders that are followed, at most.
const MOST_REMAINDERS: u64 = 4000;

/// A decimal number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Decimal {
    negative: bool,
    /// Without leading zeros; nothing for 0.
    whole: Vec<u8>,
    /// Without zeros at the end.
    part: Vec<u8>,
}

impl Decimal {
    /// Of a JSON number.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let Value::Number(number) = value else { return None };
        let text = number.to_string();
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().ok().filter(|exponent: &i32| exponent.abs() < 400)?;
        let (negative, digits) = mantissa.strip_prefix('-').map_or((false, mantissa), |digits| (true, digits));
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all: Vec<u8> = whole.bytes().chain(part.bytes()).collect();
        let point = i32::try_from(whole.len()).ok()? + exponent;
        let digit = |at: i32| usize::try_from(at).ok().and_then(|at| all.get(at)).copied().unwrap_or(b'0');
        let mut whole: Vec<u8> = (0..point.max(0)).map(digit).collect();
        let mut part: Vec<u8> = (point..i32::try_from(all.len()).ok()?.max(point)).map(digit).collect();
        whole.drain(..whole.iter().take_while(|digit| **digit == b'0').count());
        part.truncate(part.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1));
        let negative = negative && !(whole.is_empty() && part.is_empty());
        Some(Decimal { negative, whole, part })
    }

    fn size(&self, other: &Self) -> Ordering {
        let whole = self.whole.len().cmp(&other.whole.len()).then_with(|| self.whole.cmp(&other.whole));
        whole.then_with(|| self.part.cmp(&other.part))
    }

    /// As a whole number of units of so many digits behind the point.
    fn scaled(&self, digits: usize) -> Option<u64> {
        let part = self.part.iter().copied().chain(std::iter::repeat(b'0')).take(digits);
        String::from_utf8(self.whole.iter().copied().chain(part).collect()).ok()?.parse().ok()
    }

    /// Whether `value` is a multiple of it.
    pub(super) fn divides(&self, value: &Value) -> bool {
        let Some(value) = Decimal::of(value) else { return false };
        let digits = self.part.len().max(value.part.len());
        match (self.scaled(digits), value.scaled(digits)) {
            (Some(step), Some(value)) if step > 0 => value % step == 0,
            _ => false,
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.size(other),
            (true, true) => other.size(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

fn digit(first: u8, last: u8) -> Term {
    Term::Class(vec![(first.into(), last.into())])
}

fn digits(least: u32, most: u32) -> Term {
    digit(b'0', b'9').times(least, Some(most))
}

fn any_digits() -> Term {
    digit(b'0', b'9').times(0, None)
}

fn literal(digits: &[u8]) -> Term {
    Term::All(digits.iter().map(|&one| digit(one, one)).collect())
}

/// `0`, or digits without a zero before them.
fn natural(most: u32) -> Term {
    Term::Any(vec![literal(b"0"), Term::All(vec![digit(b'1', b'9'), digits(0, most.saturating_sub(1))])])
}

/// The numbers that `facts` ask for; each in one way only where `once`.
pub(super) fn language(facts: &Facts<'_>, once: bool) -> Result<Language, Unusable> {
    // A bound beyond all that is written bounds nothing.
    let far = |bound: &&(Decimal, bool)| bound.0.whole.len() <= 19;
    let lower = facts.least.as_ref().filter(|bound| far(bound) || !bound.0.negative);
    let upper = facts.most.as_ref().filter(|bound| far(bound) || bound.0.negative);
    let plain = facts.steps.is_empty() && facts.whole.is_none() && facts.but.is_empty() && !once;
    let from_zero = |(bound, closed): &(Decimal, bool)| *closed && *bound == Decimal::default();
    if plain && upper.is_none() && lower.is_none_or(from_zero) {
        return Language::of(&usual(lower.is_none()));
    }
    let bounds = [lower, upper].into_iter().flatten();
    let longest = bounds.clone().map(|(bound, _)| bound.whole.len()).max().unwrap_or(0);
    let behind = bounds.map(|(bound, _)| bound.part.len()).max().unwrap_or(0).max(BEHIND as usize);
    if longest > 19 || behind > 12 {
        return Err(Unusable("a bound has more digits than are supported".into()));
    }
    // Where one bound has more digits than are written elsewhere, no more are written towards the other side than there would be.
    let far = |negative: bool| Decimal { negative, whole: vec![b'9'; WHOLE as usize], part: Vec::new() };
    let none = |with: Option<&(Decimal, bool)>| longest > WHOLE as usize && with.is_none();
    let towards = |bound: Option<&(Decimal, bool)>| bound.map(|(bound, _)| bound.clone()).unwrap_or_default();
    let highest = none(upper).then(|| (far(false).max(towards(lower)), true));
    let lowest = none(lower).then(|| (far(true).min(towards(upper)), true));
    let (lower, upper) = (lower.or(lowest.as_ref()), upper.or(highest.as_ref()));
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let (whole, behind) = (WHOLE.max(count(longest)), count(behind));
    let minus = || literal(b"-").perhaps();
    let integer = Term::All(vec![minus(), natural(whole)]);
    // In one way: no zeros at the end.
    let end = if once { Term::All(vec![digits(0, behind - 1), digit(b'1', b'9')]) } else { digits(1, behind) };
    let broken = Term::All(vec![minus(), natural(BEFORE.min(WHOLE - behind)), literal(b"."), end]);
    let mut language = match facts.whole {
        Some(true) => Language::of(&integer)?,
        Some(false) => {
            // No zero at the end of what is behind the point: that could be a whole number.
            let end = Term::All(vec![digits(0, behind - 1), digit(b'1', b'9')]);
            let before = natural(BEFORE.min(WHOLE - behind));
            Language::of(&Term::All(vec![minus(), before, literal(b"."), end]))?
        }
        None => Language::of(&Term::Any(vec![integer, broken]))?,
    };
    let zeros = Term::All(vec![literal(b"."), literal(b"0").times(1, None)]).perhaps();
    language = language.minus(&Language::of(&Term::All(vec![literal(b"-0"), zeros]))?)?;
    if let Some((least, closed)) = lower {
        language = language.and(&from(least, *closed, whole)?)?;
    }
    if let Some((most, closed)) = upper {
        language = language.and(&up_to(most, *closed, whole)?)?;
    }
    for step in &facts.steps {
        language = language.and(&multiples(step)?)?;
    }
    for value in &facts.but {
        language = language.minus(&written(value)?)?;
    }
    Ok(language)
}

/// Without bounds but perhaps 0: what models write, exponents included.
fn usual(negative: bool) -> Term {
    let fraction = Term::All(vec![literal(b"."), digits(1, 16)]).perhaps();
    let sign = Term::Class(vec![(b'+'.into(), b'+'.into()), (b'-'.into(), b'-'.into())]).perhaps();
    let e = Term::Class(vec![(b'E'.into(), b'E'.into()), (b'e'.into(), b'e'.into())]);
    let exponent = Term::All(vec![e, sign, digits(1, 2)]).perhaps();
    let sign_of_all = literal(if negative { b"-" } else { b"" }).perhaps();
    Term::All(vec![sign_of_all, natural(17), fraction, exponent])
}

/// Every way in which the languages here write a value.
fn written(value: &Value) -> Result<Language, Unusable> {
    let Some(Decimal { negative, whole, part }) = Decimal::of(value) else { return Ok(Language::default()) };
    let sign = literal(if negative { b"-" } else { b"" });
    let whole = literal(if whole.is_empty() { b"0" } else { &whole });
    let zeros = || literal(b"0").times(0, None);
    let behind = if part.is_empty() {
        Term::All(vec![literal(b"."), zeros()]).perhaps()
    } else {
        Term::All(vec![literal(b"."), literal(&part), zeros()])
    };
    Language::of(&Term::All(vec![sign, whole, behind]))
}

/// All that is not below a bound.
fn from(bound: &Decimal, closed: bool, most: u32) -> Result<Language, Unusable> {
    let minus = literal(b"-");
    if bound.negative {
        let small = size_up_to(bound, closed, most);
        return Language::of(&Term::Any(vec![anything(), Term::All(vec![minus, small])]));
    }
    Language::of(&size_from(bound, closed, most))
}

/// All that is not above a bound.
fn up_to(bound: &Decimal, closed: bool, most: u32) -> Result<Language, Unusable> {
    let minus = || literal(b"-");
    if bound.negative {
        return Language::of(&Term::All(vec![minus(), size_from(bound, closed, most)]));
    }
    Language::of(&Term::Any(vec![Term::All(vec![minus(), anything()]), size_up_to(bound, closed, most)]))
}

fn fraction() -> Term {
    Term::All(vec![literal(b"."), digit(b'0', b'9').times(1, None)])
}

fn anything() -> Term {
    Term::All(vec![digit(b'0', b'9').times(1, None), fraction().perhaps()])
}

fn size_from(bound: &Decimal, closed: bool, most: u32) -> Term {
    let Decimal { whole, part, .. } = bound;
    let mut larger = Vec::new();
    // More digits, or a larger digit after the same beginning.
    let length = u32::try_from(whole.len()).unwrap_or(u32::MAX);
    if length < most {
        larger.push(Term::All(vec![digit(b'1', b'9'), digits(length, most - 1)]));
    }
    for (nth, &own) in whole.iter().enumerate().filter(|(_, own)| **own < b'9') {
        let rest = length - u32::try_from(nth).unwrap_or(0) - 1;
        larger.push(Term::All(vec![literal(&whole[..nth]), digit(own + 1, b'9'), digits(rest, rest)]));
    }
    let same = literal(if whole.is_empty() { b"0" } else { whole });
    let mut behind = Vec::new();
    for (nth, &own) in part.iter().enumerate().filter(|(_, own)| **own < b'9') {
        behind.push(Term::All(vec![literal(&part[..nth]), digit(own + 1, b'9'), any_digits()]));
    }
    let rest = if closed {
        any_digits()
    } else {
        Term::All(vec![literal(b"0").times(0, None), digit(b'1', b'9'), any_digits()])
    };
    behind.push(Term::All(vec![literal(part), rest]));
    let behind = Term::All(vec![literal(b"."), Term::Any(behind)]);
    let behind = if part.is_empty() && closed { behind.perhaps() } else { behind };
    let larger = Term::All(vec![Term::Any(larger), fraction().perhaps()]);
    Term::Any(vec![larger, Term::All(vec![same, behind])])
}

fn size_up_to(bound: &Decimal, closed: bool, most: u32) -> Term {
    let Decimal { whole, part, .. } = bound;
    let mut smaller = Vec::new();
    let length = u32::try_from(whole.len()).unwrap_or(u32::MAX).min(most);
    if length > 0 {
        smaller.push(literal(b"0"));
    }
    if length > 1 {
        smaller.push(Term::All(vec![digit(b'1', b'9'), digits(0, length - 2)]));
    }
    for (nth, &own) in whole.iter().enumerate() {
        let rest = length - u32::try_from(nth).unwrap_or(0) - 1;
        let lowest = if nth == 0 { b'1' } else { b'0' };
        if own > lowest {
            smaller.push(Term::All(vec![literal(&whole[..nth]), digit(lowest, own - 1), digits(rest, rest)]));
        }
    }
    let same = literal(if whole.is_empty() { b"0" } else { whole });
    let mut ways = vec![Term::All(vec![Term::Any(smaller), fraction().perhaps()])];
    let zeros = |least| literal(b"0").times(least, None);
    let mut behind = Vec::new();
    for (nth, &own) in part.iter().enumerate() {
        if own > b'0' {
            behind.push(Term::All(vec![literal(&part[..nth]), digit(b'0', own - 1), any_digits()]));
        }
        // Fewer digits are less, since the last one is no zero.
        if nth > 0 {
            behind.push(literal(&part[..nth]));
        }
    }
    if closed {
        behind.push(Term::All(vec![literal(part), zeros(u32::from(part.is_empty()))]));
    }
    if closed || !part.is_empty() {
        ways.push(same.clone());
    }
    ways.push(Term::All(vec![same, literal(b"."), Term::Any(behind)]));
    Term::Any(ways)
}

/// All numbers that are a whole number of steps, by the remainder of their digits.
fn multiples(step: &Decimal) -> Result<Language, Unusable> {
    let places = step.part.len();
    let size =
        step.scaled(places).filter(|size| *size > 0 && size.saturating_mul(places as u64 + 2) <= MOST_REMAINDERS);
    let Some(size) = size else {
        return Err(Unusable("multipleOf of so many digits is not supported".into()));
    };
    let power = |count: usize| 10_u64.saturating_pow(u32::try_from(count).unwrap_or(u32::MAX)) % size;
    // State 0 is before the sign, 1 behind it; then, for each count of digits behind the point (the first: before it), each remainder.
    let id = |behind: usize, remainder: u64| u32::try_from(behind as u64 * size + remainder + 2).unwrap_or(u32::MAX);
    let first = || (b'0'..=b'9').map(|one| (one.into(), one.into(), id(0, u64::from(one - b'0') % size)));
    let minus = std::iter::once((b'-'.into(), b'-'.into(), 1));
    let begin = |edges: Vec<_>| State { ends: false, edges };
    let mut states = vec![begin(minus.chain(first()).collect()), begin(first().collect())];
    for behind in 0..=places + 1 {
        for remainder in 0..size {
            let mut edges = Vec::new();
            let on = |remainder: u64, one: u8| (remainder * 10 + u64::from(one - b'0')) % size;
            if behind == 0 {
                edges.push((u32::from(b'.'), u32::from(b'.'), id(1, remainder)));
                edges.extend((b'0'..=b'9').map(|one| (one.into(), one.into(), id(0, on(remainder, one)))));
            } else if behind <= places {
                edges.extend((b'0'..=b'9').map(|one| (one.into(), one.into(), id(behind + 1, on(remainder, one)))));
            } else {
                // Behind the last place that a step has, only zeros.
                edges.push((b'0'.into(), b'0'.into(), id(behind, remainder)));
            }
            // A point alone ends no number; what is written has a digit behind it anyway.
            let done = behind.saturating_sub(1);
            states.push(State { ends: remainder * power(places - done.min(places)) % size == 0, edges });
        }
    }
    Ok(Language::of_states(states))
}

/// Whether a number is what `facts` ask for.
pub(super) fn fits(facts: &Facts<'_>, value: &Value) -> bool {
    let Some(number) = Decimal::of(value) else { return false };
    let above = |(bound, closed): &(Decimal, bool)| number > *bound || (*closed && number == *bound);
    let below = |(bound, closed): &(Decimal, bool)| number < *bound || (*closed && number == *bound);
    facts.whole.is_none_or(|whole| number.part.is_empty() == whole)
        && facts.least.as_ref().is_none_or(above)
        && facts.most.as_ref().is_none_or(below)
        && facts.steps.iter().all(|step| step.divides(value))
        && !facts.but.iter().any(|other| same(other, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::{Decimal, Facts, fits, language};

    proptest! {
        #[test]
        fn a_language_holds_the_numbers_that_fit_and_no_others(
            low in -3000_i32..3000, more in 0_i32..4000, closed in any::<(bool, bool)>(), tenths in any::<bool>(),
            whole in proptest::option::of(any::<bool>()), step in proptest::option::of(1_u32..40), tried in -8000_i32..8000, others in any::<[i16; 3]>(),
        ) {
            let scale = |number: i32| if tenths { json!(f64::from(number) / 10.0) } else { json!(number) };
            let decimal = |value: &Value| Decimal::of(value).expect("a number");
            let facts = Facts {
                whole,
                least: Some((decimal(&scale(low)), closed.0)),
                most: Some((decimal(&scale(low + more)), closed.1)),
                steps: step.map(|step| decimal(&scale(i32::try_from(step).expect("small")))).into_iter().collect(),
                but: Vec::new(),
                ..Facts::default()
            };
            let language = language(&facts, false).expect("small");
            let near = [low, low + more, low - 1, low + more + 1, tried];
            for number in near.into_iter().chain(others.map(i32::from)) {
                for value in [json!(number), json!(f64::from(number) / 10.0)] {
                    // Whole numbers are written without a point.
                    let text = value.to_string().trim_end_matches(".0").replace("-0", if number.abs() < 10 && number != 0 { "-0" } else { "0" });
                    prop_assert_eq!(language.contains(&text), fits(&facts, &value), "{} by {:?}", text, facts);
                }
            }
        }
    }
}
