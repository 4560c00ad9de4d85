//! What is known of models that other machines run: ready, failed and why, found by asking.

use std::time::Duration;

use domain::ModelState;
use models::testing::Scripted;
use models::{Models, ProviderConfig};

use crate::aliases::alias;
use crate::{chat, egress, hear, house, open, options, provider, until};

fn failed(models: &Models, code: &str) -> bool {
    matches!(models.state("mock/m"), Some(ModelState::Failed { code: known, .. }) if known == code)
}

#[tokio::test]
async fn a_provider_is_asked_and_its_models_are_ready_or_failed_with_a_reason() {
    let scripted = Scripted::start_with("models=m,other").await;
    let models = house(&scripted.url);
    until(&models, |models| models.state("mock/m") == Some(ModelState::Ready)).await;
    assert_eq!(models.find("mock/m").and_then(|model| model.context), Some(4096));
    assert_eq!(models.providers()[0].problem, None);

    scripted.set("models=other");
    models.refresh("mock");
    until(&models, |models| failed(models, "model_not_found")).await;
    scripted.set("status=401");
    models.refresh("mock");
    until(&models, |models| failed(models, "upstream_refused")).await;
    let problem = models.providers()[0].problem.clone().expect("a problem");
    assert_eq!(problem.code, "upstream_refused");
    scripted.set("models=m:latest");
    models.refresh("mock");
    until(&models, |models| models.state("mock/m") == Some(ModelState::Ready)).await;
}

#[tokio::test]
async fn a_provider_without_a_list_offers_what_it_lists() {
    let scripted = Scripted::start_with("models=llama3,nomic-embed-text,Qwen/Qwen3-8B").await;
    let models = Models::new(options(), egress());
    models.configure(vec![ProviderConfig { models: None, ..provider(&scripted.url) }]);
    until(&models, |models| models.list().len() == 2).await;
    let ids: Vec<String> = models.list().into_iter().map(|model| model.id).collect();
    assert_eq!(ids, ["mock/llama3", "mock/Qwen/Qwen3-8B"]);
    let mut prompt = chat("");
    prompt.model = "mock/Qwen/Qwen3-8B".into();
    hear(open(&models, prompt).await.expect("an answer")).await;
    assert_eq!(scripted.latest().json()["model"], "Qwen/Qwen3-8B");
}

#[tokio::test]
async fn an_embedder_that_is_named_is_there_for_programs_and_answers_no_questions() {
    let scripted = Scripted::start_with("models=llama3,nomic-embed-text,bge-reranker-v2-m3").await;
    let models = Models::new(options(), egress());
    let named = ["nomic-embed-text", "bge-reranker-v2-m3", "llama3"].map(models::ModelConfig::named).to_vec();
    models.configure(vec![ProviderConfig { models: Some(named), ..provider(&scripted.url) }]);
    models.alias(vec![
        alias("vectors", &["mock/nomic-embed-text"]),
        alias("main", &["mock/nomic-embed-text", "mock/llama3"]),
    ]);
    let seen: Vec<_> = models.list().into_iter().map(|model| (model.id, model.answers)).collect();
    let expected = [
        ("vectors", false),
        ("main", true),
        ("mock/nomic-embed-text", false),
        ("mock/bge-reranker-v2-m3", false),
        ("mock/llama3", true),
    ];
    assert_eq!(seen, expected.map(|(id, answers)| (id.to_owned(), answers)));
}

#[tokio::test]
async fn nothing_is_asked_of_a_provider_that_is_not_enabled() {
    let scripted = Scripted::start().await;
    let models = Models::new(options(), egress());
    models.configure(vec![ProviderConfig { enabled: false, ..provider(&scripted.url) }]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!((scripted.seen().len(), models.list()[0].enabled), (0, false));
    assert!(open(&models, chat("")).await.is_err());
}

#[tokio::test]
async fn an_answer_is_the_best_probe() {
    let scripted = Scripted::start_with("status=500").await;
    let models = house(&scripted.url);
    until(&models, |models| failed(models, "upstream_failed")).await;
    scripted.set("");
    hear(open(&models, chat("")).await.expect("an answer")).await;
    assert_eq!(models.state("mock/m"), Some(ModelState::Ready));
}

#[tokio::test]
async fn a_model_that_answers_is_ready_although_no_list_names_it() {
    let scripted = Scripted::start_with("models=others").await;
    let models = house(&scripted.url);
    until(&models, |models| failed(models, "model_not_found")).await;
    hear(open(&models, chat("")).await.expect("an answer")).await;
    let lists = || scripted.seen().iter().filter(|seen| seen.path.ends_with("/models")).count();
    let before = lists();
    models.refresh("mock");
    while lists() == before {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(models.state("mock/m"), Some(ModelState::Ready));
}

#[tokio::test]
async fn a_provider_that_cannot_be_used_is_kept_with_its_problem() {
    let models = Models::new(options(), egress());
    models.configure(vec![
        ProviderConfig { kind: "telex".into(), ..provider("http://127.0.0.1:1") },
        ProviderConfig { slug: "b".into(), ..provider("no address") },
    ]);
    let problems: Vec<String> =
        models.providers().into_iter().filter_map(|provider| provider.problem).map(|problem| problem.message).collect();
    let known = models::KINDS.join(", ");
    assert_eq!(problems[0], format!("mock: there is no adapter \"telex\"; there are: {known}"));
    assert!(problems[1].starts_with("b: "), "{problems:?}");
}

#[tokio::test]
async fn nothing_runs_after_shutdown() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    tokio::time::timeout(Duration::from_secs(1), models.shutdown()).await.expect("it stops");
    let asked = scripted.seen().len();
    models.refresh("mock");
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(scripted.seen().len(), asked);
}
