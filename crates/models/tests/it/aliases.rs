//! Names for models: what they stand for, where they stand, and how they are led elsewhere.

use domain::{ModelError, ModelState};
use models::testing::Scripted;
use models::{AliasConfig, Errand, Models, ProviderConfig, Target};

use crate::{ME, chat, egress, hear, options, provider, until};

pub(crate) fn named(slug: &str, url: &str) -> ProviderConfig {
    ProviderConfig { slug: slug.into(), name: slug.to_uppercase(), ..provider(url) }
}

pub(crate) fn alias(name: &str, targets: &[&str]) -> AliasConfig {
    let targets = targets.iter().map(|target| Target::of(target)).collect();
    AliasConfig { name: name.into(), targets, ..AliasConfig::default() }
}

/// Who answered what was asked as `model`.
async fn asked(models: &Models, model: &str) -> Result<String, ModelError> {
    let mut prompt = chat("");
    prompt.model = model.into();
    let reply = models.open(&ME, Errand::default(), prompt, &mut |_| ()).await?;
    let route = reply.route.clone();
    assert_eq!(hear(reply).await.error.map(|error| error.to_string()), None);
    assert!(route.model.starts_with(&format!("{}/", route.provider)), "{route:?}");
    Ok(route.model)
}

#[tokio::test]
async fn an_alias_is_a_model_like_any_other_and_answers_through_its_target() {
    let scripted = Scripted::start_with("models=m").await;
    let models = Models::new(options(), egress());
    models.configure_all(
        vec![named("a", &scripted.url), named("b", &scripted.url)],
        vec![AliasConfig { title: Some("The usual one".into()), ..alias("main", &["a/m", "b/m"]) }],
    );
    until(&models, |models| models.state("main") == Some(ModelState::Ready)).await;
    let view = models.find("main").expect("the alias");
    assert_eq!(models.list()[0], view, "aliases come first");
    assert_eq!((view.id.as_str(), view.name.as_str()), ("main", "The usual one"));
    assert_eq!((view.alias, view.provider.as_str(), view.provider_name.as_str()), (true, "alias", "A, B"));
    assert_eq!((view.context, view.targets), (Some(4096), vec!["a/m".to_owned(), "b/m".to_owned()]));
    assert!(["a/m", "b/m"].contains(&asked(&models, "main").await.expect("an answer").as_str()));
    assert_eq!(scripted.latest().json()["model"], "m", "the back end hears its own name for it");
}

#[tokio::test]
async fn a_name_is_led_elsewhere_in_one_step() {
    let scripted = Scripted::start().await;
    let models = Models::new(options(), egress());
    models.configure_all(vec![named("a", &scripted.url), named("b", &scripted.url)], vec![alias("main", &["a/m"])]);
    assert_eq!(asked(&models, "main").await.expect("an answer"), "a/m");
    models.alias(vec![alias("main", &["b/m"]), alias("a/m", &["b/m"])]);
    assert_eq!(asked(&models, "main").await.expect("an answer"), "b/m");
    assert_eq!(asked(&models, "a/m").await.expect("an answer"), "b/m", "an alias wins over an id");
    models.alias(Vec::new());
    assert!(matches!(asked(&models, "main").await, Err(ModelError::NoSuchModel { .. })));
    assert_eq!(asked(&models, "a/m").await.expect("an answer"), "a/m");
}

#[tokio::test]
async fn names_without_a_provider_and_names_nobody_knows() {
    let scripted = Scripted::start().await;
    let models = Models::new(options(), egress());
    models.configure(vec![named("a", &scripted.url)]);
    assert_eq!(asked(&models, "m").await.expect("one provider has it"), "a/m");
    models.configure(vec![named("a", &scripted.url), named("b", &scripted.url)]);
    assert!(matches!(asked(&models, "m").await, Err(ModelError::NoSuchModel { .. })), "two have it");
    models.alias(vec![AliasConfig { catch_all: true, ..alias("any", &["b/m"]) }]);
    assert_eq!(asked(&models, "gpt-4o").await.expect("the alias for all"), "b/m");
    for name in ["gpt-4o", "any", "b/m", "a/m"] {
        let (meant, view) = (models.meant(name).expect("a model"), models.find(name).expect("a model"));
        assert_eq!((meant.id, meant.provider), (view.id, view.provider), "{name}");
    }
    assert_eq!(models.meant("gpt-4o").expect("the alias for all").id, "any");
}

#[tokio::test]
async fn an_alias_whose_models_are_gone_says_so() {
    let models = Models::new(options(), egress());
    models.alias(vec![alias("main", &["gone/m"])]);
    let Some(ModelState::Failed { code, message }) = models.state("main") else { unreachable!() };
    assert_eq!(code, "model_not_found");
    assert_eq!(message, "none of the models behind main is configured and switched on");
    assert!(matches!(asked(&models, "main").await, Err(ModelError::NoSuchModel { .. })));
}
