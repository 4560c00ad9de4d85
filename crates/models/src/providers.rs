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
    use domain::testing::{ManualClock, model_provider_suite};
    use domain::{Author, Message, Prompt, Sampling};
    use egress::Options;

    use super::*;
    use crate::testing::Scripted;

    #[tokio::test]
    async fn every_member_keeps_the_promises_of_the_port() {
        let scripted = Scripted::start().await;
        let options = Options { allow: vec!["127.0.0.1".parse().unwrap()], ..Options::default() };
        let egress = Arc::new(Egress::new(options, Arc::new(ManualClock::at(0))).unwrap());
        for kind in KINDS {
            let config = ProviderConfig {
                slug: "s".to_owned(),
                name: "S".to_owned(),
                kind: kind.to_owned(),
                base_url: scripted.url.clone(),
                key: None,
                models: None,
                enabled: true,
                timeouts: None,
            };
            let member = build(&config, Timeouts::default(), egress.clone()).unwrap();
            let mut prompt = Prompt::chat(vec![Message::new(Author::User, "Hi")], Sampling::default());
            prompt.model = "mock".to_owned();
            model_provider_suite(member.as_ref(), prompt).await.unwrap();
        }
    }
}
