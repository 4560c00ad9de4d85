//! Random tokens: made here, shown once, kept as a digest. A token is 256 random bits, so a plain SHA-256 is enough to keep it:
//! there is nothing to guess (passwords are another matter, see `password.rs`).

use std::fmt;

use sha2::{Digest as _, Sha256};

use crate::Error;

/// A text that lets its bearer in: a session, a link, an API key. Never logged; `Debug` shows dots.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

/// SHA-256 of a token: what is kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Digest([u8; 32]);

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Token {
    /// 256 random bits as 43 characters that need no escaping in a URL or a cookie.
    pub(crate) fn random() -> Result<Token, Error> {
        let mut bits = [0; 32];
        fill(&mut bits)?;
        let mut text = String::with_capacity(43);
        for group in bits.chunks(3) {
            let word = group.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for place in 0..=group.len() {
                text.push(char::from(BASE64URL[(word >> (18 - 6 * place) & 63) as usize]));
            }
        }
        Ok(Token(text))
    }

    pub(crate) fn of(text: String) -> Token {
        Token(text)
    }

    /// The text, for the one who may see it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(••••)")
    }
}

impl Digest {
    /// The digest of what somebody shows. Allocates nothing.
    pub(crate) fn of(text: &str) -> Digest {
        Digest(Sha256::digest(text.as_bytes()).into())
    }

    /// As the database has it: 64 hexadecimal digits.
    pub(crate) fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its first half, to name the one it is of.
    pub(crate) fn beginning(&self) -> [u8; 16] {
        let mut half = [0; 16];
        half.copy_from_slice(&self.0[..16]);
        half
    }

    /// The digest behind [`Digest::hex`].
    pub(crate) fn parse(hex: &str) -> Option<Digest> {
        let mut digest = [0; 32];
        if hex.len() != 64 {
            return None;
        }
        for (byte, digits) in digest.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Digest(digest))
    }
}

/// Random bytes from the system.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes).map_err(|why| Error::NoRandomness { reason: why.to_string() })
}
