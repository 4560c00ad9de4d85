//! Teaching a model: LoRA adapters for the models that run here, and small models from nothing, on candle. It runs as a
//! job of its own, never in the portal's process.

mod schedule;

pub use schedule::Schedule;
