//! The model library against a file server that serves ranges, breaks off, changes its file and lies.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use egress::Rule;
use models::library::{Entry, Error, Facts, Library, Machine, Order, Patience, Place, Run, Source, Step, Taking};
use tokio_util::sync::CancellationToken;

/// A request as it came.
#[derive(Debug, Clone, Default, PartialEq)]
struct Asked {
    path: String,
    range: Option<String>,
    if_range: Option<String>,
}

/// An answer: its head and what is sent of the body before the connection is closed.
struct Answer {
    head: String,
    body: Vec<u8>,
    /// Afterwards nothing comes, and the connection stays open.
    hang: bool,
}

/// A server in a thread of its own, for as long as the test runs. The handler is told which request it is, from 0.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    fn start(handler: impl Fn(usize, &Asked) -> Answer + Send + 'static) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let seen = asked.clone();
        std::thread::spawn(move || {
            let mut hung = Vec::new();
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let Ok(one) = read(&mut stream) else { continue };
                let number = {
                    let mut seen = seen.lock().expect("a lock");
                    seen.push(one.clone());
                    seen.len() - 1
                };
                let answer = handler(number, &one);
                let _ = stream.write_all(answer.head.as_bytes());
                let _ = stream.write_all(&answer.body);
                if answer.hang {
                    hung.push(stream);
                }
            }
        });
        Server { url, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("a lock").clone()
    }

    fn ranges(&self) -> Vec<Option<String>> {
        self.asked().into_iter().map(|one| one.range).collect()
    }
}

fn read(stream: &mut TcpStream) -> io::Result<Asked> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let header = |name: &str| {
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: ")))?;
        line.split_once(": ").map(|(_, value)| value.to_owned())
    };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok(Asked { path, range: header("range"), if_range: header("if-range") })
}

/// The file from where it is asked for, as a good server gives it; `cut` bytes of it at most.
fn file(data: &[u8], asked: &Asked, etag: Option<&str>, more: &str, cut: usize) -> Answer {
    let from = asked.range.as_deref().and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let stale = asked.if_range.is_some() && asked.if_range.as_deref() != etag;
    let etag = etag.map(|etag| format!("ETag: {etag}\r\n")).unwrap_or_default();
    let (status, range, from) = match from {
        Some(from) if !stale => {
            let range = format!("Content-Range: bytes {from}-{}/{}\r\n", data.len() - 1, data.len());
            ("206 Partial Content", range, from)
        }
        _ => ("200 OK", String::new(), 0),
    };
    let body = &data[from..];
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n{range}{etag}{more}\r\n", body.len());
    Answer { head, body: body[..cut.min(body.len())].to_vec(), hang: false }
}

fn plain(status: &str, more: &str) -> Answer {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n{more}\r\n");
    Answer { head, body: Vec::new(), hang: false }
}

/// Something that begins as a model does, and its SHA-256.
fn model(seed: u8) -> (Vec<u8>, String) {
    let mut data = b"GGUF".to_vec();
    data.extend((0..200_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed));
    let sha = <sha2::Sha256 as sha2::Digest>::digest(&data);
    (data, sha.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn inspect(path: &Path) -> Result<Facts, String> {
    let data = std::fs::read(path).map_err(|error| error.to_string())?;
    if !data.starts_with(b"GGUF") {
        return Err(format!("{} is not a GGUF model", path.display()));
    }
    Ok(Facts { context: 4096, weight_bytes: data.len() as u64, kv_bytes_per_token: 64, ..Facts::default() })
}

const MACHINE: Machine = Machine { inspect, free_memory: || Some(8 << 30), free_disk: |_| Ok(100 << 30) };

fn library_with(folder: &Path, machine: Machine, options: egress::Options) -> Library {
    let clock = Arc::new(domain::testing::ManualClock::at(0));
    let egress = Arc::new(egress::Egress::new(options, clock).expect("a client"));
    let patience = Patience { idle: Duration::from_millis(300), pause: Duration::from_millis(2) };
    Library::new(folder.join("models"), Some(folder.join("ollama")), machine, egress).patient(patience)
}

fn library(folder: &Path) -> Library {
    library_with(folder, MACHINE, egress::Options::default())
}

fn order(library: &Library, server: &Server) -> Order {
    let url = format!("{}/org/repo/resolve/main/tiny.gguf?secret=1", server.url);
    library.order(&url, &Source::HuggingFace, None).expect("an order")
}

async fn pull(library: &Library, order: &Order) -> Result<Entry, Error> {
    library.pull(order, &|_| {}, &CancellationToken::new()).await
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn partial(folder: &Path) -> std::path::PathBuf {
    folder.join("models/.partial/tiny.gguf")
}

#[tokio::test]
async fn a_file_arrives_whole_and_is_written_down() {
    let (data, sha) = model(1);
    let served = data.clone();
    let server = Server::start(move |_, asked| file(&served, asked, Some("\"v1\""), "", usize::MAX));
    let dir = folder();
    let library = library(dir.path());
    assert_eq!(library.list().expect("a list"), [], "there is no folder yet");
    let steps = Mutex::new(Vec::new());
    let tell = |step| steps.lock().expect("a lock").push(step);
    let order = order(&library, &server);
    let entry = library.pull(&order, &tell, &CancellationToken::new()).await.expect("fetched");
    assert_eq!((entry.name.as_str(), entry.place, entry.sha256.as_deref()), ("tiny", Place::Folder, Some(&*sha)));
    assert_eq!(entry.source, Some(format!("{}/org/repo/resolve/main/tiny.gguf", server.url)), "without its query");
    assert_eq!(std::fs::read(&entry.path).expect("the file"), data);
    let steps = steps.into_inner().expect("a lock");
    assert_eq!(steps.first(), Some(&Step::Asking));
    let total = data.len() as u64;
    assert!(steps.contains(&Step::Fetching { have: total, total }) && !partial(dir.path()).exists());
    assert_eq!(pull(&library, &order).await.expect_err("there is one").code(), "exists");
    assert_eq!(server.asked().len(), 1, "the second time nobody was asked");
}

#[tokio::test]
async fn what_breaks_off_goes_on_where_it_was() {
    let (data, sha) = model(2);
    let served = data.clone();
    let server = Server::start(move |number, asked| match number {
        0 => file(&served, asked, Some("\"v1\""), "", 70_000),
        1 => plain("503 Service Unavailable", ""),
        2 => Answer { hang: true, ..file(&served, asked, Some("\"v1\""), "", 50_000) },
        _ => file(&served, asked, Some("\"v1\""), "", usize::MAX),
    });
    let dir = folder();
    let library = library(dir.path());
    let entry = pull(&library, &order(&library, &server)).await.expect("fetched");
    assert_eq!(entry.sha256, Some(sha));
    let range = |from: u32| Some(format!("bytes={from}-"));
    assert_eq!(server.ranges(), [None, range(70_000), range(70_000), range(120_000)]);
    assert_eq!(server.asked()[3].if_range.as_deref(), Some("\"v1\""));
}

#[tokio::test]
async fn a_restart_goes_on_too_and_a_changed_file_begins_again() {
    let (first, _) = model(3);
    let (second, sha) = model(4);
    let (one, other) = (first.clone(), second.clone());
    let server = Server::start(move |number, asked| match number {
        0..5 => file(&one, asked, Some("\"v1\""), "", if number == 0 { 60_000 } else { 0 }),
        _ => file(&other, asked, Some("\"v2\""), "", usize::MAX),
    });
    let dir = folder();
    let broken = {
        let library = library(dir.path());
        pull(&library, &order(&library, &server)).await.expect_err("it breaks off")
    };
    assert_eq!(broken.code(), "cut");
    assert!(broken.to_string().starts_with("tiny.gguf broke off at 60 kB of 200 kB, 5 times in a row"), "{broken}");
    assert_eq!(std::fs::metadata(partial(dir.path())).expect("kept").len(), 60_000);
    let library = library(dir.path());
    let entry = pull(&library, &order(&library, &server)).await.expect("fetched");
    assert_eq!((entry.sha256, std::fs::read(&entry.path).expect("the file")), (Some(sha), second));
    assert_eq!(
        server.ranges().last(),
        Some(&Some("bytes=60000-".to_owned())),
        "it asked to go on and was given all of it"
    );
}

#[tokio::test]
async fn halves_of_two_files_are_never_joined() {
    let (first, _) = model(5);
    let (second, sha) = model(6);
    // No validator: nothing proves that the rest belongs to the beginning, so it is asked for from the beginning.
    let (one, other) = (first.clone(), second.clone());
    let server = Server::start(move |number, asked| match number {
        0 => file(&one, asked, None, "", 60_000),
        _ => file(&other, asked, None, "", usize::MAX),
    });
    let dir = folder();
    let lib = library(dir.path());
    assert_eq!(pull(&lib, &order(&lib, &server)).await.expect("fetched").sha256, Some(sha.clone()));
    assert_eq!(server.ranges(), [None, None]);

    // A server that takes no notice of If-Range, but tells the file's checksum.
    let (one, other) = (first.clone(), second.clone());
    let (linked_one, linked_other) = (model(5).1, sha.clone());
    let server = Server::start(move |number, asked| {
        let asked = Asked { if_range: None, ..asked.clone() };
        match number {
            0 => file(&one, &asked, Some("\"v1\""), &format!("X-Linked-Etag: \"{linked_one}\"\r\n"), 60_000),
            _ => file(&other, &asked, Some("\"v2\""), &format!("X-Linked-Etag: \"{linked_other}\"\r\n"), usize::MAX),
        }
    });
    let dir = folder();
    let lib = library(dir.path());
    assert_eq!(pull(&lib, &order(&lib, &server)).await.expect("fetched").sha256, Some(sha));
    assert_eq!(server.ranges(), [None, Some("bytes=60000-".to_owned()), None]);
}

#[tokio::test]
async fn a_file_with_another_checksum_is_deleted() {
    let (data, sha) = model(7);
    let (served, other) = (data.clone(), "0".repeat(64));
    let lie = format!("X-Linked-Etag: \"{other}\"\r\n");
    let server = Server::start(move |_, asked| file(&served, asked, Some("\"v1\""), &lie, usize::MAX));
    let dir = folder();
    let library = library(dir.path());
    let mut order = order(&library, &server);
    let error = pull(&library, &order).await.expect_err("a lie");
    let told = format!(
        "tiny.gguf has the SHA-256 {sha} where {other} was promised; it is damaged or not what it claims, and is deleted"
    );
    assert_eq!(error.to_string(), told);
    assert!(!partial(dir.path()).exists() && library.list().expect("a list").is_empty());
    // What whoever asks knows beforehand counts for more than what the server says.
    order.sha256 = Some(sha.clone());
    assert_eq!(pull(&library, &order).await.expect("fetched").sha256, Some(sha));
}

#[tokio::test]
async fn what_is_no_model_is_not_kept() {
    let server = Server::start(|_, asked| file(&[b'<'; 5000], asked, None, "", usize::MAX));
    let dir = folder();
    let library = library(dir.path());
    let error = pull(&library, &order(&library, &server)).await.expect_err("a page");
    assert!(error.code() == "not_a_model" && error.to_string().ends_with("tiny.gguf is not a GGUF model"), "{error}");
    assert!(!partial(dir.path()).exists());
}

#[tokio::test]
async fn a_full_disk_is_seen_before() {
    let (data, _) = model(8);
    let server = Server::start(move |_, asked| file(&data, asked, None, "", usize::MAX));
    let dir = folder();
    let full = Machine { free_disk: |_| Ok((512 << 20) + 199_999), ..MACHINE };
    let library = library_with(dir.path(), full, egress::Options::default());
    let error = pull(&library, &order(&library, &server)).await.expect_err("full");
    let told = format!(
        "tiny.gguf needs 200 kB on the disk of {}, and 537 MB are free; 536 MB stay free for the portal",
        library.folder().display()
    );
    assert_eq!(error.to_string(), told);
    assert!(!partial(dir.path()).exists(), "nothing was written");
    let path = dir.path().join("other.gguf");
    std::fs::write(&path, model(8).0).expect("written");
    assert_eq!(library.import(&path, Taking::Copy, None).expect_err("full").code(), "disk_full");
    library.import(&path, Taking::Link, None).expect("a second name takes no room");
}

#[tokio::test]
async fn redirects_lead_only_where_they_may() {
    let (data, sha) = model(9);
    let store = Server::start(move |_, asked| file(&data, asked, Some("\"v1\""), "", usize::MAX));
    let (to, linked) = (store.url.clone(), sha.clone());
    let hub = Server::start(move |_, asked| match asked.path.as_str() {
        "/moved/tiny.gguf" => plain("302 Found", "Location: /again/tiny.gguf\r\n"),
        "/loop/tiny.gguf" => plain("302 Found", "Location: /loop/tiny.gguf\r\n"),
        _ => plain("302 Found", &format!("X-Linked-Etag: \"{linked}\"\r\nLocation: {to}/blob?sig=x\r\n")),
    });
    let dir = folder();
    let strict = library(dir.path());
    let ordered =
        |path: &str| strict.order(&format!("{}{path}", hub.url), &Source::HuggingFace, None).expect("an order");
    let error = pull(&strict, &ordered("/moved/tiny.gguf")).await.expect_err("another host");
    let told = format!(
        "{} sends on to {}, which is not on the list of allowed hosts; add it to `allow` under [egress] if it is to be trusted",
        hub.url, store.url
    );
    assert_eq!((error.to_string(), store.asked().len()), (told, 0));
    assert_eq!(pull(&strict, &ordered("/loop/tiny.gguf")).await.expect_err("a loop").code(), "bad_url");
    let port = store.url.rsplit(':').next().expect("a port").parse().expect("a number");
    let allow = vec![Rule::Host { host: "127.0.0.1".into(), port: Some(port) }];
    let listed = library_with(dir.path(), MACHINE, egress::Options { allow, ..egress::Options::default() });
    let entry = pull(&listed, &ordered("/moved/tiny.gguf")).await.expect("fetched");
    assert_eq!(entry.sha256, Some(sha));
}

#[tokio::test]
async fn what_a_server_says_instead_of_the_file() {
    let server = Server::start(|number, _| match number {
        0 => plain("404 Not Found", ""),
        1 => plain("401 Unauthorized", ""),
        _ => Answer {
            head: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nGGUF\r\n0\r\n\r\n".into(),
            body: Vec::new(),
            hang: false,
        },
    });
    let dir = folder();
    let library = library(dir.path());
    for says in ["there is no such file there", "people with an account there", "does not say how large"] {
        let error = pull(&library, &order(&library, &server)).await.expect_err(says);
        assert!(error.code() == "refused" && error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn offline_is_said_and_nobody_is_asked() {
    let dir = folder();
    let options = egress::Options { offline: true, ..egress::Options::default() };
    let library = library_with(dir.path(), MACHINE, options);
    let order = library.order("qwen2.5-1.5b", &Source::ModelScope, None).expect("an order");
    let url = "https://modelscope.cn/models/bartowski/Qwen2.5-1.5B-Instruct-GGUF/resolve/master/Qwen2.5-1.5B-Instruct-Q4_K_M.gguf";
    assert_eq!(order.url, url);
    let error = pull(&library, &order).await.expect_err("offline");
    assert_eq!(
        error.to_string(),
        "https://modelscope.cn:443 may not be contacted: the portal runs offline and looks up no name"
    );
}

#[tokio::test]
async fn one_writes_at_a_time_and_stopping_keeps_what_came() {
    let (data, sha) = model(10);
    let served = data.clone();
    let server = Server::start(move |number, asked| match number {
        0 => Answer { hang: true, ..file(&served, asked, Some("\"v1\""), "", 90_000) },
        _ => file(&served, asked, Some("\"v1\""), "", usize::MAX),
    });
    let dir = folder();
    let library = library(dir.path()).patient(Patience { idle: Duration::from_secs(60), pause: Duration::ZERO });
    let order = order(&library, &server);
    let cancel = CancellationToken::new();
    let tell = |step| {
        if matches!(step, Step::Fetching { have: 90_000, .. }) {
            cancel.cancel();
        }
    };
    let (stopped, second) = tokio::join!(library.pull(&order, &tell, &cancel), async {
        tokio::task::yield_now().await;
        pull(&library, &order).await
    });
    assert_eq!(second.expect_err("the first one writes").code(), "busy");
    assert_eq!(stopped.expect_err("stopped").code(), "cancelled");
    assert_eq!(pull(&library, &order).await.expect("fetched").sha256, Some(sha));
    assert_eq!(server.ranges(), [None, Some("bytes=90000-".to_owned())]);
}

#[test]
fn orders_are_for_one_file_with_a_sound_name() {
    let dir = folder();
    let library = library(dir.path());
    for (url, code) in [
        ("https://h/a/../../etc.txt", "bad_name"),
        ("https://h/a/..%2f..%2fx.gguf", "bad_name"),
        ("https://h/....gguf", "bad_name"),
        ("https://h/a/.gguf", "bad_name"),
        ("https://h/", "bad_name"),
        ("ftp://h/a.gguf", "unreachable"),
        ("https://u:p@h/a.gguf", "unreachable"),
        ("https://h/..-00001-of-00004.gguf", "bad_name"),
        ("nothing", "not_offered"),
        ("qwen2.5-7b:Q9", "not_offered"),
    ] {
        assert_eq!(library.order(url, &Source::HuggingFace, None).expect_err(url).code(), code, "{url}");
    }
}

#[tokio::test]
async fn a_model_in_several_files_is_one_model() {
    let (one, two) = (model(20), model(21));
    let (first, second) = (one.0.clone(), two.0.clone());
    let server = Server::start(move |number, asked| match asked.path.rsplit('/').next() {
        Some("big-00001-of-00002.gguf?key=1") => file(&first, asked, Some("\"a\""), "", usize::MAX),
        // The second breaks off until its tries are used up.
        Some("big-00002-of-00002.gguf?key=1") if number < 6 => {
            file(&second, asked, Some("\"b\""), "", if number == 1 { 70_000 } else { 0 })
        }
        Some("big-00002-of-00002.gguf?key=1") => file(&second, asked, Some("\"b\""), "", usize::MAX),
        _ => plain("404 Not Found", ""),
    });
    let dir = folder();
    let library = library(dir.path());
    // Whichever part is named, all of them are meant.
    let url = format!("{}/o/r/big-00002-of-00002.gguf?key=1", server.url);
    let order = library.order(&url, &Source::HuggingFace, None).expect("an order");
    assert_eq!((order.name.as_str(), order.parts), ("big", 2));
    let promised = Order { sha256: Some(one.1.clone()), ..order.clone() };
    assert_eq!(pull(&library, &promised).await.expect_err("of which file?").code(), "bad_url");
    assert_eq!(pull(&library, &order).await.expect_err("it breaks off").code(), "cut");
    assert_eq!(library.list().expect("a list"), [], "half of it is no model");

    let steps = Mutex::new(Vec::new());
    let tell = |step| steps.lock().expect("a lock").push(step);
    let entry = library.pull(&order, &tell, &CancellationToken::new()).await.expect("fetched");
    let paths: Vec<String> = server.asked().into_iter().map(|one| one.path).collect();
    assert_eq!(paths.iter().filter(|path| path.contains("00001-of")).count(), 1, "what is here is not asked for again");
    assert_eq!(server.ranges().last(), Some(&Some("bytes=70000-".to_owned())));
    let total = (one.0.len() + two.0.len()) as u64;
    assert!(steps.into_inner().expect("a lock").contains(&Step::Fetching { have: total, total }));
    let digest = |text: &str| -> String {
        <sha2::Sha256 as sha2::Digest>::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let joined = digest(&format!("{}{}", one.1, two.1));
    assert_eq!((entry.bytes, entry.parts, entry.sha256.as_deref()), (total, 2, Some(&*joined)));
    assert_eq!(entry.path, library.folder().join("big-00001-of-00002.gguf"));
    assert_eq!(std::fs::read(&entry.files()[1]).expect("the second"), two.0);
    assert_eq!(pull(&library, &order).await.expect_err("there is one").code(), "exists");
    let left: Vec<_> = std::fs::read_dir(library.folder().join(".partial")).expect("a folder").flatten().collect();
    assert!(left.iter().all(|entry| entry.path().extension().is_some_and(|it| it == "lock")), "{left:?}");

    let verify = |name: &str| library.verify(name, &CancellationToken::new(), |_| {}).expect(name).same;
    assert_eq!(verify("big"), Some(true));
    // Taken in from elsewhere: all of it, by whichever part, under another name and where it is.
    let imported = library.import(&entry.files()[1], Taking::Link, Some("other")).expect("taken in");
    assert_eq!((imported.bytes, imported.sha256.as_deref()), (total, Some(&*joined)));
    assert_eq!(imported.files()[1], library.folder().join("other-00002-of-00002.gguf"));
    let elsewhere = dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).expect("made");
    for (part, data) in [(1, &one.0), (2, &two.0)] {
        std::fs::write(elsewhere.join(format!("far-0000{part}-of-00002.gguf")), data).expect("written");
    }
    let in_place = library.import(&elsewhere.join("far-00001-of-00002.gguf"), Taking::InPlace, None).expect("taken in");
    assert_eq!((in_place.name.as_str(), in_place.place, in_place.bytes), ("far", Place::InPlace, total));
    std::fs::remove_file(elsewhere.join("far-00002-of-00002.gguf")).expect("gone");
    assert!(library.get("far").expect("there").problem.is_some_and(|problem| problem.contains("cannot be read")));
    assert!(library.import(&elsewhere.join("far-00001-of-00002.gguf"), Taking::Copy, Some("half")).is_err());
    // Laid into the folder by hand.
    for file in imported.files() {
        let name = file.file_name().expect("a name").to_string_lossy().replace("other", "loose");
        std::fs::hard_link(&file, library.folder().join(name)).expect("linked");
    }
    assert_eq!((verify("loose"), verify("loose")), (None, Some(true)));
    let names: Vec<String> = library.list().expect("a list").into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["big", "far", "loose", "other"]);

    let mut bent = two.0.clone();
    bent[100_000] ^= 1;
    std::fs::remove_file(&entry.files()[1]).expect("its own name");
    std::fs::write(&entry.files()[1], &bent).expect("written");
    assert_eq!(verify("big"), Some(false));
    library.remove("big", &[]).expect("removed");
    assert!(entry.files().iter().all(|file| !file.exists()));
    assert_eq!(library.get("big").expect_err("gone").code(), "not_found");
    assert_eq!(verify("other"), Some(true), "the same bytes under another name");
    assert_eq!(library.upload("up-00001-of-00002.gguf", 10).expect_err("a part").code(), "not_a_model");
}

#[test]
fn files_are_taken_in_verified_and_removed() {
    let dir = folder();
    let library = library(dir.path());
    let (data, sha) = model(11);
    let original = dir.path().join("mine.gguf");
    std::fs::write(&original, &data).expect("written");
    let linked = library.import(&original, Taking::Link, None).expect("taken in");
    assert_eq!((linked.place, linked.sha256.as_deref()), (Place::Folder, Some(&*sha)));
    let copied = library.import(&original, Taking::Copy, Some("copy")).expect("taken in");
    let in_place = library.import(&original, Taking::InPlace, Some("there")).expect("taken in");
    assert_eq!((in_place.place, &in_place.path), (Place::InPlace, &std::fs::canonicalize(&original).expect("a path")));
    std::fs::write(library.folder().join("loose.gguf"), &data).expect("written");
    let names: Vec<String> = library.list().expect("a list").into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["copy", "loose", "mine", "there"]);

    let verify = |name: &str| library.verify(name, &CancellationToken::new(), |_| {}).expect(name).same;
    assert_eq!((verify("copy"), verify("loose"), verify("loose")), (Some(true), None, Some(true)));
    let mut bent = data.clone();
    bent[100_000] ^= 1;
    std::fs::write(&copied.path, &bent).expect("written");
    assert_eq!(verify("copy"), Some(false));
    std::fs::write(&copied.path, &bent[..5]).expect("written");
    let problem = library.get("copy").expect("there").problem.expect("a problem");
    assert_eq!(problem, "its file has 5 bytes where it had 200004");

    assert_eq!(library.remove("mine", std::slice::from_ref(&linked.path)).expect_err("it runs").code(), "in_use");
    library.remove("mine", &[]).expect("removed");
    library.remove("there", &[]).expect("removed");
    assert!(!linked.path.exists() && original.exists(), "only the name in the folder is gone");
    assert_eq!(library.remove("mine", &[]).expect_err("gone").code(), "not_found");
    for name in ["../mine", "..", "a/b", ""] {
        assert_eq!(library.remove(name, &[]).expect_err(name).code(), "not_found");
        assert!(library.import(&original, Taking::Copy, Some(name)).is_err());
    }
}

#[test]
fn ollamas_blobs_are_used_where_they_are() {
    let dir = folder();
    let library = library(dir.path());
    let (data, sha) = model(12);
    let at = |path: &str| dir.path().join("ollama").join(path);
    std::fs::create_dir_all(at("blobs")).expect("made");
    std::fs::create_dir_all(at("manifests/registry.ollama.ai/library/tiny")).expect("made");
    let blob = at(&format!("blobs/sha256-{sha}"));
    std::fs::write(&blob, &data).expect("written");
    let manifest = format!(
        r#"{{"layers":[{{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:{sha}","size":200004}}]}}"#
    );
    std::fs::write(at("manifests/registry.ollama.ai/library/tiny/latest"), manifest).expect("written");
    let entry = library.get("tiny:latest").expect("found");
    assert_eq!((entry.place, &entry.path, entry.bytes), (Place::Ollama, &blob, 200_004));
    let verified = library.verify("tiny:latest", &CancellationToken::new(), |_| {}).expect("read");
    assert_eq!(verified.same, Some(true));
    let refused = library.remove("tiny:latest", &[]).expect_err("Ollama's");
    assert!(refused.to_string().contains("ollama rm") && blob.exists(), "{refused}");
}

#[test]
fn what_the_portal_runs_is_written_down_and_what_does_not_fit_is_refused() {
    let dir = folder();
    let lib = library(dir.path());
    let original = dir.path().join("mine.gguf");
    std::fs::write(&original, model(13).0).expect("written");
    lib.import(&original, Taking::Link, None).expect("taken in");
    let run = Run { context: Some(2048) };
    assert_eq!(lib.set_run("mine", Some(run), 0).expect("it fits").run, Some(run));
    assert_eq!(library(dir.path()).get("mine").expect("there").run, Some(run), "after a restart, too");
    let small = Machine { free_memory: || Some(100 << 20), ..MACHINE };
    let small = library_with(dir.path(), small, egress::Options::default());
    let error = small.set_run("mine", Some(run), 0).expect_err("too large");
    let told = "mine needs 268 MB of memory (weights 200 kB, KV cache of 2048 tokens 131 kB, beside them 268 MB), and this \
                machine has 104 MB free; choose a smaller quantisation or --context, or say --anyway";
    assert_eq!(error.to_string(), told);
    assert_eq!(lib.set_run("mine", None, 0).expect("stopped").run, None);
    std::fs::write(lib.folder().join("loose.gguf"), model(13).0).expect("written");
    assert_eq!(lib.set_run("loose", Some(run), 0).expect_err("unchecked").code(), "not_a_model");
}

#[tokio::test]
async fn an_upload_is_a_model_when_it_is_whole_and_nothing_before() {
    let dir = folder();
    let library = library(dir.path());
    let (data, sha) = model(14);
    let total = data.len() as u64;
    let mut upload = library.upload("up.gguf", total).expect("begun");
    assert_eq!(library.upload("up.gguf", total).expect_err("one at a time").code(), "busy");
    upload.write(&data[..1000]).await.expect("written");
    drop(upload);
    assert_eq!(library.list().expect("a list"), [], "what broke off is gone");
    let mut upload = library.upload("up.gguf", 10).expect("begun");
    assert_eq!(upload.write(&data).await.expect_err("more than was told").code(), "not_a_model");
    drop(upload);
    let mut upload = library.upload("up.gguf", total).expect("begun");
    for piece in data.chunks(30_000) {
        upload.write(piece).await.expect("written");
    }
    assert_eq!(upload.finish().await.expect("whole").sha256, Some(sha));
    assert_eq!(library.upload("../up.gguf", total).expect_err("a path").code(), "bad_name");
}
