//! What an assistant is: one unit of persona, instructions, model and sampling; how its variables are filled, what differs
//! between two of its versions, the file it travels in, and the library of those that come with the house. Who may see or change
//! one, and where versions are kept, is decided elsewhere: here is nothing that waits or stores.

mod diff;
mod file;
mod fill;
mod library;
mod unit;

pub use diff::{Difference, differences};
pub use file::{FORMAT, Unreadable, read, write};
pub use fill::{Occasion, fill, named};
pub use library::{Library, Persona};
pub use unit::{Avatar, Flaw, ICONS, LIMITS, Limits, Unit, Variable};
