//! The formats, one file each. What a file is, its bytes say; its name is not asked.

mod csv;
mod docx;
mod html;
mod markdown;
mod package;
mod pdf;
mod plain;
mod pptx;
mod xlsx;
mod xml;

use crate::{Error, Out, limits, text};

/// A format: how its files are recognised, and what reads them.
pub struct Format {
    pub name: &'static str,
    is: fn(&[u8]) -> bool,
    read: fn(Vec<u8>, &mut Out<'_>) -> Result<(), Error>,
}

/// All of them; the first that recognises a file reads it.
pub static FORMATS: [Format; 8] = [
    Format { name: "pdf", is: pdf::is, read: pdf::read },
    Format { name: "docx", is: docx::is, read: docx::read },
    Format { name: "xlsx", is: xlsx::is, read: xlsx::read },
    Format { name: "pptx", is: pptx::is, read: pptx::read },
    Format { name: "html", is: html::is, read: html::read },
    Format { name: "csv", is: csv::is, read: csv::read },
    Format { name: "markdown", is: markdown::is, read: markdown::read },
    Format { name: "text", is: text::is_text, read: plain::read },
];

impl Format {
    pub(crate) fn read(&self, bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
        (self.read)(bytes, out)
    }

    /// What somebody calls a table is one, also where plain text does not look like it.
    pub(crate) fn read_table(&self, bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
        match self.name {
            "markdown" | "text" => csv::read(bytes, out),
            _ => (self.read)(bytes, out),
        }
    }

    /// Only a PDF knows where its lines stand; of the others these are the blocks.
    pub(crate) fn read_lines(&self, bytes: Vec<u8>, out: &mut Out<'_>) -> Result<(), Error> {
        match self.name {
            "pdf" => pdf::read_lines(bytes, out),
            _ => (self.read)(bytes, out),
        }
    }
}

/// The format of these bytes.
pub(crate) fn of(bytes: &[u8]) -> Result<&'static Format, Error> {
    if bytes.len() as u64 > limits::FILE {
        return Err(Error::TooLarge(format!("it has more than {} MiB", limits::FILE >> 20)));
    }
    if bytes.is_empty() {
        return Err(Error::Unsupported("it is empty".to_owned()));
    }
    FORMATS.iter().find(|format| (format.is)(bytes)).ok_or_else(|| unknown(bytes))
}

/// Why nothing here reads it.
fn unknown(bytes: &[u8]) -> Error {
    if bytes.starts_with(b"PK") {
        return package::what_is_wrong(bytes);
    }
    if bytes.starts_with(&[0xd0, 0xcf, 0x11, 0xe0]) {
        // An Office file with a password is such a container, with one stream of this name.
        let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
        if bytes.windows(name.len()).any(|part| part == name) {
            return Error::Encrypted;
        }
        let why = "it comes from an Office before 2007; save it as .docx, .xlsx or .pptx and send it again";
        return Error::Unsupported(why.to_owned());
    }
    let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
    Error::Unsupported(format!("it is none of {}", names.join(", ")))
}
