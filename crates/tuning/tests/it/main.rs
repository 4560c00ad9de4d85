//! Data sets through their door.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod data;
