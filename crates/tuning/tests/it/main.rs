//! Data sets through their door.

#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail like tests")]

mod data;
mod jobs;
