//! Word (ECMA-376 part 1, WordprocessingML): the text as it stands after all changes are accepted, headings by their styles, lists,
//! tables, text boxes, and notes after what they belong to. Numbers that Word counts by itself are not in the file and not in the text.

mod story;
mod styles;

use std::collections::HashMap;

use super::package::{self, Package};
use crate::{Block, Error, Kind, Note, Out};
use story::Story;
use styles::Styles;

const DOCUMENT: &str = "word/document.xml";

pub(super) fn is(bytes: &[u8]) -> bool {
    package::has(bytes, DOCUMENT)
}

pub(super) fn read(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    let mut package = Package::open(bytes)?;
    let document = package.needed(DOCUMENT)?;
    let styles = match package.part("word/styles.xml")? {
        Some(text) => Styles::read(&text)?,
        None => Styles::default(),
    };
    let mut notes = HashMap::new();
    for (of, part) in [
        (Note::Comment, "word/comments.xml"),
        (Note::Footnote, "word/footnotes.xml"),
        (Note::Endnote, "word/endnotes.xml"),
    ] {
        if let Some(text) = package.part(part)? {
            for (id, text) in notes_of(&text, &styles)? {
                notes.insert((of_name(of), id), (of, text));
            }
        }
    }
    drop(package);
    // Only Word itself writes where its pages ended; a file without that has no pages that we know.
    let paged = document.contains("lastRenderedPageBreak");
    let mut page = 1_u32;
    Story::new(&document, &styles).blocks(&mut |piece| {
        let first = page + piece.pages_before;
        page = first + piece.pages_inside;
        out.push(Block { page: paged.then_some(first), ..piece.block })?;
        for reference in piece.notes {
            if let Some((of, text)) = notes.remove(&reference) {
                out.push(Block::new(Kind::Note { of }, text).on(paged.then_some(page)))?;
            }
        }
        Ok(())
    })
}

/// The element that refers to a note of this kind.
fn of_name(of: Note) -> &'static str {
    match of {
        Note::Footnote => "footnoteReference",
        Note::Endnote => "endnoteReference",
        Note::Comment | Note::Speaker => "commentReference",
    }
}

/// The notes of a part, by their ids.
fn notes_of(text: &str, styles: &Styles) -> Result<Vec<(String, String)>, Error> {
    let mut found: Vec<(String, String)> = Vec::new();
    Story::new(text, styles).blocks(&mut |piece| {
        let Some(id) = piece.note else { return Ok(()) };
        match found.last_mut().filter(|(last, _)| *last == id) {
            Some((_, text)) => {
                text.push('\n');
                text.push_str(&piece.block.text);
            }
            None => found.push((id, piece.block.text)),
        }
        Ok(())
    })?;
    Ok(found)
}
