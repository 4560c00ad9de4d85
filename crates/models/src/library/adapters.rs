//! The LoRA adapters that this installation knows: a folder for each, as a training job leaves it (`adapter.gguf`, `adapter_model.safetensors`,
//! `adapter_config.json`, `card.json`) or with the file alone that was taken in. Which models compute with one is written beside it
//! (`attached.json`). That they do is the workers' part.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use tokio::io::AsyncWriteExt as _;

use super::shelf::{check_name, create, write_whole};
use super::shown;
use crate::AdapterConfig;

/// What a folder holds beside who computes with it.
const GGUF: &str = "adapter.gguf";
const CARD: &str = "card.json";
const OTHERS: [&str; 3] = ["adapter_model.safetensors", "adapter_config.json", CARD];
const ATTACHED: &str = "attached.json";
/// Folders that are not whole yet.
const UNFINISHED: &str = ".unfinished-";
const LONGEST_NAME: usize = 64;
/// No adapter has so many bytes.
const LARGEST: u64 = 4 << 30;
/// A larger card is none.
const LARGEST_CARD: u64 = 256 << 10;

/// What the file of an adapter tells.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterFacts {
    /// `llama`, `qwen2` ...: that of the models it is for.
    pub architecture: String,
    /// The largest rank of its matrices.
    pub rank: u32,
    /// What its change is multiplied by, over the rank; 0 where it says nothing.
    pub alpha: f32,
    /// How many matrices of a model it changes.
    pub matrices: usize,
}

/// The reader of adapters, which is the engine's.
#[derive(Debug, Clone, Copy)]
pub struct AdapterReader {
    /// Reads the head of a file; what is wrong with it as the rest of a sentence that begins with the file.
    pub inspect: fn(&Path) -> Result<AdapterFacts, String>,
    /// Whether an adapter is for the model in another file; the same.
    pub fits: fn(adapter: &Path, model: &Path) -> Result<(), String>,
}

/// An adapter that is here.
#[derive(Debug, Clone)]
pub struct AdapterEntry {
    /// What it is called, and its folder.
    pub name: String,
    /// Its GGUF file.
    pub path: PathBuf,
    /// Bytes of that file.
    pub bytes: u64,
    /// What the file tells, or what is wrong with it.
    pub facts: Result<AdapterFacts, String>,
    /// What the training job wrote about it.
    pub card: Option<Value>,
    /// The local models that compute with it where they are asked to, and how much of its change is applied.
    pub models: BTreeMap<String, f32>,
}

/// Why something could not be done with an adapter.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// There is none of this name.
    #[error("there is no adapter {name} here")]
    NotHere {
        /// As it was asked for.
        name: String,
    },
    /// There is one of this name.
    #[error("there is an adapter {name} already; remove it first, or give the new one another name")]
    Exists {
        /// As it was to be called.
        name: String,
    },
    /// A name that an adapter cannot have.
    #[error(
        "{name:?} cannot be the name of an adapter: it takes 1 to 64 letters, digits and . _ -, and begins with a letter or digit"
    )]
    BadName {
        /// As it was given.
        name: String,
    },
    /// It is no adapter, or not for this model.
    #[error("{reason}")]
    Refused {
        /// A sentence with the file's name.
        reason: String,
    },
    /// A model computes with it.
    #[error("{model} computes with {name}; detach it there first")]
    InUse {
        /// The adapter.
        name: String,
        /// The model.
        model: String,
    },
    /// The disk said no.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

fn io_at(path: &Path) -> impl FnOnce(io::Error) -> AdapterError + use<> {
    let path = path.to_owned();
    move |source| AdapterError::Io { path, source }
}

/// The folder of adapters. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Adapters {
    folder: PathBuf,
    reader: AdapterReader,
    /// Those that the configuration gives to its models.
    fixed: Arc<BTreeMap<String, Vec<AdapterConfig>>>,
    writing: Arc<Mutex<()>>,
}

impl Adapters {
    /// Nothing is made before something is taken in. `fixed` are the adapters of the configuration by their model.
    pub fn new(folder: PathBuf, reader: AdapterReader, fixed: BTreeMap<String, Vec<AdapterConfig>>) -> Self {
        Adapters { folder, reader, fixed: Arc::new(fixed), writing: Arc::default() }
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// All that are here, by name. A folder without the file is none.
    pub fn list(&self) -> Result<Vec<AdapterEntry>, AdapterError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(io_at(&self.folder)(error)),
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        let mut found: Vec<_> = names.filter_map(|name| self.get(&name).ok()).collect();
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }

    /// The one of this name.
    pub fn get(&self, name: &str) -> Result<AdapterEntry, AdapterError> {
        let not_here = || AdapterError::NotHere { name: name.to_owned() };
        named(name).map_err(|_| not_here())?;
        let folder = self.folder.join(name);
        let path = folder.join(GGUF);
        let bytes = fs::metadata(&path).map_err(|_| not_here())?.len();
        let facts = (self.reader.inspect)(&path);
        let models = read_json(&folder.join(ATTACHED)).and_then(|text| serde_json::from_value(text).ok());
        let card = read_json(&folder.join(CARD));
        Ok(AdapterEntry { name: name.to_owned(), path, bytes, facts, card, models: models.unwrap_or_default() })
    }

    /// Takes in a `.gguf` file, or a folder with one as a training job leaves it; the original stays. It is called `name`, or as what it was.
    pub fn import(&self, from: &Path, name: Option<&str>) -> Result<AdapterEntry, AdapterError> {
        let _one_at_a_time = self.lock();
        let is_folder = from.is_dir();
        let file = if is_folder { from.join(GGUF) } else { from.to_owned() };
        if is_folder && !file.is_file() {
            let shown = from.display();
            let reason =
                format!("{shown} has no {GGUF}; make one of its safetensors with llama.cpp's convert_lora_to_gguf.py");
            return Err(AdapterError::Refused { reason });
        }
        let own = if is_folder { from.file_name() } else { from.file_stem() };
        let own = own.map(|own| own.to_string_lossy().into_owned()).unwrap_or_default();
        let name = name.unwrap_or(&own);
        let beside = OTHERS.iter().map(|other| from.join(other)).filter(|path| is_folder && path.is_file());
        self.settle(name, &file, beside.collect())
    }

    /// Begins to take in the bytes of a `.gguf` file.
    pub fn upload(&self, name: &str) -> Result<AdapterUpload, AdapterError> {
        static UPLOADS: AtomicU64 = AtomicU64::new(0);
        named(name)?;
        fs::create_dir_all(&self.folder).map_err(io_at(&self.folder))?;
        let number = UPLOADS.fetch_add(1, Ordering::Relaxed);
        let draft = self.folder.join(format!("{UNFINISHED}{name}-{}-{number}.gguf", std::process::id()));
        let out = tokio::fs::File::from_std(create(&draft).map_err(io_at(&draft))?);
        Ok(AdapterUpload { adapters: self.clone(), name: name.to_owned(), draft, out, have: 0 })
    }

    /// A folder of its own for a file that is an adapter: whole or not at all.
    fn settle(&self, name: &str, file: &Path, beside: Vec<PathBuf>) -> Result<AdapterEntry, AdapterError> {
        named(name)?;
        let (to, draft) = (self.folder.join(name), self.folder.join(format!("{UNFINISHED}{name}")));
        if to.exists() {
            return Err(AdapterError::Exists { name: name.to_owned() });
        }
        (self.reader.inspect)(file)
            .map_err(|why| AdapterError::Refused { reason: format!("the file for {name} {why}") })?;
        let _ = fs::remove_dir_all(&draft);
        let copy = || {
            fs::create_dir_all(&draft)?;
            fs::copy(file, draft.join(GGUF))?;
            for path in &beside {
                fs::copy(path, draft.join(path.file_name().unwrap_or_default()))?;
            }
            fs::File::open(draft.join(GGUF))?.sync_all()?;
            fs::rename(&draft, &to)
        };
        copy().inspect_err(|_| _ = fs::remove_dir_all(&draft)).map_err(io_at(&to))?;
        self.get(name)
    }

    /// From now on the local model of this name, which lies in `file`, computes with `scale` of it where it is asked to.
    pub fn attach(&self, name: &str, model: &str, file: &Path, scale: f32) -> Result<(), AdapterError> {
        let _one_at_a_time = self.lock();
        let entry = self.get(name)?;
        if self.fixed.get(model).is_some_and(|fixed| fixed.iter().any(|known| known.name == name)) {
            let reason = format!("the configuration gives {model} another adapter {name}");
            return Err(AdapterError::Refused { reason });
        }
        (self.reader.fits)(&entry.path, file)
            .map_err(|why| AdapterError::Refused { reason: format!("the adapter {name} {why}") })?;
        let mut models = entry.models;
        models.insert(model.to_owned(), scale);
        self.note(name, &models)
    }

    /// The model of this name no longer computes with it; false where it did not.
    pub fn detach(&self, name: &str, model: &str) -> Result<bool, AdapterError> {
        let _one_at_a_time = self.lock();
        let mut models = self.get(name)?.models;
        let was = models.remove(model).is_some();
        self.note(name, &models)?;
        Ok(was)
    }

    /// Removes it from the disk.
    pub fn remove(&self, name: &str) -> Result<(), AdapterError> {
        let _one_at_a_time = self.lock();
        let entry = self.get(name)?;
        if let Some((model, _)) = entry.models.into_iter().next() {
            return Err(AdapterError::InUse { name: name.to_owned(), model });
        }
        let folder = self.folder.join(name);
        fs::remove_dir_all(&folder).map_err(io_at(&folder))
    }

    /// What the local model of this name computes with: those of the configuration, then those that were attached here.
    pub fn of(&self, model: &str) -> Vec<AdapterConfig> {
        let fixed = self.fixed.get(model).cloned().unwrap_or_default();
        let entries = self.list().unwrap_or_else(|error| {
            tracing::error!(%error, "the adapters cannot be read");
            Vec::new()
        });
        let attached = entries.into_iter().filter_map(|entry| {
            let scale = *entry.models.get(model)?;
            Some(AdapterConfig { name: entry.name, path: entry.path, scale })
        });
        fixed.into_iter().chain(attached).collect()
    }

    fn note(&self, name: &str, models: &BTreeMap<String, f32>) -> Result<(), AdapterError> {
        let path = self.folder.join(name).join(ATTACHED);
        let text = serde_json::to_vec_pretty(models).map_err(|error| io_at(&path)(error.into()))?;
        write_whole(&path, &text).map_err(io_at(&path))
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file on its way in. Dropped before [`AdapterUpload::finish`], it leaves nothing.
#[derive(Debug)]
pub struct AdapterUpload {
    adapters: Adapters,
    name: String,
    draft: PathBuf,
    out: tokio::fs::File,
    have: u64,
}

impl AdapterUpload {
    /// The next bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), AdapterError> {
        self.have += bytes.len() as u64;
        if self.have > LARGEST {
            let reason = format!("{}.gguf has more than {}, which no adapter has", self.name, shown(LARGEST));
            return Err(AdapterError::Refused { reason });
        }
        self.out.write_all(bytes).await.map_err(io_at(&self.draft))
    }

    /// All of it came: checked, and an adapter from now on.
    pub async fn finish(mut self) -> Result<AdapterEntry, AdapterError> {
        self.out.flush().await.map_err(io_at(&self.draft))?;
        let done = tokio::task::spawn_blocking(move || {
            let _one_at_a_time = self.adapters.lock();
            self.adapters.settle(&self.name, &self.draft, Vec::new())
        });
        done.await.map_err(|error| io_at(Path::new("upload"))(io::Error::other(error)))?
    }
}

impl Drop for AdapterUpload {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.draft);
    }
}

/// As the engine takes them, and one part of a path.
fn named(name: &str) -> Result<(), AdapterError> {
    match check_name(name) {
        Ok(()) if name.len() <= LONGEST_NAME && !name.contains('+') => Ok(()),
        _ => Err(AdapterError::BadName { name: name.chars().take(LONGEST_NAME).collect() }),
    }
}

fn read_json(path: &Path) -> Option<Value> {
    let small = fs::metadata(path).is_ok_and(|facts| facts.len() <= LARGEST_CARD);
    serde_json::from_slice(&fs::read(path).ok().filter(|_| small)?).ok()
}
