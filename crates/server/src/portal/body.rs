//! Reading request bodies, with a limit and with sentences for what is wrong with them.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
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
