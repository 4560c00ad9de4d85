//! A worker on a machine of its own: TLS and a key at its door, and what a portal elsewhere sees of it. The worker is the engine's over
//! its scripted backend; certificates and keys beside this file are nobody's but the test's, each its own authority.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use bytes::Bytes;
use domain::{ModelState, SystemClock};
use egress::Egress;
use engine::backend::scripted::{Script, Scripted};
use engine::{Front, Progress};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use models::{Key, Models, ProviderConfig};
use portico::worker::Door;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/worker").join(name)
}

fn door(listen: &str) -> Door {
    let listen = listen.parse().expect("an address");
    Door { listen, key_file: None, tls_cert: None, tls_key: None, without_tls: false }
}

/// A worker that speaks TLS on a port of its own, with its certificate in files that can be replaced.
struct Alone {
    folder: tempfile::TempDir,
    address: SocketAddr,
    /// Dropped, the model is loaded to its end.
    gate: Option<mpsc::Sender<()>>,
}

impl Alone {
    async fn start() -> Alone {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| Some(folder.path().join(name));
        std::fs::write(folder.path().join("key"), format!("{SECRET}\n")).expect("written");
        wear(folder.path(), "first");
        let door = Door { key_file: at("key"), tls_cert: at("cert"), tls_key: at("private"), ..door("127.0.0.1:0") };
        let (key, front) = door.open(None).expect("it may be opened");
        let (front, bound) = telling(front.expect("a front"));
        let options = engine::Options {
            model: "model.gguf".into(),
            model_name: Some("tale".to_owned()),
            listen: door.listen,
            front: Some(front),
            key,
            context: None,
            threads: None,
            deterministic: None,
            cache: engine::Cache::default(),
            step_target: None,
            guesses: true,
            prefixes: None,
            gpu_layers: engine::GpuLayers::Auto,
            draft: None,
            projector: None,
            adapters: Vec::new(),
            calibration: engine::confidence::Calibration::default(),
            parent_watch: false,
        };
        let (gate, closed) = mpsc::channel::<()>();
        let load = move |_: &engine::Options, progress: &Progress| {
            progress.report(0.5);
            let _ = closed.recv();
            Ok(engine::Loaded::Writer(Box::new(Scripted::new(Script::answering(&["once ", "upon ", "a time"])))))
        };
        #[expect(clippy::disallowed_methods, reason = "a test's worker ends with its runtime")]
        tokio::spawn(engine::serve_with(options, load));
        Alone { address: bound.await.expect("it listens"), folder, gate: Some(gate) }
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }

    async fn loaded(mut self) -> Alone {
        self.gate = None;
        let egress = trusting("first");
        while ask(&egress, Request::get(self.url("/health")), "").await.expect("an answer").0 != StatusCode::OK {
            tokio::task::yield_now().await;
        }
        self
    }
}

/// Puts a certificate where the worker reads it.
fn wear(folder: &Path, name: &str) {
    for (from, to) in [("pem", "cert"), ("key", "private")] {
        std::fs::copy(file(&format!("{name}.{from}")), folder.join(to)).expect("copied");
    }
}

/// The same front, which tells where it listens.
fn telling(front: Front) -> (Front, oneshot::Receiver<SocketAddr>) {
    let (tell, told) = oneshot::channel();
    let tell = Mutex::new(Some(tell));
    let front = Front::new(move |listener, router| {
        if let Some(tell) = tell.lock().expect("whole").take() {
            let _ = tell.send(listener.local_addr().expect("an address"));
        }
        front.carry(listener, router)
    });
    (front, told)
}

/// A way out that trusts this certificate alone, beside the public authorities.
fn trusting(name: &str) -> Arc<Egress> {
    let allow = vec!["127.0.0.1".parse().expect("a rule")];
    let extra_ca = Some(file(&format!("{name}.pem")));
    let options = egress::Options { allow, extra_ca, ..egress::Options::default() };
    Arc::new(Egress::new(options, Arc::new(SystemClock::new())).expect("a way out"))
}

async fn ask(
    egress: &Egress,
    request: http::request::Builder,
    body: impl Into<Bytes>,
) -> Result<(StatusCode, String), String> {
    let request = request.body(Full::new(body.into())).expect("a request");
    let (head, body) = egress.request(request).await.map_err(|error| error.to_string())?.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    Ok((head.status, String::from_utf8_lossy(&body).into_owned()))
}

fn bearer(url: String, key: &str) -> http::request::Builder {
    Request::post(url).header("authorization", format!("Bearer {key}")).header("content-type", "application/json")
}

#[tokio::test]
async fn the_key_opens_and_nothing_else_does() {
    let worker = Alone::start().await.loaded().await;
    let egress = trusting("first");
    let body = r#"{"messages": [{"role": "user", "content": "x"}], "max_tokens": 2, "temperature": 0}"#;
    let chat = || worker.url("/v1/chat/completions");
    let (status, answer) = ask(&egress, bearer(chat(), SECRET), body).await.expect("an answer");
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(answer.contains("once upon "), "{answer}");
    let wrong = SECRET.replace('f', "e");
    for request in [bearer(chat(), &wrong), bearer(chat(), ""), Request::post(chat())] {
        let (status, answer) = ask(&egress, request, body).await.expect("an answer");
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{answer}");
    }
    let (status, answer) = ask(&egress, Request::get(worker.url("/v1/models")), "").await.expect("an answer");
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{answer}");

    // A body is read no further than is allowed, and without a key not at all.
    let large = vec![b' '; 33 << 20];
    let refused = ask(&egress, bearer(chat(), SECRET), large).await;
    if let Ok((status, answer)) = refused {
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
    }
    let (status, _) = ask(&egress, Request::get(worker.url("/health")), "").await.expect("still there");
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn plain_http_and_other_certificates_come_to_nothing() {
    let worker = Alone::start().await.loaded().await;
    let mut plain = TcpStream::connect(worker.address).await.expect("connected");
    plain.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("sent");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{}", String::from_utf8_lossy(&answer));
    let refused = ask(&trusting("second"), Request::get(worker.url("/health")), "").await.expect_err("nobody vouches");
    assert!(refused.contains("UnknownIssuer"), "{refused}");
}

#[tokio::test]
async fn a_renewed_certificate_is_worn_from_the_next_connection_on() {
    let worker = Alone::start().await.loaded().await;
    let before = trusting("first");
    let (status, _) = ask(&before, Request::get(worker.url("/health")), "").await.expect("the first");
    assert_eq!(status, StatusCode::OK);
    // What cannot be read changes nothing.
    std::fs::write(worker.folder.path().join("cert"), "no certificate").expect("written");
    hang_up();
    wear(worker.folder.path(), "second");
    hang_up();
    let renewed = async {
        while ask(&trusting("second"), Request::get(worker.url("/health")), "").await.is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), renewed).await.expect("the second");
    let refused = ask(&trusting("first"), Request::get(worker.url("/health")), "").await.expect_err("it is gone");
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    let (status, _) = ask(&before, Request::get(worker.url("/health")), "").await.expect("a connection goes on");
    assert_eq!(status, StatusCode::OK);
}

fn hang_up() {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::HUP).expect("sent");
}

#[tokio::test]
async fn a_portal_sees_it_load_and_then_asks_it() {
    let worker = Alone::start().await;
    let models = Models::new(models::Options::default(), trusting("first"));
    models.configure(vec![ProviderConfig {
        slug: "gpu".to_owned(),
        name: "gpu-1".to_owned(),
        kind: "openai".to_owned(),
        base_url: worker.url(""),
        key: Some(Key::new(SECRET)),
        models: None,
        enabled: true,
        timeouts: None,
        max_concurrent: None,
        warm_up: false,
    }]);
    let state = |wanted: ModelState| {
        let models = models.clone();
        async move {
            let mut known = None;
            for _ in 0..2_000 {
                known = models.state("gpu/tale");
                if known.as_ref() == Some(&wanted) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("{wanted:?} was waited for, and it is {known:?}: {:?}", models.providers());
        }
    };
    state(ModelState::Loading { percent: Some(50), eta_ms: None }).await;
    let _worker = worker.loaded().await;
    // Without being told to look again.
    state(ModelState::Ready).await;
    models.shutdown().await;
}

#[test]
fn an_address_that_others_reach_is_opened_with_a_key_and_tls_alone() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().expect("a folder");
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        Some(path)
    };
    let refused = |door: Door, key: Option<&str>| {
        let sentence = door.open(key.map(str::to_owned)).expect_err("it is not opened");
        format!("{sentence:#}").replace(&folder.path().display().to_string(), "FOLDER")
    };
    let open = "0.0.0.0:8421";
    let (certificate, private) = (Some(file("first.pem")), Some(file("first.key")));
    let secured = Door { tls_cert: certificate, tls_key: private, ..door(open) };
    let strangers = Door { tls_key: Some(file("second.key")), ..secured.clone() };
    let key_file = |text| Door { key_file: written("key", text), ..secured.clone() };
    let sentences = [
        refused(secured.clone(), None),
        refused(secured.clone(), Some(" ")),
        refused(secured.clone(), Some("hunter2")),
        refused(door(open), Some(SECRET)),
        refused(Door { without_tls: true, ..door(open) }, None),
        refused(key_file("\n"), Some(SECRET)),
        refused(key_file("two words\n"), None),
        refused(Door { key_file: Some(folder.path().join("none")), ..secured.clone() }, Some(SECRET)),
        refused(strangers, Some(SECRET)),
    ];
    insta::assert_snapshot!(sentences.join("\n"));
    assert!(secured.open(Some(SECRET.to_owned())).expect("both").1.is_some());
    assert!(
        Door { without_tls: true, ..door("[::]:8421") }.open(Some(SECRET.to_owned())).expect("a tunnel").1.is_some()
    );
    let (key, front) = door("127.0.0.1:8421").open(None).expect("this machine alone");
    assert_eq!((key, front.is_none()), (None, true));
}
