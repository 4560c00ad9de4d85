//! Tables of separated values (RFC 4180), with a comma, a semicolon or a tab.

use crate::{Block, Error, Out, limits, text};

/// Rows that are looked at to tell a table from prose.
const LOOK: usize = 20;

pub(super) fn is(bytes: &[u8]) -> bool {
    if !text::is_text(bytes) {
        return false;
    }
    let head = text::decode(&bytes[..bytes.len().min(64 << 10)]);
    let cut = bytes.len() > 64 << 10;
    separator(&head, cut).is_some()
}

pub(super) fn read(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    let text = text::decode(&bytes);
    drop(bytes);
    let separator = separator(&text, false).unwrap_or_else(|| in_heading(&text));
    let mut rows = Rows { rest: &text, separator };
    loop {
        let mut some = Vec::new();
        while some.len() < limits::ROWS {
            let Some(row) = rows.next()? else { break };
            if row.iter().any(|cell| !cell.is_empty()) {
                some.push(row);
            }
        }
        if some.is_empty() {
            return Ok(());
        }
        out.push(Block::table(some))?;
    }
}

/// The character that parts every row of the beginning into the same number of cells, at least two.
fn separator(text: &str, cut: bool) -> Option<char> {
    let even = |separator: &char| {
        let mut rows = Rows { rest: text, separator: *separator };
        let mut widths = Vec::new();
        while widths.len() < LOOK {
            let row = rows.next().ok().flatten();
            // The last row of what was cut off may be half a row.
            if row.is_none() || (cut && rows.rest.is_empty()) {
                break;
            }
            widths.extend(row.filter(|row| row.iter().any(|cell| !cell.is_empty())).map(|row| row.len()));
        }
        widths.len() >= 2 && widths[0] >= 2 && widths.iter().all(|width| *width == widths[0])
    };
    ['\t', ',', ';'].into_iter().find(even)
}

/// The character that parts the heading into the most cells, where rows are not even: a table all the same, if somebody says so.
fn in_heading(text: &str) -> char {
    let cells = |separator: &char| {
        let heading = Rows { rest: text, separator: *separator }.next();
        heading.ok().flatten().map_or(0, |row| row.len())
    };
    // Of equal ones the last counts: a heading without any has one cell, whatever parts it.
    ['\t', ';', ','].into_iter().max_by_key(cells).unwrap_or(',')
}

/// Rows of a text.
struct Rows<'a> {
    rest: &'a str,
    separator: char,
}

impl Rows<'_> {
    fn next(&mut self) -> Result<Option<Vec<String>>, Error> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let mut row = Vec::new();
        loop {
            let (cell, ends) = self.cell();
            row.push(cell);
            if row.len() > limits::COLUMNS {
                return Err(Error::TooLarge(format!("a row has more than {} columns", limits::COLUMNS)));
            }
            if ends {
                return Ok(Some(row));
            }
        }
    }

    /// The next cell, and whether its row ends with it.
    fn cell(&mut self) -> (String, bool) {
        let mut cell = String::new();
        let mut rest = self.rest;
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            while let Some(at) = rest.find('"') {
                cell.push_str(&rest[..at]);
                rest = &rest[at + 1..];
                match rest.strip_prefix('"') {
                    Some(more) => {
                        cell.push('"');
                        rest = more;
                    }
                    None => break,
                }
            }
        }
        let end = rest.find([self.separator, '\n', '\r']).unwrap_or(rest.len());
        cell.push_str(&rest[..end]);
        rest = &rest[end..];
        let ends = !rest.starts_with(self.separator);
        rest = match rest.strip_prefix("\r\n") {
            Some(rest) => rest,
            None => {
                let mut chars = rest.chars();
                chars.next();
                chars.as_str()
            }
        };
        self.rest = rest;
        (cell.trim().to_owned(), ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_told_from_prose() {
        for (text, separator) in [
            ("姓名,部门\n张三,法务\n", Some(',')),
            ("a;b\n1,5;2\n", Some(';')),
            ("a\tb\n1\t2", Some('\t')),
            ("\"a, b\",c\n\"x \"\"y\"\"\",z", Some(',')),
            ("Well, this is prose.\nIt has, as prose does, commas.\n", None),
            ("one line, only", None),
        ] {
            assert_eq!(super::separator(text, false), separator, "{text}");
        }
    }

    #[test]
    fn a_table_whose_rows_are_not_even_is_parted_as_its_heading() {
        for (text, separator) in
            [("a;b;c\n1;2\n", ';'), ("a\tb\n1", '\t'), ("a, b\n1,2,3\n", ','), ("text\none, two\n", ',')]
        {
            assert_eq!(in_heading(text), separator, "{text}");
        }
    }

    #[test]
    fn quotes_hold_anything() {
        let mut rows = Rows { rest: "\"a\n\"\"b\"\"\",2\r\n3,4", separator: ',' };
        assert_eq!(rows.next().unwrap(), Some(vec!["a\n\"b\"".to_owned(), "2".to_owned()]));
        assert_eq!(rows.next().unwrap(), Some(vec!["3".to_owned(), "4".to_owned()]));
        assert_eq!(rows.next().unwrap(), None);
    }
}
