//! Teaching a model: LoRA adapters for the models that run here, and small models from nothing, on candle. It runs as a
//! job of its own, never in the portal's process.

mod adapter;
mod error;
mod examples;
mod files;
mod kernels;
mod model;
mod parameters;
mod random;
mod run;
mod schedule;
mod shape;

pub use adapter::{Lora, Target};
pub use error::Error;
pub use examples::{Batch, Example, Examples};
pub use files::{TENSOR_TYPES, adapter_of_peft};
pub use model::{Loss, Model};
pub use run::{Progress, Run, Settings, State, Then, loss_of, on_threads};
pub use schedule::Schedule;
pub use shape::{Architecture, Memory, Rope, Shape};
