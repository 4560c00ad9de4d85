//! Assistants through the portal's doors: from the library to a conversation, versions and their differences, who may what, a
//! file out and in, a try-out; and the texts that people keep.

use serde_json::{Value, json};

use crate::portal::{House, Person, call};

/// One of the library's, in English; its path.
async fn taken(person: &Person, persona: &str) -> (String, Value) {
    let made = person.post("/api/assistants", &json!({ "persona": persona, "language": "en" })).await;
    (format!("/api/assistants/{}", made["assistant"]["id"].as_str().expect("an id")), made)
}

async fn put(person: &Person, path: &str, body: Value) -> Value {
    person.call("PUT", path, Some(&body)).await.expect(200)
}

/// What the model was told before the question.
fn system(house: &House) -> String {
    let told = house.scripted.latest().json();
    let first = &told["messages"][0];
    if first["role"] == "system" { first["content"].as_str().expect("text").to_owned() } else { String::new() }
}

#[tokio::test]
async fn the_library_has_both_languages_and_one_of_it_is_ready_at_once() {
    let house = House::open().await;
    let owner = &house.owner;
    let english = owner.get("/api/personas?language=en").await;
    let chinese = owner.get("/api/personas?language=zh-CN").await;
    let (english, chinese) = (english["items"].as_array().expect("items"), chinese["items"].as_array().expect("items"));
    assert!(english.len() >= 10 && english.len() == chinese.len());
    assert_eq!(
        (&english[0]["unit"]["name"], &chinese[0]["unit"]["name"]),
        (&json!("Insurance claims consultant"), &json!("保险理赔顾问"))
    );

    let (path, made) = taken(owner, "insurance-claims").await;
    assert_eq!((&made["assistant"]["published"], &made["assistant"]["shared"]), (&json!(1), &json!("nobody")));
    assert_eq!(made["unfilled"], json!([]));
    let id = path.rsplit('/').next().expect("an id");
    let asked = owner.ask_with(json!({ "text": "mock;n=2", "assistant": id, "utc_offset": 480 })).await;
    owner.events(&asked.turn).await;
    let told = system(&house);
    assert!(told.starts_with("You are a senior insurance claims consultant."), "{told}");
    assert!(told.contains("Address the person as Owner") && !told.contains("{{"), "{told}");
    assert_eq!(house.scripted.latest().json()["temperature"], 0.3);
    let tree = owner.get(&format!("/api/conversations/{}", asked.conversation)).await;
    assert_eq!(
        (&tree["conversation"]["assistant"], &tree["conversation"]["assistant_version"]),
        (&json!(id), &json!(1))
    );
    assert_eq!(tree["conversation"]["system_prompt"], Value::Null, "the prompt stays with its assistant");

    let own = json!({ "system_prompt": "Be brief.", "sampling": { "temperature": 1.0 } });
    owner.call("PATCH", &format!("/api/conversations/{}", asked.conversation), Some(&own)).await.expect(200);
    let next = owner.ask_on(&asked, "mock;n=2").await;
    owner.events(&next.turn).await;
    assert!(system(&house).ends_with("language of the question.\n\nBe brief."), "{}", system(&house));
    assert_eq!(house.scripted.latest().json()["temperature"], 1.0);
    let missing = owner.call("POST", "/api/assistants", Some(&json!({ "persona": "nobody" }))).await;
    assert_eq!(missing.expect(404)["params"]["what"], "persona");
}

#[tokio::test]
async fn a_draft_is_edited_published_compared_and_taken_back() {
    let house = House::open().await;
    let owner = &house.owner;
    let made = owner.post("/api/assistants", &json!({ "name": " 法务 " })).await;
    assert_eq!((&made["assistant"]["name"], &made["assistant"]["published"]), (&json!("法务"), &Value::Null));
    let path = format!("/api/assistants/{}", made["assistant"]["id"].as_str().expect("an id"));
    let id = path.rsplit('/').next().expect("an id").to_owned();
    let early = owner.try_ask(json!({ "text": "mock;n=1", "assistant": id })).await;
    assert_eq!(early.expect(404)["params"]["what"], "assistant", "a draft answers nobody");

    let draft = format!("{path}/draft");
    let unit = json!({ "name": "法务", "prompt": "Answer for {{court}} on {{date}}. {{open}}", "variables": [{ "name": "court", "value": "{{name}}" }], "questions": ["?"], "model": "mock/m", "plugins": ["contract-diff"] });
    let first = put(owner, &draft, json!({ "revision": made["revision"], "unit": unit })).await;
    assert_eq!(first["unfilled"], json!(["open"]));
    assert_eq!(first["draft"]["plugins"], json!(["contract-diff"]), "carried, not used");
    let late = owner.call("PUT", &draft, Some(&json!({ "revision": made["revision"], "unit": unit }))).await;
    assert_eq!(late.expect(409)["code"], "conflict");
    let mut wrong = unit.clone();
    wrong["sampling"] = json!({ "temperature": 3 });
    let refused = owner.call("PUT", &draft, Some(&json!({ "revision": first["revision"], "unit": wrong }))).await;
    assert_eq!(refused.expect(422)["params"]["field"], "sampling");
    let publish = format!("{path}/publish");
    let first = owner.post(&publish, &json!({ "revision": first["revision"], "note": "first" })).await;
    assert_eq!((&first["assistant"]["published"], &first["assistant"]["changed"]), (&json!(1), &json!(false)));

    let asked = owner.ask_with(json!({ "text": "mock;n=1", "assistant": id })).await;
    owner.events(&asked.turn).await;
    let told = system(&house);
    assert!(told.starts_with("Answer for {{name}} on 20") && told.ends_with(". {{open}}"), "{told}");
    let mut second = unit.clone();
    second["prompt"] = json!("Answer briefly.");
    let changed = put(owner, &draft, json!({ "revision": first["revision"], "unit": second })).await;
    assert_eq!(changed["assistant"]["changed"], true);
    let again = owner.ask_on(&asked, "mock;n=1").await;
    owner.events(&again.turn).await;
    assert!(system(&house).starts_with("Answer for"), "a draft changes nothing");
    let difference = owner.get(&format!("{path}/diff?from=1")).await;
    let prompt = json!({ "field": "prompt", "before": unit["prompt"], "after": "Answer briefly." });
    assert_eq!(difference["items"], json!([prompt]));
    let now = owner.post(&publish, &json!({ "revision": changed["revision"] })).await;
    let versions = now["versions"].as_array().expect("versions");
    let told: Vec<_> =
        versions.iter().map(|one| json!([one["version"], one["current"], one["note"], one["by_name"]])).collect();
    assert_eq!(told, [json!([2, true, "", "Owner"]), json!([1, false, "first", "Owner"])]);
    let last = owner.ask_on(&again, "mock;n=1").await;
    owner.events(&last.turn).await;
    assert_eq!(system(&house), "Answer briefly.", "a running conversation has the version of now");
    let at = owner.get(&format!("/api/conversations/{}", asked.conversation)).await;
    assert_eq!(at["conversation"]["assistant_version"], 2);

    let back = owner.post(&format!("{path}/versions/1/restore"), &json!({})).await;
    assert_eq!((&back["draft"]["prompt"], &back["assistant"]["changed"]), (&unit["prompt"], &json!(true)));
    assert_eq!(owner.call("POST", &format!("{path}/versions/9/restore"), Some(&json!({}))).await.status, 404);

    let tried = owner.post(&format!("{path}/try"), &json!({ "question": "mock;n=3", "version": 2 })).await;
    assert_eq!(
        (system(&house).as_str(), &tried["finish"], &tried["model"]),
        ("Answer briefly.", &json!("stop"), &json!("mock/m"))
    );
    assert!(!tried["text"].as_str().expect("text").is_empty());
    owner.post(&format!("{path}/try"), &json!({ "question": "mock;n=1" })).await;
    assert!(system(&house).starts_with("Answer for"), "the draft");
    let count = owner.get("/api/conversations").await["items"].as_array().expect("items").len();
    assert_eq!(count, 1, "a try-out is kept nowhere");
}

#[tokio::test]
async fn it_travels_as_a_file_and_is_shared_by_role() {
    let house = House::open().await;
    let (owner, lin) = (&house.owner, house.owner.invite("lin").await);
    let (path, _) = taken(owner, "invoice-clerk").await;
    let id = path.rsplit('/').next().expect("an id");
    let file = owner.call("GET", &format!("{path}/export"), None).await.text();
    assert!(file.contains("\"format\": \"portico.assistant.1\"") && file.contains("invoice-fields"), "{file}");
    assert_eq!(lin.get("/api/assistants").await["items"], json!([]));
    let asking = json!({ "text": "mock;n=1", "assistant": id });
    assert_eq!(lin.try_ask(asking.clone()).await.status, 404);
    for (method, route, body) in [
        ("GET", path.clone(), None),
        ("PUT", format!("{path}/draft"), Some(json!({ "revision": 1, "unit": { "name": "x" } }))),
        ("POST", format!("{path}/publish"), Some(json!({ "revision": 1 }))),
        ("POST", format!("{path}/versions/1/restore"), Some(json!({}))),
        ("GET", format!("{path}/diff"), None),
        ("GET", format!("{path}/export"), None),
        ("POST", format!("{path}/try"), Some(json!({ "question": "hi" }))),
        ("DELETE", path.clone(), None),
    ] {
        assert_eq!(lin.call(method, &route, body.as_ref()).await.status, 404, "{method} {route}");
    }
    let everyone = json!({ "shared": "everyone" });
    assert_eq!(lin.call("PATCH", &path, Some(&everyone)).await.status, 403);
    let words = owner.call("PATCH", &path, Some(&json!({ "shared": "friends" }))).await;
    assert_eq!(words.expect(422)["params"]["field"], "shared");
    owner.call("PATCH", &path, Some(&everyone)).await.expect(200);
    let seen = &lin.get("/api/assistants").await["items"][0];
    assert_eq!(
        (&seen["name"], &seen["mine"], &seen["may_edit"]),
        (&json!("Invoice clerk"), &json!(false), &json!(false))
    );
    assert_eq!(lin.call("GET", &path, None).await.expect(403)["code"], "forbidden");
    let asked = lin.ask_with(asking).await;
    lin.events(&asked.turn).await;

    let taken_in =
        call(lin.address, "POST", "/api/assistants/import", &[("cookie", &lin.cookie)], file.as_bytes()).await;
    let mine = taken_in.expect(200);
    assert_eq!((&mine["assistant"]["published"], &mine["assistant"]["mine"]), (&Value::Null, &json!(true)));
    assert_eq!(mine["draft"]["name"], "Invoice clerk");
    let mine = format!("/api/assistants/{}", mine["assistant"]["id"].as_str().expect("an id"));
    assert_eq!(lin.call("GET", &format!("{mine}/export"), None).await.text(), file, "the same file again");
    assert_eq!(owner.call("GET", &mine, None).await.status, 404, "a member's own is their own");
    let wrong = call(lin.address, "POST", "/api/assistants/import", &[("cookie", &lin.cookie)], b"{}").await;
    assert_eq!(wrong.expect(422)["code"], "not_an_assistant");

    owner.do_it("DELETE", &path).await;
    assert_eq!(lin.get("/api/assistants").await["items"].as_array().expect("items").len(), 1);
    let on = lin.ask_on(&asked, "mock;n=1").await;
    lin.events(&on.turn).await;
    assert!(system(&house).starts_with("You are an accounts clerk"), "a conversation goes on with what it had");
    owner.post(&format!("{path}/restore"), &json!({})).await;
    assert_eq!(lin.get("/api/assistants").await["items"].as_array().expect("items").len(), 2);
    let empty = owner.post("/api/assistants", &json!({ "name": "Empty" })).await;
    let empty = format!("/api/assistants/{}", empty["assistant"]["id"].as_str().expect("an id"));
    assert_eq!(owner.call("PATCH", &empty, Some(&everyone)).await.expect(409)["code"], "not_published");
}

#[tokio::test]
async fn kept_texts_are_ones_own_and_administrators_share() {
    let house = House::open().await;
    let (owner, lin) = (&house.owner, house.owner.invite("lin").await);
    let own = lin.post("/api/prompts", &json!({ "name": "Kind", "text": "Be kind: " })).await;
    let shared = json!({ "name": "House", "text": "In the words of the house: ", "shared": true });
    assert_eq!(lin.call("POST", "/api/prompts", Some(&shared)).await.status, 403);
    let ours = owner.post("/api/prompts", &shared).await;
    let listed = lin.get("/api/prompts").await;
    let told: Vec<_> =
        listed["items"].as_array().expect("items").iter().map(|one| json!([one["name"], one["may_edit"]])).collect();
    assert_eq!(told, [json!(["House", false]), json!(["Kind", true])]);
    let path = |of: &Value| format!("/api/prompts/{}", of["id"].as_str().expect("an id"));
    let renamed = json!({ "name": "Kinder", "text": "Be kinder: " });
    assert_eq!(lin.call("PUT", &path(&ours), Some(&renamed)).await.status, 404);
    assert_eq!(lin.call("PUT", &path(&own), Some(&renamed)).await.expect(200)["name"], "Kinder");
    let empty = lin.call("PUT", &path(&own), Some(&json!({ "name": "Kind", "text": " " }))).await;
    assert_eq!(empty.expect(422)["params"]["field"], "text");
    lin.do_it("DELETE", &path(&own)).await;
    assert_eq!(owner.get("/api/prompts").await["items"].as_array().expect("items").len(), 1);
}
