//! What tests of other crates need from here: a clock that is set by hand, and the promises of the ports as suites that every
//! member passes. A suite starts no runtime.

use std::future::poll_fn;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::{Clock, ModelProvider, Prompt, Timestamp, TurnEvent};

/// A clock that moves only when told.
#[derive(Debug)]
pub struct ManualClock {
    wall: AtomicI64,
    monotonic_ms: AtomicU64,
}

impl ManualClock {
    /// Stands at `wall` (milliseconds since 1970).
    pub fn at(wall: i64) -> Self {
        ManualClock { wall: AtomicI64::new(wall), monotonic_ms: AtomicU64::new(0) }
    }

    /// Both clocks go on by `by`.
    pub fn advance(&self, by: Duration) {
        let ms = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
        self.monotonic_ms.fetch_add(ms, Ordering::Relaxed);
        self.wall.fetch_add(i64::try_from(ms).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// The wall clock jumps by `ms` (back when negative); the monotonic one does not notice.
    pub fn jump(&self, ms: i64) {
        self.wall.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.wall.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::Relaxed))
    }
}

/// What every [`ModelProvider`] promises, tried on one whose back end answers well: it lists the prompt's model, and answers it
/// as a stream and in one piece. The error is the promise that was broken.
pub async fn model_provider_suite(provider: &dyn ModelProvider, prompt: Prompt) -> Result<(), String> {
    let offered = provider.offered().await.map_err(|error| format!("it lists no models: {error}"))?;
    if !offered.iter().any(|model| model.name == prompt.model) {
        return Err(format!("it does not list {:?}", prompt.model));
    }
    for stream in [true, false] {
        let prompt = Prompt { stream, ..prompt.clone() };
        answers_well(provider, prompt).await.map_err(|broken| format!("stream {stream}: {broken}"))?;
    }
    Ok(())
}

async fn answers_well(provider: &dyn ModelProvider, prompt: Prompt) -> Result<(), String> {
    let mut reply = provider.open(prompt).await.map_err(|error| format!("it does not open: {error}"))?;
    let mut events = Vec::new();
    while let Some(batch) = poll_fn(|cx| reply.batches.as_mut().poll_next(cx)).await {
        let batch = batch.map_err(|error| format!("it breaks off: {error}"))?;
        if batch.events.is_empty() && batch.wire.is_none() {
            return Err("a batch holds nothing".to_owned());
        }
        events.extend(batch.events);
    }
    let count = |wanted: fn(&TurnEvent) -> bool| events.iter().filter(|event| wanted(event)).count();
    if count(|event| matches!(event, TurnEvent::Delta { text } if !text.is_empty())) == 0 {
        return Err("it says nothing".to_owned());
    }
    if count(|event| matches!(event, TurnEvent::Used { .. })) > 1 {
        return Err("it reports usage more than once".to_owned());
    }
    let endings = count(|event| matches!(event, TurnEvent::Finished { .. }));
    if endings != 1 || !matches!(events.last(), Some(TurnEvent::Finished { .. })) {
        return Err(format!("it ends {endings} times, and last comes {:?}", events.last()));
    }
    Ok(())
}
