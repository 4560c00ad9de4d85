//! A draft model: a smaller one with the same vocabulary guesses what the larger will say (Leviathan et al., arXiv 2211.17192; here a guess is
//! right where it is what the sampler chooses, so that a seed's answer stays what it is). It has a cache and a book of its own. It is asked as
//! long as it saves more time than it takes, by what both have taken so far.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    guesses::Guesser,
    memory::{Memory, Piece},
    tree::common,
};
use crate::{
    backend::{Backend, Slot, Token, Vocabulary},
    sampler::argmax,
};

/// Tokens of a prompt that it reads beside one step of the model: it guesses once it has caught up.
const PIECE: usize = 128;
/// Steps with its guesses before it is judged.
const TRIAL: u32 = 16;
/// Steps for which it is not asked where it lost, and how long that may grow.
const REST: u32 = 256;
const LONGEST_REST: u32 = 8192;
/// What a new measurement counts against all before it.
const NEW: f64 = 0.1;
/// Tokens that vocabularies may differ by at their end, where some are padded.
const PADDING: usize = 128;

/// See the module.
pub(super) struct Draft {
    memory: Memory,
    sequences: HashMap<u64, Place>,
    /// Tokens that the model knows.
    known: usize,
    worth: Worth,
    /// Since the last step.
    spent: Duration,
}

/// What its cache holds of a sequence.
struct Place {
    slot: Slot,
    tokens: Vec<Token>,
}

impl Draft {
    /// `backend` guesses for a model with `vocabulary`.
    pub(super) fn new(backend: Box<dyn Backend>, vocabulary: &dyn Vocabulary) -> Self {
        Draft {
            memory: Memory::new(backend, None),
            sequences: HashMap::new(),
            known: vocabulary.size(),
            worth: Worth::default(),
            spent: Duration::ZERO,
        }
    }

    /// Whether it is to be asked in this step.
    pub(super) fn is_worth_it(&self) -> bool {
        self.worth.rest == 0
    }

    /// See [`Guessers::observe`](super::guesses::Guessers::observe).
    pub(super) fn observe(&mut self, answering: usize, right: usize, time: Duration) {
        self.worth.observe(std::mem::take(&mut self.spent), answering, right, time);
    }

    /// The last step read a prompt, too: its time does not tell what guesses are worth.
    pub(super) fn pass_over(&mut self) {
        self.spent = Duration::ZERO;
    }

    /// Reads what its cache lacks of `history`, or a piece of it; what follows, once all of it is there.
    fn catch_up(&mut self, arrival: u64, history: &[Token]) -> Option<Token> {
        if history.len() >= self.memory.facts().context as usize {
            // It was made for shorter texts.
            return None;
        }
        let place = match self.sequences.get_mut(&arrival) {
            Some(place) => place,
            None => {
                let slot = self.memory.open(None, history)?;
                let held = self.memory.len(slot) as usize;
                let tokens = history.get(..held).unwrap_or_default().to_vec();
                self.sequences.entry(arrival).or_insert(Place { slot, tokens })
            }
        };
        // The last is computed in any case, for its logits.
        let held = common(&place.tokens, history).min(history.len().checked_sub(1)?);
        self.memory.cut(place.slot, u32::try_from(held).ok()?);
        place.tokens.truncate(held);
        let missing = history.get(held..)?;
        let piece = missing.get(..PIECE).unwrap_or(missing);
        let whole = piece.len() == missing.len();
        let next = compute(&mut self.memory, place, piece);
        if next.is_none() {
            self.give_up();
        }
        next.filter(|_| whole)
    }

    /// Its cache is full, or it failed: it begins anew.
    fn give_up(&mut self) {
        for (_, place) in self.sequences.drain() {
            self.memory.close(place.slot, &Arc::default(), false);
        }
        self.memory.drop_kept();
    }
}

/// Computes the next tokens of a sequence, and what follows them.
fn compute(memory: &mut Memory, place: &mut Place, tokens: &[Token]) -> Option<Token> {
    let mut next = None;
    let piece = Piece { slot: place.slot, tokens, wants_from: tokens.len().checked_sub(1)? };
    memory.compute(None, &[piece], &mut |_, _, logits| next = Some(argmax(logits))).ok()?;
    place.tokens.extend_from_slice(tokens);
    next
}

impl Guesser for Draft {
    fn guess(&mut self, arrival: u64, history: &[Token], most: usize) -> Vec<Token> {
        let began = Instant::now();
        let mut guessed = Vec::new();
        let mut next = self.catch_up(arrival, history);
        while let Some(token) = next.filter(|token| usize::try_from(*token).is_ok_and(|token| token < self.known)) {
            guessed.push(token);
            if guessed.len() >= most {
                break;
            }
            next = self.sequences.get_mut(&arrival).and_then(|place| compute(&mut self.memory, place, &[token]));
        }
        self.spent += began.elapsed();
        guessed
    }

    fn forget(&mut self, arrival: u64) {
        if let Some(place) = self.sequences.remove(&arrival) {
            self.memory.close(place.slot, &Arc::default(), true);
        }
    }
}

/// Whether guessing saves more time than it takes.
#[derive(Debug, Default)]
struct Worth {
    /// Seconds of a step without its guesses.
    step: Option<f64>,
    /// Seconds that its guesses save and that they take, of a step with them.
    saves: f64,
    takes: f64,
    tried: u32,
    rest: u32,
    next_rest: u32,
}

impl Worth {
    /// A step took `time` after `spent` went into guesses; of these `right` came, over all that were `answering`.
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn observe(&mut self, spent: Duration, answering: usize, right: usize, time: Duration) {
        let time = time.as_secs_f64();
        if spent.is_zero() {
            self.rest = self.rest.saturating_sub(1);
            self.step = Some(self.step.map_or(time, |known| known + (time - known) * NEW));
            return;
        }
        // Without guesses the step would have been a plain one, and each token that was right another.
        let plain = self.step.unwrap_or(time).min(time);
        let saves = plain * right as f64 / answering.max(1) as f64;
        let takes = spent.as_secs_f64() + time - plain;
        let weight = if self.tried == 0 { 1.0 } else { NEW };
        self.saves += (saves - self.saves) * weight;
        self.takes += (takes - self.takes) * weight;
        self.tried += 1;
        if self.tried < TRIAL {
            return;
        }
        if self.saves > self.takes {
            self.next_rest = 0;
            return;
        }
        self.next_rest = (self.next_rest * 2).clamp(REST, LONGEST_REST);
        tracing::debug!(saves = self.saves, takes = self.takes, steps = self.next_rest, "the draft model rests");
        (self.rest, self.tried) = (self.next_rest, 0);
    }
}

/// Why a model with the vocabulary `draft` cannot guess for one with `model`; `None` where it can.
pub(crate) fn objection(model: &dyn Vocabulary, draft: &dyn Vocabulary) -> Option<String> {
    let (known, drafted) = (model.size(), draft.size());
    if known.abs_diff(drafted) > PADDING {
        return Some(format!("has a vocabulary of {drafted} tokens, and the model {known}"));
    }
    let piece = |vocabulary: &dyn Vocabulary, token: Token| {
        let mut bytes = Vec::new();
        vocabulary.decode(token, false, &mut bytes);
        (bytes, vocabulary.ends(token))
    };
    let mut tokens = 0..Token::try_from(known.min(drafted)).unwrap_or(Token::MAX);
    let differs = tokens.find(|&token| piece(model, token) != piece(draft, token))?;
    let shown = |vocabulary: &dyn Vocabulary| String::from_utf8_lossy(&piece(vocabulary, differs).0).into_owned();
    Some(format!(
        "has another vocabulary: its token {differs} is {:?}, and the model's {:?}",
        shown(draft),
        shown(model)
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{REST, TRIAL, Worth};

    #[test]
    fn a_draft_that_takes_longer_than_it_saves_rests_and_is_tried_again() {
        let ms = Duration::from_millis;
        let mut worth = Worth::default();
        let steps = |worth: &mut Worth, spent: u64, right: usize, times: u32| {
            for _ in 0..times {
                worth.observe(ms(spent), 1, right, ms(if spent == 0 { 50 } else { 55 }));
            }
        };
        steps(&mut worth, 0, 0, 4);
        steps(&mut worth, 20, 3, 100);
        assert_eq!(worth.rest, 0, "three steps saved for half of one");
        steps(&mut worth, 60, 1, 40);
        assert!(worth.rest > 0, "one saved for more than one: {worth:?}");
        let mut worth = Worth::default();
        steps(&mut worth, 0, 0, 4);
        for expected in [REST, 2 * REST, 4 * REST] {
            steps(&mut worth, 60, 1, TRIAL);
            assert_eq!(worth.rest, expected);
            steps(&mut worth, 0, 0, expected);
            assert_eq!(worth.rest, 0);
        }
    }
}
