//! The model files of this machine: what is here, what can be fetched and whether it fits, downloads that go on without the page,
//! uploads, and which of the files the portal runs. The work is `models::library`'s.

use std::path::{Path as FilePath, PathBuf};
use std::sync::Arc;

use axum::Json as Reply;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use domain::ModelState;
use models::library::{
    self, Download, DownloadState, Downloads, Entry, Kind, Library, Offer, Place, Room, Run, Source, Taking,
};
use models::{WorkerConfig, WorkerView};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::{IntoParams, ToSchema};

use crate::caller::Administrator;
use crate::portal::body::{self, Json, Path, Query};
use crate::{Problem, Server};

/// How a model of the library is run: the worker for its file, its name and its context; `None` where this binary runs none.
pub type Runner = Box<dyn Fn(&FilePath, &str, Option<u32>) -> Option<WorkerConfig> + Send + Sync>;

/// The library as the doors reach it.
pub struct Shelves {
    /// What is here.
    pub library: Library,
    /// LoRA adapters.
    pub adapters: library::Adapters,
    /// What is on its way.
    pub downloads: Arc<Downloads>,
    /// Files of the configuration, which run as long as the portal does.
    pub fixed: Vec<PathBuf>,
    /// How one is run.
    pub runner: Runner,
}

/// Everything of the page but the catalogue.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LibraryView {
    /// Where the files lie.
    folder: String,
    /// Bytes that are free on its disk.
    free_disk: Option<u64>,
    /// Bytes of memory that can be had without swapping.
    free_memory: Option<u64>,
    /// Whether this binary can run models itself.
    runs_models: bool,
    /// Who is asked for a name of the catalogue where nobody says: `huggingface`, `modelscope`, or the URL of a mirror.
    from: String,
    models: Vec<LibraryModel>,
    downloads: Vec<DownloadView>,
}

/// A model that is here.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LibraryModel {
    name: String,
    path: String,
    /// `folder`, `in_place` or `ollama`.
    #[schema(value_type = String)]
    place: Place,
    bytes: u64,
    sha256: Option<String>,
    source: Option<String>,
    licence: Option<String>,
    architecture: Option<String>,
    /// `chat`, `embedding` or `reranker`.
    #[schema(value_type = Option<String>)]
    kind: Option<Kind>,
    quant: Option<String>,
    parameters: Option<u64>,
    /// Tokens it was made for.
    context: Option<u32>,
    chat_template: Option<bool>,
    room: Option<RoomView>,
    /// Whether the portal runs it, by its own choice or by the configuration.
    running: bool,
    /// Whether it is out of memory until somebody asks it.
    resting: bool,
    /// Whether the configuration says so; then it is stopped there.
    configured: bool,
    /// What is wrong with it.
    problem: Option<String>,
}

/// What a model takes of this machine's memory, in bytes.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RoomView {
    weights: u64,
    cache: u64,
    overhead: u64,
    needed: u64,
    /// Tokens that were reckoned with.
    context: u32,
    fits: bool,
}

impl From<Room> for RoomView {
    fn from(room: Room) -> Self {
        let Room { weights, cache, overhead, context, .. } = room;
        RoomView { weights, cache, overhead, needed: room.needed(), context, fits: room.fits() }
    }
}

/// A model on its way to this machine.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DownloadView {
    name: String,
    url: String,
    /// `running`, `done`, `failed` or `paused`.
    #[schema(value_type = String)]
    state: DownloadState,
    checking: bool,
    /// Bytes that are here.
    have: u64,
    /// Bytes of the whole; 0 as long as nobody told.
    total: u64,
    message: Option<String>,
    code: Option<String>,
}

impl From<Download> for DownloadView {
    fn from(download: Download) -> Self {
        let Download { name, url, state, checking, have, total, message, code } = download;
        DownloadView { name, url, state, checking, have, total, message, code: code.map(word) }
    }
}

/// A model of the catalogue in one quantisation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OfferView {
    name: String,
    title: String,
    quant: String,
    licence: String,
    licence_url: String,
    context: u32,
    repo: String,
    bytes: u64,
    room: RoomView,
    recommended: bool,
}

impl From<Offer> for OfferView {
    fn from(offer: Offer) -> Self {
        let Offer { name, title, quant, licence, licence_url, context, repo, bytes, room, recommended, .. } = offer;
        OfferView { name, title, quant, licence, licence_url, context, repo, bytes, room: room.into(), recommended }
    }
}

/// Everything that can be fetched by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OfferList {
    offers: Vec<OfferView>,
}

/// With how much context is reckoned.
#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Reckoned {
    /// In tokens; 8192 where it is absent.
    context: Option<u32>,
}

/// What to fetch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderBody {
    /// `NAME:QUANT` of the catalogue, or the URL of a .gguf file.
    model: String,
    /// `huggingface`, `modelscope`, or the URL of a mirror, for a name of the catalogue; the configuration's where absent.
    from: Option<String>,
    /// 64 hexadecimal digits that the file must have.
    sha256: Option<String>,
    /// Also where it does not fit into memory.
    #[serde(default)]
    anyway: bool,
}

/// What to take in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakeBody {
    /// A .gguf file on the portal's machine.
    path: Option<String>,
    /// Or a model of this machine's Ollama, as it lists it; its file stays where it is.
    ollama: Option<String>,
    /// What to call it, where the file's own name does not serve.
    name: Option<String>,
    /// Leave the file where it is and use it there.
    #[serde(default)]
    in_place: bool,
}

/// How to run it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunBody {
    /// Context in tokens.
    context: Option<u32>,
}

/// What reading the whole file again found.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct VerifiedView {
    sha256: String,
    /// Absent where no checksum was known until now.
    same: Option<bool>,
}

#[utoipa::path(get, path = "/api/library", tag = "library", responses((status = 200, body = LibraryView)))]
pub(crate) async fn read(State(server): State<Server>, _: Administrator) -> Result<Reply<LibraryView>, Problem> {
    let shelves = Arc::clone(&server.shelves);
    let local = server.doors.local_engine;
    let workers = server.models.workers();
    blocking(move || {
        let library = &shelves.library;
        let models = library.list()?.into_iter().map(|entry| shelves.view(entry, &workers)).collect();
        let downloads = shelves.downloads.list().into_iter().map(DownloadView::from).collect();
        Ok(Reply(LibraryView {
            folder: library.folder().display().to_string(),
            free_disk: library.free_disk(),
            free_memory: library.free_memory(),
            runs_models: local,
            from: library.source().to_string(),
            models,
            downloads,
        }))
    })
    .await
}

#[utoipa::path(get, path = "/api/library/offers", tag = "library", params(Reckoned), responses((status = 200, body = OfferList)))]
pub(crate) async fn offers(
    State(server): State<Server>,
    _: Administrator,
    Query(reckoned): Query<Reckoned>,
) -> Reply<OfferList> {
    let offers = library::offers(reckoned.context, server.shelves.library.free_memory());
    Reply(OfferList { offers: offers.into_iter().map(OfferView::from).collect() })
}

#[utoipa::path(post, path = "/api/library/downloads", tag = "library", request_body = OrderBody, responses((status = 202, body = DownloadView, description = "it has begun, or goes on")))]
pub(crate) async fn fetch(
    State(server): State<Server>,
    _: Administrator,
    Json(body): Json<OrderBody>,
) -> Result<(StatusCode, Reply<DownloadView>), Problem> {
    let library = &server.shelves.library;
    let from = body.from.as_deref().map(str::parse::<Source>).transpose()?;
    let mut order = library.order(body.model.trim(), from.as_ref().unwrap_or(library.source()), None)?;
    order.anyway = body.anyway;
    if let Some(text) = body.sha256.as_deref().filter(|text| !text.trim().is_empty()) {
        let parsed = library::parse_sha256(text);
        order.sha256 = Some(parsed.ok_or_else(|| Problem::invalid("sha256", "a SHA-256 has 64 hexadecimal digits"))?);
    }
    Ok((StatusCode::ACCEPTED, Reply(server.shelves.downloads.start(order)?.into())))
}

#[utoipa::path(post, path = "/api/library/downloads/{name}/resume", tag = "library", params(("name" = String, Path)), responses((status = 202, body = DownloadView)))]
pub(crate) async fn resume(
    State(server): State<Server>,
    _: Administrator,
    Path(name): Path<String>,
) -> Result<(StatusCode, Reply<DownloadView>), Problem> {
    Ok((StatusCode::ACCEPTED, Reply(server.shelves.downloads.resume(&name)?.into())))
}

#[utoipa::path(delete, path = "/api/library/downloads/{name}", tag = "library", params(("name" = String, Path)), responses((status = 204, description = "stopped if it ran, else forgotten with what had arrived")))]
pub(crate) async fn cancel(
    State(server): State<Server>,
    _: Administrator,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    if server.shelves.downloads.cancel(&name)? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(Problem::not_found("download"))
}

#[utoipa::path(post, path = "/api/library/models", tag = "library", request_body = TakeBody, responses((status = 201, body = LibraryModel)))]
pub(crate) async fn take(
    State(server): State<Server>,
    _: Administrator,
    Json(body): Json<TakeBody>,
) -> Result<(StatusCode, Reply<LibraryModel>), Problem> {
    let shelves = Arc::clone(&server.shelves);
    blocking(move || {
        let (path, taking) = match (body.path, body.ollama) {
            (Some(path), None) => (PathBuf::from(path), if body.in_place { Taking::InPlace } else { Taking::Link }),
            (None, Some(name)) => (shelves.library.get(&name)?.path, Taking::InPlace),
            _ => return Err(Problem::invalid("path", "name a file, or a model of Ollama's")),
        };
        let entry = shelves.library.import(&path, taking, body.name.as_deref())?;
        Ok((StatusCode::CREATED, Reply(shelves.view(entry, &[]))))
    })
    .await
}

/// The body is the file itself; it is written as it comes, and its length has to be told.
#[utoipa::path(put, path = "/api/library/files/{file}", tag = "library", params(("file" = String, Path, description = "its name, ending in .gguf")), request_body(content = String, content_type = "application/octet-stream"), responses((status = 201, body = LibraryModel)))]
pub(crate) async fn upload(
    State(server): State<Server>,
    _: Administrator,
    Path(file): Path<String>,
    headers: HeaderMap,
    mut arriving: Body,
) -> Result<(StatusCode, Reply<LibraryModel>), Problem> {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    let missing = || Problem::new(StatusCode::LENGTH_REQUIRED, "invalid_request", "say how large the file is");
    let mut upload = server.shelves.library.upload(&file, length.ok_or_else(missing)?)?;
    while let Some(data) = body::piece(&mut arriving).await? {
        upload.write(&data).await?;
    }
    let entry = upload.finish().await?;
    Ok((StatusCode::CREATED, Reply(server.shelves.view(entry, &[]))))
}

#[utoipa::path(post, path = "/api/library/models/{name}/verify", tag = "library", params(("name" = String, Path)), responses((status = 200, body = VerifiedView)))]
pub(crate) async fn verify(
    State(server): State<Server>,
    _: Administrator,
    Path(name): Path<String>,
) -> Result<Reply<VerifiedView>, Problem> {
    let shelves = Arc::clone(&server.shelves);
    // Who leaves does not wait for gigabytes to be read.
    let cancel = CancellationToken::new();
    let _left = cancel.clone().drop_guard();
    let verified = blocking(move || Ok(shelves.library.verify(&name, &cancel, |_| {})?)).await?;
    Ok(Reply(VerifiedView { sha256: verified.sha256, same: verified.same }))
}

#[utoipa::path(delete, path = "/api/library/models/{name}", tag = "library", params(("name" = String, Path)), responses((status = 204, description = "its file is gone, or forgotten where it lies elsewhere")))]
pub(crate) async fn remove(
    State(server): State<Server>,
    _: Administrator,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let shelves = Arc::clone(&server.shelves);
    blocking(move || {
        if shelves.library.get(&name)?.run.is_some() {
            return Err(library::Error::InUse { name }.into());
        }
        shelves.library.remove(&name, &shelves.fixed)?;
        Ok(StatusCode::NO_CONTENT)
    })
    .await
}

#[utoipa::path(post, path = "/api/library/models/{name}/start", tag = "library", params(("name" = String, Path)), request_body = RunBody, responses((status = 204, description = "it is being loaded, and will be after every start of the portal")))]
pub(crate) async fn start(
    State(server): State<Server>,
    _: Administrator,
    Path(name): Path<String>,
    Json(body): Json<RunBody>,
) -> Result<StatusCode, Problem> {
    let shelves = Arc::clone(&server.shelves);
    let entry = shelves.library.get(&name)?;
    let Some(mut worker) = (shelves.runner)(&entry.path, &name, body.context) else {
        let message = "this portico was built without its engine and runs no models itself";
        return Err(Problem::new(StatusCode::CONFLICT, "library_no_engine", message));
    };
    let id = format!("{}/{name}", models::LOCAL);
    if server.models.workers().iter().any(|worker| worker.id == id) {
        return Err(library::Error::InUse { name }.into());
    }
    let run = Run { context: body.context };
    let reclaimable = server.models.reclaimable();
    worker.adapters = blocking(move || {
        shelves.library.set_run(&name, Some(run), reclaimable)?;
        Ok(shelves.adapters.of(&name))
    })
    .await?;
    server.models.start_worker(worker);
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/library/models/{name}/stop", tag = "library", params(("name" = String, Path)), responses((status = 204, description = "it leaves memory, and stays on the disk")))]
pub(crate) async fn stop(
    State(server): State<Server>,
    _: Administrator,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let shelves = Arc::clone(&server.shelves);
    let asked = name.clone();
    let was = blocking(move || {
        let was = shelves.library.get(&asked)?.run.is_some();
        shelves.library.set_run(&asked, None, 0)?;
        Ok(was)
    })
    .await?;
    if !was {
        return Err(Problem::not_found("running model"));
    }
    server.models.stop_worker(&name);
    Ok(StatusCode::NO_CONTENT)
}

impl Shelves {
    fn view(&self, entry: Entry, workers: &[WorkerView]) -> LibraryModel {
        let facts = entry.facts;
        let room = facts.as_ref().map(|facts| self.library.room(facts, entry.run.and_then(|run| run.context)).into());
        let configured = self.fixed.iter().any(|path| same(path, &entry.path));
        let id = format!("{}/{}", models::LOCAL, entry.name);
        let is_run = |worker: &&WorkerView| match configured {
            true => worker.file.as_deref().is_some_and(|file| same(FilePath::new(file), &entry.path)),
            false => entry.run.is_some() && worker.id == id,
        };
        let worker = workers.iter().find(is_run);
        LibraryModel {
            running: configured || worker.is_some(),
            resting: worker.is_some_and(|worker| worker.state == ModelState::Cold),
            name: entry.name,
            path: entry.path.display().to_string(),
            place: entry.place,
            bytes: entry.bytes,
            sha256: entry.sha256,
            source: entry.source,
            licence: entry.licence,
            architecture: facts.as_ref().map(|facts| facts.architecture.clone()),
            kind: facts.as_ref().map(|facts| facts.kind),
            quant: facts.as_ref().and_then(|facts| facts.quant.clone()),
            parameters: facts.as_ref().map(|facts| facts.parameters),
            context: facts.as_ref().map(|facts| facts.context),
            chat_template: facts.as_ref().map(|facts| facts.chat_template),
            room,
            configured,
            problem: entry.problem,
        }
    }
}

fn same(one: &FilePath, other: &FilePath) -> bool {
    let real = |path: &FilePath| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    real(one) == real(other)
}

/// Disks are waited for outside the threads that serve.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let failed = |_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "the disk could not be asked");
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

fn word(code: &'static str) -> String {
    format!("library_{code}")
}

impl From<library::Error> for Problem {
    fn from(error: library::Error) -> Problem {
        use library::Error;
        let message = error.to_string();
        let (status, code) = match &error {
            Error::NotOffered { .. } | Error::NoSuchQuantisation { .. } => {
                (StatusCode::NOT_FOUND, "library_not_offered")
            }
            Error::NotHere { .. } => (StatusCode::NOT_FOUND, "library_not_found"),
            Error::BadName { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "library_bad_name"),
            Error::BadUrl { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "library_bad_url"),
            error if error.code() == "forbidden_host" => (StatusCode::BAD_GATEWAY, "library_forbidden_host"),
            Error::Unreachable(_) | Error::SentElsewhere { .. } => (StatusCode::BAD_GATEWAY, "library_unreachable"),
            Error::Refused { .. } => (StatusCode::BAD_GATEWAY, "library_refused"),
            Error::Cut { .. } => (StatusCode::BAD_GATEWAY, "library_cut"),
            Error::DiskFull { .. } => (StatusCode::INSUFFICIENT_STORAGE, "library_disk_full"),
            Error::TooLarge { .. } => (StatusCode::CONFLICT, "library_too_large"),
            Error::Checksum { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "library_checksum"),
            Error::NotAModel { .. } => (StatusCode::UNPROCESSABLE_ENTITY, "library_not_a_model"),
            Error::Busy { .. } => (StatusCode::CONFLICT, "library_busy"),
            Error::InUse { .. } => (StatusCode::CONFLICT, "library_in_use"),
            Error::Exists { .. } => (StatusCode::CONFLICT, "library_exists"),
            Error::Cancelled => (StatusCode::CONFLICT, "library_cancelled"),
            Error::Io { .. } => (StatusCode::INSUFFICIENT_STORAGE, "library_disk"),
        };
        let problem = Problem::new(status, code, message);
        match &error {
            Error::TooLarge { room, .. } => problem
                .with("needed", library::shown(room.needed()))
                .with("free", library::shown(room.free.unwrap_or(0)))
                .with("context", room.context),
            Error::DiskFull { needed, free, .. } => {
                problem.with("needed", library::shown(*needed)).with("free", library::shown(*free))
            }
            Error::NoSuchQuantisation { name, .. }
            | Error::NotOffered { name }
            | Error::NotHere { name }
            | Error::Busy { name }
            | Error::InUse { name }
            | Error::Exists { name } => problem.with("name", name.as_str()),
            _ => problem,
        }
    }
}
