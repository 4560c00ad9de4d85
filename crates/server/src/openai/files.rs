//! Files that programs upload by their keys: kept for their person alone, whichever of their keys asks. They are kept and given
//! back; nothing here reads what is in them.

use std::io;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::{Extensions, HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use domain::{Caller, FileId, Timestamp};
use futures_util::stream;
use openai::Form;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{FileRow, Listing, NewFile};

use super::{DialectProblem, listing, refused};
use crate::key::keyholder;
use crate::portal::aliases::audit;
use crate::portal::body::{self, Query};
use crate::{Problem, Server};

/// What a file may be for, in the dialect's words.
const PURPOSES: [&str; 6] = ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"];

/// The most that one person's files hold altogether, in bytes.
const MOST_PER_PERSON: u64 = 1 << 30;

const LONGEST_NAME: usize = 255;

pub(crate) async fn upload(State(server): State<Server>, request: Request) -> Result<Json<Value>, DialectProblem> {
    let (head, body) = request.into_parts();
    let caller = keyholder(&server, &head.headers, &head.extensions)?.caller;
    let limit = server.doors.body_limit();
    let body = body::read(body, limit).await.map_err(|problem| match problem.code {
        "body_too_large" => {
            let message = format!(
                "the file is too large: with its form it may have {limit} bytes; send less, or raise limits.body_bytes"
            );
            Problem { message, ..problem }
        }
        _ => problem,
    })?;
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let form = Form::read(kind, body).map_err(refused)?;
    let file = form.part("file").ok_or_else(|| Problem::wrong("file", "file: is missing"))?;
    let content = form.value(file);
    let name: String = file.file_name.as_deref().unwrap_or("file").chars().take(LONGEST_NAME).collect();
    let purpose = purpose(form.text("purpose"))?.ok_or_else(|| Problem::wrong("purpose", "purpose: is missing"))?;
    let expires_at = expiry(&form, server.clock.now())?;
    if server.store.bytes_of_files(&caller).await?.saturating_add(content.len() as u64) > MOST_PER_PERSON {
        let message = "your files would hold more than 1 GiB altogether; delete some first";
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "files_full", message).into());
    }
    let row = server.store.create_file(&caller, NewFile { name, purpose, expires_at }, &content).await?;
    let detail = json!({ "purpose": row.purpose, "bytes": row.bytes });
    audit(&server, &caller, "file.created", row.id.to_string(), detail).await;
    Ok(Json(object(&row)))
}

/// How files are listed.
#[derive(Debug, Deserialize)]
pub(crate) struct Asked {
    purpose: Option<String>,
    after: Option<String>,
    limit: Option<u32>,
    order: Option<String>,
}

pub(crate) async fn list(
    State(server): State<Server>,
    headers: HeaderMap,
    extensions: Extensions,
    query: Result<Query<Asked>, Problem>,
) -> Result<Json<Value>, DialectProblem> {
    let caller = keyholder(&server, &headers, &extensions)?.caller;
    let Query(asked) = query?;
    let limit = listing::limit(asked.limit, 10_000, 10_000)?;
    let newest_first = listing::newest_first(asked.order.as_deref())?;
    let after = asked.after.map(|id| id_of(&id).ok_or_else(|| no_such_file(&id))).transpose()?;
    let listing = Listing { purpose: purpose(asked.purpose)?, after, limit, newest_first };
    let (rows, more) = server.store.files(&caller, listing).await?;
    let data: Vec<Value> = rows.iter().map(object).collect();
    Ok(Json(listing::framed(&data, more)))
}

pub(crate) async fn read(
    State(server): State<Server>,
    headers: HeaderMap,
    extensions: Extensions,
    Path(id): Path<String>,
) -> Result<Json<Value>, DialectProblem> {
    let caller = keyholder(&server, &headers, &extensions)?.caller;
    Ok(Json(object(&find(&server, &caller, &id).await?)))
}

pub(crate) async fn content(
    State(server): State<Server>,
    headers: HeaderMap,
    extensions: Extensions,
    Path(id): Path<String>,
) -> Result<Response, DialectProblem> {
    let caller = keyholder(&server, &headers, &extensions)?.caller;
    let row = find(&server, &caller, &id).await?;
    let mut response = Response::new(pieces(server, caller, &row));
    // What somebody uploaded is never shown as a page of this address.
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(row.bytes));
    Ok(response)
}

/// Piece by piece, as it is kept. Where one is gone meanwhile the connection breaks off, so that nobody takes half for the whole.
fn pieces(server: Server, caller: Caller, row: &FileRow) -> Body {
    let (id, left) = (row.id, row.bytes);
    Body::from_stream(stream::try_unfold((0, left), move |(seq, left)| {
        let server = server.clone();
        async move {
            if left == 0 {
                return Ok::<_, io::Error>(None);
            }
            let piece = server.store.file_piece(&caller, id, seq).await.map_err(io::Error::other)?;
            let piece = piece.ok_or_else(|| io::Error::other("the file was deleted while it was sent"))?;
            let left = left.saturating_sub(piece.len() as u64);
            Ok(Some((Bytes::from(piece), (seq + 1, left))))
        }
    }))
}

pub(crate) async fn delete(
    State(server): State<Server>,
    headers: HeaderMap,
    extensions: Extensions,
    Path(id): Path<String>,
) -> Result<Json<Value>, DialectProblem> {
    let caller = keyholder(&server, &headers, &extensions)?.caller;
    let row = find(&server, &caller, &id).await?;
    match server.store.delete_file(&caller, row.id).await {
        Err(store::Error::NotFound { .. }) => return Err(no_such_file(&id).into()),
        outcome => outcome?,
    }
    audit(&server, &caller, "file.deleted", row.id.to_string(), json!({})).await;
    Ok(Json(json!({ "id": id, "object": "file", "deleted": true })))
}

async fn find(server: &Server, caller: &Caller, id: &str) -> Result<FileRow, Problem> {
    let found = match id_of(id) {
        Some(id) => server.store.file(caller, id).await?,
        None => None,
    };
    found.ok_or_else(|| no_such_file(id))
}

/// The file behind an id.
pub(crate) fn id_of(id: &str) -> Option<FileId> {
    id.strip_prefix("file-")?.parse().ok()
}

fn no_such_file(id: &str) -> Problem {
    let id: String = id.chars().take(64).collect();
    let message = format!("there is no file {id:?}; GET /v1/files lists yours");
    Problem { status: StatusCode::NOT_FOUND, code: "not_found", ..Problem::invalid("file_id", message) }
}

fn purpose(told: Option<String>) -> Result<Option<String>, Problem> {
    match told.filter(|told| !told.is_empty()) {
        Some(told) if !PURPOSES.contains(&told.as_str()) => {
            Err(Problem::wrong("purpose", format!("purpose: must be one of {}", PURPOSES.join(", "))))
        }
        told => Ok(told),
    }
}

/// `expires_after[anchor]` and `expires_after[seconds]` of the form.
fn expiry(form: &Form, now: Timestamp) -> Result<Option<Timestamp>, Problem> {
    let seconds = form.text("expires_after[seconds]");
    match form.text("expires_after[anchor]").as_deref() {
        None if seconds.is_none() => return Ok(None),
        Some("created_at") => {}
        _ => return Err(Problem::wrong("expires_after", "expires_after.anchor: must be created_at")),
    }
    let seconds = seconds.and_then(|seconds| seconds.parse::<i64>().ok());
    let seconds = seconds.filter(|seconds| (3_600..=2_592_000).contains(seconds)).ok_or_else(|| {
        Problem::wrong("expires_after", "expires_after.seconds: must be a whole number from 3600 to 2592000")
    })?;
    Ok(Some(Timestamp(now.0 + seconds * 1_000)))
}

fn object(row: &FileRow) -> Value {
    json!({ "id": format!("file-{}", row.id), "object": "file", "bytes": row.bytes, "created_at": row.created_at.0 / 1000,
        "expires_at": row.expires_at.map(|at| at.0 / 1000), "filename": row.name, "purpose": row.purpose,
        "status": "processed" })
}
