//! A portal as people run it: the real binary on a port of its own, its data in a temporary folder, its model scripted; and the
//! people and programs at its doors. What they say on the wire is in `portal/http.rs`, what they ask in `portal/turns.rs`.

mod http;
mod sse;
mod turns;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use domain::{Clock, Ids, SystemClock, TenantId, Timestamp};
use models::testing::Scripted;
use serde_json::{Value, json};
use store::{Store, UsageRow};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

pub(crate) use http::{Reply, Wire, call, header};
pub(crate) use sse::{Event, Heard, events_of};
pub(crate) use turns::{Asked, ask_id, told};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// A data folder and a configuration file: what stays when the process ends.
#[derive(Clone)]
pub(crate) struct Place {
    folder: Arc<TempDir>,
    data: PathBuf,
}

impl Place {
    /// A folder whose portal asks `scripted` as `mock/m`; `more` goes before the provider in the file.
    pub(crate) fn new(scripted: &Scripted, more: &str) -> Place {
        let folder = Arc::new(tempfile::tempdir().expect("a folder"));
        let place = Place { data: folder.path().join("data"), folder };
        place.configure(scripted, more);
        place
    }

    /// The same, with its data somewhere else.
    pub(crate) fn with_data(self, data: &Path) -> Place {
        Place { data: data.to_owned(), ..self }
    }

    /// Writes the configuration file again.
    pub(crate) fn configure(&self, scripted: &Scripted, more: &str) {
        let provider = format!("[[provider]]\nslug = \"mock\"\nname = \"Mock\"\nbase_url = \"{}\"\n", scripted.url);
        self.write(&format!("{more}\n{provider}[[provider.model]]\nname = \"m\"\n"));
    }

    pub(crate) fn write(&self, toml: &str) {
        std::fs::write(self.folder.path().join("portico.toml"), toml).expect("written");
    }

    /// Its data folder.
    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// Where the process writes its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// A command of the binary, with nothing of Portico in its environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_portico"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PORTICO_")) {
            command.env_remove(name);
        }
        let config = self.folder.path().join("portico.toml");
        command.args(args).arg("--config").arg(config).arg("--data").arg(&self.data);
        command.current_dir(self.folder.path()).kill_on_drop(true);
        command
    }

    /// Starts the portal and waits until it is ready.
    pub(crate) async fn start(&self) -> Portal {
        self.start_with(&[]).await
    }

    pub(crate) async fn start_with(&self, env: &[(&str, &str)]) -> Portal {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.path().join("log"));
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        command.envs(env.iter().copied()).stdout(Stdio::piped()).stderr(log.expect("a log"));
        let mut child = command.spawn().expect("the binary starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped")).lines();
        let ready = line(&mut out).await.unwrap_or_else(|| panic!("it did not start: {}", self.log()));
        let address = ready.strip_prefix("portico is ready on http://").expect(&ready);
        let address: SocketAddr = address.parse().expect(&ready);
        Portal { address, child, out, place: self.clone() }
    }

    /// The rows of the database, whether or not a portal has it open.
    pub(crate) async fn store(&self) -> Store {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let place = store::Place::Sqlite(portico::data::database(&self.data));
        let options = store::Options { place, clock: clock.clone(), ids: Ids::new(clock), node: "test".into() };
        Store::open(options).await.expect("the database opens")
    }

    /// Every usage row, oldest first, once there are `count` of them.
    pub(crate) async fn usage(&self, count: usize) -> Vec<UsageRow> {
        let store = self.store().await;
        let mut rows = Vec::new();
        for _ in 0..500 {
            rows = store.usage_since(TenantId::FIRST, Timestamp(0)).await.expect("rows");
            if rows.len() >= count {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        store.close().await;
        assert_eq!(rows.len(), count, "{rows:?}");
        rows
    }
}

async fn line(out: &mut Lines<BufReader<ChildStdout>>) -> Option<String> {
    tokio::time::timeout(Duration::from_secs(30), out.next_line()).await.expect("in time").expect("readable")
}

/// A running portal. It is killed when dropped.
pub(crate) struct Portal {
    pub(crate) address: SocketAddr,
    pub(crate) place: Place,
    child: Child,
    out: Lines<BufReader<ChildStdout>>,
}

impl Portal {
    /// Takes the printed setup link and becomes the owner.
    pub(crate) async fn own(&mut self) -> Person {
        let told = line(&mut self.out).await.expect("who may own it");
        assert!(told.starts_with("nobody owns this portal yet"), "{told}");
        let link = line(&mut self.out).await.expect("the link");
        let token = link.split_once("/setup#token=").expect(&link).1;
        let body =
            json!({ "token": token, "name": "owner", "password": PASSWORD, "display_name": "Owner", "language": "en" });
        let reply = call(self.address, "POST", "/api/setup", &[], body.to_string().as_bytes()).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        Person { address: self.address, cookie: reply.cookie() }
    }

    /// Somebody signs in, here or after a restart.
    pub(crate) async fn sign_in(&self, name: &str) -> Person {
        let body = json!({ "name": name, "password": PASSWORD });
        let reply = call(self.address, "POST", "/api/session", &[], body.to_string().as_bytes()).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        Person { address: self.address, cookie: reply.cookie() }
    }

    /// Sends a signal to the process.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        rustix::process::kill_process(pid.expect("a process"), signal).expect("it runs");
    }

    /// Waits for the end of the process.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        tokio::time::timeout(Duration::from_secs(60), self.child.wait()).await.expect("it ends").expect("a status")
    }

    /// `kill -9`, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.expect("killed");
    }

    /// Waits until the log says `what`.
    pub(crate) async fn logged(&self, what: &str) -> String {
        for _ in 0..500 {
            let log = self.place.log();
            if log.contains(what) {
                return log;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the log never said {what:?}: {}", self.place.log());
    }
}

/// Somebody who is signed in.
#[derive(Clone)]
pub(crate) struct Person {
    pub(crate) address: SocketAddr,
    pub(crate) cookie: String,
}

impl Person {
    pub(crate) async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let body = body.map(Value::to_string).unwrap_or_default();
        call(self.address, method, path, &[("cookie", &self.cookie)], body.as_bytes()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.call("GET", path, None).await.expect(200)
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        self.call("POST", path, Some(body)).await.expect(200)
    }

    /// Does something that answers 204.
    pub(crate) async fn do_it(&self, method: &str, path: &str) {
        self.call(method, path, None).await.expect(204);
    }

    /// A new API key.
    pub(crate) async fn key(&self) -> Key {
        let made = self.post("/api/keys", &json!({ "name": "test" })).await;
        Key { address: self.address, key: made["key"].as_str().expect("a key").to_owned() }
    }

    /// Tokens used today, as the settings page shows them.
    pub(crate) async fn used(&self) -> u64 {
        self.get("/api/me/usage").await["used"].as_u64().expect("a number")
    }

    /// Makes a member with an invitation and signs them in.
    pub(crate) async fn invite(&self, name: &str) -> Person {
        let link = self.post("/api/invitations", &json!({ "role": "member", "days": 1 })).await;
        let link = link["link"].as_str().expect("a link");
        let token = link.split_once("/join#token=").expect(link).1;
        let body =
            json!({ "token": token, "name": name, "password": PASSWORD, "display_name": name, "language": null });
        let reply = call(self.address, "POST", "/api/join", &[], body.to_string().as_bytes()).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        Person { address: self.address, cookie: reply.cookie() }
    }
}

/// A program with an API key.
#[derive(Clone)]
pub(crate) struct Key {
    pub(crate) address: SocketAddr,
    pub(crate) key: String,
}

impl Key {
    /// Sends a request and returns as soon as its head is on the way: nothing of the answer has been read.
    pub(crate) async fn send(&self, path: &str, body: &[u8]) -> Wire {
        let mut wire = Wire::connect(self.address).await;
        wire.send("POST", path, &[("authorization", &format!("Bearer {}", self.key))], body).await;
        wire
    }

    /// A streamed chat completion that meets `script`, from the first byte of its head.
    pub(crate) async fn stream(&self, script: &str) -> Wire {
        self.stream_of(&chat(script, true)).await
    }

    pub(crate) async fn stream_of(&self, body: &Value) -> Wire {
        let mut wire = self.send("/v1/chat/completions", body.to_string().as_bytes()).await;
        wire.head().await;
        wire
    }

    /// A streamed chat completion, heard to its end.
    pub(crate) async fn hear(&self, script: &str) -> Heard {
        self.stream(script).await.hear().await
    }

    /// A chat completion in one piece.
    pub(crate) async fn ask(&self, script: &str) -> Reply {
        self.post("/v1/chat/completions", &chat(script, false)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(path, body.to_string().as_bytes()).await.reply().await
    }
}

/// A chat request to the scripted model.
pub(crate) fn chat(script: &str, stream: bool) -> Value {
    json!({ "model": "mock/m", "messages": [{ "role": "user", "content": "hi" }], "stream": stream, "user": format!("mock;{script}") })
}

/// A portal with its owner and the owner's key, in front of a model that behaves.
pub(crate) struct House {
    pub(crate) scripted: Scripted,
    pub(crate) portal: Portal,
    pub(crate) owner: Person,
    pub(crate) key: Key,
}

impl House {
    pub(crate) async fn open() -> House {
        House::open_with("").await
    }

    /// With `more` in its configuration.
    pub(crate) async fn open_with(more: &str) -> House {
        let scripted = Scripted::start().await;
        let place = Place::new(&scripted, more);
        House::at(scripted, &place).await
    }

    pub(crate) async fn at(scripted: Scripted, place: &Place) -> House {
        let mut portal = place.start().await;
        let owner = portal.own().await;
        let key = owner.key().await;
        House { scripted, portal, owner, key }
    }
}
