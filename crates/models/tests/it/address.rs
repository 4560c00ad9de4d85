//! Addresses as people paste them.

use models::testing::Scripted;
use models::{Key, Models};

use crate::{chat, egress, hear, house, open, options};

#[tokio::test]
async fn with_and_without_v1_and_with_the_whole_path() {
    for tail in ["", "/", "/v1", "/v1/", "/v1/chat/completions", "/v1/models"] {
        let scripted = Scripted::start().await;
        let models = house(&format!("{}{tail}", scripted.url));
        hear(open(&models, chat("")).await.expect(tail)).await;
        assert_eq!(scripted.latest().path, "/v1/chat/completions", "{tail}");
    }
}

#[tokio::test]
async fn another_version_or_none_is_found_and_kept() {
    for (under, tail, path) in [
        ("/api/paas/v4", "/api/paas/v4", "/api/paas/v4/chat/completions"),
        ("/compatible-mode/v1", "/compatible-mode/v1", "/compatible-mode/v1/chat/completions"),
        ("", "", "/chat/completions"),
        ("/api/v1", "/api", "/api/v1/chat/completions"),
        ("/serve", "/serve", "/serve/chat/completions"),
    ] {
        let scripted = Scripted::start_with(&format!("under={under}")).await;
        let models = Models::new(options(), egress());
        let probed = models.probe("openai", &format!("{}{tail}", scripted.url), None).await.expect(tail);
        let expected = path.strip_suffix("/chat/completions").unwrap_or_default();
        assert_eq!(probed.base_url, format!("{}{expected}", scripted.url));
        assert_eq!(probed.models[0].name, "mock");
        assert_eq!(probed.models[0].context, Some(4096));
    }
}

#[tokio::test]
async fn a_test_says_what_is_wrong() {
    let scripted = Scripted::start().await;
    let models = Models::new(options(), egress());
    let fails = async |url: &str| models.probe("openai", url, Some(&Key::new("k"))).await.expect_err(url);
    assert_eq!(fails("nonsense").await.code(), "unreachable");
    assert_eq!(fails("http://127.0.0.1:1").await.code(), "unreachable");
    assert_eq!(fails("http://169.254.169.254/v1").await.code(), "egress_forbidden");
    scripted.set("under=/nowhere");
    let nothing = fails(&scripted.url).await;
    assert_eq!(nothing.code(), "garbled");
    assert!(nothing.to_string().contains("no OpenAI-compatible interface"), "{nothing}");
    scripted.set("status=401");
    assert_eq!(fails(&scripted.url).await.code(), "upstream_refused");
}
