//! Files that are broken, or made to break a reader: each ends in blocks or a sentence, soon, and without a panic.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use documents::Error;

use crate::{FIXTURES, fixture, package, read};

/// Longer than any of these may take, unoptimised and beside other tests.
const SOON: Duration = Duration::from_secs(20);

/// Blocks or a sentence; how it ended.
fn ends(name: &str, bytes: Vec<u8>) -> &'static str {
    let began = Instant::now();
    let done = catch_unwind(AssertUnwindSafe(|| read(bytes)));
    assert!(began.elapsed() < SOON, "{name} took {:?}", began.elapsed());
    match done {
        Ok(Ok(blocks)) => {
            assert!(!blocks.is_empty(), "{name}");
            "read"
        }
        Ok(Err(error)) => {
            assert!(error.to_string().len() > 10, "{name}: {error}");
            error.code()
        }
        Err(_) => panic!("{name}: a panic"),
    }
}

/// A generator of numbers (xorshift64*), the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % end
    }
}

#[test]
fn a_file_cut_anywhere_is_blocks_or_a_sentence() {
    for name in FIXTURES {
        let whole = fixture(name);
        for cut in 0..50 {
            let end = whole.len() * cut / 50;
            let how = ends(&format!("{name} cut at {end}"), whole[..end].to_vec());
            if !name.ends_with(".pdf") {
                // The directory of a package stands at its end.
                assert_eq!(how, if end == 0 { "unsupported" } else { "damaged" }, "{name} cut at {end}");
            }
        }
    }
}

#[test]
fn bytes_turned_over_are_blocks_or_a_sentence() {
    let mut dice = Dice(0x5eed_5eed);
    for name in FIXTURES {
        let whole = fixture(name);
        for round in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..=round {
                let at = dice.below(bytes.len());
                bytes[at] = dice.below(256) as u8;
            }
            ends(&format!("{name}, round {round}"), bytes);
        }
    }
}

#[test]
fn texts_of_any_bytes_are_blocks_or_a_sentence() {
    let mut dice = Dice(7);
    let pieces = [
        "<table><tr><td>",
        "</table>",
        "|a|b|\n|-|-|\n",
        "# x\n",
        "\"",
        ",",
        "\n",
        "\t",
        "&#x41;",
        "&",
        "<",
        "甲",
        "\u{c}",
        "```",
        "- ",
        "a\n=\n",
    ];
    for head in ["<html>", "# a\n", "a,b\n1,2\n", "", "%PDF-1.4\n", "PK\u{3}\u{4}"] {
        for _ in 0..100 {
            let mut text = head.to_owned();
            for _ in 0..dice.below(60) {
                text.push_str(pieces[dice.below(pieces.len())]);
            }
            ends(&text.clone(), text.into_bytes());
        }
    }
}

#[test]
fn an_encrypted_pdf_says_so() {
    assert_eq!(read(fixture("encrypted.pdf")), Err(Error::Encrypted));
}

/// A Word file with this text of its document.
fn word(document: &[u8]) -> Vec<u8> {
    package(&[("word/document.xml", document)])
}

#[test]
fn what_unpacks_to_too_much_is_refused() {
    let zeros = vec![b' '; 65 << 20];
    let bomb = word(&zeros);
    assert!(bomb.len() < 1 << 20, "{}", bomb.len());
    assert_eq!(ends("a bomb", bomb), "too_large");
    let sheets = package(&[("xl/workbook.xml", b"<workbook/>"), ("xl/worksheets/sheet1.xml", &zeros)]);
    assert_eq!(ends("a bomb of a sheet", sheets), "too_large");
}

#[test]
fn elements_inside_each_other_have_an_end() {
    let deep = format!("<d>{}", "<tbl><tr><tc><p>".repeat(100_000));
    assert_eq!(ends("tables in tables", word(deep.as_bytes())), "too_large");
    let page = format!("<html>{}", "<table><tr><td>x".repeat(100_000));
    assert_eq!(ends("tables in a page", page.into_bytes()), "too_large");
}

#[test]
fn entities_of_a_document_are_not_expanded() {
    let bomb = "<!DOCTYPE d [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\"><!ENTITY f SYSTEM \"file:///etc/passwd\">]>\
                <d><p><r><t>x&b;&f;y</t></r></p></d>";
    let blocks = read(word(bomb.as_bytes())).expect("blocks");
    assert_eq!(blocks[0].text, "xy");
}

#[test]
fn what_is_no_document_is_named() {
    for (bytes, why) in [
        (Vec::new(), "it is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0\0".to_vec(), "it is none of pdf, docx, xlsx, pptx, html, csv, markdown, text"),
        (package(&[("a.txt", b"a")]), "it is an archive; send the files in it one by one"),
    ] {
        assert_eq!(read(bytes), Err(Error::Unsupported(why.to_owned())));
    }
    let old: Vec<u8> = [0xd0, 0xcf, 0x11, 0xe0].into_iter().chain([0; 600]).collect();
    assert_eq!(ends("an old Word file", old.clone()), "unsupported");
    let name = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes);
    assert_eq!(read(old.into_iter().chain(name).collect()), Err(Error::Encrypted));
}
