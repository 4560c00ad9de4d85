//! The portal's side of teaching a model: data sets, and jobs that teach with them. What a model learns is computed by
//! `portico train`, a process of its own: nothing here computes with a model.

pub mod data;
mod datasets;
mod error;
mod jobs;

pub use datasets::{Datasets, Import, LIMIT, Looked, Manner, Side, Taken, Wanted};
pub use error::Error;
pub use jobs::{Jobs, Order, Program, Recipe, Task, Trainer};
