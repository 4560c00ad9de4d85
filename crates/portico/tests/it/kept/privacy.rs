//! What one person has, nobody else reads, follows, changes or finds: every route that takes an id, asked by another.

use serde_json::{Value, json};

use crate::portal::{House, ask_id, call};

#[tokio::test]
async fn another_person_finds_nothing_by_any_route() {
    let house = House::open().await;
    let other = house.owner.invite("eve").await;
    let asked = house.owner.ask("mock;fault=stall@1").await;
    let secret = house.owner.ask_and_wait("the password of the safe is 蓝莓").await;
    house.owner.key().await;
    let key = house.owner.get("/api/keys").await[0]["id"].as_str().expect("an id").to_owned();
    let session = house.owner.get("/api/sessions").await[0]["id"].as_str().expect("an id").to_owned();
    let (conversation, message, turn) = (&secret.conversation, &secret.question, &asked.turn);
    let routes = [
        ("GET", format!("/api/conversations/{conversation}"), None),
        ("PATCH", format!("/api/conversations/{conversation}"), Some(json!({ "title": "mine" }))),
        ("DELETE", format!("/api/conversations/{conversation}"), None),
        ("POST", format!("/api/conversations/{conversation}/restore"), Some(json!({}))),
        ("GET", format!("/api/conversations/{conversation}/export?format=json"), None),
        ("GET", format!("/api/conversations/{conversation}/export?format=markdown"), None),
        ("DELETE", format!("/api/messages/{message}"), None),
        ("POST", format!("/api/messages/{message}/restore"), Some(json!({}))),
        ("GET", format!("/api/turns/{turn}/events"), None),
        ("GET", format!("/api/turns/{}/events", secret.turn), None),
        ("POST", format!("/api/turns/{turn}/stop"), Some(json!({}))),
        ("POST", format!("/api/turns/{}/stop", secret.turn), Some(json!({}))),
        ("POST", "/api/turns".into(), Some(json!({ "conversation": conversation, "text": "hi", "ask_id": ask_id() }))),
        ("POST", "/api/turns".into(), Some(json!({ "parent": secret.answer, "text": "hi", "ask_id": ask_id() }))),
        (
            "POST",
            "/api/turns".into(),
            Some(json!({ "conversation": conversation, "regenerate": message, "ask_id": ask_id() })),
        ),
        ("POST", "/api/turns".into(), Some(json!({ "regenerate": message, "ask_id": ask_id() }))),
        ("DELETE", format!("/api/keys/{key}"), None),
        ("DELETE", format!("/api/sessions/{session}"), None),
    ];
    for (method, path, body) in &routes {
        let problem = other.call(method, path, body.as_ref()).await.expect(404);
        assert_eq!(problem["code"], "not_found", "{method} {path}");
        let body = body.as_ref().map(Value::to_string).unwrap_or_default();
        let nobody = call(other.address, method, path, &[], body.as_bytes()).await;
        assert_eq!(nobody.expect(401)["code"], "unauthenticated", "{method} {path}");
    }
    for query in ["safe", "%E8%93%9D%E8%8E%93", "password"] {
        assert_eq!(other.get(&format!("/api/search?q={query}")).await, json!({ "items": [] }));
    }
    assert_eq!(other.get("/api/conversations").await["items"], json!([]));
    assert_eq!(other.get("/api/keys").await, json!([]));
    for (method, path) in [("GET", "/api/people"), ("GET", "/api/providers"), ("GET", "/api/invitations")] {
        assert_eq!(other.call(method, path, None).await.expect(403)["code"], "forbidden", "{path}");
    }
    // None of it changed anything: the answer still runs, the text is still there.
    assert_eq!(house.scripted.stats().active, 1);
    let mine = house.owner.message(conversation, message).await;
    assert_eq!(mine["text"], "the password of the safe is 蓝莓");
}

#[tokio::test]
async fn search_finds_chinese_from_one_character_in_titles_and_texts() {
    let house = House::open().await;
    let asked = house.owner.ask_and_wait("请解释光合作用的过程").await;
    for query in ["光", "光合", "合作用", "光合作用的过程"] {
        let found = house.owner.get(&format!("/api/search?q={}", encoded(query))).await;
        let hits = found["items"].as_array().expect("items");
        assert!(hits.iter().any(|hit| hit["message"] == json!(asked.question)), "{query}: {found}");
        for hit in hits {
            assert_eq!(hit["conversation"], json!(asked.conversation));
            let snippet = hit["snippet"].as_array().expect("pieces");
            let marked: String = snippet
                .iter()
                .filter(|piece| piece["hit"] == true)
                .filter_map(|piece| piece["text"].as_str())
                .collect();
            assert!(marked.contains(query), "{query}: {hit}");
        }
    }
    assert_eq!(house.owner.get(&format!("/api/search?q={}", encoded("呼吸"))).await, json!({ "items": [] }));
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
