//! The port to whatever computes: tokens in, logits out, several sequences at once. Choosing tokens, queueing and text are not its
//! business. Two members: `llama` (llama.cpp, feature `llama`) and [`Scripted`](scripted::Scripted) for tests without C++.

use std::sync::Arc;

pub mod scripted;

/// A token's id in its vocabulary.
pub type Token = i32;

/// A place in the backend's cache that one sequence holds, from 0 to [`Facts::slots`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// What is known of a loaded model.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Most tokens of one sequence, prompt and answer together.
    pub context: u32,
    /// Tokens that all sequences together may hold.
    pub cells: u32,
    /// Most sequences at once.
    pub slots: u32,
    /// Most tokens of one [`Backend::decode`].
    pub batch: u32,
    /// Number of weights.
    pub parameters: u64,
    /// Bytes of the weights.
    pub size: u64,
    /// The context length that the model was trained with, in tokens.
    pub trained_context: u32,
    /// A description such as `llama 1B Q4_K - Medium`.
    pub description: String,
    /// The model's own chat template (Jinja), when it has one.
    pub chat_template: Option<String>,
}

/// Text to tokens and back. Shared by the door, which counts before it queues, and the scheduler.
pub trait Vocabulary: Send + Sync {
    /// Number of tokens; the width of a row of logits.
    fn size(&self) -> usize;
    /// The tokens of `text`. With `begin`, whatever this model wants before a text (BOS) comes first, if it wants anything.
    /// With `markup`, control tokens written out in the text are recognised; without, they are ordinary text.
    fn encode(&self, text: &str, begin: bool, markup: bool) -> Vec<Token>;
    /// Appends the bytes of `token`, which need not be whole UTF-8. `opening` says that no text is before it, where some
    /// vocabularies drop the space that they write before every word. Control tokens have no bytes.
    fn decode(&self, token: Token, opening: bool, into: &mut Vec<u8>);
    /// Whether `token` ends an answer.
    fn ends(&self, token: Token) -> bool;
    /// The written form of the token that begins a text and of the one that ends it, as chat templates use them; empty where there is none.
    fn marks(&self) -> (String, String);
}

/// One token to compute: the next of its sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input {
    /// The sequence's place.
    pub slot: Slot,
    /// Its position in the sequence, from 0 without gaps.
    pub position: u32,
    /// The token.
    pub token: Token,
    /// Whether the logits after it are wanted.
    pub wants_logits: bool,
}

/// A computation failed. The sequences of the batch are lost, the backend is not.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the model failed to compute: {0}")]
pub struct Failed(pub String);

/// A loaded model that continues sequences.
pub trait Backend: Send {
    /// What is known of the model.
    fn facts(&self) -> &Facts;
    /// Its vocabulary.
    fn vocabulary(&self) -> Arc<dyn Vocabulary>;
    /// Computes `batch`, at most [`Facts::batch`] tokens, and calls `row` with the index in `batch` and the logits of each input that
    /// wants them, in order. A sequence's logits do not depend on the other sequences, but for the rounding of the sums.
    ///
    /// # Errors
    /// [`Failed`] when nothing was computed; no row was given then.
    fn decode(&mut self, batch: &[Input], row: &mut dyn FnMut(usize, &[f32])) -> Result<(), Failed>;
    /// Empties a slot.
    fn forget(&mut self, slot: Slot);
}
