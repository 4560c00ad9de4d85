//! What the portal does by itself, in the background and without hurry.

use std::time::Duration;

use chat::Chat;
use domain::{Clock, SystemClock, Timestamp};
use metrics_exporter_prometheus::PrometheusHandle;
use store::{Store, Uploads};
use tokio_util::sync::CancellationToken;

/// How long a deleted conversation can be brought back.
const UNDO: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Removes for good what was deleted 30 days ago, until `closing`.
pub(crate) async fn keep_house(store: Store, uploads: Uploads, closing: CancellationToken) {
    let clock = SystemClock::new();
    loop {
        let before = Timestamp(clock.now().0.saturating_sub(i64::try_from(UNDO.as_millis()).unwrap_or(i64::MAX)));
        match store.purge(before).await {
            Ok(0) => {}
            Ok(purged) => tracing::info!(purged, "conversations deleted 30 days ago are gone for good"),
            Err(error) => tracing::warn!(%error, "deleted conversations could not be removed"),
        }
        match uploads.purge(before).await {
            Ok(0) => {}
            Ok(purged) => tracing::info!(purged, "files deleted 30 days ago are gone for good, and uploads given up"),
            Err(error) => tracing::warn!(%error, "deleted files could not be removed"),
        }
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// How often it is looked whether a turn that waits for somebody's word may go on, or has waited long enough.
const WAITING: Duration = Duration::from_secs(2);

/// Goes on with turns that wait for nothing any more, until `closing`: those of an earlier process, and those that nobody decided in time.
pub(crate) async fn keep_waiting(chat: Chat, closing: CancellationToken) {
    loop {
        chat.take_up_waiting().await;
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(WAITING) => {}
        }
    }
}

/// How often what was observed is folded into its buckets.
const FOLD: Duration = Duration::from_secs(5);

/// Folds observations into their buckets until `closing`, whether or not anybody reads them: until then each is kept by itself.
pub(crate) async fn keep_metrics(recorder: PrometheusHandle, closing: CancellationToken) {
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(FOLD) => recorder.run_upkeep(),
        }
    }
}
