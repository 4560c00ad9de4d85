//! The small model that comes with Portico, so that a fresh machine answers without having fetched anything. It is taken into the library once,
//! where the installation knows no other model, and is the library's from then on: listed, run and removed like any other there.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use models::library::{Library, Run, Taking};
use sha2::{Digest as _, Sha256};

/// The weights, in the binary; a binary that runs no models has none.
#[cfg(feature = "engine")]
pub(crate) const WEIGHTS: Option<&[u8]> = Some(include_bytes!("../../../starter/model/starter.gguf"));
#[cfg(not(feature = "engine"))]
pub(crate) const WEIGHTS: Option<&[u8]> = None;

/// Takes the starter model in where it is wanted, the library is empty, and it has not been here before (a file in the folder `data` notes
/// that). Whoever removed it is not given it again; a newer binary brings newer weights to who kept it.
pub(crate) fn take_in(data: &Path, library: &Library, wanted: bool, weights: &[u8]) -> anyhow::Result<()> {
    let marker = data.join("starter");
    let digest = hex(&Sha256::digest(weights));
    let before = match fs::read_to_string(&marker) {
        Ok(text) => Some(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(error).context(marker.display().to_string()),
    };
    let run = match before {
        Some(before) if before == digest => return Ok(()),
        Some(before) => {
            let Ok(entry) = library.get(models::STARTER) else { return Ok(()) };
            if entry.sha256.as_deref() != Some(before.as_str()) {
                // Another file has its name by now.
                return Ok(());
            }
            library.remove(models::STARTER, &[])?;
            entry.run
        }
        None if !wanted || !library.list()?.is_empty() => return Ok(()),
        None => Some(Run { context: None }),
    };
    let file = marker.with_extension("gguf");
    fs::write(&file, weights).with_context(|| file.display().to_string())?;
    let taken = library.import(&file, Taking::Link, Some(models::STARTER));
    fs::remove_file(&file).with_context(|| file.display().to_string())?;
    taken?;
    library.set_run(models::STARTER, run, 0)?;
    fs::write(&marker, digest).with_context(|| marker.display().to_string())?;
    tracing::info!("the starter model is taken into the library; larger ones can be added in the portal");
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use domain::SystemClock;
    use egress::Egress;
    use models::library::{Facts, Kind, Machine};

    use super::*;

    fn facts(_: &Path) -> Result<Facts, String> {
        Ok(Facts {
            architecture: "llama".into(),
            kind: Kind::Chat,
            title: None,
            licence: None,
            quant: None,
            parameters: 1,
            context: 1024,
            weight_bytes: 5,
            kv_bytes_per_token: 1,
            chat_template: true,
        })
    }

    fn library(data: &Path) -> Library {
        let egress = Egress::new(egress::Options::default(), Arc::new(SystemClock::new())).unwrap();
        let machine = Machine { inspect: facts, free_memory: || Some(1 << 30), free_disk: |_| Ok(1 << 40) };
        Library::new(data.join("models"), None, machine, Arc::new(egress))
    }

    fn bytes(library: &Library) -> Option<Vec<u8>> {
        library.get(models::STARTER).ok().map(|entry| fs::read(entry.path).unwrap())
    }

    #[test]
    fn it_is_taken_in_once_and_runs() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        take_in(data.path(), &library, false, b"first").unwrap();
        assert_eq!(bytes(&library), None, "something else is configured");
        take_in(data.path(), &library, true, b"first").unwrap();
        assert_eq!(library.get(models::STARTER).unwrap().run, Some(Run { context: None }));
        assert_eq!(fs::read_dir(data.path()).unwrap().count(), 2, "the marker and the library");
        library.remove(models::STARTER, &[]).unwrap();
        for weights in [b"first", b"newer"] {
            take_in(data.path(), &library, true, weights).unwrap();
            assert_eq!(bytes(&library), None, "who removed it is not given it again");
        }
    }

    #[test]
    fn newer_weights_replace_their_own_and_nobody_elses() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        take_in(data.path(), &library, true, b"first").unwrap();
        library.set_run(models::STARTER, None, 0).unwrap();
        take_in(data.path(), &library, false, b"newer").unwrap();
        assert_eq!(bytes(&library).as_deref(), Some(b"newer".as_slice()));
        assert_eq!(library.get(models::STARTER).unwrap().run, None, "it rests as it did");

        library.remove(models::STARTER, &[]).unwrap();
        let other = data.path().join("other.gguf");
        fs::write(&other, b"other").unwrap();
        library.import(&other, Taking::Copy, Some(models::STARTER)).unwrap();
        take_in(data.path(), &library, true, b"newest").unwrap();
        assert_eq!(bytes(&library).as_deref(), Some(b"other".as_slice()));
    }

    #[test]
    fn a_library_with_a_model_needs_none() {
        let data = tempfile::tempdir().unwrap();
        let library = library(data.path());
        let other = data.path().join("other.gguf");
        fs::write(&other, b"other").unwrap();
        library.import(&other, Taking::Copy, None).unwrap();
        take_in(data.path(), &library, true, b"first").unwrap();
        assert_eq!(bytes(&library), None);
    }
}
