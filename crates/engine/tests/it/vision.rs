//! Pictures through the door: a model with random eyes, and what is refused before it is looked at. What is seen is compared with mtmd's own in
//! the engine's own tests.

use std::{fs, path::PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    llama::models,
    projectors::{Kind, picture, write_eyes, write_projector},
    worker::{Reply, Worker, told},
};

/// 24 x 16 pixels of a slope of colours.
const JPEG: &str = "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAA0JCgsKCA0LCgsODg0PEyAVExISEyccHhcgLikxMC4pLSwzOko+MzZGNywtQFdBRkxOUlNSMj5aYVpQYEpRUk//2wBDAQ4ODhMREyYVFSZPNS01T09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT09PT0//wAARCAAQABgDASIAAhEBAxEB/8QAFwAAAwEAAAAAAAAAAAAAAAAAAAQGBf/EABgQAAMBAQAAAAAAAAAAAAAAAAADBWJh/8QAFgEBAQEAAAAAAAAAAAAAAAAABAMG/8QAHBEAAQUAAwAAAAAAAAAAAAAAAAMEBSExAiJh/9oADAMBAAIRAxEAPwCUTOyPpnZN9M7I+mdwuo+9BMpHLJ9M7IFemdkAPJ9emnRkeun/2Q==";

struct Eyes {
    worker: Worker,
    _files: tempfile::TempDir,
}

/// A worker with eyes beside its model; `None` where there is no model.
fn eyes(kind: Kind, more: &[&str]) -> Option<Eyes> {
    let (files, model) = beside(|path| write_eyes(path, kind))?;
    let arguments: Vec<_> = [model.to_str().expect("a path"), "--threads", "1"].iter().chain(more).copied().collect();
    Some(Eyes { worker: Worker::start(&arguments).ready(), _files: files })
}

/// The model with a projector beside it.
fn beside(projector: impl Fn(&std::path::Path)) -> Option<(tempfile::TempDir, PathBuf)> {
    let files = tempfile::tempdir().expect("a folder");
    let model = files.path().join("stories260K.gguf");
    fs::copy(models()?.join("stories260K.gguf"), &model).expect("copied");
    projector(&files.path().join("mmproj-f32.gguf"));
    Some((files, model))
}

fn png(width: u32, height: u32, color: png::ColorType, samples: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.write_header().expect("written").write_image_data(samples).expect("written");
    bytes
}

fn noise(seed: u64) -> Vec<u8> {
    png(80, 50, png::ColorType::Rgb, &picture(seed, 80, 50))
}

fn url(kind: &str, bytes: &[u8]) -> String {
    format!("data:image/{kind};base64,{}", STANDARD.encode(bytes))
}

fn shows(urls: &[&str]) -> Value {
    let text = |text: &str| json!({"type": "text", "text": text});
    let mut parts = vec![text("Once upon a time, there was a little girl named Lily. She saw")];
    parts.extend(urls.iter().map(|url| json!({"type": "image_url", "image_url": {"url": url, "detail": "low"}})));
    parts.push(text(" in the park and said"));
    json!({"messages": [{"role": "user", "content": parts}], "max_tokens": 16, "temperature": 0})
}

fn ask(worker: &Worker, urls: &[&str]) -> Reply {
    worker.post("/v1/chat/completions", &shows(urls))
}

fn said(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    reply.json()["choices"][0]["message"]["content"].as_str().expect("text").to_owned()
}

/// The status and the sentence of a refusal.
fn refusal(reply: &Reply) -> (u16, String) {
    (reply.status, reply.json()["error"]["message"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_picture_in_a_message_is_seen_streamed_or_not_and_counted_among_the_prompt() {
    let Some(Eyes { worker, .. }) = eyes(Kind::Causal, &[]) else { return };
    let meta = &worker.get("/v1/models").json()["data"][0]["meta"];
    assert_eq!(meta["capabilities"], json!(["completion", "vision"]));
    assert_eq!(meta["input_modalities"], json!(["text", "image"]));

    let one = url("png", &noise(1));
    let reply = ask(&worker, &[&one]);
    let prompt = |reply: &Reply| reply.json()["usage"]["prompt_tokens"].as_u64().expect("a count");
    assert_eq!(prompt(&ask(&worker, &[&one, &one])), prompt(&reply) + Kind::Causal.places());
    let mut streamed = shows(&[&one]);
    streamed["stream"] = true.into();
    assert_eq!(told(&worker.stream("/v1/chat/completions", &streamed)).0, said(&reply));
    // What its URL says of its type does not count, its pixels do.
    assert_eq!(said(&ask(&worker, &[&url("jpeg", &noise(1))])), said(&reply));
    let confident = |urls: &[&str]| {
        let mut asked = shows(urls);
        asked["logprobs"] = true.into();
        worker.post("/v1/chat/completions", &asked).json()["choices"][0]["logprobs"].clone()
    };
    assert_ne!(confident(&[&one]), confident(&[&url("png", &noise(2))]));
    assert_ne!(confident(&[&one]), confident(&[&one, &one]));
}

#[test]
fn the_same_pixels_are_the_same_picture_in_whatever_way_a_png_holds_them() {
    let Some(Eyes { worker, .. }) = eyes(Kind::Whole, &[]) else { return };
    let grey: Vec<u8> = picture(3, 16, 10).into_iter().step_by(3).collect();
    let each = |samples: &dyn Fn(u8) -> Vec<u8>| grey.iter().flat_map(|&sample| samples(sample)).collect::<Vec<_>>();
    let pixels = [
        png(16, 10, png::ColorType::Grayscale, &grey),
        png(16, 10, png::ColorType::GrayscaleAlpha, &each(&|grey| vec![grey, 9])),
        png(16, 10, png::ColorType::Rgb, &each(&|grey| vec![grey; 3])),
        png(16, 10, png::ColorType::Rgba, &each(&|grey| vec![grey, grey, grey, 0])),
    ];
    let answers: Vec<_> = pixels
        .iter()
        .map(|png| {
            let mut asked = shows(&[&url("png", png)]);
            asked["logprobs"] = true.into();
            worker.post("/v1/chat/completions", &asked).json()["choices"].clone()
        })
        .collect();
    assert!(answers[0][0]["message"]["content"].is_string());
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    assert_eq!(ask(&worker, &[&format!("data:image/jpeg;base64,{JPEG}")]).status, 200);
}

#[test]
fn hostile_pictures_are_refused_with_a_sentence_and_nobody_else_notices() {
    let Some(Eyes { worker, .. }) = eyes(Kind::Causal, &[]) else { return };
    let before = said(&ask(&worker, &[&url("png", &noise(1))]));
    let whole = noise(1);
    // A head that speaks of more than there is room for, before a byte of it is unpacked.
    let huge = |width: u32, height: u32| {
        let mut bytes = png(1, 1, png::ColorType::Rgb, &[0; 3]);
        bytes[16..20].copy_from_slice(&width.to_be_bytes());
        bytes[20..24].copy_from_slice(&height.to_be_bytes());
        let sum = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&sum.to_be_bytes());
        bytes
    };
    let jpeg = STANDARD.decode(JPEG).expect("base64");
    let claims = |size: [u8; 4]| {
        let mut bytes = jpeg.clone();
        let at = bytes.windows(2).position(|mark| mark == [0xff, 0xc0]).expect("a frame") + 5;
        bytes[at..at + 4].copy_from_slice(&size);
        bytes
    };
    let cases: [(String, &str); 13] = [
        (
            "https://example.com/cat.png".into(),
            "must be a data: URL with the picture in it: this engine fetches nothing",
        ),
        ("file:///etc/passwd".into(), "must be a data: URL with the picture in it: this engine fetches nothing"),
        ("data:image/png,abc".into(), "must be a data: URL in base64"),
        ("data:image/png;base64,@@".into(), "is no base64"),
        (url("png", b""), "is neither PNG nor JPEG"),
        (url("png", b"GIF89a\x01\0\x01\0"), "is neither PNG nor JPEG"),
        (url("png", &whole[..whole.len() / 2]), "is a broken PNG"),
        (url("png", &whole[..20]), "is a broken PNG"),
        (url("jpeg", &jpeg[..jpeg.len() - 40]), "is a broken JPEG"),
        (url("jpeg", &claims([0xff; 4])), "is a broken JPEG"),
        (url("jpeg", &claims([0x3f, 0xff, 0x3f, 0xff])), "has 16383 x 16383 pixels"),
        (url("png", &huge(100_000, 100_000)), "has 100000 x 100000 pixels; at most 33 million are read"),
        (url("png", &huge(16_385, 1)), "has 16385 x 1 pixels"),
    ];
    for (url, why) in &cases {
        let (status, sentence) = refusal(&ask(&worker, &[url]));
        let begin = "messages hold a picture (number 1) that ";
        assert_eq!(status, 400, "{sentence}");
        assert!(sentence.starts_with(&format!("{begin}{why}")), "{sentence}, wanted {why}");
    }
    let many: Vec<_> = (0..17).map(|_| url("png", &whole)).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(refusal(&ask(&worker, &many)), (400, "messages hold more than 16 pictures".into()));
    let large = format!("data:image/png;base64,{}", "A".repeat(28 << 20));
    assert_eq!(refusal(&ask(&worker, &[&large])).1, "messages hold a picture (number 1) that has more than 20 MiB");
    // Sixteen of them do not fit the context of this model, which is told with figures.
    let (status, sentence) = refusal(&ask(&worker, &many[..16]));
    assert!(status == 400 && sentence.contains("and the context of this model is"), "{sentence}");
    let asked = json!({"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": url("png", &whole)}}]}]});
    let (status, sentence) = refusal(&worker.put("/v1/prefixes", &asked));
    assert_eq!((status, sentence.as_str()), (400, "messages hold a picture; only text is pinned"));
    assert_eq!(said(&ask(&worker, &[&url("png", &whole)])), before);
}

#[test]
fn a_model_without_eyes_says_so() {
    let Some(models) = models() else { return };
    let worker = Worker::start(&[models.join("stories260K.gguf").to_str().expect("a path")]).ready();
    let (status, sentence) = refusal(&ask(&worker, &[&url("png", &noise(1))]));
    assert_eq!((status, sentence.as_str()), (400, "this model reads text only: a picture needs one that sees"));
    assert_eq!(worker.get("/v1/models").json()["data"][0]["meta"]["input_modalities"], json!(["text"]));
}

#[test]
fn projectors_that_are_none_for_the_model_are_refused_with_a_sentence() {
    let ends = |arguments: &[&str]| {
        let (said, status) = Worker::start(arguments).end();
        assert_eq!(status.code(), Some(3), "{said}");
        said
    };
    let Some((files, model)) = beside(|path| write_projector(path, Kind::Causal, 128)) else { return };
    let model = model.to_str().expect("a path").to_owned();
    let said = ends(&[&model]);
    assert!(said.contains("mmproj-f32.gguf") && said.contains("mismatch between text model (n_embd = 64)"), "{said}");
    let other = files.path().join("other.gguf");
    let other = other.to_str().expect("a path");
    fs::write(other, b"GGUF").expect("written");
    assert!(ends(&[&model, "--mmproj", other]).contains("other.gguf"));
    assert!(ends(&[&model, "--mmproj", &model]).contains("is no projector: its architecture is"));
    assert!(ends(&[&model, "--mmproj", "/nowhere.gguf"]).contains("cannot be read"));
    let whole = fs::read(files.path().join("mmproj-f32.gguf")).expect("bytes");
    fs::write(other, &whole[..whole.len() - 100]).expect("written");
    assert!(ends(&[&model, "--mmproj", other]).contains("other.gguf"));
}

/// PNG's checksum.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { 0xedb8_8320 ^ (sum >> 1) } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}
