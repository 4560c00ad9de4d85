//! The binary's tests, through its library: what a person configures and what the machine answers; and through its doors: what a
//! running portal says on the wire.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "helpers of tests fail a test by panicking; and what is skipped is printed"
)]

mod adapters;
mod aliases;
mod architecture;
mod assistants;
mod bad_input;
mod batches;
mod book;
mod cli;
mod config;
mod crash;
mod data;
mod documents;
mod doors;
mod engines;
mod evaluations;
mod files;
mod kept;
mod library;
mod plugins;
mod portal;
mod portals;
mod queue;
mod scopes;
mod stream;
#[cfg(feature = "engine")]
mod taught;
mod tuning;
mod waterfall;
mod worker;
