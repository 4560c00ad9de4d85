//! The port to whatever computes: tokens in, logits out, several sequences at once. Choosing tokens, queueing and text are not its
//! business. Two members: `llama` (llama.cpp, feature `llama`) and [`Scripted`](scripted::Scripted) for tests without C++.

use std::{path::Path, sync::Arc};

use crate::{Device, pictures::Pixels};

pub mod scripted;

/// A token's id in its vocabulary; below zero, a place of a picture ([`Rows`]).
pub type Token = i32;

/// A sequence in the backend's cache, from 0 to [`Facts::slots`]: one that is being continued, or one that is kept because others may begin
/// as it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u32);

/// An attached LoRA adapter at a scale. What it computed is not what another would have, nor itself at another scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Adapter {
    /// What it was attached as; no other is ever given the same number.
    pub id: u32,
    /// The bits of the scale, so that two can be told apart.
    scale: u32,
}

impl Adapter {
    /// The adapter `id`, of whose change `scale` times as much is applied.
    pub fn new(id: u32, scale: f32) -> Self {
        Adapter { id, scale: scale.to_bits() }
    }

    /// How much of its change is applied.
    pub fn scale(self) -> f32 {
        f32::from_bits(self.scale)
    }
}

/// What is known of an adapter's file.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Lora {
    /// The largest rank of its matrices.
    pub rank: u32,
    /// What its change is multiplied by, over the rank; 0 where it says nothing.
    pub alpha: f32,
    /// Bytes of its matrices.
    pub bytes: u64,
}

/// What is known of a loaded model.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// Most tokens of one sequence, prompt and answer together.
    pub context: u32,
    /// Tokens that all sequences together may hold.
    pub cells: u32,
    /// Sequences that the cache holds at once, with those that are only kept.
    pub slots: u32,
    /// Tokens of ended sequences that may stay in the cache: each slows every step down a little. The others wait beside it, see
    /// [`parked`](Self::parked).
    pub kept: u32,
    /// Bytes of [saved](Backend::save) ended sequences that may wait beside the cache; 0 keeps all of them in the cache, as long as there is room.
    pub parked: u64,
    /// Sequences that are continued at once, at most [`Facts::slots`].
    pub parallel: u32,
    /// Whether sequences may have a beginning in common; models with a running state cannot.
    pub shares: bool,
    /// Most tokens of one [`Backend::decode`].
    pub batch: u32,
    /// Tokens of a step that answers, guessed ones included, up to which one more costs little; 0 guesses nothing. At least so many rows of
    /// logits may be wanted at once, and one for each of [`parallel`](Self::parallel).
    pub guesses: u32,
    /// Threads that compute; 0 where the backend has none of its own.
    pub threads: u32,
    /// Devices that compute beside the processor.
    pub devices: Vec<Device>,
    /// Layers of the model that lie on those devices, and all that it has.
    pub gpu_layers: (u32, u32),
    /// Tokens of a batch that are computed side by side: what a batch has beyond a multiple of it costs several times as much. 0 is 1.
    pub tile: u32,
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

/// What a model sees of a picture, or of a part of it: a row of numbers for each place that it takes in a prompt. The tokens of these places
/// are numbered from `first`, and no other picture has the same: so what begins alike holds the same pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// The token of the first place, below zero, as are the others.
    pub first: Token,
    /// Places.
    pub len: u32,
    /// Numbers of all rows, one row after the other.
    pub numbers: Vec<f32>,
    /// Whether the places see one another, not only what is before: then they are computed all at once.
    pub whole: bool,
}

impl Rows {
    /// The tokens of its places.
    pub fn tokens(&self) -> std::ops::Range<Token> {
        self.first..self.first.saturating_add_unsigned(self.len)
    }
}

/// What stands for one picture in a prompt.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// Its places, and what its model writes around and between them.
    pub tokens: Vec<Token>,
    /// What is at the places. The backend knows of them as long as somebody holds them.
    pub rows: Vec<Arc<Rows>>,
}

/// The eyes of a model. They work beside its [`Backend`], which knows what they saw.
pub trait Sight: Send {
    /// Looks at a picture. That takes longer than a step.
    ///
    /// # Errors
    /// Why it cannot be seen, as the rest of a sentence that begins with the picture.
    fn look(&mut self, picture: &Pixels) -> Result<Seen, String>;
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

/// A computation failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failed {
    /// The cache has no room for the batch: less may still go.
    #[error("the cache of the model holds {cells} tokens and has no room for {wanted} more")]
    Full {
        /// Tokens that it holds at most.
        cells: u32,
        /// Tokens of the batch.
        wanted: u32,
    },
    /// What the backend says.
    #[error("the model failed to compute: {0}")]
    Broken(String),
}

/// A loaded model that continues sequences.
///
/// A slot's tokens have the positions from 0 without gaps. Tokens that slots share take their cells once.
pub trait Backend: Send {
    /// What is known of the model.
    fn facts(&self) -> &Facts;
    /// Its vocabulary.
    fn vocabulary(&self) -> Arc<dyn Vocabulary>;
    /// Computes `batch`, at most [`Facts::batch`] tokens, all with `adapter` or all without one, and calls `row` with the index in `batch`
    /// and the logits of each input that wants them, in order. A sequence's logits do not depend on the other sequences, but for the
    /// rounding of the sums. Places of a picture that is [`whole`](Rows::whole) come all together.
    ///
    /// # Errors
    /// [`Failed`], when no row was given. The slots of the batch then hold what they held, and perhaps some tokens more.
    fn decode(
        &mut self,
        batch: &[Input],
        adapter: Option<Adapter>,
        row: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Failed>;
    /// Gives `to`, which is empty, the first `len` tokens of `from` with all that was computed of them. Asked only where [`Facts::shares`].
    fn share(&mut self, from: Slot, to: Slot, len: u32);
    /// Leaves a slot its first `len` tokens; where not [`Facts::shares`], `len` is 0 or what it held before a failure.
    fn truncate(&mut self, slot: Slot, len: u32);
    /// Its eyes, where it has some; once.
    fn sight(&mut self) -> Option<Box<dyn Sight>> {
        None
    }
    /// Loads the LoRA adapter in `file`, which from now on is `id`.
    ///
    /// # Errors
    /// Why not, as the rest of a sentence that begins with the file.
    fn attach(&mut self, id: u32, file: &Path) -> Result<Lora, String>;
    /// Gives up the adapter `id`, of which no slot holds anything any more.
    fn detach(&mut self, id: u32);
    /// Stands for all but the tokens that a computation depends on: without `adapter` the weights, the library and the layout of the cache, with
    /// one that adapter's weights. Two that are the same give the same. `None`: it cannot be told, and nothing is saved.
    fn identity(&self, adapter: Option<u32>) -> Option<String>;
    /// All that was computed of a slot's tokens, for [`restore`](Self::restore); `None` where that cannot be had. Asked only where
    /// [`Facts::shares`].
    fn save(&mut self, slot: Slot) -> Option<Vec<u8>>;
    /// Gives `slot`, which is empty, the `len` tokens whose `state` was saved under the same [`identity`](Self::identity). There is room for
    /// them. False where that failed; the slot is then empty.
    fn restore(&mut self, slot: Slot, len: u32, state: &[u8]) -> bool;
}
