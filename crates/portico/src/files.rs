//! The files that people upload, as the house joins them: where they lie, what looks at them first, and what reads them (the
//! documents' extractor, in a process of its own).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use documents::{Area, Block, Error, Extractor, Kind};
use domain::{Attachment, BoxFuture, Passage, Unread};
use egress::Clamd;
use rustix::fs::{MemfdFlags, memfd_create};
use server::UploadLimits;
use store::{Store, Uploads};
use tokio::sync::Semaphore;
use tools::{As, Piece};

use crate::config::Config;

/// How many files of all people are read at the same time: each may take a processor and gibibytes of memory.
const AT_ONCE: usize = 2;

/// Where they lie.
pub(crate) fn folder(config: &Config) -> PathBuf {
    config.files.folder.clone().unwrap_or_else(|| config.data.join("uploads"))
}

pub(crate) fn open(config: &Config, store: Store) -> anyhow::Result<Uploads> {
    let folder = folder(config);
    Uploads::open(store, folder.clone()).with_context(|| format!("the folder of uploads {}", folder.display()))
}

pub(crate) fn limits(config: &Config) -> UploadLimits {
    UploadLimits { largest: config.files.largest_bytes, per_person: config.files.per_person_bytes }
}

pub(crate) fn scanner(config: &Config) -> anyhow::Result<Option<Clamd>> {
    let scanner = config.files.clamd.clone();
    if let Some(far) = scanner.as_ref().filter(|scanner| config.egress.offline && !scanner.is_here()) {
        anyhow::bail!("files.clamd is {far}, which is not this machine, and offline nothing else is reached");
    }
    Ok(scanner)
}

/// What reads them: for the turns of people, and for plugins of the house. Both wait for the same places.
pub(crate) fn readers() -> anyhow::Result<(Box<dyn chat::Reader>, Arc<dyn tools::Documents>)> {
    let program = std::env::current_exe().context("the path of this program")?;
    let reading = Reading { extractor: Extractor::new(program), turn: Arc::new(Semaphore::new(AT_ONCE)) };
    Ok((Box::new(reading.clone()), Arc::new(reading)))
}

#[derive(Debug, Clone)]
struct Reading {
    extractor: Extractor,
    turn: Arc<Semaphore>,
}

impl chat::Reader for Reading {
    fn read(&self, file: File) -> BoxFuture<'_, Result<Vec<Passage>, Unread>> {
        Box::pin(async move {
            let _turn = self.turn.acquire().await;
            let pages = pages(self.extractor.extract(file).await.map_err(unread)?);
            if pages.iter().all(|page| page.text.trim().is_empty()) {
                let reason = "the file has no text that can be read: it may be a scan, or empty".to_owned();
                return Err(Unread { code: "file_no_text", reason });
            }
            Ok(pages)
        })
    }

    fn table(&self, file: File) -> BoxFuture<'_, Result<Vec<Vec<String>>, Unread>> {
        Box::pin(self.first_table(file))
    }
}

impl Reading {
    /// The first table of a file, put together where it is so long that it is told in pieces; of a workbook its first sheet.
    async fn first_table(&self, file: File) -> Result<Vec<Vec<String>>, Unread> {
        let _turn = self.turn.acquire().await;
        let blocks = self.extractor.clone().table().extract(file).await.map_err(unread)?;
        let mut of = None;
        let mut all = Vec::new();
        for block in blocks {
            match block.kind {
                Kind::Table { rows } if of.is_none_or(|page| page == block.page) => {
                    of = Some(block.page);
                    all.extend(rows);
                }
                // What stands behind it is another table's.
                _ if of.is_some() => break,
                _ => {}
            }
        }
        Ok(all)
    }
}

impl tools::Documents for Reading {
    fn read<'a>(&'a self, file: &'a Attachment, how: As) -> BoxFuture<'a, Result<Vec<Piece>, Unread>> {
        Box::pin(async move {
            let _turn = self.turn.acquire().await;
            let file = in_memory(&file.bytes).map_err(|error| unread(Error::Failed(error.to_string())))?;
            let extractor = match how {
                As::Blocks => self.extractor.clone(),
                As::Lines => self.extractor.clone().lines(),
            };
            Ok(extractor.extract(file).await.map_err(unread)?.into_iter().map(piece).collect())
        })
    }
}

/// A file without a name and a place, for a process that is handed nothing else.
fn in_memory(bytes: &[u8]) -> std::io::Result<File> {
    let mut file = File::from(memfd_create("portico-file", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file)
}

fn piece(block: Block) -> Piece {
    let Block { page, kind, text, area } = block;
    let area = area.map(|Area(x0, y0, x1, y1)| [x0, y0, x1, y1]);
    let heading = matches!(kind, Kind::Heading { .. });
    let item = matches!(kind, Kind::ListItem { .. });
    let rows = if let Kind::Table { rows } = kind { rows } else { Vec::new() };
    Piece { page, text, area, heading, item, rows }
}

/// Blocks page by page, an empty line between two of them. A page comes where its first block does.
fn pages(blocks: Vec<Block>) -> Vec<Passage> {
    let mut pages: Vec<Passage> = Vec::new();
    let mut places: BTreeMap<Option<u32>, usize> = BTreeMap::new();
    for Block { page, text, .. } in blocks {
        match places.get(&page).and_then(|at| pages.get_mut(*at)) {
            Some(known) => {
                known.text.push_str("\n\n");
                known.text.push_str(&text);
            }
            None => {
                places.insert(page, pages.len());
                pages.push(Passage { page, text });
            }
        }
    }
    pages
}

fn unread(error: Error) -> Unread {
    let code = match &error {
        Error::Encrypted => "file_encrypted",
        Error::Damaged(_) => "file_damaged",
        Error::TooLarge(_) => "file_too_large",
        Error::Unsupported(_) => "file_unsupported",
        Error::TimedOut(_) => "file_timed_out",
        Error::Failed(_) => {
            tracing::error!(%error, "the reader of files did not run");
            "file_failed"
        }
    };
    Unread { code, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use documents::Kind;

    use super::*;

    #[test]
    fn blocks_are_joined_page_by_page() {
        let block = |page, text: &str| Block::new(Kind::Paragraph, text).on(page);
        let read = pages(vec![block(Some(1), "甲"), block(Some(2), "乙"), block(Some(1), "note")]);
        let told: Vec<_> = read.iter().map(|page| (page.page, page.text.as_str())).collect();
        assert_eq!(told, [(Some(1), "甲\n\nnote"), (Some(2), "乙")]);
        assert_eq!(pages(vec![block(None, "a"), block(None, "b")])[0].text, "a\n\nb");
    }
}
