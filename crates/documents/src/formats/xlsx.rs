//! Excel (ECMA-376 part 1, SpreadsheetML): each sheet a heading and its cells, as calamine reads them, cell by cell: a sheet with one
//! cell far out takes no more room than its cells. Of a formula the value that Excel last saw.

use std::io::Cursor;

use calamine::{DataRef, ExcelDateTime, Reader as _, SheetVisible, Xlsx, XlsxError};

use super::package::{self, Package};
use super::xml::{Bit, Reader};
use crate::{Block, Error, Kind, Note, Out, limits};

pub(super) fn is(bytes: &[u8]) -> bool {
    package::has(bytes, "xl/workbook.xml")
}

pub(super) fn read(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    let mut package = Package::open(bytes.clone())?;
    package.check_sizes()?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(error)?;
    let sheets: Vec<String> = book
        .sheets_metadata()
        .iter()
        .filter(|sheet| sheet.visible == SheetVisible::Visible)
        .map(|sheet| sheet.name.clone())
        .collect();
    if sheets.len() > limits::PAGES {
        return Err(Error::TooLarge(format!("it has more than {} sheets", limits::PAGES)));
    }
    for (page, name) in (1_u32..).zip(&sheets) {
        out.push(Block::new(Kind::Heading { level: 1 }, name.as_str()).on(page))?;
        match sheet(&mut book, name, page, out) {
            // A sheet that is a chart.
            Err(XlsxOr::Xlsx(XlsxError::NotAWorksheet(_))) | Ok(()) => {}
            Err(XlsxOr::Xlsx(other)) => return Err(error(other)),
            Err(XlsxOr::Ours(ours)) => return Err(ours),
        }
    }
    for part in package.names() {
        if part.starts_with("xl/comments") && part.ends_with(".xml") {
            let text = package.needed(&part)?;
            for note in comments(&text)? {
                out.push(Block::new(Kind::Note { of: Note::Comment }, note))?;
            }
        }
    }
    Ok(())
}

enum XlsxOr {
    Xlsx(XlsxError),
    Ours(Error),
}

impl From<XlsxError> for XlsxOr {
    fn from(error: XlsxError) -> XlsxOr {
        XlsxOr::Xlsx(error)
    }
}

/// The rows of a sheet that hold something, in tables of at most so many rows.
fn sheet(book: &mut Xlsx<Cursor<Vec<u8>>>, name: &str, page: u32, out: &mut Out<'_>) -> Result<(), XlsxOr> {
    let mut reader = book.worksheet_cells_reader(name)?;
    let mut rows: Vec<Vec<(u32, String)>> = Vec::new();
    let mut last = None;
    while let Some(cell) = reader.next_cell()? {
        let (row, column) = cell.get_position();
        let text = shown(cell.get_value());
        if text.is_empty() || column as usize >= limits::COLUMNS {
            continue;
        }
        if last != Some(row) {
            if rows.len() == limits::ROWS {
                hand(&mut rows, page, out).map_err(XlsxOr::Ours)?;
            }
            rows.push(Vec::new());
            last = Some(row);
        }
        if let Some(row) = rows.last_mut() {
            row.push((column, text));
        }
    }
    hand(&mut rows, page, out).map_err(XlsxOr::Ours)
}

/// Columns that no row of this table uses are left out.
fn hand(rows: &mut Vec<Vec<(u32, String)>>, page: u32, out: &mut Out<'_>) -> Result<(), Error> {
    let mut used: Vec<u32> = rows.iter().flatten().map(|(column, _)| *column).collect();
    used.sort_unstable();
    used.dedup();
    if used.len().saturating_mul(rows.len()) > limits::OUTPUT / 8 {
        return Err(Error::TooLarge("a sheet of it has too many columns".to_owned()));
    }
    let full = |row: Vec<(u32, String)>| {
        let mut cells = vec![String::new(); used.len()];
        for (column, text) in row {
            if let Ok(at) = used.binary_search(&column) {
                cells[at] = text;
            }
        }
        cells
    };
    let table = rows.drain(..).map(full).collect();
    out.push(Block::table(table).on(page))
}

fn shown(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) => number.to_string(),
        DataRef::String(text) => text.trim().to_owned(),
        DataRef::SharedString(text) => text.trim().to_owned(),
        DataRef::Bool(yes) => if *yes { "TRUE" } else { "FALSE" }.to_owned(),
        DataRef::DateTime(moment) => date(moment),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
        DataRef::Empty => String::new(),
    }
}

fn date(moment: &ExcelDateTime) -> String {
    if moment.is_duration() {
        let seconds = (moment.as_f64() * 86_400.0).round() as i64;
        return format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    match (moment.as_f64() < 1.0, (hour, minute, second) == (0, 0, 0)) {
        (true, _) => format!("{hour:02}:{minute:02}:{second:02}"),
        (_, true) => format!("{year:04}-{month:02}-{day:02}"),
        _ => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
    }
}

/// `B2: the text`.
fn comments(text: &str) -> Result<Vec<String>, Error> {
    let (mut found, mut open, mut is_text) = (Vec::new(), None::<String>, false);
    let mut xml = Reader::new(text);
    while let Some(bit) = xml.next()? {
        match bit {
            Bit::Start(tag) if tag.name == "comment" => {
                open = Some(format!("{}: ", tag.get("ref").unwrap_or_default()))
            }
            Bit::Start(tag) if tag.name == "t" => is_text = true,
            Bit::Text(text) if is_text => open.iter_mut().for_each(|open| open.push_str(&text)),
            Bit::End(name) if name == "t" => is_text = false,
            Bit::End(name) if name == "comment" => found.extend(open.take()),
            _ => {}
        }
    }
    Ok(found)
}

fn error(error: XlsxError) -> Error {
    match error {
        XlsxError::Password => Error::Encrypted,
        other => Error::damaged(other),
    }
}
