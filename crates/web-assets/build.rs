//! Packs `web/dist` into the binary, gzipped: gzip is what browsers accept over plain http too. A release build without
//! `web/dist` fails, so that nobody ships a portal without a face; a debug build says so on the page instead.

use std::error::Error;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let dist = manifest.join("../../web/dist");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    println!("cargo::rerun-if-changed={}", dist.display());
    let mut files = Vec::new();
    walk(&dist, &dist, &mut files);
    files.sort();
    if files.is_empty() && std::env::var("PROFILE")? == "release" {
        println!("cargo::error=web/dist is missing: build the portal's pages first (make web)");
        return Ok(());
    }
    let mut table = String::from("static FILES: &[Asset] = &[\n");
    for (number, name) in files.iter().enumerate() {
        let bytes = std::fs::read(dist.join(name))?;
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        let packed = out.join(format!("{number}.gz"));
        std::fs::write(&packed, gzip(&bytes)?)?;
        let _ = writeln!(
            table,
            "Asset {{ path: {name:?}, mime: {:?}, etag: \"\\\"{:016x}\\\"\", immutable: {}, gzip: include_bytes!({packed:?}) }},",
            mime(name),
            hasher.finish(),
            name.starts_with("assets/"),
        );
    }
    table.push_str("];\n");
    std::fs::write(out.join("files.rs"), table)?;
    Ok(())
}

fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, files);
        } else if let Ok(name) = path.strip_prefix(root) {
            files.push(name.to_string_lossy().replace('\\', "/"));
        }
    }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn mime(name: &str) -> &'static str {
    match name.rsplit('.').next().unwrap_or("") {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" | "webmanifest" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "woff" => "font/woff",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
