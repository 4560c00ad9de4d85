//! The fields of an invoice's head and foot, found on the form.

use std::sync::LazyLock;

use jiff::civil::Date;
use regex::Regex;

use super::capitals;
use super::figure::{Fen, Figure};
use super::sheet::{Label, Word, below, beside, labelled};

/// A value and where it was read.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found<T> {
    pub(super) value: T,
    /// As it is written.
    pub(super) source: String,
    /// From 1; 0 where the file has none.
    pub(super) page: u32,
    /// Left, top, right, bottom in points; `None` where the file does not tell.
    pub(super) area: Option<[f32; 4]>,
}

impl<T> Found<T> {
    fn at(value: T, words: &[&Word]) -> Found<T> {
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let placed = words.first().is_some_and(|word| word.placed);
        let area = words.iter().fold([f32::MAX, f32::MAX, 0.0, 0.0], |[x0, top, x1, base]: [f32; 4], word| {
            [x0.min(word.x0), top.min(word.top), x1.max(word.x1), base.max(word.base)]
        });
        Found {
            value,
            source: texts.join(" "),
            page: words.first().map_or(0, |word| word.page),
            area: placed.then_some(area),
        }
    }
}

/// A side of the invoice.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Party {
    pub(super) name: Option<Found<String>>,
    pub(super) tax_id: Option<Found<String>>,
}

/// What is written above and below the lines.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Head {
    pub(super) kind: Option<Found<String>>,
    pub(super) code: Option<Found<String>>,
    pub(super) number: Option<Found<String>>,
    pub(super) date: Option<Found<Date>>,
    pub(super) buyer: Party,
    pub(super) seller: Party,
    /// In fen.
    pub(super) total: Option<Found<Fen>>,
    /// In fen; the inner one is `None` where the capitals say nothing that is a sum.
    pub(super) capitals: Option<Found<Option<Fen>>>,
    pub(super) drawer: Option<Found<String>>,
    /// Whether it says that it takes another back (红字).
    pub(super) is_red: bool,
    /// The number of the invoice that it takes back.
    pub(super) original: Option<Found<String>>,
}

static KIND: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"电子发票\s*\([^)]*发票\)|(?:[\p{Han}]{0,6})增值税(?:电子)?(?:专用|普通)发票|机动车销售统一发票|通行费")
        .ok()
});
static DATE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(\d{4})\s*[年\-/.]\s*(\d{1,2})\s*[月\-/.]\s*(\d{1,2})").ok());
static CODE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?:^|\D)(\d{12}|\d{10})(?:\D|$)").ok());
static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?:^|\D)(\d{20}|\d{8})(?:\D|$)").ok());
static PRINTED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?:№|N[oº°]\.?)\s*(\d{8})(?:\D|$)").ok());
static TAX_ID: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?:^|[^0-9A-Za-z])([0-9A-Za-z]{15}|[0-9A-Za-z]{17,20})(?:[^0-9A-Za-z]|$)").ok());
static ORIGINAL: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:正数|蓝字)发票代码:?\s*(\d{10,12})\D{0,8}号码:?\s*(\d{8})|被红冲(?:蓝字)?(?:数电)?(?:票|发票)号码:?\s*(\d{20}|\d{8})").ok()
});

/// The first group that took part.
fn first(pattern: &LazyLock<Option<Regex>>, text: &str) -> Option<String> {
    let found = pattern.as_ref()?.captures(text)?;
    found.iter().skip(1).flatten().next().map(|group| group.as_str().to_owned())
}

pub(super) fn read(words: &[Word]) -> Head {
    let (buyer, seller) = parties(words);
    let all: String = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
    Head {
        kind: kind(words),
        code: code(words),
        number: number(words),
        date: date(words),
        buyer,
        seller,
        total: total(words),
        capitals: sum_in_capitals(words),
        drawer: text_of(words, Label::Drawer),
        is_red: all.contains("红字") || all.contains("销项负数") || all.contains("被红冲"),
        original: original(words),
    }
}

/// Whether a page begins an invoice: it has a number or a kind of its own.
pub(super) fn begins(words: &[Word]) -> bool {
    kind(words).is_some() && (number(words).is_some() || code(words).is_some())
}

fn kind(words: &[Word]) -> Option<Found<String>> {
    let pattern = KIND.as_ref()?;
    words.iter().find_map(|word| {
        let found = pattern.find(&word.text)?;
        Some(Found::at(found.as_str().replace(' ', ""), &[word]))
    })
}

/// What a pattern finds at a label: right of it, else below it.
fn at_label(words: &[Word], label: Label, pattern: &LazyLock<Option<Regex>>) -> Option<Found<String>> {
    labelled(words, label).find_map(|label| {
        let line = beside(words, label);
        let joined: String = line.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let value = first(pattern, &joined).or_else(|| first(pattern, &joined.replace(' ', "")));
        match value {
            Some(value) => Some(Found::at(value, &line)),
            None => {
                let under = below(words, label).filter(|_| line.is_empty())?;
                Some(Found::at(first(pattern, &under.text)?, &[under]))
            }
        }
    })
}

fn code(words: &[Word]) -> Option<Found<String>> {
    at_label(words, Label::Code, &CODE)
}

fn number(words: &[Word]) -> Option<Found<String>> {
    at_label(words, Label::Number, &NUMBER)
        .or_else(|| words.iter().find_map(|word| Some(Found::at(first(&PRINTED, &word.text)?, &[word]))))
}

fn date(words: &[Word]) -> Option<Found<Date>> {
    let pattern = DATE.as_ref()?;
    let read = |text: &str| {
        let found = pattern.captures(text)?;
        let part = |at: usize| found.get(at)?.as_str().parse::<i16>().ok();
        let (year, month, day) = (part(1)?, i8::try_from(part(2)?).ok()?, i8::try_from(part(3)?).ok()?);
        Date::new(year, month, day).ok()
    };
    labelled(words, Label::Date).find_map(|label| {
        let line = beside(words, label);
        let joined: String = line.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        match read(&joined) {
            Some(date) => Some(Found::at(date, &line)),
            None => {
                let under = below(words, label)?;
                Some(Found::at(read(&under.text)?, &[under]))
            }
        }
    })
}

fn text_of(words: &[Word], label: Label) -> Option<Found<String>> {
    labelled(words, label).find_map(|label| {
        let word = *beside(words, label).first()?;
        Some(Found::at(word.text.clone(), &[word]))
    })
}

/// Who buys and who sells. Labels that say it are believed; of others, the left one of two beside each other or the upper one of two
/// below each other is the buyer's, as all of these forms have it.
fn parties(words: &[Word]) -> (Party, Party) {
    let sided = |own: Label| labelled(words, own).next();
    let mut names: Vec<&Word> = labelled(words, Label::Name).collect();
    let (buyer, seller) = match (sided(Label::BuyerName), sided(Label::SellerName)) {
        (Some(buyer), Some(seller)) => (Some(buyer), Some(seller)),
        _ => {
            names.truncate(2);
            names.sort_by(|a, b| match a.is_beside(b) {
                true => a.x0.total_cmp(&b.x0),
                false => a.page.cmp(&b.page).then(a.base.total_cmp(&b.base)),
            });
            (names.first().copied(), names.get(1).copied())
        }
    };
    let mut taken = Vec::new();
    let mut party = |label: Option<&Word>, other: Option<&Word>| {
        let Some(label) = label else { return Party::default() };
        let tax_label =
            tax_label(words, label, other).filter(|found| !taken.contains(&(found.x0.to_bits(), found.base.to_bits())));
        taken.extend(tax_label.map(|found| (found.x0.to_bits(), found.base.to_bits())));
        let right = right_edge(label, other);
        let tax_id = tax_label.and_then(|tax| {
            let line: Vec<&Word> = beside(words, tax).into_iter().filter(|word| word.x0 < right).collect();
            let texts: Vec<&str> = line.iter().map(|word| word.text.as_str()).collect();
            // A number may be printed in groups.
            let value = first(&TAX_ID, &texts.join(" ")).or_else(|| first(&TAX_ID, &texts.concat()))?;
            Some(Found::at(value.to_ascii_uppercase(), &line))
        });
        Party { name: name(words, label, tax_label, right), tax_id }
    };
    let first = party(buyer, seller);
    let second = party(seller, buyer);
    (first, second)
}

/// Where the region of a side ends: where the other begins, if that is beside it.
fn right_edge(label: &Word, other: Option<&Word>) -> f32 {
    match other {
        Some(other) if other.is_beside(label) && other.x0 > label.x0 => other.x0 - 1.0,
        _ => f32::MAX,
    }
}

/// The nearest label of a tax number below a name, or before it, on the same side.
fn tax_label<'w>(words: &'w [Word], name: &Word, other: Option<&Word>) -> Option<&'w Word> {
    let (left, right) = match other {
        Some(other) if other.is_beside(name) && other.x0 < name.x0 => (other.x1, f32::MAX),
        other => (0.0, right_edge(name, other)),
    };
    let near = |word: &&Word| word.page == name.page && word.x0 >= left && word.x0 < right;
    let distance = |word: &&Word| {
        let below = word.base - name.base;
        // Above a name is another side's, unless nothing is below.
        if below >= -1.0 { below } else { 1000.0 - below }
    };
    labelled(words, Label::TaxId).filter(near).min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// A name on its line, and as many lines more as it is wrapped over before the tax number.
fn name(words: &[Word], label: &Word, tax: Option<&Word>, right: f32) -> Option<Found<String>> {
    let mut parts: Vec<&Word> =
        beside(words, label).into_iter().filter(|word| word.x0 < right && is_name(&word.text)).collect();
    // A cell whose label stands in the middle of two lines.
    let above = |word: &&Word| {
        let gap = label.base - word.base;
        gap > 0.6 * label.height() && gap < 1.3 * label.height()
    };
    let end = tax
        .filter(|tax| tax.base > label.base && tax.page == label.page)
        .map_or(label.base + 2.2 * label.height(), |tax| tax.base - 0.6 * tax.height());
    let left = parts.first().map_or(label.x1, |first| first.x0) - 6.0;
    let rest = |word: &&Word| {
        let lower = word.base > label.base + 0.6 * label.height() && word.base < end;
        word.page == label.page
            && word.label.is_none()
            && word.x0 >= left.min(label.x1 - 4.0)
            && word.x0 < right
            && word.x1 <= right + 4.0
            && (lower || parts.is_empty() && above(word))
            && is_name(&word.text)
            && !words.iter().any(|other| {
                other.label.is_some() && other.is_beside(word) && other.x0 < word.x0 && other.x0 >= label.x0 - 4.0
            })
    };
    let more: Vec<&Word> = words.iter().filter(rest).collect();
    parts.extend(more);
    parts.sort_by(|a, b| a.base.total_cmp(&b.base).then(a.x0.total_cmp(&b.x0)));
    if parts.is_empty() {
        return None;
    }
    let mut text = String::new();
    for part in &parts {
        let wide = |c: Option<char>| c.is_none_or(|c| !c.is_ascii());
        if !wide(text.chars().next_back()) && !wide(part.text.chars().next()) {
            text.push(' ');
        }
        text.push_str(&part.text);
    }
    Some(Found::at(text, &parts))
}

/// The cipher beside the buyer of older invoices is no name.
fn is_name(text: &str) -> bool {
    text.chars().any(char::is_alphabetic) && !text.contains(['<', '>', '*', '+'])
}

fn total(words: &[Word]) -> Option<Found<Fen>> {
    let figure = |label: &Word| {
        let line = beside(words, label);
        line.iter().find_map(|word| Some(Found::at(Figure::read(&word.text)?.fen(), &[*word])))
    };
    let after = |label: &Word| {
        // Where the digits have no label of their own, they stand behind the capitals.
        let line = beside(words, label);
        line.iter().rev().find_map(|word| {
            let text = word.text.rsplit(['¥', ' ']).next().unwrap_or_default();
            let negative = word.text.contains("-¥");
            let fen = Figure::read(text)?.fen();
            Some(Found::at(if negative && fen > 0 { -fen } else { fen }, &[*word]))
        })
    };
    labelled(words, Label::Digits)
        .find_map(figure)
        .or_else(|| labelled(words, Label::Total).find_map(after))
        .or_else(|| labelled(words, Label::Capitals).find_map(after))
}

fn sum_in_capitals(words: &[Word]) -> Option<Found<Option<Fen>>> {
    labelled(words, Label::Capitals).chain(labelled(words, Label::Total)).find_map(|label| {
        let line = beside(words, label);
        let is_sum = |word: &&&Word| word.text.chars().filter(|c| capitals::is_part(*c)).count() >= 2;
        let word = *line.iter().find(is_sum)?;
        // Digits may follow in the same word.
        let text = word.text.split(['¥', '(']).find(|part| part.chars().any(capitals::is_part)).unwrap_or(&word.text);
        let negative = word.text.contains("负数");
        let value = capitals::read(text).map(|fen| if negative && fen > 0 { -fen } else { fen });
        Some(Found::at(value, &[word]))
    })
}

fn original(words: &[Word]) -> Option<Found<String>> {
    let pattern = ORIGINAL.as_ref()?;
    // Its label is a word and its number the next.
    let mut lines: Vec<Vec<&Word>> = Vec::new();
    for word in words {
        match lines.last_mut() {
            Some(line) if line.last().is_some_and(|last| last.is_beside(word)) => line.push(word),
            _ => lines.push(vec![word]),
        }
    }
    lines.iter().find_map(|line| {
        let joined: String = line.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let found = pattern.captures(&joined)?;
        let parts: Vec<&str> = found.iter().skip(1).flatten().map(|group| group.as_str()).collect();
        Some(Found::at(parts.join(" "), line))
    })
}
