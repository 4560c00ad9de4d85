//! Decimal figures as an invoice writes them, exactly: a whole number and how many of its digits stand behind the point.

use std::fmt;

/// Digits of the longest figure that is read, both sides of the point together.
const DIGITS: usize = 24;

/// A decimal figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Figure {
    units: i128,
    scale: u32,
}

/// An amount of money, in fen: hundredths of a yuan.
pub(super) type Fen = i128;

impl Figure {
    /// Reads `-1,234.50`, `¥100`, `￥-3.5`, `(12.00)`; nothing else beside the figure.
    pub(super) fn read(text: &str) -> Option<Figure> {
        let plain: String =
            text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '¥' | '￥' | ',' | '，')).collect();
        let (plain, bracketed) = match plain.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
            Some(inside) => (inside.to_owned(), true),
            None => (plain, false),
        };
        let (digits, negative) = match plain.strip_prefix(['-', '−', '－']) {
            Some(rest) => (rest.to_owned(), true),
            None => (plain, bracketed),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((&digits, ""));
        let sound = !whole.is_empty()
            && digits.len() <= DIGITS
            && (whole.chars().chain(part.chars())).all(|c| c.is_ascii_digit());
        if !sound || digits.ends_with('.') {
            return None;
        }
        let units: i128 = format!("{whole}{part}").parse().ok()?;
        let scale = u32::try_from(part.len()).ok()?;
        Some(Figure { units: if negative { -units } else { units }, scale })
    }

    pub(super) fn of_fen(fen: Fen) -> Figure {
        Figure { units: fen, scale: 2 }
    }

    /// How many digits stand behind its point.
    pub(super) fn places(self) -> u32 {
        self.scale
    }

    pub(super) fn times(self, other: Figure) -> Figure {
        Figure { units: self.units.saturating_mul(other.units), scale: self.scale + other.scale }
    }

    /// In fen, rounded half away from zero.
    pub(super) fn fen(self) -> Fen {
        if self.scale <= 2 {
            return self.units.saturating_mul(10_i128.pow(2 - self.scale));
        }
        let by = 10_i128.checked_pow(self.scale - 2).unwrap_or(i128::MAX);
        let half = if self.units < 0 { -by / 2 } else { by / 2 };
        (self.units + half) / by
    }
}

/// Yuan with two places, the thousands apart.
pub(super) fn yuan(fen: Fen) -> String {
    let (sign, fen) = (if fen < 0 { "-" } else { "" }, fen.unsigned_abs());
    let whole = (fen / 100).to_string();
    let mut parted = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            parted.push(',');
        }
        parted.push(digit);
    }
    format!("{sign}{parted}.{:02}", fen % 100)
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:0width$}", self.units.unsigned_abs(), width = self.scale as usize + 1);
        let (whole, part) = digits.split_at(digits.len() - self.scale as usize);
        let sign = if self.units < 0 { "-" } else { "" };
        let point = if part.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{part}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_as_they_are_written() {
        let told = |text: &str| Figure::read(text).map(|figure| (figure.to_string(), figure.fen()));
        let is =
            |text: &str, written: &str, fen: Fen| assert_eq!(told(text), Some((written.to_owned(), fen)), "{text}");
        is("¥1,234.50", "1234.50", 123_450);
        is("￥-0.5", "-0.5", -50);
        is("-¥ 12", "-12", -1200);
        is("(7.00)", "-7.00", -700);
        is("0.005", "0.005", 1);
        is("-0.005", "-0.005", -1);
        is("33.333333", "33.333333", 3333);
        for text in ["", "¥", "12.", ".5", "1.2.3", "13%", "***", "12a", "9999999999999999999999999"] {
            assert_eq!(told(text), None, "{text}");
        }
        let product = Figure::read("3").unwrap().times(Figure::read("33.3333333").unwrap());
        assert_eq!((product.to_string().as_str(), product.fen()), ("99.9999999", 10_000));
        assert_eq!(yuan(-123_456_789), "-1,234,567.89");
        assert_eq!(yuan(5), "0.05");
    }
}
