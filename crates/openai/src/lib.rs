//! The OpenAI dialect: its words as types, its event streams over bytes, and careful edits of a client's own body.
//!
//! It does no I/O and knows no address. What it does not understand it keeps: vendors add fields faster than anybody can list them.

mod answer;
mod body;
mod chunk;
mod error;
mod multipart;
mod request;
mod response;
mod sse;
mod tasks;

pub use answer::{ChunkWriter, Whole};
pub use body::{Scan, retarget, scan};
pub use chunk::{CallIndexes, Chunk, Fault, Usages, parse_chunk};
pub use error::Error;
pub use multipart::{Form, Part};
pub use request::{ChatMessage, ChatRequest, CompletionRequest, Content, Params, StreamOptions, TextPrompt, body_of};
pub use response::{
    ChatChoice, ChatChunk, ChatCompletion, ChunkChoice, Completion, CompletionChoice, CompletionLogprobs, Delta,
    ErrorBody, ErrorObject, FunctionPiece, LogprobContent, Logprobs, ModelEntry, ModelList, ToolCallPiece, TopLogprob,
    UsageBody, finish_from_word, finish_to_word,
};
pub use sse::{DONE, Decoder, Encoder, Frame, Frames, frames};
pub use tasks::{scan_task, usage_of};
