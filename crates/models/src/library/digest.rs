//! SHA-256 of whole files, and of models that are cut into several.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use super::Error;

/// The digest of the file in hexadecimal digits. `tell` hears how many bytes have been read. Blocks.
pub(super) fn of_file(path: &Path, cancel: &CancellationToken, mut tell: impl FnMut(u64)) -> Result<String, Error> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let (mut sha, mut buffer, mut done) = (Sha256::new(), vec![0; 1 << 20], 0);
    loop {
        let read = file.read(&mut buffer).map_err(Error::io(path))?;
        if read == 0 {
            return Ok(hex(sha));
        }
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        sha.update(&buffer[..read]);
        done += read as u64;
        tell(done);
    }
}

/// The digest of a model: of its one file, or the one that [`joined`] makes of its files'.
pub(super) fn of_model(
    files: &[PathBuf],
    cancel: &CancellationToken,
    mut tell: impl FnMut(u64),
) -> Result<String, Error> {
    let (mut digests, mut before) = (Vec::with_capacity(files.len()), 0);
    for file in files {
        let mut read = before;
        digests.push(of_file(file, cancel, |done| {
            read = before + done;
            tell(read);
        })?);
        before = read;
    }
    Ok(joined(digests))
}

/// One digest for several files: that of their digests, written one after the other. One alone stays what it is.
pub(super) fn joined(mut digests: Vec<String>) -> String {
    match digests.len() {
        1 => digests.swap_remove(0),
        _ => hex(Sha256::new_with_prefix(digests.concat())),
    }
}

fn hex(sha: Sha256) -> String {
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest that `text` is, in lower case: 64 hexadecimal digits, as Git LFS and both hubs write it (`sha256:` or quotes around
/// it are left out).
pub(super) fn parse(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches("W/").trim_matches('"');
    let digits = text.strip_prefix("sha256:").or_else(|| text.strip_prefix("sha256-")).unwrap_or(text);
    let sound = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    sound.then(|| digits.to_ascii_lowercase())
}
