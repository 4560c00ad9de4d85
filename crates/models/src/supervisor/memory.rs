//! Which models of the house are in memory. One that is to be loaded has what is free and, where somebody waits for it, what models hold that
//! nobody asks: the one not asked for longest goes first. One is loaded at a time, so that each sees what the others took.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Mutex as Turn, Notify, OwnedMutexGuard, watch};
use tokio::time::timeout;

use crate::KeepAlive;
use crate::models::Deployment;

/// How long a model that was told to go may take.
const GOES_WITHIN: Duration = Duration::from_secs(10);

/// The models and the memory that they share.
pub(crate) struct Memory {
    free: fn() -> Option<u64>,
    turn: Arc<Turn<()>>,
    tenants: Mutex<Vec<Weak<Tenant>>>,
}

/// One model, in memory or not.
pub(super) struct Tenant {
    deployment: Arc<Deployment>,
    keep_alive: KeepAlive,
    needs: Option<u64>,
    pid: watch::Sender<Option<u32>>,
    /// Another needs its room.
    pub(super) told_to_go: Notify,
}

/// A model does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLarge {
    pub(super) needs: u64,
    /// What it could have had.
    pub(super) left: u64,
}

impl Memory {
    pub(crate) fn new(free: fn() -> Option<u64>) -> Arc<Memory> {
        Arc::new(Memory { free, turn: Arc::default(), tenants: Mutex::default() })
    }

    pub(super) fn enter(&self, deployment: Arc<Deployment>, keep_alive: KeepAlive, needs: Option<u64>) -> Arc<Tenant> {
        let (pid, told_to_go) = (watch::Sender::new(None), Notify::new());
        let tenant = Arc::new(Tenant { deployment, keep_alive, needs, pid, told_to_go });
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants.retain(|tenant| tenant.strong_count() > 0);
        tenants.push(Arc::downgrade(&tenant));
        tenant
    }

    /// The right to load a model, until it is dropped. Others make way only for one that is `asked` for, and only where that suffices.
    pub(super) async fn admit(&self, newcomer: &Tenant, asked: bool) -> Result<Option<OwnedMutexGuard<()>>, TooLarge> {
        let Some(needs) = newcomer.needs else { return Ok(None) };
        let turn = self.turn.clone().lock_owned().await;
        loop {
            let Some(left) = self.left() else { return Ok(Some(turn)) };
            if needs <= left {
                return Ok(Some(turn));
            }
            let victims = self.idle();
            let could_be = victims.iter().fold(left, |left, victim| left.saturating_add(victim.held()));
            let oldest = victims.into_iter().max_by_key(|victim| victim.deployment.room.idle());
            let Some(victim) = oldest.filter(|_| asked && could_be >= needs) else {
                return Err(TooLarge { needs, left: could_be });
            };
            tracing::info!(model = victim.deployment.id, "made way for {}", newcomer.deployment.id);
            victim.told_to_go.notify_one();
            let mut pid = victim.pid.subscribe();
            if timeout(GOES_WITHIN, pid.wait_for(Option::is_none)).await.is_err() {
                return Err(TooLarge { needs, left });
            }
        }
    }

    /// Whether there would be so much if all models of the house but this one were gone.
    pub(super) fn could_ever_hold(&self, needs: u64) -> bool {
        let held = self.tenants().iter().map(|tenant| tenant.held()).sum();
        self.left().is_none_or(|left| left.saturating_add(held) >= needs)
    }

    /// Bytes that models hold and would give up for another.
    /// Beside those of their files, which count as free already.
    pub(crate) fn reclaimable(&self) -> u64 {
        self.idle().iter().filter_map(|tenant| tenant.resident("RssAnon:")).sum()
    }

    /// Weights are mapped from their files, and such pages count as free although the models use them.
    fn left(&self) -> Option<u64> {
        let mapped: u64 = self.tenants().iter().map(|tenant| tenant.resident("RssFile:").unwrap_or(0)).sum();
        Some((self.free)()?.saturating_sub(mapped))
    }

    fn idle(&self) -> Vec<Arc<Tenant>> {
        let goes = |tenant: &Arc<Tenant>| {
            tenant.keep_alive != KeepAlive::Always
                && tenant.pid.borrow().is_some()
                && tenant.deployment.standing().asks()
                && tenant.deployment.room.idle().is_some()
        };
        self.tenants().into_iter().filter(goes).collect()
    }

    fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect()
    }
}

impl Tenant {
    pub(super) fn lives_as(&self, pid: Option<u32>) {
        self.pid.send_replace(pid);
    }

    /// Bytes that are free when it is gone.
    pub(super) fn held(&self) -> u64 {
        self.resident("VmRSS:").max(self.needs.filter(|_| self.pid.borrow().is_some())).unwrap_or(0)
    }

    /// A figure of its process, in bytes; `None` where there is none, or the system has no such file.
    fn resident(&self, of: &str) -> Option<u64> {
        let pid = (*self.pid.borrow())?;
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(of))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }

    /// Returns when it is to leave memory: nobody has asked for long enough, or another needs the room. It is no longer asked then.
    pub(super) async fn leaves(&self) {
        loop {
            tokio::select! {
                () = self.told_to_go.notified() => {}
                () = self.is_idle() => {}
            }
            // Whoever comes from here on waits, and has it loaded again.
            let _ = std::pin::pin!(self.deployment.wanted.notified()).enable();
            self.deployment.set(domain::ModelState::Cold);
            if self.deployment.room.idle().is_some() {
                return;
            }
            self.deployment.set(domain::ModelState::Ready);
        }
    }

    async fn is_idle(&self) {
        let KeepAlive::For(keep_alive) = self.keep_alive else { return std::future::pending().await };
        loop {
            let left = self.deployment.room.idle().map_or(keep_alive, |idle| keep_alive.saturating_sub(idle));
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}
