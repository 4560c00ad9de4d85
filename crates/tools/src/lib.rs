//! The plugin gateway: what plugins say of themselves, what they were granted, and every call of their tools, on one way out.
//!
//! A plugin is data: a manifest as it was written, an administrator's choices, sealed secrets. What a model is told, and what a
//! turn does with an answer, is `chat`'s; who may install is the door's.

#![warn(missing_docs)]

mod approval;
mod auth;
mod builtin;
mod error;
mod gateway;
mod http;
mod log;
mod manifest;
mod mask;
mod mcp;
mod permission;
mod plugin;
pub mod sandbox;
mod scaffold;
mod schema;

pub use approval::{ApprovalRule, Approver, Comparison, Condition, Wanted};
pub use auth::Auth;
pub use builtin::{As, Documents, Ground, Piece};
pub use error::{Error, Flaw};
pub use gateway::{Answered, Change, Gateway, Installed, Order, Presets, Vault};
pub use manifest::{Choices, Kind, Manifest, Trigger, presets};
pub use mcp::Listing;
pub use permission::Permission;
pub use scaffold::{Part, scaffold};
