//! `portico extract` as the portal uses it: a hostile file costs a process and a while, and comes back as blocks or a sentence of a
//! class.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use documents::{Block, Error, Extractor, Kind, limits};

const FIXTURES: [&str; 6] =
    ["contract.docx", "contract.pdf", "columns.pdf", "encrypted.pdf", "staff.xlsx", "lesson.pptx"];

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/../documents/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a file");
    file.write_all(bytes).expect("it is written");
    file.rewind().expect("it is read from its beginning");
    file
}

fn extractor() -> Extractor {
    Extractor::new(env!("CARGO_BIN_EXE_portico"))
}

fn verb(name: &str, bytes: &[u8]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file");
    Command::new(env!("CARGO_BIN_EXE_portico")).arg("extract").arg(&path).output().expect("portico runs")
}

/// A PDF of so many pages with a line of text on each.
fn pdf(pages: usize) -> Vec<u8> {
    let mut objects = vec!["<</Type/Catalog/Pages 2 0 R>>".to_owned(), String::new()];
    objects.push("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>".to_owned());
    let mut kids = String::new();
    for page in 1..=pages {
        let at = objects.len() + 1;
        let _ = write!(kids, "{at} 0 R ");
        let text = format!("BT /F 12 Tf 72 720 Td (This is page {page}.) Tj ET");
        objects.push(format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F 3 0 R>>>>/Contents {} 0 R>>",
            at + 1
        ));
        objects.push(format!("<</Length {}>>stream\n{text}\nendstream", text.len()));
    }
    objects[1] = format!("<</Type/Pages/Count {pages}/Kids[{kids}]>>");
    let (mut out, mut table) = (String::from("%PDF-1.4\n"), String::new());
    for (index, object) in objects.iter().enumerate() {
        let _ = writeln!(table, "{:010} 00000 n ", out.len());
        let _ = write!(out, "{} 0 obj\n{object}\nendobj\n", index + 1);
    }
    let (start, size) = (out.len(), objects.len() + 1);
    let _ = write!(
        out,
        "xref\n0 {size}\n0000000000 65535 f \n{table}trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF"
    );
    out.into_bytes()
}

fn word(document: &[u8]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("word/document.xml", zip::write::SimpleFileOptions::default()).expect("a part begins");
    zip.write_all(document).expect("a part is written");
    zip.finish().expect("a package").into_inner()
}

#[tokio::test]
async fn a_contract_comes_back_as_blocks() {
    let blocks = extractor().extract(file(&fixture("contract.docx"))).await.expect("blocks");
    assert_eq!(blocks[0], Block::new(Kind::Heading { level: 1 }, "设备采购合同"));
    assert!(blocks.iter().any(|block| matches!(&block.kind, Kind::Table { rows } if rows.len() == 4)), "{blocks:?}");
}

#[test]
fn the_verb_writes_a_line_for_each_block() {
    // Neither its name nor its ending says what it is.
    let done = verb("notes.exe", "# 说明\n\n一段文字。\n".as_bytes());
    assert!(done.status.success());
    let text = String::from_utf8(done.stdout).expect("UTF-8");
    assert_eq!(
        text,
        "{\"kind\":\"heading\",\"level\":1,\"text\":\"说明\"}\n{\"kind\":\"paragraph\",\"text\":\"一段文字。\"}\n"
    );
}

#[test]
fn the_verb_writes_to_a_file_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, target) = (folder.path().join("a.txt"), folder.path().join("a.jsonl"));
    std::fs::write(&source, "甲").expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
    command.arg("extract").arg(&source).stdout(File::create(&target).expect("a file"));
    assert!(command.status().expect("portico runs").success());
    assert_eq!(std::fs::read_to_string(&target).expect("lines"), "{\"kind\":\"paragraph\",\"text\":\"甲\"}\n");
}

#[test]
fn what_cannot_be_read_is_a_sentence_and_a_code() {
    for (bytes, code, sentence) in [
        (
            fixture("encrypted.pdf"),
            10,
            "portico: the file is protected by a password; take the password off and send it again",
        ),
        (Vec::new(), 13, "portico: the file cannot be read here: it is empty"),
        (fixture("contract.docx")[..5000].to_vec(), 11, "portico: the file is damaged or cut short: "),
    ] {
        let done = verb("a", &bytes);
        assert_eq!(done.status.code(), Some(code));
        let said = String::from_utf8(done.stderr).expect("UTF-8");
        let last = said.lines().last().expect("a sentence");
        assert!(last.starts_with(sentence), "{last}");
        assert!(done.stdout.is_empty());
    }
}

#[tokio::test]
async fn five_thousand_pages_are_read_within_the_limits() {
    let began = Instant::now();
    let blocks = extractor().extract(file(&pdf(5_000))).await.expect("blocks");
    let pages: Vec<Option<u32>> = blocks.iter().map(|block| block.page).collect();
    assert_eq!(pages, (1..=5_000).map(Some).collect::<Vec<_>>());
    assert_eq!(blocks[4_999].text, "This is page 5000.");
    assert!(began.elapsed() < limits::WALL);
}

#[tokio::test]
async fn a_bomb_is_refused_and_the_next_file_is_read() {
    let bomb = word(&vec![b' '; 65 << 20]);
    assert!(bomb.len() < 1 << 20);
    let extractor = extractor();
    let done = extractor.extract(file(&bomb)).await;
    assert!(matches!(&done, Err(error @ Error::TooLarge(_)) if error.to_string().contains("64 MiB")), "{done:?}");
    assert!(extractor.extract(file("还在".as_bytes())).await.is_ok());
}

#[tokio::test]
async fn broken_files_are_blocks_or_a_sentence_of_the_file() {
    let extractor = extractor();
    for name in FIXTURES {
        let whole = fixture(name);
        for cut in 0..50 {
            let end = whole.len() * cut / 50;
            let mut bytes = whole[..end].to_vec();
            // Half of them with a byte that was turned over as well.
            if let Some(byte) = bytes.get_mut(end / 3).filter(|_| cut % 2 == 1) {
                *byte ^= 0x55;
            }
            match extractor.extract(file(&bytes)).await {
                Ok(blocks) => assert!(!blocks.is_empty(), "{name} cut at {end}"),
                Err(Error::Failed(why)) => panic!("{name} cut at {end}: {why}"),
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    }
}

#[tokio::test]
async fn a_process_that_does_not_end_is_given_up() {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = script(&folder, "exec sleep 60");
    let began = Instant::now();
    let done = Extractor::new(slow).within(Duration::from_millis(300)).extract(file(b"a")).await;
    assert_eq!(done, Err(Error::TimedOut(Duration::from_millis(300))));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn how_a_process_ends_is_the_class_of_the_error() {
    for (ends, code) in [
        ("kill -ABRT $$", "too_large"),
        ("kill -XCPU $$", "timed_out"),
        ("kill -SEGV $$", "damaged"),
        ("exit 101", "failed"),
        ("echo 'portico: the file is damaged or cut short: a part is missing' >&2; exit 11", "damaged"),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let done = Extractor::new(script(&folder, ends)).extract(file(b"a")).await;
        assert_eq!(done.as_ref().map_err(Error::code), Err(code), "{ends}: {done:?}");
    }
}

fn script(folder: &tempfile::TempDir, text: &str) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.path().join("extract.sh");
    std::fs::write(&path, format!("#!/bin/sh\nulimit -c 0\n{text}\n")).expect("a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).expect("a program");
    path
}

#[test]
fn a_file_without_an_end_is_too_large() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
    let done =
        command.args(["extract", "-"]).stdin(File::open("/dev/zero").expect("zeros")).output().expect("portico runs");
    assert_eq!(done.status.code(), Some(12), "{done:?}");
}
