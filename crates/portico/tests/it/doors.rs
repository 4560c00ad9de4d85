//! The other doors of the outward API, through the running portal: what each answers, what it refuses, and one usage row each.

mod anthropic;
mod files;
mod mcp;
mod responses;
mod tasks;
