//! Sessions: a browser that signed in. Found again by the digest of its token, for some seconds from memory; ends thirty days after it was last seen and ninety days
//! after it began, whichever is first.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use domain::{Caller, PersonId, SessionId, Timestamp, Via};
use serde_json::json;
use store::{Record, Session, Touch};

use crate::secret::Digest;
use crate::{Error, Identity, REFRESH};

/// A session nobody used for so long has ended.
pub(crate) const IDLE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// A session older than this has ended, used or not.
pub(crate) const LONGEST: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// That a session was used is written at most once in this time.
const NOTE_USE_MS: i64 = 60_000;
const HELD: usize = 10_000;

/// Sessions that were looked up lately.
#[derive(Default)]
pub(crate) struct Seen {
    held: Mutex<HashMap<Digest, Held>>,
    /// Counts revocations: what was read before one is not held after it.
    ended: AtomicU64,
}

#[derive(Clone, Copy)]
struct Held {
    caller: Caller,
    session: SessionId,
    read_at: Duration,
    ends_at: Timestamp,
}

impl Identity {
    /// Who shows this session token, if it lets anybody in.
    pub async fn caller_by_session(&self, token: &str) -> Result<Option<Caller>, Error> {
        let digest = Digest::of(token);
        let (now, monotonic) = (self.inner.clock.now(), self.inner.clock.monotonic());
        if let Some(caller) = self.inner.sessions.find(&digest, now, monotonic) {
            return Ok(Some(caller));
        }
        let ended = self.inner.sessions.ended.load(Ordering::Acquire);
        let Some((session, person)) = self.inner.store.session_by_token(&digest.hex()).await? else { return Ok(None) };
        let ends_at = ends_at(&session);
        if ends_at <= now {
            return Ok(None);
        }
        let caller =
            Caller { tenant: person.tenant, person: person.id, role: person.role, via: Via::Session(session.id) };
        if now.ms_since(session.seen_at) >= NOTE_USE_MS {
            let touch = Touch::Session { session: session.id, person: person.id, at: now };
            drop(self.inner.store.writer().submit(Record::Touch(touch)).await);
        }
        let held = Held { caller, session: session.id, read_at: monotonic, ends_at };
        self.inner.sessions.hold(digest, held, ended);
        Ok(Some(caller))
    }

    /// The caller's open sessions. When one ends is [`ends_at`].
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<Session>, Error> {
        let now = self.inner.clock.now();
        let sessions = self.inner.store.sessions(caller).await?;
        Ok(sessions.into_iter().filter(|session| ends_at(session) > now).collect())
    }

    /// Ends one of the caller's sessions, from this moment.
    pub async fn end_session(&self, caller: &Caller, session: SessionId) -> Result<(), Error> {
        self.inner.store.revoke_session(caller, session).await?;
        self.inner.sessions.forget(|held| held.session == session);
        self.audit(Some(caller), "session.ended", session, json!({})).await;
        Ok(())
    }

    /// Ends all of the caller's sessions but the one that asks.
    pub async fn end_other_sessions(&self, caller: &Caller) -> Result<(), Error> {
        let own = own_session(caller);
        self.inner.store.revoke_other_sessions(caller).await?;
        self.inner.sessions.forget(|held| held.caller.person == caller.person && Some(held.session) != own);
        self.audit(Some(caller), "session.others_ended", caller.person, json!({})).await;
        Ok(())
    }
}

/// The session that asks, when it is one.
pub(crate) fn own_session(caller: &Caller) -> Option<SessionId> {
    match caller.via {
        Via::Session(session) => Some(session),
        _ => None,
    }
}

/// When a session ends if it is not used again.
pub fn ends_at(session: &Session) -> Timestamp {
    session.seen_at.plus(IDLE).min(session.expires_at)
}

impl Seen {
    fn find(&self, digest: &Digest, now: Timestamp, monotonic: Duration) -> Option<Caller> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let held = held.get(digest)?;
        let fresh = monotonic.saturating_sub(held.read_at) < REFRESH && now < held.ends_at;
        fresh.then_some(held.caller)
    }

    fn hold(&self, digest: Digest, new: Held, ended: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ended.load(Ordering::Acquire) != ended {
            return;
        }
        if held.len() >= HELD {
            held.retain(|_, old| new.read_at.saturating_sub(old.read_at) < REFRESH);
        }
        if held.len() < HELD {
            held.insert(digest, new);
        }
    }

    fn forget(&self, which: impl Fn(&Held) -> bool) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        self.ended.fetch_add(1, Ordering::AcqRel);
        held.retain(|_, held| !which(held));
    }

    pub(crate) fn forget_person(&self, person: PersonId) {
        self.forget(|held| held.caller.person == person);
    }
}
