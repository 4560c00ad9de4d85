//! `portico model` as a person types it, with GGUF files as they are written, hostile ones included, and a file server.

mod adapters;
mod doors;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// Runs the binary in `folder`, where HOME is, too: exit code, standard output, standard error.
pub(crate) fn portico(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let ours = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("PORTICO_"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
    ours.for_each(|name| {
        command.env_remove(name);
    });
    command.env("HOME", folder).env_remove("OLLAMA_MODELS").stdin(std::process::Stdio::null());
    let done = command.args(args).current_dir(folder).output().expect("the binary runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (done.status.code().expect("an exit code"), text(done.stdout), text(done.stderr))
}

pub(crate) fn ok(folder: &Path, args: &[&str]) -> (String, String) {
    let (code, out, err) = portico(folder, args);
    assert_eq!(code, 0, "{args:?}: {err}");
    (out, err)
}

fn refused(folder: &Path, args: &[&str]) -> String {
    let (code, out, err) = portico(folder, args);
    assert_eq!((code, out.as_str()), (1, ""), "{args:?}");
    err
}

/// A small sound GGUF file: one layer of 64 numbers in 4 heads, a vocabulary of three tokens, one tensor.
fn gguf() -> Vec<u8> {
    whole_or_first(&[])
}

/// The same as the first of two files, and the second, which holds another tensor.
fn gguf_in_two() -> [Vec<u8>; 2] {
    let first = whole_or_first(&[("split.count", 2), ("split.no", 0)]);
    let mut second = b"GGUF".to_vec();
    second.extend(3_u32.to_le_bytes());
    second.extend(1_u64.to_le_bytes());
    second.extend(2_u64.to_le_bytes());
    numbers(&[("split.count", 2), ("split.no", 1)], &mut second);
    tensor("output.weight", &mut second);
    [first, second]
}

fn string(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn numbers(pairs: &[(&str, u32)], bytes: &mut Vec<u8>) {
    for (key, value) in pairs {
        string(key, bytes);
        bytes.extend(4_u32.to_le_bytes());
        bytes.extend(value.to_le_bytes());
    }
}

/// The only tensor of a file, and its 768 bytes.
fn tensor(name: &str, bytes: &mut Vec<u8>) {
    string(name, bytes);
    bytes.extend(2_u32.to_le_bytes());
    bytes.extend(64_u64.to_le_bytes());
    bytes.extend(3_u64.to_le_bytes());
    bytes.extend(0_u32.to_le_bytes());
    bytes.extend(0_u64.to_le_bytes());
    bytes.resize(bytes.len().next_multiple_of(32) + 64 * 3 * 4, 0);
}

fn whole_or_first(split: &[(&str, u32)]) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend(1_u64.to_le_bytes());
    bytes.extend((9 + split.len() as u64).to_le_bytes());
    numbers(split, &mut bytes);
    for (key, value) in [("general.architecture", "llama"), ("general.license", "apache-2.0")] {
        string(key, &mut bytes);
        bytes.extend(8_u32.to_le_bytes());
        string(value, &mut bytes);
    }
    let facts = [
        ("general.file_type", 0),
        ("llama.context_length", 2048),
        ("llama.embedding_length", 64),
        ("llama.block_count", 1),
        ("llama.attention.head_count", 4),
        ("llama.feed_forward_length", 128),
    ];
    numbers(&facts, &mut bytes);
    string("tokenizer.ggml.tokens", &mut bytes);
    bytes.extend(9_u32.to_le_bytes());
    bytes.extend(8_u32.to_le_bytes());
    bytes.extend(3_u64.to_le_bytes());
    ["a", "b", "c"].iter().for_each(|token| string(token, &mut bytes));
    tensor("token_embd.weight", &mut bytes);
    bytes
}

/// What a server does after half of the file, when it is asked first.
#[derive(Clone, Copy, PartialEq)]
enum First {
    BreaksOff,
    Hangs,
}

/// A server that gives the first request half of the file and the others what they ask for.
fn serve(data: Vec<u8>, first: First) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let mut hung = Vec::new();
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            let head = String::from_utf8_lossy(&head[..read]).to_lowercase();
            let from = head.lines().find_map(|line| line.strip_prefix("range: bytes=")?.strip_suffix('-'));
            let from: usize = from.and_then(|from| from.trim().parse().ok()).unwrap_or(0);
            let (rest, total) = (data.len() - from, data.len());
            let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
            let range = format!("Content-Range: bytes {from}-{}/{total}", total - 1);
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {rest}\r\n{range}\r\nETag: \"1\"\r\n\r\n");
            let end = if number == 0 { total / 2 } else { total };
            let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.write_all(&data[from..end]));
            if number == 0 && first == First::Hangs {
                hung.push(stream);
            }
        }
    });
    url
}

#[test]
fn a_model_is_fetched_listed_verified_and_removed() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = dir.path();
    let (out, err) = ok(here, &["model", "list"]);
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(err.contains("portico model list --catalogue"), "{err}");
    assert!(!here.join("data").exists(), "it looks and makes nothing");

    let url = format!("{}/org/repo/resolve/main/tiny.gguf", serve(gguf(), First::BreaksOff));
    let (out, err) = ok(here, &["model", "pull", &url]);
    let path = here.join("data/models/tiny.gguf");
    assert_eq!(std::fs::read(&path).expect("the file"), gguf());
    let path = path.display().to_string();
    assert!(out.trim_end().ends_with("data/models/tiny.gguf"), "the path alone: {out}");
    assert!(err.contains("[[model]]\npath = \"") && err.contains("it is tried again"), "{err}");
    assert!(err.contains("it needs 268 MB of memory with 2048 of its 2048 tokens of context"), "{err}");
    assert!(refused(here, &["model", "pull", &url]).contains("there is a model tiny already; remove it first"));

    let (out, _) = ok(here, &["model", "list"]);
    let row: Vec<&str> = out.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(row, ["tiny", "F32", "1", "kB", "2048", "268", "MB", "yes", "apache-2.0", "here"]);
    assert!(ok(here, &["model", "verify", "tiny"]).0.starts_with("ok "));
    assert!(ok(here, &["doctor"]).0.contains("data/models holds 1, 1 kB; "));

    let mut bent = gguf();
    *bent.last_mut().expect("a byte") = 1;
    std::fs::write(&path, bent).expect("written");
    let (code, out, err) = portico(here, &["model", "verify", "tiny"]);
    assert_eq!((code, out.starts_with("DIFFERENT ")), (1, true), "{err}");

    assert!(refused(here, &["model", "remove", "tiny"]).contains("say --yes"), "nobody is there to be asked");
    ok(here, &["model", "remove", "tiny", "--yes"]);
    assert!(!Path::new(&path).exists());
    assert!(refused(here, &["model", "remove", "tiny", "-y"]).contains("there is no model tiny here"));
}

#[test]
fn a_model_in_two_files_is_reckoned_and_removed_as_one() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = dir.path();
    let parts = ["two-00001-of-00002.gguf", "two-00002-of-00002.gguf"];
    let data = gguf_in_two();
    std::fs::write(here.join(parts[0]), &data[0]).expect("written");
    let told = refused(here, &["model", "import", parts[0]]);
    assert!(told.contains("two-00002-of-00002.gguf cannot be read"), "{told}");
    std::fs::write(here.join(parts[1]), &data[1]).expect("written");
    let (out, err) = ok(here, &["model", "import", parts[0]]);
    assert!(out.trim_end().ends_with("data/models/two-00001-of-00002.gguf"), "the first of them: {out}");
    let bytes = data[0].len() + data[1].len();
    assert!(err.contains(&format!("two: {} kB, SHA-256 ", bytes / 1000)), "{err}");
    let record = std::fs::read_to_string(here.join("data/models/two.json")).expect("a record");
    assert!(record.contains("\"weight_bytes\": 1536"), "the weights of both: {record}");
    assert!(ok(here, &["model", "verify", "two"]).0.starts_with("ok "));
    assert!(ok(here, &["model", "list"]).0.lines().nth(1).expect("a row").starts_with("two "));
    ok(here, &["model", "remove", "two", "--yes"]);
    assert!(parts.iter().all(|part| !here.join("data/models").join(part).exists() && here.join(part).exists()));
}

#[test]
fn what_runs_is_not_removed() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = dir.path();
    std::fs::write(here.join("m.gguf"), gguf()).expect("written");
    let (path, _) = ok(here, &["model", "import", "m.gguf"]);
    std::fs::write(here.join("portico.toml"), format!("[[model]]\npath = {:?}\n", path.trim_end())).expect("written");
    let folder = portico::data::DataFolder::open(&here.join("data")).expect("a portal's folder");
    let told = refused(here, &["model", "remove", "m", "--yes"]);
    assert_eq!(told, "portico: m is in use by a running portal; stop it there first\n");
    drop(folder);
    ok(here, &["model", "remove", "m", "--yes"]);
    assert!(here.join("m.gguf").exists(), "the second name alone is gone");
}

#[test]
fn hostile_files_are_refused_with_a_sentence() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = dir.path();
    let patched = |at: usize, with: &[u8]| {
        let mut bytes = gguf();
        bytes[at..at + with.len()].copy_from_slice(with);
        bytes
    };
    let cut = gguf()[..gguf().len() - 100].to_vec();
    for (bytes, says) in [
        (Vec::new(), "is not a GGUF model"),
        (b"<html>Sign in</html>".to_vec(), "is not a GGUF model"),
        (patched(4, &9_u32.to_le_bytes()), "is GGUF version 9"),
        (patched(8, &u64::MAX.to_le_bytes()), "tensors"),
        (patched(16, &u64::MAX.to_le_bytes()), "metadata keys"),
        (cut, "is cut short"),
    ] {
        std::fs::write(here.join("bad.gguf"), bytes).expect("written");
        for way in [&["model", "import", "bad.gguf"][..], &["model", "import", "--in-place", "bad.gguf"]] {
            let told = refused(here, way);
            assert!(told.contains(says) && told.lines().count() == 1, "{told}");
        }
    }
    std::fs::write(here.join("good.gguf"), gguf()).expect("written");
    for name in ["..", "../x", "a/b", ".x", "a..b"] {
        assert!(
            refused(here, &["model", "import", "good.gguf", "--name", name]).contains("cannot be the name"),
            "{name}"
        );
    }
    let left = std::fs::read_dir(here.join("data/models"))
        .map_or(0, |left| left.flatten().filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).count());
    assert_eq!(left, 0, "nothing of them is here");
}

#[test]
fn what_does_not_fit_and_what_may_not_be_contacted_is_refused_before() {
    let dir = tempfile::tempdir().expect("a folder");
    let here = dir.path();
    let (out, err) = ok(here, &["model", "list", "--catalogue"]);
    assert!(
        out.contains("qwen2.5-7b:Q4_K_M") && out.contains("Apache-2.0") && err.contains("8192 tokens"),
        "{out}{err}"
    );
    std::fs::write(here.join("portico.toml"), "[egress]\noffline = true\n").expect("written");
    let told = refused(here, &["model", "pull", "qwen2.5-0.5b:Q8_0", "--from", "modelscope", "--anyway"]);
    assert!(told.ends_with("may not be contacted: the portal runs offline and looks up no name\n"), "{told}");
    // The longest context of the largest model: 32 GB and more, which is said with its figures and before anybody is asked.
    let told =
        refused(here, &["model", "pull", "qwen2.5-32b:Q8_0", "--context", "32768", "--from", "https://m.invalid"]);
    let fits = told.contains("may not be contacted");
    assert!(fits || told.contains("qwen2.5-32b:Q8_0 needs 45.") && told.contains("and this machine has"), "{told}");
    // A mirror that the configuration names is asked, and one that is given wins over it.
    std::fs::write(
        here.join("portico.toml"),
        "[egress]\noffline = true\n[library]\nfrom = \"https://m.invalid/hub\"\n",
    )
    .expect("written");
    let told = refused(here, &["model", "pull", "qwen2.5-0.5b:Q8_0", "--anyway"]);
    assert!(told.contains("https://m.invalid:443 may not be contacted"), "{told}");
    let told = refused(here, &["model", "pull", "qwen2.5-0.5b:Q8_0", "--anyway", "--from", "hf"]);
    assert!(told.contains("https://huggingface.co:443 may not be contacted"), "{told}");
    assert!(refused(here, &["model", "pull", "no-such"]).contains("there is no no-such in the catalogue"));
    assert!(refused(here, &["model", "pull", "qwen2.5-7b", "--from", "x"]).contains("huggingface, modelscope or"));
    assert!(refused(here, &["model", "pull", "qwen2.5-7b", "--sha256", "12", "--anyway"]).contains("64 hexadecimal"));
}
