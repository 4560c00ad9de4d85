//! Sealing what the house must be able to read again: the API keys of providers. XChaCha20-Poly1305 with a random nonce; the label (which row, which column) is
//! authenticated, so that a sealed value moved to another row does not open. Passwords and tokens are not sealed but hashed.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::Error;
use crate::secret::fill;

/// The first byte: which way it was sealed.
const VERSION: u8 = 1;
const NONCE: usize = 24;

/// Seals and opens with the key of this house.
#[derive(Clone)]
pub struct Envelope(XChaCha20Poly1305);

impl Envelope {
    /// With the 32 bytes of the data folder's key file.
    pub fn new(key: &[u8; 32]) -> Envelope {
        Envelope(XChaCha20Poly1305::new(key.into()))
    }

    /// Version, nonce, ciphertext.
    pub fn seal(&self, label: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE];
        fill(&mut nonce)?;
        let payload = Payload { msg: plain, aad: label.as_bytes() };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).map_err(|_| Error::Sealed)?;
        Ok([&[VERSION], &nonce[..], &sealed].concat())
    }

    /// What was sealed under the same label with the same key.
    pub fn open(&self, label: &str, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let (version, rest) = sealed.split_first().ok_or(Error::Sealed)?;
        let (nonce, ciphertext) = rest.split_first_chunk::<NONCE>().ok_or(Error::Sealed)?;
        if *version != VERSION {
            return Err(Error::Sealed);
        }
        let payload = Payload { msg: ciphertext, aad: label.as_bytes() };
        self.0.decrypt(&XNonce::from(*nonce), payload).map_err(|_| Error::Sealed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_where_it_belongs() {
        let house = Envelope::new(&[7; 32]);
        let sealed = house.seal("provider 1", b"sk-secret").expect("seals");
        assert_eq!(house.open("provider 1", &sealed).expect("opens"), b"sk-secret");
        assert_ne!(house.seal("provider 1", b"sk-secret").expect("seals"), sealed, "a nonce of its own");
        assert!(!sealed.windows(9).any(|part| part == b"sk-secret"));

        assert!(matches!(house.open("provider 2", &sealed), Err(Error::Sealed)));
        assert!(matches!(Envelope::new(&[8; 32]).open("provider 1", &sealed), Err(Error::Sealed)));
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert!(house.open("provider 1", &broken).is_err(), "byte {at}");
            assert!(house.open("provider 1", &sealed[..at]).is_err(), "cut at {at}");
        }
    }
}
