//! The portal's pages, embedded in the binary. Not a file server: nothing is read from disk at run time.

use std::io::Read;

/// One embedded file.
#[derive(Debug)]
pub struct Asset {
    /// Path below the root, without a leading slash: `assets/index-3fa9.js`.
    pub path: &'static str,
    /// Its media type.
    pub mime: &'static str,
    /// A strong entity tag, quoted.
    pub etag: &'static str,
    /// Whether the name carries a content hash, so that it may be cached for good.
    pub immutable: bool,
    /// The content, gzipped.
    pub gzip: &'static [u8],
}

impl Asset {
    /// The content itself, for the rare client that does not accept gzip.
    pub fn plain(&self) -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(self.gzip).read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// The file at `path` (no leading slash).
pub fn find(path: &str) -> Option<&'static Asset> {
    FILES.binary_search_by(|file| file.path.cmp(path)).ok().and_then(|at| FILES.get(at))
}

/// Every file, sorted by path.
pub fn all() -> &'static [Asset] {
    FILES
}

/// Shown by a debug build whose pages were not built.
pub const NOT_BUILT: &str = "<!doctype html><meta charset=utf-8><title>Portico</title>\
<p>This debug build has no pages: run <code>make web</code> and build again.<p>此调试版本未包含页面：请先运行 <code>make web</code> 再重新构建。";

#[cfg(test)]
mod tests {
    #[test]
    fn every_file_is_found_by_its_path_and_unpacks() {
        for asset in super::all() {
            let found = super::find(asset.path).unwrap_or_else(|| panic!("{} is not found", asset.path));
            assert_eq!(found.etag, asset.etag);
            assert!(found.plain().is_ok(), "{} does not unpack", asset.path);
        }
        assert!(super::find("no/such/file").is_none());
    }
}
