//! What a contract turns on: sums, shares, dates, terms and parties, as they are written, and as one value however they are written:
//! `壹万元整`, `10,000.00元` and `1万元` are the same.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::Date;
use regex::{Captures, Regex};

use super::clauses::Unit;
use crate::builtin::invoice::capitals;

/// What kind of fact it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Amount,
    Share,
    Date,
    Term,
    Party,
}

/// A fact of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub(super) kind: Kind,
    /// As it is written.
    pub(super) text: String,
    /// The same for the same.
    pub(super) value: String,
}

/// A fact that is no longer the same; one side is empty where it came or went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) kind: Kind,
    pub(super) before: String,
    pub(super) after: String,
}

const DIGITS: &str = "零〇一二三四五六七八九十百千万亿两壹贰叁肆伍陆柒捌玖拾佰仟";

static FACT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(&format!(
        r"(?x)
          (?P<share>\d+(?:\.\d+)?\s*(?:%|％|‰|percent\b)|[百千万]分之[{DIGITS}点\d.]+)
        | (?P<date>\d{{4}}\s*年\s*\d{{1,2}}\s*月\s*\d{{1,2}}\s*日|[零〇一二三四五六七八九]{{4}}年[一二三四五六七八九十]{{1,2}}月[一二三四五六七八九十]{{1,3}}日
            |\b\d{{4}}-\d{{1,2}}-\d{{1,2}}\b
            |\b\d{{1,2}}(?:st|nd|rd|th)?\s+(?:{MONTHS})\s+\d{{4}}\b|\b(?:{MONTHS})\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+\d{{4}}\b)
        | (?P<term>(?:\d+|[{DIGITS}]+)\s*(?:\(\d+\)\s*|（\d+）\s*)?(?:个工作日|工作日|个自然日|个日历日|日历天|个月|个季度|日|天|年|周)
            |\b(?:\d+|[a-z]+\s*\(\d+\))\s+(?:business\s+|working\s+|calendar\s+)?(?:days?|months?|years?|weeks?)\b)
        | (?P<amount>(?:人民币|RMB|CNY|USD|EUR|GBP|HKD|US\$|HK\$|[¥￥$€£])\s*\d[\d,，]*(?:\.\d+)?\s*(?:万元|亿元|元|万|亿|\bmillion\b|\bthousand\b)?
            |\d[\d,，]*(?:\.\d+)?\s*(?:万元|亿元|万美元|美元|欧元|港元|元|yuan\b|dollars\b|euros\b)
            |(?:人民币)?[{DIGITS}]+[元圆](?:[零壹贰叁肆伍陆柒捌玖一二三四五六七八九]角)?(?:[零壹贰叁肆伍陆柒捌玖一二三四五六七八九]分)?[整正]?)
        ",
        MONTHS = MONTHS.join("|"),
    ))
    .ok()
});

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

static PARTY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^\s*(甲方|乙方|丙方|丁方|买方|卖方|出租方|承租方|出租人|承租人|委托方|受托方|委托人|受托人|发包人|承包人|发包方|承包方|贷款人|借款人|保证人
            |供方|需方|转让方|受让方|采购方|采购人|供应商|用人单位|劳动者
            |(?i:party\s+[a-d]|buyer|seller|lessor|lessee|landlord|tenant|licensor|licensee|client|contractor|supplier|customer|borrower|lender|guarantor|employer|employee))
          \s*(?:[（(][^）)]{0,20}[）)])?\s*[:：]\s*(\S.{0,120})$",
    )
    .ok()
});

/// `Example Ltd, a company …, (the "Seller")`
static DEFINED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"([A-Z][\w&.' -]{1,80}?)(?:,[^()"“]{0,160})?\s*\(\s*(?:the\s+|hereinafter[^"“]{0,40})?["“]([A-Z][A-Za-z ]{1,30})["”]\s*\)"#).ok()
});

/// The facts of a text in their order.
pub(super) fn of(text: &str) -> Vec<Fact> {
    let found = FACT.iter().flat_map(|fact| fact.captures_iter(text));
    found.filter_map(|groups| fact(&groups)).collect()
}

fn fact(groups: &Captures<'_>) -> Option<Fact> {
    let kinds = [("share", Kind::Share), ("date", Kind::Date), ("term", Kind::Term), ("amount", Kind::Amount)];
    let (kind, text) = kinds.into_iter().find_map(|(name, kind)| Some((kind, groups.name(name)?.as_str())))?;
    let plain: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, ',' | '，')).collect();
    let value = match kind {
        Kind::Share => share(&plain),
        Kind::Date => date(text),
        Kind::Term => term(text),
        _ => amount(&plain),
    };
    Some(Fact { kind, text: text.trim().to_owned(), value: value.unwrap_or(plain) })
}

/// A whole number in Chinese or Arabic digits.
fn whole(text: &str) -> Option<i128> {
    text.parse().ok().or_else(|| capitals::read(&format!("{text}元")).map(|fen| fen / 100))
}

fn share(plain: &str) -> Option<String> {
    let of = |figure: &str, base: f64| figure.parse::<f64>().ok().map(|part| format!("{:.6}", part / base));
    for (mark, base) in [("%", 100.0), ("％", 100.0), ("‰", 1000.0), ("percent", 100.0)] {
        if let Some(figure) = plain.strip_suffix(mark) {
            return of(figure, base);
        }
    }
    let (base, figure) = plain.split_once("分之")?;
    let base = match base {
        "百" => 100.0,
        "千" => 1_000.0,
        _ => 10_000.0,
    };
    let figure = match figure.split_once('点') {
        Some((before, after)) => format!("{}.{}", whole(before)?, digits(after)?),
        None => whole(figure).map_or_else(|| figure.to_owned(), |part| part.to_string()),
    };
    of(&figure, base)
}

/// Digit by digit, as years are written.
fn digits(text: &str) -> Option<String> {
    let digit = |c: char| match c {
        '〇' | '零' => Some('0'),
        c if c.is_ascii_digit() => Some(c),
        c => whole(&c.to_string()).and_then(|value| char::from_digit(u32::try_from(value).ok()?, 10)),
    };
    text.chars().map(digit).collect()
}

fn date(text: &str) -> Option<String> {
    let parts: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || matches!(c, '年' | '月' | '日' | '-' | ','))
        .filter(|part| !part.is_empty())
        .collect();
    let [first, second, third] = parts.as_slice() else { return None };
    let month = |text: &str| {
        MONTHS.iter().position(|month| month.eq_ignore_ascii_case(text)).and_then(|at| i8::try_from(at + 1).ok())
    };
    let day = |text: &str| text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse::<i8>().ok();
    let (year, month, day) = match (month(first), month(second)) {
        (Some(month), _) => (third.parse().ok()?, month, day(second)?),
        (_, Some(month)) => (third.parse().ok()?, month, day(first)?),
        _ => (digits(first)?.parse().ok()?, i8::try_from(whole(second)?).ok()?, i8::try_from(whole(third)?).ok()?),
    };
    Date::new(year, month, day).ok().map(|date| date.to_string())
}

fn term(text: &str) -> Option<String> {
    let text = text.replace('（', "(").replace('）', ")");
    // Of `thirty (30) days` the figure counts.
    let figure = match text.split_once('(').and_then(|(_, rest)| rest.split_once(')')) {
        Some((inside, _)) => inside.trim().parse().ok(),
        None => {
            let end = text.find(|c: char| !(c.is_ascii_digit() || DIGITS.contains(c)))?;
            whole(&text[..end])
        }
    }?;
    let lower = text.to_lowercase();
    let working = ["工作日", "business", "working"].iter().any(|word| lower.contains(word));
    let units = [
        ("月", "month"),
        ("季度", "quarter"),
        ("year", "year"),
        ("年", "year"),
        ("month", "month"),
        ("week", "week"),
        ("周", "week"),
    ];
    let unit = units.iter().find(|(word, _)| lower.contains(word)).map_or("day", |(_, unit)| unit);
    Some(format!("{figure} {}{unit}", if working { "working " } else { "" }))
}

fn amount(plain: &str) -> Option<String> {
    let currencies = [
        ("USD", &["USD", "US$", "$", "美元", "dollars"][..]),
        ("EUR", &["EUR", "€", "欧元", "euros"]),
        ("GBP", &["GBP", "£"]),
        ("HKD", &["HKD", "HK$", "港元"]),
    ];
    let hongkong = plain.contains("HK$") || plain.contains("HKD") || plain.contains("港元");
    let currency = match hongkong {
        true => "HKD",
        false => currencies
            .iter()
            .find(|(_, words)| words.iter().any(|word| plain.contains(word)))
            .map_or("CNY", |(code, _)| code),
    };
    let figure: String = plain.chars().filter(|c| c.is_ascii_digit() || *c == '.').collect();
    let fen = if figure.is_empty() {
        capitals::read(plain)?
    } else {
        let times: i128 = match () {
            () if plain.contains('亿') => 100_000_000,
            () if plain.contains('万') => 10_000,
            () if plain.contains("million") => 1_000_000,
            () if plain.contains("thousand") => 1_000,
            () => 1,
        };
        let (before, after) = figure.split_once('.').unwrap_or((&figure, ""));
        let scale = u32::try_from(after.len()).ok().filter(|places| *places <= 8)?;
        let units: i128 = format!("{before}{after}").parse().ok()?;
        units.checked_mul(times)?.checked_mul(100)? / 10_i128.pow(scale)
    };
    Some(format!("{currency} {fen}"))
}

/// What changed between two texts: of each kind, what is gone beside what came, in order.
pub(super) fn changes(before: &str, after: &str) -> Vec<Change> {
    let (old, mut new) = (of(before), of(after));
    let mut gone: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for fact in old {
        match new.iter().position(|other| other.kind == fact.kind && other.value == fact.value) {
            Some(at) => _ = new.remove(at),
            None => gone.entry(fact.kind).or_default().push(fact.text),
        }
    }
    let mut came: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
    for fact in new {
        came.entry(fact.kind).or_default().push(fact.text);
    }
    let mut all = Vec::new();
    for kind in [Kind::Amount, Kind::Share, Kind::Date, Kind::Term] {
        all.extend(beside(kind, gone.remove(&kind).unwrap_or_default(), came.remove(&kind).unwrap_or_default()));
    }
    all
}

fn beside(kind: Kind, gone: Vec<String>, came: Vec<String>) -> Vec<Change> {
    let long = gone.len().max(came.len());
    let at = |texts: &[String], at: usize| texts.get(at).cloned().unwrap_or_default();
    (0..long).map(|row| Change { kind, before: at(&gone, row), after: at(&came, row) }).collect()
}

/// The parties by their part, as the first line says that names one.
fn parties(units: &[Unit]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for unit in units {
        for cell in unit.text.split(" | ") {
            if let Some(found) = PARTY.as_ref().and_then(|party| party.captures(cell)) {
                all.entry(found[1].to_owned())
                    .or_insert_with(|| found[2].trim().trim_end_matches(['，', ',', '。', ';', '；']).to_owned());
            }
        }
        for found in DEFINED.iter().flat_map(|defined| defined.captures_iter(&unit.text)) {
            let name = found[1].trim();
            let name = ["between ", "and ", "Between ", "And "]
                .iter()
                .find_map(|word| name.rsplit_once(word).map(|(_, name)| name))
                .unwrap_or(name);
            all.entry(found[2].to_owned()).or_insert_with(|| name.trim().to_owned());
        }
    }
    all
}

/// Whose names are others now, and who came or went; each with the part it plays.
pub(super) fn party_changes(old: &[Unit], new: &[Unit]) -> Vec<(String, Change)> {
    let (before, after) = (parties(old), parties(new));
    let mut parts: Vec<&String> = before.keys().chain(after.keys()).collect();
    parts.sort_unstable();
    parts.dedup();
    let change = |part: &String| {
        let name = |side: &BTreeMap<String, String>| side.get(part).cloned().unwrap_or_default();
        (part.clone(), Change { kind: Kind::Party, before: name(&before), after: name(&after) })
    };
    parts.into_iter().map(change).filter(|(_, change)| change.before != change.after).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_fact_has_one_value_however_it_is_written() {
        for (texts, value) in [
            (&["壹万元整", "10,000.00元", "1万元", "人民币10000元", "¥10,000", "RMB 10,000"][..], "CNY 1000000"),
            (&["USD 1.5 million", "US$1,500,000", "1500000美元"], "USD 150000000"),
            (&["5%", "百分之五", "5 percent", "5.0%"], "0.050000"),
            (&["万分之五", "0.5‰"], "0.000500"),
            (&["2024年5月1日", "二〇二四年五月一日", "2024-05-01", "1 May 2024", "May 1st, 2024"], "2024-05-01"),
            (&["三十日", "30日", "30天", "thirty (30) days", "30 days"], "30 day"),
            (&["十五个工作日", "15 business days", "15个工作日"], "15 working day"),
            (&["两年", "2年", "2 years"], "2 year"),
        ] {
            for text in texts {
                let found = of(&format!("共 {text} 。"));
                assert_eq!(
                    found.iter().map(|fact| fact.value.as_str()).collect::<Vec<_>>(),
                    [value],
                    "{text}: {found:?}"
                );
            }
        }
        assert_eq!(of("第三条 甲方 3 台设备"), []);
    }

    #[test]
    fn changes_stand_beside_each_other() {
        let told = changes(
            "总价10,000元，三十日内支付30%，余款于2024年5月1日付清。",
            "总价壹万贰仟元整，30天内支付百分之四十，余款于2024年5月1日付清，逾期每日万分之五。",
        );
        let lines: Vec<String> =
            told.iter().map(|change| format!("{:?} {}→{}", change.kind, change.before, change.after)).collect();
        assert_eq!(lines, ["Amount 10,000元→壹万贰仟元整", "Share 30%→百分之四十", "Share →万分之五"]);
    }

    #[test]
    fn parties_are_found_in_both_languages() {
        let units = |texts: &[&str]| -> Vec<Unit> {
            texts.iter().map(|text| Unit { text: (*text).to_owned(), ..Unit::default() }).collect()
        };
        let old = units(&["甲方（采购人）：北京示例科技有限公司", "乙方：上海样本设备有限公司"]);
        let new = units(&["甲方（采购人）：北京示例科技有限公司", "乙方：上海样本设备股份有限公司", "丙方：担保公司"]);
        let told: Vec<String> = party_changes(&old, &new)
            .into_iter()
            .map(|(part, change)| format!("{part}: {}→{}", change.before, change.after))
            .collect();
        assert_eq!(told, ["丙方: →担保公司", "乙方: 上海样本设备有限公司→上海样本设备股份有限公司"]);
        let old = units(&[
            "This Agreement is made between Example Ltd, a company of England (the \"Seller\") and Sample Inc. (\"Buyer\").",
        ]);
        let new = units(&[
            "This Agreement is made between Example plc, a company of England (the \"Seller\") and Sample Inc. (\"Buyer\").",
        ]);
        let told: Vec<String> = party_changes(&old, &new)
            .into_iter()
            .map(|(part, change)| format!("{part}: {}→{}", change.before, change.after))
            .collect();
        assert_eq!(told, ["Seller: Example Ltd→Example plc"]);
    }
}
