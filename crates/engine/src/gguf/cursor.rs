//! Little-endian reads that never pass the end of the file and never allocate more than the file could fill.

use std::io::Read;

use super::{Fault, Value};

const KEPT_NUMBERS: u64 = 4096;
const KEPT_TEXT: u64 = 1 << 20;

pub(super) struct Cursor<R> {
    bytes: R,
    offset: u64,
    len: u64,
}

impl<R: Read> Cursor<R> {
    pub(super) fn new(bytes: R, len: u64) -> Self {
        Cursor { bytes, offset: 0, len }
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    fn remaining(&self) -> u64 {
        self.len - self.offset
    }

    fn truncated(&self) -> Fault {
        Fault(format!("is cut short: its head ends at byte {} of {}", self.offset, self.len))
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), Fault> {
        let wanted = into.len() as u64;
        if wanted > self.remaining() {
            return Err(self.truncated());
        }
        self.bytes.read_exact(into).map_err(|_| self.truncated())?;
        self.offset += wanted;
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn magic(&mut self) -> Result<[u8; 4], Fault> {
        self.array().map_err(|_| Fault("is not a GGUF model (it is shorter than 4 bytes)".into()))
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A number of things of at least `least` bytes each: more than the rest of the file can hold is refused before anything is allocated.
    pub(super) fn count(&mut self, what: &str, least: u64) -> Result<u64, Fault> {
        let count = self.u64()?;
        if count > self.remaining() / least {
            return Err(Fault(format!(
                "is cut short or broken: it says that it holds {count} {what}, more than fit in its {} bytes",
                self.len
            )));
        }
        Ok(count)
    }

    fn skip(&mut self, bytes: u64) -> Result<(), Fault> {
        if bytes > self.remaining() {
            return Err(self.truncated());
        }
        let skipped = std::io::copy(&mut (&mut self.bytes).take(bytes), &mut std::io::sink()).unwrap_or(0);
        self.offset += skipped;
        if skipped == bytes { Ok(()) } else { Err(self.truncated()) }
    }

    pub(super) fn string(&mut self, what: &str, most: u64) -> Result<String, Fault> {
        let len = self.count("bytes of text", 1)?;
        if len > most {
            return Err(Fault(format!("has {what} of {len} bytes")));
        }
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        self.fill(&mut bytes)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned()))
    }

    pub(super) fn value(&mut self, kind: u32, key: &str) -> Result<Value, Fault> {
        match kind {
            8 => Ok(Value::Text(self.string(key, KEPT_TEXT)?)),
            9 => self.array_value(key),
            6 => Ok(Value::Float(f32::from_le_bytes(self.array()?))),
            12 => Ok(Value::Double(f64::from_le_bytes(self.array()?))),
            _ => Ok(Value::Integer(self.integer(kind, key)?)),
        }
    }

    fn integer(&mut self, kind: u32, key: &str) -> Result<i128, Fault> {
        Ok(match kind {
            0 | 7 => i128::from(u8::from_le_bytes(self.array()?)),
            1 => i128::from(i8::from_le_bytes(self.array()?)),
            2 => i128::from(u16::from_le_bytes(self.array()?)),
            3 => i128::from(i16::from_le_bytes(self.array()?)),
            4 => i128::from(self.u32()?),
            5 => i128::from(i32::from_le_bytes(self.array()?)),
            10 => i128::from(self.u64()?),
            11 => i128::from(i64::from_le_bytes(self.array()?)),
            _ => return Err(Fault(format!("has the metadata key {key} of the unknown type {kind}"))),
        })
    }

    fn array_value(&mut self, key: &str) -> Result<Value, Fault> {
        let kind = self.u32()?;
        let width = match kind {
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            8 | 10 | 11 | 12 => 8,
            _ => return Err(Fault(format!("has the metadata key {key}, an array of the unknown type {kind}"))),
        };
        let len = self.count("array members", width)?;
        let mut integers = Vec::new();
        match kind {
            8 => {
                for _ in 0..len {
                    let bytes = self.count("bytes of text", 1)?;
                    self.skip(bytes)?;
                }
            }
            6 | 12 => self.skip(len * width)?,
            _ if len > KEPT_NUMBERS => self.skip(len * width)?,
            _ => {
                for _ in 0..len {
                    integers.push(self.integer(kind, key)?);
                }
            }
        }
        Ok(Value::Array { len, integers })
    }
}
