//! Lines of a column to blocks: paragraphs, headings, list items, and tables that are ruled by nothing but their gaps.

use super::area;
use super::lines::Line;
use crate::text::join;
use crate::{Block, Kind};

/// How much larger than the body a heading is, for levels 3, 2 and 1.
const HEADINGS: [f64; 3] = [1.15, 1.35, 1.7];
/// A paragraph ends where the distance to the next line grows by so much.
const PITCH: f64 = 1.35;

/// The size that most letters have.
pub(super) fn body_size(lines: &[Line]) -> f64 {
    let mut sizes: Vec<(f64, usize)> = lines.iter().map(|line| (line.size, line.text.chars().count())).collect();
    sizes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = sizes.iter().map(|(_, letters)| letters).sum::<usize>() / 2;
    let mut before = 0;
    for (size, letters) in sizes {
        before += letters;
        if before > half {
            return size;
        }
    }
    0.0
}

/// The blocks of a column, or of what stands across.
pub(super) fn of(lines: Vec<Line>, body: f64, blocks: &mut Vec<Block>) {
    let right = lines.iter().map(|line| line.x1).fold(0.0, f64::max);
    let left = lines.iter().map(|line| line.x0).fold(f64::INFINITY, f64::min);
    let mut rows = rows(lines).into_iter().peekable();
    let pitch = |a: &Line, b: &Line| b.y - a.y;
    let mut open: Option<Open> = None;
    while let Some(mut row) = rows.next() {
        if row.len() > 1 && rows.peek().is_some_and(|next| next.len() > 1) {
            let mut table = vec![row];
            while let Some(next) = rows.next_if(|next| next.len() > 1) {
                table.push(next);
            }
            close(&mut open, body, blocks);
            blocks.push(gaps(table));
            continue;
        }
        let Some(mut line) = row.pop() else { continue };
        while let Some(before) = row.pop() {
            line.text = format!("{}  {}", before.text, line.text);
            (line.x0, line.top) = (line.x0.min(before.x0), line.top.min(before.top));
        }
        if let Some(rows) = line.table.take() {
            close(&mut open, body, blocks);
            blocks.push(Block::table(rows).at(area(line.x0, line.top, line.x1, line.y)));
            continue;
        }
        let goes_on = open.as_ref().is_some_and(|open| {
            let last = &open.last;
            let usual = open.pitch.unwrap_or(1.9 * last.size);
            let full = last.x1 > right - 2.5 * last.size;
            let ended = last.text.ends_with(['。', '！', '？', '.', '!', '?']);
            // After one line it may be that which hangs out.
            let indented = line.x0 > left.max(open.left) + 0.8 * line.size && (open.lines > 1 || ended);
            (last.size - line.size).abs() < 0.12 * last.size
                && pitch(last, &line) < PITCH * usual
                && full
                && !indented
                && !is_item(&line.text)
        });
        match &mut open {
            Some(open) if goes_on => open.add(line),
            _ => {
                close(&mut open, body, blocks);
                open = Some(Open::new(line));
            }
        }
    }
    close(&mut open, body, blocks);
}

/// A paragraph that is not at its end.
struct Open {
    text: String,
    last: Line,
    lines: usize,
    /// Where its lines begin, but the first.
    left: f64,
    pitch: Option<f64>,
    x0: f64,
    x1: f64,
    top: f64,
}

impl Open {
    fn new(line: Line) -> Open {
        let (x0, x1, top) = (line.x0, line.x1, line.top);
        Open { text: line.text.clone(), lines: 1, left: x0, pitch: None, x0, x1, top, last: line }
    }

    fn add(&mut self, line: Line) {
        join(&mut self.text, &line.text);
        self.lines += 1;
        self.left = if self.lines == 2 { line.x0 } else { self.left.min(line.x0) };
        self.pitch = Some(line.y - self.last.y);
        (self.x0, self.x1) = (self.x0.min(line.x0), self.x1.max(line.x1));
        self.last = line;
    }
}

fn close(open: &mut Option<Open>, body: f64, blocks: &mut Vec<Block>) {
    let Some(open) = open.take() else { return };
    let above = HEADINGS.iter().filter(|more| open.last.size > **more * body).count();
    let kind = match above {
        _ if is_item(&open.text) && above == 0 => Kind::ListItem { level: 0 },
        0 => Kind::Paragraph,
        above => Kind::Heading { level: u8::try_from(4 - above).unwrap_or(3) },
    };
    let bottom = open.last.y + 0.2 * open.last.size;
    blocks.push(Block::new(kind, open.text).at(area(open.x0, open.top, open.x1, bottom)));
}

/// Begins with a bullet, or a short number.
fn is_item(text: &str) -> bool {
    let mut chars = text.chars();
    match chars.next() {
        Some('•' | '·' | '▪' | '■' | '●' | '○' | '◦' | '‣' | '\u{f0b7}' | '➢' | '✓' | '–') => true,
        Some('（' | '(') => {
            let inside: Vec<char> = chars.take_while(|c| !matches!(c, '）' | ')')).take(4).collect();
            !inside.is_empty()
                && inside.len() < 4
                && inside.iter().all(|c| c.is_ascii_digit() || "一二三四五六七八九十".contains(*c))
        }
        Some(digit) if digit.is_ascii_digit() => {
            let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
            text.len() - rest.len() <= 2
                && (rest.starts_with(['、', '．']) || rest.starts_with(". ") || rest.starts_with(") "))
        }
        _ => false,
    }
}

/// Parts of lines that stand beside each other.
fn rows(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let mut rows: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        let beside = rows.last().and_then(|row| row.last()).is_some_and(|last| {
            last.table.is_none() && line.table.is_none() && (line.y - last.y).abs() < 0.4 * line.size.min(last.size)
        });
        match rows.last_mut() {
            Some(row) if beside => row.push(line),
            _ => rows.push(vec![line]),
        }
    }
    for row in &mut rows {
        row.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    }
    rows
}

/// A table by its gaps: parts that overlap from row to row are a column.
fn gaps(table: Vec<Vec<Line>>) -> Block {
    let mut columns: Vec<(f64, f64)> = Vec::new();
    let mut parts: Vec<(f64, f64)> = table.iter().flatten().map(|line| (line.x0, line.x1)).collect();
    parts.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (x0, x1) in parts {
        match columns.last_mut() {
            Some(last) if x0 < last.1 => last.1 = last.1.max(x1),
            _ => columns.push((x0, x1)),
        }
    }
    let (mut x0, mut x1, mut y0, mut y1) = (f64::INFINITY, 0.0_f64, f64::INFINITY, 0.0_f64);
    let mut rows = Vec::new();
    for row in table {
        let mut cells = vec![String::new(); columns.len()];
        for line in row {
            (x0, x1) = (x0.min(line.x0), x1.max(line.x1));
            (y0, y1) = (y0.min(line.top), y1.max(line.y + 0.2 * line.size));
            let at = columns.iter().position(|column| line.x0 >= column.0 && line.x0 < column.1).unwrap_or(0);
            if let Some(cell) = cells.get_mut(at) {
                join(cell, &line.text);
            }
        }
        rows.push(cells);
    }
    Block::table(rows).at(area(x0, y0, x1, y1))
}
