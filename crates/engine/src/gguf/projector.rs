//! Projectors, which make rows of numbers of pictures (`general.architecture` is `clip`): which one belongs to a model, and in its head what
//! llama.cpp divides and allocates by.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Fault, Head, Value, broken, read_one};
use crate::Error;

/// Largest sensible value of each number; all must be there, and be between 1 and it.
const BOUNDS: [(&str, i128); 7] = [
    ("image_size", 1 << 14),
    ("patch_size", 1 << 10),
    ("embedding_length", 1 << 16),
    ("feed_forward_length", 1 << 20),
    ("block_count", 512),
    ("attention.head_count", 4096),
    ("projection_dim", 1 << 20),
];

/// Reads and checks the head of a projector.
///
/// # Errors
/// [`Error::Unreadable`] when it cannot be opened, [`Error::Broken`] when its bytes are no projector for pictures.
pub fn read_projector(path: &Path) -> Result<Head, Error> {
    let head = read_one(path)?;
    check(&head).map_err(|fault| broken(path, fault))?;
    Ok(head)
}

fn check(head: &Head) -> Result<(), Fault> {
    match head.architecture() {
        "clip" => {}
        other => return Err(Fault(format!("is no projector: its architecture is {other:?}, not \"clip\""))),
    }
    if head.integer("clip.has_vision_encoder") != Some(1) {
        return Err(Fault("has no eyes: clip.has_vision_encoder is not set".into()));
    }
    for (key, most) in BOUNDS {
        let key = format!("clip.vision.{key}");
        match head.integer(&key) {
            Some(value) if (1..=most).contains(&value) => {}
            Some(value) => return Err(Fault(format!("has the senseless value {value} for {key}"))),
            None => return Err(Fault(format!("lacks {key}"))),
        }
    }
    let of = |key: &str| head.integer(&format!("clip.vision.{key}")).unwrap_or(1);
    if of("patch_size") > of("image_size") {
        return Err(Fault("has patches that are larger than its pictures".into()));
    }
    let own = head.metadata.iter().filter(|(key, _)| key.starts_with("clip."));
    for (key, value) in own {
        let Value::Float(number) = value else { continue };
        if !number.is_finite() || (key.ends_with("epsilon") && *number < 0.0) {
            return Err(Fault(format!("has the senseless value {number} for {key}")));
        }
    }
    Ok(())
}

/// The projector beside `model` that can be no other's: named after it, or in a folder without other models.
pub fn projector_beside(model: &Path) -> Option<PathBuf> {
    let named = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_lowercase);
    let is_projector = |name: &str| name.ends_with(".gguf") && name.contains("mmproj");
    let own = named(model)?;
    let folder = model.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside: Vec<PathBuf> = fs::read_dir(folder).ok()?.filter_map(|entry| Some(entry.ok()?.path())).collect();
    let models = || beside.iter().filter_map(|path| named(path)).filter(|name| name.ends_with(".gguf"));
    let projectors = beside.iter().filter(|path| named(path).is_some_and(|name| is_projector(&name)));
    // In a folder with other models it has to be named after this one.
    let alone = models().filter(|name| !is_projector(name)).all(|name| same_model(&name, &own));
    let word = stem(&own);
    let named_after = |name: &str| {
        let rest = name.strip_prefix("mmproj-").unwrap_or(name).strip_prefix(word);
        rest.is_some_and(|rest| rest.starts_with(['-', '.', '_']))
    };
    let fits = |path: &&PathBuf| alone || named(path).is_some_and(|name| named_after(&name));
    // Of several kinds of numbers any will do, as long as it is the same at every start.
    projectors.filter(fits).min().cloned()
}

/// Whether two files are parts of one model.
fn same_model(name: &str, other: &str) -> bool {
    let before_part =
        |name: &str| name.split("-of-").next().and_then(|name| name.rsplit_once('-')).map(|(name, _)| name.to_owned());
    name == other || (name.contains("-of-") && before_part(name) == before_part(other))
}

/// A model's name without the kind of its weights: `gemma-3-4b-it` of `gemma-3-4b-it-q4_k_m.gguf`.
fn stem(name: &str) -> &str {
    let stem = name.strip_suffix(".gguf").unwrap_or(name);
    let is_kind = |word: &str| {
        let word = word.trim_start_matches("ud-").trim_start_matches('i');
        ["q2", "q3", "q4", "q5", "q6", "q8", "f16", "f32", "bf16", "fp16"].iter().any(|kind| word.starts_with(kind))
    };
    match stem.rsplit_once(['-', '.']) {
        Some((before, kind)) if is_kind(kind) => before,
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{projector_beside, stem};

    #[test]
    fn a_projector_beside_a_model_is_its_own_where_nothing_else_could_be_meant() {
        let check = |files: &[&str], model: &str| {
            let folder = tempfile::tempdir().expect("a folder");
            files.iter().for_each(|name| fs::write(folder.path().join(name), b"").expect("written"));
            let found = projector_beside(&folder.path().join(model));
            found.map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        };
        let alone = ["gemma-3-4b-it-Q4_K_M.gguf", "mmproj-model-f16.gguf"];
        assert_eq!(check(&alone, alone[0]).as_deref(), Some("mmproj-model-f16.gguf"));
        let parts = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf", "mmproj-F16.gguf"];
        assert_eq!(check(&parts, parts[0]).as_deref(), Some("mmproj-F16.gguf"));
        let named = ["a-Q8_0.gguf", "b-Q8_0.gguf", "mmproj-b-f16.gguf"];
        assert_eq!(check(&named, "b-Q8_0.gguf").as_deref(), Some("mmproj-b-f16.gguf"));
        assert_eq!(check(&["long-Q8_0.gguf", "b-Q8_0.gguf", "mmproj-b-f16.gguf"], "long-Q8_0.gguf"), None);
        assert_eq!(check(&["a.gguf", "b.gguf", "mmproj-f16.gguf"], "a.gguf"), None);
        assert_eq!(check(&["a.gguf"], "a.gguf"), None);
    }

    #[test]
    fn a_model_is_known_by_its_name_without_the_kind_of_its_weights() {
        for (name, model) in [
            ("gemma-3-4b-it-q4_k_m.gguf", "gemma-3-4b-it"),
            ("llava.q8_0.gguf", "llava"),
            ("smolvlm-iq4_xs.gguf", "smolvlm"),
            ("stories260k.gguf", "stories260k"),
        ] {
            assert_eq!(stem(name), model);
        }
    }
}
