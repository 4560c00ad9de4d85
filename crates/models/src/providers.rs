//! The family of adapters: one file per dialect, each behind [`domain::ModelProvider`]. A vendor that speaks a dialect we have is
//! data (`catalog/providers/*.toml`), not a member.

use std::sync::Arc;

use domain::ModelProvider;
use egress::Egress;

use crate::{ProviderConfig, Timeouts};

pub(crate) mod openai;

/// The adapters there are.
pub const KINDS: [&str; 1] = [openai::KIND];

/// The adapter for a configured provider. Fails with a sentence when its kind or address cannot be meant.
pub(crate) fn build(
    config: &ProviderConfig,
    timeouts: Timeouts,
    egress: Arc<Egress>,
) -> Result<Arc<dyn ModelProvider>, String> {
    match config.kind.as_str() {
        openai::KIND => {
            let base = openai::Base::read(&config.base_url)?;
            Ok(Arc::new(openai::OpenAi::new(egress, base, config.key.as_ref(), timeouts)?))
        }
        other => Err(format!("there is no adapter {other:?}; there are: {}", KINDS.join(", "))),
    }
}
