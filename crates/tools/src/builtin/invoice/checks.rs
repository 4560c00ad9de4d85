//! What can be checked about an invoice, each check with its figures. A check whose figures are missing is told as such, never as
//! passed.

use jiff::civil::Date;

use super::capitals;
use super::code::{self, Known};
use super::figure::{Fen, Figure, yuan};
use super::items::Rate;
use super::{Invoice, Language};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Fail,
    /// What it needs was not found.
    Missing,
}

/// A check and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) what: String,
    pub(super) verdict: Verdict,
    /// The figures.
    pub(super) detail: String,
}

/// By how much a product of rounded figures may miss: a fen.
const ROUNDING: Fen = 1;

pub(super) fn all(invoice: &Invoice, today: Date, language: Language) -> Vec<Check> {
    let mut checks = vec![number(invoice, language), date(invoice, today, language)];
    let sides = [
        (language.say("购买方", "buyer"), &invoice.head.buyer),
        (language.say("销售方", "seller"), &invoice.head.seller),
    ];
    for (side, party) in sides {
        let number = party.tax_id.as_ref().map(|found| found.value.as_str());
        checks.push(taxpayer(side, number, language));
    }
    for (at, item) in (1..).zip(&invoice.lines.items) {
        let line = match language {
            Language::Chinese => format!("第 {at} 行"),
            Language::English => format!("line {at}"),
        };
        if let (Some(quantity), Some(price), Some(amount)) = (item.quantity, item.price, item.amount) {
            checks.push(product(&line, quantity, price, amount, language));
        }
        checks.push(tax(&line, item.amount, item.rate, item.tax, language));
    }
    checks.extend(sums(invoice, language));
    checks.push(total(invoice, language));
    checks.push(in_capitals(invoice, language));
    checks.extend(red(invoice, language));
    checks
}

fn check(what: String, passes: bool, detail: String) -> Check {
    Check { what, verdict: if passes { Verdict::Pass } else { Verdict::Fail }, detail }
}

fn missing(what: String, detail: &str) -> Check {
    Check { what, verdict: Verdict::Missing, detail: detail.to_owned() }
}

fn number(invoice: &Invoice, language: Language) -> Check {
    let what = language.say("代码与号码的位数", "digits of code and number").to_owned();
    let (code, number) = (&invoice.head.code, &invoice.head.number);
    let Some(number) = number.as_ref().map(|found| found.value.as_str()) else {
        return missing(what, language.say("没有找到发票号码", "no invoice number was found"));
    };
    let code = code.as_ref().map(|found| found.value.as_str());
    if let (20, Some(date)) = (number.len(), &invoice.head.date) {
        // The number of a fully digital invoice begins with its year.
        let year = format!("{:02}", date.value.year().rem_euclid(100));
        let detail = match language {
            Language::Chinese => format!("20 位号码，前两位 {}，开票年份 {year}", &number[..2]),
            Language::English => format!("20 digits; the first two are {}, the year of issue is {year}", &number[..2]),
        };
        return check(what, number.starts_with(&year), detail);
    }
    let sound = match code {
        None => number.len() == 20,
        Some(code) => number.len() == 8 && matches!(code.len(), 10 | 12),
    };
    let long = |text: Option<&str>| text.map_or_else(|| "—".to_owned(), |text| text.len().to_string());
    let detail = match language {
        Language::Chinese => format!("代码 {} 位，号码 {} 位", long(code), number.len()),
        Language::English => format!("code: {} digits, number: {} digits", long(code), number.len()),
    };
    check(what, sound, detail)
}

fn date(invoice: &Invoice, today: Date, language: Language) -> Check {
    let what = language.say("开票日期不在将来", "the date is not in the future").to_owned();
    match &invoice.head.date {
        None => missing(what, language.say("没有找到开票日期", "no date of issue was found")),
        Some(date) => check(what, date.value <= today, format!("{} ≤ {today}", date.value)),
    }
}

fn taxpayer(side: &str, number: Option<&str>, language: Language) -> Check {
    let what = match language {
        Language::Chinese => format!("{side}纳税人识别号的校验码"),
        Language::English => format!("check digit of the {side}'s tax number"),
    };
    let Some(number) = number else { return missing(what, language.say("没有找到号码", "no number was found")) };
    let (passes, said) = match code::check(number) {
        Ok(Known::Credit) => (
            true,
            language.say("统一社会信用代码（GB 32100-2015）", "unified social credit code (GB 32100-2015)").to_owned(),
        ),
        Ok(Known::Old) => (
            true,
            language
                .say("15 位旧号，组织机构代码（GB 11714-1997）", "15 digits, organisation code (GB 11714-1997)")
                .to_owned(),
        ),
        Ok(Known::Resident) => {
            (true, language.say("公民身份号码（GB 11643-1999）", "resident's number (GB 11643-1999)").to_owned())
        }
        Err(Some(wanted)) => {
            let found = number.chars().next_back().unwrap_or(' ');
            let said = match language {
                Language::Chinese => format!("末位应为 {wanted}，写的是 {found}"),
                Language::English => format!("the last character ought to be {wanted} and is {found}"),
            };
            (false, said)
        }
        Err(None) => {
            let long = number.chars().count();
            let said = match language {
                Language::Chinese => format!("{long} 位，不符合任何编码规则"),
                Language::English => format!("{long} characters that follow no rule of such numbers"),
            };
            (false, said)
        }
    };
    check(what, passes, format!("{number}: {said}"))
}

fn product(line: &str, quantity: Figure, price: Figure, amount: Fen, language: Language) -> Check {
    let what = format!("{line}: {}", language.say("数量 × 单价 = 金额", "quantity × price = amount"));
    let fen = quantity.times(price).fen();
    // Half a unit of the last place that is written of the price, times the quantity.
    let half = Figure::read(&format!("0.{}5", "0".repeat(price.places() as usize)))
        .map_or(0, |half| quantity.times(half).fen().abs());
    let off = (fen - amount).abs();
    // A price that is written with many places was divided from the amount; one with few is exact.
    let allowed = if price.places() > 2 { ROUNDING + half } else { ROUNDING };
    check(
        what,
        off <= allowed,
        format!("{quantity} × {price} = {}; {} {}", yuan(fen), language.say("票面", "written"), yuan(amount)),
    )
}

fn tax(line: &str, amount: Option<Fen>, rate: Option<Rate>, tax: Option<Fen>, language: Language) -> Check {
    let what = format!("{line}: {}", language.say("金额 × 税率 ≈ 税额", "amount × rate ≈ tax"));
    let written = language.say("票面", "written");
    match (amount, rate, tax) {
        (Some(amount), Some(Rate::Percent(percent)), Some(tax)) => {
            // The hundred of the percent are two places more.
            let product = Figure::of_fen(amount).times(percent);
            let fen = Figure::read("0.01").map_or(0, |hundredth| product.times(hundredth).fen());
            check(
                what,
                (fen - tax).abs() <= ROUNDING,
                format!("{} × {percent}% = {}; {written} {}", yuan(amount), yuan(fen), yuan(tax)),
            )
        }
        (_, Some(Rate::Free), None | Some(0)) => {
            check(what, true, language.say("免税，税额为零", "exempt: no tax").to_owned())
        }
        (_, Some(Rate::Free), Some(tax)) => check(
            what,
            false,
            format!("{}; {written} {}", language.say("免税，税额应为零", "exempt, yet there is tax"), yuan(tax)),
        ),
        _ => missing(what, language.say("金额、税率、税额不全", "amount, rate and tax are not all there")),
    }
}

fn sums(invoice: &Invoice, language: Language) -> [Check; 2] {
    let items = &invoice.lines.items;
    let one = |what: &str, parts: Vec<Option<Fen>>, sum: Option<Fen>| {
        let (Some(parts), Some(sum)) =
            (parts.into_iter().collect::<Option<Vec<Fen>>>().filter(|all| !all.is_empty()), sum)
        else {
            return missing(
                what.to_owned(),
                language.say("明细或合计不全", "the lines or their sum are not all there"),
            );
        };
        let added: Fen = parts.iter().sum();
        let written: Vec<String> = parts.iter().take(8).map(|fen| yuan(*fen)).collect();
        let more = if parts.len() > 8 { " + …" } else { "" };
        let detail = format!(
            "{}{more} = {}; {} {}",
            written.join(" + "),
            yuan(added),
            language.say("票面", "written"),
            yuan(sum)
        );
        check(what.to_owned(), added == sum, detail)
    };
    [
        one(
            language.say("明细金额之和 = 合计金额", "amounts of the lines = their sum"),
            items.iter().map(|item| item.amount).collect(),
            invoice.lines.amount.map(|(fen, _)| fen),
        ),
        one(
            language.say("明细税额之和 = 合计税额", "tax of the lines = its sum"),
            items.iter().map(|item| item.tax.or((item.rate == Some(Rate::Free)).then_some(0))).collect(),
            invoice.lines.tax.map(|(fen, _)| fen),
        ),
    ]
}

fn total(invoice: &Invoice, language: Language) -> Check {
    let what = language.say("金额 + 税额 = 价税合计", "amount + tax = total").to_owned();
    match (invoice.lines.amount, invoice.lines.tax, &invoice.head.total) {
        (Some((amount, _)), Some((tax, _)), Some(total)) => {
            let detail = format!(
                "{} + {} = {}; {} {}",
                yuan(amount),
                yuan(tax),
                yuan(amount + tax),
                language.say("票面", "written"),
                yuan(total.value)
            );
            check(what, amount + tax == total.value, detail)
        }
        _ => missing(what, language.say("合计金额、合计税额、价税合计不全", "amount, tax and total are not all there")),
    }
}

fn in_capitals(invoice: &Invoice, language: Language) -> Check {
    let what = language.say("大写 = 小写", "total in capitals = in digits").to_owned();
    match (&invoice.head.capitals, &invoice.head.total) {
        (Some(capitals), Some(total)) => {
            let said = capitals.value.map_or_else(|| "?".to_owned(), yuan);
            let mut detail =
                format!("{} = {said}; {} {}", capitals.source, language.say("小写", "digits"), yuan(total.value));
            let passes = capitals.value == Some(total.value);
            if !passes {
                let ought = capitals::written(total.value);
                detail.push_str(&match language {
                    Language::Chinese => format!("，应写 {ought}"),
                    Language::English => format!(", which is {ought}"),
                });
            }
            check(what, passes, detail)
        }
        _ => missing(what, language.say("大写或小写没有找到", "one of the two was not found")),
    }
}

/// An invoice that takes another back is negative throughout and names the other.
fn red(invoice: &Invoice, language: Language) -> Vec<Check> {
    let negative = invoice.head.total.as_ref().is_some_and(|total| total.value < 0);
    if !negative && !invoice.head.is_red {
        return Vec::new();
    }
    let signs = [
        invoice.lines.amount.map(|(fen, _)| fen),
        invoice.lines.tax.map(|(fen, _)| fen).filter(|fen| *fen != 0),
        invoice.head.total.as_ref().map(|total| total.value),
    ];
    let told: Vec<String> = signs.iter().flatten().map(|fen| yuan(*fen)).collect();
    let all = signs.iter().flatten().all(|fen| *fen < 0);
    let named = language.say("红字发票写明原发票号码", "a red invoice names the one it takes back").to_owned();
    vec![
        check(language.say("红字发票金额为负", "a red invoice is negative").to_owned(), all, told.join(", ")),
        match &invoice.head.original {
            Some(found) => check(named, true, found.value.clone()),
            None => check(named, false, language.say("没有找到原发票号码", "its number was not found").to_owned()),
        },
    ]
}
