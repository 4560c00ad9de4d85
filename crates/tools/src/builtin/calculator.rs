//! Arithmetic without rounding: every value is a fraction of 128-bit whole numbers. What does not end as a decimal is told to
//! twenty places, as `≈`; what does not fit is refused, never approximated.

use domain::{ToolError, ToolSpec};
use serde_json::{Value, json};

/// Decimal places of a result that does not end.
const PLACES: usize = 20;
/// The longest expression, in bytes, and how deep its parentheses may lie.
const LONGEST: usize = 2_000;
const DEPTH: usize = 100;

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "calculator".to_owned(),
        description: "Exact decimal arithmetic: + - * / % ^, parentheses, abs(x), min(x, y, ...), max(x, y, ...), \
                      round(x, places). Use it for every calculation."
            .to_owned(),
        parameters: json!({
            "type": "object",
            "properties": { "expression": { "type": "string", "description": "Such as (0.1 + 0.2) * 3", "minLength": 1, "maxLength": LONGEST } },
            "required": ["expression"],
            "additionalProperties": false
        }),
    }
}

pub(super) fn call(arguments: &Value) -> Result<String, ToolError> {
    let text = arguments["expression"].as_str().unwrap_or_default();
    let value = evaluate(text).map_err(|reason| ToolError::Invalid { field: "expression".to_owned(), reason })?;
    Ok(value.written())
}

fn evaluate(text: &str) -> Result<Fraction, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.');
    if let Some(pair) = words.windows(2).find(|pair| joins(pair[0].chars().last()) && joins(pair[1].chars().next())) {
        return Err(format!("there is no operator between {:?} and {:?}", pair[0], pair[1]));
    }
    // As they are written in Chinese texts and on keyboards.
    let plain: Vec<char> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| match c {
            '×' | '·' => '*',
            '÷' => '/',
            '−' | '–' => '-',
            '（' => '(',
            '）' => ')',
            '，' => ',',
            other => other,
        })
        .collect();
    let mut parser = Parser { text: plain, at: 0, depth: 0 };
    let value = parser.sum()?;
    match parser.text.get(parser.at) {
        None => Ok(value),
        Some(other) => Err(format!("{other:?} is not expected after {} characters", parser.at)),
    }
}

/// Always in lowest terms, the denominator above zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fraction {
    n: i128,
    d: i128,
}

const LARGE: &str = "a value on the way has more than 38 digits";

impl Fraction {
    fn new(n: i128, d: i128) -> Result<Fraction, String> {
        if d == 0 {
            return Err("it divides by zero".to_owned());
        }
        let (n, d) = if d < 0 { (n.checked_neg().ok_or(LARGE)?, d.checked_neg().ok_or(LARGE)?) } else { (n, d) };
        let by = gcd(n.unsigned_abs(), d.unsigned_abs());
        let by = i128::try_from(by).map_err(|_| LARGE)?.max(1);
        Ok(Fraction { n: n / by, d: d / by })
    }

    fn whole(n: i128) -> Fraction {
        Fraction { n, d: 1 }
    }

    fn plus(self, other: Fraction) -> Result<Fraction, String> {
        let by = i128::try_from(gcd(self.d.unsigned_abs(), other.d.unsigned_abs())).map_err(|_| LARGE)?.max(1);
        let (left, right) = (other.d / by, self.d / by);
        let n = self.n.checked_mul(left).zip(other.n.checked_mul(right)).and_then(|(a, b)| a.checked_add(b));
        Fraction::new(n.ok_or(LARGE)?, self.d.checked_mul(left).ok_or(LARGE)?)
    }

    fn negated(self) -> Result<Fraction, String> {
        Ok(Fraction { n: self.n.checked_neg().ok_or(LARGE)?, d: self.d })
    }

    fn times(self, other: Fraction) -> Result<Fraction, String> {
        // Crosswise first, so that what cancels does not overflow on the way.
        let (a, b) = (Fraction::new(self.n, other.d)?, Fraction::new(other.n, self.d)?);
        Fraction::new(a.n.checked_mul(b.n).ok_or(LARGE)?, a.d.checked_mul(b.d).ok_or(LARGE)?)
    }

    fn over(self, other: Fraction) -> Result<Fraction, String> {
        self.times(Fraction::new(other.d, other.n)?)
    }

    /// What is left over from a whole quotient; it has the sign of the divisor.
    fn modulo(self, other: Fraction) -> Result<Fraction, String> {
        let quotient = self.over(other)?;
        let whole = quotient.n.div_euclid(quotient.d);
        self.plus(other.times(Fraction::whole(whole))?.negated()?)
    }

    fn power(self, exponent: Fraction) -> Result<Fraction, String> {
        if exponent.d != 1 || exponent.n.unsigned_abs() > 1_000 {
            return Err("an exponent must be a whole number between -1000 and 1000".to_owned());
        }
        let mut value = Fraction::whole(1);
        for _ in 0..exponent.n.unsigned_abs() {
            value = value.times(self)?;
        }
        if exponent.n < 0 { Fraction::whole(1).over(value) } else { Ok(value) }
    }

    /// Half away from zero, as money is rounded.
    fn rounded(self, places: Fraction) -> Result<Fraction, String> {
        if places.d != 1 || !(0..=30).contains(&places.n) {
            return Err("round takes 0 to 30 places".to_owned());
        }
        let scale = Fraction::whole(10).power(places)?;
        let scaled = self.times(scale)?;
        let double = scaled.n.unsigned_abs().checked_mul(2).and_then(|n| n.checked_add(scaled.d.unsigned_abs()));
        let whole = double.ok_or(LARGE)? / (scaled.d.unsigned_abs() * 2);
        let whole = i128::try_from(whole).map_err(|_| LARGE)?;
        Fraction::whole(if scaled.n < 0 { -whole } else { whole }).over(scale)
    }

    fn less(self, other: Fraction) -> Result<bool, String> {
        Ok(self.plus(other.negated()?)?.n < 0)
    }

    /// The decimal, in full where it ends.
    fn written(self) -> String {
        let (sign, n, d) = (if self.n < 0 { "-" } else { "" }, self.n.unsigned_abs(), self.d.unsigned_abs());
        let (mut rest, mut digits) = (n % d, String::new());
        while rest != 0 && digits.len() < 130 {
            // Ten times the rest fits as long as the denominator is below 2^124; beyond it, the fraction itself is told.
            let Some(ten) = rest.checked_mul(10) else { return format!("{}/{}", self.n, self.d) };
            digits.push(char::from(b'0' + u8::try_from(ten / d).unwrap_or(0)));
            rest = ten % d;
        }
        let whole = n / d;
        match (digits.as_str(), rest) {
            ("", _) => format!("{sign}{whole}"),
            (all, 0) => format!("{sign}{whole}.{all}"),
            (all, _) => format!("≈ {sign}{whole}.{} ({}/{})", &all[..PLACES], self.n, self.d),
        }
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

struct Parser {
    text: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn eat(&mut self, wanted: char) -> bool {
        let there = self.text.get(self.at) == Some(&wanted);
        self.at += usize::from(there);
        there
    }

    fn sum(&mut self) -> Result<Fraction, String> {
        let mut value = self.product()?;
        loop {
            if self.eat('+') {
                value = value.plus(self.product()?)?;
            } else if self.eat('-') {
                value = value.plus(self.product()?.negated()?)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn product(&mut self) -> Result<Fraction, String> {
        let mut value = self.signed()?;
        loop {
            if self.eat('*') {
                if self.eat('*') {
                    return Err("a power is written ^".to_owned());
                }
                value = value.times(self.signed()?)?;
            } else if self.eat('/') {
                value = value.over(self.signed()?)?;
            } else if self.eat('%') {
                value = value.modulo(self.signed()?)?;
            } else {
                return Ok(value);
            }
        }
    }

    fn signed(&mut self) -> Result<Fraction, String> {
        self.deeper()?;
        let value = if self.eat('-') {
            self.signed()?.negated()
        } else if self.eat('+') {
            self.signed()
        } else {
            self.power()
        };
        self.depth -= 1;
        value
    }

    /// Binds tighter than a sign before it, and to the right: -2^2 is -4, 2^3^2 is 512.
    fn power(&mut self) -> Result<Fraction, String> {
        let base = self.atom()?;
        if self.eat('^') { base.power(self.signed()?) } else { Ok(base) }
    }

    fn atom(&mut self) -> Result<Fraction, String> {
        if self.eat('(') {
            self.deeper()?;
            let value = self.sum()?;
            self.depth -= 1;
            return if self.eat(')') { Ok(value) } else { Err("a ) is missing".to_owned()) };
        }
        let rest = &self.text[self.at.min(self.text.len())..];
        let word: String = rest.iter().take_while(|c| c.is_ascii_alphabetic()).collect();
        if !word.is_empty() {
            self.at += word.len();
            return self.function(&word);
        }
        let digits: String = rest.iter().take_while(|c| c.is_ascii_digit() || **c == '.').collect();
        if digits.is_empty() {
            return Err(match rest.first() {
                Some(other) => format!("{other:?} is not expected after {} characters", self.at),
                None => "it ends too early".to_owned(),
            });
        }
        self.at += digits.len();
        number(&digits)
    }

    fn function(&mut self, name: &str) -> Result<Fraction, String> {
        if !self.eat('(') {
            return Err(format!("{name:?} is no number"));
        }
        self.deeper()?;
        let mut values = vec![self.sum()?];
        while self.eat(',') {
            values.push(self.sum()?);
        }
        self.depth -= 1;
        if !self.eat(')') {
            return Err("a ) is missing".to_owned());
        }
        match (name, values.as_slice()) {
            ("abs", [x]) if x.n < 0 => x.negated(),
            ("abs", [x]) => Ok(*x),
            ("round", [x]) => x.rounded(Fraction::whole(0)),
            ("round", [x, places]) => x.rounded(*places),
            ("min" | "max", [first, more @ ..]) => {
                let mut found = *first;
                for value in more {
                    if value.less(found)? == (name == "min") && *value != found {
                        found = *value;
                    }
                }
                Ok(found)
            }
            _ => Err(format!("{name} with {} values is not known; there are abs, min, max and round", values.len())),
        }
    }

    fn deeper(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEPTH { Err("its parentheses lie too deep".to_owned()) } else { Ok(()) }
    }
}

fn number(digits: &str) -> Result<Fraction, String> {
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if part.contains('.') || whole.is_empty() && part.is_empty() {
        return Err(format!("{digits:?} is no number"));
    }
    let part = part.trim_end_matches('0');
    let n = format!("0{whole}{part}").parse().map_err(|_| LARGE)?;
    let places = u32::try_from(part.len()).map_err(|_| LARGE)?;
    Fraction::new(n, 10_i128.checked_pow(places).ok_or(LARGE)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str) -> String {
        evaluate(text).map_or_else(|reason| format!("! {reason}"), Fraction::written)
    }

    #[test]
    fn decimals_are_exact() {
        for (text, expected) in [
            ("0.1 + 0.2", "0.3"),
            ("1 - 0.9 - 0.1", "0"),
            ("19.99 * 3", "59.97"),
            ("1/8", "0.125"),
            ("1/3", "≈ 0.33333333333333333333 (1/3)"),
            ("1/3*3", "1"),
            ("-2^2", "-4"),
            ("2^3^2", "512"),
            ("2^-2", "0.25"),
            ("(1 + 2) × (3 − 4) ÷ 8", "-0.375"),
            ("round(2.345, 2)", "2.35"),
            ("round(-2.5)", "-3"),
            ("min(3, 1, 2) + max(3, 1, 2)", "4"),
            ("7 % 3", "1"),
            ("-7 % 3", "2"),
            ("abs(-1.50)", "1.5"),
            ("12345678901234567890 * 98765432109876543", "1219326311370217949644871231852004270"),
            ("1/0", "! it divides by zero"),
            ("10^60", "! a value on the way has more than 38 digits"),
            ("1..2", "! \"1..2\" is no number"),
            ("2 +", "! it ends too early"),
            ("(1", "! a ) is missing"),
            ("1 2", "! there is no operator between \"1\" and \"2\""),
            ("pi", "! \"pi\" is no number"),
            ("sin(1)", "! sin with 1 values is not known; there are abs, min, max and round"),
            ("2**3", "! a power is written ^"),
            ("1e5", "! 'e' is not expected after 1 characters"),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
        let deep = format!("{}1{}", "(".repeat(500), ")".repeat(500));
        assert_eq!(told(&deep), "! its parentheses lie too deep");
    }

    proptest! {
        #[test]
        fn sums_and_products_of_cents_are_those_of_whole_numbers(a in -1_000_000_i64..1_000_000, b in -1_000_000_i64..1_000_000) {
            let cents = |n: i64| format!("({}{}.{:02})", if n < 0 { "-" } else { "" }, n.abs() / 100, n.abs() % 100);
            let sum = evaluate(&format!("({} + {}) * 100", cents(a), cents(b))).unwrap();
            prop_assert_eq!(sum, Fraction::whole(i128::from(a) + i128::from(b)));
            let product = evaluate(&format!("{} * {} * 10000", cents(a), cents(b))).unwrap();
            prop_assert_eq!(product, Fraction::whole(i128::from(a) * i128::from(b)));
        }

        #[test]
        fn nothing_that_is_written_ends_it(text in "[0-9+*/%^().,a-z -]{0,60}") {
            let _ = evaluate(&text);
        }
    }
}
