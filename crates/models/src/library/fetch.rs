//! One file on its way here: asked for from where it broke off, with the checks before (disk) and after (checksum, head). What
//! arrived stays in `.partial` until it is whole, and becomes a model by one rename.
//!
//! Ranges and validators: RFC 9110, sections 13.1.5 and 14.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use egress::{Body, Egress, Origin};
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderName, HeaderValue, IF_RANGE, LOCATION, RANGE};
use http::{HeaderMap, Request, Response, StatusCode, Uri};
use http_body::Body as _;
use http_body_util::Full;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt;
use tokio_util::sync::CancellationToken;

use super::shelf::{gone, write_whole};
use super::{DISK_RESERVE, Error, Facts, Machine, Room, Source, Step, digest};

/// Hubs send on once or twice.
const MOST_HOPS: usize = 5;
/// How often it is tried again without a byte having arrived in between.
const TRIES: u32 = 5;
/// The SHA-256 of a file in Git LFS, as Hugging Face tells it before it sends on.
const LINKED_ETAG: HeaderName = HeaderName::from_static("x-linked-etag");

/// How patient a download is.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Without a byte for so long, it is asked for again.
    pub idle: Duration,
    /// The pause before the first new try; it doubles.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience { idle: Duration::from_secs(60), pause: Duration::from_secs(1) }
    }
}

/// What is remembered of a file between two tries, also across a restart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Mark {
    url: String,
    total: u64,
    /// A strong validator, where the server has one.
    etag: Option<String>,
    /// The checksum the server told.
    linked: Option<String>,
}

/// A download under way.
pub(super) struct Fetch<'a> {
    pub(super) egress: &'a Egress,
    pub(super) machine: &'a Machine,
    pub(super) patience: Patience,
    pub(super) source: Source,
    pub(super) url: Uri,
    /// The file's name for people.
    pub(super) file: String,
    /// `.partial/NAME.gguf`
    pub(super) part: PathBuf,
    /// The checksum that whoever asked knows.
    pub(super) sha256: Option<String>,
    /// Bytes of the model's files that are here already.
    pub(super) before: u64,
    /// Fetched even where it would not run here.
    pub(super) anyway: bool,
    pub(super) cancel: &'a CancellationToken,
}

/// What arrived.
pub(super) struct Fetched {
    pub(super) sha256: String,
    pub(super) promised: bool,
}

/// Why one try ended.
enum Ended {
    /// It may go better next time.
    Again(String),
    /// It will not.
    For(Error),
}

impl<E: Into<Error>> From<E> for Ended {
    fn from(error: E) -> Self {
        Ended::For(error.into())
    }
}

impl Fetch<'_> {
    /// Brings the whole file to `part`, checked against its checksum where one is known.
    pub(super) async fn whole(&self, tell: &(dyn Fn(Step) + Sync)) -> Result<Fetched, Error> {
        let mut mark = self.remembered();
        let mut tries = 0;
        loop {
            let before = self.have();
            tell(Step::Asking);
            let ended = match self.once(&mut mark, tell).await {
                Ok(()) => break,
                Err(ended) => ended,
            };
            let reason = match ended {
                Ended::For(error) => return Err(error),
                Ended::Again(reason) => reason,
            };
            tries = if self.have() > before { 1 } else { tries + 1 };
            if tries >= TRIES {
                let (have, total) = (self.have(), mark.total);
                return Err(Error::Cut { file: self.file.clone(), have, total, tries, reason });
            }
            tell(Step::Waiting { reason });
            let pause = self.patience.pause * 2_u32.pow(tries - 1);
            tokio::select! {
                () = self.cancel.cancelled() => return Err(Error::Cancelled),
                () = tokio::time::sleep(pause) => {}
            }
        }
        self.checked(&mark, tell).await
    }

    /// One request and what it brings.
    async fn once(&self, mark: &mut Mark, tell: &(dyn Fn(Step) + Sync)) -> Result<(), Ended> {
        let mut have = self.have();
        if have > 0 && have == mark.total {
            return Ok(());
        }
        // Without a validator or a checksum nobody would notice that the second half is another file's.
        let provable = mark.etag.is_some() || mark.linked.is_some() || self.sha256.is_some();
        if have > mark.total || !provable {
            have = 0;
        }
        let (head, linked) = self.ask(have, mark.etag.as_deref()).await?;
        let changed = mark.linked.is_some() && linked.is_some() && mark.linked != linked;
        match head.status() {
            StatusCode::PARTIAL_CONTENT => {
                let range = head.headers().get(CONTENT_RANGE).and_then(content_range);
                if changed || range != Some((have, mark.total)) {
                    self.forget(mark)?;
                    return Err(Ended::Again("the file there is another one now".to_owned()));
                }
            }
            StatusCode::OK => {
                let Some(total) = length(head.headers()) else {
                    return Err(Ended::For(self.refused(&head, "it does not say how large the file is")));
                };
                have = 0;
                *mark = Mark { url: self.address(), total, etag: strong(head.headers()), linked };
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                self.forget(mark)?;
                return Err(Ended::Again("the file there is shorter now".to_owned()));
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Ended::Again(format!("the server answered {}", status.as_u16())));
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                let meaning = "this file is given to people with an account there, who have agreed to its terms; fetch it with a \
                               browser and `portico model import` it";
                return Err(Ended::For(self.refused(&head, meaning)));
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                return Err(Ended::For(self.refused(&head, "there is no such file there")));
            }
            _ => return Err(Ended::For(self.refused(&head, "that is no file"))),
        }
        self.room_in_memory(mark.total)?;
        self.room_on_disk(mark.total - have)?;
        self.remember(mark)?;
        self.receive(head.into_body(), have, mark.total, tell).await
    }

    /// Asks, and follows where it is sent; the checksum may be told on the way.
    async fn ask(&self, from: u64, etag: Option<&str>) -> Result<(Response<Body>, Option<String>), Ended> {
        let mut url = self.url.clone();
        let mut linked = None;
        self.egress.allow(Origin::of(&url)?);
        for _ in 0..MOST_HOPS {
            let mut request = Request::get(url.clone());
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
                if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
                    request = request.header(IF_RANGE, etag);
                }
            }
            let request = request.body(Full::default()).map_err(|error| self.bad_url(&error.to_string()))?;
            let answer = tokio::select! {
                () = self.cancel.cancelled() => return Err(Ended::For(Error::Cancelled)),
                answer = tokio::time::timeout(self.patience.idle, self.egress.request(request)) => answer,
            };
            let head = match answer {
                Err(_) => return Err(Ended::Again("the server does not answer".to_owned())),
                Ok(Ok(head)) => head,
                Ok(Err(error @ (egress::Error::Forbidden { .. } | egress::Error::BadUrl { .. }))) => {
                    return Err(error.into());
                }
                Ok(Err(error)) => return Err(Ended::Again(error.to_string())),
            };
            linked = linked.or_else(|| told_digest(head.headers()));
            if !head.status().is_redirection() {
                return Ok((head, linked));
            }
            url = self.next(&url, head.headers())?;
        }
        Err(Ended::For(self.bad_url("it sends on and on")))
    }

    /// Where a redirect leads: the same host, one that the source keeps its files at, or one that is listed.
    fn next(&self, from: &Uri, headers: &HeaderMap) -> Result<Uri, Ended> {
        let told = headers.get(LOCATION).and_then(|to| to.to_str().ok()).unwrap_or_default();
        let to = resolve(from, told).ok_or_else(|| self.bad_url("it sends on to nowhere"))?;
        let (before, after) = (Origin::of(from)?, Origin::of(&to)?);
        let elsewhere = || Error::SentElsewhere { from: before.to_string(), to: after.to_string() };
        if from.scheme_str() == Some("https") && to.scheme_str() != Some("https") {
            return Err(elsewhere().into());
        }
        if before != after && to.scheme_str() == Some("https") && self.source.stores_at(after.host()) {
            self.egress.allow(after);
            return Ok(to);
        }
        if before == after || self.egress.check(&to).is_ok() { Ok(to) } else { Err(elsewhere().into()) }
    }

    async fn receive(
        &self,
        mut body: Body,
        mut have: u64,
        total: u64,
        tell: &(dyn Fn(Step) + Sync),
    ) -> Result<(), Ended> {
        let open = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&self.part);
        let file = open.and_then(|file| at(file, have)).map_err(Error::io(&self.part))?;
        let mut out = tokio::io::BufWriter::with_capacity(1 << 20, tokio::fs::File::from_std(file));
        let ended = loop {
            let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx));
            let frame = tokio::select! {
                () = self.cancel.cancelled() => break Err(Ended::For(Error::Cancelled)),
                frame = tokio::time::timeout(self.patience.idle, frame) => frame,
            };
            let data = match frame {
                Err(_) => break Err(Ended::Again(format!("nothing came for {} s", self.patience.idle.as_secs_f32()))),
                Ok(None) if have == total => break Ok(()),
                Ok(None) => break Err(Ended::Again("the server hung up".to_owned())),
                Ok(Some(Err(error))) => break Err(Ended::Again(error.to_string())),
                Ok(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
            };
            if let Err(error) = self.keep(&mut out, &data, &mut have, total).await {
                break Err(error);
            }
            tell(Step::Fetching { have, total });
        };
        out.flush().await.map_err(Error::io(&self.part))?;
        out.get_ref().sync_data().await.map_err(Error::io(&self.part))?;
        ended
    }

    async fn keep(
        &self,
        out: &mut tokio::io::BufWriter<tokio::fs::File>,
        data: &Bytes,
        have: &mut u64,
        total: u64,
    ) -> Result<(), Ended> {
        if *have + data.len() as u64 > total {
            return Err(Ended::Again("more came than was told".to_owned()));
        }
        out.write_all(data).await.map_err(Error::io(&self.part))?;
        *have += data.len() as u64;
        Ok(())
    }

    /// Compares the file as it lies on the disk with what was promised of it.
    async fn checked(&self, mark: &Mark, tell: &(dyn Fn(Step) + Sync)) -> Result<Fetched, Error> {
        let (part, cancel, total) = (self.part.clone(), self.cancel.clone(), mark.total);
        tell(Step::Checking { done: 0, total });
        let hashed = tokio::task::spawn_blocking(move || digest::of_file(&part, &cancel, |_| {})).await;
        let found = hashed.map_err(|error| Error::io(&self.part)(std::io::Error::other(error)))??;
        let expected = self.sha256.as_ref().or(mark.linked.as_ref());
        if let Some(expected) = expected.filter(|expected| **expected != found) {
            self.forget(&mut Mark::default())?;
            return Err(Error::Checksum { file: self.file.clone(), expected: expected.clone(), found });
        }
        Ok(Fetched { sha256: found, promised: expected.is_some() })
    }

    /// The weights alone are as large as the file, whatever its head will tell.
    fn room_in_memory(&self, total: u64) -> Result<(), Ended> {
        let facts = Facts { weight_bytes: self.before + total, ..Facts::default() };
        let room = Room::of(&facts, None, (self.machine.free_memory)());
        if self.anyway || room.fits() {
            return Ok(());
        }
        Err(Ended::For(Error::TooLarge { name: self.file.clone(), room }))
    }

    fn room_on_disk(&self, needed: u64) -> Result<(), Ended> {
        let folder = self.part.parent().unwrap_or(Path::new("."));
        let free = (self.machine.free_disk)(folder).map_err(Error::io(folder))?;
        if needed.saturating_add(DISK_RESERVE) > free {
            let folder = folder.parent().unwrap_or(folder).to_owned();
            return Err(Ended::For(Error::DiskFull { file: self.file.clone(), needed, free, folder }));
        }
        Ok(())
    }

    fn have(&self) -> u64 {
        fs::metadata(&self.part).map_or(0, |file| file.len())
    }

    fn mark_path(&self) -> PathBuf {
        self.part.with_extension("json")
    }

    /// What is known of an earlier try at the same address; nothing of one at another.
    fn remembered(&self) -> Mark {
        let read = fs::read(self.mark_path()).ok();
        let mark: Option<Mark> = read.and_then(|text| serde_json::from_slice(&text).ok());
        mark.filter(|mark| mark.url == self.address()).unwrap_or_default()
    }

    fn remember(&self, mark: &Mark) -> Result<(), Error> {
        let text = serde_json::to_vec(mark).unwrap_or_default();
        write_whole(&self.mark_path(), &text).map_err(Error::io(self.mark_path()))
    }

    fn forget(&self, mark: &mut Mark) -> Result<(), Error> {
        *mark = Mark::default();
        gone(fs::remove_file(&self.part)).map_err(Error::io(&self.part))?;
        gone(fs::remove_file(self.mark_path())).map_err(Error::io(self.mark_path()))
    }

    /// The address without its query, which may hold a secret.
    fn address(&self) -> String {
        self.url.to_string().split('?').next().unwrap_or_default().to_owned()
    }

    fn bad_url(&self, reason: &str) -> Error {
        Error::BadUrl { url: self.address(), reason: reason.to_owned() }
    }

    fn refused(&self, head: &Response<Body>, meaning: &'static str) -> Error {
        let url = Origin::of(&self.url).map_or_else(|_| self.address(), |origin| origin.to_string());
        Error::Refused { url, status: head.status().as_u16(), meaning }
    }
}

/// The file cut to `offset` bytes, to be gone on with there.
fn at(mut file: File, offset: u64) -> std::io::Result<File> {
    file.set_len(offset)?;
    file.seek(SeekFrom::Start(offset))?;
    Ok(file)
}

fn resolve(from: &Uri, to: &str) -> Option<Uri> {
    let parsed: Uri = to.parse().ok()?;
    if parsed.scheme().is_some() {
        return Some(parsed);
    }
    if !to.starts_with('/') || to.starts_with("//") {
        return None;
    }
    let path = parsed.path_and_query()?.clone();
    Uri::builder().scheme(from.scheme()?.clone()).authority(from.authority()?.clone()).path_and_query(path).build().ok()
}

/// The checksum in the headers of a hub: Git LFS names a file by its SHA-256, and that is passed on. A plain `ETag` is no checksum:
/// behind Hugging Face's it is the storage's own hash, as long and different.
fn told_digest(headers: &HeaderMap) -> Option<String> {
    digest::parse(headers.get(&LINKED_ETAG)?.to_str().ok()?)
}

fn strong(headers: &HeaderMap) -> Option<String> {
    let etag = headers.get(ETAG)?.to_str().ok()?;
    (etag.starts_with('"') && etag.len() < 1024).then(|| etag.to_owned())
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok().filter(|length| *length > 0)
}

/// `bytes 100-199/200`: where it begins and how much there is.
fn content_range(value: &HeaderValue) -> Option<(u64, u64)> {
    let (range, total) = value.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_are_resolved() {
        let from: Uri = "https://h:1/a/b?c".parse().expect("a URL");
        for (to, url) in [
            ("https://x/y", Some("https://x/y")),
            ("/z?q=1", Some("https://h:1/z?q=1")),
            ("//evil/z", None),
            ("", None),
            ("z", None),
        ] {
            assert_eq!(resolve(&from, to).map(|url| url.to_string()).as_deref(), url, "{to}");
        }
    }

    #[test]
    fn ranges_are_read() {
        let read = |text: &'static str| content_range(&HeaderValue::from_static(text));
        assert_eq!(read("bytes 5-9/10"), Some((5, 10)));
        for bad in ["bytes */10", "bytes 5-9/*", "5-9/10", "bytes 5/10", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
