//! Examples that a model is taught with: read from files, compared, looked over and divided. Pure functions over text; where
//! examples are kept is the store's, and what a model learns from them is `training`'s.

mod checks;
mod csv;
mod example;
mod likeness;
mod personal;
mod read;
mod split;

pub use checks::{Issue, LONG, Language, Report, language, report};
pub use example::{Example, Flaw};
pub use likeness::{NEAR, alike, resemblance};
pub use personal::{Finding, Personal, mask, personal};
pub use read::{Fault, Format, Reading, Unreadable, read};
pub use split::{Division, held_out};
