//! The store through its door, on SQLite and on PostgreSQL alike.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and speak like tests")]

mod accounts;
mod aliases;
mod assistants;
mod audit;
mod backup;
mod batches;
mod crash;
mod datasets;
mod evaluations;
mod files;
mod full_disk;
mod harness;
mod isolation;
mod plugins;
mod responses;
mod schema;
mod search;
mod tree;
mod turns;
mod uploads;
mod writer;
