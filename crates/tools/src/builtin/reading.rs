//! What a file says, for plugins of the house that read files themselves. What opens the file is lent by the house: a process of its
//! own, in which a hostile one does no harm.

use std::fmt;

use domain::{Attachment, BoxFuture, ToolError, Unread};
use serde_json::Value;

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    /// Headings, paragraphs and tables, in reading order.
    Blocks,
    /// Of a PDF the parts of its lines where they stand: a form's fields. Of other files its blocks.
    Lines,
}

/// A piece of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Piece {
    /// From 1; absent where the format has none.
    pub page: Option<u32>,
    /// All that it says.
    pub text: String,
    /// Left, top, right, bottom in points from the page's upper left corner, where that is known.
    pub area: Option<[f32; 4]>,
    /// Whether it is a heading.
    pub heading: bool,
    /// Whether it is an item of a list, whose number a program counts.
    pub item: bool,
    /// Of a table, its cells.
    pub rows: Vec<Vec<String>>,
}

/// Reads files.
pub trait Documents: fmt::Debug + Send + Sync + 'static {
    /// Its pieces in order. Dropping the future ends the work.
    fn read<'a>(&'a self, file: &'a Attachment, how: As) -> BoxFuture<'a, Result<Vec<Piece>, Unread>>;
}

/// The pieces of a file, or why there are none, as a model is told it.
pub(super) async fn read(
    documents: Option<&dyn Documents>,
    file: &Attachment,
    how: As,
) -> Result<Vec<Piece>, ToolError> {
    let documents = documents.ok_or_else(|| failed("this portal has no reader of files"))?;
    documents.read(file, how).await.map_err(|why| failed(&format!("{}: {}", file.name, why.reason)))
}

/// The file of this name, as a person writes it: the whole name, or a part of one alone.
pub(super) fn named<'f>(files: &'f [Attachment], field: &str, name: &str) -> Result<&'f Attachment, ToolError> {
    let wanted = name.trim().to_lowercase();
    let exact = files.iter().rev().find(|file| file.name.to_lowercase() == wanted);
    let mut alike = files.iter().filter(|file| file.name.to_lowercase().contains(&wanted));
    let only = alike.next().filter(|_| alike.next().is_none() && !wanted.is_empty());
    exact.or(only).ok_or_else(|| {
        let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
        let reason = format!("{name:?} is none of the attached files: {}", names.join(", "));
        ToolError::Invalid { field: field.to_owned(), reason }
    })
}

/// The language that a result is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Chinese,
    English,
}

impl Language {
    /// As the argument `language` says; Chinese where it says nothing.
    pub(super) fn of(arguments: &Value) -> Language {
        if arguments["language"] == "en" { Language::English } else { Language::Chinese }
    }

    /// The one of the two.
    pub(super) fn say<T>(self, chinese: T, english: T) -> T {
        match self {
            Language::Chinese => chinese,
            Language::English => english,
        }
    }
}

pub(super) fn failed(reason: &str) -> ToolError {
    ToolError::Failed { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_by_its_name_or_an_unmistakable_part_of_it() {
        let file = |name: &str| Attachment { name: name.into(), media_type: String::new(), bytes: "x".into() };
        let files = ["合同 v1.docx", "合同 v2.docx", "Invoice.PDF"].map(file);
        let found = |name: &str| named(&files, "old", name).map(|file| file.name.clone()).map_err(|e| e.to_string());
        assert_eq!(found("合同 v2.docx").unwrap(), "合同 v2.docx");
        assert_eq!(found("invoice").unwrap(), "Invoice.PDF");
        assert_eq!(
            found("合同").unwrap_err(),
            "old: \"合同\" is none of the attached files: 合同 v1.docx, 合同 v2.docx, Invoice.PDF"
        );
        assert!(found("").is_err());
    }
}
