//! Cases 17 to 22, on the daily token limit: what is counted, what is held, and what is given back.

use std::time::{Duration, Instant};

use domain::Finish;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::portal::{House, chat};

/// A request whose answer may have `most` tokens. The scripted model counts 7 for the prompt; the house estimates 8.
fn at_most(script: &str, most: u32, stream: bool) -> Value {
    let mut body = chat(script, stream);
    body["max_tokens"] = json!(most);
    body
}

fn limited(tokens: u32) -> String {
    format!("[limits]\ndaily_tokens_per_person = {tokens}\n[retries]\nbefore_first_token = 0")
}

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn case_17_the_usage_of_an_aborted_stream_is_recorded() {
    let house = House::open().await;
    let mut wire = house.key.stream("fault=stall@3").await;
    let mut seen = String::new();
    while !seen.contains("t2 ") {
        seen.push_str(&String::from_utf8(wire.piece().await.expect("a word")).expect("UTF-8"));
    }
    let turn = crate::portal::header(&wire.headers, "x-portico-turn").expect("the turn").to_owned();
    drop(wire);
    let rows = house.portal.place.usage(1).await;
    let row = &rows[0];
    assert_eq!((row.turn.to_string(), row.door.as_str(), row.model.as_str()), (turn, "openai.chat", "mock/m"));
    assert_eq!((row.finish, row.failure.as_deref()), (Finish::Cancelled, None));
    assert_eq!((row.usage.prompt.0, row.usage.completion.0, row.usage.reported), (8, 3, false));
    assert_eq!(house.owner.used().await, 11);
}

#[tokio::test]
async fn case_18_nothing_is_charged_where_nothing_was_delivered() {
    let house = House::open_with("[retries]\nbefore_first_token = 0").await;
    for script in ["status=500", "fault=error@0", "fault=eof@0", "fault=drop"] {
        assert_ne!(house.key.hear(script).await.status, 200, "{script}");
    }
    for (round, stream) in [true, false].into_iter().enumerate() {
        let wire = house.key.send(CHAT, chat("fault=hang", stream).to_string().as_bytes()).await;
        house.scripted.until(|stats| stats.requests == 5 + round as u64).await;
        drop(wire);
    }
    let rows = house.portal.place.usage(6).await;
    assert!(rows.iter().all(|row| row.usage.total().0 == 0), "{rows:?}");
    assert_eq!(house.owner.used().await, 0);
}

#[tokio::test]
async fn case_19_counting_a_long_prompt_holds_nobody_up() {
    let house = House::open().await;
    let mut long = chat("n=1", false);
    long["messages"][0]["content"] = "long, 很长, ".repeat(400_000).into();
    let long = long.to_string().into_bytes();
    let mut big = JoinSet::new();
    let key = house.key.clone();
    big.spawn(async move {
        for _ in 0..3 {
            key.send(CHAT, &long).await.reply().await.expect(200);
        }
    });
    let mut took = Vec::new();
    let answered = loop {
        if let Some(answered) = big.try_join_next() {
            break answered;
        }
        let began = Instant::now();
        house.key.ask("n=1").await.expect(200);
        took.push(began.elapsed());
    };
    answered.expect("the long ones are answered");
    took.sort();
    let (asked, slowest) = (took.len(), took[took.len() - 1]);
    assert!(asked > 3, "{asked} small requests beside three long ones");
    assert!(took[asked / 2] < Duration::from_millis(250) && slowest < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn case_20_there_is_no_race_between_check_and_spend() {
    // 28 tokens are held for each, 27 are used: 35 fit at once, and what they give back lets a 36th in, and a 37th.
    let house = House::open_with(&limited(1_000)).await;
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let key = house.key.clone();
        asking.spawn(async move { key.post(CHAT, &at_most("n=20;ttft=150", 20, false)).await });
    }
    let mut answered = 0;
    while let Some(reply) = asking.join_next().await {
        let reply = reply.expect("an answer");
        assert!(house.owner.used().await <= 1_000);
        match reply.status {
            200 => answered += 1,
            _ => {
                let error = reply.expect(429);
                assert_eq!(error["error"]["code"], "over_daily_limit");
                assert_eq!(error["error"]["type"], "rate_limit_error");
            }
        }
    }
    assert!((30..=37).contains(&answered), "{answered} were answered");
    assert_eq!(house.owner.used().await, 27 * answered);
    assert_eq!(house.scripted.stats().requests, answered, "who is refused never reaches the model");
    assert_eq!(house.portal.place.usage(usize::try_from(answered).expect("few")).await.len() as u64, answered);
}

#[tokio::test]
async fn case_21_what_was_held_is_given_back_on_refusal_and_failure() {
    let house = House::open_with(&limited(1_000)).await;
    for (script, status) in [("status=500", 500), ("status=429", 429), ("fault=drop", 502), ("fault=error@0", 502)] {
        // Each would hold everything; the next could not begin if one of them kept it.
        let stream = house.key.post(CHAT, &at_most(script, 5_000, true)).await;
        assert_eq!(stream.status, status, "{script}: {}", stream.text());
    }
    let long = json!({ "model": "mock/m", "messages": [{ "role": "user", "content": "x".repeat(8_000) }] });
    assert_eq!(house.key.post(CHAT, &long).await.expect(429)["error"]["code"], "over_daily_limit");
    assert_eq!(house.owner.used().await, 0);
    house.key.post(CHAT, &at_most("", 5_000, false)).await.expect(200);
    assert_eq!(house.owner.used().await, 11);
}

#[tokio::test]
async fn case_22_tokens_are_held_until_the_stream_ends() {
    let house = House::open_with(&limited(1_000)).await;
    let wire = house.key.stream_of(&at_most("fault=stall@2", 5_000, true)).await;
    assert_eq!(wire.status, 200);
    let refused = house.key.post(CHAT, &at_most("", 1, false)).await;
    let error = refused.expect(429);
    let message = error["error"]["message"].as_str().expect("a sentence");
    assert!(message.contains("daily limit of 1000 tokens is reached"), "{message}");
    drop(wire);
    house.portal.place.usage(1).await;
    house.key.post(CHAT, &at_most("", 1, false)).await.expect(200);
    assert_eq!(house.owner.used().await, (8 + 2) + 11);
}

#[tokio::test]
async fn case_22_an_answer_that_passes_what_is_left_of_the_day_ends_there() {
    let house = House::open_with(&limited(100)).await;
    let heard = house.key.hear("n=500;itl=1").await;
    assert_eq!((heard.status, heard.error().as_deref(), heard.is_done()), (200, Some("over_daily_limit"), false));
    let used = house.owner.used().await;
    // The piece that crosses the limit has been said when it is counted; one read may bring a few.
    assert!((95..=110).contains(&used), "{used}");
    house.scripted.until(|stats| stats.cancelled == 1).await;
}

#[tokio::test]
async fn case_22_a_kept_answer_asks_for_no_more_than_is_left_of_the_day() {
    let house = House::open_with(&limited(100)).await;
    let asked = house.owner.ask_and_wait("mock;n=2").await;
    let left = 100 - house.owner.used().await;
    let below = house.owner.ask_on(&asked, "mock;n=500;itl=1").await;
    let end = house.owner.events(&below.turn).await.pop().expect("an end").json();
    // The scripted model does not keep to what it was asked for, and is stopped.
    assert_eq!((&end["finish"], &end["failure"]["code"]), (&json!("failed"), &json!("over_daily_limit")));
    let most = house.scripted.latest().json()["max_tokens"].as_u64().expect("it was told");
    assert!(most < left, "{most} of {left}");
    let refused = house.owner.try_ask(json!({ "text": "and now?" })).await.expect(429);
    assert_eq!((&refused["code"], &refused["params"]["limit"]), (&json!("over_daily_limit"), &json!(100)));
    assert_eq!(house.scripted.stats().requests, 2);
}
