//! Prompt lookup: guesses the next tokens from where the last few stood before (Saxena, "Prompt Lookup Decoding", 2023), so that a step that
//! reads the weights once may bring several tokens. What is answered is what would have been answered without; guesses cost time where they
//! are wrong, so they stop where they lose.

use crate::backend::Token;

/// Tokens that have to stand in the same order before, at most and at least.
const LONGEST: usize = 4;
const SHORTEST: usize = 2;
/// How far back is looked.
const WINDOW: usize = 4096;
/// Guesses of one step: the first, and at most.
const FIRST: usize = 2;
const MOST: usize = 8;
/// Steps without guesses after one that was all wrong, and how long that may grow.
const REST: u32 = 4;
const LONGEST_REST: u32 = 256;

/// How guessing goes for one sequence.
#[derive(Debug)]
pub(super) struct Lookup {
    guesses: usize,
    rest: u32,
    next_rest: u32,
}

impl Default for Lookup {
    fn default() -> Self {
        Lookup { guesses: FIRST, rest: 0, next_rest: REST }
    }
}

impl Lookup {
    /// At most `most` tokens that may follow `history`.
    pub(super) fn guess<'a>(&mut self, history: &'a [Token], most: usize) -> &'a [Token] {
        if self.rest > 0 {
            self.rest -= 1;
            return &[];
        }
        let most = most.min(self.guesses);
        let history = history.get(history.len().saturating_sub(WINDOW)..).unwrap_or_default();
        (SHORTEST..=LONGEST).rev().find_map(|len| follows(history, len, most)).unwrap_or(&[])
    }

    /// Of `guessed` tokens the first `right` were what came.
    pub(super) fn learn(&mut self, guessed: usize, right: usize) {
        if guessed == 0 {
            return;
        }
        if right == guessed {
            self.guesses = (self.guesses * 2).min(MOST);
            self.next_rest = REST;
        } else if right == 0 {
            self.guesses = FIRST;
            self.rest = self.next_rest;
            self.next_rest = (self.next_rest * 2).min(LONGEST_REST);
        } else {
            self.guesses = (right + 1).min(MOST);
        }
    }
}

/// What followed where the last `len` tokens stood last before.
fn follows(history: &[Token], len: usize, most: usize) -> Option<&[Token]> {
    let last = history.get(history.len().checked_sub(len)?..)?;
    let at = history.split_last()?.1.windows(len).rposition(|window| window == last)?;
    let begin = at + len;
    let guess = history.get(begin..history.len().min(begin + most))?;
    (!guess.is_empty()).then_some(guess)
}

#[cfg(test)]
mod tests {
    use super::Lookup;

    #[test]
    fn what_stood_behind_the_same_tokens_is_guessed_and_wrong_guesses_stop_it() {
        let mut lookup = Lookup::default();
        assert_eq!(lookup.guess(&[1, 2, 3, 4, 5, 6, 9, 2, 3], 8), [4, 5]);
        lookup.learn(2, 2);
        assert_eq!(lookup.guess(&[1, 2, 3, 4, 5, 6, 9, 2, 3], 8), [4, 5, 6, 9]);
        assert_eq!(lookup.guess(&[1, 2, 3, 4, 5, 6, 9, 2, 3], 1), [4]);
        assert!(lookup.guess(&[1, 2, 3, 4], 8).is_empty());
        assert_eq!(lookup.guess(&[7, 7, 7], 8), [7], "the latest place counts");
        lookup.learn(4, 0);
        let rests = (0..10).take_while(|_| lookup.guess(&[7, 7, 7], 8).is_empty()).count();
        assert_eq!(rests, 4);
        lookup.learn(1, 0);
        let rests = (0..20).take_while(|_| lookup.guess(&[7, 7, 7], 8).is_empty()).count();
        assert_eq!(rests, 8);
    }
}
