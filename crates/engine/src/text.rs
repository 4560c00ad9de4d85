//! Token bytes to text that may be shown: whole characters only, and nothing that could still become a stop string.

/// What may be shown after a push.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// The text; may be empty.
    pub text: String,
    /// Whether a stop string was met; nothing follows then.
    pub stopped: bool,
}

/// The text of one answer as it grows.
pub struct Text {
    stops: Vec<String>,
    bytes: Vec<u8>,
    held: String,
}

impl Text {
    /// An answer that ends before the first of `stops`; empty ones are ignored.
    pub fn new(mut stops: Vec<String>) -> Self {
        stops.retain(|stop| !stop.is_empty());
        Text { stops, bytes: Vec::new(), held: String::new() }
    }

    /// Takes the bytes of the next token.
    pub fn push(&mut self, bytes: &[u8]) -> Shown {
        self.bytes.extend_from_slice(bytes);
        self.take_whole_characters(false);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return Shown { text: std::mem::take(&mut self.held), stopped: true };
        }
        let safe = self.held.len() - self.longest_beginning_of_a_stop();
        Shown { text: self.held.drain(..safe).collect(), stopped: false }
    }

    /// The answer is over: what was held back, with a replacement character for a character that never became whole.
    pub fn finish(&mut self) -> String {
        self.take_whole_characters(true);
        std::mem::take(&mut self.held)
    }

    fn take_whole_characters(&mut self, last: bool) {
        let mut rest = std::mem::take(&mut self.bytes);
        let mut done = 0;
        for chunk in rest.utf8_chunks() {
            self.held.push_str(chunk.valid());
            done += chunk.valid().len();
            let broken = chunk.invalid();
            if broken.is_empty() {
                continue;
            }
            if done + broken.len() == rest.len() && !last && may_become_whole(broken) {
                break;
            }
            self.held.push(char::REPLACEMENT_CHARACTER);
            done += broken.len();
        }
        rest.drain(..done);
        self.bytes = rest;
    }

    fn longest_beginning_of_a_stop(&self) -> usize {
        let beginning = |stop: &String| {
            let longest = self.held.len().min(stop.len() - 1);
            (1..=longest)
                .rev()
                .find(|&len| self.held.as_bytes().ends_with(stop.as_bytes().get(..len).unwrap_or_default()))
        };
        self.stops.iter().filter_map(beginning).max().unwrap_or(0)
    }
}

fn may_become_whole(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}
