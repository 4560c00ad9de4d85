//! Which weights a model is made of, told in a moment where reading all of them takes minutes.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{Head, part_path};

/// Bytes that are looked at of each tensor.
const SAMPLE: u64 = 4096;

/// A word that two files have in common only where they are the same model: over the whole head, the size, and a sample from the middle of
/// every tensor. Training changes numbers all over a tensor, so even weights that were merged in one layer are told apart. The time of the
/// file says nothing: a copy or a restored backup is the same model.
///
/// # Errors
/// What reading the files failed with.
pub fn identity(path: &Path, heads: &[Head]) -> io::Result<String> {
    let parts = i128::try_from(heads.len()).unwrap_or(1);
    let mut digest = Sha256::new();
    for (head, part) in heads.iter().zip(1..) {
        let path = if part == 1 { Some(path.to_owned()) } else { part_path(path, part, parts) };
        let mut file = File::open(path.ok_or(io::ErrorKind::NotFound)?)?;
        digest.update(file.metadata()?.len().to_le_bytes());
        feed(&mut digest, &mut file, 0, head.data_offset)?;
        for tensor in &head.tensors {
            let len = tensor.bytes.min(SAMPLE);
            feed(&mut digest, &mut file, head.data_offset + tensor.offset + (tensor.bytes - len) / 2, len)?;
        }
    }
    Ok(crate::hex(&digest.finalize()))
}

fn feed(digest: &mut Sha256, file: &mut File, from: u64, len: u64) -> io::Result<()> {
    file.seek(SeekFrom::Start(from))?;
    let (mut file, mut piece) = (file.take(len), vec![0; 1 << 16]);
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(()),
            read => digest.update(piece.get(..read).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::{Head, Tensor};
    use super::identity;

    fn head() -> Head {
        let tensor = |offset| Tensor { name: "x".into(), shape: vec![8192], kind: 0, offset, bytes: 8192 };
        Head { metadata: Default::default(), tensors: vec![tensor(0), tensor(8192)], data_offset: 64 }
    }

    #[test]
    fn a_copy_is_the_same_and_other_weights_of_the_same_shape_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let of = |change: Option<usize>| {
            let mut bytes = vec![7_u8; 64 + 2 * 8192];
            change.into_iter().for_each(|at| bytes[at..at + 4096].fill(8));
            let path = folder.path().join(format!("{change:?}.gguf"));
            fs::write(&path, bytes).expect("written");
            identity(&path, &[head()]).expect("readable")
        };
        let known = of(None);
        fs::copy(folder.path().join("None.gguf"), folder.path().join("copy.gguf")).expect("copied");
        assert_eq!(identity(&folder.path().join("copy.gguf"), &[head()]).expect("readable"), known);
        for changed in [60, 64 + 2048, 64 + 8192 + 2048] {
            assert_ne!(of(Some(changed)), known, "from byte {changed}");
        }
        assert!(identity(&folder.path().join("none.gguf"), &[head()]).is_err());
    }
}
