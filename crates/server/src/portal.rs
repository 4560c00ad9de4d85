//! The portal's API under `/api`: what the pages in the browser call, by session cookie.

pub(crate) mod accounts;
pub(crate) mod adapters;
pub(crate) mod aliases;
pub(crate) mod approvals;
pub(crate) mod assistants;
pub(crate) mod batches;
pub(crate) mod body;
pub(crate) mod bootstrap;
pub(crate) mod conversations;
pub(crate) mod datasets;
pub(crate) mod evaluations;
pub(crate) mod files;
pub(crate) mod keys;
pub(crate) mod library;
pub(crate) mod models;
pub(crate) mod people;
pub(crate) mod plugins;
pub(crate) mod prompts;
pub(crate) mod ratings;
pub(crate) mod replays;
pub(crate) mod search;
pub(crate) mod steps;
pub(crate) mod training;
pub(crate) mod transfer;
pub(crate) mod turns;
pub(crate) mod view;
