//! A place at a deployment, held until the answer has ended or nobody wants it any more. The answer streams through it, so that
//! its end, a cancel and a panic all give the place back, and a failure in the middle is known to the breaker.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use domain::{Batch, BoxStream, ModelError, Reply, Route};
use futures_core::Stream;

use super::queue::Pass;
use super::tries::Trail;
use crate::models::Deployment;

pub(super) struct Place {
    pub(super) deployment: Arc<Deployment>,
    pub(super) _pass: Pass,
}

impl Place {
    /// The reply, with this place held to its end, the name of who answers, and the way there.
    pub(super) fn hold(self, reply: Reply, trail: &mut Trail) -> Reply {
        let route = Route {
            provider: self.deployment.provider.clone(),
            model: self.deployment.id.clone(),
            network_ms: self.deployment.rtt_ms(),
            ..trail.route()
        };
        metrics::histogram!("portico_queue_seconds", "deployment" => self.deployment.id.clone())
            .record(f64::from(route.queued_ms) / 1e3);
        Reply { batches: Box::pin(Held { batches: reply.batches, place: Some(self) }), route, ..reply }
    }
}

struct Held {
    batches: BoxStream<'static, Result<Batch, ModelError>>,
    place: Option<Place>,
}

impl Stream for Held {
    type Item = Result<Batch, ModelError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.batches.as_mut().poll_next(cx);
        match &next {
            Poll::Ready(Some(Err(error))) => {
                if let Some(place) = self.place.take() {
                    place.deployment.note(error);
                }
            }
            Poll::Ready(None) => drop(self.place.take()),
            _ => {}
        }
        next
    }
}
