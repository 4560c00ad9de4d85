//! Passwords: which are good enough, and how they are kept: argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane;
//! Password Storage Cheat Sheet), as a PHC string. One hash at a time per core, so that a storm of sign-ins waits instead of eating the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;

use crate::Error;

const SHORTEST: usize = 10;
/// In bytes. Hashing takes the same time for any of them; reading megabytes does not.
const LONGEST: usize = 1024;
/// More than this many waiting is a storm: the rest is asked to come back.
const WAITING: usize = 256;

/// Lower case, ten characters and more: shorter ones are refused for their length.
const COMMON: &str = include_str!("password/common.txt");

/// What hashing costs. Only tests want another than the default.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Cost { memory_kib: 19 * 1024, passes: 2 }
    }
}

/// Hashes and verifies, a few at a time.
#[derive(Clone)]
pub(crate) struct Passwords {
    argon: Argon2<'static>,
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// What an unknown name is compared with, so that it takes as long as a known one.
    nobody: Arc<str>,
}

impl Passwords {
    pub(crate) fn new(cost: Cost) -> Result<Passwords, Error> {
        let params = Params::new(cost.memory_kib, cost.passes, 1, None).map_err(hashing)?;
        let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let nobody = argon.hash_password(b"nobody's password").map_err(hashing)?.to_string();
        Ok(Passwords { argon, turns: Arc::new(Semaphore::new(cores)), waiting: Arc::default(), nobody: nobody.into() })
    }

    /// The PHC string of a password that [`accept`] let pass.
    pub(crate) async fn hash(&self, password: Accepted) -> Result<String, Error> {
        let argon = self.argon.clone();
        self.in_turn(move || argon.hash_password(password.0.as_bytes()).map(|hash| hash.to_string()).map_err(hashing))
            .await?
    }

    /// Whether `typed` is the password behind `hash`. Without a hash it is not, but takes as long to say so.
    pub(crate) async fn verify(&self, typed: &str, hash: Option<&str>) -> Result<bool, Error> {
        let (argon, typed) = (self.argon.clone(), spelling(typed));
        let known = hash.is_some();
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let right = move || {
            let hash = PasswordHash::new(&hash).map_err(hashing)?;
            Ok::<bool, Error>(typed.len() <= LONGEST && argon.verify_password(typed.as_bytes(), &hash).is_ok())
        };
        Ok(self.in_turn(right).await?? && known)
    }

    async fn in_turn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let _waiting = Waiting::enter(&self.waiting)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|closed| hashing(closed.to_string()))?;
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|lost| hashing(lost.to_string()))
    }
}

struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn enter(count: &Arc<AtomicUsize>) -> Result<Waiting, Error> {
        let waiting = Waiting(count.clone());
        if count.fetch_add(1, Ordering::Relaxed) >= WAITING {
            return Err(Error::Throttled { retry_after: Duration::from_secs(2) });
        }
        Ok(waiting)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A password that is good enough, in one spelling.
pub(crate) struct Accepted(String);

/// Says whether a new password is good enough for the person called `name`.
pub(crate) fn accept(typed: &str, name: &str) -> Result<Accepted, Error> {
    let refuse = |reason| Err(Error::Invalid { field: "password", reason });
    let password = spelling(typed);
    if password.chars().any(char::is_control) {
        return refuse("a password has no control characters");
    }
    if password.chars().count() < SHORTEST {
        return refuse("a password has at least 10 characters; a short sentence is a good one");
    }
    if password.len() > LONGEST {
        return refuse("a password has at most 1024 bytes");
    }
    let folded = password.to_lowercase();
    let first = folded.chars().next();
    if folded.chars().all(|c| Some(c) == first) || folded == name || COMMON.lines().any(|common| common == folded) {
        return refuse("this password is among the first that are tried; a short sentence is a better one");
    }
    Ok(Accepted(password))
}

/// One spelling for what looks the same, whatever keyboard typed it (RFC 8265 OpaqueString: spaces are one space, then NFC).
fn spelling(typed: &str) -> String {
    typed.chars().map(|c| if c.is_whitespace() && !c.is_control() { ' ' } else { c }).nfc().collect()
}

fn hashing(why: impl ToString) -> Error {
    Error::Hashing { reason: why.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_passwords_are_refused_with_the_reason() {
        assert_eq!(COMMON.lines().count(), 100);
        assert!(COMMON.lines().all(|line| line.chars().count() >= SHORTEST && line == line.to_lowercase()));
        for (typed, word) in [
            ("short", "at least 10"),
            ("Password123", "first that are tried"),
            ("aaaaaaaaaaaaa", "first that are tried"),
            ("wang.xiaoming", "first that are tried"),
            ("a\tb and more to it", "control"),
            (&"长".repeat(400), "at most 1024"),
        ] {
            let Err(Error::Invalid { field: "password", reason }) = accept(typed, "wang.xiaoming") else {
                panic!("{typed} was accepted")
            };
            assert!(reason.contains(word), "{typed}: {reason}");
        }
        assert!(accept("正确的马电池订书钉呀呀", "x").is_ok());
    }

    #[tokio::test]
    async fn one_password_however_it_is_typed() {
        let passwords = Passwords::new(Cost { memory_kib: 64, passes: 1 }).expect("parameters");
        let hash = passwords.hash(accept("cafe\u{301} au lait", "x").expect("good")).await.expect("hash");
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert!(passwords.verify("café\u{3000}au lait", Some(&hash)).await.expect("verifies"));
        assert!(!passwords.verify("cafe au lait", Some(&hash)).await.expect("verifies"));
        assert!(!passwords.verify("nobody's password", None).await.expect("verifies"));
    }

    #[tokio::test]
    async fn a_storm_is_asked_to_come_back() {
        let passwords = Passwords::new(Cost { memory_kib: 64, passes: 1 }).expect("parameters");
        let guests: Vec<Waiting> = (0..WAITING).map(|_| Waiting::enter(&passwords.waiting).expect("room")).collect();
        assert!(matches!(passwords.verify("x", None).await, Err(Error::Throttled { .. })));
        drop(guests);
        assert!(passwords.verify("x", None).await.is_ok());
    }
}
