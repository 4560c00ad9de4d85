//! A file that comes with a request: written as it comes, checked when it is whole, gone when it is not.

use std::fs::{self, File};
use std::path::PathBuf;

use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::parts::Part;
use super::{Entry, Error, Library, Origin, digest, shelf};

/// A file on its way in. Dropped before [`Upload::finish`], it leaves nothing.
#[derive(Debug)]
pub struct Upload {
    library: Library,
    name: String,
    draft: PathBuf,
    out: tokio::fs::File,
    have: u64,
    total: u64,
    _one_at_a_time: File,
}

impl Library {
    /// Begins to take in a file of `total` bytes that is called `file`; refused where the disk has no room for it.
    pub fn upload(&self, file: &str, total: u64) -> Result<Upload, Error> {
        let name = shelf::file_name(file)?;
        if Part::of(&name).is_some() {
            let reason = format!("{file} is one part of several; take them in at the machine: portico model import");
            return Err(Error::NotAModel { reason });
        }
        let lock = self.shelf.lock(&name)?;
        self.must_be_new(&name)?;
        self.must_have_room(&name, total)?;
        let draft = self.shelf.partial().join(format!("{name}.upload"));
        let out = shelf::create(&draft).map_err(Error::io(&draft))?;
        let out = tokio::fs::File::from_std(out);
        Ok(Upload { library: self.clone(), name, draft, out, have: 0, total, _one_at_a_time: lock })
    }
}

impl Upload {
    /// The next bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.have += bytes.len() as u64;
        if self.have > self.total {
            return Err(self.not_whole());
        }
        self.out.write_all(bytes).await.map_err(Error::io(&self.draft))
    }

    /// All of it came: checked, and a model from now on.
    pub async fn finish(self) -> Result<Entry, Error> {
        if self.have != self.total {
            return Err(self.not_whole());
        }
        self.out.sync_all().await.map_err(Error::io(&self.draft))?;
        let done = tokio::task::spawn_blocking(move || {
            let facts = self.library.inspect(&self.draft)?;
            let sha256 = digest::of_file(&self.draft, &CancellationToken::new(), |_| {})?;
            self.library.settle(&self.name, std::slice::from_ref(&self.draft), sha256, facts, Origin::default())
        });
        done.await.map_err(|error| Error::io("upload")(std::io::Error::other(error)))?
    }

    fn not_whole(&self) -> Error {
        let (file, have, total) = (format!("{}.gguf", self.name), self.have, self.total);
        Error::NotAModel { reason: format!("{file} came with {have} bytes where {total} were told") }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // After the rename there is nothing of this name.
        let _ = fs::remove_file(&self.draft);
    }
}
