//! Every figure that a file may not exceed.

use std::time::Duration;

/// Bytes of a file.
pub const FILE: u64 = 256 << 20;
/// Bytes of one packed part (a slide, a sheet) when it is unpacked, and of all of a file together.
pub const PART: u64 = 64 << 20;
pub const UNPACKED: u64 = 256 << 20;
/// Parts of a packed file.
pub const PARTS: usize = 20_000;
/// Elements inside each other.
pub const DEPTH: usize = 256;
/// Pages, slides or sheets.
pub const PAGES: usize = 10_000;
/// Glyphs of one PDF page: more than any page that is read.
pub const GLYPHS: usize = 200_000;
/// Rows of one block of a table; a longer one is several blocks.
pub const ROWS: usize = 500;
/// Columns of a table: what Excel has.
pub const COLUMNS: usize = 16_384;
/// Bytes of all blocks together.
pub const OUTPUT: usize = 64 << 20;
/// Address space of the process that reads, in bytes. The binary itself maps some hundred MiB.
pub const MEMORY: u64 = 2 << 30;
/// Its processor time, and the time that whoever waits for it waits.
pub const CPU: Duration = Duration::from_secs(60);
pub const WALL: Duration = Duration::from_secs(120);
