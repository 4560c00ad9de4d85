//! Reading what a request carries, its body (with a limit), its path and its query, with sentences for what is wrong with them.

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde::de::DeserializeOwned;

use crate::{Problem, Server};

/// A whole body of at most `limit` bytes. One that says its length is refused before it is read.
pub(crate) async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    if body.size_hint().lower() > limit as u64 {
        return Err(Problem::too_large(limit));
    }
    let read = Limited::new(body, limit).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            return Problem::too_large(limit);
        }
        Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "the request broke off before its body was complete")
    })?;
    Ok(read.to_bytes())
}

/// The next piece of a body that is too large to be held; `None` at its end.
pub(crate) async fn piece(body: &mut Body) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let broken = |_| Problem::new(StatusCode::BAD_REQUEST, "invalid_request", "the file broke off on its way");
        if let Ok(data) = frame.map_err(broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// A JSON body.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Server> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, server: &Server) -> Result<Self, Problem> {
        let bytes = read(request.into_body(), server.doors.body_limit()).await?;
        serde_json::from_slice(&bytes).map(Json).map_err(|error| {
            let status = if error.is_data() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::BAD_REQUEST };
            let message = match error.classify() {
                serde_json::error::Category::Eof => "the body is not complete JSON: it ends too early".to_owned(),
                serde_json::error::Category::Data => format!("the body does not fit: {error}"),
                _ => format!("the body is not valid JSON: {error}"),
            };
            Problem::new(status, "invalid_request", message)
        })
    }
}

/// The ids in a path. What cannot be an id is nothing that is there.
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Server> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, server).await;
        let path = parts.uri.path();
        read.map(|axum::extract::Path(value)| Path(value)).map_err(|_| Problem::not_found(&format!("route {path}")))
    }
}

/// The parameters behind the question mark.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Server> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Server) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, server).await;
        read.map(|axum::extract::Query(value)| Query(value))
            .map_err(|error| Problem::invalid("query", error.body_text()))
    }
}
