//! Two portals on one PostgreSQL, each a process of its own: a turn that one writes is followed and stopped through the other, what is
//! configured at one is in force at both, and when one is killed its answers are marked interrupted by the one that lives.

use std::time::{Duration, Instant};

use models::testing::Scripted;
use serde_json::{Value, json};

use crate::aliases::on_postgres;
use crate::portal::{Asked, Event, Person, Place, Portal, call, told};

const SECRET: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Two portals and the owner at each. `None` without a PostgreSQL.
async fn two(name: &str, provider: &str) -> Option<(Scripted, [Portal; 2], [Person; 2])> {
    let database = on_postgres(name).await?;
    let scripted = Scripted::start_with("models=m").await;
    let place = || {
        let place = Place::new(&scripted, "");
        let model =
            format!("[[provider]]\nslug = \"mock\"\nname = \"Mock\"\nbase_url = \"{}\"\n{provider}", scripted.url);
        place.write(&format!("{database}\n{model}\n[[provider.model]]\nname = \"m\"\n"));
        place
    };
    // What is sealed at one is opened at the other.
    let env = [("PORTICO_SECRET_KEY", SECRET)];
    let mut one = place().start_with(&env).await;
    let owner = one.own().await;
    let two = place().start_with(&env).await;
    // One sign-in is good at both: a load balancer may send every request elsewhere.
    let there = Person { address: two.address, ..owner.clone() };
    Some((scripted, [one, two], [owner, there]))
}

/// Asks until it is as it should be.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(40), "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn last(events: &[Event]) -> Value {
    events.last().expect("an end").json()
}

#[tokio::test]
async fn a_turn_of_one_portal_is_followed_resumed_and_stopped_through_the_other() {
    let Some((_scripted, _portals, [here, there])) = two("followed", "").await else { return };
    let asked = here.ask("mock;n=60;itl=20").await;
    let (seen_here, seen_there) = tokio::join!(here.events(&asked.turn), there.events(&asked.turn));
    let whole: String = (0..60).map(|n| format!("t{n} ")).collect();
    assert_eq!((told(&seen_here), told(&seen_there)), (whole.clone(), whole.clone()));
    let pieces = seen_there.iter().filter(|event| event.json()["type"] == "delta").count();
    assert!(pieces > 2, "it came as it was written, not at the end: {pieces}");
    assert_eq!(last(&seen_there)["message"]["text"], json!(whole));
    assert_eq!(last(&seen_there)["finish"], "stop");
    let ids: Vec<u64> = seen_there.iter().filter_map(|event| event.id).collect();
    assert!(ids.is_sorted(), "{ids:?}");

    // The connection broke in the middle, and the load balancer sent it elsewhere: what is told again is whole.
    let asked = here.ask("mock;n=60;itl=20").await;
    until("the first words are stored", async || {
        !here.message(&asked.conversation, &asked.answer).await["text"].as_str().unwrap_or_default().is_empty()
    })
    .await;
    let resumed = there.resume(&asked.turn, 2).await;
    let first = resumed.first().expect("an event").json();
    let text = format!("{}{}", first["text"].as_str().expect("text"), told(&resumed));
    assert_eq!((first["type"].as_str(), text), (Some("snapshot"), whole));

    let asked = here.ask("mock;n=2000;itl=20").await;
    until("words", async || {
        !there.message(&asked.conversation, &asked.answer).await["text"].as_str().unwrap_or_default().is_empty()
    })
    .await;
    let began = Instant::now();
    there.do_it("POST", &format!("/api/turns/{}/stop", asked.turn)).await;
    let stopped = there.events(&asked.turn).await;
    assert_eq!(last(&stopped)["finish"], "stopped", "{:?}", last(&stopped));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(here.message(&asked.conversation, &asked.answer).await["finish"], "stopped");
    // A second question on the branch is answered by the other portal.
    let next = there.ask_on(&asked, "mock;n=3").await;
    assert_eq!(told(&there.events(&next.turn).await), "t0 t1 t2 ");
}

#[tokio::test]
async fn what_is_configured_at_one_portal_is_in_force_at_the_other() {
    let Some((scripted, [_one, two], [here, there])) = two("configured", "").await else { return };
    let alias = json!({ "name": "main", "targets": [{ "model": "mock/m" }] });
    here.post("/api/aliases", &alias).await;
    let has =
        |models: &Value, id: &str| models["models"].as_array().is_some_and(|all| all.iter().any(|one| one["id"] == id));
    until("the alias at the other portal", async || has(&there.get("/api/models").await, "main")).await;
    let provider = json!({ "name": "more", "kind": "openai", "base_url": scripted.url, "api_key": "k", "enabled": true, "models": [{ "name": "m" }] });
    let made = here.call("POST", "/api/providers", Some(&provider)).await;
    assert!(made.status < 300, "{}", made.text());
    until("the provider at the other portal", async || has(&there.get("/api/models").await, "more/m")).await;

    // A key made here opens the door there, and revoked here it is shut there.
    let made = here.post("/api/keys", &json!({ "name": "k" })).await;
    let key = made["key"].as_str().expect("a key").to_owned();
    let bearer = format!("Bearer {key}");
    let ask = async || call(two.address, "GET", "/v1/models", &[("authorization", &bearer)], b"").await.status;
    until("the key at the other portal", async || ask().await == 200).await;
    let id = made["id"].as_str().or(made["row"]["id"].as_str()).expect("an id").to_owned();
    let gone = here.call("DELETE", &format!("/api/keys/{id}"), None).await;
    assert!(gone.status < 300, "{}", gone.text());
    until("the key shut at the other portal", async || ask().await == 401).await;
}

#[tokio::test]
async fn tokens_that_one_portal_booked_count_at_the_other() {
    let Some((_scripted, _portals, [here, there])) = two("booked", "").await else { return };
    here.ask_and_wait("mock;n=50").await;
    let used = here.used().await;
    assert!(used > 0);
    until("what was booked", async || there.used().await == used).await;
}

#[tokio::test]
async fn the_limit_of_a_back_end_is_shared() {
    let Some((scripted, _portals, [here, there])) = two("shared", "max_concurrent = 2\n").await else { return };
    let limit = async |person: &Person| person.get("/api/deployments").await[0]["limit"].as_u64();
    until("a share each", async || limit(&here).await == Some(1) && limit(&there).await == Some(1)).await;
    let mut asked: Vec<(Person, Asked)> = Vec::new();
    for _ in 0..3 {
        for person in [&here, &there] {
            asked.push((person.clone(), person.ask("mock;n=20;itl=10").await));
        }
    }
    let mut most = 0;
    for (person, asked) in &asked {
        let events = person.events(&asked.turn).await;
        most = most.max(scripted.stats().active);
        assert_eq!(last(&events)["finish"], "stop");
    }
    assert!(most <= 2, "{most} at a time, where 2 fit");
}

#[tokio::test]
async fn a_portal_that_is_killed_loses_only_what_it_was_writing() {
    let Some((_scripted, [one, two], [here, there])) = two("killed", "").await else { return };
    let done = here.ask_and_wait("mock;n=3").await;
    let lost = here.ask("mock;n=2000;itl=20").await;
    let kept = there.ask("mock;n=400;itl=20").await;
    until("words", async || {
        there.message(&lost.conversation, &lost.answer).await["text"].as_str().is_some_and(|text| text.len() > 20)
    })
    .await;
    let reader = there.clone();
    let (turn, other) = (lost.turn.clone(), kept.turn.clone());
    let reading = async { reader.events(&turn).await };
    let going_on = async { there.events(&other).await };
    let killing = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        one.kill().await;
    };
    let (events, others, ()) = tokio::join!(reading, going_on, killing);
    // Its reader at the other portal learns of the end.
    let end = last(&events);
    assert_eq!((&end["finish"], &end["failure"]["code"]), (&json!("interrupted"), &json!("interrupted")), "{end}");
    let text = end["message"]["text"].as_str().expect("text");
    assert!(text.starts_with("t0 t1 ") && told(&events).starts_with(&text[..20]), "{text}");
    assert_eq!(last(&others)["finish"], "stop", "the other portal's own answer is whole");
    assert_eq!(there.message(&done.conversation, &done.answer).await["text"], "t0 t1 t2 ");
    let after = there.ask_on(&lost, "mock;n=2").await;
    assert_eq!(told(&there.events(&after.turn).await), "t0 t1 ");
    assert!(two.place.log().contains("another portal is gone"), "{}", two.place.log());
}
