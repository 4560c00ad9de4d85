//! The door's tests, on SQLite and on PostgreSQL: who comes in, who stays out, and who may change whom.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "helpers of tests fail a test by panicking and say what is skipped"
)]

mod audit;
mod harness;
mod keys;
mod links;
mod people;
mod sessions;
mod sign_in;
