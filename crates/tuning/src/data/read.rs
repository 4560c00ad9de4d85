//! Files in, examples out: JSON lines as OpenAI's fine-tuning takes them (or with `prompt` and `completion`), tables of
//! questions and answers, and plain text of frequent questions. What cannot be read is told by its line; the rest is read.

use std::str::FromStr;

use domain::{Author, Message};
use serde_json::Value;

use super::csv::{self, Unclosed};
use super::{Example, Flaw};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
    /// A table whose first line names its columns.
    Csv,
    /// `Q:` and `A:`, `问：` and `答：`.
    Faq,
}

impl Format {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Jsonl => "jsonl",
            Format::Csv => "csv",
            Format::Faq => "faq",
        }
    }

    /// By the file's name, else by how it begins.
    pub fn guess(name: &str, bytes: &[u8]) -> Format {
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        let first = bytes.iter().copied().find(|byte| !byte.is_ascii_whitespace() && !MARK.contains(byte));
        match (ending.as_deref(), first) {
            (Some("jsonl" | "json" | "ndjson"), _) | (_, Some(b'{' | b'[')) => Format::Jsonl,
            (Some("csv" | "tsv"), _) => Format::Csv,
            _ => Format::Faq,
        }
    }
}

impl FromStr for Format {
    type Err = ();

    fn from_str(word: &str) -> Result<Format, ()> {
        [Format::Jsonl, Format::Csv, Format::Faq].into_iter().find(|format| format.as_str() == word).ok_or(())
    }
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// From 1.
    pub line: u32,
    /// One word; the pages translate by it.
    pub code: &'static str,
    /// A sentence in English.
    pub message: String,
}

/// What a file holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Each with the line that it begins on.
    pub examples: Vec<(u32, Example)>,
    pub faults: Vec<Fault>,
}

/// Why nothing of a file can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// In what it seems to be written.
    #[error("line {line} is not UTF-8{}; save the file as UTF-8 (in Excel: \"CSV UTF-8\") and send it again", .likely.map_or_else(String::new, |name| format!(" (it looks like {name})")))]
    NotUtf8 { line: u32, likely: Option<&'static str> },
    #[error("the file is empty")]
    Empty,
    #[error("the first line names no column for the question and none for the answer; call them question and answer (it names: {})", .named.join(", "))]
    NoColumns { named: Vec<String> },
    #[error("the quotation mark of line {line} is never closed")]
    Unclosed { line: u32 },
}

impl Unreadable {
    /// One word for the wire.
    pub fn code(&self) -> &'static str {
        match self {
            Unreadable::NotUtf8 { .. } => "not_utf8",
            Unreadable::Empty => "file_empty",
            Unreadable::NoColumns { .. } => "no_columns",
            Unreadable::Unclosed { .. } => "quote_unclosed",
        }
    }
}

/// The mark that some programs put before UTF-8.
const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Reads a file.
pub fn read(bytes: &[u8], format: Format) -> Result<Reading, Unreadable> {
    let text = utf8(bytes.strip_prefix(&MARK).unwrap_or(bytes))?;
    if text.trim().is_empty() {
        return Err(Unreadable::Empty);
    }
    let found = match format {
        Format::Jsonl => jsonl(text),
        Format::Csv => table(text)?,
        Format::Faq => faq(text),
    };
    let mut reading = Reading::default();
    for (line, example) in found {
        match example.and_then(|example| example.check().map(|()| example).map_err(Wrong::from)) {
            Ok(example) => reading.examples.push((line, example)),
            Err(Wrong { code, message }) => reading.faults.push(Fault { line, code, message }),
        }
    }
    Ok(reading)
}

/// What is wrong with one example.
struct Wrong {
    code: &'static str,
    message: String,
}

impl From<Flaw> for Wrong {
    fn from(flaw: Flaw) -> Wrong {
        Wrong { code: flaw.code(), message: flaw.to_string() }
    }
}

fn wrong<T>(code: &'static str, message: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { code, message: message.into() })
}

type Found = Vec<(u32, Result<Example, Wrong>)>;

fn utf8(bytes: &[u8]) -> Result<&str, Unreadable> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = 1 + u32::try_from(before.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(u32::MAX);
        Unreadable::NotUtf8 { line, likely: likely(bytes) }
    })
}

/// UTF-16 by its mark; GBK where every byte beyond ASCII is one of its pairs.
fn likely(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Some("UTF-16");
    }
    let mut rest = bytes.iter();
    while let Some(lead) = rest.next() {
        let fits = lead.is_ascii()
            || (0x81..=0xfe).contains(lead)
                && rest.next().is_some_and(|trail| (0x40..=0xfe).contains(trail) && *trail != 0x7f);
        if !fits {
            return None;
        }
    }
    Some("GBK")
}

fn jsonl(text: &str) -> Found {
    (1..)
        .zip(text.lines())
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(number, line)| {
            let example = match serde_json::from_str::<Value>(line) {
                Ok(value) => object(&value),
                Err(error) => wrong("not_json", format!("not valid JSON: {error}")),
            };
            (number, example)
        })
        .collect()
}

fn object(value: &Value) -> Result<Example, Wrong> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let list = value.get("messages").and_then(Value::as_array);
    match (list, text("prompt"), text("completion")) {
        (Some(list), ..) => Ok(Example { messages: list.iter().map(message).collect::<Result<_, _>>()? }),
        (None, Some(prompt), Some(completion)) => Ok(Example::pair(prompt, completion.trim_start())),
        _ => wrong("no_fields", "neither {\"messages\": [...]} nor {\"prompt\": ..., \"completion\": ...}"),
    }
}

fn message(value: &Value) -> Result<Message, Wrong> {
    let role = value.get("role").and_then(Value::as_str).unwrap_or_default();
    let Some(author) = Author::parse(role).or((role == "developer").then_some(Author::System)) else {
        return wrong("unknown_role", format!("{role:?} is no role; there are system, user and assistant"));
    };
    if author == Author::Tool || value.get("tool_calls").is_some_and(|calls| !calls.is_null()) {
        return wrong("tool_calls", "tool calls cannot be taught here; leave this line out");
    }
    let part = |part: &Value| match part.get("type").and_then(Value::as_str) {
        Some("text") => part.get("text").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    let text = match value.get("content") {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Array(parts)) => parts.iter().map(part).collect::<Option<String>>(),
        _ => None,
    };
    match text {
        Some(text) => Ok(Message::new(author, text)),
        None => wrong("not_text", format!("the content of a message of {role} is no text")),
    }
}

const QUESTION: [&str; 8] = ["question", "prompt", "instruction", "q", "问题", "问", "提问", "标准问题"];
const ANSWER: [&str; 10] =
    ["answer", "completion", "output", "response", "a", "答案", "答", "回答", "回复", "标准答案"];
const SYSTEM: [&str; 3] = ["system", "系统", "系统提示"];

fn table(text: &str) -> Result<Found, Unreadable> {
    let mut records = csv::records(text).map_err(|Unclosed(line)| Unreadable::Unclosed { line })?.into_iter();
    let head = records.next().ok_or(Unreadable::Empty)?;
    let names: Vec<String> = head.fields.iter().map(|name| name.trim().to_lowercase()).collect();
    let column = |words: &[&str]| names.iter().position(|name| words.contains(&name.as_str()));
    let (Some(question), Some(answer)) = (column(&QUESTION), column(&ANSWER)) else {
        return Err(Unreadable::NoColumns {
            named: names.iter().map(|name| name.chars().take(40).collect()).collect(),
        });
    };
    let system = column(&SYSTEM);
    let read = |record: csv::Record| {
        let field = |at: usize| record.fields.get(at).map_or("", |field| field.trim());
        let example = Example::pair(field(question), field(answer));
        let example = match system.map(field).filter(|text| !text.is_empty()) {
            Some(system) => example.under(system),
            None => example,
        };
        let whole = record.fields.len() <= names.len();
        let many = || {
            wrong(
                "too_many_fields",
                format!(
                    "{} fields under {} columns: a field with a separator in it needs quotation marks",
                    record.fields.len(),
                    names.len()
                ),
            )
        };
        (record.line, if whole { Ok(example) } else { many() })
    };
    Ok(records.map(read).collect())
}

const ASKS: [&str; 6] = ["q:", "question:", "问:", "问题:", "提问:", "问题是:"];
const ANSWERS: [&str; 6] = ["a:", "answer:", "答:", "答案:", "回答:", "答复:"];

/// A question and the lines below it, an answer and the lines below it; several questions before one answer share it.
fn faq(text: &str) -> Found {
    let mut found = Found::new();
    let mut asked: Vec<(u32, String)> = Vec::new();
    let mut answer: Option<String> = None;
    let mut settle = |asked: &mut Vec<(u32, String)>, answer: &mut Option<String>| {
        let answer = answer.take();
        for (line, question) in asked.drain(..) {
            let example = match &answer {
                Some(answer) => Ok(Example::pair(question.trim(), answer.trim())),
                None => wrong("no_answer", "this question has no answer below it"),
            };
            found.push((line, example));
        }
    };
    let mut strays = Found::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(question) = after(line, &ASKS) {
            if answer.is_some() {
                settle(&mut asked, &mut answer);
            }
            asked.push((number, question.to_owned()));
        } else if let Some(first) = after(line, &ANSWERS) {
            match (&mut answer, asked.is_empty()) {
                (_, true) => strays.push((number, wrong("no_question", "this answer has no question above it"))),
                (Some(before), false) => *before = format!("{before}\n{first}"),
                (None, false) => answer = Some(first.to_owned()),
            }
        } else if let Some(text) = answer.as_mut().or(asked.last_mut().map(|(_, question)| question)) {
            text.push('\n');
            text.push_str(line);
        } else if !line.trim().is_empty() {
            strays.push((number, wrong("no_mark", "neither a question (Q:, 问：) nor an answer (A:, 答：)")));
        }
    }
    settle(&mut asked, &mut answer);
    found.extend(strays);
    found.sort_by_key(|(line, _)| *line);
    found
}

/// What stands behind one of the words, with either colon and whatever case; a number before it (`1. Q:`) is no matter.
fn after<'t>(line: &'t str, words: &[&str]) -> Option<&'t str> {
    let line = line.trim().trim_start_matches(|letter: char| letter.is_ascii_digit() || ".、)） #*".contains(letter));
    let (at, colon) = line.char_indices().find(|(_, letter)| matches!(letter, ':' | '：'))?;
    let word = format!("{}:", line[..at].trim().trim_end_matches('*').to_lowercase());
    words.contains(&word.as_str()).then(|| line[at + colon.len_utf8()..].trim_start_matches('*').trim())
}
