//! The data folder: made on the first start, for one process at a time, with the key that seals other keys. What lies in the database is `store`'s.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Why the data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another portal works in it.
    #[error("the data folder {} is already open by process {process}; stop that one first, or choose another folder with --data", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
        /// Its process id, or a question mark.
        process: String,
    },
    /// It cannot be made, read or written.
    #[error("the data folder {}: {doing}: {source}", path.display())]
    Io {
        /// The folder or the file in it.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// The key file or variable holds something else.
    #[error("{place} does not hold a key: 64 hexadecimal digits are expected")]
    NoKey {
        /// The file or the variable.
        place: String,
    },
}

/// The folder, held by this process until it is dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    /// The lock goes with the file handle, after a kill as well.
    lock: File,
}

/// 32 bytes that seal the keys of providers.
#[derive(Clone)]
pub struct SecretKey(pub [u8; 32]);

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretKey(••••)")
    }
}

impl DataFolder {
    /// Makes the folder where it is missing (for this user alone) and takes it for this process.
    pub fn open(path: &Path) -> Result<DataFolder, Error> {
        create(path)?;
        let file = path.join("lock");
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&file);
        let mut lock = open.map_err(|source| Error::Io { path: file.clone(), doing: "opening its lock", source })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(Error::Taken {
                    path: path.to_owned(),
                    process: holder(path).unwrap_or_else(|| "?".into()),
                });
            }
            Err(std::fs::TryLockError::Error(source)) => {
                return Err(Error::Io { path: file, doing: "locking it", source });
            }
        }
        let written = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        written.map_err(|source| Error::Io { path: file, doing: "writing its lock", source })?;
        Ok(DataFolder { path: path.to_owned(), lock })
    }

    /// Leaves the address people type in the lock file, for the command line beside a running portal.
    pub fn announce(&mut self, url: &str) -> Result<(), Error> {
        let path = self.path.join("lock");
        writeln!(self.lock, "{url}").map_err(|source| Error::Io { path, doing: "writing its lock", source })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The key that seals other keys: from `PORTICO_SECRET_KEY` when that is set (`from_env`), else from `secret.key`, which is made on the first start.
    pub fn secret_key(&self, from_env: Option<&str>) -> Result<SecretKey, Error> {
        if let Some(text) = from_env.filter(|text| !text.is_empty()) {
            return parse_key(text, "the environment variable PORTICO_SECRET_KEY");
        }
        let file = self.path.join("secret.key");
        let io = |doing| {
            let path = file.clone();
            move |source| Error::Io { path, doing, source }
        };
        match std::fs::read_to_string(&file) {
            Ok(text) => parse_key(&text, &file.display().to_string()),
            Err(why) if why.kind() == io::ErrorKind::NotFound => {
                let mut key = [0; 32];
                getrandom::fill(&mut key).map_err(|why| io("asking the system for random bytes")(why.into()))?;
                let mut text: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
                text.push('\n');
                write_new(&self.path, &file, &text).map_err(io("writing the key"))?;
                Ok(SecretKey(key))
            }
            Err(why) => Err(io("reading the key")(why)),
        }
    }
}

/// Makes the folder where it is missing, without taking it: the command line works beside a running portal.
pub fn create(path: &Path) -> Result<(), Error> {
    if path.is_dir() {
        return Ok(());
    }
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|source| Error::Io { path: path.to_owned(), doing: "making it", source })
}

/// Waits until no other command works on the folder; the turn ends when the file is dropped. A running portal is not waited for.
pub fn take_turn(path: &Path) -> Result<File, Error> {
    let file = path.join("command.lock");
    let io = |source| Error::Io { path: file.clone(), doing: "waiting for another command", source };
    let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&file);
    let turn = open.map_err(io)?;
    turn.lock().map_err(io)?;
    Ok(turn)
}

/// The database file in the folder at `path`.
pub fn database(path: &Path) -> PathBuf {
    path.join("portico.db")
}

/// The process that holds the folder, when one does.
pub fn holder(path: &Path) -> Option<String> {
    Some(held(path)?.lines().next().filter(|pid| !pid.is_empty()).unwrap_or("?").to_owned())
}

/// The address of the portal that runs in the folder, when one does and has said so.
pub fn announced(path: &Path) -> Option<String> {
    held(path)?.lines().nth(1).map(str::to_owned)
}

/// What the holder of the folder wrote into the lock.
fn held(path: &Path) -> Option<String> {
    let mut lock = File::open(path.join("lock")).ok()?;
    // A shared lock is enough to ask; it goes with the handle.
    if lock.try_lock_shared().is_ok() {
        return None;
    }
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    Some(text)
}

/// Whole or not at all: a key file cut short by a crash would lock every provider out.
fn write_new(folder: &Path, file: &Path, text: &str) -> io::Result<()> {
    let draft = folder.join("secret.key.new");
    let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    std::fs::rename(&draft, file)?;
    File::open(folder)?.sync_all()
}

fn parse_key(text: &str, place: &str) -> Result<SecretKey, Error> {
    let text = text.trim();
    let wrong = || Error::NoKey { place: place.to_owned() };
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    let mut key = [0; 32];
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
    }
    Ok(SecretKey(key))
}
