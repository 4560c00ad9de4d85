//! A call that somebody has to agree to first: its turn waits through a restart of the portal, is granted by another person, and goes on;
//! refused, the model is told why and nothing is called.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Upstream;
use crate::portal::{Asked, House, Person, Portal};

/// The calculator's calls wait for administrators, the clock's for nobody.
async fn with_rule(house: &House, rule: Value) {
    let presets = house.owner.get("/api/plugins").await["presets"].clone();
    let preset =
        |id: &str| presets.as_array().expect("a list").iter().find(|one| one["id"] == id).expect("a preset").clone();
    let body = json!({ "manifest": preset("calculator"), "approvals": [rule] });
    house.owner.post("/api/plugins", &body).await;
    house.owner.post("/api/plugins", &json!({ "manifest": preset("clock") })).await;
}

async fn restarted(portal: Portal, people: &mut [&mut Person]) -> Portal {
    let place = portal.place.clone();
    portal.kill().await;
    let portal = place.start().await;
    people.iter_mut().for_each(|person| person.address = portal.address);
    portal
}

/// The one answer that the conversation shows, once it is as it should be.
async fn answer(person: &Person, asked: &Asked, finish: &str) -> Value {
    let began = Instant::now();
    loop {
        let tree = person.get(&format!("/api/conversations/{}", asked.conversation)).await;
        let messages = tree["messages"].as_array().expect("messages");
        let answers: Vec<&Value> = messages.iter().filter(|one| one["author"] == "assistant").collect();
        if let [one] = answers.as_slice()
            && one["finish"] == finish
        {
            return (*one).clone();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{answers:#?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn pending(person: &Person) -> Vec<Value> {
    person.get("/api/approvals").await["pending"].as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_pending_call_survives_a_restart_is_granted_by_another_person_and_the_turn_finishes() {
    let upstream = Upstream::start().await;
    let House { portal, mut owner, scripted, key } = upstream.house().await;
    let house = House { portal, owner: owner.clone(), scripted, key };
    with_rule(&house, json!({ "tool": "*", "approver": { "kind": "administrators" } })).await;
    let mut lin = owner.invite("lin").await;
    let mut mei = owner.invite("mei").await;
    let asked = lin.ask_with(json!({ "text": "19.99 three times?", "model": "up/m" })).await;
    lin.events(&asked.turn).await;
    let waiting = answer(&lin, &asked, "waiting").await;
    assert_eq!(waiting["text"], "Let me see. ");
    let steps = waiting["provenance"]["steps"].as_array().expect("steps");
    assert_eq!((steps.len(), &steps[0]["error"]), (1, &json!("approval_pending")));
    assert_eq!(upstream.seen().len(), 1, "the model was asked once");
    assert_eq!(
        owner.get("/api/plugins/calculator/calls").await,
        json!([]),
        "and nothing was called, not the clock either"
    );

    let House { portal, .. } = house;
    let portal = restarted(portal, &mut [&mut owner, &mut lin, &mut mei]).await;
    let call = pending(&owner).await.pop().expect("it still waits");
    assert_eq!((&call["mine"], &call["own"], &call["asker"]), (&json!(true), &json!(false), &json!("lin")));
    assert_eq!((&call["tool"], &call["arguments"]), (&json!("calculator"), &json!("{\"expression\":\"19.99*3\"}")));
    assert_eq!(call["conversation"], Value::Null, "whoever agrees sees the call, not the conversation");
    let path = format!("/api/approvals/{}", call["id"].as_str().expect("an id"));
    let approve = json!({ "decision": "approve" });
    assert_eq!(lin.call("POST", &path, Some(&approve)).await.expect(403)["code"], "may_not_decide");
    assert_eq!(mei.call("POST", &path, Some(&approve)).await.status, 404, "a third person sees nothing of it");
    assert_eq!(pending(&lin).await[0]["approver"], "administrators");
    assert_eq!(owner.call("POST", &path, Some(&json!({ "decision": "perhaps" }))).await.status, 422);

    // Two words at once: one counts.
    let (one, other) =
        tokio::join!(owner.call("POST", &path, Some(&approve)), owner.call("POST", &path, Some(&approve)));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let done = answer(&lin, &asked, "stop").await;
    let text = done["text"].as_str().expect("text");
    assert!(text.starts_with("Let me see. They said: 59.97 and "), "{text}");
    let steps = done["provenance"]["steps"].as_array().expect("steps");
    assert_eq!(
        steps.iter().filter(|step| step["tool"] == "calculator" && step.get("error").is_none()).count(),
        1,
        "{steps:?}"
    );
    assert_eq!(owner.get("/api/plugins/calculator/calls").await.as_array().map(Vec::len), Some(1), "it was done once");
    assert!(pending(&owner).await.is_empty() && pending(&lin).await.is_empty());
    let decided = lin.get("/api/approvals").await["decided"].clone();
    assert_eq!((&decided[0]["state"], &decided[0]["decided_by"]), (&json!("approved"), &json!("Owner")));
    drop(portal);
}

#[tokio::test]
async fn a_call_that_is_refused_is_not_done_and_the_model_is_told_why() {
    let upstream = Upstream::start().await;
    let house = upstream.house().await;
    let rule =
        json!({ "tool": "calculator", "when": { "argument": "expression", "is": "contains", "value": "19.99" } });
    with_rule(&house, rule).await;
    let asked = house.owner.ask_with(json!({ "text": "19.99 three times?", "model": "up/m" })).await;
    house.owner.events(&asked.turn).await;
    answer(&house.owner, &asked, "waiting").await;
    let of_turn = house.owner.get(&format!("/api/turns/{}/approvals", asked.turn)).await;
    assert_eq!((&of_turn[0]["mine"], &of_turn[0]["approver"]), (&json!(true), &json!("asker")));
    let path = format!("/api/approvals/{}", of_turn[0]["id"].as_str().expect("an id"));
    house.owner.post(&path, &json!({ "decision": "refuse", "reason": "too dear" })).await;
    let done = answer(&house.owner, &asked, "stop").await;
    let text = done["text"].as_str().expect("text");
    assert!(text.contains("approval_denied") && text.contains("too dear"), "{text}");
    assert_eq!(house.owner.get("/api/plugins/calculator/calls").await, json!([]));
    // The other call of the same round was not held up by that.
    assert_eq!(house.owner.get("/api/plugins/clock/calls").await.as_array().map(Vec::len), Some(1));

    // A rule that cannot be meant is refused with its field, and one that is taken back holds nothing up.
    let wrong =
        json!({ "choices": { "approvals": [{ "tool": "*", "approver": { "kind": "people", "people": [] } }] } });
    let refused = house.owner.call("PATCH", "/api/plugins/calculator", Some(&wrong)).await.expect(422);
    assert!(refused.to_string().contains("approvals.0.approver.people"), "{refused}");
    house.owner.call("PATCH", "/api/plugins/calculator", Some(&json!({ "choices": {} }))).await.expect(200);
    let asked = house.owner.ask_with(json!({ "text": "19.99 three times?", "model": "up/m" })).await;
    house.owner.events(&asked.turn).await;
    assert!(answer(&house.owner, &asked, "stop").await["text"].as_str().is_some_and(|text| text.contains("59.97")));
}
