//! Cases 23, 25, 26, 29, 34 as far as one back end goes: clocks, repetitions, counts, reloads.

use std::time::{Duration, Instant};

use domain::{ModelError, TimedOut, TurnEvent};
use futures_util::StreamExt;
use models::testing::Scripted;
use models::{Errand, Options, Timeouts};

use crate::{ME, answer, chat, failure, hear, house, house_with, open, options, plain, provider};

fn clock(error: &ModelError) -> Option<TimedOut> {
    match error {
        ModelError::TimedOut { clock, .. } => Some(*clock),
        _ => None,
    }
}

#[tokio::test]
async fn case_23_the_load_is_counted_until_the_end_a_cancel_or_a_panic() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    let ended = open(&models, chat("")).await.expect("an answer");
    let left = open(&models, chat("fault=stall@1")).await.expect("an answer");
    assert_eq!(models.load("mock/m"), 2);
    hear(ended).await;
    assert_eq!(models.load("mock/m"), 1);
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _held = left;
        panic!("in the middle of an answer");
    }));
    assert!(panicked.is_err());
    assert_eq!(models.load("mock/m"), 0);
    assert!(open(&models, chat("status=500")).await.is_err());
    assert_eq!(models.load("mock/m"), 0);
}

#[tokio::test]
async fn case_25_the_first_token_clock() {
    assert_eq!(clock(&failure("fault=hang").await), Some(TimedOut::FirstToken));
    assert_eq!(clock(&failure("fault=stall@0").await), Some(TimedOut::FirstToken), "a role is no token");
}

#[tokio::test]
async fn case_25_the_idle_clock_begins_with_the_first_token() {
    let slow_start = answer("ttft=500;n=2").await;
    assert!(slow_start.error.is_none(), "{:?}", slow_start.error);
    let stalled = answer("fault=stall@2").await;
    assert_eq!(stalled.error.as_ref().and_then(clock), Some(TimedOut::Idle));
    let steady = answer("n=8;itl=150").await;
    assert!(steady.error.is_none(), "{:?}", steady.error);
}

#[tokio::test]
async fn case_25_the_total_clock() {
    let scripted = Scripted::start().await;
    let timeouts = Timeouts { total: Some(Duration::from_millis(250)), ..options().timeouts };
    let models = house_with(&scripted.url, Options { timeouts, retries: 0, ..options() });
    let heard = hear(open(&models, chat("n=100;itl=20")).await.expect("an answer")).await;
    assert_eq!(heard.error.as_ref().and_then(clock), Some(TimedOut::Total));
    assert_eq!(clock(&open(&models, chat("fault=hang")).await.expect_err("late")), Some(TimedOut::Total));
}

#[tokio::test]
async fn case_25_an_answer_in_one_piece_has_its_own_clock() {
    let scripted = Scripted::start().await;
    let models = house_with(&scripted.url, Options { retries: 0, ..options() });
    let late = open(&models, plain("fault=hang")).await.expect_err("late");
    assert_eq!(clock(&late), Some(TimedOut::Total));
    assert!(open(&models, plain("n=9;itl=100")).await.is_ok(), "longer than the first-token clock, and fine");
}

#[tokio::test]
async fn case_25_the_back_end_is_told_when_a_clock_runs_out() {
    let scripted = Scripted::start().await;
    let models = house_with(&scripted.url, Options { retries: 0, ..options() });
    assert!(open(&models, chat("fault=hang")).await.is_err());
    scripted.until(|stats| stats.cancelled == 1).await;
    let mut reply = open(&models, chat("fault=stall@1")).await.expect("an answer");
    while let Some(next) = reply.batches.next().await {
        if next.is_err() {
            break;
        }
    }
    drop(reply);
    scripted.until(|stats| stats.cancelled == 2).await;
}

#[tokio::test]
async fn case_26_a_fresh_connection_is_used_again() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    for _ in 0..5 {
        hear(open(&models, chat("")).await.expect("an answer")).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The list of models is asked beside the first request.
    let connections = scripted.stats().connections;
    assert!(connections <= 2, "{connections} connections for five answers");
}

#[tokio::test]
async fn case_29_failures_before_the_first_token_are_tried_again() {
    let scripted = Scripted::start_with("failing=2").await;
    let models = house(&scripted.url);
    assert_eq!(hear(open(&models, chat("")).await.expect("the third try")).await.text(), "t0 t1 t2 t3 ");
    assert_eq!(scripted.stats().requests, 3);
    scripted.set("failing=100");
    assert!(matches!(open(&models, chat("")).await, Err(ModelError::Broken { status: Some(500), .. })));
    assert_eq!(scripted.stats().requests, 6, "one and two repetitions");
}

#[tokio::test]
async fn case_29_what_cannot_help_is_not_tried_again() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    // Usage has been accepted once, so that a refusal means the request itself.
    hear(open(&models, chat("")).await.expect("an answer")).await;
    for (requests, status) in [(2, 400), (3, 401), (4, 404), (5, 429)] {
        assert!(open(&models, chat(&format!("status={status}"))).await.is_err());
        assert_eq!(scripted.stats().requests, requests, "{status}");
    }
}

#[tokio::test]
async fn case_29_retry_after_is_honoured_and_told() {
    let scripted = Scripted::start_with("failing=1;retry_after=0.25").await;
    let models = house(&scripted.url);
    let started = Instant::now();
    open(&models, chat("")).await.expect("the second try");
    assert!(started.elapsed() >= Duration::from_millis(250), "{:?}", started.elapsed());

    let ModelError::OverLimit { retry_after, message, .. } = failure("status=429;retry_after=7").await else {
        unreachable!()
    };
    assert_eq!((retry_after, message.as_str()), (Some(Duration::from_secs(7)), "mock status 429"));

    let started = Instant::now();
    let ModelError::Broken { retry_after, .. } = failure("status=503;retry_after=3600").await else { unreachable!() };
    assert_eq!(retry_after, Some(Duration::from_secs(3600)));
    assert!(started.elapsed() < Duration::from_millis(300), "nobody waits an hour");
}

#[tokio::test]
async fn a_loading_model_is_waited_for_and_told() {
    let scripted = Scripted::start_with("loading=2;retry_after=0.05").await;
    let models = house_with(&scripted.url, Options { retries: 0, ..options() });
    let mut notices = Vec::new();
    let reply = models
        .open(&ME, Errand::default(), chat(""), &mut |event| notices.push(event))
        .await
        .expect("ready in the end");
    assert_eq!(hear(reply).await.text(), "t0 t1 t2 t3 ");
    assert_eq!(notices.len(), 2);
    assert!(notices.iter().all(|event| matches!(event, TurnEvent::Warming { .. })), "{notices:?}");

    scripted.set("loading=1000;retry_after=0.05");
    let error = open(&models, chat("")).await.expect_err("it never loads");
    assert!(matches!(error, ModelError::Loading { .. }), "{error:?}");
}

#[tokio::test]
async fn case_34_a_request_keeps_the_snapshot_it_began_with() {
    let (old, new) = (Scripted::start().await, Scripted::start().await);
    let models = house(&old.url);
    let under_way = open(&models, chat("n=20;itl=10")).await.expect("an answer");
    models.configure(vec![provider(&new.url)]);
    hear(open(&models, chat("")).await.expect("an answer")).await;
    assert!(hear(under_way).await.error.is_none());
    assert_eq!((old.stats().completed, new.stats().completed), (1, 1));
    models.configure(Vec::new());
    let gone = open(&models, chat("")).await.expect_err("removed");
    assert!(matches!(gone, ModelError::NoSuchModel { .. }));
}
