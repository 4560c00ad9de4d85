//! The sections `[[model]]`: models that run on this machine, and what each is run with. Whether the files are what they are said to be is
//! not asked here, only whether they are there.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use engine::Cache;
use models::{AdapterConfig, KeepAlive};

use super::mistake::{Mistake, Place};
use super::reader::{Reader, small};
use super::source::{Found, Item, Section, Wrong};
use super::{Draft, LocalModel, Overrides};

/// Beyond it a scale says nothing but noise.
const SCALES: std::ops::RangeInclusive<f64> = -100.0..=100.0;

/// The models of the file, then those of the command line.
pub(super) fn models<'a>(reader: &Reader<'_, 'a>, root: &Section<'_, 'a>, over: &Overrides) -> Vec<LocalModel> {
    let mut names = HashSet::new();
    let sections = root.sections("model");
    let mut models: Vec<LocalModel> =
        sections.iter().filter_map(|section| model(reader, section, &mut names)).collect();
    for path in &over.models {
        let found = Found { value: path.display().to_string(), place: Place::Flag("--model") };
        if !path.is_file() {
            reader.source.mistake(Mistake::new(found.place, format!("there is no file {}", path.display())));
            continue;
        }
        let name = reader.once(&mut names, Found { value: stem(path), place: found.place }, "model");
        models.extend(name.map(|name| LocalModel::plain(path, name)));
    }
    models
}

impl LocalModel {
    /// As it is run where nobody says how.
    pub(crate) fn plain(path: &Path, name: String) -> LocalModel {
        LocalModel {
            path: path.to_owned(),
            name,
            context: None,
            threads: None,
            system_prompts: Vec::new(),
            keep_alive: KeepAlive::default(),
            adapters: Vec::new(),
            draft: None,
            cache: Cache::default(),
        }
    }
}

fn model<'a>(reader: &Reader<'_, 'a>, section: &Section<'_, 'a>, names: &mut HashSet<String>) -> Option<LocalModel> {
    let path = section.required("path", "the GGUF file of the model");
    let context = small(section.number("context", 16..=16_777_216));
    let threads = small(section.number("threads", 1..=1024));
    let system_prompts = section.texts("system_prompts").into_iter().map(|text| text.value).collect();
    let keep_alive = section.text("keep_alive").and_then(|word| word.parse(reader.source, |word| keep_alive(&word)));
    let keep_alive = keep_alive.unwrap_or_default();
    let adapters = adapters(reader, section);
    let draft = section.text("draft").and_then(|found| draft(reader, found));
    let cache = section.text("cache").and_then(|word| word.parse(reader.source, |word| cache(&word)));
    let cache = cache.unwrap_or_default();
    let named = section.text("name");
    let path = path?;
    let name = named.clone().map_or_else(|| stem(Path::new(&path.value)), |name| name.value);
    let place = named.map_or_else(|| path.place.clone(), |name| name.place);
    let path = reader.existing(&path)?;
    let name = reader.once(names, Found { value: name, place }, "model")?;
    Some(LocalModel { path, name, context, threads, system_prompts, keep_alive, adapters, draft, cache })
}

fn cache(word: &str) -> Result<Cache, Wrong> {
    word.parse().map_err(|_| {
        Wrong::new(format!("`{word}` is no kind of cache"))
            .hint("\"f16\", or \"f32\": twice the memory, nothing rounded")
    })
}

/// `["poet.gguf", { name = "clerk", path = "clerk.gguf", scale = 0.5 }]`
fn adapters<'a>(reader: &Reader<'_, 'a>, section: &Section<'_, 'a>) -> Vec<AdapterConfig> {
    let wanted =
        "a list of LoRA adapters, as in [\"poet.gguf\", { name = \"clerk\", path = \"clerk.gguf\", scale = 0.5 }]";
    let mut names = HashSet::new();
    let adapter = |item| {
        let (path, name, scale) = match item {
            Item::Text(path) => (Some(path), None, None),
            Item::Section(section) => {
                let scale = section.decimal("scale", SCALES);
                (section.required("path", "the GGUF file of the adapter"), section.text("name"), scale)
            }
        };
        let path = path?;
        let stem = || Found { value: stem(Path::new(&path.value)), place: path.place.clone() };
        let name = name.unwrap_or_else(stem);
        let path = reader.existing(&path)?;
        let name =
            reader.once(&mut names, name.parse_found(reader.source, adapter_name)?, "LoRA adapter of this model")?;
        #[expect(clippy::cast_possible_truncation, reason = "it is within -100 and 100, and rounds")]
        Some(AdapterConfig { name, path, scale: scale.unwrap_or(1.0) as f32 })
    };
    section.items("adapters", wanted).into_iter().filter_map(adapter).collect()
}

fn adapter_name(name: String) -> Result<String, Wrong> {
    match engine::AdapterFile::new(name.clone(), name.clone().into(), 1.0) {
        Ok(_) => Ok(name),
        Err(_) => Err(Wrong::new(format!("`{name}` cannot be the name of an adapter"))
            .hint("1 to 64 letters, digits, dots, dashes and underscores; give it one with `name`")),
    }
}

/// What looks like a file is one; another word is a name of the library.
fn draft(reader: &Reader<'_, '_>, found: Found<String>) -> Option<Draft> {
    match found.value.contains('/') || found.value.ends_with(".gguf") {
        true => reader.existing(&found).map(Draft::File),
        false => Some(Draft::Library(found.value)),
    }
}

fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// `always`, or a number with its unit.
fn keep_alive(text: &str) -> Result<KeepAlive, Wrong> {
    let text = text.trim();
    if text == "always" {
        return Ok(KeepAlive::Always);
    }
    let units = [("s", 1), ("m", 60), ("h", 3600)];
    let seconds = units.into_iter().find_map(|(unit, seconds)| {
        let number: u64 = text.strip_suffix(unit)?.trim().parse().ok()?;
        number.checked_mul(seconds).filter(|seconds| (1..=31_536_000).contains(seconds))
    });
    let wrong =
        || Wrong::new(format!("`{text}` is no time to stay in memory")).hint("as in \"10m\" (s, m, h), or \"always\"");
    seconds.map(|seconds| KeepAlive::For(Duration::from_secs(seconds))).ok_or_else(wrong)
}
