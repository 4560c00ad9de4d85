//! The file of a backup: lines of JSON under gzip, the last one with the count and the SHA-256 of all before it. No SQL here.
//! gzip (flate2, pure Rust) rather than zstd: one C library less, and every machine can look inside with `zcat`.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use domain::Timestamp;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::BackupSummary;
use crate::Error;

const FORMAT: &str = "portico.backup.1";

/// The first line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Header {
    format: String,
    pub(super) schema: i64,
    pub(super) at: Timestamp,
}

impl Header {
    pub(super) fn new(schema: i64, at: Timestamp) -> Header {
        Header { format: FORMAT.to_owned(), schema, at }
    }
}

/// The last line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct End {
    rows: u64,
    sha256: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    Row(Vec<Value>),
    Table { table: String, columns: Vec<String> },
    Header(Header),
    End(End),
}

/// Writes beside `file` and takes its name at the end.
pub(super) struct Writer {
    file: PathBuf,
    part: PathBuf,
    out: GzEncoder<BufWriter<File>>,
    sum: Sha256,
    buffer: Vec<u8>,
    rows: u64,
}

impl Writer {
    pub(super) fn create(file: &Path, header: &Header) -> Result<Writer, Error> {
        let mut part = file.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let out = File::create(&part).map_err(|error| Error::file(&part, error))?;
        let out = GzEncoder::new(BufWriter::new(out), Compression::fast());
        let mut writer = Writer { file: file.to_owned(), part, out, sum: Sha256::new(), buffer: Vec::new(), rows: 0 };
        writer.add(&Line::Header(header.clone()))?;
        Ok(writer)
    }

    pub(super) async fn line(&mut self, line: &Line) -> Result<(), Error> {
        self.add(line)?;
        if self.buffer.len() < 1 << 18 {
            return Ok(());
        }
        self.flush()?;
        // A backup shares the machine with the turns that run.
        tokio::task::yield_now().await;
        Ok(())
    }

    pub(super) async fn finish(mut self) -> Result<BackupSummary, Error> {
        self.flush()?;
        let sum = std::mem::take(&mut self.sum);
        self.add(&Line::End(End { rows: self.rows, sha256: hex(sum) }))?;
        self.flush()?;
        let path = self.file.clone();
        let Writer { file, part, out, rows, .. } = self;
        let keep = move || -> std::io::Result<u64> {
            let out = out.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            out.sync_all()?;
            std::fs::rename(&part, &file)?;
            Ok(out.metadata()?.len())
        };
        let bytes = tokio::task::spawn_blocking(keep).await.map_err(|_| Error::Closed)?;
        Ok(BackupSummary { rows, bytes: bytes.map_err(|error| Error::file(&path, error))? })
    }

    fn add(&mut self, line: &Line) -> Result<(), Error> {
        self.rows += u64::from(matches!(line, Line::Row(_)));
        serde_json::to_writer(&mut self.buffer, line)
            .map_err(|error| Error::Corrupt { what: format!("a row cannot be written as JSON: {error}") })?;
        self.buffer.push(b'\n');
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.sum.update(&self.buffer);
        let written = self.out.write_all(&self.buffer);
        self.buffer.clear();
        written.map_err(|error| Error::file(&self.part, error))
    }
}

/// Reads line by line.
pub(super) struct Reader {
    path: PathBuf,
    lines: BufReader<GzDecoder<File>>,
    text: String,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Reader, Error> {
        let file = File::open(path).map_err(|error| Error::file(path, error))?;
        Ok(Reader { path: path.to_owned(), lines: BufReader::new(GzDecoder::new(file)), text: String::new() })
    }

    pub(super) fn next(&mut self) -> Result<Option<Line>, Error> {
        self.text.clear();
        let read = self.lines.read_line(&mut self.text).map_err(|error| damaged(&self.path, &error.to_string()))?;
        if read == 0 {
            return Ok(None);
        }
        serde_json::from_str(&self.text).map(Some).map_err(|error| damaged(&self.path, &error.to_string()))
    }
}

/// Reads the whole file once: what is restored has to be what was written.
pub(super) async fn verify(path: &Path) -> Result<Header, Error> {
    let path = path.to_owned();
    tokio::task::spawn_blocking(move || read_through(&path)).await.map_err(|_| Error::Closed)?
}

fn read_through(path: &Path) -> Result<Header, Error> {
    let mut reader = Reader::open(path)?;
    let Some(Line::Header(header)) = reader.next()? else { return Err(damaged(path, "it is not a backup")) };
    if header.format != FORMAT {
        return Err(damaged(path, &format!("its format is {:?}, not {FORMAT:?}", header.format)));
    }
    let mut sum = Sha256::new();
    let mut rows = 0;
    loop {
        sum.update(reader.text.as_bytes());
        match reader.next()? {
            Some(Line::Row(_)) => rows += 1,
            Some(Line::End(end)) if end.rows == rows && end.sha256 == hex(sum.clone()) => return Ok(header),
            Some(Line::End(_)) => return Err(damaged(path, "its checksum does not match")),
            Some(_) => {}
            None => return Err(damaged(path, "it ends too early")),
        }
    }
}

fn damaged(path: &Path, why: &str) -> Error {
    Error::Corrupt { what: format!("{} cannot be restored: {why}", path.display()) }
}

fn hex(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
