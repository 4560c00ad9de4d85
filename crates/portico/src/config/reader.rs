//! What every section is read with: paths that start at the file's folder, files that must be there, lists, names that come once.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::mistake::{Mistake, Place};
use super::source::{Found, Source, Wrong};

pub(super) struct Reader<'s, 'a> {
    pub(super) source: &'s Source<'a>,
    /// Relative paths in the file start here.
    pub(super) folder: &'s Path,
}

impl Reader<'_, '_> {
    pub(super) fn path(&self, found: &Found<String>) -> PathBuf {
        match found.place {
            Place::File(_) => self.folder.join(&found.value),
            _ => PathBuf::from(&found.value),
        }
    }

    /// The path of a file that is there.
    pub(super) fn existing(&self, found: &Found<String>) -> Option<PathBuf> {
        let path = self.path(found);
        if path.is_file() {
            return Some(path);
        }
        let mut mistake = Mistake::new(found.place.clone(), format!("there is no file {}", path.display()));
        if path.is_dir() {
            mistake = Mistake::new(found.place.clone(), format!("{} is a folder, not a file", path.display()));
        } else if let (Place::File(_), true) = (&found.place, Path::new(&found.value).is_relative()) {
            mistake = mistake.hint("relative paths start at the folder of this file");
        }
        self.source.mistake(mistake);
        None
    }

    pub(super) fn each<T>(&self, list: Vec<Found<String>>, parse: impl Fn(String) -> Result<T, Wrong>) -> Vec<T> {
        list.into_iter().filter_map(|found| found.parse(self.source, &parse)).collect()
    }

    /// A name that may not come twice.
    pub(super) fn once(&self, seen: &mut HashSet<String>, found: Found<String>, what: &str) -> Option<String> {
        if found.value.is_empty() {
            self.source.mistake(Mistake::new(found.place, format!("the name of a {what} cannot be empty")));
            return None;
        }
        if !seen.insert(found.value.clone()) {
            let sentence = format!("there is already a {what} called `{}`", found.value);
            self.source.mistake(Mistake::new(found.place, sentence).hint("give each a name of its own"));
            return None;
        }
        Some(found.value)
    }
}

/// A count that fits 32 bits, as its bounds have made sure.
pub(super) fn small(number: Option<u64>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}
