//! SHA-256 of whole files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

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
            return Ok(sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        if cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        sha.update(&buffer[..read]);
        done += read as u64;
        tell(done);
    }
}

/// The digest that `text` is, in lower case: 64 hexadecimal digits, as Git LFS and both hubs write it (`sha256:` or quotes around
/// it are left out).
pub(super) fn parse(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches("W/").trim_matches('"');
    let digits = text.strip_prefix("sha256:").or_else(|| text.strip_prefix("sha256-")).unwrap_or(text);
    let sound = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    sound.then(|| digits.to_ascii_lowercase())
}
