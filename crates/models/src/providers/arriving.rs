//! What comes of a streamed body: all that is there, in one piece. A back end that writes ten events at once is read once,
//! looked at once and written on once (frames already received leave in one write). It knows no dialect.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use egress::Body;
use http_body::Body as _;

/// How many bytes are gathered, at the least, before they are handed on although more is there.
const GATHERED: usize = 8 << 10;

/// A body being read.
pub(super) struct Arriving {
    body: Body,
    /// What came behind bytes that were handed over first.
    next: Option<Arrived>,
}

pub(super) enum Arrived {
    Bytes(Bytes),
    /// The connection failed.
    Broken,
    /// The connection ended cleanly.
    End,
}

impl Arriving {
    pub(super) fn of(body: Body) -> Self {
        Arriving { body, next: None }
    }

    /// Waits for the first bytes and for nothing after them.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Arrived> {
        if let Some(next) = self.next.take() {
            return Poll::Ready(next);
        }
        let first = match ready!(self.poll_one(cx)) {
            Arrived::Bytes(first) => first,
            last => return Poll::Ready(last),
        };
        let Poll::Ready(second) = self.poll_one(cx) else { return Poll::Ready(Arrived::Bytes(first)) };
        let mut joined = BytesMut::with_capacity(GATHERED);
        joined.extend_from_slice(&first);
        let mut next = second;
        while let Arrived::Bytes(bytes) = next {
            joined.extend_from_slice(&bytes);
            if joined.len() >= GATHERED {
                return Poll::Ready(Arrived::Bytes(joined.freeze()));
            }
            let Poll::Ready(more) = self.poll_one(cx) else { return Poll::Ready(Arrived::Bytes(joined.freeze())) };
            next = more;
        }
        self.next = Some(next);
        Poll::Ready(Arrived::Bytes(joined.freeze()))
    }

    fn poll_one(&mut self, cx: &mut Context<'_>) -> Poll<Arrived> {
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => Arrived::Bytes(bytes),
                    Err(_trailers) => continue,
                },
                Some(Err(_)) => Arrived::Broken,
                None => Arrived::End,
            });
        }
    }
}
