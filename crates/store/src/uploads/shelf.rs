//! What is in uploaded files, on the disk: `parts/ID` while one arrives, `ab/DIGEST` when it is complete, and beside it what was
//! read in it. Names on the disk are ids and digests of ours, never a person's. Blocking.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use domain::{Passage, UploadId};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::kind;
use crate::Error;

/// How what was read is kept; another number where it is read in another way, so that it is read anew.
const READ: &str = "read-1.json";

#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
}

/// An upload that is open for its next piece. What was written stays when it is dropped.
#[derive(Debug)]
pub struct Piece {
    out: tokio::fs::File,
    path: PathBuf,
    have: u64,
    total: u64,
}

/// A complete upload whose digest and kind are known. Dropped, it stays where it is.
#[derive(Debug)]
pub struct Checked {
    /// SHA-256 in hexadecimal.
    pub digest: String,
    /// What its bytes say it is.
    pub media_type: String,
    /// Its size.
    pub bytes: u64,
    /// Open at its beginning, for whoever wants to look at it before it is kept.
    pub file: File,
    path: PathBuf,
}

impl Shelf {
    pub(super) fn open(folder: PathBuf) -> Result<Shelf, Error> {
        let shelf = Shelf { folder };
        make(&shelf.folder.join("parts"))?;
        Ok(shelf)
    }

    fn part(&self, id: UploadId) -> PathBuf {
        self.folder.join("parts").join(id.to_string())
    }

    /// Digests come from here or from our own rows; whatever else a row may hold leads nowhere.
    fn place(&self, digest: &str) -> Result<PathBuf, Error> {
        if digest.len() != 64 || !digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Error::Corrupt { what: "an upload has no digest where one should be".to_owned() });
        }
        Ok(self.folder.join(&digest[..2]).join(digest))
    }

    pub(super) fn received(&self, id: UploadId) -> Result<u64, Error> {
        let part = self.part(id);
        match fs::metadata(&part) {
            Ok(told) => Ok(told.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(failed(&part, error)),
        }
    }

    pub(super) fn go_on(&self, id: UploadId, total: u64) -> Result<Piece, Error> {
        let path = self.part(id);
        let mut out = locked(&path, true)?;
        let have = out.seek(SeekFrom::End(0)).map_err(|error| failed(&path, error))?;
        Ok(Piece { out: tokio::fs::File::from_std(out), path, have, total })
    }

    pub(super) fn check(&self, id: UploadId) -> Result<Checked, Error> {
        let path = self.part(id);
        let mut file = locked(&path, false)?;
        let (mut sum, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
        let mut bytes = 0;
        loop {
            let read = file.read(&mut buffer).map_err(|error| failed(&path, error))?;
            if read == 0 {
                break;
            }
            bytes += read as u64;
            sum.update(&buffer[..read]);
        }
        file.sync_all().map_err(|error| failed(&path, error))?;
        let media_type = kind::of(&mut file).map_err(|error| failed(&path, error))?.to_owned();
        file.rewind().map_err(|error| failed(&path, error))?;
        let digest = sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Checked { digest, media_type, bytes, file, path })
    }

    pub(super) fn keep(&self, checked: Checked) -> Result<(), Error> {
        let place = self.place(&checked.digest)?;
        make(place.parent().unwrap_or(&self.folder))?;
        // The same bytes may lie there already, which makes no difference.
        fs::rename(&checked.path, &place).map_err(|error| failed(&place, error))
    }

    pub(super) fn content(&self, digest: &str) -> Result<File, Error> {
        let place = self.place(digest)?;
        File::open(&place).map_err(|error| failed(&place, error))
    }

    pub(super) fn reading(&self, digest: &str) -> Option<Vec<Passage>> {
        let file = File::open(self.place(digest).ok()?.with_extension(READ)).ok()?;
        // One that was cut short is read anew.
        serde_json::from_reader(io::BufReader::new(file)).ok()
    }

    pub(super) fn keep_reading(&self, digest: &str, passages: &[Passage]) -> Result<(), Error> {
        let place = self.place(digest)?.with_extension(READ);
        let text = serde_json::to_vec(passages).unwrap_or_default();
        fs::write(&place, text).map_err(|error| failed(&place, error))
    }

    pub(super) fn forget(&self, digest: &str) -> Result<(), Error> {
        let place = self.place(digest)?;
        remove(&place.with_extension(READ))?;
        remove(&place)
    }

    pub(super) fn drop_unfinished(&self, id: UploadId) -> Result<(), Error> {
        remove(&self.part(id))
    }
}

impl Piece {
    /// How much of it is there.
    pub fn have(&self) -> u64 {
        self.have
    }

    /// The next bytes. [`Error::Conflict`] where they are more than were told.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.have + bytes.len() as u64 > self.total {
            return Err(Error::Conflict { what: format!("the file is larger than the {} bytes told", self.total) });
        }
        self.out.write_all(bytes).await.map_err(|error| failed(&self.path, error))?;
        self.have += bytes.len() as u64;
        Ok(())
    }

    /// Everything that was written has left this process.
    pub async fn end(mut self) -> Result<u64, Error> {
        self.out.flush().await.map_err(|error| failed(&self.path, error))?;
        Ok(self.have)
    }
}

/// One writer at a time: a broken connection may still be noticed by the request that served it.
fn locked(path: &Path, write: bool) -> Result<File, Error> {
    let mut options = File::options();
    options.read(true).write(write).create(write).truncate(false).mode(0o600);
    let file = options.open(path).map_err(|error| failed(path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Conflict { what: "the file is still being written".to_owned() }),
        Err(TryLockError::Error(error)) => Err(failed(path, error)),
    }
}

fn make(folder: &Path) -> Result<(), Error> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| failed(folder, error))
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::Full,
        _ => Error::file(path, error),
    }
}
