//! Models that are cut into several files, by llama.cpp's names: `NAME-00001-of-00003.gguf`. They lie beside each other, and whoever opens
//! the first finds the others by name. The form: `llama_split_path` in llama.cpp's `llama.h`.

use std::io;
use std::path::{Path, PathBuf};

use http::Uri;

/// More are no model, but a name that wants to be looked for long.
const MOST: u32 = 999;

/// What the name of one part says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The model's.
    pub(super) name: &'a str,
    /// From 1.
    pub(super) number: u32,
    pub(super) count: u32,
}

impl Part<'_> {
    /// Read from a file's name without its ending.
    pub(super) fn of(stem: &str) -> Option<Part<'_>> {
        let number = |text: &str| -> Option<u32> {
            let digits = text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|number| digits && (1..=MOST).contains(number))
        };
        let (before, count) = stem.rsplit_once("-of-")?;
        let (name, part) = before.rsplit_once('-')?;
        let part = Part { name, number: number(part)?, count: number(count)? };
        (part.number <= part.count).then_some(part)
    }
}

/// The model's name in a file's name without its ending.
pub(super) fn model_of(stem: &str) -> &str {
    Part::of(stem).map_or(stem, |part| part.name)
}

/// The file of a model of this name: the only one, or one of several. Without its ending.
pub(super) fn stem(name: &str, number: u32, count: u32) -> String {
    if count <= 1 { name.to_owned() } else { format!("{name}-{number:05}-of-{count:05}") }
}

/// All files of the model that begins with `first`.
pub(super) fn beside(first: &Path, count: u32) -> Vec<PathBuf> {
    let name = first.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    match Part::of(name) {
        None => vec![first.to_owned()],
        Some(part) => {
            let file = |number| first.with_file_name(format!("{}.gguf", stem(part.name, number, count)));
            (1..=count).map(file).collect()
        }
    }
}

/// Bytes of all of them together.
pub(super) fn bytes(files: &[PathBuf]) -> io::Result<u64> {
    files.iter().map(|file| Ok(std::fs::metadata(file)?.len())).sum()
}

/// The address of another part, where `url` is that of one.
pub(super) fn address(url: &Uri, number: u32) -> Option<Uri> {
    let file = url.path().rsplit('/').next()?;
    let (before, ending) = file.split_at_checked(file.len().checked_sub(5)?)?;
    let part = Part::of(before)?;
    let other = format!("{}{ending}", stem(part.name, number, part.count));
    // A path is found once: the host has no slash, and the query comes after it.
    let path = format!("{}{other}", url.path().strip_suffix(file)?);
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("{}://{}{path}{query}", url.scheme_str()?, url.authority()?).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parts() {
        let part = Part { name: "Qwen-72B-Q4", number: 2, count: 3 };
        assert_eq!(Part::of("Qwen-72B-Q4-00002-of-00003"), Some(part));
        assert_eq!(stem("Qwen-72B-Q4", 2, 3), "Qwen-72B-Q4-00002-of-00003");
        for none in ["Qwen-72B", "a-1-of-3", "a-00000-of-00003", "a-00004-of-00003", "a-00001-of-99999", "-of-", ""] {
            assert_eq!((Part::of(none), model_of(none)), (None, none));
        }
        let url = |text: &str| -> Uri { text.parse().expect("a URL") };
        let second = address(&url("https://h:8/o/r/a-00001-of-00002.gguf?key=1"), 2);
        assert_eq!(second, Some(url("https://h:8/o/r/a-00002-of-00002.gguf?key=1")));
        assert_eq!(address(&url("https://h/a.gguf"), 1), None);
        let all = beside(Path::new("/m/a-00001-of-00002.gguf"), 2);
        assert_eq!(all, [Path::new("/m/a-00001-of-00002.gguf"), Path::new("/m/a-00002-of-00002.gguf")]);
        assert_eq!(beside(Path::new("/m/a.gguf"), 1), [Path::new("/m/a.gguf")]);
    }
}
