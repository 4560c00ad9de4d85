//! Documents through the front door of the crate: what comes out of files as people have them, and of such as are broken.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail a test by panicking")]

mod hostile;
mod reading;

use documents::{Block, Error, Out};

/// The blocks of a file, or why there are none.
fn read(bytes: Vec<u8>) -> Result<Vec<Block>, Error> {
    let mut blocks = Vec::new();
    let mut take = |block: Block| {
        blocks.push(block);
        Ok(())
    };
    documents::extract(bytes, &mut Out::new(&mut take))?;
    Ok(blocks)
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).expect(&path)
}

/// All fixtures; made by `make-fixtures.sh`.
const FIXTURES: [&str; 6] =
    ["contract.docx", "contract.pdf", "columns.pdf", "encrypted.pdf", "staff.xlsx", "lesson.pptx"];

/// An Office file of these parts.
fn package(parts: &[(&str, &[u8])]) -> Vec<u8> {
    use std::io::Write as _;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("a part begins");
        zip.write_all(bytes).expect("a part is written");
    }
    zip.finish().expect("a package is written").into_inner()
}
