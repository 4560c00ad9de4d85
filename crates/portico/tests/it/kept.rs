//! Kept turns through the portal's door: they outlive their readers, their conversations are trees, and they are one person's
//! alone.

mod follow;
mod live;
mod privacy;
pub(crate) mod transfer;
mod tree;
