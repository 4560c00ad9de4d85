//! Waiting for a place over real sockets: told where one stands, answered in turns, never more under way than may be, and
//! gone without a trace when the client leaves. The queue's own promises are tested beside it.

use std::time::{Duration, Instant};

use domain::testing::somebody;
use domain::{ModelError, ModelState, Prompt, TurnEvent};
use models::testing::Scripted;
use models::{AliasConfig, Errand, Models, Options, ProviderConfig, Waiting};
use tokio_util::task::TaskTracker;

use crate::aliases::{alias, named};
use crate::{ME, chat, egress, hear, options, until};

/// One upstream that gets `most` requests at a time.
async fn house(most: u32, waiting: Waiting) -> (Scripted, Models) {
    let scripted = Scripted::start_with("models=m").await;
    let models = Models::new(Options { waiting, ..options() }, egress());
    models.configure(vec![ProviderConfig { max_concurrent: Some(most), ..named("a", &scripted.url) }]);
    until(&models, |models| models.state("a/m") == Some(ModelState::Ready)).await;
    (scripted, models)
}

async fn ask(models: &Models, person: u128, script: &str, notices: &mut Vec<TurnEvent>) -> Result<String, ModelError> {
    let prompt = Prompt { model: "a/m".into(), ..chat(script) };
    let caller = somebody(person);
    let reply = models.open(&caller, Errand::default(), prompt, &mut |event| notices.push(event)).await?;
    Ok(hear(reply).await.text())
}

#[tokio::test]
async fn who_waits_is_told_where_they_stand_and_is_answered() {
    let (scripted, models) = house(1, Waiting::default()).await;
    let mut first = Vec::new();
    ask(&models, 1, "n=4;itl=20", &mut first).await.expect("an answer");
    assert_eq!(first, [], "nobody waits where there is room");
    let asking = (1..=4).map(|person| {
        let models = models.clone();
        TaskTracker::new().spawn(async move {
            let mut notices = Vec::new();
            let text = ask(&models, person, "n=4;itl=20", &mut notices).await;
            (text, notices)
        })
    });
    let mut longest = 0;
    for asked in futures_util::future::join_all(asking).await {
        let (text, notices) = asked.expect("no panic");
        assert_eq!(text.expect("an answer"), "t0 t1 t2 t3 ");
        let positions: Vec<u32> = notices
            .iter()
            .map(|event| match event {
                TurnEvent::Queued { position, eta_ms } => {
                    assert!(eta_ms.is_some_and(|eta| (20..2_000).contains(&eta)), "{notices:?}");
                    *position
                }
                other => unreachable!("{other:?}"),
            })
            .collect();
        assert!(positions.is_sorted_by(|one, next| one > next), "it only ever gets better: {positions:?}");
        longest = longest.max(positions.len());
    }
    assert_eq!(longest, 3, "the last one was third, second and next");
    assert_eq!((models.load("a/m"), scripted.stats().completed), (0, 5));
}

#[tokio::test]
async fn never_more_are_under_way_than_may_be() {
    let (scripted, models) = house(3, Waiting::default()).await;
    let asking: Vec<_> = (0..24)
        .map(|number| {
            let models = models.clone();
            TaskTracker::new().spawn(async move { ask(&models, number % 5, "n=2;itl=10", &mut Vec::new()).await })
        })
        .collect();
    let mut most = 0;
    while scripted.stats().completed < 24 {
        most = most.max(scripted.stats().active);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(futures_util::future::join_all(asking).await.into_iter().all(|asked| asked.expect("no panic").is_ok()));
    assert_eq!(most, 3);
}

#[tokio::test]
async fn who_leaves_frees_their_place_in_the_queue_and_at_the_model() {
    let (scripted, models) = house(1, Waiting::default()).await;
    let leave = |script: &'static str| {
        let models = models.clone();
        TaskTracker::new().spawn(async move { ask(&models, 1, script, &mut Vec::new()).await })
    };
    let busy = leave("fault=stall@1");
    scripted.until(|stats| stats.active == 1).await;
    let waiting = leave("");
    let waits = |count| move |models: &Models| models.deployments()[0].waiting == count;
    for _ in 0..1_000 {
        if waits(1)(&models) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    waiting.abort();
    let _ = waiting.await;
    assert!(waits(0)(&models), "nobody waits any more");
    assert_eq!(scripted.stats().requests, 1);
    let next = leave("");
    tokio::time::sleep(Duration::from_millis(30)).await;
    let left = Instant::now();
    busy.abort();
    assert_eq!(next.await.expect("no panic").expect("an answer"), "t0 t1 t2 t3 ");
    assert!(left.elapsed() < Duration::from_millis(300), "{:?}", left.elapsed());
}

#[tokio::test]
async fn a_full_queue_and_a_long_wait_are_told_apart_from_a_failure() {
    let waiting = Waiting { most: 1, longest: Duration::from_millis(150), ..Waiting::default() };
    let (scripted, models) = house(1, waiting).await;
    let prompt = Prompt { model: "a/m".into(), ..chat("fault=stall@1") };
    let _busy = models.open(&ME, Errand::default(), prompt, &mut |_| ()).await.expect("an answer");
    let started = Instant::now();
    let (mut none, mut more) = (Vec::new(), Vec::new());
    let waits = ask(&models, 1, "", &mut none);
    let refused = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        ask(&models, 2, "", &mut more).await
    };
    let (late, full) = futures_util::future::join(waits, refused).await;
    for (error, waiting) in [(full.expect_err("full"), 1), (late.expect_err("late"), 1)] {
        let ModelError::Busy { model, waiting: told, .. } = &error else { unreachable!("{error:?}") };
        assert_eq!((model.as_str(), *told, error.code()), ("a/m", waiting, "model_busy"));
    }
    assert!((150..600).contains(&started.elapsed().as_millis()), "{:?}", started.elapsed());
    assert_eq!(scripted.stats().requests, 1);
}

#[tokio::test]
async fn who_waits_at_one_deployment_goes_to_another_that_becomes_ready() {
    let (a, b) = (Scripted::start_with("models=m").await, Scripted::start_with("models=m").await);
    let models = Models::new(options(), egress());
    let one_at_a_time = |slug: &str, url: &str| ProviderConfig { max_concurrent: Some(1), ..named(slug, url) };
    models.configure_all(
        vec![one_at_a_time("a", &a.url), one_at_a_time("b", &b.url)],
        vec![AliasConfig { max_concurrent: Some(8), ..alias("main", &["a/m", "b/m"]) }],
    );
    until(&models, |models| models.deployments().iter().all(|one| one.state == ModelState::Ready)).await;
    models.drain("b/m", true);
    let open = async |script: &str| {
        let prompt = Prompt { model: "main".into(), ..chat(script) };
        models.open(&ME, Errand::default(), prompt, &mut |_| ()).await.expect("an answer")
    };
    let busy = open("fault=stall@1").await;
    assert_eq!(busy.route.model, "a/m");
    let waiting = open("");
    let help = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        models.drain("b/m", false);
    };
    let (reply, ()) = futures_util::future::join(waiting, help).await;
    assert_eq!(reply.route.model, "b/m");
    hear(reply).await;
    drop(busy);
    assert_eq!(models.load("main"), 0);
}

#[tokio::test]
async fn a_configuration_that_changes_keeps_those_who_wait() {
    let (scripted, models) = house(1, Waiting::default()).await;
    let prompt = Prompt { model: "a/m".into(), ..chat("n=20;itl=10") };
    let busy = models.open(&ME, Errand::default(), prompt, &mut |_| ()).await.expect("an answer");
    let mut notices = Vec::new();
    let waiting = ask(&models, 2, "", &mut notices);
    let change = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        models.configure(vec![named("b", &scripted.url)]);
        hear(busy).await
    };
    let (text, _) = futures_util::future::join(waiting, change).await;
    assert_eq!(text.expect("it works with what it began with"), "t0 t1 t2 t3 ");
}
