//! The store through its door, on SQLite and on PostgreSQL alike.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and speak like tests")]

#[expect(dead_code, reason = "the next tests need the rest of it")]
mod harness;
mod turns;
