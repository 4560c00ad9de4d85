//! Two versions of a contract, compared: which clause became which, what was inserted, deleted and moved, and which sums, dates, terms
//! and parties are others now; for a person also as a document with tracked changes. It compares texts: what a change means is for
//! the model and its lawyer to say.

mod align;
mod clauses;
mod facts;
mod tracked;
mod words;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::{Attachment, ToolAnswer, ToolError, ToolInput, ToolPart, ToolSpec};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::reading::{self, As, Language, Piece};
use crate::mask::cut;
use crate::permission::Permission;
use crate::plugin::Plugin;
use align::Row;
use clauses::Unit;
use facts::Kind;
use tracked::{Mark, Paragraph};
use words::{Fate, Run};

/// Rows of the table of changes, and letters of one cell.
const ROWS: usize = 500;
const CELL: usize = 400;
/// How much of the comparison a model reads, in characters.
const READ: usize = 14_000;
/// What stands around a change in what a model reads, in characters.
const AROUND: usize = 24;

const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

pub(super) fn spec() -> ToolSpec {
    ToolSpec {
        name: "contract-diff".to_owned(),
        description: "Compares two attached versions of a contract (DOCX, PDF or text) clause by clause: insertions, deletions, moved \
                      clauses, changed amounts, dates, terms and parties; gives the person a DOCX with tracked changes. Use it \
                      whenever two versions of a text are to be compared, instead of comparing them yourself."
            .to_owned(),
        parameters: json!({
            "type": "object",
            "properties": {
                "old": { "type": "string", "description": "The attached file with the earlier version; the first where absent" },
                "new": { "type": "string", "description": "The attached file with the later version; the last where absent" },
                "author": { "type": "string", "description": "Whom the tracked changes are by", "maxLength": 100 },
                "language": { "type": "string", "enum": ["zh", "en"], "description": "The language of the tables; zh where absent" }
            },
            "additionalProperties": false
        }),
    }
}

/// The comparison of two versions.
struct Compared {
    old: Vec<Unit>,
    new: Vec<Unit>,
    rows: Vec<Row>,
}

/// A difference, as it is told.
struct Difference {
    kind: &'static str,
    old: String,
    new: String,
    before: String,
    after: String,
    pages: [Option<u32>; 2],
    /// The words of it: with what was deleted and inserted marked.
    marked: String,
    facts: Vec<facts::Change>,
}

pub(super) async fn call(plugin: &Plugin, input: &ToolInput) -> Result<ToolAnswer, ToolError> {
    let (old, new) = sides(&input.arguments, &input.files)?;
    let language = Language::of(&input.arguments);
    let documents = plugin.ground().documents.as_deref();
    let before = reading::read(documents, old, As::Blocks).await?;
    let after = reading::read(documents, new, As::Blocks).await?;
    let now =
        Timestamp::from_millisecond(plugin.clock().now().0).map_err(|error| reading::failed(&error.to_string()))?;
    let author = input.arguments["author"]
        .as_str()
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .unwrap_or("Portico")
        .to_owned();
    let keeps = plugin.grants.contains(&Permission::WriteFiles);
    let names = [old.name.clone(), new.name.clone()];
    // Two thousand clauses are a second of work, which no other turn is to wait for.
    let work = tokio::task::spawn_blocking(move || {
        let compared = Compared::of(&before, &after);
        compared.answer(&names, &author, now, keeps, language)
    });
    work.await.map_err(|error| reading::failed(&error.to_string()))?
}

/// The two files: by their names, or the first and the last of all.
fn sides<'f>(arguments: &Value, files: &'f [Attachment]) -> Result<(&'f Attachment, &'f Attachment), ToolError> {
    let (Some(first), Some(last), true) = (files.first(), files.last(), files.len() > 1) else {
        return Err(reading::failed("two files are needed: attach the earlier and the later version of the contract"));
    };
    let side = |field: &str, other: &'f Attachment| match arguments[field].as_str() {
        Some(name) => reading::named(files, field, name),
        None => Ok(other),
    };
    let (old, new) = (side("old", first)?, side("new", last)?);
    if std::ptr::eq(old, new) {
        let reason = format!("{:?} is both versions", old.name);
        return Err(ToolError::Invalid { field: "new".to_owned(), reason });
    }
    Ok((old, new))
}

impl Compared {
    fn of(before: &[Piece], after: &[Piece]) -> Compared {
        let (old, new) = (clauses::units(before), clauses::units(after));
        let rows = align::rows(&old, &new);
        Compared { old, new, rows }
    }

    /// What differs, in the order of reading.
    fn differences(&self) -> Vec<Difference> {
        let unit = |side: &[Unit], at: usize| side.get(at).cloned().unwrap_or_default();
        let mut all = Vec::new();
        for row in &self.rows {
            let (kind, old, new) = match *row {
                Row::Both(x, y) => {
                    let (old, new) = (unit(&self.old, x), unit(&self.new, y));
                    if old.text == new.text {
                        continue;
                    }
                    let kind = if old.body() == new.body() { "renumbered" } else { "changed" };
                    (kind, old, new)
                }
                Row::Old(x, None) => ("deleted", unit(&self.old, x), Unit::default()),
                // Told where it stands now.
                Row::Old(_, Some(_)) => continue,
                Row::New(y, None) => ("inserted", Unit::default(), unit(&self.new, y)),
                Row::New(y, Some(x)) => ("moved", unit(&self.old, x), unit(&self.new, y)),
            };
            all.push(Difference {
                kind,
                marked: marked(&words::diff(&old.text, &new.text)),
                facts: facts::changes(&old.text, &new.text),
                pages: [old.page, new.page],
                old: old.name,
                new: new.name,
                before: old.text,
                after: new.text,
            });
        }
        all
    }

    /// The document's paragraphs: the new version, with what was deleted where it stood.
    fn paragraphs(&self) -> Vec<Paragraph> {
        let whole = |unit: &Unit, fate: Fate| Paragraph {
            runs: vec![Run { fate, text: unit.text.clone() }],
            is_heading: unit.is_heading,
            fate,
        };
        let paragraph = |row: &Row| match *row {
            Row::Both(x, y) => {
                let (old, new) = (self.old.get(x)?, self.new.get(y)?);
                let runs = words::diff(&old.text, &new.text);
                Some(Paragraph { runs, is_heading: new.is_heading, fate: Fate::Kept })
            }
            Row::Old(x, _) => Some(whole(self.old.get(x)?, Fate::Deleted)),
            Row::New(y, _) => Some(whole(self.new.get(y)?, Fate::Inserted)),
        };
        self.rows.iter().filter_map(paragraph).collect()
    }

    fn answer(
        &self,
        names: &[String; 2],
        author: &str,
        now: Timestamp,
        keeps: bool,
        language: Language,
    ) -> Result<ToolAnswer, ToolError> {
        let differences = self.differences();
        let parties = facts::party_changes(&self.old, &self.new);
        let summary = self.summary(names, &differences, language);
        let mut parts = vec![ToolPart::Text { text: summary.clone() }];
        let facts = facts_table(&differences, &parties, language);
        let mut text = format!("{summary}\n{}", facts_in_words(&facts));
        if let ToolPart::Table { rows, .. } = &facts
            && !rows.is_empty()
        {
            parts.push(facts);
        }
        if !differences.is_empty() {
            parts.push(differences_table(&differences, language));
            let date = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            let name = format!("{}.docx", language.say("合同比对", "contract-comparison"));
            if keeps {
                let bytes = tracked::document(&self.paragraphs(), Mark { author, date: &date })
                    .map_err(|error| reading::failed(&error.to_string()))?;
                text.push_str(&format!("(the file {name:?} with the changes tracked is given to the person)\n"));
                parts.push(ToolPart::File { name, media_type: DOCX.to_owned(), data: STANDARD.encode(bytes) });
            } else {
                text.push_str(&format!(
                    "(the file {name:?} is not given to the person: write:files was not granted)\n"
                ));
            }
            text.push_str(&in_words(&differences, language));
        }
        Ok(ToolAnswer { text: cut(&text, READ), parts })
    }

    fn summary(&self, [old, new]: &[String; 2], differences: &[Difference], language: Language) -> String {
        let of = |kind: &str| differences.iter().filter(|one| one.kind == kind).count();
        let same = self.rows.len()
            - self.rows.iter().filter(|row| matches!(row, Row::Old(_, Some(_)))).count()
            - differences.len();
        let [changed, renumbered, inserted, deleted, moved] =
            ["changed", "renumbered", "inserted", "deleted", "moved"].map(of);
        match language {
            Language::Chinese => format!(
                "{old} → {new}：{changed} 处修改，{inserted} 处新增，{deleted} 处删除，{moved} 处移动，{renumbered} 处仅改编号，{same} 处相同"
            ),
            Language::English => format!(
                "{old} → {new}: {changed} changed, {inserted} inserted, {deleted} deleted, {moved} moved, {renumbered} renumbered only, \
                 {same} the same"
            ),
        }
    }
}

fn kind_word(kind: &str, language: Language) -> &'static str {
    let (zh, en) = match kind {
        "changed" => ("修改", "changed"),
        "inserted" => ("新增", "inserted"),
        "deleted" => ("删除", "deleted"),
        "moved" => ("移动", "moved"),
        _ => ("改编号", "renumbered"),
    };
    language.say(zh, en)
}

fn fact_word(kind: Kind, language: Language) -> &'static str {
    match kind {
        Kind::Amount => language.say("金额", "amount"),
        Kind::Share => language.say("比例", "share"),
        Kind::Date => language.say("日期", "date"),
        Kind::Term => language.say("期限", "term"),
        Kind::Party => language.say("当事人", "party"),
    }
}

/// What a clause is called: by both names where it has two.
fn called(old: &str, new: &str) -> String {
    match (old, new) {
        (old, new) if old == new || new.is_empty() => old.to_owned(),
        ("", new) => new.to_owned(),
        (old, new) => format!("{old} → {new}"),
    }
}

fn facts_table(differences: &[Difference], parties: &[(String, facts::Change)], language: Language) -> ToolPart {
    let row = |place: String, change: &facts::Change| {
        vec![json!(fact_word(change.kind, language)), json!(place), json!(change.before), json!(change.after)]
    };
    let parties = parties.iter().map(|(part, change)| row(part.clone(), change));
    let facts =
        differences.iter().flat_map(|one| one.facts.iter().map(|change| row(called(&one.old, &one.new), change)));
    let rows: Vec<Vec<Value>> = parties.chain(facts).take(ROWS).collect();
    let columns = language.say(["类别", "条款", "原文", "现文"], ["kind", "clause", "before", "after"]);
    ToolPart::Table { columns: columns.map(str::to_owned).to_vec(), cut: rows.len() == ROWS, rows }
}

fn differences_table(differences: &[Difference], language: Language) -> ToolPart {
    let pages = |[old, new]: [Option<u32>; 2]| {
        let page = |page: Option<u32>| page.map_or_else(|| "–".to_owned(), |page| page.to_string());
        if old.is_none() && new.is_none() { Value::Null } else { json!(format!("{} / {}", page(old), page(new))) }
    };
    let rows = differences.iter().take(ROWS).map(|one| {
        vec![
            json!(called(&one.old, &one.new)),
            json!(kind_word(one.kind, language)),
            json!(cut(&one.before, CELL)),
            json!(cut(&one.after, CELL)),
            pages(one.pages),
        ]
    });
    let columns = language.say(
        ["条款", "变化", "原文", "现文", "页（原/现）"],
        ["clause", "change", "before", "after", "page (old / new)"],
    );
    let cut = differences.len() > ROWS;
    ToolPart::Table { columns: columns.map(str::to_owned).to_vec(), rows: rows.collect(), cut }
}

/// The facts as a model reads them, a line each.
fn facts_in_words(facts: &ToolPart) -> String {
    let ToolPart::Table { rows, .. } = facts else { return String::new() };
    let mut text = String::new();
    for row in rows {
        let cells: Vec<&str> = row.iter().filter_map(Value::as_str).collect();
        if let [kind, place, before, after] = cells.as_slice() {
            text.push_str(&format!("{kind} ({place}): {} → {}\n", or_dash(before), or_dash(after)));
        }
    }
    text
}

/// Each difference with its words marked.
fn in_words(differences: &[Difference], language: Language) -> String {
    let mut text = language.say("变化（[-删除-] [+新增+]）：\n", "Changes ([-deleted-] [+inserted+]):\n").to_owned();
    for one in differences {
        let clause = called(&one.old, &one.new);
        text.push_str(&format!("{clause} [{}] {}\n", kind_word(one.kind, language), one.marked));
    }
    text
}

fn or_dash(text: &str) -> &str {
    if text.is_empty() { "—" } else { text }
}

/// Runs in one text; what was kept is shortened to what stands around the changes.
fn marked(runs: &[Run]) -> String {
    let last = runs.len().saturating_sub(1);
    let run = |(at, run): (usize, &Run)| match run.fate {
        Fate::Deleted => format!("[-{}-]", run.text),
        Fate::Inserted => format!("[+{}+]", run.text),
        Fate::Kept => {
            let letters: Vec<char> = run.text.chars().collect();
            let (before, after) = (if at == 0 { 0 } else { AROUND }, if at == last { 0 } else { AROUND });
            if letters.len() <= before + after + 1 {
                return run.text.clone();
            }
            let head: String = letters[..before].iter().collect();
            let tail: String = letters[letters.len() - after..].iter().collect();
            format!("{head}…{tail}")
        }
    };
    runs.iter().enumerate().map(run).collect()
}

#[cfg(test)]
mod tests;
