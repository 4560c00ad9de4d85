//! Prompt lookup: guesses the next tokens from where the last few stood before (Saxena, "Prompt Lookup Decoding", 2023).

use super::guesses::Guesser;
use crate::backend::Token;

/// Tokens that have to stand in the same order before, at most and at least.
const LONGEST: usize = 4;
const SHORTEST: usize = 2;
/// How far back is looked.
const WINDOW: usize = 4096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lookup;

impl Guesser for Lookup {
    fn guess(&mut self, _: u64, history: &[Token], most: usize) -> Vec<Token> {
        let history = history.get(history.len().saturating_sub(WINDOW)..).unwrap_or_default();
        (SHORTEST..=LONGEST).rev().find_map(|len| follows(history, len, most)).unwrap_or(&[]).to_vec()
    }

    /// It remembers nothing.
    fn forget(&mut self, _: u64) {}
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
    use super::{Guesser, Lookup};

    #[test]
    fn what_stood_behind_the_same_tokens_is_guessed() {
        let guess = |history: &[i32], most| Lookup.guess(0, history, most);
        assert_eq!(guess(&[1, 2, 3, 4, 5, 6, 9, 2, 3], 2), [4, 5]);
        assert_eq!(guess(&[1, 2, 3, 4, 5, 6, 9, 2, 3], 4), [4, 5, 6, 9]);
        assert_eq!(guess(&[1, 2, 3, 4, 5, 6, 9, 2, 3], 1), [4]);
        assert!(guess(&[1, 2, 3, 4], 8).is_empty());
        assert_eq!(guess(&[7, 7, 7], 8), [7], "the latest place counts");
    }
}
