//! Aliases kept in the portal: made, switched, rolled back, told apart by environment; and replays of saved conversations
//! before a switch, with old and new answers side by side.

use std::time::Duration;

use serde_json::{Value, json};

use crate::portal::{House, Person};

/// The alias of this name as the list shows it.
fn named<'v>(list: &'v Value, name: &str) -> &'v Value {
    list["aliases"].as_array().expect("aliases").iter().find(|alias| alias["name"] == name).expect(name)
}

fn to(name: &str, target: &str) -> Value {
    json!({ "name": name, "targets": [{ "model": target }] })
}

/// A chat with this model, in one piece.
async fn ask(house: &House, model: &str) -> u16 {
    let body = json!({ "model": model, "messages": [{ "role": "user", "content": "hi" }], "user": "mock;n=1" });
    house.key.post("/v1/chat/completions", &body).await.status
}

/// The replay once it has ended.
async fn ended(person: &Person, id: &str) -> Value {
    for _ in 0..500 {
        let replay = person.get(&format!("/api/replays/{id}")).await;
        if replay["state"] != "running" {
            return replay;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the replay never ended")
}

/// The configuration of a portal on PostgreSQL.
pub(crate) async fn on_postgres(name: &str) -> Option<String> {
    let Ok(url) = std::env::var("PORTICO_TEST_POSTGRES") else {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "PORTICO_TEST_POSTGRES has to be set where CI=true");
        println!("skipped on PostgreSQL: PORTICO_TEST_POSTGRES is not set");
        return None;
    };
    Some(format!("[database]\nurl = \"{}\"\n", crate::kept::transfer::schema(&url, name).await))
}

#[tokio::test]
async fn an_alias_is_switched_and_rolled_back_in_one_call_each() {
    switched_and_rolled_back("").await;
    if let Some(postgres) = on_postgres("aliases").await {
        switched_and_rolled_back(&postgres).await;
    }
}

async fn switched_and_rolled_back(database: &str) {
    let fixed = "[[alias]]\nname = \"fixed\"\ntargets = [\"mock/m\"]\n";
    let house = House::open_with(&format!("environment = \"production\"\n{database}{fixed}")).await;
    assert_eq!(ask(&house, "main").await, 404);
    let made = house.owner.post("/api/aliases", &to("main", "mock/m")).await;
    assert_eq!(made["environment"], "production");
    let main = named(&made, "main");
    assert_eq!((&main["in_force"], &main["version"], &main["source"]), (&json!(true), &json!(1), &json!("settings")));
    assert_eq!(main["targets"], json!([{ "model": "mock/m", "weight": 1, "known": true }]));
    assert_eq!(ask(&house, "main").await, 200);

    // Another environment's says nothing here; this one's own wins over the one for all.
    let elsewhere = json!({ "name": "main", "environment": "development", "targets": [{ "model": "gone/x" }] });
    assert_eq!(named(&house.owner.post("/api/aliases", &elsewhere).await, "fixed")["source"], "file");
    assert_eq!(ask(&house, "main").await, 200);
    let here =
        json!({ "name": "main", "environment": "production", "targets": [{ "model": "gone/x" }], "note": "try" });
    house.owner.post("/api/aliases", &here).await;
    assert_ne!(ask(&house, "main").await, 200);
    house.owner.do_it("DELETE", "/api/aliases/main?environment=production").await;
    assert_eq!(ask(&house, "main").await, 200);

    let switch = json!({ "target": "gone/y", "note": "cheaper" });
    let switched = house.owner.post("/api/aliases/main/switch", &switch).await;
    assert_eq!(named(&switched, "main")["targets"][0]["model"], "gone/y", "the one for every environment");
    assert_ne!(ask(&house, "main").await, 200);
    house.owner.post("/api/aliases/main/rollback", &json!({})).await;
    assert_eq!(ask(&house, "main").await, 200);
    let history = house.owner.get("/api/aliases/main/history").await;
    let told: Vec<_> = history
        .as_array()
        .expect("versions")
        .iter()
        .map(|version| {
            (
                version["version"].clone(),
                version["restores"].clone(),
                version["note"].clone(),
                version["current"].clone(),
            )
        })
        .collect();
    let version = |number: u32, restores: Value, note: &str, current: bool| {
        (json!(number), restores, json!(note), json!(current))
    };
    assert_eq!(
        told,
        [version(3, json!(1), "", true), version(2, Value::Null, "cheaper", false), version(1, Value::Null, "", false)]
    );
    assert_eq!(history[0]["changed_by_name"], "owner");
    house.owner.do_it("DELETE", "/api/aliases/main").await;
    assert_eq!(ask(&house, "main").await, 404);
    house.owner.post("/api/aliases/main/rollback", &json!({})).await;
    assert_eq!(ask(&house, "main").await, 200, "what was deleted is brought back the same way");
    house.owner.post("/api/aliases/main/switch", &json!({ "version": 2 })).await;
    assert_ne!(ask(&house, "main").await, 200);

    for (method, path, body, status, code) in [
        ("POST", "/api/aliases", to("main", "mock/m"), 409, "name_taken"),
        ("POST", "/api/aliases", to("fixed", "mock/m"), 409, "conflict"),
        ("POST", "/api/aliases", to("x", "no-slash"), 422, "invalid_request"),
        ("POST", "/api/aliases", json!({ "name": "x", "targets": [] }), 422, "invalid_request"),
        ("POST", "/api/aliases/fixed/switch", json!({ "target": "mock/m" }), 409, "conflict"),
        ("POST", "/api/aliases/fixed/rollback", json!({}), 409, "conflict"),
        ("POST", "/api/aliases/nothing/rollback", json!({}), 404, "not_found"),
        ("POST", "/api/aliases/main/switch", json!({ "version": 99 }), 404, "not_found"),
        ("POST", "/api/aliases/main/switch", json!({}), 422, "invalid_request"),
    ] {
        let problem = house.owner.call(method, path, Some(&body)).await.expect(status);
        assert_eq!(problem["code"], code, "{path} {body}");
    }
}

#[tokio::test]
async fn saved_conversations_are_replayed_before_the_switch() {
    let house = House::open().await;
    house.owner.post("/api/aliases", &to("main", "mock/m")).await;
    let first = house.owner.ask_and_wait("mock;n=3").await;
    let second = house.owner.ask_on(&first, "mock;n=5").await;
    house.owner.events(&second.turn).await;
    let broken = house.owner.ask_and_wait("mock;status=500").await;
    let requests = house.scripted.stats().requests;

    let begun = house.owner.post("/api/aliases/main/replay", &json!({ "target": "mock/m", "last": 5 })).await;
    assert_eq!(
        (&begun["state"], &begun["total"]),
        (&json!("running"), &json!(2)),
        "the failed one has no answer to compare"
    );
    let done = ended(&house.owner, begun["id"].as_str().expect("an id")).await;
    assert_eq!((&done["state"], &done["done"], &done["alias"]), (&json!("finished"), &json!(2), &json!("main")));
    assert_eq!(house.scripted.stats().requests, requests + 2);
    let answers = done["answers"].as_array().expect("answers");
    for (answer, asked) in answers.iter().zip([&first, &second]) {
        let old = house.owner.message(&asked.conversation, &asked.answer).await;
        assert_eq!(answer["old"]["text"], old["text"]);
        assert_eq!(answer["new"]["text"], old["text"], "the same model says the same");
        assert_eq!((&answer["similarity"], &answer["question"]), (&json!(1.0), &json!(asked.question)));
        assert_eq!(answer["new"]["finish"], "stop");
        assert_eq!(answer["new"]["completion"], old["usage"]["completion"]);
    }
    assert_eq!((&done["summary"]["similarity"], &done["summary"]["failed"]), (&json!(1.0), &json!(0)));
    let rows = house.portal.place.usage(5).await;
    let replayed: Vec<_> = rows.iter().filter(|row| row.door == "replay").collect();
    assert_eq!(replayed.len(), 2, "each has its usage row");

    // A replay is its person's; so are the conversations.
    let admin = house.owner.invite("eve").await;
    let people = house.owner.get("/api/people").await;
    let eve = people.as_array().expect("people").iter().find(|person| person["name"] == "eve").expect("eve");
    let path = format!("/api/people/{}", eve["id"].as_str().expect("an id"));
    assert_eq!(admin.call("GET", "/api/replays", None).await.expect(403)["code"], "forbidden");
    house.owner.call("PATCH", &path, Some(&json!({ "role": "admin" }))).await.expect(200);
    assert_eq!(admin.get("/api/replays").await, json!([]));
    let id = begun["id"].as_str().expect("an id");
    for (method, path) in [("GET", format!("/api/replays/{id}")), ("POST", format!("/api/replays/{id}/cancel"))] {
        assert_eq!(admin.call(method, &path, None).await.expect(404)["code"], "not_found", "{path}");
    }
    let theirs = json!({ "target": "mock/m", "conversations": [first.conversation] });
    assert_eq!(admin.call("POST", "/api/aliases/main/replay", Some(&theirs)).await.expect(404)["code"], "not_found");

    // What is deleted is not shown any more.
    house.owner.do_it("DELETE", &format!("/api/conversations/{}", first.conversation)).await;
    let left = house.owner.get(&format!("/api/replays/{id}")).await;
    assert_eq!(left["answers"], json!([]));
    let nothing = json!({ "target": "mock/m", "conversations": [broken.conversation] });
    assert_eq!(
        house.owner.call("POST", "/api/aliases/main/replay", Some(&nothing)).await.expect(404)["code"],
        "not_found"
    );
}

#[tokio::test]
async fn a_replay_is_stopped_and_keeps_what_it_has() {
    stopped("").await;
    if let Some(postgres) = on_postgres("replay").await {
        stopped(&postgres).await;
    }
}

async fn stopped(database: &str) {
    let house = House::open_with(database).await;
    house.owner.post("/api/aliases", &to("main", "mock/m")).await;
    let mut last = house.owner.ask_and_wait("mock;n=1").await;
    for _ in 0..4 {
        last = house.owner.ask_on(&last, "mock;n=2;ttft=300").await;
        house.owner.events(&last.turn).await;
    }
    let begun = house.owner.post("/api/aliases/main/replay", &json!({ "target": "mock/m", "at_once": 1 })).await;
    let path = format!("/api/replays/{}", begun["id"].as_str().expect("an id"));
    while house.owner.get(&path).await["done"] == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    house.owner.do_it("POST", &format!("{path}/cancel")).await;
    let done = ended(&house.owner, begun["id"].as_str().expect("an id")).await;
    assert_eq!(done["state"], "cancelled");
    let kept = done["done"].as_u64().expect("a number");
    assert!((1..5).contains(&kept), "{kept}");
    assert_eq!(done["answers"].as_array().map(Vec::len), Some(usize::try_from(kept).expect("few")));
}
