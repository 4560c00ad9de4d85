//! Glyphs to lines: what stands on one base line, parted where a gap is wider than words have.

use super::glyphs::Glyph;
use super::ruled::{Table, Wall};
use crate::text::is_cjk;

/// A gap of so much of the letter size is a space, and one of so much the end of a line's part.
const SPACE: f64 = 0.16;
const APART: f64 = 1.05;

/// A part of a line, or a table, which stands among them.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) table: Option<Vec<Vec<String>>>,
    pub(super) x0: f64,
    pub(super) x1: f64,
    pub(super) top: f64,
    /// The base line.
    pub(super) y: f64,
    pub(super) size: f64,
}

impl Line {
    pub(super) fn of_table(table: Table) -> Line {
        let Table { rows, x0, y0, x1, y1 } = table;
        Line { text: String::new(), table: Some(rows), x0, x1, top: y0, y: y1, size: 0.0 }
    }
}

/// Lines from top to bottom, the parts of one from left to right.
pub(super) fn of(glyphs: Vec<Glyph>) -> Vec<Line> {
    between(glyphs, &[])
}

/// The same, parted at these walls also, however near the letters on both sides are.
pub(super) fn between(mut glyphs: Vec<Glyph>, walls: &[Wall]) -> Vec<Line> {
    glyphs.sort_by(|a, b| a.y.total_cmp(&b.y));
    let mut rows: Vec<Vec<Glyph>> = Vec::new();
    for glyph in glyphs {
        match rows.last_mut().and_then(|row| Some((row.last()?.clone(), row))) {
            Some((last, row)) if glyph.y - last.y <= 0.3 * last.size.min(glyph.size) => row.push(glyph),
            _ => rows.push(vec![glyph]),
        }
    }
    let mut lines = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while let Some(mut row) = rows.next() {
        // What is raised or lowered beside larger letters belongs to their line.
        while let Some(next) = rows.next_if(|next| is_raised(&row, next) || is_lowered(&row, next)) {
            row.extend(next);
        }
        parts(row, walls, &mut lines);
    }
    lines
}

/// Whether a row is the superscripts of the next.
fn is_raised(row: &[Glyph], next: &[Glyph]) -> bool {
    let ((y, size), (next_y, next_size)) = (measures(row), measures(next));
    size < 0.8 * next_size && next_y - y < 0.6 * next_size
}

/// Whether the next row is the subscripts of this one.
fn is_lowered(row: &[Glyph], next: &[Glyph]) -> bool {
    let ((y, size), (next_y, next_size)) = (measures(row), measures(next));
    next_size < 0.8 * size && next_y - y < 0.35 * size
}

/// The lowest base line and the largest letter of a row.
fn measures(row: &[Glyph]) -> (f64, f64) {
    row.iter().fold((0.0, 0.0), |(y, size): (f64, f64), glyph| (y.max(glyph.y), size.max(glyph.size)))
}

fn parts(mut row: Vec<Glyph>, walls: &[Wall], lines: &mut Vec<Line>) {
    row.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    let mut part: Vec<Glyph> = Vec::new();
    for glyph in row {
        if glyph.text.trim().is_empty() && !part.is_empty() {
            // It is part of the line, and so is its width, once: more spaces than that are a gap.
            if let Some(last) = part.last_mut()
                && !last.text.ends_with([' ', '\u{3000}'])
                && glyph.x0 < last.x1 + last.size
            {
                last.text.push(if glyph.text.contains('\u{3000}') { '\u{3000}' } else { ' ' });
                last.x1 = last.x1.max(glyph.x1);
            }
            continue;
        }
        if glyph.text.trim().is_empty() {
            continue;
        }
        if let Some(last) = part.last() {
            // Drawn twice to look bold.
            let same = last.text.trim_end() == glyph.text && (glyph.x0 - last.x0).abs() < 0.2 * glyph.size;
            if same {
                continue;
            }
            let walled = walls.iter().any(|wall| wall.parts(last, &glyph));
            if walled || glyph.x0 - last.x1 > APART * last.size.max(glyph.size) {
                lines.extend(line(std::mem::take(&mut part)));
            }
        }
        part.push(glyph);
    }
    lines.extend(line(part));
}

fn line(part: Vec<Glyph>) -> Option<Line> {
    let first = part.first()?;
    let mut sizes: Vec<f64> = part.iter().map(|glyph| glyph.size).collect();
    sizes.sort_by(f64::total_cmp);
    let size = sizes[sizes.len() / 2];
    let mut bases: Vec<f64> = part.iter().map(|glyph| glyph.y).collect();
    bases.sort_by(f64::total_cmp);
    let y = bases[bases.len() / 2];
    let (mut x0, mut x1, mut text) = (first.x0, first.x1, String::new());
    let mut end = first.x0;
    for glyph in &part {
        if let (Some(last), Some(next)) = (text.chars().next_back(), glyph.text.chars().next())
            && glyph.x0 - end > SPACE * size
            && !last.is_whitespace()
            // Justified Chinese has gaps that mean nothing.
            && !(is_cjk(last) && is_cjk(next) && glyph.x0 - end < size)
        {
            text.push(' ');
        }
        text.push_str(&glyph.text);
        end = glyph.x1;
        (x0, x1) = (x0.min(glyph.x0), x1.max(glyph.x1));
    }
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(Line { text, table: None, x0, x1, top: y - 0.85 * size, y, size })
}
