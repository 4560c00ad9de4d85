//! Tokens used by a turn.

use serde::{Deserialize, Serialize};

/// A number of model tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tokens(pub u32);

impl Tokens {
    /// An estimate for text whose tokenizer is unknown: ASCII at four bytes a token, everything else (Chinese above all) at
    /// one token a character. Within a factor of two for Llama, Qwen and GPT vocabularies; a count reported by the model
    /// always replaces it. Linear, no allocation: cheap enough to run on the request path.
    pub fn estimate(text: &str) -> Tokens {
        let ascii = text.bytes().filter(u8::is_ascii).count();
        let others = text.chars().count() - ascii;
        Tokens(u32::try_from(ascii.div_ceil(4) + others).unwrap_or(u32::MAX))
    }
}

impl std::ops::Add for Tokens {
    type Output = Tokens;
    fn add(self, other: Tokens) -> Tokens {
        Tokens(self.0.saturating_add(other.0))
    }
}

impl std::iter::Sum for Tokens {
    fn sum<I: Iterator<Item = Tokens>>(all: I) -> Tokens {
        all.fold(Tokens(0), |sum, next| sum + next)
    }
}

/// How sure a model was of its answer, by the probabilities that it gave to the tokens it chose, in thousandths. No promise that it is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confidence {
    /// The geometric mean of all its tokens' probabilities.
    pub mean: u16,
    /// The same of the few tokens in a row of which it was least sure.
    pub worst: u16,
    /// The first token of these, counted from 0.
    pub worst_from: u32,
}

/// What a turn used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub prompt: Tokens,
    /// Tokens written, reasoning included.
    pub completion: Tokens,
    /// Of `prompt`, those the model had in its cache.
    pub cached: Tokens,
    /// Of `completion`, those of hidden reasoning.
    pub reasoning: Tokens,
    /// How sure the model was of what it wrote, where it was asked and told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// False when the house counted (a stream that broke off, a model that reports nothing), true when the model reported.
    pub reported: bool,
}

impl Usage {
    /// Tokens read and written.
    pub fn total(&self) -> Tokens {
        self.prompt + self.completion
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_counts_a_token_a_character_and_english_four_bytes_a_token() {
        assert_eq!(Tokens::estimate(""), Tokens(0));
        assert_eq!(Tokens::estimate("你好，世界"), Tokens(5));
        assert_eq!(Tokens::estimate("Once upon a time"), Tokens(4));
        assert_eq!(Tokens::estimate("合同 contract"), Tokens(2 + 3));
    }
}
