//! What is learned: documents as tokens, and the batches that are made of them. Nothing is padded: documents lie one after another, and
//! none sees its neighbour.

use std::ops::Range;

use crate::{Error, random::Random};

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub tokens: Vec<u32>,
    /// For each token whether it is to be learned: in a chat, what the model itself says. The first one never is: nothing comes before.
    pub learned: Vec<bool>,
}

impl Example {
    /// A document of which everything is learned.
    pub fn text(tokens: Vec<u32>) -> Self {
        Example { learned: vec![true; tokens.len()], tokens }
    }

    /// Tokens that are learned.
    pub fn targets(&self) -> usize {
        self.learned.iter().skip(1).filter(|learned| **learned).count()
    }
}

/// Documents side by side, as the model takes them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub(crate) inputs: Vec<u32>,
    /// Rows whose next token is learned, and those tokens.
    pub(crate) rows: Vec<u32>,
    pub(crate) targets: Vec<u32>,
    pub(crate) documents: Vec<Range<usize>>,
}

impl Batch {
    /// Puts documents together.
    pub fn of<'a>(examples: impl IntoIterator<Item = &'a Example>) -> Self {
        let mut batch = Batch::default();
        for example in examples {
            let (Some(count), start) = (example.tokens.len().checked_sub(1), batch.inputs.len()) else { continue };
            if count == 0 {
                continue;
            }
            batch.inputs.extend_from_slice(&example.tokens[..count]);
            batch.documents.push(start..start + count);
            for place in (0..count).filter(|place| example.learned[place + 1]) {
                batch.rows.push((start + place) as u32);
                batch.targets.push(example.tokens[place + 1]);
            }
        }
        batch
    }

    /// Tokens that go through the model.
    pub fn tokens(&self) -> usize {
        self.inputs.len()
    }

    /// Tokens that are learned.
    pub fn learned(&self) -> usize {
        self.targets.len()
    }
}

/// All examples of a run.
#[derive(Clone, Debug, Default)]
pub struct Examples(Vec<Example>);

impl Examples {
    /// Takes examples for a model that knows `vocabulary` tokens and sees `context` of them. What is longer is cut at the end, and what
    /// then has nothing to learn is left out.
    ///
    /// # Errors
    /// [`Error::Refused`] when a token is none of the model's, or nothing is left.
    pub fn new(examples: Vec<Example>, vocabulary: usize, context: usize) -> Result<Self, Error> {
        let mut kept = Vec::with_capacity(examples.len());
        for mut example in examples {
            if let Some(token) = example.tokens.iter().find(|token| **token as usize >= vocabulary) {
                return Err(Error::Refused(format!("the token {token} is none of the model's {vocabulary}")));
            }
            example.tokens.truncate(context + 1);
            example.learned.resize(example.tokens.len(), false);
            if example.targets() > 0 {
                kept.push(example);
            }
        }
        if kept.is_empty() {
            return Err(Error::Refused(
                "there is nothing to learn: no example has an answer within the context".into(),
            ));
        }
        Ok(Examples(kept))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Example> {
        self.0.iter()
    }

    /// The batches of one pass over all examples, in an order that the seed and the epoch decide: as many documents as fit into `tokens`,
    /// at least one.
    pub(crate) fn epoch(&self, seed: u64, epoch: usize, tokens: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<usize> = (0..self.0.len()).collect();
        Random::new(seed, &[0, epoch as u64]).shuffle(&mut order);
        self.packed(order, tokens)
    }

    /// The batches of all examples in their order.
    pub(crate) fn in_order(&self, tokens: usize) -> Vec<Vec<usize>> {
        self.packed((0..self.0.len()).collect(), tokens)
    }

    fn packed(&self, order: Vec<usize>, tokens: usize) -> Vec<Vec<usize>> {
        let mut batches: Vec<Vec<usize>> = Vec::new();
        let mut free = 0;
        for example in order {
            let length = self.0[example].tokens.len() - 1;
            match batches.last_mut() {
                Some(batch) if length <= free => batch.push(example),
                _ => {
                    batches.push(vec![example]);
                    free = tokens;
                }
            }
            free = free.saturating_sub(length);
        }
        batches
    }

    pub(crate) fn batch(&self, which: &[usize]) -> Batch {
        Batch::of(which.iter().map(|example| &self.0[*example]))
    }
}
