//! The starter model's making: the text it learns from, its vocabulary, its file, and its examination. The teaching itself is the crate
//! `training`'s.

#![expect(clippy::cast_possible_truncation, reason = "tokens and counts are small")]

#[cfg(feature = "teach")]
pub mod beginning;
pub mod dice;
#[cfg(feature = "teach")]
pub mod file;
pub mod pattern;
pub mod sums;
pub mod typing;
pub mod values;
pub mod vocabulary;
pub mod writer;
