//! The bytes that travel on: what came, less what the client must not see, copied only where something is left out.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use domain::{Batch, Wire};

/// The frames of one read that are kept, in order.
pub(super) struct Kept<'a> {
    whole: &'a Bytes,
    at: usize,
    /// The latest run of kept frames that lie side by side.
    run: Range<usize>,
    before: BytesMut,
}

impl<'a> Kept<'a> {
    pub(super) fn of(whole: &'a Bytes) -> Self {
        Kept { whole, at: 0, run: 0..0, before: BytesMut::new() }
    }

    pub(super) fn keep(&mut self, length: usize) {
        if self.run.end != self.at {
            self.flush();
            self.run = self.at..self.at;
        }
        self.at += length;
        self.run.end = self.at;
    }

    pub(super) fn skip(&mut self, length: usize) {
        self.at += length;
    }

    pub(super) fn replace(&mut self, length: usize, bytes: &[u8]) {
        self.flush();
        self.before.extend_from_slice(bytes);
        self.at += length;
    }

    /// The kept bytes, or `None` where there are none.
    pub(super) fn bytes(mut self) -> Option<Bytes> {
        if self.before.is_empty() {
            return (!self.run.is_empty()).then(|| self.whole.slice(self.run));
        }
        self.flush();
        Some(self.before.freeze())
    }

    fn flush(&mut self) {
        self.before.extend_from_slice(&self.whole[self.run.clone()]);
        self.run = self.at..self.at;
    }
}

/// Joins two batches that will travel as one.
pub(super) fn append(batch: &mut Batch, next: Batch) {
    batch.events.extend(next.events);
    batch.wire = match (batch.wire.take(), next.wire) {
        (Some(first), Some(second)) => {
            let bytes = Bytes::from([first.bytes, second.bytes].concat());
            Some(Wire { dialect: first.dialect, bytes })
        }
        (first, second) => first.or(second),
    };
}
