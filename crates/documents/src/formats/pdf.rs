//! PDF (ISO 32000): hayro interprets the pages, and what it would draw is looked at: which glyphs stand where, and which lines are
//! ruled. Reading order, paragraphs, columns and tables are put together from that; a PDF does not tell.

mod columns;
mod glyphs;
mod lines;
mod paragraphs;
mod ruled;

use std::sync::Arc;

use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use hayro_interpret::{Context, InterpreterCache, InterpreterSettings, interpret_page};

use crate::{Area, Error, Out, limits};
use glyphs::Page;

/// Pages after which what was learned of fonts is forgotten, so that it does not grow with the file.
const FORGET: usize = 100;
/// Vertical lines of a form: more is a drawing.
const WALLS: usize = 200;

pub(super) fn is(bytes: &[u8]) -> bool {
    // Readers look for the mark in the first kilobyte.
    bytes.windows(5).take(1024).any(|part| part == b"%PDF-")
}

pub(super) fn read(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    pages(bytes, out, blocks)
}

/// The parts of lines where they stand: for forms, whose fields no paragraph and no table holds together.
pub(super) fn read_lines(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    pages(bytes, out, |page| {
        let mut walls: Vec<ruled::Wall> = page.rules.iter().filter_map(ruled::Wall::of).collect();
        if walls.len() > WALLS {
            walls.clear();
        }
        let mut lines = lines::between(page.glyphs, &walls);
        lines.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
        let block = |line: lines::Line| {
            crate::Block::new(crate::Kind::Paragraph, line.text).at(area(line.x0, line.top, line.x1, line.y))
        };
        lines.into_iter().map(block).collect()
    })
}

fn pages(bytes: Vec<u8>, out: &mut Out<'_>, blocks: fn(Page) -> Vec<crate::Block>) -> Result<(), Error> {
    let pdf = Pdf::new(Arc::new(bytes)).map_err(error)?;
    let pages = pdf.pages();
    if pages.len() > limits::PAGES {
        return Err(Error::TooLarge(format!("it has more than {} pages", limits::PAGES)));
    }
    if pages.is_empty() {
        return Err(Error::damaged("it has no pages"));
    }
    let mut cache = InterpreterCache::new();
    for (index, page) in pages.iter().enumerate() {
        if index % FORGET == FORGET - 1 {
            cache = InterpreterCache::new();
        }
        let transform = glyphs::upright(page);
        let (width, height) = page.render_dimensions();
        let area = hayro_interpret::kurbo::Rect::new(0.0, 0.0, f64::from(width), f64::from(height));
        let mut context = Context::new(transform, area, &cache, pdf.xref(), InterpreterSettings::default());
        let mut seen = Page::default();
        interpret_page(page, &mut context, &mut seen);
        if seen.glyphs.len() >= limits::GLYPHS {
            return Err(Error::TooLarge(format!("page {} has more than {} characters", index + 1, limits::GLYPHS)));
        }
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        for block in blocks(seen) {
            out.push(block.on(number))?;
        }
    }
    Ok(())
}

/// What a page says, in reading order.
fn blocks(page: Page) -> Vec<crate::Block> {
    let (tables, glyphs) = ruled::tables(&page.rules, page.glyphs);
    let mut lines = lines::of(glyphs);
    let body = paragraphs::body_size(&lines);
    lines.extend(tables.into_iter().map(lines::Line::of_table));
    let mut blocks = Vec::new();
    for column in columns::in_order(lines) {
        paragraphs::of(column, body, &mut blocks);
    }
    blocks
}

fn area(x0: f64, y0: f64, x1: f64, y1: f64) -> Area {
    let tenth = |value: f64| (value * 10.0).round() as f32 / 10.0;
    Area(tenth(x0), tenth(y0), tenth(x1), tenth(y1))
}

fn error(error: LoadPdfError) -> Error {
    match error {
        LoadPdfError::Decryption(DecryptionError::PasswordProtected) => Error::Encrypted,
        LoadPdfError::Decryption(_) => Error::Unsupported("it is encrypted in a way that is not known here".to_owned()),
        LoadPdfError::Invalid => Error::damaged("its directory of objects cannot be read"),
    }
}
