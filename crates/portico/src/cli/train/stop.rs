//! When a run is to stop: at SIGTERM or Ctrl-C, or when its parent is gone. It then ends after the step that it is in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

/// So long the last step and its checkpoint may take once the parent is gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whether somebody wants the run to stop.
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Watches from now on.
    pub(super) fn watch(parent: bool) -> anyhow::Result<Stop> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.context("the runtime cannot be started")?;
        let entered = runtime.enter();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let orphaned = parent.then(|| engine::parent::gone(PATIENCE));
        drop(entered);
        let asked = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&asked);
        let orphaned = async {
            match orphaned {
                Some(gone) => gone.await,
                None => std::future::pending().await,
            }
        };
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                    () = orphaned => {}
                }
                told.store(true, Ordering::Relaxed);
                // Whoever asks again does not want to wait for the step.
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            });
            std::process::exit(1);
        });
        Ok(Stop(asked))
    }

    pub(super) fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
