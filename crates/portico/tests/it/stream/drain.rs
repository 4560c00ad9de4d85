//! Case 33: going down without cutting anybody off, unless told twice.

use std::time::{Duration, Instant};

use domain::Finish;
use rustix::process::Signal;
use serde_json::json;

use crate::portal::{House, Portal, call, chat};

/// Waits until `/readyz` says that the portal is going down, and returns what it says.
async fn draining(portal: &Portal) -> serde_json::Value {
    loop {
        let reply = call(portal.address, "GET", "/readyz", &[], b"").await;
        if reply.status == 503 {
            return reply.json();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn case_33_a_drain_lets_streams_end_and_takes_no_new_ones() {
    let mut house = House::open().await;
    let mut wire = house.key.stream("n=40;itl=40").await;
    wire.piece().await.expect("the first word");
    house.portal.signal(Signal::TERM);

    let ready = draining(&house.portal).await;
    assert_eq!((&ready["ready"], &ready["draining"]), (&json!(false), &json!(true)));
    assert_eq!(call(house.portal.address, "GET", "/livez", &[], b"").await.status, 200);
    let refused = house.key.post("/v1/chat/completions", &chat("", true)).await;
    assert_eq!(refused.header("retry-after"), Some("2"));
    assert_eq!(refused.expect(503)["error"]["code"], "draining");
    let question = json!({ "text": "still there?", "ask_id": "a-question-too-late" });
    assert_eq!(house.owner.call("POST", "/api/turns", Some(&question)).await.expect(503)["code"], "draining");

    let heard = wire.hear().await;
    assert!(heard.is_done() && heard.text().ends_with("t39 "), "{}", heard.wire());
    assert!(house.portal.ended().await.success());
    let rows = house.portal.place.usage(1).await;
    assert_eq!((rows[0].finish, rows[0].usage.completion.0), (Finish::Stop, 40));
}

#[tokio::test]
async fn case_33_a_kept_answer_ends_before_the_portal_does() {
    let mut house = House::open().await;
    let asked = house.owner.ask("mock;n=30;itl=30").await;
    let reading = house.owner.follow(&asked.turn, 0).await;
    house.scripted.until(|stats| stats.active == 1).await;
    house.portal.signal(Signal::TERM);
    draining(&house.portal).await;
    let heard = reading.hear().await;
    let last = heard.events().pop().expect("an end").json();
    assert_eq!((&last["type"], &last["finish"]), (&json!("finished"), &json!("stop")));
    assert!(house.portal.ended().await.success());
    let portal = house.portal.place.start().await;
    let stored = portal.sign_in("owner").await.message(&asked.conversation, &asked.answer).await;
    assert!(
        stored["text"].as_str().is_some_and(|text| text.ends_with("t29 ")) && stored["finish"] == "stop",
        "{stored}"
    );
}

#[tokio::test]
async fn case_33_a_second_signal_ends_at_once_and_what_was_said_is_kept() {
    let mut house = House::open().await;
    let asked = house.owner.ask("mock;fault=stall@3").await;
    let mut reading = house.owner.follow(&asked.turn, 0).await;
    let mut passing = house.key.stream("fault=stall@2").await;
    passing.piece().await.expect("a word");
    let mut seen = String::new();
    while !seen.contains("t2 ") {
        seen.push_str(&String::from_utf8(reading.piece().await.expect("an event")).expect("UTF-8"));
    }
    house.portal.signal(Signal::TERM);
    draining(&house.portal).await;
    // Whatever the reader had seen for 250 ms is on disk; a busy machine's disk gets a little longer.
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let told_again = Instant::now();
    house.portal.signal(Signal::TERM);
    house.portal.ended().await;
    assert!(told_again.elapsed() < Duration::from_secs(2), "{:?}", told_again.elapsed());

    let portal = house.portal.place.start().await;
    let owner = portal.sign_in("owner").await;
    let answer = owner.message(&asked.conversation, &asked.answer).await;
    assert_eq!((&answer["finish"], &answer["text"]), (&json!("interrupted"), &json!("t0 t1 t2 ")));
    let rows = portal.place.usage(2).await;
    assert!(rows.iter().all(|row| matches!(row.finish, Finish::Interrupted | Finish::Cancelled)), "{rows:?}");
}
