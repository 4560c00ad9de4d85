//! Azure's addresses and credential, its filters and its refusals, against the fixtures of `tests/fixtures/azure`.

use std::time::Duration;

use domain::{Finish, ModelError, ModelState};
use models::testing::ScriptedAzure;
use models::{Key, ModelConfig, Models, Options, ProviderConfig};
use serde_json::json;

use crate::{asked, egress, hear, open, options, provider};

fn config(base_url: String) -> ProviderConfig {
    ProviderConfig {
        slug: "azure".into(),
        kind: "azure".into(),
        key: Some(Key::new("0123456789abcdef")),
        models: Some(vec![ModelConfig::named("gpt-4o-eu")]),
        ..provider(&base_url)
    }
}

fn house(config: ProviderConfig) -> Models {
    let models = Models::new(Options { retries: 0, ..options() }, egress());
    models.configure(vec![config]);
    models
}

fn question(text: &str, stream: bool) -> domain::Prompt {
    let body = json!({"model": "x", "messages": [{"role": "user", "content": text}], "stream": stream});
    domain::Prompt { model: "azure/gpt-4o-eu".into(), ..asked(body) }
}

#[tokio::test]
async fn both_forms_of_address_are_asked_with_the_api_key() {
    let azure = ScriptedAzure::start().await;
    for (tail, path) in [
        ("/openai?api-version=2024-10-21", "/openai/deployments/gpt-4o-eu/chat/completions?api-version=2024-10-21"),
        (
            "/openai/deployments/other/chat/completions?api-version=2024-10-21",
            "/openai/deployments/gpt-4o-eu/chat/completions?api-version=2024-10-21",
        ),
        ("", "/openai/v1/chat/completions"),
        ("/openai/v1/", "/openai/v1/chat/completions"),
    ] {
        let models = house(config(format!("{}{tail}", azure.url)));
        let heard = hear(open(&models, question("hello", true)).await.expect(tail)).await;
        assert_eq!((heard.text().as_str(), heard.finish()), ("Hello, 世界! 🌍", Some(Finish::Stop)), "{tail}");
        assert_eq!(heard.usage(), Some((12, 8)), "{tail}");
        let seen = azure.latest();
        assert_eq!((seen.path.as_str(), seen.json()["model"].as_str()), (path, Some("gpt-4o-eu")), "{tail}");
        assert_eq!(seen.headers["api-key"], "0123456789abcdef");
        assert!(!seen.headers.contains_key("authorization"));
    }
}

#[tokio::test]
async fn a_token_of_entra_id_goes_as_a_bearer() {
    let azure = ScriptedAzure::start().await;
    let token = Some(Key::new("eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2lnbmF0dXJl"));
    let models = house(ProviderConfig { key: token, ..config(azure.url.clone()) });
    open(&models, question("hello", false)).await.expect("an answer");
    let seen = azure.latest();
    assert!(seen.headers["authorization"].to_str().expect("text").starts_with("Bearer eyJ"));
    assert!(!seen.headers.contains_key("api-key"));
}

#[tokio::test]
async fn the_filters_results_travel_on_and_break_nothing() {
    let azure = ScriptedAzure::start().await;
    let models = house(config(azure.url.clone()));
    let heard = hear(open(&models, question("hello", true)).await.expect("an answer")).await;
    let first = &heard.chunks()[0];
    assert_eq!(first["choices"], json!([]), "the prompt's own result comes first, without a choice");
    assert_eq!(first["prompt_filter_results"][0]["content_filter_results"]["hate"]["filtered"], false);
    let whole = hear(open(&models, question("hello", false)).await.expect("an answer")).await;
    assert_eq!(whole.text(), "Hello, 世界! 🌍");
    let cut = hear(open(&models, question("filter the answer", true)).await.expect("an answer")).await;
    assert_eq!(cut.finish(), Some(Finish::ContentFilter));
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let azure = ScriptedAzure::start().await;
    let models = house(config(azure.url.clone()));
    let fails = async |text: &str| open(&models, question(text, true)).await.expect_err(text);
    let ModelError::Rejected { status, code, message, body } = fails("filter the prompt").await else { panic!() };
    assert_eq!((status, code.as_deref()), (400, Some("content_filter")));
    assert!(message.contains("content management policy") && body.is_some(), "{message}");
    assert!(matches!(fails("no deployment").await, ModelError::NoSuchModel { .. }));
    let ModelError::OverLimit { retry_after, .. } = fails("too many").await else { panic!() };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
    assert!(matches!(fails("bad key").await, ModelError::Refused { status: 401, .. }));
}

#[tokio::test]
async fn deployments_come_from_the_configuration() {
    let azure = ScriptedAzure::start().await;
    let models = house(config(format!("{}?api-version=2024-10-21", azure.url)));
    for _ in 0..2_000 {
        if models.state("azure/gpt-4o-eu") == Some(ModelState::Ready) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(models.state("azure/gpt-4o-eu"), Some(ModelState::Ready));
    let none = house(ProviderConfig { models: None, ..config(azure.url.clone()) });
    let problem = none.providers()[0].problem.clone().expect("a problem");
    assert!(problem.message.contains("name its deployments"), "{problem:?}");
    let probed = none.probe("azure", &azure.url, Some(&Key::new("k"))).await.expect("it is there");
    assert_eq!(probed.base_url, format!("{}/openai/v1", azure.url));
    assert!(probed.models.is_empty(), "what may be deployed is not what is deployed");
}
