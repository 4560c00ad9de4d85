//! Asking, following, leaving, coming back and stopping.

use std::time::Instant;

use domain::Finish;
use serde_json::{Value, json};

use crate::portal::{House, ask_id, told};

#[tokio::test]
async fn a_question_is_answered_event_by_event() {
    let house = House::open().await;
    let id = ask_id();
    let body = json!({ "text": "mock;n=3;itl=20", "ask_id": id });
    let asked = house.owner.try_ask(body).await.expect(202);
    let (question, answer) = (&asked["question"], &asked["answer"]);
    assert_eq!((&question["author"], &question["text"]), (&json!("user"), &json!("mock;n=3;itl=20")));
    assert_eq!((&answer["author"], &answer["finish"]), (&json!("assistant"), &Value::Null));
    assert_eq!((&answer["parent"], &answer["turn"]), (&question["id"], &asked["turn"]));
    assert_eq!(asked["conversation"]["title"], "mock;n=3;itl=20");
    assert_eq!(asked["conversation"]["running"], json!([asked["turn"]]));

    let events = house.owner.events(asked["turn"].as_str().expect("an id")).await;
    let ids: Vec<u64> = events.iter().filter_map(|event| event.id).collect();
    assert!(ids.len() == events.len() && ids.is_sorted(), "{ids:?}");
    assert_eq!(told(&events), "t0 t1 t2 ");
    let all: Vec<Value> = events.iter().map(|event| event.json()).collect();
    assert_eq!(all[0], json!({ "type": "started", "turn": asked["turn"], "model": "mock/m" }));
    let used = &all[all.len() - 2];
    let usage = json!({ "prompt": 7, "completion": 3, "cached": 0, "reasoning": 0, "reported": true });
    assert_eq!((&used["type"], &used["usage"]), (&json!("used"), &usage));
    let finished = &all[all.len() - 1];
    assert_eq!(
        (&finished["type"], &finished["finish"], &finished["failure"]),
        (&json!("finished"), &json!("stop"), &Value::Null)
    );
    let stored = house
        .owner
        .message(asked["conversation"]["id"].as_str().expect("an id"), answer["id"].as_str().expect("an id"))
        .await;
    assert_eq!(finished["message"], stored, "the last event carries what was stored");
    assert_eq!((&stored["text"], &stored["usage"]), (&json!("t0 t1 t2 "), &usage));
    assert!(stored["ttft_ms"].is_u64() && stored["tpot_ms"].is_f64(), "{stored}");
    assert_eq!(house.owner.used().await, 10);
}

#[tokio::test]
async fn a_reader_leaves_and_resumes_by_event_id_and_misses_nothing() {
    let house = House::open().await;
    let asked = house.owner.ask("mock;n=40;itl=20").await;
    let mut first = house.owner.follow(&asked.turn, 0).await;
    let mut seen = Vec::new();
    while told(&seen).len() < 12 {
        let piece = String::from_utf8(first.piece().await.expect("an event")).expect("UTF-8");
        seen.extend(crate::portal::events_of(&piece));
    }
    drop(first);
    let last = seen.last().and_then(|event| event.id).expect("an id");
    let rest = house.owner.resume(&asked.turn, last).await;
    assert!(rest[0].id.expect("an id") > last);
    let expected: String = (0..40).map(|n| format!("t{n} ")).collect();
    assert_eq!(told(&seen) + &told(&rest), expected, "no word twice, none lost");
    assert_eq!(house.scripted.stats().cancelled, 0, "a reader that leaves ends nothing");

    let end = rest.last().and_then(|event| event.id).expect("an id");
    assert_eq!(house.owner.resume(&asked.turn, end).await, [], "who has seen the end is told nothing");
    assert_eq!(told(&house.owner.events(&asked.turn).await), expected, "a late reader gets it whole");
}

#[tokio::test]
async fn several_readers_see_the_same_and_one_of_them_stops_it_for_all() {
    let house = House::open().await;
    let elsewhere = house.portal.sign_in("owner").await;
    let asked = house.owner.ask("mock;fault=stall@3").await;
    let (mut here, there) = (house.owner.follow(&asked.turn, 0).await, elsewhere.follow(&asked.turn, 0).await);
    let mut seen = String::new();
    while !seen.contains("t2 ") {
        seen.push_str(&String::from_utf8(here.piece().await.expect("an event")).expect("UTF-8"));
    }
    let pressed = Instant::now();
    elsewhere.do_it("POST", &format!("/api/turns/{}/stop", asked.turn)).await;
    let stats = house.scripted.until(|stats| stats.cancelled == 1).await;
    let took = stats.cancels[0].saturating_duration_since(pressed);
    assert!(took.as_millis() < 200, "the model hears of it in {took:?}");
    let (here, there) = (here.hear().await.events(), there.hear().await.events());
    assert_eq!(here.last(), there.last());
    let end = there.last().expect("an end").json();
    assert_eq!(
        (&end["type"], &end["finish"], &end["message"]["text"]),
        (&json!("finished"), &json!("stopped"), &json!("t0 t1 t2 "))
    );
    // Stopping what has ended changes nothing.
    house.owner.do_it("POST", &format!("/api/turns/{}/stop", asked.turn)).await;
    let rows = house.portal.place.usage(1).await;
    assert_eq!((rows[0].finish, rows[0].usage.completion.0), (Finish::Stopped, 3));
}

#[tokio::test]
async fn asking_twice_with_one_ask_id_asks_once() {
    let house = House::open().await;
    let body = json!({ "text": "mock;n=2", "ask_id": ask_id() });
    let (first, second) = tokio::join!(house.owner.try_ask(body.clone()), house.owner.try_ask(body.clone()));
    let (first, second) = (first.expect(202), second.expect(202));
    assert_eq!(first["turn"], second["turn"]);
    house.owner.events(first["turn"].as_str().expect("an id")).await;
    let third = house.owner.try_ask(body).await.expect(202);
    assert_eq!((&third["turn"], &third["answer"]["text"]), (&first["turn"], &json!("t0 t1 ")));
    assert_eq!(house.scripted.stats().requests, 1);
    let list = house.owner.get("/api/conversations").await;
    assert_eq!(list["items"].as_array().expect("items").len(), 1);
}

#[tokio::test]
async fn a_failure_is_an_event_with_its_reason_and_the_text_stays() {
    let house = House::open_with("[retries]\nbefore_first_token = 0").await;
    for (script, text, code) in [("mock;status=500", "", "upstream_failed"), ("mock;fault=abort@2", "t0 t1 ", "cut")] {
        let asked = house.owner.ask(script).await;
        let end = house.owner.events(&asked.turn).await.pop().expect("an end").json();
        assert_eq!((&end["finish"], &end["failure"]["code"]), (&json!("failed"), &json!(code)), "{script}");
        let stored = house.owner.message(&asked.conversation, &asked.answer).await;
        assert_eq!((&stored["text"], &stored["failure"]["code"]), (&json!(text), &json!(code)), "{script}");
    }
}

#[tokio::test]
async fn case_05_a_silent_kept_answer_has_heartbeats_too() {
    let house = House::open().await;
    let asked = house.owner.ask("mock;n=2;itl=10300").await;
    let heard = house.owner.follow(&asked.turn, 0).await.hear().await;
    let wire = heard.wire();
    assert!(wire.matches(": ping\n").count() == 1 && wire.contains("\n\n: ping\nid: "), "{wire}");
    assert_eq!(told(&heard.events()), "t0 t1 ");
    assert_eq!(heard.header("x-accel-buffering"), Some("no"));
    assert_eq!(heard.header("cache-control"), Some("no-cache, no-transform"));
}
