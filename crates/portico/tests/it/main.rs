//! The binary's tests, through its library: what a person configures and what the machine answers.

#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail a test by panicking")]

mod architecture;
mod book;
mod cli;
mod config;
mod data;
