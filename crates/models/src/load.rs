//! How many requests a back end is busy with: a count that is a value, so that no way out of a request forgets to lower it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use domain::{Batch, BoxStream, ModelError, Reply};
use futures_core::Stream;

/// The count of one back end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Load(Arc<AtomicUsize>);

impl Load {
    pub(crate) fn enter(&self) -> Busy {
        self.0.fetch_add(1, Ordering::Relaxed);
        Busy(self.0.clone())
    }

    pub(crate) fn now(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// One request that is counted until this is dropped: by its end, a cancel or a panic.
#[derive(Debug)]
pub(crate) struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Busy {
    /// Counts until the reply is over or dropped.
    pub(crate) fn with(self, reply: Reply) -> Reply {
        Reply { batches: Box::pin(Counted { batches: reply.batches, busy: Some(self) }), ..reply }
    }
}

struct Counted {
    batches: BoxStream<'static, Result<Batch, ModelError>>,
    busy: Option<Busy>,
}

impl Stream for Counted {
    type Item = Result<Batch, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.batches.as_mut().poll_next(cx);
        if matches!(next, Poll::Ready(None | Some(Err(_)))) {
            self.busy = None;
        }
        next
    }
}
