//! The store through its door, on SQLite and on PostgreSQL alike.

#[expect(dead_code, reason = "the next tests need the rest of it")]
mod harness;
mod turns;
