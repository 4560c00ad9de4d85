//! Prompt lookup: guesses the next tokens from where the last few stood before (Saxena, "Prompt Lookup Decoding", 2023), so that a step that
//! reads the weights once may bring several tokens. What is answered is what would have been answered without; guesses cost time where they
//! are wrong, so an account is kept of what they have brought and cost, and they may cost little more than they have brought.

use crate::backend::Token;

/// Tokens that have to stand in the same order before, at most and at least.
const LONGEST: usize = 4;
const SHORTEST: usize = 2;
/// How far back is looked.
const WINDOW: usize = 4096;
/// What a guessed token costs, in steps: measured with 4-bit weights on a processor, where four tokens take 1.6 times as long as one, eight
/// three times and sixteen four times.
const COST: f32 = 0.25;
/// Steps that guesses may lose at first, and of every step after: so no answer takes much longer for them.
const CREDIT: f32 = 1.0;
const ALLOWANCE: f32 = 0.02;
/// What is saved up for worse times, at most.
const MOST: f32 = 4.0;

/// How guessing goes for one sequence.
#[derive(Debug)]
pub(super) struct Lookup {
    /// Steps that guesses have saved, less those that they have cost.
    balance: f32,
}

impl Default for Lookup {
    fn default() -> Self {
        Lookup { balance: CREDIT }
    }
}

impl Lookup {
    /// At most `most` tokens that may follow `history`, and no more than can be afforded. Once a step.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "at most MOST / COST, and never negative"
    )]
    pub(super) fn guess<'a>(&mut self, history: &'a [Token], most: usize) -> &'a [Token] {
        self.balance = (self.balance + ALLOWANCE).min(MOST);
        let most = most.min((self.balance.max(0.0) / COST) as usize);
        if most == 0 {
            return &[];
        }
        let history = history.get(history.len().saturating_sub(WINDOW)..).unwrap_or_default();
        (SHORTEST..=LONGEST).rev().find_map(|len| follows(history, len, most)).unwrap_or(&[])
    }

    /// Of `guessed` tokens the first `right` were what came.
    #[expect(clippy::cast_precision_loss, reason = "a handful of tokens")]
    pub(super) fn learn(&mut self, guessed: usize, right: usize) {
        self.balance += right as f32 - guessed as f32 * COST;
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
    fn what_stood_behind_the_same_tokens_is_guessed() {
        let guess = |history: &'static [i32], most| Lookup::default().guess(history, most);
        assert_eq!(guess(&[1, 2, 3, 4, 5, 6, 9, 2, 3], 8), [4, 5, 6, 9]);
        assert_eq!(guess(&[1, 2, 3, 4, 5, 6, 9, 2, 3], 1), [4]);
        assert!(guess(&[1, 2, 3, 4], 8).is_empty());
        assert_eq!(guess(&[7, 7, 7], 8), [7], "the latest place counts");
    }

    #[test]
    fn guesses_grow_where_they_are_right_and_cost_next_to_nothing_where_they_are_wrong() {
        let history: Vec<_> = (0..40).chain(0..4).collect();
        let mut lookup = Lookup::default();
        let lengths: Vec<_> = (0..4)
            .map(|_| {
                let len = lookup.guess(&history, 15).len();
                lookup.learn(len, len);
                len
            })
            .collect();
        assert_eq!(lengths, [4, 15, 15, 15]);

        let mut lookup = Lookup::default();
        let wrong: usize = (0..1000)
            .map(|_| {
                let len = lookup.guess(&history, 15).len();
                lookup.learn(len, 0);
                len
            })
            .sum();
        assert!((60..=88).contains(&wrong), "{wrong} guesses of a quarter of a step each in 1000 steps");
    }
}
