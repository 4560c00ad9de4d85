//! A contract as a row of units: a heading, a numbered clause, a paragraph below one, a line of a table. What carries no number of
//! its own is named after the clause it stands in.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::Regex;

use crate::builtin::reading::Piece;

/// The longest number or heading that a unit is named by, in characters.
const NAMED: usize = 24;
/// A line at the top or foot of pages is on so many of them.
const PAGES: usize = 3;

/// A unit of a contract.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Unit {
    /// What a person calls it: `第三条`, `2.1`, `Article 4`, `第三条 ¶2`.
    pub(super) name: String,
    /// Its number as it is written; empty where it has none.
    pub(super) number: String,
    /// All of its text, the number included.
    pub(super) text: String,
    pub(super) page: Option<u32>,
    pub(super) is_heading: bool,
}

impl Unit {
    /// Its text without the number.
    pub(super) fn body(&self) -> &str {
        self.text
            .strip_prefix(self.number.as_str())
            .unwrap_or(&self.text)
            .trim_start_matches([' ', '\u{3000}', '、', '.', '．', ':', '：'])
    }
}

static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^(?:
            第[零〇一二三四五六七八九十百千两\d]+(?:章|节|条|款|编|部分)
          | [（(][一二三四五六七八九十百\d]{1,4}[)）]
          | [一二三四五六七八九十百]{1,4}[、．.]
          | \d{1,3}(?:\.\d{1,3}){1,5}[.、．]?
          | \d{1,3}[.、．)）]
          | (?i:article|section|clause|schedule|annex|appendix|exhibit)\s+(?:\d+(?:\.\d+)*|[IVXLC]+|[A-Z])\b[.:]?
          | 附件[一二三四五六七八九十\d]*
          | 附录[一二三四五六七八九十\d]*
          | §\s*\d+(?:\.\d+)*
          | \((?:[a-z]|[ivx]{1,5})\)
        )",
    )
    .ok()
});

/// The number that a text begins with; a figure that only looks like one (`3.5 万元`) is none.
fn number(text: &str) -> &str {
    let Some(found) = NUMBER.as_ref().and_then(|number| number.find(text)) else { return "" };
    let rest = &text[found.end()..];
    let figure = found.as_str().starts_with(|c: char| c.is_ascii_digit());
    let goes_on = rest.starts_with(|c: char| {
        c.is_ascii_digit() || matches!(c, '%' | '％' | '‰' | ',' | '，' | '元' | '万' | '亿' | '倍')
    });
    let unit = rest.trim_start().starts_with(['元', '万', '亿', '%', '％']);
    if figure && (goes_on || unit) { "" } else { found.as_str() }
}

/// The units of a contract, what is repeated at the edges of pages left out.
pub(super) fn units(pieces: &[Piece]) -> Vec<Unit> {
    let running = running(pieces);
    let mut units: Vec<Unit> = Vec::new();
    let (mut clause, mut below, mut tables) = (String::new(), 0, 0);
    for piece in pieces {
        if !piece.rows.is_empty() {
            tables += 1;
            for (at, row) in (1..).zip(&piece.rows) {
                let cells: Vec<&str> = row.iter().map(|cell| cell.trim()).collect();
                if cells.iter().any(|cell| !cell.is_empty()) {
                    let name = format!("▦{tables}.{at}");
                    units.push(Unit { name, text: cells.join(" | "), page: piece.page, ..Unit::default() });
                }
            }
            continue;
        }
        for line in piece.text.lines() {
            let text = line.trim();
            if text.is_empty() || running.contains_key(&shape(text)) {
                continue;
            }
            let number = number(text).to_owned();
            let name = if !number.is_empty() {
                number.trim_end_matches(['、', '.', '．', ':', ' ']).clone_into(&mut clause);
                below = 0;
                clause.clone()
            } else if piece.heading {
                clause = text.chars().take(NAMED).collect();
                below = 0;
                clause.clone()
            } else {
                below += 1;
                format!("{clause} ¶{below}").trim_start().to_owned()
            };
            units.push(Unit { name, number, text: text.to_owned(), page: piece.page, is_heading: piece.heading });
        }
    }
    units
}

/// Short lines that stand on many pages, their figures aside: heads, feet, and the pages' numbers.
fn running(pieces: &[Piece]) -> HashMap<String, usize> {
    let mut seen: HashMap<String, Vec<u32>> = HashMap::new();
    let mut last = 0;
    for piece in pieces {
        let Some(page) = piece.page.filter(|_| piece.rows.is_empty()) else { continue };
        last = last.max(page);
        let short = piece.text.chars().count() <= 40;
        // A clause is called by its number: many of them are alike but for that.
        if short && number(piece.text.trim()).is_empty() {
            let pages = seen.entry(shape(piece.text.trim())).or_default();
            if pages.last() != Some(&page) {
                pages.push(page);
            }
        }
    }
    let most = usize::try_from(last).unwrap_or(usize::MAX) / 2;
    let often = seen.into_iter().map(|(text, pages)| (text, pages.len()));
    often.filter(|(_, pages)| *pages >= PAGES && *pages > most).collect()
}

/// A line with every figure the same.
fn shape(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect::<String>().replace("00", "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_figures() {
        for (text, wanted) in [
            ("第一条　标的", "第一条"),
            ("第十二章 附则", "第十二章"),
            ("（一）交付", "（一）"),
            ("三、价款", "三、"),
            ("2.1 Payment", "2.1"),
            ("2.1.3.付款方式", "2.1.3."),
            ("4. Term", "4."),
            ("Article 12. Liability", "Article 12."),
            ("SECTION IV Notices", "SECTION IV"),
            ("附件一 价格表", "附件一"),
            ("(a) goods", "(a)"),
            ("3.5万元整", ""),
            ("12.5% of the price", ""),
            ("1,000 yuan", ""),
            ("十分重要", ""),
            ("Sections of this", ""),
            ("", ""),
        ] {
            assert_eq!(number(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_paragraph_is_named_after_its_clause_and_feet_of_pages_are_left_out() {
        let piece =
            |page, text: &str, heading| Piece { page: Some(page), text: text.into(), heading, ..Piece::default() };
        let mut pieces = vec![
            piece(1, "采购合同", true),
            piece(1, "甲方：某公司", false),
            piece(1, "第一条　标的", false),
            piece(1, "设备十二台。", false),
            Piece {
                rows: vec![vec!["名称".into(), "数量".into()], vec![String::new(), String::new()]],
                ..piece(2, "", false)
            },
        ];
        for page in 1..=4 {
            pieces.push(piece(page, &format!("第 {page} 页 共 4 页"), false));
        }
        let names: Vec<(String, String)> = units(&pieces).into_iter().map(|unit| (unit.name, unit.text)).collect();
        let told = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        assert_eq!(
            names,
            [
                told("采购合同", "采购合同"),
                told("采购合同 ¶1", "甲方：某公司"),
                told("第一条", "第一条　标的"),
                told("第一条 ¶1", "设备十二台。"),
                told("▦1.1", "名称 | 数量"),
            ]
        );
    }
}
