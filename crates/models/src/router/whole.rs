//! A model that must not be asked for a stream, although the client wants one: it is asked for the answer in one piece, and the
//! client gets that piece as a stream of one.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use domain::{Batch, BoxStream, ModelError, Prompt, Reply};
use futures_core::Stream;
use serde_json::value::RawValue;

/// The same question, for an answer in one piece.
pub(super) fn in_one_piece(mut prompt: Prompt) -> Prompt {
    prompt.stream = false;
    if let Some(body) = &mut prompt.body {
        body.bytes = without_stream(&body.bytes);
        if let Some(original) = &mut body.original {
            original.bytes = without_stream(&original.bytes);
        }
    }
    prompt
}

/// A body that is not JSON is left as it is: whoever reads it will say so.
fn without_stream(body: &Bytes) -> Bytes {
    let Ok(mut fields) = serde_json::from_slice::<BTreeMap<String, Box<RawValue>>>(body) else { return body.clone() };
    // `stream_options` without `stream` is refused by OpenAI itself.
    fields.remove("stream");
    fields.remove("stream_options");
    serde_json::to_vec(&fields).map_or_else(|_| body.clone(), Bytes::from)
}

/// The reply without its bytes, which are an answer in one piece where events are expected: the door writes its own.
pub(super) fn as_stream(reply: Reply) -> Reply {
    Reply { batches: Box::pin(Events(reply.batches)), ..reply }
}

struct Events(BoxStream<'static, Result<Batch, ModelError>>);

impl Stream for Events {
    type Item = Result<Batch, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.0.as_mut().poll_next(cx);
        next.map(|next| next.map(|batch| batch.map(|batch| Batch { wire: None, ..batch })))
    }
}
