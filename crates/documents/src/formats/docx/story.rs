//! One part of a Word file that holds text (the document, its notes) as blocks.

use super::Styles;
use crate::formats::xml::{Bit, Reader, Tag};
use crate::{Block, Error, Kind};

/// A block, and what has to be known around it.
pub(super) struct Piece {
    pub(super) block: Block,
    /// The notes it refers to: the element and the id.
    pub(super) notes: Vec<(&'static str, String)>,
    /// The note that it is part of.
    pub(super) note: Option<String>,
    /// Pages that began before its text, and in the middle of it.
    pub(super) pages_before: u32,
    pub(super) pages_inside: u32,
}

type Take<'t> = dyn FnMut(Piece) -> Result<(), Error> + 't;

#[derive(Default)]
struct Paragraph {
    text: String,
    style: Option<String>,
    outline: Option<u8>,
    list: Option<u8>,
    /// Numbering was taken off.
    plain: bool,
}

#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    /// The cell goes on one from above.
    merged: bool,
    span: usize,
}

pub(super) struct Story<'a> {
    xml: Reader<'a>,
    styles: &'a Styles,
    paragraphs: Vec<Paragraph>,
    tables: Vec<Table>,
    notes: Vec<(&'static str, String)>,
    note: Option<String>,
    before: u32,
    inside: u32,
}

impl<'a> Story<'a> {
    pub(super) fn new(text: &'a str, styles: &'a Styles) -> Story<'a> {
        let xml = Reader::new(text);
        Story {
            xml,
            styles,
            paragraphs: Vec::new(),
            tables: Vec::new(),
            notes: Vec::new(),
            note: None,
            before: 0,
            inside: 0,
        }
    }

    pub(super) fn blocks(mut self, take: &mut Take<'_>) -> Result<(), Error> {
        let mut is_text = false;
        while let Some(bit) = self.xml.next()? {
            match bit {
                Bit::Start(tag) if tag.name == "t" => is_text = true,
                Bit::Start(tag) => self.begin(&tag)?,
                Bit::Text(text) if is_text => self.say(&text),
                Bit::End(name) if name == "t" => is_text = false,
                Bit::End(name) => self.end(&name, take)?,
                Bit::Text(_) => {}
            }
        }
        Ok(())
    }

    fn say(&mut self, text: &str) {
        if let Some(paragraph) = self.paragraphs.last_mut() {
            paragraph.text.push_str(text);
        }
    }

    fn begin(&mut self, tag: &Tag) -> Result<(), Error> {
        match tag.name.as_str() {
            // The same again for programs that know less; and what was deleted or moved away.
            "Fallback" | "del" | "moveFrom" | "pPrChange" | "rPrChange" => self.xml.skip()?,
            "p" => self.paragraphs.push(Paragraph::default()),
            "tbl" => self.tables.push(Table::default()),
            "tr" => {
                if let Some(table) = self.tables.last_mut() {
                    table.rows.push(Vec::new());
                }
            }
            "tc" => {
                if let Some(table) = self.tables.last_mut() {
                    (table.merged, table.span) = (false, 1);
                    if let Some(row) = table.rows.last_mut() {
                        row.push(String::new());
                    }
                }
            }
            "gridSpan" => {
                if let Some(table) = self.tables.last_mut() {
                    table.span = tag.number("val").unwrap_or(1).clamp(1, 64);
                }
            }
            "vMerge" => {
                if let Some(table) = self.tables.last_mut() {
                    table.merged = tag.get("val") != Some("restart");
                }
            }
            "comment" | "footnote" | "endnote" => {
                // Separators are notes too, of a type of their own.
                self.note =
                    tag.get("id").filter(|_| tag.get("type").is_none_or(|kind| kind == "normal")).map(str::to_owned);
            }
            "commentReference" => self.refer("commentReference", tag),
            "footnoteReference" => self.refer("footnoteReference", tag),
            "endnoteReference" => self.refer("endnoteReference", tag),
            "lastRenderedPageBreak" => {
                let begun = self.paragraphs.last().is_some_and(|one| !one.text.trim().is_empty());
                let in_table = self.tables.last().is_some_and(|table| !table.rows.is_empty());
                *(if begun || in_table { &mut self.inside } else { &mut self.before }) += 1;
            }
            "tab" | "ptab" => self.say("\t"),
            "br" | "cr" => self.say("\n"),
            "noBreakHyphen" => self.say("-"),
            _ => self.property(tag),
        }
        Ok(())
    }

    fn property(&mut self, tag: &Tag) {
        let Some(paragraph) = self.paragraphs.last_mut() else { return };
        match tag.name.as_str() {
            "pStyle" => paragraph.style = tag.get("val").map(str::to_owned),
            "outlineLvl" => {
                let level = tag.number("val").filter(|level| *level < 9);
                paragraph.outline = level.and_then(|level| u8::try_from(level + 1).ok());
            }
            "numPr" => paragraph.list = Some(0),
            "ilvl" => paragraph.list = tag.number("val").and_then(|level| u8::try_from(level).ok()),
            "numId" => paragraph.plain = tag.get("val") == Some("0"),
            _ => {}
        }
    }

    fn refer(&mut self, element: &'static str, tag: &Tag) {
        if let Some(id) = tag.get("id") {
            self.notes.push((element, id.to_owned()));
        }
    }

    fn end(&mut self, name: &str, take: &mut Take<'_>) -> Result<(), Error> {
        match name {
            "p" => {
                let Some(paragraph) = self.paragraphs.pop() else { return Ok(()) };
                if !self.in_cell(paragraph.text.trim_end()) {
                    let kind = self.kind(&paragraph);
                    self.hand(Block::new(kind, paragraph.text), take)?;
                }
            }
            "tc" => {
                if let Some(table) = self.tables.last_mut()
                    && let Some(row) = table.rows.last_mut()
                {
                    if table.merged
                        && let Some(cell) = row.last_mut()
                    {
                        cell.clear();
                    }
                    row.extend((1..table.span).map(|_| String::new()));
                }
            }
            "tbl" => {
                let Some(table) = self.tables.pop() else { return Ok(()) };
                let block = Block::table(table.rows);
                if !self.in_cell(&block.text) {
                    self.hand(block, take)?;
                }
            }
            "comment" | "footnote" | "endnote" => self.note = None,
            _ => {}
        }
        Ok(())
    }

    /// Text inside a table goes into its cell.
    fn in_cell(&mut self, text: &str) -> bool {
        let Some(table) = self.tables.last_mut() else { return false };
        let Some(cell) = table.rows.last_mut().and_then(|row| row.last_mut()) else { return false };
        if !cell.is_empty() && !text.is_empty() {
            cell.push('\n');
        }
        cell.push_str(text);
        true
    }

    fn kind(&self, paragraph: &Paragraph) -> Kind {
        let style = paragraph.style.as_deref().unwrap_or_default();
        if let Some(level) = paragraph.outline.or_else(|| self.styles.heading(style)) {
            return Kind::Heading { level };
        }
        match paragraph.list.or_else(|| self.styles.list(style)).filter(|_| !paragraph.plain) {
            Some(level) => Kind::ListItem { level },
            None => Kind::Paragraph,
        }
    }

    fn hand(&mut self, block: Block, take: &mut Take<'_>) -> Result<(), Error> {
        let (pages_before, pages_inside) = (std::mem::take(&mut self.before), std::mem::take(&mut self.inside));
        let notes = std::mem::take(&mut self.notes);
        take(Piece { block, notes, note: self.note.clone(), pages_before, pages_inside })
    }
}
