//! A person's files: uploaded in pieces that go on where a connection broke off, looked at by a virus scanner where there is one,
//! shown, deleted with a way back. What is read in them is `chat`'s; where they lie, the store's.

use axum::Json as Reply;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use domain::{Caller, UploadId};
use egress::Scanned;
use futures_util::stream;
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::UploadRow;
use tokio::io::AsyncReadExt as _;
use utoipa::{IntoParams, ToSchema};

use crate::caller::SignedIn;
use crate::portal::aliases::audit;
use crate::portal::body::{self, Json, Path, Query};
use crate::{Problem, Server};

/// The longest name, in characters.
const NAME: usize = 255;

/// How much of a file a preview shows, in characters: more than anybody reads there, and no more than a page can hold.
const PREVIEW: usize = 400_000;

/// The size of a piece on its way out, in bytes.
const PIECE: usize = 64 << 10;

/// How much a person may upload, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// One file.
    pub largest: u64,
    /// All files of a person.
    pub per_person: u64,
}

/// A file of the caller's.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileView {
    id: String,
    name: String,
    /// What its first bytes say it is; empty until it is complete.
    media_type: String,
    bytes: u64,
    /// How much of it has arrived.
    received: u64,
    complete: bool,
    /// Milliseconds since 1970.
    created_at: i64,
}

impl FileView {
    fn new(row: UploadRow, received: u64) -> Self {
        FileView {
            id: row.id.to_string(),
            complete: row.digest.is_some(),
            name: row.name,
            media_type: row.media_type,
            bytes: row.bytes,
            received,
            created_at: row.created_at.0,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileList {
    /// The newest first, at most 500.
    items: Vec<FileView>,
    /// What all files of the caller hold, those on their way counted whole.
    used: u64,
    /// What they may hold.
    per_person: u64,
    /// What one may hold.
    largest: u64,
}

/// A file to be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewFileBody {
    name: String,
    bytes: u64,
}

/// All of it was sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FinishBody {
    /// SHA-256 in hexadecimal, of all that was sent.
    sha256: String,
}

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct At {
    /// Where this piece begins: what has arrived so far.
    offset: u64,
}

/// What was read in a file.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FileText {
    pages: Vec<PageText>,
    /// Whether there is more than is shown.
    more: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PageText {
    /// Page, slide or sheet, from 1; absent where the format has none.
    page: Option<u32>,
    text: String,
}

#[utoipa::path(get, path = "/api/files", tag = "files", responses((status = 200, body = FileList)))]
pub(crate) async fn list(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
) -> Result<Reply<FileList>, Problem> {
    let rows = server.uploads.list(&caller).await?;
    let used = server.uploads.bytes(&caller).await?;
    let view = |row: UploadRow| {
        let bytes = row.bytes;
        FileView::new(row, bytes)
    };
    let UploadLimits { largest, per_person } = server.upload_limits;
    Ok(Reply(FileList { items: rows.into_iter().map(view).collect(), used, per_person, largest }))
}

#[utoipa::path(post, path = "/api/files", tag = "files", request_body = NewFileBody, responses((status = 201, body = FileView), (status = 413, description = "file_too_large, files_full")))]
pub(crate) async fn begin(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Json(body): Json<NewFileBody>,
) -> Result<(StatusCode, Reply<FileView>), Problem> {
    let name = plain_name(&body.name);
    if body.bytes == 0 {
        return Err(Problem::invalid("bytes", "the file is empty"));
    }
    let UploadLimits { largest, per_person } = server.upload_limits;
    if body.bytes > largest {
        let message = format!("{name} is larger than the {} that one file may have", shown(largest));
        let problem = Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "file_too_large", message);
        return Err(problem.with("name", name).with("limit", shown(largest)));
    }
    let row = server.uploads.begin(&caller, &name, body.bytes, per_person).await?.ok_or_else(|| {
        let message = format!("your files would hold more than {} altogether; delete some first", shown(per_person));
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "files_full", message).with("limit", shown(per_person))
    })?;
    Ok((StatusCode::CREATED, Reply(FileView::new(row, 0))))
}

#[utoipa::path(get, path = "/api/files/{id}", tag = "files", params(("id" = String, Path)), responses((status = 200, body = FileView), (status = 404)))]
pub(crate) async fn read(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<UploadId>,
) -> Result<Reply<FileView>, Problem> {
    let row = find(&server, &caller, id).await?;
    let received = server.uploads.received(&row).await?;
    Ok(Reply(FileView::new(row, received)))
}

#[utoipa::path(patch, path = "/api/files/{id}", tag = "files", params(("id" = String, Path), At), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 200, body = FileView), (status = 409, description = "upload_offset: it goes on elsewhere; conflict: another request is writing it")))]
pub(crate) async fn go_on(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<UploadId>,
    Query(at): Query<At>,
    request: Request,
) -> Result<Reply<FileView>, Problem> {
    let row = find(&server, &caller, id).await?;
    if row.digest.is_some() {
        return Err(offset(row.bytes));
    }
    let mut piece = server.uploads.go_on(&row).await?;
    if piece.have() != at.offset {
        return Err(offset(piece.have()));
    }
    let mut body = request.into_body();
    // What arrived before a connection broke stays, and is what the next piece goes on after.
    while let Some(bytes) = body::piece(&mut body).await? {
        piece.write(&bytes).await?;
    }
    let received = piece.end().await?;
    Ok(Reply(FileView::new(row, received)))
}

#[utoipa::path(post, path = "/api/files/{id}/finish", tag = "files", params(("id" = String, Path)), request_body = FinishBody, responses((status = 200, body = FileView), (status = 409, description = "upload_offset: not all of it has arrived"), (status = 422, description = "upload_damaged, file_infected"), (status = 503, description = "scanner_failed")))]
pub(crate) async fn finish(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<UploadId>,
    Json(body): Json<FinishBody>,
) -> Result<Reply<FileView>, Problem> {
    let row = find(&server, &caller, id).await?;
    let told = body.sha256.trim().to_ascii_lowercase();
    let damaged = || {
        let message = format!("{} arrived damaged; send it again", row.name);
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "upload_damaged", message).with("name", row.name.as_str())
    };
    // A repeat of a request whose answer was lost.
    if let Some(digest) = &row.digest {
        return if *digest == told { Ok(Reply(FileView::new(row.clone(), row.bytes))) } else { Err(damaged()) };
    }
    let received = server.uploads.received(&row).await?;
    if received != row.bytes {
        return Err(offset(received));
    }
    let checked = server.uploads.check(&row).await?;
    if checked.digest != told {
        server.uploads.delete(&caller, id).await?;
        return Err(damaged());
    }
    if let Some(scanner) = &server.scanner {
        let file = checked.file.try_clone().map_err(|error| not_scanned(&error.to_string()))?;
        match scanner.scan(file).await.map_err(|error| not_scanned(&error.to_string()))? {
            Scanned::Clean => {}
            Scanned::Found(finding) => {
                server.uploads.delete(&caller, id).await?;
                let detail = json!({ "finding": finding, "sha256": checked.digest });
                audit(&server, &caller, "file.refused", id.to_string(), detail).await;
                let message = format!("{} was refused: the virus scanner found {finding}", row.name);
                let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "file_infected", message);
                return Err(problem.with("name", row.name).with("finding", finding));
            }
        }
    }
    let kept = server.uploads.keep(&caller, row, checked).await?;
    let detail = json!({ "bytes": kept.bytes, "media_type": kept.media_type });
    audit(&server, &caller, "file.uploaded", id.to_string(), detail).await;
    let bytes = kept.bytes;
    Ok(Reply(FileView::new(kept, bytes)))
}

#[utoipa::path(get, path = "/api/files/{id}/content", tag = "files", params(("id" = String, Path)), responses((status = 200, content_type = "application/octet-stream", description = "pictures as what they are, everything else to be saved"), (status = 404)))]
pub(crate) async fn content(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<UploadId>,
) -> Result<Response, Problem> {
    let row = find(&server, &caller, id).await?;
    let file = tokio::fs::File::from_std(server.uploads.content(&row).await?);
    let pieces = stream::try_unfold(file, |mut file| async move {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    });
    let picture = row.attachable().filter(domain::FileRef::is_picture).map(|file| file.media_type);
    let kind = picture.as_deref().unwrap_or("application/octet-stream");
    let mut response = Response::new(Body::from_stream(pieces));
    // What somebody uploaded is never a page of this address, whatever it says it is.
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static("image/png")));
    let shown = if picture.is_some() { "inline" } else { "attachment" };
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(shown));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(row.bytes));
    // A file never changes under its id; after signing out nobody shall find it in the browser.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

#[utoipa::path(get, path = "/api/files/{id}/text", tag = "files", params(("id" = String, Path)), responses((status = 200, body = FileText), (status = 404), (status = 422, description = "file_encrypted, file_damaged, file_too_large, file_unsupported, file_no_text")))]
pub(crate) async fn text(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<UploadId>,
) -> Result<Reply<FileText>, Problem> {
    find(&server, &caller, id).await?;
    let read = server.chat.read_file(&caller, id).await;
    let pages = read.map_err(|why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why.code, why.reason))?;
    let (mut shown, mut left, mut more) = (Vec::new(), PREVIEW, false);
    for passage in pages {
        let text: String = passage.text.chars().take(left).collect();
        left -= text.chars().count();
        more |= text.len() < passage.text.len();
        if !text.is_empty() {
            shown.push(PageText { page: passage.page, text });
        }
    }
    Ok(Reply(FileText { pages: shown, more }))
}

#[utoipa::path(delete, path = "/api/files/{id}", tag = "files", params(("id" = String, Path)), responses((status = 204), (status = 404)))]
pub(crate) async fn remove(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<UploadId>,
) -> Result<StatusCode, Problem> {
    let row = find(&server, &caller, id).await?;
    server.uploads.delete(&caller, id).await?;
    if row.digest.is_some() {
        audit(&server, &caller, "file.deleted", id.to_string(), json!({})).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

#[utoipa::path(post, path = "/api/files/{id}/restore", tag = "files", params(("id" = String, Path)), responses((status = 200, body = FileView), (status = 404)))]
pub(crate) async fn restore(
    State(server): State<Server>,
    SignedIn { caller }: SignedIn,
    Path(id): Path<UploadId>,
) -> Result<Reply<FileView>, Problem> {
    let row = server.uploads.restore(&caller, id).await?;
    audit(&server, &caller, "file.restored", id.to_string(), json!({})).await;
    let bytes = row.bytes;
    Ok(Reply(FileView::new(row, bytes)))
}

async fn find(server: &Server, caller: &Caller, id: UploadId) -> Result<UploadRow, Problem> {
    server.uploads.find(caller, id).await?.ok_or_else(|| Problem::not_found("file"))
}

fn offset(received: u64) -> Problem {
    let message = format!("{received} bytes of the file have arrived; go on from there");
    Problem::new(StatusCode::CONFLICT, "upload_offset", message).with("received", received)
}

fn not_scanned(reason: &str) -> Problem {
    tracing::error!(reason, "an uploaded file could not be scanned for viruses");
    let message = "the virus scanner did not look at the file, so it was not taken; try again, or ask an administrator";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "scanner_failed", message)
}

/// The last part of what may be a path, on one line.
fn plain_name(told: &str) -> String {
    let last = told.rsplit(['/', '\\']).next().unwrap_or_default();
    // Signs that turn the direction of writing make `exe.pdf` of `fdp.exe`.
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let name: String = last.chars().filter(|c| !c.is_control() && !turns(*c)).take(NAME).collect();
    match name.trim() {
        "" => "file".to_owned(),
        name => name.to_owned(),
    }
}

/// A size as people read it.
fn shown(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_nowhere_and_stay_on_one_line() {
        let check = |told: &str, name: &str| assert_eq!(plain_name(told), name);
        check("合同.pdf", "合同.pdf");
        check("../../etc/passwd", "passwd");
        check("C:\\Users\\a\\b.docx", "b.docx");
        check("a\nb\0.txt", "ab.txt");
        check("\u{202e}fdp.exe", "fdp.exe");
        check("/", "file");
        check("  ", "file");
        assert_eq!(plain_name(&"长".repeat(400)).chars().count(), NAME);
    }

    #[test]
    fn sizes_are_read_by_people() {
        assert_eq!(
            (shown(2 << 30), shown(100 << 20), shown(1_500)),
            ("2 GiB".into(), "100 MiB".into(), "1500 bytes".into())
        );
    }
}
