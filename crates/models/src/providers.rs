//! The family of adapters: one file per dialect, each behind [`domain::ModelProvider`]. A vendor that speaks a dialect we have is
//! data (`catalog/providers/*.toml`), not a member.

use std::sync::Arc;

use domain::{ModelError, ModelProvider, Offered};
use egress::{Egress, Origin};

use crate::{Key, ProviderConfig, Timeouts};

mod address;
pub(crate) mod anthropic;
mod arriving;
pub(crate) mod azure;
mod clocks;
pub(crate) mod gemini;
mod kept;
mod memory;
pub(crate) mod ollama;
pub(crate) mod openai;
mod reading;
mod translation;
mod wire;

/// The adapters there are.
pub const KINDS: [&str; 5] = [openai::KIND, azure::KIND, ollama::KIND, anthropic::KIND, gemini::KIND];

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
        azure::KIND => Ok(Arc::new(azure::Azure::configured(egress, config, timeouts)?)),
        ollama::KIND => Ok(Arc::new(ollama::Ollama::new(egress, &config.base_url, config.key.as_ref(), timeouts)?)),
        anthropic::KIND => {
            Ok(Arc::new(anthropic::Anthropic::new(egress, &config.base_url, config.key.as_ref(), timeouts)?))
        }
        gemini::KIND => Ok(Arc::new(gemini::Gemini::new(egress, &config.base_url, config.key.as_ref(), timeouts)?)),
        other => Err(format!("there is no adapter {other:?}; there are: {}", KINDS.join(", "))),
    }
}

/// The adapter for an address that is only being tried: the base URL it settles on is in the second half.
pub(crate) async fn tried(
    kind: &str,
    base_url: &str,
    key: Option<&Key>,
    timeouts: Timeouts,
    egress: Arc<Egress>,
) -> Result<(Vec<Offered>, String), ModelError> {
    let wrong = |reason: String| ModelError::Unreachable { url: base_url.to_owned(), reason };
    match kind {
        openai::KIND => {
            let base = openai::Base::read(base_url).map_err(wrong)?;
            let adapter = openai::OpenAi::new(egress, base, key, timeouts).map_err(wrong)?;
            let offered = adapter.offered().await?;
            Ok((offered, adapter.base_url().to_owned()))
        }
        _ => {
            let config = ProviderConfig {
                slug: String::new(),
                name: String::new(),
                kind: kind.to_owned(),
                base_url: base_url.to_owned(),
                key: key.cloned(),
                models: Some(Vec::new()),
                enabled: true,
                timeouts: None,
                max_concurrent: None,
                warm_up: false,
            };
            let adapter = build(&config, timeouts, egress).map_err(wrong)?;
            let offered = adapter.offered().await?;
            Ok((offered, normalise(kind, base_url).map_err(wrong)?))
        }
    }
}

/// An address as it will be kept, or why it is none.
pub(crate) fn normalise(kind: &str, text: &str) -> Result<String, String> {
    match kind {
        azure::KIND => azure::Place::read(text).map(|place| place.shown()),
        ollama::KIND => ollama::root(text),
        anthropic::KIND => anthropic::base(text),
        gemini::KIND => gemini::base(text),
        _ => openai::Base::read(text).map(|base| base.shown().to_owned()),
    }
}

/// What connections are made to.
pub(crate) fn origin(base_url: &str) -> Option<Origin> {
    Origin::of(&base_url.trim().parse().ok()?).ok()
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::path::Path;

    use domain::SystemClock;
    use domain::testing::model_provider_suite;
    use egress::Options;

    use super::*;
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
                // Azure lists what may be deployed, never what is.
                models: (kind == azure::KIND).then(|| vec![crate::ModelConfig::named("m")]),
                enabled: true,
                timeouts: None,
                max_concurrent: None,
                warm_up: false,
            };
            let member = build(&config, Timeouts::default(), egress.clone()).unwrap();
            model_provider_suite(member.as_ref(), &scripted, &clock)
                .await
                .unwrap_or_else(|broken| panic!("{kind}: {broken}"));
        }
    }
}
