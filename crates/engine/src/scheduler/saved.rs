//! Beginnings of texts on disk: what was computed of them, read back instead of computed again after a restart or when memory had no room.
//! One file each, in a folder that is this model's alone. A file that is not exactly what it should be is removed: never trusted, never an
//! error. Which beginnings are worth it, and where they stand in the cache, is decided elsewhere.
//!
//! A file is a line of JSON ([`Label`]), the tokens, the state as the backend gave it, and the SHA-256 of all that. It is written on a thread
//! of its own under another name, and renamed when it is whole.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
    time::SystemTime,
};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::tree::common;
use crate::backend::Token;

/// The longest line that a file may begin with, in bytes.
const LONGEST_LABEL: u64 = 4096;
const CHECKSUM: usize = 32;
/// What a file's name ends in: it was pinned, it was not, it is not whole yet.
const PINNED: &str = "pinned";
const KEPT: &str = "kept";
const UNFINISHED: &str = "unfinished";

/// The saved beginnings of one model.
pub(super) struct Saved {
    folder: PathBuf,
    /// What the backend calls the model.
    model: String,
    /// Most bytes of all files together.
    most: u64,
    /// Those used longest ago first.
    known: Vec<Known>,
    writer: Option<Sender<Chore>>,
    writing: Option<JoinHandle<()>>,
}

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Label {
    /// What the backend called the model that computed it.
    model: String,
    /// And the adapter.
    adapter: Option<String>,
    /// Their number.
    tokens: u32,
}

struct Known {
    id: String,
    adapter: Option<String>,
    tokens: Vec<Token>,
    pinned: bool,
    bytes: u64,
    /// Whether the file is there already.
    written: Arc<AtomicBool>,
}

enum Chore {
    Write { to: PathBuf, head: Vec<u8>, state: Vec<u8>, written: Arc<AtomicBool> },
    Rename { from: PathBuf, to: PathBuf },
    Remove(PathBuf),
}

/// Names a beginning: the same for the same tokens, model and adapter.
pub(super) fn id(model: &str, adapter: Option<&str>, tokens: &[Token]) -> String {
    let mut digest = Sha256::new();
    for part in [model, adapter.unwrap_or_default()] {
        digest.update(part.len().to_le_bytes());
        digest.update(part);
    }
    digest.update(bytes_of(tokens));
    let mut id = crate::hex(&digest.finalize());
    id.truncate(32);
    id
}

impl Saved {
    /// Looks through `folder`, which is made where it is not there; `None`, told in the log, where it cannot be used. Files of another model
    /// and what was left unfinished go.
    pub(super) fn open(folder: &Path, model: String, most: u64) -> Option<Self> {
        let opened = fs::create_dir_all(folder).and_then(|()| entries(folder));
        let entries = match opened {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "no beginnings are saved");
                return None;
            }
        };
        let mut found = Vec::new();
        for path in entries {
            match look_at(&path, &model) {
                Ok(Some(known)) => found.push(known),
                Ok(None) => {}
                Err(error) => {
                    tracing::info!(file = %path.display(), %error, "a saved beginning is removed");
                    let _ = fs::remove_file(&path);
                }
            }
        }
        found.sort_by_key(|(used, _)| *used);
        let known = found.into_iter().map(|(_, known)| known).collect();
        let (writer, chores) = channel();
        let writing = std::thread::spawn(move || write_all(&chores));
        Some(Saved { folder: folder.to_owned(), model, most, known, writer: Some(writer), writing: Some(writing) })
    }

    /// Those that are pinned: the adapter of each, and its tokens.
    pub(super) fn pinned(&self) -> Vec<(Option<String>, Vec<Token>)> {
        let pinned = self.known.iter().filter(|known| known.pinned);
        pinned.map(|known| (known.adapter.clone(), known.tokens.clone())).collect()
    }

    /// Of the beginning that has most in common with `tokens`: how many of them, and how many it has itself.
    pub(super) fn find(&self, adapter: Option<&str>, tokens: &[Token]) -> Option<(u32, u32)> {
        let (index, common) = self.longest(adapter, tokens)?;
        let whole = self.known.get(index).filter(|known| known.written.load(Ordering::Acquire))?.tokens.len();
        Some((u32::try_from(common).ok()?, u32::try_from(whole).ok()?))
    }

    /// How many of `tokens`, from the first, are saved or about to be.
    pub(super) fn covers(&self, adapter: Option<&str>, tokens: &[Token]) -> usize {
        self.longest(adapter, tokens).map_or(0, |(_, common)| common)
    }

    fn longest(&self, adapter: Option<&str>, tokens: &[Token]) -> Option<(usize, usize)> {
        let fitting = self.known.iter().enumerate().filter(|(_, known)| known.adapter.as_deref() == adapter);
        let lengths = fitting.map(|(index, known)| (index, common(&known.tokens, tokens)));
        lengths.filter(|(_, len)| *len > 0).max_by_key(|(_, len)| *len)
    }

    /// Reads back the beginning that has most in common with `tokens`: its tokens and its state.
    pub(super) fn read(&mut self, adapter: Option<&str>, tokens: &[Token]) -> Option<(Vec<Token>, Vec<u8>)> {
        let (index, _) = self.longest(adapter, tokens)?;
        let known = self.known.remove(index);
        let path = self.path(&known.id, known.pinned);
        match read(&path, &self.model, &known) {
            Ok(state) => {
                let tokens = known.tokens.clone();
                self.known.push(known);
                Some((tokens, state))
            }
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "a saved beginning cannot be used and is removed");
                self.order(Chore::Remove(path));
                None
            }
        }
    }

    /// Removes what turned out not to be what it says.
    pub(super) fn forget(&mut self, adapter: Option<&str>, tokens: &[Token]) {
        if let Some(index) = self.index_of(adapter, tokens) {
            let known = self.known.remove(index);
            self.order(Chore::Remove(self.path(&known.id, known.pinned)));
        }
    }

    /// Saves what was computed of `tokens`; they are known from now on. Others make way where the folder is full.
    pub(super) fn save(&mut self, adapter: Option<&str>, tokens: &[Token], pinned: bool, state: Vec<u8>) {
        let Ok(count) = u32::try_from(tokens.len()) else { return };
        let label = Label { model: self.model.clone(), adapter: adapter.map(str::to_owned), tokens: count };
        let Ok(mut head) = serde_json::to_vec(&label) else { return };
        head.push(b'\n');
        head.extend(bytes_of(tokens));
        let bytes = (head.len() + state.len() + CHECKSUM) as u64;
        if !self.make_room(bytes) {
            tracing::warn!(
                bytes,
                most = self.most,
                "a beginning is too large to be saved beside those that are pinned"
            );
            return;
        }
        let written = Arc::new(AtomicBool::new(false));
        let id = id(&self.model, adapter, tokens);
        self.order(Chore::Write { to: self.path(&id, pinned), head, state, written: Arc::clone(&written) });
        self.known.push(Known { id, adapter: label.adapter, tokens: tokens.to_vec(), pinned, bytes, written });
    }

    /// Whether exactly these tokens are saved; they are pinned, or no longer, from now on.
    pub(super) fn mark(&mut self, adapter: Option<&str>, tokens: &[Token], pinned: bool) -> bool {
        let Some(index) = self.index_of(adapter, tokens) else { return false };
        let known = &mut self.known[index];
        let before = std::mem::replace(&mut known.pinned, pinned);
        let id = known.id.clone();
        if before != pinned {
            self.order(Chore::Rename { from: self.path(&id, before), to: self.path(&id, pinned) });
        }
        true
    }

    fn index_of(&self, adapter: Option<&str>, tokens: &[Token]) -> Option<usize> {
        self.known.iter().position(|known| known.adapter.as_deref() == adapter && known.tokens == tokens)
    }

    /// Removes those used longest ago that nobody pinned; false where that is not enough.
    fn make_room(&mut self, bytes: u64) -> bool {
        while self.known.iter().map(|known| known.bytes).sum::<u64>().saturating_add(bytes) > self.most {
            let Some(oldest) = self.known.iter().position(|known| !known.pinned) else { return false };
            let known = self.known.remove(oldest);
            self.order(Chore::Remove(self.path(&known.id, known.pinned)));
        }
        true
    }

    fn path(&self, id: &str, pinned: bool) -> PathBuf {
        self.folder.join(format!("{id}.{}", if pinned { PINNED } else { KEPT }))
    }

    fn order(&self, chore: Chore) {
        // The writer ends after this value does, so it takes what it is given.
        let _ = self.writer.as_ref().map(|writer| writer.send(chore));
    }
}

impl Drop for Saved {
    /// Waits until what was ordered is done.
    fn drop(&mut self) {
        drop(self.writer.take());
        let _ = self.writing.take().map(JoinHandle::join);
    }
}

fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

/// What a file says of itself, and when it was last used; `None` where it is none of ours, an error where it should go.
fn look_at(path: &Path, model: &str) -> io::Result<Option<(SystemTime, Known)>> {
    let pinned = match path.extension().and_then(|end| end.to_str()) {
        Some(PINNED) => true,
        Some(KEPT) => false,
        Some(UNFINISHED) => return Err(wrong("it was never finished")),
        _ => return Ok(None),
    };
    let file = File::open(path)?;
    let (used, bytes) = file.metadata().and_then(|facts| Ok((facts.modified()?, facts.len())))?;
    let (label, tokens) = read_head(&mut BufReader::new(file), bytes)?;
    let id = id(model, label.adapter.as_deref(), &tokens);
    if label.model != model || path.file_stem().and_then(|stem| stem.to_str()) != Some(&id) {
        return Err(wrong("it is of another model"));
    }
    let written = Arc::new(AtomicBool::new(true));
    Ok(Some((used, Known { id, adapter: label.adapter, tokens, pinned, bytes, written })))
}

fn read_head(file: &mut impl BufRead, bytes: u64) -> io::Result<(Label, Vec<Token>)> {
    let mut line = Vec::new();
    file.take(LONGEST_LABEL).read_until(b'\n', &mut line)?;
    let label: Label = serde_json::from_slice(&line)?;
    if u64::from(label.tokens) * size_of::<Token>() as u64 > bytes {
        return Err(wrong("it is too short for its tokens"));
    }
    let mut tokens = vec![0; label.tokens as usize * size_of::<Token>()];
    file.read_exact(&mut tokens)?;
    Ok((label, tokens.as_chunks().0.iter().map(|bytes| Token::from_le_bytes(*bytes)).collect()))
}

/// The state in a file that is whole and says what it said before.
fn read(path: &Path, model: &str, known: &Known) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(known.bytes).unwrap_or(0));
    file.read_to_end(&mut bytes)?;
    let (content, sum) = bytes.split_last_chunk::<CHECKSUM>().ok_or_else(|| wrong("it is cut"))?;
    if Sha256::digest(content)[..] != sum[..] {
        return Err(wrong("its checksum is not that of what it holds"));
    }
    let mut rest = content;
    let (label, tokens) = read_head(&mut rest, known.bytes)?;
    if label.model != model || label.adapter != known.adapter || tokens != known.tokens {
        return Err(wrong("it is another than it was"));
    }
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    // When it was used decides no more than who goes first.
    let _ = futimens(&file, &Timestamps { last_access: now, last_modification: now });
    let head = content.len() - rest.len();
    bytes.truncate(bytes.len() - CHECKSUM);
    bytes.drain(..head);
    Ok(bytes)
}

fn write_all(chores: &Receiver<Chore>) {
    for chore in chores {
        let (path, done) = match chore {
            Chore::Write { to, head, state, written } => {
                let done = write(&to, &head, &state);
                written.store(done.is_ok(), Ordering::Release);
                (to, done)
            }
            Chore::Rename { from, to } => (to.clone(), fs::rename(from, to)),
            Chore::Remove(path) => (path.clone(), fs::remove_file(path)),
        };
        match done {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(file = %path.display(), %error, "a saved beginning could not be written");
            }
            _ => {}
        }
    }
}

fn write(to: &Path, head: &[u8], state: &[u8]) -> io::Result<()> {
    let unfinished = to.with_extension(UNFINISHED);
    let sum = Sha256::new().chain_update(head).chain_update(state).finalize();
    let write = || {
        let mut file = File::create(&unfinished)?;
        [head, state, &sum[..]].into_iter().try_for_each(|part| file.write_all(part))?;
        file.sync_all()?;
        fs::rename(&unfinished, to)
    };
    write().inspect_err(|_| _ = fs::remove_file(&unfinished))
}

fn bytes_of(tokens: &[Token]) -> Vec<u8> {
    tokens.iter().flat_map(|token| token.to_le_bytes()).collect()
}

fn wrong(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
