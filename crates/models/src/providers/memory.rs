//! What a vendor wants to see again with the result of a tool call, and the OpenAI dialect has no field for: signed thoughts, by
//! the id of the call that they led to. It lives in this process only and forgets the oldest; an adapter must do without.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// How many bytes are remembered.
const MOST: usize = 16 << 20;

/// Texts by call id.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    by_call: HashMap<String, String>,
    oldest: VecDeque<String>,
    bytes: usize,
}

impl Memory {
    pub(super) fn keep(&self, call: &str, text: String) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += text.len();
        match kept.by_call.insert(call.to_owned(), text) {
            Some(old) => kept.bytes -= old.len(),
            None => kept.oldest.push_back(call.to_owned()),
        }
        while kept.bytes > MOST {
            let Some(oldest) = kept.oldest.pop_front() else { return };
            let gone = kept.by_call.remove(&oldest).map_or(0, |text| text.len());
            kept.bytes -= gone;
        }
    }

    pub(super) fn of(&self, call: &str) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).by_call.get(call).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten_first() {
        let memory = Memory::default();
        for call in 0..20 {
            memory.keep(&call.to_string(), "x".repeat(1 << 20));
        }
        memory.keep("19", "again".to_owned());
        assert_eq!((memory.of("3"), memory.of("4").map(|text| text.len())), (None, Some(1 << 20)));
        assert_eq!(memory.of("19").as_deref(), Some("again"));
    }
}
