//! The dialect, tried through its door: streams cut anywhere, bodies edited, chunks of many vendors.

#![expect(clippy::expect_used, reason = "a failed expectation is how a test says so, in its helpers too")]

mod body;
mod chunk;
mod request;
mod sse;
