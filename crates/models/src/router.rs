//! From a model's name to its first token.

mod model;

pub(crate) use model::Model;
