//! The "Test" button: is something there, does it accept the key, what does it offer, and how far away is it.

use std::time::Duration;

use domain::Offered;

/// What a test found.
#[derive(Debug, Clone, PartialEq)]
pub struct Probed {
    /// The base URL as it will be used.
    pub base_url: String,
    /// The models it lists.
    pub models: Vec<Offered>,
    /// How long the list took.
    pub latency: Duration,
}
