//! Markdown, as far as its blocks go (CommonMark's headings, lists, fences, quotes, and GitHub's tables). Marks inside a line stay:
//! a model reads them as well as we do.

use crate::{Block, Error, Kind, Out, text};

pub(super) fn is(bytes: &[u8]) -> bool {
    if !text::is_text(bytes) {
        return false;
    }
    let head = text::decode(&bytes[..bytes.len().min(64 << 10)]);
    let heading = |line: &str| heading(line).is_some();
    let fence = |line: &str| line.starts_with("```");
    head.lines().any(|line| heading(line) || fence(line) || is_rule_of_table(line)) || links(&head)
}

fn links(head: &str) -> bool {
    head.match_indices("](").any(|(at, _)| head[..at].contains('[') && head[at..].contains(')'))
}

pub(super) fn read(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    let text = text::decode(&bytes);
    drop(bytes);
    let mut lines = text.lines().peekable();
    let mut open: Option<Block> = None;
    while let Some(line) = lines.next() {
        let bare = line.trim();
        if let Some(fence) = ["```", "~~~"].into_iter().find(|fence| bare.starts_with(fence)) {
            close(&mut open, out)?;
            let code: Vec<&str> = lines.by_ref().take_while(|line| !line.trim_start().starts_with(fence)).collect();
            out.push(Block::new(Kind::Code, code.join("\n")))?;
        } else if let Some((level, title)) = heading(line) {
            close(&mut open, out)?;
            out.push(Block::new(Kind::Heading { level }, title))?;
        } else if bare.contains('|') && lines.peek().is_some_and(|next| is_rule_of_table(next)) {
            close(&mut open, out)?;
            let mut rows = vec![cells(bare)];
            lines.next();
            while let Some(row) = lines.next_if(|line| line.contains('|')) {
                rows.push(cells(row));
            }
            out.push(Block::table(rows))?;
        } else if let Some((level, item)) = item(line) {
            close(&mut open, out)?;
            open = Some(Block::new(Kind::ListItem { level }, item));
        } else if bare.is_empty() || is_rule(bare) {
            close(&mut open, out)?;
        } else if let Some(level) =
            underline(bare).filter(|_| matches!(&open, Some(Block { kind: Kind::Paragraph, .. })))
        {
            if let Some(block) = &mut open {
                block.kind = Kind::Heading { level };
            }
            close(&mut open, out)?;
        } else {
            let line = bare.trim_start_matches(['>', ' ']);
            match &mut open {
                Some(block) => text::join(&mut block.text, line),
                None => open = Some(Block::new(Kind::Paragraph, line)),
            }
        }
    }
    close(&mut open, out)
}

fn close(open: &mut Option<Block>, out: &mut Out<'_>) -> Result<(), Error> {
    open.take().map_or(Ok(()), |block| out.push(block))
}

/// `## Title ##`.
fn heading(line: &str) -> Option<(u8, &str)> {
    let title = line.trim_start_matches('#');
    let level = u8::try_from(line.len() - title.len()).ok().filter(|level| (1..=6).contains(level))?;
    (title.is_empty() || title.starts_with([' ', '\t'])).then(|| (level, title.trim().trim_end_matches('#').trim_end()))
}

/// The line under a title.
fn underline(line: &str) -> Option<u8> {
    let made_of = |c: char| line.len() >= 2 && line.chars().all(|one| one == c);
    if made_of('=') { Some(1) } else { made_of('-').then_some(2) }
}

fn is_rule(line: &str) -> bool {
    ['*', '_'].into_iter().any(|c| line.len() >= 3 && line.chars().all(|one| one == c || one == ' '))
}

/// `|---|:-:|`.
fn is_rule_of_table(line: &str) -> bool {
    line.contains('|') && line.contains('-') && line.trim().chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

fn cells(row: &str) -> Vec<String> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = row.strip_suffix('|').unwrap_or(row);
    row.replace("\\|", "\u{1}").split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// `- item`, `* item`, `3. item`. A number stays, since it may be referred to.
fn item(line: &str) -> Option<(u8, &str)> {
    let bare = line.trim_start();
    let wide: usize = line[..line.len() - bare.len()].chars().map(|c| if c == '\t' { 4 } else { 1 }).sum();
    let level = u8::try_from(wide / 2).unwrap_or(u8::MAX);
    for mark in ["- ", "* ", "+ "] {
        if let Some(item) = bare.strip_prefix(mark) {
            return Some((level, item.trim()));
        }
    }
    let after = bare.trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = bare.len() - after.len();
    let numbered = (1..=9).contains(&digits) && (after.starts_with(". ") || after.starts_with(") "));
    numbered.then(|| (level, bare.trim_end()))
}
