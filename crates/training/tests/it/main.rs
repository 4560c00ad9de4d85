//! The tests of the trainer, one file a part of it.

mod schedule;
