//! The trainer through its door.

#![expect(clippy::unwrap_used, reason = "a test ends where its material fails")]

mod files;
mod gradients;
mod running;
mod schedule;
mod small;
