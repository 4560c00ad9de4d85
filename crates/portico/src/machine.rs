//! What is asked of the operating system: signals and the descriptor limit.

use tokio::signal::unix::{SignalKind, signal as listen};

/// Returns at SIGTERM or SIGINT; `hangup` is called at every SIGHUP until then.
pub(crate) async fn signal(mut hangup: impl AsyncFnMut()) -> std::io::Result<()> {
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut hung_up = listen(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            _ = hung_up.recv() => hangup().await,
        }
    }
}

/// Calls `hangup` at every SIGHUP; returns only where the system does not tell of them.
pub(crate) async fn hangups(mut hangup: impl FnMut()) -> std::io::Result<std::convert::Infallible> {
    let mut hung_up = listen(SignalKind::hangup())?;
    loop {
        if hung_up.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
        hangup();
    }
}

/// Lifts the soft limit of open files to the hard one: every stream is a descriptor or two, and the usual 1,024 is few.
pub(crate) fn raise_descriptor_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit of open files stays as it was");
    }
}
