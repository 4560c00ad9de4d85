//! The models that an Ollama on this machine keeps on disk: its manifests name its blobs, and a blob of the right kind is a GGUF
//! file that is used where it lies. Ollama itself is not asked, and nothing of it is changed.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::digest;

/// A manifest is a few hundred bytes; what is larger is none.
const LARGEST_MANIFEST: u64 = 1 << 20;
/// `manifests/HOST/NAMESPACE/MODEL/TAG`
const DEPTH: usize = 4;
const MOST: usize = 1000;
const WEIGHTS: &str = "application/vnd.ollama.image.model";

#[derive(Deserialize)]
struct Manifest {
    #[serde(default)]
    layers: Vec<Layer>,
}

#[derive(Deserialize)]
struct Layer {
    #[serde(rename = "mediaType")]
    media_type: String,
    digest: String,
}

/// A model of Ollama's on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blob {
    /// `llama3.2:1b`, as Ollama lists it.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) sha256: String,
}

/// Everything below Ollama's folder of models, by name.
pub(super) fn blobs(folder: &Path) -> Vec<Blob> {
    let mut found = Vec::new();
    walk(&folder.join("manifests"), &mut Vec::new(), &mut |parts, file| {
        found.extend(read(folder, parts, file));
        found.len() < MOST
    });
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// False when enough is found.
fn walk(at: &Path, parts: &mut Vec<String>, found: &mut dyn FnMut(&[String], &Path) -> bool) -> bool {
    let Ok(entries) = fs::read_dir(at) else { return true };
    for entry in entries.flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let Ok(kind) = entry.file_type() else { continue };
        parts.push(name);
        let more = match parts.len() {
            DEPTH if kind.is_file() => found(parts, &entry.path()),
            0..DEPTH if kind.is_dir() => walk(&entry.path(), parts, found),
            _ => true,
        };
        parts.pop();
        if !more {
            return false;
        }
    }
    true
}

fn read(folder: &Path, parts: &[String], file: &Path) -> Option<Blob> {
    if fs::metadata(file).ok()?.len() > LARGEST_MANIFEST {
        return None;
    }
    let manifest: Manifest = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
    let layer = manifest.layers.into_iter().find(|layer| layer.media_type == WEIGHTS)?;
    // Hexadecimal digits alone: a digest becomes part of a path.
    let sha256 = digest::parse(&layer.digest)?;
    let path = folder.join("blobs").join(format!("sha256-{sha256}"));
    path.is_file().then(|| Blob { name: name(parts), path, sha256 })
}

fn name(parts: &[String]) -> String {
    match parts {
        [host, space, model, tag] if host == "registry.ollama.ai" && space == "library" => format!("{model}:{tag}"),
        [host, space, model, tag] if host == "registry.ollama.ai" => format!("{space}/{model}:{tag}"),
        parts => match parts.split_last() {
            Some((tag, before)) => format!("{}:{tag}", before.join("/")),
            None => String::new(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_are_found_and_none_outside_the_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let put = |path: String, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        };
        let sha = "ab".repeat(32);
        let manifest = |digest: &str| {
            format!(
                r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.license","digest":"sha256:00"}},
                {{"mediaType":"{WEIGHTS}","digest":"{digest}","size":4}}]}}"#
            )
        };
        put(format!("blobs/sha256-{sha}"), "GGUF");
        put("secret".into(), "GGUF");
        let library = "manifests/registry.ollama.ai/library";
        put(format!("{library}/llama3.2/1b"), &manifest(&format!("sha256:{sha}")));
        put(format!("{library}/hostile/latest"), &manifest("sha256:../../../secret"));
        put(format!("{library}/missing/latest"), &manifest(&format!("sha256:{}", "cd".repeat(32))));
        put(format!("{library}/broken/latest"), "{");
        put(format!("{library}/too/deep/latest"), &manifest(&format!("sha256:{sha}")));
        put("manifests/hf.co/org/model/Q4_K_M".into(), &manifest(&format!("sha256:{sha}")));
        let names: Vec<String> = blobs(dir.path()).into_iter().map(|blob| blob.name).collect();
        assert_eq!(names, ["hf.co/org/model:Q4_K_M", "llama3.2:1b"]);
        assert_eq!(blobs(&dir.path().join("nowhere")), []);
    }
}
