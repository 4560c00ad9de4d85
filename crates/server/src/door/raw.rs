//! Answers whose bytes the house does not read: vectors, ranks, recordings, pictures. They travel on as they came, with their
//! own media type; usage and ending are the line's, as everywhere.

use std::io;
use std::pin::Pin;

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use chat::{Ending, Passing};
use futures_util::stream;

use super::{Asked, Guest, about, failed};
use crate::openai::error_event;
use crate::{Problem, Server};

/// Takes the line, and hands on what comes. `pieces`: as it comes, else in one piece once its usage is on disk.
pub(crate) async fn raw(server: &Server, guest: Guest, asked: Asked, pieces: bool) -> Result<Response, Problem> {
    let (caller, asked) = guest.asks(asked);
    let passing = server.chat.pass(&caller, asked).await?;
    let about = about(&passing);
    let kind = passing.content_type().unwrap_or("application/json");
    let events = kind.starts_with("text/event-stream");
    let kind = HeaderValue::from_str(kind).unwrap_or_else(|_| HeaderValue::from_static("application/octet-stream"));
    let body = if pieces || events { as_it_comes(passing, events) } else { Body::from(whole(passing).await?) };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind);
    if events {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
        headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    }
    headers.extend(about);
    Ok(response)
}

async fn whole(mut passing: Passing) -> Result<Bytes, Problem> {
    let mut all = BytesMut::new();
    let mut only = None;
    while let Some(batch) = passing.next().await {
        let Some(wire) = batch.wire else { continue };
        if let Some(before) = only.replace(wire.bytes) {
            all.extend_from_slice(&before);
        }
    }
    let ending = passing.settle().await;
    if let Some(failure) = &ending.failure {
        return Err(failed(failure));
    }
    let last = only.unwrap_or_default();
    if all.is_empty() {
        return Ok(last);
    }
    all.extend_from_slice(&last);
    Ok(all.freeze())
}

/// Where such an answer stands.
enum Stage {
    Coming(Box<Passing>),
    Settling(Pin<Box<dyn Future<Output = Ending> + Send>>),
    Over,
}

/// What breaks off ends in an error event where the answer is events; sound and pictures have no such word, and the connection
/// is broken off, so that nobody takes half of it for the whole.
fn as_it_comes(passing: Passing, events: bool) -> Body {
    let first = Stage::Coming(Box::new(passing));
    Body::from_stream(stream::unfold(first, move |mut stage| async move {
        loop {
            stage = match stage {
                Stage::Over => return None,
                Stage::Coming(mut passing) => match passing.next().await {
                    Some(batch) => {
                        let stage = Stage::Coming(passing);
                        match batch.wire {
                            Some(wire) if !wire.bytes.is_empty() => return Some((Ok(wire.bytes), stage)),
                            _ => stage,
                        }
                    }
                    None => Stage::Settling(Box::pin(passing.settle())),
                },
                Stage::Settling(settling) => match settling.await.failure {
                    Some(failure) if events => return Some((Ok(error_event(&failed(&failure))), Stage::Over)),
                    Some(failure) => return Some((Err(io::Error::other(failure.message)), Stage::Over)),
                    None => return None,
                },
            }
        }
    }))
}
