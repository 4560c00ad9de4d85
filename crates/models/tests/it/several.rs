//! Cases 12, 13, 14, 22, 27, 28 and 29 with several upstreams: who is asked when one fails, and who is left alone.

use std::time::{Duration, Instant};

use domain::{Batch, ModelError, Reply, TurnEvent};
use futures_util::StreamExt;
use models::testing::Scripted;
use models::{AliasConfig, BreakerState, Errand, Models, Options};
use tokio_util::task::TaskTracker;

use crate::aliases::{alias, named};
use crate::{ME, chat, egress, hear, options, until};

/// Two upstreams, `a` and `b`.
struct Two {
    a: Scripted,
    b: Scripted,
    models: Models,
}

/// Both behind the alias `main`, as equals; and `first`, which falls back from `a` to `b`.
async fn two() -> Two {
    two_with(options()).await
}

async fn two_with(options: Options) -> Two {
    let (a, b) = (Scripted::start_with("models=m").await, Scripted::start_with("models=m").await);
    let models = Models::new(options, egress());
    let first = AliasConfig { fallbacks: vec!["b/m".into()], ..alias("first", &["a/m"]) };
    models.configure_all(vec![named("a", &a.url), named("b", &b.url)], vec![alias("main", &["a/m", "b/m"]), first]);
    let ready = |models: &Models, id| models.state(id) == Some(domain::ModelState::Ready);
    until(&models, |models| ready(models, "a/m") && ready(models, "b/m")).await;
    Two { a, b, models }
}

impl Two {
    async fn ask(&self, model: &str, script: &str) -> Result<Reply, ModelError> {
        self.ask_noting(model, script, &mut |_| ()).await
    }

    async fn ask_noting(
        &self,
        model: &str,
        script: &str,
        notice: &mut (dyn FnMut(TurnEvent) + Send),
    ) -> Result<Reply, ModelError> {
        let prompt = domain::Prompt { model: model.into(), ..chat(script) };
        self.models.open(&ME, Errand::default(), prompt, notice).await
    }

    /// Who answers, heard to the end.
    async fn answered(&self, model: &str) -> String {
        let reply = self.ask(model, "").await.expect("an answer");
        let by = reply.route.model.clone();
        assert_eq!(hear(reply).await.text(), "t0 t1 t2 t3 ");
        by
    }

    fn breaker(&self, id: &str) -> BreakerState {
        self.models.deployments().into_iter().find(|one| one.id == id).expect("a deployment").breaker
    }
}

#[tokio::test]
async fn case_12_an_error_inside_a_200_before_any_content_goes_to_another() {
    let two = two().await;
    for fault in ["fault=error@0", "fault=eof@0", "fault=abort@0", "fault=drop", "status=500", "status=404"] {
        two.a.set(fault);
        let mut notices = Vec::new();
        let reply = two.ask_noting("first", "", &mut |event| notices.push(event)).await.expect(fault);
        assert_eq!((reply.route.model.as_str(), reply.route.provider.as_str()), ("b/m", "b"), "{fault}");
        assert_eq!(hear(reply).await.text(), "t0 t1 t2 t3 ");
        let [TurnEvent::FellBack { from, to, code }] = notices.as_slice() else { unreachable!("{notices:?}") };
        assert_eq!((from.as_str(), to.as_str()), ("first", "b/m"));
        assert!(["upstream_failed", "cut", "model_not_found"].contains(&code.as_ref()), "{fault}: {code}");
        assert_eq!(two.answered("main").await, "b/m", "{fault}: and so it does among equals");
    }
}

#[tokio::test]
async fn case_13_after_content_no_other_is_asked() {
    let two = two().await;
    for fault in ["fault=abort@1", "fault=eof@2", "fault=error@2", "fault=stall@1"] {
        two.a.set(fault);
        let before = two.b.stats().requests;
        let heard = hear(two.ask("first", "").await.expect(fault)).await;
        assert!(heard.error.is_some() && heard.finish().is_none(), "{fault}: {heard:?}");
        assert_eq!(two.b.stats().requests, before, "{fault}");
    }
}

#[tokio::test]
async fn case_14_where_nobody_answers_the_reason_of_the_first_is_told() {
    let two = two_with(Options { retries: 0, ..options() }).await;
    two.a.set("status=503");
    two.b.set("status=401");
    let error = two.ask("first", "").await.expect_err("nobody answers");
    assert!(matches!(error, ModelError::Broken { status: Some(503), .. }), "{error:?}");
    assert_eq!((two.a.stats().requests, two.b.stats().requests), (1, 1));
}

#[tokio::test]
async fn fallbacks_are_asked_in_their_order_and_each_once() {
    let two = two_with(Options { retries: 0, ..options() }).await;
    let chain = |name: &str, target: &str, fallbacks: &[&str]| AliasConfig {
        fallbacks: fallbacks.iter().map(|name| (*name).to_owned()).collect(),
        ..alias(name, &[target])
    };
    two.models.alias(vec![
        chain("one", "a/m", &["two", "gone", "b/m"]),
        chain("two", "a/m", &["one", "two", "three"]),
        chain("three", "a/m", &["one"]),
    ]);
    two.a.set("status=500");
    let mut way = Vec::new();
    let mut note = |event| match event {
        TurnEvent::FellBack { from, to, .. } => way.push(format!("{from} {to}")),
        other => unreachable!("{other:?}"),
    };
    let reply = two.ask_noting("one", "", &mut note).await.expect("the last of them answers");
    assert_eq!(reply.route.model, "b/m");
    assert_eq!(way, ["one two", "two three", "three b/m"]);
    two.b.set("status=500");
    assert!(two.ask("one", "").await.is_err());
}

#[tokio::test]
async fn a_request_that_is_wrong_is_wrong_everywhere() {
    let two = two().await;
    two.answered("first").await;
    let before = (two.a.stats().requests, two.b.stats().requests);
    let error = two.ask("first", "status=422").await.expect_err("wrong");
    assert!(matches!(error, ModelError::Rejected { status: 422, .. }), "{error:?}");
    assert_eq!((two.a.stats().requests + two.b.stats().requests), before.0 + before.1 + 1, "nobody else is asked");
}

#[tokio::test]
async fn case_22_a_place_is_held_until_the_stream_ends() {
    let two = two().await;
    let mut replies = Vec::new();
    for _ in 0..6 {
        replies.push(two.ask("main", "n=30;itl=5").await.expect("an answer"));
    }
    let loads: Vec<usize> = two.models.deployments().iter().map(|one| one.load).collect();
    assert_eq!(loads, [3, 3], "least busy means under way, not begun");
    futures_util::future::join_all(replies.into_iter().map(hear)).await;
    assert_eq!(two.models.load("main"), 0);
}

#[tokio::test]
async fn case_27_one_dead_back_end_never_blocks_the_others() {
    // One that accepts and says nothing: the worst kind.
    let two = two().await;
    two.a.set("fault=hang");
    let hanging: Vec<_> = (0..4).map(|_| two.ask("a/m", "")).collect();
    let hanging = futures_util::future::join_all(hanging);
    let answering = async {
        let started = Instant::now();
        for _ in 0..20 {
            assert_eq!(two.answered("b/m").await, "b/m");
        }
        started.elapsed()
    };
    let (hung, took) = futures_util::future::join(hanging, answering).await;
    assert!(hung.iter().all(Result::is_err));
    assert!(took < Duration::from_millis(700), "the others never waited for it: {took:?}");

    // One that is not there at all: found once, then asked last.
    let Two { a, models, b, .. } = two;
    a.set("");
    drop(a);
    let two = Two { a: Scripted::start().await, b, models };
    let started = Instant::now();
    for _ in 0..50 {
        assert_eq!(two.answered("main").await, "b/m");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
}

#[tokio::test]
async fn case_28_the_breaker_counts_what_the_back_end_does_wrong_and_nothing_else() {
    let two = two_with(Options { retries: 0, ..options() }).await;
    for status in [400, 404, 413, 422] {
        for _ in 0..10 {
            let _ = two.ask("a/m", &format!("status={status}")).await;
        }
    }
    assert_eq!(two.breaker("a/m"), BreakerState::Closed, "a client's mistakes are no failures");
    for _ in 0..5 {
        assert!(two.ask("a/m", "status=500").await.is_err());
    }
    assert_eq!(two.breaker("a/m"), BreakerState::Open);
    let before = two.a.stats().requests;
    for _ in 0..10 {
        assert_eq!(two.answered("main").await, "b/m");
    }
    assert_eq!(two.a.stats().requests, before, "others are asked meanwhile");
    assert_eq!(two.answered("a/m").await, "a/m", "the last back end stays half open");
    assert_eq!(two.breaker("a/m"), BreakerState::Closed, "and is well again");
}

#[tokio::test]
async fn case_28_an_open_breaker_lets_one_trial_through() {
    let two = two_with(Options { retries: 0, ..options() }).await;
    two.a.set("status=500");
    for _ in 0..5 {
        assert!(two.ask("a/m", "").await.is_err());
    }
    two.a.set("");
    let before = two.a.stats().requests;
    tokio::time::sleep(Duration::from_millis(2_050)).await;
    assert_eq!(two.breaker("a/m"), BreakerState::HalfOpen);
    let mut by = Vec::new();
    for _ in 0..6 {
        by.push(two.answered("main").await);
    }
    assert!(by.iter().any(|by| by == "a/m"), "{by:?}");
    assert!(two.a.stats().requests > before);
    assert_eq!(two.breaker("a/m"), BreakerState::Closed);
}

#[tokio::test]
async fn case_28_over_its_limit_it_is_left_alone_for_as_long_as_it_says() {
    let two = two().await;
    two.a.set("status=429;retry_after=0.4");
    two.b.set("");
    for _ in 0..8 {
        assert_eq!(two.answered("main").await, "b/m");
    }
    assert_eq!(two.a.stats().requests, 1, "it was asked once, and said when to come again");
    assert_eq!(two.breaker("a/m"), BreakerState::Cooling);
    assert!(matches!(two.ask("a/m", "").await, Err(ModelError::OverLimit { .. })));
    assert!(two.a.stats().requests > 1, "alone, it stays half open and says so itself");
    tokio::time::sleep(Duration::from_millis(450)).await;
    two.a.set("");
    let mut by = Vec::new();
    for _ in 0..4 {
        by.push(two.answered("main").await);
    }
    assert!(by.iter().any(|by| by == "a/m"), "{by:?}");
}

#[tokio::test]
async fn case_28_the_state_is_looked_at_again_between_tries() {
    // Both fail; while the request pauses, `a` is told to be left alone by another request. It must not be asked again then.
    let two = two().await;
    two.a.set("status=500;retry_after=0.3");
    two.b.set("status=500;retry_after=0.3");
    let waiting = two.ask("main", "");
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        two.a.set("status=429;retry_after=30");
        let over = two.ask("a/m", "").await.expect_err("over its limit");
        assert!(matches!(over, ModelError::OverLimit { .. }), "{over:?}");
        two.b.set("");
        two.a.stats().requests
    };
    let (reply, asked) = futures_util::future::join(waiting, meanwhile).await;
    assert_eq!(reply.expect("b is well again").route.model, "b/m");
    assert_eq!(two.a.stats().requests, asked, "what is cooling is not asked");
}

#[tokio::test]
async fn case_29_a_pause_that_is_told_is_kept_and_a_spent_quota_is_not_tried_again() {
    let two = two().await;
    two.a.set("status=429;retry_after=0.3");
    let started = Instant::now();
    let waiting = two.ask("a/m", "");
    let mend = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        two.a.set("");
    };
    let (reply, ()) = futures_util::future::join(waiting, mend).await;
    reply.expect("it was asked again when it had said");
    assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());
    assert_eq!(two.a.stats().requests, 2);

    two.a.set("status=429;retry_after=0.1;code=insufficient_quota");
    let before = two.a.stats().requests;
    let error = two.ask("a/m", "").await.expect_err("spent");
    let ModelError::OverLimit { retry_after, body, .. } = error else { unreachable!("{error:?}") };
    assert_eq!(retry_after, Some(Duration::from_millis(100)), "it is forwarded");
    assert!(body.is_some_and(|body| body.windows(18).any(|part| part == b"insufficient_quota")));
    assert_eq!(two.a.stats().requests, before + 1);
    assert_eq!(two.answered("first").await, "b/m", "but another may have some left");
}

#[tokio::test]
async fn one_of_two_is_killed_no_failure_before_the_first_byte_and_an_explicit_error_after_it() {
    let two = two().await;
    let mut under_way = Vec::new();
    for _ in 0..20 {
        under_way.push(two.ask("main", "n=200;itl=5").await.expect("an answer"));
    }
    let of_a = under_way.iter().filter(|reply| reply.route.model == "a/m").count();
    assert_eq!(of_a, 10);
    let Two { a, b, models } = two;
    let killer = TaskTracker::new().spawn(async move {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(a);
    });
    // Those that come while it dies, and after.
    let mut later = Vec::new();
    for number in 0..100 {
        let prompt = domain::Prompt { model: "main".into(), ..chat("n=3") };
        let reply = models.open(&ME, Errand::default(), prompt, &mut |_| ()).await;
        later.push(reply.unwrap_or_else(|error| unreachable!("request {number}: {error}")));
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
    killer.await.expect("killed");
    let (mut whole, mut cut) = (0, 0);
    for mut reply in under_way {
        let by = reply.route.model.clone();
        let mut last = None;
        while let Some(next) = reply.batches.next().await {
            last = Some(next);
        }
        match (by.as_str(), last) {
            ("b/m", Some(Ok(Batch { .. }))) => whole += 1,
            ("a/m", Some(Err(ModelError::Cut { .. }))) => cut += 1,
            (by, last) => unreachable!("{by}: {last:?}"),
        }
    }
    let answered = later.len();
    println!(
        "one of two killed: {answered} of 100 that came meanwhile opened; under way: {whole} whole, {cut} explicit errors"
    );
    assert_eq!((answered, whole, cut), (100, 10, 10));
    drop(b);
}

#[tokio::test]
async fn a_deployment_that_is_drained_finishes_what_it_has_and_gets_nothing_new() {
    let two = two().await;
    let under_way = two.ask("a/m", "n=40;itl=5").await.expect("an answer");
    assert!(two.models.drain("a/m", true) && !two.models.drain("c/m", true));
    let before = two.a.stats().requests;
    for _ in 0..6 {
        assert_eq!(two.answered("main").await, "b/m");
    }
    let alone = two.ask("a/m", "").await.expect_err("it takes nothing new");
    assert!(matches!(alone, ModelError::Busy { .. }), "{alone:?}");
    assert_eq!(two.answered("first").await, "b/m");
    assert!(hear(under_way).await.error.is_none());
    assert_eq!(two.a.stats().requests, before);
    two.models.drain("a/m", false);
    assert_eq!(two.answered("a/m").await, "a/m");
}

#[tokio::test]
async fn a_provider_that_is_switched_off_finishes_what_it_has_and_gets_nothing_new() {
    let two = two().await;
    let under_way = two.ask("a/m", "n=40;itl=5").await.expect("an answer");
    let off = models::ProviderConfig { enabled: false, ..named("a", &two.a.url) };
    two.models.configure(vec![off, named("b", &two.b.url)]);
    for _ in 0..4 {
        assert_eq!(two.answered("main").await, "b/m");
    }
    assert!(matches!(two.ask("a/m", "").await, Err(ModelError::NoSuchModel { .. })));
    assert!(hear(under_way).await.error.is_none());
    assert_eq!(two.a.stats().requests, 1);
}
