//! The library through the portal's doors: fetched with its progress, gone on with after a restart, uploaded, refused, removed.

use std::time::Duration;

use models::testing::Scripted;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::{First, gguf, serve};
use crate::portal::{Person, Place, Portal, Reply, call};

const NO_OLLAMA: [(&str, &str); 1] = [("OLLAMA_MODELS", "/nowhere")];

pub(super) async fn portal() -> (Place, Portal, Person) {
    let scripted = Scripted::start().await;
    let place = Place::new(&scripted, "discover = false");
    let mut portal = place.start_with(&NO_OLLAMA).await;
    let owner = portal.own().await;
    (place, portal, owner)
}

/// The download once it is `state`.
async fn download(owner: &Person, state: &str) -> Value {
    for _ in 0..1000 {
        let library = owner.get("/api/library").await;
        if library["downloads"][0]["state"] == state {
            return library["downloads"][0].clone();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never {state}: {}", owner.get("/api/library").await)
}

async fn upload(owner: &Person, file: &str, bytes: &[u8]) -> Reply {
    let path = format!("/api/library/files/{file}");
    call(owner.address, "PUT", &path, &[("cookie", &owner.cookie)], bytes).await
}

#[tokio::test]
async fn a_model_is_fetched_in_the_portal() {
    let (_place, _portal, owner) = portal().await;
    let empty = owner.get("/api/library").await;
    assert_eq!((&empty["models"], &empty["downloads"]), (&json!([]), &json!([])), "{empty}");
    assert_eq!(empty["runs_models"], json!(cfg!(feature = "engine")));
    let offers = owner.get("/api/library/offers?context=4096").await;
    assert_eq!(offers["offers"][0]["room"]["context"], 4096, "{}", offers["offers"][0]);
    let lin = owner.invite("lin").await;
    for path in ["/api/library", "/api/library/offers"] {
        assert_eq!(lin.call("GET", path, None).await.status, 403);
    }

    let order = json!({ "model": format!("{}/o/r/resolve/main/tiny.gguf?secret=1", serve(gguf(), First::BreaksOff)) });
    let begun = owner.call("POST", "/api/library/downloads", Some(&order)).await.expect(202);
    assert_eq!((&begun["name"], &begun["state"]), (&json!("tiny"), &json!("running")));
    assert!(!begun["url"].to_string().contains("secret"), "{begun}");
    let done = download(&owner, "done").await;
    assert_eq!((&done["have"], &done["total"]), (&json!(gguf().len()), &json!(gguf().len())));
    let library = owner.get("/api/library").await;
    let model = &library["models"][0];
    assert_eq!((&model["name"], &model["quant"], &model["place"]), (&json!("tiny"), &json!("F32"), &json!("folder")));
    assert_eq!((&model["running"], &model["room"]["fits"]), (&json!(false), &json!(true)), "{model}");
    let again = owner.call("POST", "/api/library/downloads", Some(&order)).await.expect(409);
    assert_eq!((&again["code"], &again["params"]["name"]), (&json!("library_exists"), &json!("tiny")));

    let verified = owner.post("/api/library/models/tiny/verify", &json!({})).await;
    assert_eq!(verified["same"], true);
    if !cfg!(feature = "engine") {
        let refused = owner.call("POST", "/api/library/models/tiny/start", Some(&json!({}))).await.expect(409);
        assert_eq!(refused["code"], "library_no_engine");
    }
    owner.do_it("DELETE", "/api/library/downloads/tiny").await;
    owner.do_it("DELETE", "/api/library/models/tiny").await;
    let empty = owner.get("/api/library").await;
    assert_eq!((&empty["models"], &empty["downloads"]), (&json!([]), &json!([])), "{empty}");
}

#[tokio::test]
async fn a_download_that_the_portal_left_is_gone_on_with_after_a_restart() {
    let (place, mut portal, owner) = portal().await;
    let order = json!({ "model": format!("{}/tiny.gguf", serve(gguf(), First::Hangs)) });
    owner.call("POST", "/api/library/downloads", Some(&order)).await.expect(202);
    let half = json!(gguf().len() / 2);
    while owner.get("/api/library").await["downloads"][0]["have"] != half {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    portal.signal(Signal::TERM);
    assert!(portal.ended().await.success());

    let portal = place.start_with(&NO_OLLAMA).await;
    let owner = portal.sign_in("owner").await;
    let left = download(&owner, "paused").await;
    assert_eq!(left["have"], half, "what had arrived is kept");
    owner.call("POST", "/api/library/downloads/tiny/resume", None).await.expect(202);
    download(&owner, "done").await;
    assert_eq!(std::fs::read(place.data().join("models/tiny.gguf")).expect("the file"), gguf());
    assert_eq!(owner.call("POST", "/api/library/downloads/none/resume", None).await.status, 404);
}

#[tokio::test]
async fn files_are_uploaded_and_what_is_no_model_leaves_nothing() {
    let (place, _portal, owner) = portal().await;
    let made = upload(&owner, "mine.gguf", &gguf()).await.expect(201);
    assert_eq!((&made["name"], &made["bytes"]), (&json!("mine"), &json!(gguf().len())));
    for (file, bytes, status, code) in [
        ("page.gguf", b"<html>".to_vec(), 422, "library_not_a_model"),
        ("cut.gguf", gguf()[..500].to_vec(), 422, "library_not_a_model"),
        ("mine.gguf", gguf(), 409, "library_exists"),
        ("mine.bin", gguf(), 422, "library_bad_name"),
        ("..%2Fout.gguf", gguf(), 422, "library_bad_name"),
    ] {
        let refused = upload(&owner, file, &bytes).await.expect(status);
        assert_eq!(refused["code"], code, "{file}: {refused}");
    }
    let partial = std::fs::read_dir(place.data().join("models/.partial")).expect("a folder").flatten();
    let left: Vec<_> = partial.filter(|entry| !entry.file_name().to_string_lossy().ends_with(".lock")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!place.data().join("out.gguf").exists());

    let path = place.data().join("beside.gguf");
    std::fs::write(&path, gguf()).expect("written");
    let taken = json!({ "path": path, "in_place": true });
    let taken = owner.call("POST", "/api/library/models", Some(&taken)).await.expect(201);
    assert_eq!((&taken["name"], &taken["place"]), (&json!("beside"), &json!("in_place")));
    owner.do_it("DELETE", "/api/library/models/beside").await;
    assert!(path.exists());
    for (body, code) in [
        (json!({ "model": "no-such" }), "library_not_offered"),
        // A checksum is of one file, and these are two.
        (json!({ "model": "https://h/a-00001-of-00002.gguf", "sha256": "ab".repeat(32) }), "library_bad_url"),
        (json!({ "model": "https://h/x.zip" }), "library_bad_name"),
        (json!({ "model": "qwen2.5-7b", "from": "nowhere" }), "library_bad_url"),
        (json!({ "model": "https://h/x.gguf", "sha256": "12" }), "invalid_request"),
    ] {
        let refused = owner.call("POST", "/api/library/downloads", Some(&body)).await;
        assert_eq!(serde_json::from_slice::<Value>(&refused.body).expect("JSON")["code"], code, "{body}");
    }
}
