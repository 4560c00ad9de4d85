//! A child process never outlives its parent: that holds the other end of our standard input, which closes even when it is killed with -9.

use std::{io::Read, time::Duration};

use tokio::sync::oneshot;

/// Watches from this call on, not from the first poll: whoever reads our first line may kill the parent at once. Resolves when the
/// parent is gone. An orderly end may take `grace`; then this process ends the hard way (a long computation does not look up).
pub fn gone(grace: Duration) -> impl Future<Output = ()> {
    let (closed, closing) = oneshot::channel();
    std::thread::spawn(move || {
        wait_for_end_of_stdin();
        let _ = closed.send(());
        die_after(grace);
    });
    let adopted = adopted();
    async move {
        tokio::select! {
            _ = closing => {}
            () = adopted => { std::thread::spawn(move || die_after(grace)); }
        }
    }
}

fn wait_for_end_of_stdin() {
    let mut byte = [0];
    loop {
        match std::io::stdin().lock().read(&mut byte) {
            Ok(0) => return,
            Err(error) if error.kind() != std::io::ErrorKind::Interrupted => return,
            _ => {}
        }
    }
}

fn die_after(grace: Duration) {
    std::thread::sleep(grace);
    #[cfg(unix)]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    #[cfg(not(unix))]
    std::process::abort();
}

/// Resolves when another process has become our parent. The kernel's signal for it also comes when only the *thread* that started us
/// ends, as runtimes let idle threads do; so the signal is a reason to look, not to die.
#[cfg(target_os = "linux")]
fn adopted() -> impl Future<Output = ()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    use tokio::signal::unix::{SignalKind, signal};

    let parent = getppid();
    let hangups = signal(SignalKind::hangup()).ok();
    let hangups = hangups.filter(|_| set_parent_process_death_signal(Some(Signal::HUP)).is_ok());
    async move {
        let Some(mut hangups) = hangups else { return std::future::pending().await };
        while getppid() == parent {
            hangups.recv().await;
        }
    }
}

#[cfg(not(target_os = "linux"))]
async fn adopted() {
    std::future::pending().await
}
