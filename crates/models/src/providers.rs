//! The family of adapters: one file per dialect, each behind [`domain::ModelProvider`]. A vendor that speaks a dialect we have is
//! data (`catalog/providers/*.toml`), not a member.

use std::sync::Arc;

use domain::ModelProvider;
use egress::Egress;

use crate::{ProviderConfig, Timeouts};

mod arriving;
mod clocks;
pub(crate) mod openai;
mod wire;

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

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::path::Path;

    use domain::SystemClock;
    use domain::testing::model_provider_suite;
    use egress::Options;

    use super::*;
    use crate::Key;
    use crate::testing::Scripted;

    /// Each member before a back end that answers in its dialect: a folder of `tests/fixtures`.
    #[tokio::test]
    async fn every_member_keeps_the_promises_of_the_port() {
        let clock = SystemClock::new();
        let options = Options { allow: vec!["127.0.0.1".parse().unwrap()], ..Options::default() };
        let egress = Arc::new(Egress::new(options, Arc::new(clock)).unwrap());
        for kind in KINDS {
            let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(kind);
            let scripted = Scripted::replay(&fixtures).await;
            let config = ProviderConfig {
                slug: "s".to_owned(),
                name: "S".to_owned(),
                kind: kind.to_owned(),
                base_url: scripted.url.clone(),
                key: Some(Key::new("k")),
                models: None,
                enabled: true,
                timeouts: None,
            };
            let member = build(&config, Timeouts::default(), egress.clone()).unwrap();
            model_provider_suite(member.as_ref(), &scripted, &clock)
                .await
                .unwrap_or_else(|broken| panic!("{kind}: {broken}"));
        }
    }
}
