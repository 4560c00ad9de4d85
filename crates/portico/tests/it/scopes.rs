//! What an API key may do, shown at the doors: models, tokens, pace, addresses, an end; who sees and changes keys; what they used.

use models::testing::Scripted;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::aliases::on_postgres;
use crate::portal::{House, Key, Person, Place, call, chat};

const CHAT: &str = "/v1/chat/completions";

/// A key of `person` with this scope.
async fn key(person: &Person, scope: Value) -> (Key, String) {
    let made = person.post("/api/keys", &json!({ "name": "bound", "scope": scope })).await;
    let text = |name: &str| made[name].as_str().expect(name).to_owned();
    (Key { address: person.address, key: text("key") }, text("id"))
}

fn listed(models: &Value) -> Vec<&str> {
    models["data"].as_array().expect("a list").iter().map(|model| model["id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn a_key_names_the_models_and_tasks_it_may_be_used_for() {
    let house = House::open().await;
    for (models, allowed) in
        [(json!([]), true), (json!(["mock/m"]), true), (json!(["mock/*"]), true), (json!(["other/*", "main"]), false)]
    {
        let (key, _) = key(&house.owner, json!({ "models": models })).await;
        let bearer = format!("Bearer {}", key.key);
        let list = call(key.address, "GET", "/v1/models", &[("authorization", &bearer)], b"").await.expect(200);
        let one = call(key.address, "GET", "/v1/models/mock/m", &[("authorization", &bearer)], b"").await;
        if allowed {
            assert_eq!(listed(&list), ["mock/m"], "{models}");
            assert_eq!(one.expect(200)["id"], "mock/m");
            key.ask("n=1").await.expect(200);
            continue;
        }
        assert!(listed(&list).is_empty(), "{models}");
        one.expect(404);
        let refused = key.ask("n=1").await.expect(403);
        let sentence = "this API key may not use the model \"mock/m\"; GET /v1/models lists those it may use";
        assert_eq!(
            refused["error"],
            json!({ "message": sentence, "type": "permission_error", "code": "model_not_allowed", "param": null })
        );
    }
    let (embedder, _) = key(&house.owner, json!({ "tasks": ["embeddings"] })).await;
    assert_eq!(embedder.ask("").await.expect(403)["error"]["code"], "task_not_allowed");
    for (scope, field) in [
        (json!({ "models": ["*"] }), "models"),
        (json!({ "addresses": ["home"] }), "addresses"),
        (json!({ "tokens_per_day": 0 }), "tokens"),
        (json!({ "requests_per_minute": 0 }), "requests_per_minute"),
    ] {
        let problem = house.owner.call("POST", "/api/keys", Some(&json!({ "name": "x", "scope": scope }))).await;
        assert_eq!(problem.expect(422)["params"]["field"], field, "{scope}");
    }
}

#[tokio::test]
async fn a_keys_budget_is_never_overspent_by_requests_that_come_together() {
    let house = House::open().await;
    let (bound, id) = key(&house.owner, json!({ "tokens_per_day": 500 })).await;
    let mut asking = JoinSet::new();
    for _ in 0..40 {
        let key = bound.clone();
        asking.spawn(async move {
            let mut body = chat("n=20;ttft=100", false);
            body["max_tokens"] = 20.into();
            key.post(CHAT, &body).await
        });
    }
    let mut answered = 0;
    while let Some(reply) = asking.join_next().await {
        let reply = reply.expect("an answer");
        if reply.status == 200 {
            answered += 1;
            continue;
        }
        let error = reply.expect(429);
        assert_eq!(
            (&error["error"]["code"], &error["error"]["type"]),
            (&json!("over_key_budget"), &json!("rate_limit_error"))
        );
    }
    let usage = house.owner.get(&format!("/api/keys/{id}/usage")).await;
    assert!(answered > 5 && usage["tokens_today"].as_u64().is_some_and(|used| used <= 500), "{answered} {usage}");
    assert_eq!(usage["tokens_today"], 27 * answered);
    let day = &usage["days"][0];
    assert_eq!(
        (&day["turns"], &day["prompt"], &day["completion"]),
        (&json!(answered), &json!(7 * answered), &json!(20 * answered))
    );
    // The person and the other keys go on.
    house.key.ask("n=1").await.expect(200);

    // What was used is still used after a restart, and a wider budget counts at once.
    let address = house.portal.address;
    let place = house.portal.place.clone();
    house.portal.kill().await;
    let portal = place.start().await;
    let owner = portal.sign_in("owner").await;
    assert_ne!(portal.address, address);
    let bound = Key { address: portal.address, ..bound };
    let mut long = chat("n=1", false);
    long["messages"][0]["content"] = "x".repeat(2_400).into();
    assert_eq!(bound.post(CHAT, &long).await.expect(429)["error"]["code"], "over_key_budget");
    let wider = json!({ "scope": { "tokens_per_day": 5_000 } });
    owner.call("PATCH", &format!("/api/keys/{id}"), Some(&wider)).await.expect(200);
    bound.post(CHAT, &long).await.expect(200);
}

#[tokio::test]
async fn a_key_is_used_so_often_a_minute_and_from_so_many_places() {
    let house = House::open_with("trusted_proxies = [\"127.0.0.1\"]\n").await;
    let (brisk, _) = key(&house.owner, json!({ "requests_per_minute": 2 })).await;
    brisk.ask("n=1").await.expect(200);
    brisk.ask("n=1").await.expect(200);
    let third = brisk.ask("n=1").await;
    let after: u64 = third.header("retry-after").expect("told when").parse().expect("seconds");
    assert!((50..=60).contains(&after), "{after}");
    assert_eq!(third.expect(429)["error"]["code"], "over_key_rate");

    let (inside, _) = key(&house.owner, json!({ "addresses": ["10.0.0.0/8", "192.0.2.7"] })).await;
    let bearer = format!("Bearer {}", inside.key);
    for (from, status) in [("10.1.2.3", 200), ("192.0.2.7", 200), ("192.0.2.8", 403), ("10.1.2.3, 198.51.100.1", 403)] {
        let headers = [("authorization", bearer.as_str()), ("x-forwarded-for", from)];
        let reply = call(inside.address, "GET", "/v1/models", &headers, b"").await.expect(status);
        if status == 403 {
            assert_eq!(reply["error"]["code"], "address_not_allowed", "{from}");
        }
    }
}

#[tokio::test]
async fn administrators_look_after_everybodys_keys() {
    looked_after("").await;
    if let Some(postgres) = on_postgres("keys").await {
        looked_after(&postgres).await;
    }
}

async fn looked_after(database: &str) {
    let house = House::open_with(database).await;
    let member = house.owner.invite("eve").await;
    let other = house.owner.invite("mallory").await;
    let (bound, id) = key(&member, json!({ "models": ["mock/m"], "tokens_total": 10_000 })).await;
    bound.ask("n=3").await.expect(200);

    assert_eq!(member.call("GET", "/api/keys?of=everybody", None).await.expect(403)["code"], "forbidden");
    let all = house.owner.get("/api/keys?of=everybody").await;
    let seen = all.as_array().expect("keys").iter().find(|key| key["id"] == id.as_str()).expect("the member's");
    let scope = json!({
        "models": ["mock/m"], "tasks": [], "addresses": [], "tokens_per_day": null, "tokens_total": 10_000,
        "requests_per_minute": null
    });
    assert_eq!((&seen["person_name"], &seen["scope"], &seen["tokens_total"]), (&json!("eve"), &scope, &json!(10)));
    assert_eq!(house.owner.get("/api/keys").await.as_array().map(Vec::len), Some(1), "one's own");
    for (method, path) in [
        ("PATCH", format!("/api/keys/{id}")),
        ("GET", format!("/api/keys/{id}/usage")),
        ("DELETE", format!("/api/keys/{id}")),
    ] {
        let body = (method == "PATCH").then(|| json!({ "name": "mine" }));
        assert_eq!(other.call(method, &path, body.as_ref()).await.expect(404)["code"], "not_found", "{method} {path}");
    }
    let narrow = json!({ "name": "narrow", "scope": { "models": ["other/*"] } });
    let changed = member.call("PATCH", &format!("/api/keys/{id}"), Some(&narrow)).await.expect(200);
    assert_eq!((&changed["name"], &changed["scope"]["tokens_total"]), (&json!("narrow"), &Value::Null));
    assert_eq!(bound.ask("n=1").await.expect(403)["error"]["code"], "model_not_allowed", "at once");
    house.owner.do_it("DELETE", &format!("/api/keys/{id}")).await;
    assert_eq!(bound.ask("n=1").await.expect(401)["error"]["code"], "invalid_api_key");
}

#[tokio::test]
async fn the_configuration_for_tests_answers_with_its_fixed_key_whatever_model_is_asked_for() {
    let example =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/test.toml")).expect("read");
    let scripted = Scripted::start().await;
    let place = Place::new(&scripted, "");
    place.write(&example.replace("http://127.0.0.1:11434", &scripted.url));
    let portal = place.start().await;
    portal.logged("they are for tests alone").await;
    let key = Key { address: portal.address, key: "pk-test-of-our-ci-0001".to_owned() };
    for model in ["stand-in", "gpt-4o-mini", "whatever/else"] {
        let mut body = chat("n=3", false);
        body["model"] = model.into();
        let answer = key.post(CHAT, &body).await.expect(200);
        assert_eq!(answer["usage"]["completion_tokens"], 3, "{model}");
    }
    let rows = place.usage(3).await;
    assert_eq!(rows.iter().map(|row| row.person).collect::<std::collections::HashSet<_>>().len(), 1);
    let wrong = Key { key: "pk-test-of-our-ci-0002".to_owned(), ..key };
    assert_eq!(wrong.ask("").await.expect(401)["error"]["code"], "invalid_api_key");
    let (checked, told) = (place.command(&["check"]), place.command(&["doctor"]));
    for (mut command, where_to, sentence) in
        [(checked, "stderr", "are for tests alone"), (told, "stdout", "warn  test keys")]
    {
        let said = command.output().await.expect("it runs");
        let said = if where_to == "stderr" { said.stderr } else { said.stdout };
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(said.contains(sentence), "{said}");
    }
    for file in std::fs::read_dir(place.data()).expect("the data folder") {
        let path = file.expect("a file").path();
        let bytes = if path.is_file() { std::fs::read(&path).expect("readable") } else { Vec::new() };
        let kept = bytes.windows(key_text().len()).any(|part| part == key_text());
        assert!(!kept, "the key itself is in {}", path.display());
    }
}

fn key_text() -> &'static [u8] {
    b"pk-test-of-our-ci-0001"
}
