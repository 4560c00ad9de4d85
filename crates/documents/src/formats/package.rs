//! The ZIP behind the Office formats: parts by their names, and no more bytes out of it than the limits allow, whatever its
//! directory promises.

use std::collections::HashMap;
use std::io::{Cursor, Read as _};

use zip::ZipArchive;
use zip::result::ZipError;

use super::xml::{Bit, Reader};
use crate::{Error, limits};

/// An open package.
pub(super) struct Package {
    zip: ZipArchive<Cursor<Vec<u8>>>,
    left: u64,
}

impl Package {
    pub(super) fn open(bytes: Vec<u8>) -> Result<Package, Error> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(error)?;
        if zip.len() > limits::PARTS {
            return Err(Error::TooLarge(format!("it is packed of more than {} parts", limits::PARTS)));
        }
        Ok(Package { zip, left: limits::UNPACKED })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.zip.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect()
    }

    /// A part as text; `None` where there is none of this name.
    pub(super) fn part(&mut self, name: &str) -> Result<Option<String>, Error> {
        Ok(self.bytes(name)?.map(|bytes| crate::text::decode(&bytes)))
    }

    /// A part that a file of this format must have.
    pub(super) fn needed(&mut self, name: &str) -> Result<String, Error> {
        self.part(name)?.ok_or_else(|| Error::damaged(format_args!("{name} is missing")))
    }

    fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let file = match self.zip.by_name(name) {
            Err(ZipError::FileNotFound) => return Ok(None),
            file => file.map_err(error)?,
        };
        let most = limits::PART.min(self.left);
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes).map_err(Error::damaged)?;
        if bytes.len() as u64 > most {
            return Err(unpacks_to_too_much());
        }
        self.left -= bytes.len() as u64;
        Ok(Some(bytes))
    }

    /// Unpacks everything once and keeps nothing: for a reader that sets no limits of its own.
    pub(super) fn check_sizes(&mut self) -> Result<(), Error> {
        let mut left = limits::UNPACKED;
        for index in 0..self.zip.len() {
            let file = self.zip.by_index(index).map_err(error)?;
            let most = limits::PART.min(left);
            let read = std::io::copy(&mut file.take(most + 1), &mut std::io::sink()).map_err(Error::damaged)?;
            if read > most {
                return Err(unpacks_to_too_much());
            }
            left -= read;
        }
        Ok(())
    }

    /// What the part `of` refers to: id to (kind, name of the part).
    pub(super) fn relations(&mut self, of: &str) -> Result<HashMap<String, (String, String)>, Error> {
        let (folder, file) = of.rsplit_once('/').unwrap_or(("", of));
        let mut found = HashMap::new();
        let Some(text) = self.part(&format!("{folder}/_rels/{file}.rels"))? else { return Ok(found) };
        let mut xml = Reader::new(&text);
        while let Some(bit) = xml.next()? {
            let Bit::Start(tag) = bit else { continue };
            if let (Some(id), Some(kind), Some(target)) = (tag.get("Id"), tag.get("Type"), tag.get("Target")) {
                let kind = kind.rsplit('/').next().unwrap_or(kind);
                found.insert(id.to_owned(), (kind.to_owned(), resolve(folder, target)));
            }
        }
        Ok(found)
    }

    /// The first part of a kind that `of` refers to.
    pub(super) fn related(&mut self, of: &str, kind: &str) -> Result<Option<String>, Error> {
        Ok(self.relations(of)?.into_values().find(|(of_kind, _)| of_kind == kind).map(|(_, name)| name))
    }
}

/// Whether these bytes are a package with this part. Its name stands in the directory at the end, unpacked.
pub(super) fn has(bytes: &[u8], part: &str) -> bool {
    bytes.starts_with(b"PK\x03\x04")
        && ZipArchive::new(Cursor::new(bytes)).is_ok_and(|zip| zip.index_for_name(part).is_some())
}

/// Why a ZIP is none of our formats.
pub(super) fn what_is_wrong(bytes: &[u8]) -> Error {
    match ZipArchive::new(Cursor::new(bytes)) {
        Err(why) => error(why),
        Ok(_) => Error::Unsupported("it is an archive; send the files in it one by one".to_owned()),
    }
}

fn unpacks_to_too_much() -> Error {
    let (part, all) = (limits::PART >> 20, limits::UNPACKED >> 20);
    Error::TooLarge(format!("a part of it unpacks to more than {part} MiB, or all of it to more than {all} MiB"))
}

fn error(error: ZipError) -> Error {
    match error {
        ZipError::UnsupportedArchive(why) if why == ZipError::PASSWORD_REQUIRED => Error::Encrypted,
        other => Error::damaged(other),
    }
}

/// A target is relative to the folder of what refers to it, or absolute.
fn resolve(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut path: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            ".." => {
                path.pop();
            }
            "." | "" => {}
            name => path.push(name),
        }
    }
    path.join("/")
}
