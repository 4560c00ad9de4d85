//! Files of people in, blocks of text out. A file is hostile until it has been read: [`extract`] is called by `portico extract`, a
//! process that has given up what it does not need ([`confine`]), and the portal calls it by way of [`Extractor`], with a clock.
//!
//! It cuts no text into passages and knows no index; that is somebody else's business. A new format is one file in `formats/` and
//! one line in `formats.rs`.

mod block;
mod child;
mod confine;
mod error;
mod formats;
pub mod limits;
mod out;
mod text;

pub use block::{Area, Block, Kind, Note};
pub use child::Extractor;
pub use confine::{Confined, confine};
pub use error::Error;
pub use formats::{FORMATS, Format};
pub use out::Out;

/// Reads a file, whatever its name was: its first bytes say what it is. Blocks go to `out` in reading order, as they are found.
///
/// # Errors
/// Why it cannot be read, or `out`'s own error. What went out before stays.
pub fn extract(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    let format = formats::of(&bytes)?;
    format.read(bytes, out)?;
    out.finish()
}

/// The same, but of a PDF the parts of its lines as they stand on the page, instead of paragraphs and tables: for whoever reads a form.
///
/// # Errors
/// As [`extract`].
pub fn extract_lines(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    let format = formats::of(&bytes)?;
    format.read_lines(bytes, out)?;
    out.finish()
}

/// The same of a file that somebody calls a table: plain text is read as separated values, though its rows may not be even.
///
/// # Errors
/// As [`extract`].
pub fn extract_table(bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
    let format = formats::of(&bytes)?;
    format.read_table(bytes, out)?;
    out.finish()
}
