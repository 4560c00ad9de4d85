//! What the scripted back end answers to what is asked besides words: always the same, so that a test can name the bytes.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use http::Response;
use http::header::{CONTENT_TYPE, HeaderValue};
use http_body_util::{BodyExt, StreamBody};
use serde_json::{Value, json};
use tokio::time::{Sleep, sleep};

use super::{Body, Spec, plain, refusal, reply};

/// Whether this path, below `/v1`, is answered here.
pub(super) fn answers(path: &str) -> bool {
    let known = [
        "/embeddings",
        "/rerank",
        "/audio/transcriptions",
        "/audio/translations",
        "/audio/speech",
        "/images/generations",
    ];
    known.contains(&path)
}

pub(super) fn answer(spec: &Spec, path: &str, body: &Bytes) -> Response<Body> {
    if spec.status != 200 {
        return refusal(spec, spec.status);
    }
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    match path {
        "/embeddings" => reply(
            200,
            &json!({"object": "list", "model": "mock", "data": [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}],
            "usage": {"prompt_tokens": 3, "total_tokens": 3}}),
        ),
        "/rerank" => reply(
            200,
            &json!({"model": "mock", "results": [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]}),
        ),
        "/images/generations" => reply(200, &json!({"created": 1_700_000_000, "data": [{"b64_json": "iVBORw0KGgo="}]})),
        "/audio/speech" => spoken(spec, asked["response_format"].as_str().unwrap_or("mpeg")),
        _ => {
            let text = String::from_utf8_lossy(body).contains("srt");
            if text {
                typed(plain(200, "1\n00:00:00,000 --> 00:00:01,000\nhello\n"), "application/x-subrip")
            } else {
                reply(200, &json!({"text": "hello"}))
            }
        }
    }
}

/// Four pieces of sound; `fault=abort` breaks off after two.
fn spoken(spec: &Spec, format: &str) -> Response<Body> {
    let broken = spec.is_fault("abort");
    let pieces = (0..4_u8).map(move |piece| match broken && piece == 2 {
        true => Err(std::io::Error::other("the script breaks the connection")),
        false => Ok(http_body::Frame::data(Bytes::from(vec![piece, 0xFF]))),
    });
    let body = StreamBody::new(Pieces { pieces, pause: Box::pin(sleep(Duration::ZERO)) });
    typed(Response::new(body.boxed()), &format!("audio/{format}"))
}

/// What was said before has left the socket when the next comes.
struct Pieces<I> {
    pieces: I,
    pause: Pin<Box<Sleep>>,
}

impl<I: Iterator + Unpin> Stream for Pieces<I> {
    type Item = I::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<I::Item>> {
        ready!(self.pause.as_mut().poll(cx));
        self.pause = Box::pin(sleep(Duration::from_millis(5)));
        Poll::Ready(self.pieces.next())
    }
}

fn typed(mut response: Response<Body>, kind: &str) -> Response<Body> {
    if let Ok(kind) = HeaderValue::from_str(kind) {
        response.headers_mut().insert(CONTENT_TYPE, kind);
    }
    response
}
