//! Comma-separated values (RFC 4180) as spreadsheets write them: quoted fields with line ends in them, `;` or a tab instead of
//! the comma. It knows records and their lines, not what a column means.

/// A record, and the line (from 1) that it begins on.
pub(super) struct Record {
    pub(super) line: u32,
    pub(super) fields: Vec<String>,
}

/// A quoted field that never ends; the line where it begins.
pub(super) struct Unclosed(pub(super) u32);

/// Every record but the empty lines.
pub(super) fn records(text: &str) -> Result<Vec<Record>, Unclosed> {
    let separator = separator(text);
    let mut records = Vec::new();
    let mut letters = text.chars().peekable();
    let (mut line, mut began) = (1, 1);
    let (mut fields, mut field) = (Vec::new(), String::new());
    let mut quoted_since = None;
    loop {
        let letter = letters.next();
        match (letter, quoted_since) {
            (None, Some(since)) => return Err(Unclosed(since)),
            (Some('"'), Some(_)) if letters.peek() == Some(&'"') => {
                letters.next();
                field.push('"');
            }
            (Some('"'), Some(_)) => quoted_since = None,
            (Some('"'), None) if field.trim().is_empty() => {
                field.clear();
                quoted_since = Some(line);
            }
            (Some(letter), Some(_)) => field.push(letter),
            (Some('\r'), None) if letters.peek() == Some(&'\n') => {}
            (Some('\n') | None, None) => {
                fields.push(std::mem::take(&mut field));
                if fields.iter().any(|field| !field.trim().is_empty()) {
                    records.push(Record { line: began, fields: std::mem::take(&mut fields) });
                }
                fields.clear();
                if letter.is_none() {
                    return Ok(records);
                }
                began = line + 1;
            }
            (Some(letter), None) if letter == separator => fields.push(std::mem::take(&mut field)),
            (Some(letter), None) => field.push(letter),
        }
        line += u32::from(letter == Some('\n'));
    }
}

/// The one that the first line has most of, outside of quotes.
fn separator(text: &str) -> char {
    let head = text.lines().next().unwrap_or_default();
    let bare: String = head.split('"').step_by(2).collect();
    let count = |separator: &char| bare.matches(*separator).count();
    [',', ';', '\t'].into_iter().rev().max_by_key(count).unwrap_or(',')
}
