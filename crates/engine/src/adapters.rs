//! The adapters of a loaded model by the names that clients use. What one is and when it is computed with is `scheduler`'s; a name stands for
//! one file at one scale, and may come to stand for another.

use std::{
    collections::BTreeMap,
    fmt,
    path::PathBuf,
    str::FromStr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{
    backend::{Adapter, Lora},
    scheduler::{NotChanged, Scheduler},
};

const LONGEST_NAME: usize = 64;
/// Scales beyond it say nothing but noise.
const LARGEST_SCALE: f32 = 100.0;

/// A LoRA adapter to attach: `NAME=FILE` or `NAME=FILE:SCALE`.
#[derive(Debug, Clone, PartialEq)]
pub struct AdapterFile {
    /// What clients call it.
    pub name: String,
    /// The GGUF file.
    pub file: PathBuf,
    /// How much of its change is applied; 1 is as it was trained.
    pub scale: f32,
}

impl AdapterFile {
    /// Checks the name and the scale.
    ///
    /// # Errors
    /// A sentence about what is wrong with them.
    pub fn new(name: String, file: PathBuf, scale: f32) -> Result<Self, String> {
        let letter = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(letter) {
            return Err(format!(
                "the adapter's name {name:?} must have 1 to {LONGEST_NAME} letters, digits, dots, dashes and underscores"
            ));
        }
        check_scale(scale)?;
        Ok(AdapterFile { name, file, scale })
    }
}

impl FromStr for AdapterFile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, rest) = text.split_once('=').ok_or_else(|| format!("{text} is not NAME=FILE or NAME=FILE:SCALE"))?;
        let scaled = rest.rsplit_once(':').and_then(|(file, scale)| Some((file, scale.parse().ok()?)));
        let (file, scale) = scaled.unwrap_or((rest, 1.0));
        AdapterFile::new(name.to_owned(), file.into(), scale)
    }
}

impl fmt::Display for AdapterFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}={}:{}", self.name, self.file.display(), self.scale)
    }
}

/// A scale that means something.
pub(crate) fn check_scale(scale: f32) -> Result<(), String> {
    if scale.abs() <= LARGEST_SCALE {
        return Ok(());
    }
    Err(format!("the scale {scale} must be from -{LARGEST_SCALE} to {LARGEST_SCALE}"))
}

/// An adapter under its name.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub(crate) wish: AdapterFile,
    pub(crate) lora: Lora,
    pub(crate) id: u32,
}

impl Named {
    /// What to compute with: nothing at a scale of 0.
    pub(crate) fn at(&self, scale: Option<f32>) -> Option<Adapter> {
        let scale = scale.unwrap_or(self.wish.scale);
        (scale != 0.0).then(|| Adapter::new(self.id, scale))
    }
}

/// A name was not given, or not given up.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fault {
    Exists,
    Unknown,
    Changed(NotChanged),
}

/// See the module.
#[derive(Default)]
pub(crate) struct Adapters {
    named: Mutex<BTreeMap<String, Named>>,
    /// Whether there has ever been one: from then on a model's name tells which is meant.
    ever: AtomicBool,
}

impl Adapters {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Named>> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn list(&self) -> Vec<Named> {
        self.lock().values().cloned().collect()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Named> {
        self.lock().get(name).cloned()
    }

    pub(crate) fn were_ever(&self) -> bool {
        self.ever.load(Ordering::Relaxed)
    }

    /// Gives an attached adapter its name; the one that had it before.
    pub(crate) fn name(&self, named: Named) -> Option<Named> {
        self.ever.store(true, Ordering::Relaxed);
        self.lock().insert(named.wish.name.clone(), named)
    }

    /// Attaches the adapter of `wish`. Where its name is taken, it comes in the other's place if `replace` says so: requests that run end with
    /// the other.
    pub(crate) async fn attach(&self, scheduler: &Scheduler, wish: AdapterFile, replace: bool) -> Result<Named, Fault> {
        if !replace && self.get(&wish.name).is_some() {
            return Err(Fault::Exists);
        }
        let (id, lora) = scheduler.attach(wish.file.clone()).await.map_err(Fault::Changed)?;
        let named = Named { wish, lora, id };
        if let Some(before) = self.name(named.clone()) {
            // It goes when the last that wants it has ended; nobody waits for that.
            let _ = scheduler.detach(before.id, true);
        }
        Ok(named)
    }

    /// Takes a name away and gives up its adapter. Without `wait` not where requests want it.
    pub(crate) async fn detach(&self, scheduler: &Scheduler, name: &str, wait: bool) -> Result<(), Fault> {
        let gone = {
            let mut all = self.lock();
            let id = all.get(name).ok_or(Fault::Unknown)?.id;
            let gone = scheduler.detach(id, wait).map_err(Fault::Changed)?;
            all.remove(name);
            gone
        };
        gone.await.map_err(|_| Fault::Changed(NotChanged::Gone))
    }

    /// From now on who asks for it gets this much of it.
    pub(crate) fn rescale(&self, name: &str, scale: f32) -> Option<Named> {
        let mut all = self.lock();
        let named = all.get_mut(name)?;
        named.wish.scale = scale;
        Some(named.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::AdapterFile;

    #[test]
    fn an_adapter_is_written_with_its_name_and_its_scale() {
        let read = |text: &str| text.parse::<AdapterFile>().map(|read| read.to_string());
        for (text, expected) in [
            ("poet=/a/b.gguf", Ok("poet=/a/b.gguf:1")),
            ("poet=/a/b.gguf:0.5", Ok("poet=/a/b.gguf:0.5")),
            ("p.o-e_t=a:b", Ok("p.o-e_t=a:b:1")),
            ("p=x=y:-2", Ok("p=x=y:-2")),
            ("/a/b.gguf", Err("/a/b.gguf is not NAME=FILE or NAME=FILE:SCALE")),
            (
                "a b=x",
                Err("the adapter's name \"a b\" must have 1 to 64 letters, digits, dots, dashes and underscores"),
            ),
            ("a=x:nan", Err("the scale NaN must be from -100 to 100")),
            ("a=x:1e9", Err("the scale 1000000000 must be from -100 to 100")),
        ] {
            assert_eq!(read(text).as_deref().map_err(String::as_str), expected, "{text}");
        }
    }
}
