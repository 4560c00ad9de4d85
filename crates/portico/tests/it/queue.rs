//! Several deployments behind one name, seen from the doors: a question that waits shows its position and is answered, the row
//! says who answered, a fallback is told, and what a supervisor sees of each model.

use models::testing::Scripted;
use serde_json::{Value, json};

use crate::portal::{Asked, Event, House, Place, call, chat, told};

/// Two upstreams, one request at a time each; `main` is one, then the other.
async fn house() -> (House, Scripted) {
    let (one, other) = (Scripted::start_with("models=m").await, Scripted::start_with("models=m").await);
    let place = Place::new(&one, "");
    let provider = |slug: &str, url: &str| {
        format!(
            "[[provider]]\nslug = \"{slug}\"\nname = \"{slug}\"\nbase_url = \"{url}\"\nmax_concurrent = 1\n\
             [[provider.model]]\nname = \"m\"\n"
        )
    };
    place.write(&format!(
        "[queue]\nmax_waiting = 2\n{}{}[[alias]]\nname = \"main\"\ntargets = [\"mock/m\"]\nfallbacks = [\"spare/m\"]\n",
        provider("mock", &one.url),
        provider("spare", &other.url)
    ));
    (House::at(one, &place).await, other)
}

/// What is kept of the way to an answer.
async fn provenance(house: &House, asked: &Asked) -> Value {
    house.owner.message(&asked.conversation, &asked.answer).await["provenance"].clone()
}

fn of_kind(events: &[Event], kind: &str) -> Vec<Value> {
    events.iter().map(Event::json).filter(|event| event["type"] == kind).collect()
}

#[tokio::test]
async fn a_question_that_waits_shows_its_position_and_is_answered() {
    let (house, _other) = house().await;
    let ask = async |text: &str| house.owner.ask_with(json!({ "text": text, "model": "mock/m" })).await;
    let first = ask("mock;n=30;itl=20").await;
    house.scripted.until(|stats| stats.active == 1).await;
    let second = ask("mock;n=2").await;
    let third = ask("mock;n=2").await;
    let waited = house.owner.events(&third.turn).await;
    let queued = of_kind(&waited, "queued");
    assert_eq!(queued.first().map(|event| event["position"].clone()), Some(json!(2)), "{queued:?}");
    assert_eq!(queued.last().map(|event| event["position"].clone()), Some(json!(1)), "{queued:?}");
    assert_eq!(told(&waited), "t0 t1 ");
    let provenance = provenance(&house, &third).await;
    assert!(provenance["queued_ms"].as_u64().is_some_and(|ms| ms >= 20), "the details tell the wait: {provenance}");
    for turn in [&first, &second] {
        assert_eq!(of_kind(&house.owner.events(&turn.turn).await, "finished")[0]["finish"], "stop");
    }
    assert_eq!(house.scripted.stats().completed, 3);
}

#[tokio::test]
async fn a_question_that_is_stopped_in_the_queue_is_gone_and_a_full_queue_says_so() {
    let (house, _other) = house().await;
    let ask = async |text: &str| house.owner.ask_with(json!({ "text": text, "model": "mock/m" })).await;
    let busy = ask("mock;fault=stall@1").await;
    house.scripted.until(|stats| stats.active == 1).await;
    let waiting = [ask("mock;n=1").await, ask("mock;n=1").await];
    // Both of them stand in the queue, which holds two.
    for asked in &waiting {
        let mut wire = house.owner.follow(&asked.turn, 0).await;
        let mut heard = String::new();
        while !heard.contains("\"queued\"") {
            heard.push_str(&String::from_utf8_lossy(&wire.piece().await.expect("an event")));
        }
    }
    let body = json!({ "model": "mock/m", "messages": [{ "role": "user", "content": "mock;n=1" }] });
    let refused = house.key.post("/v1/chat/completions", &body).await;
    assert_eq!(
        (refused.status, refused.json()["error"]["code"].as_str()),
        (503, Some("model_busy")),
        "{}",
        refused.text()
    );
    assert!(refused.header("retry-after").is_some(), "it says when to come again");
    for asked in &waiting {
        house.owner.call("POST", &format!("/api/turns/{}/stop", asked.turn), None).await;
        let events = house.owner.events(&asked.turn).await;
        assert_eq!(of_kind(&events, "finished")[0]["finish"], "stopped");
    }
    assert_eq!(house.scripted.stats().requests, 1, "no model ever heard of them");
    house.owner.call("POST", &format!("/api/turns/{}/stop", busy.turn), None).await;
    let next = ask("mock;n=1").await;
    assert_eq!(told(&house.owner.events(&next.turn).await), "t0 ");
}

#[tokio::test]
async fn a_fallback_is_told_and_the_row_names_who_answered() {
    let (house, other) = house().await;
    house.scripted.set("status=500");
    let asked = house.owner.ask_with(json!({ "text": "hello", "model": "main" })).await;
    let events = house.owner.events(&asked.turn).await;
    let fell = of_kind(&events, "fell_back");
    assert_eq!(fell.len(), 1, "{events:?}");
    assert_eq!(
        (fell[0]["from"].as_str(), fell[0]["to"].as_str(), fell[0]["code"].as_str()),
        (Some("main"), Some("spare/m"), Some("upstream_failed"))
    );
    assert_eq!(other.stats().completed, 1);
    // The way there is kept with the answer: every attempt in order, and who answered in the end.
    let failed = json!({ "model": "mock/m", "code": "upstream_failed" });
    let told = provenance(&house, &asked).await;
    assert_eq!((&told["provider"], &told["model"], &told["tried"][0]), (&json!("spare"), &json!("spare/m"), &failed));
    assert!(told["tried"].as_array().is_some_and(|tried| tried.iter().all(|one| *one == failed)), "{told}");
    assert_eq!(told["dropped"], json!([]));
    let reply = house
        .key
        .post("/v1/chat/completions", &json!({ "model": "main", "messages": chat("", false)["messages"] }))
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let rows = house.portal.place.usage(2).await;
    assert!(rows.iter().all(|row| row.model == "main" && row.provider == "spare"), "{rows:?}");
    // Where nobody answers, it has every attempt all the same.
    let spare = json!({ "model": "spare/m", "code": "upstream_failed" });
    other.set("status=500");
    let lost = house.owner.ask_with(json!({ "text": "hello", "model": "main" })).await;
    house.owner.events(&lost.turn).await;
    let told = provenance(&house, &lost).await;
    assert_eq!((&told["model"], &told["tried"][0]), (&json!(""), &failed));
    assert!(told["tried"].as_array().is_some_and(|tried| tried.contains(&spare)), "{told}");
}

#[tokio::test]
async fn what_each_deployment_has_to_do_is_there_for_administrators() {
    let (house, _other) = house().await;
    let load = async || {
        let all = house.owner.get("/api/deployments").await;
        let of = |id: &str| all.as_array().expect("a list").iter().find(|one| one["id"] == id).expect(id).clone();
        (of("mock/m"), of("spare/m"))
    };
    let (idle, _) = load().await;
    assert_eq!((&idle["load"], &idle["limit"], &idle["waiting"]), (&json!(0), &json!(1), &json!(0)));
    assert_eq!(
        (&idle["breaker"], &idle["draining"], &idle["first_token"]),
        (&json!("closed"), &json!(false), &json!(null))
    );
    let ask = async |text: &str| house.owner.ask_with(json!({ "text": text, "model": "mock/m" })).await;
    let first = ask("mock;n=3;ttft=30").await;
    house.owner.events(&first.turn).await;
    let busy = ask("mock;fault=stall@1").await;
    house.scripted.until(|stats| stats.active == 1).await;
    let waiting = ask("mock;n=1").await;
    let mut seen = load().await;
    for _ in 0..200 {
        if seen.0["waiting"] == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        seen = load().await;
    }
    let (one, spare) = seen;
    assert_eq!((&one["load"], &one["waiting"]), (&json!(1), &json!(1)), "{one}");
    assert!(one["first_token"]["p95_ms"].as_f64().is_some_and(|ms| ms >= 30.0), "{one}");
    assert_eq!((&spare["load"], &spare["first_token"]), (&json!(0), &json!(null)));
    for asked in [&busy, &waiting] {
        house.owner.call("POST", &format!("/api/turns/{}/stop", asked.turn), None).await;
    }
    let stranger = call(house.portal.address, "GET", "/api/deployments", &[], b"").await;
    assert_eq!(stranger.status, 401);
}

#[tokio::test]
async fn readiness_is_told_for_each_model() {
    let (house, _other) = house().await;
    let ready = async |query: &str| call(house.portal.address, "GET", &format!("/readyz{query}"), &[], b"").await;
    for (query, id) in [("?model=main", "main"), ("?model=mock/m", "mock/m"), ("?model=spare%2Fm", "spare/m")] {
        let mut reply = ready(query).await;
        for _ in 0..200 {
            if reply.status == 200 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            reply = ready(query).await;
        }
        assert_eq!(reply.expect(200), json!({ "ready": true, "model": id, "state": { "state": "ready" } }));
    }
    assert_eq!(ready("?model=nobody").await.status, 404);
    assert_eq!(ready("").await.status, 200);
    // A server that is gone is found out by the first question.
    house.scripted.set("status=401");
    let asked = house.owner.ask_with(json!({ "text": "hello", "model": "mock/m" })).await;
    house.owner.events(&asked.turn).await;
    let reply = ready("?model=mock/m").await;
    assert_eq!((reply.status, reply.json()["state"]["code"].as_str()), (503, Some("upstream_refused")));
}
