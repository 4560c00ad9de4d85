//! Requests that are wrong, at both doors.

use std::time::Duration;

use domain::{Clock, SystemClock};
use serde_json::{Value, json};

use crate::portal::{House, ask_id, call, chat};

const CHAT: &str = "/v1/chat/completions";

fn code(error: &Value) -> &str {
    error.pointer("/error/code").or(error.get("code")).and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test]
async fn bodies_that_are_no_requests() {
    let house = House::open().await;
    let portal = [
        ("{\"text\": \"hi\"", 400, "the body is not complete JSON: it ends too early"),
        ("{\"text\": hi}", 400, "the body is not valid JSON: expected value at line 1 column 10"),
        (
            "{\"text\": 5, \"ask_id\": \"x\"}",
            422,
            "the body does not fit: invalid type: integer `5`, expected a string at line 1 column 10",
        ),
        ("{\"txt\": \"hi\"}", 422, "the body does not fit: unknown field `txt`, expected one of "),
        ("{\"text\": \"hi\"}", 422, "the body does not fit: missing field `ask_id` at line 1 column 14"),
        ("{\"text\": \"hi\", \"ask_id\": \"short\"}", 422, "ask_id must be 16 to 64 letters, digits, - and _"),
        ("{\"ask_id\": \"0123456789abcdef\"}", 422, "send either text (and the parent it follows) or regenerate"),
        ("{\"text\": \"  \", \"ask_id\": \"0123456789abcdef\"}", 422, "the question is empty"),
        (
            "{\"text\": \"hi\", \"conversation\": \"x\", \"ask_id\": \"0123456789abcdef\"}",
            422,
            "the body does not fit: ",
        ),
    ];
    for (body, status, sentence) in portal {
        let reply =
            call(house.portal.address, "POST", "/api/turns", &[("cookie", &house.owner.cookie)], body.as_bytes()).await;
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{body}");
        let problem = reply.expect(status);
        assert_eq!(code(&problem), "invalid_request", "{body}");
        let message = problem["message"].as_str().expect("a sentence");
        assert!(message.starts_with(sentence), "{body}: {message}");
    }
    let dialect = [
        ("", "invalid_json", Value::Null),
        ("{\"model\": \"mock/m\"", "invalid_json", Value::Null),
        ("{\"messages\": []}", "invalid_request", json!("model")),
        ("{\"model\": \"mock/m\"}", "invalid_request", json!("messages")),
        ("{\"model\": \"mock/m\", \"messages\": []}", "invalid_request", json!("messages")),
        ("{\"model\": \"mock/m\", \"messages\": \"hi\"}", "invalid_request", json!("messages")),
        (
            "{\"model\": \"mock/m\", \"messages\": [{}], \"max_tokens\": \"many\"}",
            "invalid_request",
            json!("max_tokens"),
        ),
    ];
    for (body, wanted, field) in dialect {
        let error = house.key.send(CHAT, body.as_bytes()).await.reply().await.expect(400);
        assert_eq!((code(&error), &error["error"]["param"]), (wanted, &field), "{body}: {error}");
        assert_eq!(error["error"]["type"], "invalid_request_error");
    }
    assert_eq!(house.owner.get("/api/conversations").await["items"], json!([]), "nothing was stored");
    assert_eq!(house.scripted.stats().requests, 0);
}

#[tokio::test]
async fn a_model_that_is_not_there() {
    let house = House::open().await;
    let mut body = chat("", true);
    body["model"] = json!("mock/other");
    let sentence = "there is no model \"mock/other\"; GET /v1/models lists those there are";
    let error = house.key.post(CHAT, &body).await.expect(404);
    assert_eq!((code(&error), &error["error"]["message"]), ("model_not_found", &json!(sentence)));
    let problem = house.owner.try_ask(json!({ "text": "hi", "model": "mock/other" })).await.expect(404);
    assert_eq!((code(&problem), &problem["params"]["model"]), ("model_not_found", &json!("mock/other")));
    assert_eq!(house.owner.get("/api/conversations").await["items"], json!([]));
    // The bare name is enough where one provider alone has it.
    body["model"] = json!("m");
    assert_eq!(house.key.post(CHAT, &body).await.status, 200);
}

#[tokio::test]
async fn a_body_of_33_megabytes() {
    let house = House::open().await;
    let text = "x".repeat(33 << 20);
    let problem = house.owner.try_ask(json!({ "text": text })).await.expect(413);
    assert_eq!((code(&problem), &problem["params"]["limit_bytes"]), ("body_too_large", &json!(33_554_432)));
    let mut body = chat("", false);
    body["messages"][0]["content"] = text.into();
    assert_eq!(code(&house.key.post(CHAT, &body).await.expect(413)), "body_too_large");
    house.key.ask("").await.expect(200);
}

#[tokio::test]
async fn routes_that_are_not_there() {
    let house = House::open().await;
    for path in ["/api/nothing", "/api/turns/1/2/3"] {
        let problem = house.owner.call("GET", path, None).await.expect(404);
        assert_eq!(
            (code(&problem), problem["message"].as_str()),
            ("not_found", Some(format!("there is no such route {}", path.trim_start_matches("/api")).as_str()))
        );
    }
    let error = house.key.post("/v1/fine_tuning/jobs", &json!({})).await.expect(404);
    assert_eq!(code(&error), "unknown_url");
    assert!(
        error["error"]["message"]
            .as_str()
            .is_some_and(|text| text.starts_with("/v1/fine_tuning/jobs is not served here"))
    );
    for path in ["/api/conversations/not-an-id", "/api/turns/not-an-id/events"] {
        let reply = house.owner.call("GET", path, None).await;
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{path}");
        assert_eq!(code(&reply.expect(404)), "not_found");
    }
    for path in ["/api/search", "/api/conversations?limit=many"] {
        assert_eq!(house.owner.call("GET", path, None).await.expect(422)["params"]["field"], "query", "{path}");
    }
    let problem = house.owner.call("PUT", "/api/turns", Some(&json!({}))).await.expect(405);
    assert_eq!(code(&problem), "invalid_request");
}

#[tokio::test]
async fn requests_of_another_site() {
    let house = House::open().await;
    let own = format!("http://{}", house.portal.address);
    let question = || json!({ "text": "mock;n=1", "ask_id": ask_id() }).to_string();
    for headers in [("origin", "http://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let sent = [("cookie", house.owner.cookie.as_str()), headers];
        let reply = call(house.portal.address, "POST", "/api/turns", &sent, question().as_bytes()).await;
        assert_eq!(code(&reply.expect(403)), "cross_origin", "{headers:?}");
    }
    assert_eq!(house.owner.get("/api/conversations").await["items"], json!([]));
    let sent = [("cookie", house.owner.cookie.as_str()), ("origin", own.as_str()), ("sec-fetch-site", "same-origin")];
    call(house.portal.address, "POST", "/api/turns", &sent, question().as_bytes()).await.expect(202);
}

#[tokio::test]
async fn cookies_and_keys_that_are_not_good_any_more() {
    let house = House::open().await;
    for cookie in ["", "portico_session=", "portico_session=nonsense", "other=1"] {
        let reply = call(house.portal.address, "GET", "/api/conversations", &[("cookie", cookie)], b"").await;
        assert_eq!(code(&reply.expect(401)), "unauthenticated", "{cookie:?}");
    }
    let second = house.portal.sign_in("owner").await;
    let sessions = second.get("/api/sessions").await;
    let first = sessions.as_array().expect("sessions").iter().find(|session| session["current"] == false);
    second
        .do_it("DELETE", &format!("/api/sessions/{}", first.expect("the first")["id"].as_str().expect("an id")))
        .await;
    assert_eq!(code(&house.owner.call("GET", "/api/conversations", None).await.expect(401)), "unauthenticated");

    let soon = SystemClock::new().now().0 + 1_500;
    let made = second.post("/api/keys", &json!({ "name": "brief", "expires_at": soon })).await;
    let bearer = format!("Bearer {}", made["key"].as_str().expect("a key"));
    let list = async || call(house.portal.address, "GET", "/v1/models", &[("authorization", &bearer)], b"").await;
    list().await.expect(200);
    tokio::time::sleep(Duration::from_millis(1_600)).await;
    let error = list().await.expect(401);
    let sentence = "this API key has expired; make a new one under Settings, API keys";
    assert_eq!((code(&error), &error["error"]["message"]), ("key_expired", &json!(sentence)));

    let keys = second.get("/api/keys").await;
    let id = keys.as_array().expect("keys").iter().find(|key| key["name"] == "test").expect("the key")["id"].clone();
    second.do_it("DELETE", &format!("/api/keys/{}", id.as_str().expect("an id"))).await;
    let error = house.key.ask("").await.expect(401);
    assert_eq!((code(&error), &error["error"]["type"]), ("invalid_api_key", &json!("authentication_error")));
    assert_eq!(house.scripted.stats().requests, 0);
}
