//! What an API key looks like: `pk-`, 34 random characters, 6 that check the rest. The check lets a program that scans for leaked keys, and a person who mistyped
//! one, be sure without asking the database. Who a key belongs to is in `keys.rs`.

use sha2::{Digest as _, Sha256};

use crate::secret::{Token, fill};
use crate::{Error, secret::Digest};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const MARK: &str = "pk-";
/// Keys of a configuration for tests begin like this; they have no check.
const TEST: &str = "pk-test";
const LONGEST: usize = 128;
/// 34 characters of base 62 are 202 bits.
const RANDOM: usize = 34;
const CHECK: usize = 6;
/// `pk-` and the first six characters: enough to tell one's keys apart, nothing to guess from.
const PREFIX: usize = 9;

/// A new key.
pub(crate) fn random() -> Result<Token, Error> {
    let mut text = String::with_capacity(MARK.len() + RANDOM + CHECK);
    text.push_str(MARK);
    let mut pool = [0; 64];
    while text.len() < MARK.len() + RANDOM {
        fill(&mut pool)?;
        // 248 is the largest multiple of 62 in a byte: what lies above would favour some characters.
        let fair = pool.iter().filter(|byte| **byte < 248);
        let room = MARK.len() + RANDOM - text.len();
        text.extend(fair.take(room).map(|byte| char::from(BASE62[usize::from(byte % 62)])));
    }
    let tail = check(&text);
    text.extend(tail.map(char::from));
    Ok(Token::of(text))
}

/// What is shown of a key after the first time.
pub(crate) fn prefix(key: &Token) -> String {
    key.as_str().chars().take(PREFIX).collect()
}

/// The digest by which the key is known, when `text` has the shape of one. Allocates nothing.
pub(crate) fn digest(text: &str) -> Option<Digest> {
    let made_here = text.len() == MARK.len() + RANDOM + CHECK && text.starts_with(MARK);
    let right = made_here || text.len() <= LONGEST && text.starts_with(TEST);
    right.then(|| Digest::of(text))
}

/// Whether `text` is a key that some Portico has made: shape and check are right. It may be revoked or another house's.
pub fn well_formed(text: &str) -> bool {
    let Some((body, tail)) = text.split_at_checked(MARK.len() + RANDOM) else { return false };
    text.len() == MARK.len() + RANDOM + CHECK && text.starts_with(MARK) && tail.as_bytes() == check(body)
}

/// The first 40 bits of SHA-256 over what stands before, base 62.
fn check(body: &str) -> [u8; CHECK] {
    let digest = Sha256::digest(body.as_bytes());
    let mut number = digest.iter().take(5).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut tail = [b'0'; CHECK];
    for place in tail.iter_mut().rev() {
        *place = BASE62[(number % 62) as usize];
        number /= 62;
    }
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_shape_and_a_slip_is_noticed() {
        let key = random().expect("random bytes");
        let text = key.as_str();
        assert_eq!(text.len(), 43);
        assert!(text[3..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert!(well_formed(text));
        assert_eq!(format!("{key:?}"), "Token(••••)");
        assert!(text.starts_with(&prefix(&key)));
        for at in 3..text.len() {
            let mut slip = text.as_bytes().to_vec();
            slip[at] = if slip[at] == b'a' { b'b' } else { b'a' };
            assert!(!well_formed(std::str::from_utf8(&slip).expect("ascii")), "a slip at {at}");
        }
        assert!(!well_formed("pk-") && !well_formed("") && !well_formed("pk-本地本地本地本地本地本地本地本地"));
    }
}
