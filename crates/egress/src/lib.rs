//! The only way out: every HTTP request the portal makes to another machine goes through here.
//!
//! It decides where a request may go, pins the address it was decided for, and remembers every host contacted. It knows nothing
//! of models or dialects, follows no redirect and retries nothing. Beside HTTP there is one line: to a virus scanner (`clamd.rs`).

mod clamd;
mod client;
mod error;
mod policy;
mod pool;
mod record;

pub use clamd::{Clamd, NotScanned, Scanned};
pub use client::{Egress, Options};
pub use error::Error;
pub use policy::{Opening, Origin, Rule};
pub use pool::Body;
pub use record::Contact;
