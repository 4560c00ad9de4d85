//! What lies in the folder of models: one record (`NAME.json`) beside each file, written whole or not at all. Names are checked
//! here before any becomes a path.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::parts::{self, Part};
use super::{Error, Facts, Run};

const LONGEST_NAME: usize = 120;

/// What is written down of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The file, or the first of several: its name in the folder, or an absolute path where it is used in place.
    pub(super) file: PathBuf,
    /// How many files it has.
    #[serde(default = "one")]
    pub(super) parts: u32,
    /// Their bytes.
    pub(super) bytes: u64,
    /// SHA-256 when it was taken in; of several files, `digest::joined`.
    pub(super) sha256: String,
    /// Whether somebody had promised that checksum.
    #[serde(default)]
    pub(super) promised: bool,
    /// Where it was fetched from, without its query.
    #[serde(default)]
    pub(super) source: Option<String>,
    /// Its licence, where the catalogue tells.
    #[serde(default)]
    pub(super) licence: Option<String>,
    /// What its head tells.
    pub(super) facts: Facts,
    /// Whether the portal runs it, and how.
    #[serde(default)]
    pub(super) run: Option<Run>,
}

fn one() -> u32 {
    1
}

/// The folder of models.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    pub(super) fn new(folder: PathBuf) -> Self {
        Shelf { folder }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where what is on its way lies.
    pub(super) fn partial(&self) -> PathBuf {
        self.folder.join(".partial")
    }

    /// Makes the folders where they are missing, for this user alone.
    pub(super) fn make(&self) -> Result<(), Error> {
        let partial = self.partial();
        DirBuilder::new().recursive(true).mode(0o700).create(&partial).map_err(Error::io(partial))
    }

    /// The file that a model of this name has in the folder, the first where it has several.
    pub(super) fn file(&self, name: &str, parts: u32) -> PathBuf {
        self.folder.join(format!("{}.gguf", parts::stem(name, 1, parts)))
    }

    /// The file of this name that is there, or the first of several, and how many they are.
    pub(super) fn find(&self, name: &str) -> Option<(PathBuf, u32)> {
        let single = self.file(name, 1);
        if single.is_file() {
            return Some((single, 1));
        }
        let files = fs::read_dir(&self.folder).ok()?.flatten().map(|entry| entry.path());
        files.into_iter().find_map(|path| {
            let part = Part::of(path.file_name()?.to_str()?.strip_suffix(".gguf")?)?;
            (part.name == name && part.number == 1).then_some((path.clone(), part.count))
        })
    }

    /// All that has arrived of a model, and what is noted of that.
    pub(super) fn arrived(&self, name: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.partial()) else { return Vec::new() };
        let of_this = |path: &PathBuf| {
            let ending = path.extension().and_then(|ending| ending.to_str());
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            matches!(ending, Some("gguf" | "json" | "order")) && stem.is_some_and(|stem| parts::model_of(stem) == name)
        };
        entries.flatten().map(|entry| entry.path()).filter(of_this).collect()
    }

    fn record(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    /// What is written down of this model; `None` where nothing is, or nothing that can be read.
    pub(super) fn read(&self, name: &str) -> Option<Record> {
        serde_json::from_slice(&fs::read(self.record(name)).ok()?).ok()
    }

    pub(super) fn write(&self, name: &str, record: &Record) -> Result<(), Error> {
        let path = self.record(name);
        let text = serde_json::to_vec_pretty(record).map_err(|error| Error::io(&path)(error.into()))?;
        write_whole(&path, &text).map_err(Error::io(&path))
    }

    /// Takes the record away, and the files where they lie in the folder.
    pub(super) fn remove(&self, name: &str) -> Result<(), Error> {
        let files = self.find(name).map(|(first, parts)| parts::beside(&first, parts)).unwrap_or_default();
        // The first one last: what is left behind by a crash is still a model of this name, and can be removed.
        for path in files.into_iter().rev().chain([self.record(name)]) {
            gone(fs::remove_file(&path)).map_err(Error::io(&path))?;
        }
        Ok(())
    }

    /// The names of what is here, by record or by file.
    pub(super) fn names(&self) -> Result<Vec<String>, Error> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io(&self.folder)(error)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(Error::io(&self.folder))?.file_name();
            let Some(file) = file.to_str() else { continue };
            let name = file.strip_suffix(".gguf").or_else(|| file.strip_suffix(".json"));
            names.extend(name.map(parts::model_of).filter(|name| check_name(name).is_ok()).map(str::to_owned));
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The right to write the model of this name, until it is dropped; across processes. The lock file stays: taken away, two
    /// could hold it.
    pub(super) fn lock(&self, name: &str) -> Result<File, Error> {
        self.make()?;
        let path = self.partial().join(format!("{name}.lock"));
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path);
        let file = open.map_err(Error::io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(fs::TryLockError::WouldBlock) => Err(Error::Busy { name: name.to_owned() }),
            Err(fs::TryLockError::Error(source)) => Err(Error::io(&path)(source)),
        }
    }
}

/// A new empty file for this user alone.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// No error where it was not there.
pub(super) fn gone(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Whole or not at all, also after a crash.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    let mut out = create(&draft)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(&draft, path)?;
    sync_folder_of(path)
}

/// Makes a rename in the folder of `path` survive a crash.
pub(super) fn sync_folder_of(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// A name that is one part of a path, and none of ours.
pub(super) fn check_name(name: &str) -> Result<(), Error> {
    let bad = |reason| Err(Error::BadName { name: name.chars().take(LONGEST_NAME).collect(), reason });
    let starts_well = name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if name.len() > LONGEST_NAME {
        return bad("it has more than 120 characters");
    }
    if !starts_well || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b)) {
        return bad("it takes letters, digits and . _ + - alone, and begins with a letter or digit");
    }
    if name.contains("..") {
        return bad("two dots in a row lead out of the folder");
    }
    Ok(())
}

/// The model's name in a file name that ends in `.gguf`.
pub(super) fn file_name(file: &str) -> Result<String, Error> {
    let name = match file.len().checked_sub(5).and_then(|at| file.split_at_checked(at)) {
        Some((name, ending)) if ending.eq_ignore_ascii_case(".gguf") => name,
        _ => {
            let name = file.chars().take(LONGEST_NAME).collect();
            return Err(Error::BadName { name, reason: "the file of a model ends in .gguf" });
        }
    };
    check_name(name)?;
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_folder() {
        for good in ["stories260K", "Qwen2.5-7B-Instruct-Q4_K_M", "a", "x+y"] {
            check_name(good).expect(good);
        }
        let long = "a".repeat(121);
        for bad in ["", ".", "..", ".hidden", "a/b", "../a", "a..b", "a b", "a\\b", "-a", "a\0", "模型", "a%2f", &long]
        {
            assert_eq!(check_name(bad).expect_err(bad).code(), "bad_name");
        }
        assert_eq!(file_name("a.GGUF").expect("a name"), "a");
        for bad in [".gguf", "a.bin", "gguf", "..gguf", "a/../b.gguf", "é.gguf"] {
            assert!(file_name(bad).is_err(), "{bad}");
        }
    }
}
