//! Evaluations through the portal's doors: the held-out questions of a version asked of models with and without instructions, scored,
//! exported, stopped, interrupted, gone on with and deleted; and one question's fault, which is a row's and no more.

use std::time::Duration;

use models::testing::Seen;
use rustix::process::Signal;
use serde_json::{Value, json};
use tuning::data::{Division, Example, held_out};

use crate::aliases::on_postgres;
use crate::portal::{House, Person, call};

const LEARNED: &str = "Something to be learned?";

/// A question that is held out, with its answer and its own instructions.
fn held(question: &str, answer: &str, system: Option<&str>) -> Example {
    let example = Example::pair(question, answer);
    match system {
        Some(system) => example.under(system),
        None => example,
    }
}

/// The id of a data set whose version 1 holds exactly these out: they are drawn by a hash, and some seed draws so.
async fn frozen(owner: &Person, examples: &[Example]) -> String {
    let learned = Example::pair(LEARNED, "Yes.");
    let drawn = |seed: &i64| {
        let division = Division { held_out: 50, seed: *seed };
        !held_out(&learned, division) && examples.iter().all(|one| held_out(one, division))
    };
    let seed = (0..100_000).find(drawn).expect("a seed that draws so");
    let made = owner.post("/api/datasets", &json!({ "name": "desk" })).await;
    let id = made["id"].as_str().expect("an id").to_owned();
    let set = format!("/api/datasets/{id}");
    owner.call("PATCH", &set, Some(&json!({ "held_out": 50, "seed": seed }))).await.expect(200);
    let lines = examples.iter().chain([&learned]).map(|one| serde_json::to_string(one).expect("JSON"));
    let lines = lines.collect::<Vec<_>>().join("\n");
    let import = format!("{set}/import?name=a.jsonl");
    call(owner.address, "POST", &import, &[("cookie", &owner.cookie)], lines.as_bytes()).await.expect(200);
    let version = owner.post(&format!("{set}/versions"), &json!({})).await;
    assert_eq!(version["held_out"], examples.len(), "{version}");
    id
}

fn path(begun: &Value) -> String {
    format!("/api/evaluations/{}", begun["id"].as_str().expect("an id"))
}

/// The evaluation once it does not run any more.
async fn ended(person: &Person, path: &str) -> Value {
    until(person, path, |one| one["state"] != "running").await
}

async fn until(person: &Person, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..1_000 {
        let one = person.get(path).await;
        if wanted(&one) {
            return one;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to that: {}", person.get(path).await)
}

/// The row of the question that holds this text.
fn row<'v>(result: &'v Value, text: &str) -> &'v Value {
    let rows = result["rows"].as_array().expect("rows");
    rows.iter().find(|row| row["messages"].to_string().contains(text)).expect(text)
}

#[tokio::test]
async fn two_variants_are_asked_the_same_scored_and_exported() {
    scored("").await;
    if let Some(postgres) = on_postgres("evaluations").await {
        scored(&postgres).await;
    }
}

async fn scored(database: &str) {
    let house = House::open_with(database).await;
    let owner = &house.owner;
    let examples = [
        held("mock;n=3", "t0 t1 t2", None),
        held("mock;n=2", "t0 t9", Some("You are a desk.")),
        held("mock;status=422", "=t0", None),
    ];
    let set = frozen(owner, &examples).await;
    let asked = json!({
        "dataset": set, "version": 1, "max_tokens": 9,
        "variants": [{ "model": "mock/m", "system_prompt": " " }, { "model": "mock/m", "system_prompt": "Be brief." }],
    });
    let begun = owner.post("/api/evaluations", &asked).await;
    assert_eq!((&begun["questions"], &begun["total"], &begun["job"]), (&json!(3), &json!(6), &Value::Null), "{begun}");
    let done = ended(owner, &path(&begun)).await;
    assert_eq!((&done["state"], &done["done"]), (&json!("finished"), &json!(6)), "{done}");

    for answer in row(&done, "mock;n=3")["answers"].as_array().expect("answers") {
        let said = [&answer["text"], &answer["exact"], &answer["similarity"], &answer["finish"]];
        assert_eq!(said, [&json!("t0 t1 t2 "), &json!(true), &json!(1.0), &json!("stop")], "but for the last blank");
        assert!(answer["ms"].is_u64() && answer["completion"].is_u64(), "{answer}");
    }
    let half = &row(&done, "mock;n=2")["answers"][1];
    assert_eq!([&half["exact"], &half["similarity"]], [&json!(false), &json!(0.5)]);
    let broken = &row(&done, "mock;status=422")["answers"][0];
    assert_eq!((&broken["failure"]["code"], &broken["exact"]), (&json!("request_rejected"), &Value::Null), "{broken}");
    for means in done["means"].as_array().expect("means") {
        let told = ["answered", "failed", "exact", "similarity"].map(|figure| &means[figure]);
        assert_eq!(told, [&json!(2), &json!(1), &json!(0.5), &json!(0.75)], "{means}");
    }

    // What the model was told: greedily, bounded, the variant's instructions before the question's own.
    let bodies: Vec<Value> = house.scripted.seen().iter().map(Seen::json).collect();
    for system in ["You are a desk.", "Be brief.\n\nYou are a desk."] {
        let messages = json!([{ "role": "system", "content": system }, { "role": "user", "content": "mock;n=2" }]);
        let told: Vec<_> = bodies.iter().filter(|body| body["messages"] == messages).collect();
        assert_eq!(told.len(), 1, "{system}");
        assert_eq!((&told[0]["temperature"], &told[0]["max_tokens"]), (&json!(0.0), &json!(9)));
    }
    if database.is_empty() {
        let rows = house.portal.place.usage(6).await;
        assert!(rows.iter().all(|row| row.door == "evaluation"), "each has its usage row");
    }

    let csv = owner.call("GET", &format!("{}/export?format=csv", path(&begun)), None).await;
    assert!(csv.header("content-disposition").is_some_and(|it| it.contains("evaluation.csv")));
    let csv = csv.text();
    assert!(csv.starts_with("\u{feff}number,question,expected,1 mock/m,1 mock/m: exact,"), "{csv}");
    assert!(csv.contains(",2 mock/m + prompt,"), "{csv}");
    assert!(csv.contains("mock;n=3,t0 t1 t2,t0 t1 t2 ,1,1,"), "{csv}");
    assert!(csv.contains("mock;status=422,'=t0,,,,"), "no formula leaves: {csv}");
    let file = owner.call("GET", &format!("{}/export", path(&begun)), None).await.expect(200);
    assert_eq!(file, done);
    assert_eq!(owner.call("GET", &format!("{}/export?format=doc", path(&begun)), None).await.status, 422);

    let listed = owner.get(&format!("/api/evaluations?dataset={set}")).await;
    assert_eq!((listed["items"].as_array().map(Vec::len), &listed["items"][0]["id"]), (Some(1), &begun["id"]));
    owner.do_it("DELETE", &path(&begun)).await;
    assert_eq!(owner.call("GET", &path(&begun), None).await.status, 404);
    if database.is_empty() {
        let store = house.portal.place.store().await;
        let node = store.audit_chains().await.expect("chains").remove(0).node;
        let lines = store.audit(&node, 0, 1000).await.expect("lines");
        let verbs: Vec<_> = lines.into_iter().map(|line| line.verb).filter(|verb| verb.starts_with("eval")).collect();
        assert_eq!(verbs, ["evaluation.started", "evaluation.deleted"]);
        store.close().await;
    }
}

#[tokio::test]
async fn what_was_stopped_or_interrupted_goes_on_where_it_was() {
    let House { scripted, portal, owner, .. } = House::open().await;
    let slow = |number: u32| held(&format!("mock;n=1;ttft=250;number={number}"), "t0", None);
    let set = frozen(&owner, &(0..6).map(slow).collect::<Vec<_>>()).await;
    let asked = json!({ "dataset": set, "version": 1, "variants": [{ "model": "mock/m" }] });
    let begun = path(&owner.post("/api/evaluations", &asked).await);
    until(&owner, &begun, |one| one["done"] != 0).await;
    assert_eq!(owner.call("POST", &format!("{begun}/resume"), None).await.expect(409)["code"], "conflict");
    owner.do_it("POST", &format!("{begun}/cancel")).await;
    let stopped = ended(&owner, &begun).await;
    assert_eq!(stopped["state"], "cancelled");
    let kept = stopped["done"].as_u64().expect("a number");
    assert!((1..6).contains(&kept), "{kept}");

    let place = portal.place.clone();
    owner.do_it("POST", &format!("{begun}/resume")).await;
    portal.kill().await;
    let mut portal = place.start().await;
    let owner = portal.sign_in("owner").await;
    let killed = owner.get(&begun).await;
    assert_eq!(killed["state"], "interrupted", "what there is stays: {killed}");
    assert!(killed["done"].as_u64().is_some_and(|done| done >= kept), "{killed}");
    owner.do_it("POST", &format!("{begun}/resume")).await;
    portal.signal(Signal::TERM);
    portal.ended().await;
    let portal = place.start().await;
    let owner = portal.sign_in("owner").await;
    assert_eq!(owner.get(&begun).await["state"], "interrupted");

    owner.do_it("POST", &format!("{begun}/resume")).await;
    let done = ended(&owner, &begun).await;
    assert_eq!((&done["state"], &done["done"]), (&json!("finished"), &json!(6)));
    assert_eq!(done["means"][0]["exact"], 1.0);
    let completed = scripted.stats().completed;
    assert!((6..=9).contains(&completed), "only what was under way is asked twice: {completed}");

    // Deleted while it runs, it is gone for good, and the model hears of it.
    owner.do_it("DELETE", &begun).await;
    let begun = path(&owner.post("/api/evaluations", &asked).await);
    let cancelled = scripted.stats().cancelled;
    scripted.until(|stats| stats.active > 0).await;
    owner.do_it("DELETE", &begun).await;
    scripted.until(|stats| stats.cancelled > cancelled).await;
    assert_eq!(owner.get("/api/evaluations").await["items"], json!([]));
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_a_reason_and_a_fault_is_asked_again() {
    let house = House::open().await;
    let owner = &house.owner;
    let set = frozen(owner, &[held("mock;n=1", "t0", None)]).await;
    let good = json!({ "dataset": set, "version": 1, "variants": [{ "model": "mock/m" }] });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let nobody = "01a20846-fe00-76e7-a66b-ec075cd1d05a";
    for (body, status, code) in [
        (with("variants", json!([])), 422, "invalid_request"),
        (
            with("variants", json!([{ "model": "mock/m" }, { "model": "mock/m", "system_prompt": "" }])),
            422,
            "invalid_request",
        ),
        (with("variants", json!([{ "model": "mock/none" }])), 404, "model_not_found"),
        (with("variants", json!([{ "model": "mock/m", "system_prompt": "x".repeat(16_001) }])), 422, "invalid_request"),
        (with("questions", json!(201)), 422, "invalid_request"),
        (with("max_tokens", json!(0)), 422, "invalid_request"),
        (with("version", json!(2)), 404, "not_found"),
        (with("dataset", Value::Null), 422, "invalid_request"),
        (with("dataset", json!(nobody)), 404, "not_found"),
        (with("job", json!(nobody)), 404, "not_found"),
        (with("knowledge", json!([])), 422, "invalid_request"),
    ] {
        let refused = owner.call("POST", "/api/evaluations", Some(&body)).await.expect(status);
        assert_eq!(refused["code"], code, "{body}: {refused}");
    }
    owner.call("PATCH", &format!("/api/datasets/{set}"), Some(&json!({ "held_out": 0 }))).await.expect(200);
    owner.post(&format!("/api/datasets/{set}/versions"), &json!({})).await;
    let refused = owner.call("POST", "/api/evaluations", Some(&with("version", json!(2)))).await.expect(422);
    assert_eq!(refused["code"], "nothing_held_out");
    let member = owner.invite("mia").await;
    for (method, path) in [("GET", "/api/evaluations".to_owned()), ("GET", format!("/api/evaluations/{nobody}/export"))]
    {
        assert_eq!(member.call(method, &path, None).await.expect(403)["code"], "forbidden", "{path}");
    }
    for (method, act) in [("GET", ""), ("POST", "/cancel"), ("POST", "/resume"), ("DELETE", "")] {
        let path = format!("/api/evaluations/{nobody}{act}");
        assert_eq!(owner.call(method, &path, None).await.expect(404)["code"], "not_found", "{method} {path}");
    }

    // The server is down for a moment: the row says so, and the question is asked again when somebody wants it.
    house.scripted.set("status=422");
    let begun = path(&owner.post("/api/evaluations", &good).await);
    let failed = ended(owner, &begun).await;
    assert_eq!((&failed["state"], &failed["means"][0]["failed"]), (&json!("finished"), &json!(1)), "{failed}");
    house.scripted.set("");
    owner.do_it("POST", &format!("{begun}/resume")).await;
    let mended = ended(owner, &begun).await;
    assert_eq!((&mended["means"][0]["failed"], &mended["means"][0]["exact"]), (&json!(0), &json!(1.0)), "{mended}");
    owner.do_it("DELETE", &format!("/api/datasets/{set}")).await;
    assert_eq!(owner.call("GET", &begun, None).await.status, 404, "it goes with its data set");
}
