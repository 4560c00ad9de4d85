//! Case 25: the four clocks, as the client hears of them.

use std::time::{Duration, Instant};

use crate::portal::{House, chat};

const QUICK: &str =
    "[timeouts]\nfirst_token_ms = 600\nidle_ms = 250\ntotal_ms = 1500\n[retries]\nbefore_first_token = 0";

#[tokio::test]
async fn case_25_no_first_token_in_time_is_a_real_status() {
    let house = House::open_with(QUICK).await;
    let began = Instant::now();
    for script in ["fault=hang", "fault=stall@0"] {
        let error = house.key.post("/v1/chat/completions", &chat(script, true)).await.expect(504);
        assert_eq!(error["error"]["code"], "timed_out", "{script}");
    }
    assert!((1_100..3_000).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    house.scripted.until(|stats| stats.cancelled == 2).await;
}

#[tokio::test]
async fn case_25_the_clock_between_tokens_begins_with_the_first() {
    let house = House::open_with(QUICK).await;
    let slow_start = house.key.hear("ttft=450").await;
    assert!(slow_start.is_done(), "{}", slow_start.wire());
    let heard = house.key.hear("fault=stall@2").await;
    assert_eq!(
        (heard.text().as_str(), heard.error().as_deref(), heard.is_done()),
        ("t0 t1 ", Some("timed_out"), false)
    );
    house.scripted.until(|stats| stats.cancelled == 1).await;
}

#[tokio::test]
async fn case_25_the_clock_of_the_whole_answer() {
    let house = House::open_with(QUICK).await;
    let began = Instant::now();
    let heard = house.key.hear("n=1000;itl=20").await;
    assert_eq!((heard.status, heard.error().as_deref(), heard.is_done()), (200, Some("timed_out"), false));
    let took = began.elapsed();
    assert!(took > Duration::from_millis(1_400) && took < Duration::from_millis(3_000), "{took:?}");
}
