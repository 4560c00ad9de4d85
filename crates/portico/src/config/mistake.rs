//! What is wrong with a configuration, as a person reads it: where, the line itself, a sentence, and what to write instead.
//! It never shows a secret: a line that carries one is printed with the secret cut out.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Where it was read.
    pub place: Place,
    /// What is wrong, as a sentence without a full stop.
    pub sentence: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line is not TOML; whatever else is wrong with it follows from that.
    syntax: bool,
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A part of the file.
    File(Span),
    /// An environment variable.
    Env(String),
    /// A flag on the command line.
    Flag(&'static str),
}

/// A part of one line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// In characters; at least 1.
    pub width: usize,
    /// The whole line, with secrets cut out.
    pub excerpt: String,
}

/// Everything that is wrong, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes {
    /// The file, when there was one.
    pub file: Option<PathBuf>,
    /// Never empty.
    pub list: Vec<Mistake>,
}

impl Mistake {
    /// A mistake without a hint.
    pub(super) fn new(place: Place, sentence: impl Into<String>) -> Self {
        Mistake { place, sentence: sentence.into(), hint: None, syntax: false }
    }

    /// A line that is not TOML.
    pub(super) fn syntax(place: Place, message: &str, hint: Option<String>) -> Self {
        Mistake { place, sentence: format!("this is not TOML: {message}"), hint, syntax: true }
    }

    fn line(&self) -> Option<usize> {
        match &self.place {
            Place::File(span) => Some(span.line),
            _ => None,
        }
    }

    /// Says what to do about it.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Mistakes {
    /// One mistake that has no place in the file: the file itself cannot be read.
    pub(super) fn unreadable(file: PathBuf, why: &std::io::Error) -> Self {
        let sentence = match why.kind() {
            std::io::ErrorKind::NotFound => "there is no such configuration file".to_owned(),
            std::io::ErrorKind::InvalidData => "the configuration file is not UTF-8 text".to_owned(),
            _ => format!("the configuration file cannot be read: {why}"),
        };
        let mistake = Mistake::new(Place::Flag("--config"), sentence);
        Mistakes { file: Some(file), list: vec![mistake] }
    }

    /// Puts the mistakes in the order of the file; those from elsewhere come last. Where a line is not even TOML, only the
    /// first thing that is wrong with it is kept: the rest follows from it.
    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|mistake| match &mistake.place {
            Place::File(span) => (span.line, span.column),
            Place::Env(_) => (usize::MAX, 0),
            Place::Flag(_) => (usize::MAX, 1),
        });
        let broken: HashSet<usize> =
            self.list.iter().filter(|mistake| mistake.syntax).filter_map(Mistake::line).collect();
        let mut told = HashSet::new();
        self.list.retain(|mistake| match mistake.line() {
            Some(line) if broken.contains(&line) => mistake.syntax && told.insert(line),
            _ => true,
        });
    }
}

impl Span {
    /// The place of a byte range in `text`. A range over several lines is cut at the end of its first.
    pub(super) fn find(text: &str, range: &Range<usize>) -> Span {
        let start = floor(text, range.start.min(text.len()));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line_text = text[line_start..line_end].trim_end_matches('\r');
        let end = floor(text, range.end.clamp(start, line_start + line_text.len().max(start - line_start)));
        Span {
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            width: text[start..end].chars().count().max(1),
            excerpt: without_secrets(line_text),
        }
    }
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The line with passwords in URLs and the values of keys that look secret replaced by dots of the same width, so that
/// the marks below still point at what they mean.
fn without_secrets(line: &str) -> String {
    let mut line: Vec<char> = line.chars().collect();
    if let Some(range) = secret(&line) {
        line[range].fill('•');
    }
    line.into_iter().collect()
}

fn secret(line: &[char]) -> Option<Range<usize>> {
    let text: String = line.iter().collect::<String>().to_lowercase();
    let key = text.split('=').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
    // The `value` of a [[key]] may be a real one, written there by mistake.
    let names_one = key == "value" || ["key", "secret", "password", "token"].iter().any(|word| key.contains(word));
    // `api_key_env` and `api_key_file` name a place and are no secret; so is `tls.key`, a path.
    let names_a_place = key.ends_with("_env") || key.ends_with("_file") || key == "key";
    let value = text.split_once('=').map(|(_, value)| value.trim()).unwrap_or_default();
    if names_one && !names_a_place && !value.is_empty() && value.parse::<i64>().is_err() {
        let from = line.iter().position(|c| *c == '=').map_or(0, |at| at + 1);
        return Some(from..line.len());
    }
    let from = line.windows(3).position(|w| w == [':', '/', '/'])? + 3;
    let at = line[from..].iter().rposition(|c| *c == '@')? + from;
    Some(from..at)
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().map(|file| file.display().to_string()).unwrap_or_default();
        for (index, mistake) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            match &mistake.place {
                Place::File(span) => {
                    writeln!(f, "{file}:{}:{}: {}", span.line, span.column, mistake.sentence)?;
                    span.fmt(f)?;
                }
                Place::Env(name) => writeln!(f, "environment variable {name}: {}", mistake.sentence)?,
                Place::Flag("--config") => writeln!(f, "{file}: {}", mistake.sentence)?,
                Place::Flag(flag) => writeln!(f, "flag {flag}: {}", mistake.sentence)?,
            }
            if let Some(hint) = &mistake.hint {
                writeln!(f, "  = {hint}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        let before: String = self.excerpt.chars().take(self.column - 1).map(blank).collect();
        let marks: String = self.excerpt.chars().skip(self.column - 1).take(self.width).map(mark).collect();
        let marks = if marks.is_empty() { "^".to_owned() } else { marks };
        writeln!(f, "{gutter} |\n{number} | {}\n{gutter} | {before}{marks}", self.excerpt)
    }
}

/// White as wide as `c` on a terminal: Chinese takes two columns.
fn blank(c: char) -> char {
    match c {
        '\t' => '\t',
        c if wide(c) => '\u{3000}',
        _ => ' ',
    }
}

fn mark(c: char) -> &'static str {
    if wide(c) { "^^" } else { "^" }
}

/// East Asian Wide, near enough for laying out lines: CJK, kana, hangul and full-width forms.
pub(crate) fn wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe4f}' | '\u{ff00}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{20000}'..='\u{3fffd}')
}
