//! Cases 15 and 16: a client that leaves, and how soon the model hears of it.

use std::time::{Duration, Instant};

use domain::Finish;
use serde_json::json;

use crate::portal::{House, chat};

const AT_MOST: Duration = Duration::from_millis(100);

#[tokio::test]
async fn case_15_a_client_that_leaves_mid_stream_is_told_on() {
    let house = House::open().await;
    for (round, script) in ["fault=stall@2", "n=1000;itl=5", "fault=stall@1", "n=2000;itl=1"].iter().enumerate() {
        let mut wire = house.key.stream(script).await;
        wire.piece().await.expect("the first word");
        drop(wire);
        let left = Instant::now();
        let stats = house.scripted.until(|stats| stats.cancelled == round as u64 + 1).await;
        let took = stats.cancels[round].saturating_duration_since(left);
        assert!(took < AT_MOST, "{script}: {took:?}");
    }
    for row in house.portal.place.usage(4).await {
        assert_eq!(row.finish, Finish::Cancelled, "{row:?}");
    }
}

#[tokio::test]
async fn case_16_the_same_before_the_first_byte_and_without_a_stream() {
    let house = House::open().await;
    let waits = [
        chat("fault=hang", true),
        chat("fault=stall@0", true),
        chat("fault=hang", false),
        chat("n=10;itl=100", false),
        json!({ "model": "mock/m", "prompt": "mock;fault=hang" }),
    ];
    for (round, body) in waits.iter().enumerate() {
        let path = if body.get("prompt").is_some() { "/v1/completions" } else { "/v1/chat/completions" };
        let wire = house.key.send(path, body.to_string().as_bytes()).await;
        house.scripted.until(|stats| stats.requests == round as u64 + 1).await;
        drop(wire);
        let left = Instant::now();
        let stats = house.scripted.until(|stats| stats.cancelled == round as u64 + 1).await;
        let took = stats.cancels[round].saturating_duration_since(left);
        assert!(took < AT_MOST, "{body}: {took:?}");
    }
    let rows = house.portal.place.usage(waits.len()).await;
    assert!(rows.iter().all(|row| row.usage.total().0 == 0), "{rows:?}");
}
