//! Where blocks go, and no more of them than the limit.

use crate::{Block, Error, Kind, limits};

/// Takes the blocks of one file.
pub struct Out<'a> {
    take: &'a mut dyn FnMut(Block) -> Result<(), Error>,
    bytes: usize,
    blocks: usize,
}

impl<'a> Out<'a> {
    pub fn new(take: &'a mut dyn FnMut(Block) -> Result<(), Error>) -> Out<'a> {
        Out { take, bytes: 0, blocks: 0 }
    }

    /// Hands a block on; one without text is none.
    pub(crate) fn push(&mut self, mut block: Block) -> Result<(), Error> {
        // The first cell of a table may be empty.
        let is_table = matches!(block.kind, Kind::Table { .. });
        let text = if is_table { block.text.as_str() } else { block.text.trim() };
        if text.trim().is_empty() {
            return Ok(());
        }
        if text.len() != block.text.len() {
            block.text = text.to_owned();
        }
        // A NUL is no text, and PostgreSQL takes none.
        if block.text.contains('\0') {
            block.text = block.text.replace('\0', "");
        }
        self.bytes = self.bytes.saturating_add(2 * block.text.len() + 64);
        if self.bytes > limits::OUTPUT {
            let most = limits::OUTPUT >> 20;
            return Err(Error::TooLarge(format!("its text takes more than {most} MiB")));
        }
        self.blocks += 1;
        (self.take)(block)
    }

    /// A file without any text is told so.
    pub(crate) fn finish(&self) -> Result<(), Error> {
        if self.blocks > 0 {
            return Ok(());
        }
        Err(Error::Unsupported("it holds no text; pictures of pages (scans) are not read".to_owned()))
    }
}
