//! What a file is, by its bytes: what it is called, or said to be, is only somebody's word. It says what a browser and a model may
//! be told; whether a reader understands the file shows when it is read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// How much of the beginning is looked at, and of the end, where a ZIP has its list of names.
const HEAD: u64 = 64 << 10;
const TAIL: u64 = 1 << 20;

const UNKNOWN: &str = "application/octet-stream";

/// What files begin with.
const BEGINNINGS: [(&[u8], &str); 12] = [
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"\x1f\x8b", "application/gzip"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x7fELF", UNKNOWN),
    (b"MZ", UNKNOWN),
    (b"ID3", "audio/mpeg"),
    (b"OggS", "application/ogg"),
];

/// A part that only such a package has.
const PACKAGES: [(&str, &str); 4] = [
    ("word/document.xml", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xl/workbook.", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt/presentation.xml", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
    ("META-INF/container.xml", "application/epub+zip"),
];

/// Its media type; leaves the file wherever it looked last.
pub(super) fn of(file: &mut File) -> io::Result<&'static str> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut at = |from: u64, most: u64| -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(from))?;
        file.take(most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let head = at(0, HEAD)?;
    let tail = if head.starts_with(b"PK\x03\x04") { at(size.saturating_sub(TAIL), TAIL)? } else { Vec::new() };
    Ok(told(&head, &tail, size))
}

fn told(head: &[u8], tail: &[u8], size: u64) -> &'static str {
    if let Some((_, kind)) = BEGINNINGS.iter().find(|(beginning, _)| head.starts_with(beginning)) {
        return kind;
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return "image/webp";
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WAVE") {
        return "audio/wav";
    }
    // Readers look for this mark in the first kilobyte.
    if has(&head[..head.len().min(1024)], b"%PDF-") {
        return "application/pdf";
    }
    if head.starts_with(b"PK\x03\x04") {
        let package = PACKAGES.iter().find(|(part, _)| has(tail, part.as_bytes()) || has(head, part.as_bytes()));
        return package.map_or("application/zip", |(_, kind)| kind);
    }
    if !is_text(head, size) {
        return UNKNOWN;
    }
    let beginning: Vec<u8> = head.iter().take(512).map(u8::to_ascii_lowercase).collect();
    let page = has(&beginning, b"<!doctype html") || has(&beginning, b"<html");
    if page { "text/html" } else { "text/plain" }
}

/// Text of any of the usual encodings: UTF-16 says so itself, all others have no zeroes and few control characters.
fn is_text(head: &[u8], size: u64) -> bool {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return true;
    }
    let control = |byte: &&u8| matches!(byte, 1..=8 | 14..=26 | 28..=31 | 127);
    size > 0 && !head.contains(&0) && head.iter().filter(control).count() * 100 <= head.len()
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_what_a_file_is() {
        let check = |bytes: &[u8], kind: &str| {
            let tail = &bytes[bytes.len().saturating_sub(64)..];
            assert_eq!(told(bytes, tail, bytes.len() as u64), kind, "{}", String::from_utf8_lossy(bytes));
        };
        check(b"%PDF-1.7\n", "application/pdf");
        check(b"junk before it %PDF-1.4", "application/pdf");
        check(b"\x89PNG\r\n\x1a\n....", "image/png");
        check(b"RIFF....WEBPVP8 ", "image/webp");
        check(b"PK\x03\x04.....word/document.xml", PACKAGES[0].1);
        check(b"PK\x03\x04.....xl/workbook.xml", PACKAGES[1].1);
        check(b"PK\x03\x04.....whatever", "application/zip");
        check("合同编号,金额\n1,2\n".as_bytes(), "text/plain");
        check(b"\xba\xcf\xcd\xac\xb1\xe0\xba\xc5", "text/plain");
        check(b"\xff\xfeh\0i\0", "text/plain");
        check(b"\xef\xbb\xbf<!DOCTYPE html><title>x</title>", "text/html");
        check(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "text/plain");
        check(b"\x7fELF\x02\x01\x01", UNKNOWN);
        check(b"a\0b", UNKNOWN);
        check(b"", UNKNOWN);
    }
}
