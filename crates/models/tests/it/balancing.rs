//! Case 24 and its neighbours over real sockets: who gets a request among several that are ready, and that a model which is not
//! gets none. The balancers' own promises are tested beside them.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{ConversationId, ModelState, Prompt, TurnEvent};
use models::testing::{Scripted, scripted_worker};
use models::{AliasConfig, Balance, Errand, Models, ProviderConfig, Target};
use serde_json::json;
use uuid::Uuid;

use crate::aliases::{alias, named};
use crate::{ME, asked, chat, egress, hear, options, until};

/// Four upstreams behind `main`.
async fn four(balance: Balance, weights: [u32; 4]) -> (Vec<Scripted>, Models) {
    let mut upstreams = Vec::new();
    for _ in 0..4 {
        upstreams.push(Scripted::start_with("models=m").await);
    }
    let models = Models::new(options(), egress());
    let slugs = ["a", "b", "c", "d"];
    let targets = slugs.iter().zip(weights).map(|(slug, weight)| Target { model: format!("{slug}/m"), weight });
    let main = AliasConfig { name: "main".into(), targets: targets.collect(), balance, ..AliasConfig::default() };
    let providers = slugs.iter().zip(&upstreams).map(|(slug, upstream)| named(slug, &upstream.url));
    models.configure_all(providers.collect(), vec![main]);
    let all_ready = |models: &Models| models.deployments().iter().all(|one| one.state == ModelState::Ready);
    until(&models, all_ready).await;
    (upstreams, models)
}

/// A chat whose conversation begins with `beginning`.
fn begins(beginning: &str, script: &str) -> Prompt {
    let body = json!({
        "model": "main", "stream": true, "user": format!("mock;{script}"),
        "messages": [{"role": "system", "content": beginning}, {"role": "user", "content": "and now?"}],
    });
    Prompt { model: "main".into(), ..asked(body) }
}

#[tokio::test]
async fn case_24_prefix_aware_keeps_a_prefix_where_it_was_and_does_not_spiral() {
    let (_upstreams, models) = four(Balance::PrefixAware, [1; 4]).await;
    // One after the other: always the same one, for each beginning.
    let mut homes: BTreeMap<usize, String> = BTreeMap::new();
    for round in 0..3 {
        for beginning in 0..12 {
            let prompt = begins(&format!("instructions number {beginning} ").repeat(60), "n=1");
            let reply = models.open(&ME, Errand::default(), prompt, &mut |_| ()).await.expect("an answer");
            let by = reply.route.model.clone();
            hear(reply).await;
            let home = homes.entry(beginning).or_insert_with(|| by.clone());
            assert_eq!(*home, by, "round {round}: it has read this before");
        }
    }
    assert!(homes.values().collect::<std::collections::BTreeSet<_>>().len() >= 3, "{homes:?}");
    // All at once, with one beginning: more than a quarter above the mean goes to nobody.
    let mut replies = Vec::new();
    for _ in 0..48 {
        let prompt = begins(&"the same instructions ".repeat(60), "n=200;itl=5");
        replies.push(models.open(&ME, Errand::default(), prompt, &mut |_| ()).await.expect("an answer"));
    }
    let loads: Vec<usize> = models.deployments().iter().map(|one| one.load).collect();
    println!("48 requests of one beginning on 4 deployments: {loads:?}, mean 12, bound 15");
    assert!(loads.iter().all(|load| *load <= 15) && loads.iter().sum::<usize>() == 48, "{loads:?}");
}

#[tokio::test]
async fn sticky_stays_with_its_deployment_until_that_is_gone() {
    let (upstreams, models) = four(Balance::Sticky, [1; 4]).await;
    let ask = async |conversation: u128| {
        let errand = Errand { conversation: Some(ConversationId(Uuid::from_u128(conversation))), ..Errand::default() };
        let prompt = Prompt { model: "main".into(), ..chat("n=1") };
        let reply = models.open(&ME, errand, prompt, &mut |_| ()).await.expect("an answer");
        let by = reply.route.model.clone();
        hear(reply).await;
        by
    };
    let mut homes = BTreeMap::new();
    for conversation in (0..20).chain(0..20) {
        let by = ask(conversation).await;
        assert_eq!(*homes.entry(conversation).or_insert_with(|| by.clone()), by);
    }
    models.drain("a/m", true);
    for (conversation, home) in &homes {
        let by = ask(*conversation).await;
        assert_eq!(by == *home, home != "a/m", "only those of a/m move: {conversation} from {home} to {by}");
    }
    models.drain("a/m", false);
    for (conversation, home) in &homes {
        assert_eq!(ask(*conversation).await, *home, "and they come back");
    }
    drop(upstreams);
}

#[tokio::test]
async fn weights_are_shares() {
    let (upstreams, models) = four(Balance::Weighted, [1, 2, 5, 0]).await;
    for _ in 0..80 {
        let prompt = Prompt { model: "main".into(), ..chat("n=1") };
        hear(models.open(&ME, Errand::default(), prompt, &mut |_| ()).await.expect("an answer")).await;
    }
    let counts: Vec<u64> = upstreams.iter().map(|upstream| upstream.stats().requests).collect();
    assert!(counts.iter().zip([10, 20, 50, 0]).all(|(count, share)| count.abs_diff(share) <= 1), "{counts:?}");
}

#[tokio::test]
async fn a_cold_engine_gets_no_traffic() {
    let remote = Scripted::start_with("models=m").await;
    let mut options = options();
    options.timeouts.first_token = Duration::from_secs(5);
    let models = Models::new(options, egress());
    models.configure_all(vec![named("a", &remote.url)], vec![alias("main", &["local/tiny", "a/m"])]);
    models.run_workers(vec![scripted_worker("tiny", "workers::player", "load=600")]);
    until(&models, |models| models.state("a/m") == Some(ModelState::Ready)).await;
    let ask = async |script: &str| {
        let prompt = Prompt { model: "main".into(), ..chat(script) };
        let mut notices = Vec::new();
        let reply = models.open(&ME, Errand::default(), prompt, &mut |event| notices.push(event)).await;
        let reply = reply.expect("an answer");
        let by = reply.route.model.clone();
        hear(reply).await;
        (by, notices)
    };
    let mut cold = 0;
    while models.state("local/tiny") != Some(ModelState::Ready) {
        let (by, notices) = ask("n=1").await;
        if models.state("local/tiny") == Some(ModelState::Ready) {
            break;
        }
        assert_eq!((by.as_str(), notices.len()), ("a/m", 0), "the one that is ready answers at once");
        cold += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("{cold} requests while the engine was cold, loading and warming: 0 of them went to it");
    assert!(cold > 5);
    let mut by = Vec::new();
    for _ in 0..4 {
        by.push(ask("n=1").await.0);
    }
    assert!(by.contains(&"local/tiny".to_owned()), "now it takes its part: {by:?}");
    models.shutdown().await;
}

#[tokio::test]
async fn a_provider_that_is_warmed_up_gets_nobody_before_its_first_token() {
    let scripted = Scripted::start_with("models=m;ttft=300").await;
    let models = Models::new(options(), egress());
    models.configure(vec![ProviderConfig { warm_up: true, ..named("a", &scripted.url) }]);
    let mut notices = Vec::new();
    let prompt = Prompt { model: "a/m".into(), ..chat("ttft=0") };
    let reply = models.open(&ME, Errand::default(), prompt, &mut |event| notices.push(event)).await.expect("an answer");
    hear(reply).await;
    assert!(notices.contains(&TurnEvent::Warming { state: ModelState::Warming }), "{notices:?}");
    let asked: Vec<serde_json::Value> =
        scripted.seen().iter().filter(|seen| seen.path.ends_with("completions")).map(|seen| seen.json()).collect();
    assert_eq!(asked[0]["max_tokens"], 1, "first ours, for one token: {asked:?}");
    assert_eq!(asked.len(), 2);
    // After a loss it is warmed up again before anybody is let in.
    scripted.set("status=401");
    models.refresh("a");
    until(&models, |models| matches!(models.state("a/m"), Some(ModelState::Failed { .. }))).await;
    scripted.set("models=m");
    models.refresh("a");
    until(&models, |models| models.state("a/m") == Some(ModelState::Ready)).await;
    assert_eq!(scripted.latest().json()["max_tokens"], 1);
}
