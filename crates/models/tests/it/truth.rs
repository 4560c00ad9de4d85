//! Cases 11 to 16: an ending that is never better than the truth, and a client that leaves.

use std::time::{Duration, Instant};

use domain::{Finish, ModelError};
use futures_util::StreamExt;
use models::Errand;
use models::testing::Scripted;

use crate::{ME, answer, chat, failure, hear, house, open, plain};

#[tokio::test]
async fn case_11_a_cut_stream_ends_in_an_error() {
    for script in ["fault=abort@2", "fault=eof@2"] {
        let heard = answer(script).await;
        assert_eq!(heard.text(), "t0 t1 ", "{script}");
        assert!(matches!(heard.error, Some(ModelError::Cut { .. })), "{script}: {:?}", heard.error);
        assert_eq!(heard.finish(), None, "{script}");
        assert!(!heard.wire.contains("\"stop\"") && !heard.wire.contains("[DONE]"), "{script}");
    }
}

#[tokio::test]
async fn case_11_an_ending_without_done_is_still_an_ending() {
    let heard = answer("fault=nodone").await;
    assert_eq!((heard.finish(), heard.usage()), (Some(Finish::Stop), Some((7, 4))));
}

#[tokio::test]
async fn case_11_an_error_event_after_content_is_an_error() {
    let heard = answer("fault=error@2").await;
    assert_eq!(heard.text(), "t0 t1 ");
    let Some(ModelError::Broken { message, .. }) = heard.error else { unreachable!("{:?}", heard.error) };
    assert_eq!(message, "the script fails here");
}

#[tokio::test]
async fn case_12_an_error_event_before_any_content_fails_the_opening() {
    assert!(matches!(failure("fault=error@0").await, ModelError::Broken { .. }));
    assert!(matches!(failure("fault=eof@0").await, ModelError::Cut { .. }));
    assert!(matches!(failure("fault=abort@0").await, ModelError::Cut { .. }));
}

#[tokio::test]
async fn case_13_after_content_nothing_is_tried_again() {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    let heard = hear(open(&models, chat("fault=abort@1")).await.expect("an answer")).await;
    assert!(heard.error.is_some());
    assert_eq!(scripted.stats().requests, 1);
}

#[tokio::test]
async fn case_14_a_failure_before_the_first_event_is_told_apart() {
    let code = async |script: &str| failure(script).await.code();
    assert_eq!(code("status=401").await, "upstream_refused");
    assert_eq!(code("status=404").await, "model_not_found");
    assert_eq!(code("status=422").await, "request_rejected");
    assert_eq!(code("status=429").await, "upstream_over_limit");
    assert_eq!(code("status=500").await, "upstream_failed");
    assert_eq!(code("fault=drop").await, "cut");
    let ModelError::Rejected { status, message, body, .. } = failure("status=413").await else { unreachable!() };
    assert_eq!((status, message.as_str()), (413, "mock status 413"));
    assert!(body.is_some(), "its own words are kept for a client of the same dialect");
}

/// Leaves once `script` is under way, and returns how long the back end took to notice.
async fn noticed(prompt: domain::Prompt, read_first: bool) -> Duration {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    let left = if read_first {
        let mut reply = open(&models, prompt).await.expect("an answer");
        reply.batches.next().await.expect("a batch").expect("content");
        drop(reply);
        Instant::now()
    } else {
        let mut ignore = |_| ();
        let opening = models.open(&ME, Errand::default(), prompt, &mut ignore);
        let gone = tokio::time::timeout(Duration::from_millis(60), opening).await;
        assert!(gone.is_err(), "it was not to answer");
        Instant::now()
    };
    let stats = scripted.until(|stats| stats.cancelled == 1).await;
    assert_eq!(models.load("mock/m"), 0);
    stats.cancels[0].saturating_duration_since(left)
}

#[tokio::test]
async fn case_15_a_client_that_leaves_mid_stream_is_told_on() {
    for script in ["fault=stall@2", "n=1000;itl=5"] {
        let took = noticed(chat(script), true).await;
        assert!(took < Duration::from_millis(100), "{script}: {took:?}");
    }
}

#[tokio::test]
async fn case_16_the_same_before_the_first_byte_and_for_plain_calls() {
    for prompt in [chat("fault=hang"), chat("fault=stall@0"), plain("fault=hang"), plain("n=10;itl=30")] {
        let took = noticed(prompt, false).await;
        assert!(took < Duration::from_millis(100), "{took:?}");
    }
}
