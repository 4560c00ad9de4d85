//! The models on this machine: what is here, what can be fetched, what fits. They lie in one folder, each a GGUF file with a record
//! beside it, or are used where they are. Nothing is contacted but by [`Library::pull`], and then only what it was given.
//!
//! It runs no model and does not read GGUF itself: who opens the library brings the reader.

mod adapters;
mod catalogue;
mod digest;
mod downloads;
mod entry;
mod error;
mod fetch;
mod ollama;
mod parts;
mod room;
mod shelf;
mod source;
mod upload;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use egress::Egress;
use http::Uri;
use tokio_util::sync::CancellationToken;

pub use adapters::{AdapterEntry, AdapterError, AdapterFacts, AdapterReader, AdapterUpload, Adapters};
pub use catalogue::{Offer, find as find_offer, offers};
pub use downloads::{Download, DownloadState, Downloads};
pub use entry::{Entry, Facts, Kind, Machine, Order, Place, Run, Step, Taking, Verified};
pub use error::Error;
pub use fetch::Patience;
use fetch::{Fetch, Fetched};
use parts::Part;
pub use room::{Room, USUAL_CONTEXT};
use shelf::{Record, Shelf};
pub use source::Source;
pub use upload::Upload;

/// Bytes that stay free on the disk whatever is fetched: with a full disk the portal takes no question.
pub const DISK_RESERVE: u64 = 512 << 20;

/// Bytes that are free for this user on the disk of `folder`.
pub fn free_disk(folder: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Where a file came from.
#[derive(Debug, Default)]
struct Origin {
    source: Option<String>,
    licence: Option<String>,
    /// Whether somebody had promised its checksum.
    promised: bool,
}

/// The models of one folder. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Library {
    shelf: Shelf,
    ollama: Option<PathBuf>,
    machine: Machine,
    egress: Arc<Egress>,
    patience: Patience,
    source: Source,
}

impl Library {
    /// The library in `folder`, which need not be there yet. `ollama` is where an Ollama on this machine keeps its models.
    pub fn new(folder: PathBuf, ollama: Option<PathBuf>, machine: Machine, egress: Arc<Egress>) -> Library {
        let (patience, source) = (Patience::default(), Source::default());
        Library { shelf: Shelf::new(folder), ollama, machine, egress, patience, source }
    }

    /// The same with other clocks.
    #[must_use]
    pub fn patient(self, patience: Patience) -> Library {
        Library { patience, ..self }
    }

    /// The same that asks `source` for names of the catalogue where nobody says whom.
    #[must_use]
    pub fn asking(self, source: Source) -> Library {
        Library { source, ..self }
    }

    /// Who is asked for names of the catalogue where nobody says whom.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Where the models lie.
    pub fn folder(&self) -> &Path {
        self.shelf.folder()
    }

    /// Bytes that are free where the models lie, or will.
    pub fn free_disk(&self) -> Option<u64> {
        let folder = self.folder();
        let existing = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
        (self.machine.free_disk)(existing).ok()
    }

    /// Bytes of memory that can be had without swapping.
    pub fn free_memory(&self) -> Option<u64> {
        (self.machine.free_memory)()
    }

    /// Everything that is here, by name: the folder's own, what is used in place, and an Ollama's.
    pub fn list(&self) -> Result<Vec<Entry>, Error> {
        let mut all: Vec<Entry> = self.shelf.names()?.iter().filter_map(|name| self.entry(name)).collect();
        let blobs = self.ollama.as_deref().map(ollama::blobs).unwrap_or_default();
        all.extend(blobs.into_iter().map(|blob| self.blob(blob)));
        Ok(all)
    }

    /// One model that is here.
    pub fn get(&self, name: &str) -> Result<Entry, Error> {
        let own = shelf::check_name(name).ok().and_then(|()| self.entry(name));
        let blob = || {
            let blobs = self.ollama.as_deref().map(ollama::blobs).unwrap_or_default();
            blobs.into_iter().find(|blob| blob.name == name).map(|blob| self.blob(blob))
        };
        own.or_else(blob).ok_or_else(|| Error::NotHere { name: name.to_owned() })
    }

    /// What a model takes of this machine's memory with `context` tokens.
    pub fn room(&self, facts: &Facts, context: Option<u32>) -> Room {
        Room::of(facts, context, self.free_memory())
    }

    /// What `wanted` (a name of the catalogue, or a URL) would fetch from `source`. A URL says itself whom to ask.
    pub fn order(&self, wanted: &str, source: &Source, context: Option<u32>) -> Result<Order, Error> {
        if !wanted.contains("://") {
            let offer = catalogue::find(wanted, context, self.free_memory())?;
            let url = source.url(&offer.repo, &offer.file);
            let name = shelf::file_name(&offer.file)?;
            let url = url.parse().map_err(|_| Error::BadUrl { url, reason: "it cannot be read".to_owned() })?;
            return Ok(Order {
                name,
                url,
                parts: 1,
                source: source.clone(),
                sha256: offer.sha256.clone(),
                offer: Some(offer),
                anyway: false,
            });
        }
        let bad = |reason: &str| {
            let url = wanted.split('?').next().unwrap_or_default().chars().take(300).collect();
            Error::BadUrl { url, reason: reason.to_owned() }
        };
        let url: Uri = wanted.parse().map_err(|_| bad("it cannot be read"))?;
        egress::Origin::of(&url)?;
        let file = shelf::file_name(url.path().rsplit('/').next().unwrap_or_default())?;
        let source = Source::of(&url);
        let Some(part) = Part::of(&file) else {
            return Ok(Order { name: file, source, url, parts: 1, sha256: None, offer: None, anyway: false });
        };
        let (name, parts) = (part.name.to_owned(), part.count);
        shelf::check_name(&name)?;
        let url = parts::address(&url, 1).ok_or_else(|| bad("the names of its parts cannot be told"))?;
        Ok(Order { name, source, url, parts, sha256: None, offer: None, anyway: false })
    }

    /// Fetches what was ordered, from where an earlier try broke off. Every way of not arriving keeps what is there, but a
    /// wrong checksum and what is no model.
    pub async fn pull(
        &self,
        order: &Order,
        tell: &(dyn Fn(Step) + Sync),
        cancel: &CancellationToken,
    ) -> Result<Entry, Error> {
        must_be_sound(order)?;
        self.must_fit(order)?;
        let _one_at_a_time = self.shelf.lock(&order.name)?;
        self.must_be_new(&order.name)?;
        let drafts = self.drafts(order);
        let fetched = self.fetch_all(order, &drafts, tell, cancel).await?;
        let facts = match self.inspect(&drafts[0]) {
            Ok(facts) => facts,
            Err(error) => {
                self.drop_partial(&order.name)?;
                return Err(error);
            }
        };
        let origin = Origin {
            source: order.url.to_string().split('?').next().map(str::to_owned),
            licence: order.offer.as_ref().map(|offer| offer.licence.clone()),
            promised: fetched.promised,
        };
        let entry = self.settle(&order.name, &drafts, fetched.sha256, facts, origin)?;
        self.drop_partial(&order.name)?;
        Ok(entry)
    }

    /// Where the files of an order lie until all of them are here.
    fn drafts(&self, order: &Order) -> Vec<PathBuf> {
        let draft = |number| format!("{}.gguf", parts::stem(&order.name, number, order.parts));
        (1..=order.parts.max(1)).map(|number| self.shelf.partial().join(draft(number))).collect()
    }

    /// One file after the other.
    async fn fetch_all(
        &self,
        order: &Order,
        drafts: &[PathBuf],
        tell: &(dyn Fn(Step) + Sync),
        cancel: &CancellationToken,
    ) -> Result<Fetched, Error> {
        // What this download may reach is open to nobody else.
        let egress = self.egress.errand();
        let (mut digests, mut promised, mut before) = (Vec::new(), true, 0);
        for (number, draft) in (1..).zip(drafts) {
            let fetch = Fetch {
                egress: &egress,
                machine: &self.machine,
                patience: self.patience,
                source: order.source.clone(),
                url: parts::address(&order.url, number).unwrap_or_else(|| order.url.clone()),
                file: format!("{}.gguf", parts::stem(&order.name, number, order.parts)),
                part: draft.clone(),
                sha256: order.sha256.clone(),
                before,
                anyway: order.anyway || order.offer.is_some(),
                cancel,
            };
            let fetched = fetch.whole(&|step: Step| tell(step.after(before))).await?;
            promised &= fetched.promised;
            digests.push(fetched.sha256);
            before += fs::metadata(draft).map_err(Error::io(draft))?.len();
        }
        Ok(Fetched { sha256: digest::joined(digests), promised })
    }

    fn inspect(&self, path: &Path) -> Result<Facts, Error> {
        (self.machine.inspect)(path).map_err(|reason| Error::NotAModel { reason })
    }

    /// Makes whole and checked drafts the model of this name. The first file comes last: without it the others are none.
    fn settle(
        &self,
        name: &str,
        drafts: &[PathBuf],
        sha256: String,
        facts: Facts,
        origin: Origin,
    ) -> Result<Entry, Error> {
        let count = u32::try_from(drafts.len()).unwrap_or(1);
        let first = self.shelf.file(name, count);
        let bytes = parts::bytes(drafts).map_err(Error::io(&first))?;
        for (draft, to) in drafts.iter().zip(parts::beside(&first, count)).rev() {
            fs::rename(draft, &to).map_err(Error::io(&to))?;
        }
        shelf::sync_folder_of(&first).map_err(Error::io(&first))?;
        let Origin { source, licence, promised } = origin;
        let licence = licence.or_else(|| facts.licence.clone());
        let file = PathBuf::from(first.file_name().unwrap_or_default());
        let record = Record { file, parts: count, bytes, sha256, promised, source, licence, facts, run: None };
        self.shelf.write(name, &record)?;
        self.get(name)
    }

    /// Takes in a file that is on this machine, and its other parts where it is one of several; a name where the file's own does not
    /// serve. Blocks.
    pub fn import(&self, path: &Path, taking: Taking, name: Option<&str>) -> Result<Entry, Error> {
        let path = std::path::absolute(path).map_err(Error::io(path))?;
        fs::metadata(&path).map_err(Error::io(&path))?;
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let part = file.strip_suffix(".gguf").and_then(Part::of);
        let name = match (name, part) {
            (Some(name), _) => name.to_owned(),
            (None, Some(part)) => part.name.to_owned(),
            (None, None) => shelf::file_name(file)?,
        };
        shelf::check_name(&name)?;
        let files = part.map_or_else(|| vec![path.clone()], |part| parts::beside(&path, part.count));
        let _one_at_a_time = self.shelf.lock(&name)?;
        self.must_be_new(&name)?;
        let facts = self.inspect(&files[0])?;
        let first = match taking {
            Taking::InPlace => files[0].clone(),
            taking => self.put(&files, taking, &name)?,
        };
        let sha256 = digest::of_model(&files, &CancellationToken::new(), |_| {})?;
        let bytes = parts::bytes(&files).map_err(Error::io(&files[0]))?;
        let (licence, count) = (facts.licence.clone(), u32::try_from(files.len()).unwrap_or(1));
        let record = Record {
            file: first,
            parts: count,
            bytes,
            sha256,
            promised: false,
            source: None,
            licence,
            facts,
            run: None,
        };
        self.shelf.write(&name, &record)?;
        self.get(&name)
    }

    /// Files of the folder with the bytes of `files`, each there whole or not at all, the first one last. The first one's name.
    fn put(&self, files: &[PathBuf], taking: Taking, name: &str) -> Result<PathBuf, Error> {
        let count = u32::try_from(files.len()).unwrap_or(1);
        let first = self.shelf.file(name, count);
        for (path, to) in files.iter().zip(parts::beside(&first, count)).rev() {
            if taking == Taking::Link && fs::hard_link(path, &to).is_ok() {
                continue;
            }
            self.must_have_room(name, fs::metadata(path).map_err(Error::io(path))?.len())?;
            let draft = self.shelf.partial().join(to.file_name().unwrap_or_default());
            let copied = fs::copy(path, &draft).and_then(|_| File::open(&draft)?.sync_all());
            if let Err(error) = copied {
                shelf::gone(fs::remove_file(&draft)).map_err(Error::io(&draft))?;
                return Err(Error::io(&draft)(error));
            }
            fs::rename(&draft, &to).and_then(|()| shelf::sync_folder_of(&to)).map_err(Error::io(&to))?;
        }
        Ok(first.file_name().unwrap_or_default().into())
    }

    /// Reads the whole file again and compares it with what was written down; where nothing was, it is written now. Blocks.
    pub fn verify(&self, name: &str, cancel: &CancellationToken, tell: impl FnMut(u64)) -> Result<Verified, Error> {
        let entry = self.get(name)?;
        let facts = self.inspect(&entry.path)?;
        let sha256 = digest::of_model(&entry.files(), cancel, tell)?;
        let same = entry.sha256.as_ref().map(|known| *known == sha256);
        if same.is_none() && entry.place == Place::Folder {
            let file = PathBuf::from(entry.path.file_name().unwrap_or_default());
            let (parts, bytes, licence, sha256) = (entry.parts, entry.bytes, facts.licence.clone(), sha256.clone());
            let record =
                Record { file, parts, bytes, sha256, promised: false, source: None, licence, facts, run: None };
            self.shelf.write(name, &record)?;
        }
        Ok(Verified { sha256, same })
    }

    /// Takes a model away: its file where it lies in the folder, else only its record. `in_use` are the files that run.
    pub fn remove(&self, name: &str, in_use: &[PathBuf]) -> Result<(), Error> {
        let entry = self.get(name)?;
        if entry.place == Place::Ollama {
            let reason = "it is Ollama's; remove it with `ollama rm`";
            return Err(Error::BadName { name: name.to_owned(), reason });
        }
        let _one_at_a_time = self.shelf.lock(name)?;
        let same = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if in_use.iter().any(|path| same(path) == same(&entry.path)) {
            return Err(Error::InUse { name: name.to_owned() });
        }
        self.shelf.remove(name)
    }

    /// Writes down that the portal runs a model, or no longer does. What does not fit is refused, and so is what has a problem;
    /// an Ollama's file is taken in first ([`Taking::InPlace`]). `reclaimable` bytes are not free, but others would give them up for it.
    pub fn set_run(&self, name: &str, run: Option<Run>, reclaimable: u64) -> Result<Entry, Error> {
        let entry = self.get(name)?;
        let Some(mut record) = self.shelf.read(name) else {
            let reason = format!("{name} has not been checked yet; verify or import it first");
            return Err(Error::NotAModel { reason });
        };
        if let (Some(run), Some(facts)) = (run, &entry.facts) {
            if let Some(reason) = entry.problem {
                return Err(Error::NotAModel { reason });
            }
            let mut room = self.room(facts, run.context);
            room.free = room.free.map(|free| free.saturating_add(reclaimable));
            if !room.fits() {
                return Err(Error::TooLarge { name: name.to_owned(), room });
            }
        }
        record.run = run;
        self.shelf.write(name, &record)?;
        self.get(name)
    }

    /// Forgets what arrived of a download that was given up.
    pub fn forget(&self, name: &str) -> Result<(), Error> {
        shelf::check_name(name)?;
        let _one_at_a_time = self.shelf.lock(name)?;
        self.drop_partial(name)
    }

    fn drop_partial(&self, name: &str) -> Result<(), Error> {
        for path in self.shelf.arrived(name) {
            shelf::gone(fs::remove_file(&path)).map_err(Error::io(&path))?;
        }
        Ok(())
    }

    fn must_have_room(&self, name: &str, needed: u64) -> Result<(), Error> {
        let free = (self.machine.free_disk)(self.folder()).map_err(Error::io(self.folder()))?;
        if needed.saturating_add(DISK_RESERVE) > free {
            let (file, folder) = (format!("{name}.gguf"), self.folder().to_owned());
            return Err(Error::DiskFull { file, needed, free, folder });
        }
        Ok(())
    }

    fn must_fit(&self, order: &Order) -> Result<(), Error> {
        match order.offer.as_ref().filter(|offer| !order.anyway && !offer.fits) {
            Some(offer) => Err(Error::TooLarge { name: format!("{}:{}", offer.name, offer.quant), room: offer.room }),
            None => Ok(()),
        }
    }

    fn must_be_new(&self, name: &str) -> Result<(), Error> {
        if self.shelf.find(name).is_some() || self.shelf.read(name).is_some() {
            return Err(Error::Exists { name: name.to_owned() });
        }
        Ok(())
    }

    /// What is here under a name of the folder.
    fn entry(&self, name: &str) -> Option<Entry> {
        let Some(record) = self.shelf.read(name) else {
            let (first, parts) = self.shelf.find(name)?;
            return Some(self.unrecorded(name.to_owned(), first, parts, Place::Folder, None));
        };
        let in_place = record.file.is_absolute();
        let path = if in_place { record.file } else { self.shelf.file(name, record.parts) };
        let problem = match parts::bytes(&parts::beside(&path, record.parts)) {
            Err(error) => Some(format!("its file {} cannot be read: {error}", path.display())),
            Ok(bytes) if bytes != record.bytes => {
                Some(format!("its file has {bytes} bytes where it had {}", record.bytes))
            }
            Ok(_) => None,
        };
        Some(Entry {
            name: name.to_owned(),
            path,
            parts: record.parts,
            place: if in_place { Place::InPlace } else { Place::Folder },
            bytes: record.bytes,
            sha256: Some(record.sha256),
            source: record.source,
            licence: record.licence,
            facts: Some(record.facts),
            run: record.run,
            problem,
        })
    }

    fn blob(&self, blob: ollama::Blob) -> Entry {
        self.unrecorded(blob.name, blob.path, 1, Place::Ollama, Some(blob.sha256))
    }

    fn unrecorded(&self, name: String, path: PathBuf, parts: u32, place: Place, sha256: Option<String>) -> Entry {
        let bytes = parts::bytes(&parts::beside(&path, parts)).unwrap_or(0);
        let (facts, problem) = match (self.machine.inspect)(&path) {
            Ok(facts) => (Some(facts), None),
            Err(reason) => (None, Some(reason)),
        };
        let licence = facts.as_ref().and_then(|facts| facts.licence.clone());
        Entry { name, path, parts, place, bytes, sha256, source: None, licence, facts, run: None, problem }
    }
}

/// A name that can be one, and no checksum that nothing could be compared with.
fn must_be_sound(order: &Order) -> Result<(), Error> {
    shelf::check_name(&order.name)?;
    match &order.sha256 {
        Some(_) if order.parts > 1 => Err(Error::BadUrl {
            url: order.url.to_string().split('?').next().unwrap_or_default().to_owned(),
            reason: format!("it has {} parts, and a checksum is of one file", order.parts),
        }),
        _ => Ok(()),
    }
}

/// The checksum that `text` is, in lower case.
pub fn parse_sha256(text: &str) -> Option<String> {
    digest::parse(text)
}

/// Where an Ollama of this user keeps its models: `OLLAMA_MODELS`, or `.ollama/models` in the home folder.
pub fn ollama_folder(env: &dyn Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let set = |name| env(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("OLLAMA_MODELS").or_else(|| Some(set("HOME")?.join(".ollama").join("models")))
}

/// Bytes for people: `4.92 GB`, in the powers of ten that hubs write.
pub fn shown(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{}.{:02} GB", bytes / 1_000_000_000, bytes % 1_000_000_000 / 10_000_000),
    }
}
