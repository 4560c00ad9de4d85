//! Invoices: the fields of Chinese VAT invoices (special, ordinary, electronic, fully digital) from the text of a file, where each
//! stands, and whether it all adds up. It reads no pictures, and says nothing about whether an invoice is genuine: that is the tax
//! administration's service to say.

pub(super) mod capitals;
mod checks;
mod code;
mod fields;
mod figure;
mod items;
mod sheet;

use domain::{Attachment, ToolAnswer, ToolError, ToolInput, ToolPart, ToolSpec};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::reading::{self, As, Language, Piece};
use crate::plugin::Plugin;
use checks::{Check, Verdict};
use fields::{Found, Head};
use figure::yuan;
use items::{Lines, Rate};

/// Invoices of one call.
const MOST: usize = 50;

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "invoice-fields".to_owned(),
        description: "Reads the fields of Chinese VAT invoices (增值税专用发票, 普通发票, 数电票) from attached PDFs with text, and checks them: \
                      sums, tax by rate, total in capitals against digits, check digits of tax numbers. Use it for every attached \
                      invoice instead of reading the figures yourself."
            .to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {
                "file": { "type": "string", "description": "The name of one attached file; all of them where absent" },
                "language": { "type": "string", "enum": ["zh", "en"], "description": "The language of the tables; zh where absent" }
            },
            "additionalProperties": false
        }),
    }
}

/// An invoice, as far as it could be read.
#[derive(Debug, Clone, Default, PartialEq)]
struct Invoice {
    head: Head,
    lines: Lines,
}

pub(super) async fn call(plugin: &Plugin, input: &ToolInput) -> Result<ToolAnswer, ToolError> {
    let files: Vec<&Attachment> = match input.arguments["file"].as_str() {
        Some(name) if !input.files.is_empty() => vec![reading::named(&input.files, "file", name)?],
        _ => input.files.iter().collect(),
    };
    if files.is_empty() {
        return Err(reading::failed("no file is attached; attach the invoice as a PDF with text"));
    }
    let language = Language::of(&input.arguments);
    let now =
        Timestamp::from_millisecond(plugin.clock().now().0).map_err(|error| reading::failed(&error.to_string()))?;
    // The day is China's: there it is issued.
    let zone = TimeZone::get("Asia/Shanghai").unwrap_or(TimeZone::UTC);
    let today = now.to_zoned_datetime(zone).date();
    let mut answer = ToolAnswer::default();
    let mut texts = Vec::new();
    for file in files {
        match reading::read(plugin.ground().documents.as_deref(), file, As::Lines).await {
            Ok(pieces) => texts.extend(told(&file.name, &pieces, today, language, &mut answer.parts)),
            Err(error) => texts.push(error.to_string()),
        }
    }
    answer.text = texts.join("\n\n");
    Ok(answer)
}

/// The invoices of a file in words, and as tables.
fn told(name: &str, pieces: &[Piece], today: Date, language: Language, parts: &mut Vec<ToolPart>) -> Vec<String> {
    let found = invoices(pieces);
    if found.is_empty() {
        let said = language.say("没有发现增值税发票的字段", "no fields of a VAT invoice were found");
        return vec![format!("{name}: {said}")];
    }
    let several = found.len() > 1;
    let texts = (1..).zip(&found).map(|(at, invoice)| {
        let title = if several { format!("{name} ({at})") } else { name.to_owned() };
        let checks = checks::all(invoice, today, language);
        let tables = [fields_table(invoice, language), lines_table(invoice, language), checks_table(&checks, language)];
        let verdict = verdict(&checks, language);
        parts.push(ToolPart::Text { text: format!("{title}: {verdict}") });
        let text: Vec<String> = tables.iter().map(in_words).collect();
        parts.extend(tables);
        format!("{title}: {verdict}\n{}", text.join("\n\n"))
    });
    texts.collect()
}

/// Each page that begins an invoice, with those that go on with it.
fn invoices(pieces: &[Piece]) -> Vec<Invoice> {
    let words = sheet::words(pieces);
    let mut sheets: Vec<Vec<sheet::Word>> = Vec::new();
    let mut page = None;
    let mut pages: Vec<Vec<sheet::Word>> = Vec::new();
    for word in words {
        if page != Some(word.page) {
            page = Some(word.page);
            pages.push(Vec::new());
        }
        if let Some(last) = pages.last_mut() {
            last.push(word);
        }
    }
    for page in pages {
        let number = |words: &[sheet::Word]| fields::read(words).number.map(|found| found.value);
        match sheets.last_mut() {
            // The second page of an invoice shows the same number again.
            Some(open)
                if !fields::begins(&page) || number(&page).is_some() && number(&page) == number(open.as_slice()) =>
            {
                open.extend(page)
            }
            _ => sheets.push(page),
        }
    }
    let read = |words: &Vec<sheet::Word>| Invoice { head: fields::read(words), lines: items::read(words) };
    let is_one = |invoice: &Invoice| {
        let head = &invoice.head;
        let known = [head.number.is_some(), head.kind.is_some(), head.total.is_some(), !invoice.lines.items.is_empty()];
        known.iter().filter(|known| **known).count() >= 2
    };
    sheets.iter().map(read).filter(is_one).take(MOST).collect()
}

fn verdict(checks: &[Check], language: Language) -> String {
    let of = |verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    let (pass, fail, missing) = (of(Verdict::Pass), of(Verdict::Fail), of(Verdict::Missing));
    match language {
        Language::Chinese => format!("{pass} 项通过，{fail} 项不符，{missing} 项无法核对"),
        Language::English => format!("{pass} checks passed, {fail} failed, {missing} could not be made"),
    }
}

fn fields_table(invoice: &Invoice, language: Language) -> ToolPart {
    let Head { kind, code, number, date, buyer, seller, total, capitals, drawer, original, .. } = &invoice.head;
    let mut rows = Vec::new();
    let mut text = |zh: &str, en: &str, found: &Option<Found<String>>| {
        let value = found.as_ref().map(|found| found.value.clone());
        rows.push(field(language.say(zh, en), value, found.as_ref(), language));
    };
    text("发票类型", "kind", kind);
    text("发票代码", "code", code);
    text("发票号码", "number", number);
    text("购买方名称", "buyer", &buyer.name);
    text("购买方纳税人识别号", "buyer's tax number", &buyer.tax_id);
    text("销售方名称", "seller", &seller.name);
    text("销售方纳税人识别号", "seller's tax number", &seller.tax_id);
    if drawer.is_some() {
        text("开票人", "issued by", drawer);
    }
    if original.is_some() {
        text("原发票", "takes back", original);
    }
    let day = date.as_ref().map(|found| found.value.to_string());
    rows.insert(3, field(language.say("开票日期", "date"), day, date.as_ref(), language));
    let sum = |zh, en, value: Option<(i128, u32)>| {
        let page = value.map_or(Value::Null, |(_, page)| page_of(page));
        vec![json!(language.say(zh, en)), json!(value.map(|(fen, _)| yuan(fen))), page, Value::Null, Value::Null]
    };
    rows.push(sum("合计金额", "amount", invoice.lines.amount));
    rows.push(sum("合计税额", "tax", invoice.lines.tax));
    rows.push(field(
        language.say("价税合计（小写）", "total"),
        total.as_ref().map(|found| yuan(found.value)),
        total.as_ref(),
        language,
    ));
    let said = capitals.as_ref().and_then(|found| found.value).map(yuan);
    rows.push(field(language.say("价税合计（大写）", "total in capitals"), said, capitals.as_ref(), language));
    let columns = language.say(["字段", "值", "页", "位置", "原文"], ["field", "value", "page", "place", "as written"]);
    ToolPart::Table { columns: columns.map(str::to_owned).to_vec(), rows, cut: false }
}

fn page_of(page: u32) -> Value {
    if page == 0 { Value::Null } else { json!(page) }
}

fn field<T>(name: &str, value: Option<String>, found: Option<&Found<T>>, language: Language) -> Vec<Value> {
    let value = value.or_else(|| found.is_none().then(|| language.say("未找到", "not found").to_owned()));
    let place = found.and_then(|found| found.area).map(|area| area.map(|edge| format!("{edge:.0}")).join(","));
    let page = found.map_or(Value::Null, |found| page_of(found.page));
    vec![json!(name), json!(value), page, json!(place), json!(found.map(|found| &found.source))]
}

fn lines_table(invoice: &Invoice, language: Language) -> ToolPart {
    let rows = (1..).zip(&invoice.lines.items).map(|(at, item)| {
        let rate = item.rate.map(|rate| match rate {
            Rate::Percent(percent) => format!("{percent}%"),
            Rate::Free => language.say("免税", "exempt").to_owned(),
        });
        vec![
            json!(at),
            json!(item.name),
            json!(item.spec),
            json!(item.unit),
            json!(item.quantity.map(|figure| figure.to_string())),
            json!(item.price.map(|figure| figure.to_string())),
            json!(item.amount.map(yuan)),
            json!(rate),
            json!(item.tax.map(yuan)),
            page_of(item.page),
        ]
    });
    let columns = language.say(
        ["行", "项目名称", "规格型号", "单位", "数量", "单价", "金额", "税率", "税额", "页"],
        ["line", "name", "specification", "unit", "quantity", "price", "amount", "rate", "tax", "page"],
    );
    ToolPart::Table { columns: columns.map(str::to_owned).to_vec(), rows: rows.collect(), cut: false }
}

fn checks_table(checks: &[Check], language: Language) -> ToolPart {
    let word = |verdict| match verdict {
        Verdict::Pass => language.say("通过", "pass"),
        Verdict::Fail => language.say("不符", "fail"),
        Verdict::Missing => language.say("无法核对", "not checked"),
    };
    let row = |check: &Check| vec![json!(check.what), json!(word(check.verdict)), json!(check.detail)];
    let columns = language.say(["检查", "结果", "数字"], ["check", "result", "figures"]);
    let rows = checks.iter().map(row).collect();
    ToolPart::Table { columns: columns.map(str::to_owned).to_vec(), rows, cut: false }
}

/// A table as a model reads it: a line a row, without what is empty.
fn in_words(table: &ToolPart) -> String {
    let ToolPart::Table { columns, rows, .. } = table else { return String::new() };
    let cell = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.replace(['|', '\n'], " "),
        other => other.to_string(),
    };
    let lines = rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>().join(" | "));
    std::iter::once(columns.join(" | ")).chain(lines).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
