//! PowerPoint (ECMA-376 part 1, PresentationML): slide by slide in the order of the show, each with its comments and its speaker's
//! notes.

use super::package::{self, Package};
use super::xml::{Bit, Reader, Tag};
use crate::{Block, Error, Kind, Note, Out, limits};

const SHOW: &str = "ppt/presentation.xml";

pub(super) fn is(bytes: &[u8]) -> bool {
    package::has(bytes, SHOW)
}

pub(super) fn read(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    let mut package = Package::open(bytes)?;
    for (page, slide) in (1_u32..).zip(slides(&mut package)?) {
        let text = package.needed(&slide)?;
        for block in shapes(&text, false)? {
            out.push(block.on(page))?;
        }
        for (of, relation) in [(Note::Comment, "comments"), (Note::Speaker, "notesSlide")] {
            let Some(part) = package.related(&slide, relation)? else { continue };
            let text = package.needed(&part)?;
            let notes = if of == Note::Comment { comments(&text)? } else { vec![spoken(&text)?] };
            for note in notes {
                out.push(Block::new(Kind::Note { of }, note).on(page))?;
            }
        }
    }
    Ok(())
}

/// The parts of the slides in the order of the show.
fn slides(package: &mut Package) -> Result<Vec<String>, Error> {
    let show = package.needed(SHOW)?;
    let relations = package.relations(SHOW)?;
    let mut found = Vec::new();
    let mut xml = Reader::new(&show);
    while let Some(bit) = xml.next()? {
        let Bit::Start(tag) = bit else { continue };
        if tag.name == "sldId"
            && let Some((_, part)) = tag.exactly("r:id").and_then(|id| relations.get(id))
        {
            found.push(part.clone());
        }
        if found.len() > limits::PAGES {
            return Err(Error::TooLarge(format!("it has more than {} slides", limits::PAGES)));
        }
    }
    Ok(found)
}

/// What a shape is for.
#[derive(Clone, Copy, PartialEq)]
enum Role {
    Title,
    Body,
    /// Number, date and foot of a slide.
    Furniture,
    Free,
}

fn role(tag: &Tag) -> Role {
    match tag.get("type") {
        Some("title" | "ctrTitle") => Role::Title,
        Some("sldNum" | "dt" | "ftr" | "hdr" | "sldImg") => Role::Furniture,
        None | Some("body" | "obj") => Role::Body,
        Some(_) => Role::Free,
    }
}

/// The text of a slide, or of the body of its notes.
fn shapes(text: &str, notes: bool) -> Result<Vec<Block>, Error> {
    let mut blocks = Vec::new();
    let mut table: Option<Vec<Vec<String>>> = None;
    let (mut role_now, mut level, mut paragraph, mut is_text) = (Role::Free, 0, String::new(), false);
    let mut xml = Reader::new(text);
    while let Some(bit) = xml.next()? {
        match bit {
            Bit::Start(tag) => match tag.name.as_str() {
                "Fallback" => xml.skip()?,
                "sp" => role_now = Role::Free,
                "ph" => role_now = role(&tag),
                "p" => (level, paragraph) = (0, String::new()),
                "pPr" => level = tag.number("lvl").and_then(|level| u8::try_from(level).ok()).unwrap_or(0),
                "t" => is_text = true,
                "br" => paragraph.push('\n'),
                "tbl" => table = Some(Vec::new()),
                "tr" => table.iter_mut().for_each(|rows| rows.push(Vec::new())),
                "tc" => {
                    if let Some(row) = table.as_mut().and_then(|rows| rows.last_mut()) {
                        row.push(String::new());
                    }
                }
                _ => {}
            },
            Bit::Text(text) if is_text => paragraph.push_str(&text),
            Bit::Text(_) => {}
            Bit::End(name) => match name.as_str() {
                "t" => is_text = false,
                "p" => {
                    let text = std::mem::take(&mut paragraph);
                    if let Some(cell) = table.as_mut().and_then(|rows| rows.last_mut()).and_then(|row| row.last_mut()) {
                        if !cell.is_empty() {
                            cell.push('\n');
                        }
                        cell.push_str(text.trim());
                        continue;
                    }
                    let kind = match role_now {
                        Role::Furniture => continue,
                        _ if notes && role_now != Role::Body => continue,
                        Role::Title => Kind::Heading { level: 1 },
                        Role::Body if !notes => Kind::ListItem { level },
                        _ => Kind::Paragraph,
                    };
                    blocks.push(Block::new(kind, text));
                }
                "tbl" => blocks.extend(table.take().map(Block::table)),
                _ => {}
            },
        }
    }
    Ok(blocks)
}

fn spoken(text: &str) -> Result<String, Error> {
    let lines: Vec<String> = shapes(text, true)?.into_iter().map(|block| block.text).collect();
    Ok(lines.join("\n"))
}

fn comments(text: &str) -> Result<Vec<String>, Error> {
    let (mut found, mut open) = (Vec::new(), None);
    let mut xml = Reader::new(text);
    while let Some(bit) = xml.next()? {
        match bit {
            Bit::Start(tag) if tag.name == "text" => open = Some(String::new()),
            Bit::Text(text) => open.iter_mut().for_each(|open: &mut String| open.push_str(&text)),
            Bit::End(name) if name == "text" => found.extend(open.take()),
            _ => {}
        }
    }
    Ok(found)
}
