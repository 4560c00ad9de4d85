//! What comes out of a file: blocks, in reading order.

use serde::{Deserialize, Serialize};

/// A piece of a document that stands by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Page, slide or sheet, from 1; `None` where the format has none or does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    #[serde(flatten)]
    pub kind: Kind,
    /// The whole text; of a table the cells, a tab between them and a line each row.
    pub text: String,
    /// Where it stands on its page, where that is known.
    #[serde(default, rename = "box", skip_serializing_if = "Option::is_none")]
    pub area: Option<Area>,
}

/// What a block is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kind {
    /// `level` counts from 1.
    Heading {
        level: u8,
    },
    Paragraph,
    /// `level` counts from 0, one for each indentation.
    ListItem {
        level: u8,
    },
    /// Cells of merged ones are empty but for the first.
    Table {
        rows: Vec<Vec<String>>,
    },
    Code,
    /// Said beside the text; it follows what it belongs to.
    Note {
        of: Note,
    },
}

/// Kinds of notes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Note {
    Comment,
    Footnote,
    Endnote,
    Speaker,
}

/// Left, top, right, bottom in points (1/72 inch) from the page's upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Area(pub f32, pub f32, pub f32, pub f32);

impl Block {
    /// A block without a page.
    pub fn new(kind: Kind, text: impl Into<String>) -> Block {
        Block { page: None, kind, text: text.into(), area: None }
    }

    /// A table with its text.
    pub fn table(rows: Vec<Vec<String>>) -> Block {
        let lines: Vec<String> = rows.iter().map(|row| row.join("\t")).collect();
        Block::new(Kind::Table { rows }, lines.join("\n"))
    }

    #[must_use]
    pub fn on(mut self, page: impl Into<Option<u32>>) -> Block {
        self.page = page.into();
        self
    }

    #[must_use]
    pub fn at(mut self, area: Area) -> Block {
        self.area = Some(area);
        self
    }
}
