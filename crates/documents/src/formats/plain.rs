//! Plain text: paragraphs between empty lines.

use crate::{Block, Error, Kind, Out, text};

/// A text where most lines are a paragraph of their own has no empty lines to go by.
const LONG: usize = 60;

pub(super) fn read(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    let text = text::decode(&bytes);
    drop(bytes);
    // A form feed is where a printer takes a new page.
    let paged = text.contains('\u{c}');
    for (page, part) in (1_u32..).zip(text.split('\u{c}')) {
        for paragraph in paragraphs(part) {
            out.push(Block::new(Kind::Paragraph, paragraph).on(paged.then_some(page)))?;
        }
    }
    Ok(())
}

fn paragraphs(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let full = lines.iter().filter(|line| !line.trim().is_empty());
    let (count, long) = full.fold((0, 0), |(n, long), line| (n + 1, long + usize::from(line.chars().count() > LONG)));
    let wrapped = lines.iter().any(|line| line.trim().is_empty()) && long * 4 < count * 3;
    let mut found = vec![String::new()];
    for line in lines {
        match found.last_mut() {
            Some(last) if !line.trim().is_empty() && (last.is_empty() || wrapped) => {
                if !last.is_empty() {
                    last.push('\n');
                }
                last.push_str(line.trim_end());
            }
            _ => found.push(line.trim_end().to_owned()),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_between_empty_lines() {
        let found: Vec<String> = paragraphs("one\ntwo\n\nthree\n").into_iter().filter(|one| !one.is_empty()).collect();
        assert_eq!(found, ["one\ntwo", "three"]);
        let found: Vec<String> = paragraphs("第一条\n第二条\n").into_iter().filter(|one| !one.is_empty()).collect();
        assert_eq!(found, ["第一条", "第二条"]);
    }
}
