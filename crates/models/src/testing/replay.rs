//! Answers read from files: a folder per dialect, each file a case written from the vendor's published reference, so that the same
//! bytes can be shown to the vendor's own client. What a file is and where its shape comes from stands in the folder's
//! `index.toml`.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use domain::BoxFuture;
use domain::testing::{Offers, Stage};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};
use http_body_util::BodyExt;
use serde::Deserialize;

use super::steps::{Play, Step};
use super::{Body, Guard, Scripted, Seen, State, plain};

/// The files of one dialect, and which of them is next.
pub(super) struct Files {
    index: Index,
    /// `text.sse`, `text.json`, ...
    bodies: BTreeMap<String, Bytes>,
    next: Mutex<String>,
}

/// What `index.toml` says.
#[derive(Debug, Deserialize)]
pub struct Index {
    /// What this dialect has words for.
    pub offers: Offered,
    /// The cases by name.
    pub case: BTreeMap<String, Case>,
}

/// See [`Offers`].
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offered {
    logprobs: bool,
    cached: bool,
    reasoning: bool,
}

/// One case: what is answered, and where its shape is published.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The page and section, or the type and version of the vendor's package.
    pub source: String,
    #[serde(default = "good")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

fn good() -> u16 {
    200
}

impl Scripted {
    /// A back end that answers with the files of this folder. A request for a list gets `models.json`; any other gets the case
    /// that its path begins with (`/too_long/v1/messages`), or else the one set by [`Scripted::next`], as `.sse` where it asked
    /// for a stream and there is one, else as `.json`.
    pub async fn replay(folder: &Path) -> Scripted {
        let index = std::fs::read_to_string(folder.join("index.toml")).expect("an index.toml");
        let index: Index = toml::from_str(&index).expect("an index");
        let mut bodies = BTreeMap::new();
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            bodies.insert(name, Bytes::from(std::fs::read(&path).expect("a file")));
        }
        let files = Files { index, bodies, next: Mutex::new("text".to_owned()) };
        Scripted::begin(State { files: Some(files), ..State::default() }).await
    }

    /// The next requests meet this case.
    pub fn next(&self, case: &str) {
        let files = self.state.files.as_ref().expect("a back end made by `replay`");
        case.clone_into(&mut files.next.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// What the folder says of itself.
    pub fn index(&self) -> &Index {
        &self.state.files.as_ref().expect("a back end made by `replay`").index
    }
}

impl Stage for Scripted {
    fn offers(&self) -> Offers {
        let Offered { logprobs, cached, reasoning } = self.index().offers;
        Offers { logprobs, cached, reasoning }
    }

    fn set(&self, case: &str) {
        self.next(case);
    }

    fn sent(&self) -> String {
        let seen = self.seen();
        let asked = seen.iter().rev().find(|seen| !seen.body.is_empty()).expect("a request arrived");
        String::from_utf8_lossy(&asked.body).into_owned()
    }

    fn left_alone(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.until(|stats| stats.active == 0).await;
        })
    }
}

/// The answer to one request.
pub(super) fn answer(state: &Arc<State>, files: &Files, method: &Method, seen: &Seen) -> Response<Body> {
    if *method == Method::GET {
        return files.json("models", &files.bodies["models.json"]);
    }
    let mut guard = Guard::new(state);
    let next = files.next.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let named = seen.path.split('/').nth(1).filter(|word| files.index.case.contains_key(*word));
    let (case, ending) = match named.unwrap_or(&next) {
        "cut" => ("text", Some(Step::Abort)),
        "eof" => ("text", Some(Step::Eof)),
        "stall" => ("text", Some(Step::Stall)),
        case => (case, None),
    };
    let streams = seen.json()["stream"] == true || seen.path.contains("stream");
    let Some(events) = files.bodies.get(&format!("{case}.sse")).filter(|_| streams) else {
        let Some(body) = files.bodies.get(&format!("{case}.json")) else {
            guard.end(|stats| &mut stats.faulted);
            return plain(404, &format!("there is no {case}.json"));
        };
        guard.end(|stats| &mut stats.completed);
        return files.json(case, body);
    };
    let mut response = Response::new(Play::new(steps(events, ending), guard).boxed());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    response
}

/// The events in pieces of a prime number of bytes, so that characters and events are split; up to the first words where the
/// answer ends badly.
fn steps(events: &Bytes, ending: Option<Step>) -> VecDeque<Step> {
    let mut played = events.clone();
    if ending.is_some() {
        let mut end = 0;
        for frame in openai::frames(events) {
            end += frame.raw.len();
            if frame.raw.windows(5).any(|word| word == b"Hello") {
                break;
            }
        }
        played.truncate(end);
    }
    let mut steps: VecDeque<Step> = played.chunks(61).map(|piece| Step::Send(piece.to_vec())).collect();
    match ending {
        None => steps.push_back(Step::Complete),
        Some(ending) => {
            steps.push_back(Step::Wait(Duration::from_millis(5)));
            steps.push_back(ending);
        }
    }
    steps
}

impl Files {
    fn json(&self, case: &str, body: &Bytes) -> Response<Body> {
        let mut response = plain(200, std::str::from_utf8(body).expect("UTF-8"));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let case = self.index.case.get(case).expect("every file stands in the index");
        *response.status_mut() = StatusCode::from_u16(case.status).expect("a status");
        for (name, value) in &case.headers {
            let name = HeaderName::try_from(name.as_str()).expect("a header");
            response.headers_mut().insert(name, HeaderValue::from_str(value).expect("a header"));
        }
        response
    }
}
