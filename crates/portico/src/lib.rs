//! The binary as a library: configuration, the data folder and the command line. What the parts do lies in their crates;
//! this one only joins them.

pub mod cli;
pub mod config;
pub mod data;
mod drafts;
mod files;
mod house;
mod jobs;
mod library;
mod machine;
mod options;
mod others;
mod personas;
pub mod port;
mod reload;
mod starter;
mod training;
pub mod worker;
