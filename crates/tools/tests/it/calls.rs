//! Calls of tools: where arguments go, how a plugin proves itself, what is tried again, what is too large, slow or elsewhere.

use domain::testing::tool_suite;
use domain::{ToolCall, ToolInput};
use serde_json::{Value, json};
use tools::Order;

use crate::service::{Service, description};
use crate::{House, order, preset};

fn auth(manifest: Value, auth: Value, secrets: &[(&str, &str)]) -> Order {
    let mut order = order(manifest);
    order.choices.auth = Some(serde_json::from_value(auth).expect("an auth"));
    order.secrets = secrets.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    order
}

#[tokio::test]
async fn every_kind_of_tool_keeps_the_promises_of_the_port() {
    let (house, service) = (House::open().await, Service::start().await);
    for name in ["calculator", "clock"] {
        house.install(order(preset(name))).await;
    }
    house.install(order(description(&service.url))).await;
    let lobe = json!({ "identifier": "weather", "meta": { "title": "Weather" },
        "api": [{ "name": "now", "description": "now", "url": format!("{}/weather", service.url),
                  "parameters": { "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] } }] });
    house.install(order(lobe)).await;
    for (name, good, bad) in [
        ("calculator", json!({ "expression": "0.1+0.2" }), json!({ "expression": 3 })),
        ("clock", json!({ "timezone": "Asia/Shanghai" }), json!({ "zone": "x" })),
        ("erp-demo__getOrder", json!({ "id": 7 }), json!({ "id": "seven" })),
        ("weather__now", json!({ "city": "北京" }), json!({})),
    ] {
        let tool = house.gateway.tool(&house.admin, name).expect(name);
        let good = ToolInput { arguments: good, files: Vec::new() };
        tool_suite(&*tool, &house.admin, good, bad).await.unwrap_or_else(|broken| panic!("{name}: {broken}"));
    }
}

#[tokio::test]
async fn arguments_go_where_the_description_says() {
    let (house, service) = (House::open().await, Service::start().await);
    house.install(order(description(&service.url))).await;
    let text = house.call("erp-demo__getOrder", &json!({ "id": 7, "fields": ["a b", "c&d"], "X-Trace": "t" })).await;
    let heard: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&heard["path"], &heard["query"]), (&json!("/orders/7"), &json!("fields=a%20b&fields=c%26d")));
    let seen = service.seen();
    assert_eq!((seen[0].header("x-trace"), seen[0].header("authorization")), ("t", ""));

    // An argument is a value, never a path of its own.
    let text = house.call("erp-demo__getFile", &json!({ "name": "../../token?x=#" })).await;
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON")["path"], "/files/..%2F..%2Ftoken%3Fx%3D%23");
    let text = house.call("erp-demo__getFile", &json!({ "name": ".." })).await;
    assert!(text.contains("arguments_invalid"), "{text}");
    service.seen();

    let order = json!({ "item": "螺丝", "parts": [{ "item": "m3" }] });
    let text = house.call("erp-demo______", &json!({ "body": order })).await;
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON")["sent"], order);
    let flawed = house.call("erp-demo______", &json!({ "body": { "parts": [{ "count": 1 }] } })).await;
    assert!(flawed.contains("body.item: it is missing"), "{flawed}");
    assert_eq!(service.lines(), ["POST /orders"], "what does not fit is never sent");
    let tools: Vec<String> = house.gateway.offered(&house.admin).into_iter().map(|tool| tool.name).collect();
    assert!(!tools.contains(&"erp-demo__upload".to_owned()), "a body that is no JSON makes no tool: {tools:?}");
}

#[tokio::test]
async fn a_plugin_proves_itself_and_no_log_shows_how() {
    let service = Service::start().await;
    for (way, secrets, header, expected) in [
        (json!({ "type": "key", "in": "header", "name": "X-Key" }), vec![("key", "sk-secret")], "x-key", "sk-secret"),
        (json!({ "type": "bearer" }), vec![("token", "sk-secret")], "authorization", "Bearer sk-secret"),
        (
            json!({ "type": "basic" }),
            vec![("user", "anna"), ("password", "sk-secret")],
            "authorization",
            "Basic YW5uYTpzay1zZWNyZXQ=",
        ),
        (
            json!({ "type": "client_credentials", "token_url": format!("{}/token", service.url), "scope": "read" }),
            vec![("client_id", "portico"), ("client_secret", "sk-secret")],
            "authorization",
            "Bearer tok-123456",
        ),
    ] {
        let house = House::open().await;
        let missing = house.refused(auth(description(&service.url), way.clone(), &[])).await;
        assert!(missing.contains(&format!("secrets.{}: it is missing", secrets[0].0)), "{missing}");
        house.install(auth(description(&service.url), way, &secrets)).await;
        let row = house.store.plugins(house.admin.tenant).await.expect("rows").remove(0);
        let sealed = row.sealed.expect("sealed");
        assert!(!sealed.windows(9).any(|part| part == b"sk-secret"), "it is not stored in the clear");
        for _ in 0..2 {
            house.call("erp-demo__getOrder", &json!({ "id": 7 })).await;
        }
        let seen = service.seen();
        let orders: Vec<_> = seen.iter().filter(|seen| seen.line == "GET /orders/7").collect();
        assert_eq!(orders.len(), 2);
        assert!(orders.iter().all(|seen| seen.header(header) == expected), "{orders:?}");
        let tokens = seen.iter().filter(|seen| seen.line == "POST /token").count();
        assert!(tokens <= 1, "a token is asked for once: {tokens}");
        let log = format!("{:?}", house.log("erp-demo").await);
        assert!(!log.contains("sk-secret") && !log.contains("tok-123456"), "{log}");
    }
    let house = House::open().await;
    let query = json!({ "type": "key", "in": "query", "name": "key" });
    house.install(auth(description(&service.url), query, &[("key", "a b")])).await;
    house.call("erp-demo__getOrder", &json!({ "id": 7 })).await;
    assert_eq!(service.lines(), ["GET /orders/7?key=a%20b"]);
}

#[tokio::test]
async fn what_fails_is_told_by_its_reason() {
    let (house, service) = (House::open().await, Service::start().await);
    let mut patient = order(description(&service.url));
    patient.choices.timeout_s = Some(1);
    house.install(patient).await;
    for (tool, expected) in [
        ("broken", "status 500: out of order"),
        ("large", "the answer is larger than 2097152 bytes"),
        ("slow", "no answer within 1s"),
        ("picture", "it answered with \\\"image/png\\\", which is no text"),
        ("around", "it redirects more than 3 times"),
        ("away", "may not be contacted: it is none of the addresses that were allowed for this"),
        ("sideways", "http://localhost"),
    ] {
        let text = house.call(&format!("erp-demo__{tool}"), &json!({})).await;
        assert!(text.contains(expected), "{tool}: {text}");
    }
    let text = house.call("erp-demo__moved", &json!({})).await;
    assert!(text.contains("\"path\":\"/orders/1\""), "{text}");
    service.seen();
    let text = house.call("erp-demo__flaky", &json!({})).await;
    assert!(text.contains("\"path\":\"/flaky\""), "{text}");
    assert_eq!(service.lines(), ["GET /flaky", "GET /flaky"], "a question that changes nothing is asked again");
    assert!(house.call("erp-demo__nothing", &json!({})).await.contains("tool_not_found"));
    let garbled = ToolCall { id: "1".into(), name: "erp-demo__moved".into(), arguments: "{\"a\":".into() };
    let answered = house.gateway.call(&house.admin, None, &garbled, Vec::new()).await;
    assert_eq!(answered.step.error.as_deref(), Some("arguments_invalid"));
    let outcomes: Vec<String> = house.log("erp-demo").await.into_iter().rev().map(|call| call.outcome).collect();
    assert_eq!(
        outcomes,
        [
            "tool_failed",
            "too_large",
            "timed_out",
            "tool_failed",
            "tool_failed",
            "egress_forbidden",
            "egress_forbidden",
            "done",
            "done",
            "arguments_invalid"
        ]
    );
    let contacts: Vec<String> = house.egress.contacts().into_iter().map(|contact| contact.origin).collect();
    assert_eq!(contacts, std::slice::from_ref(&service.url), "nothing else was ever contacted");
}

#[tokio::test]
async fn a_lobechat_plugin_gets_its_arguments_and_its_settings() {
    let (house, service) = (House::open().await, Service::start().await);
    let manifest = json!({
        "identifier": "Weather.Plugin", "version": "1",
        "meta": { "title": "天气", "description": "实时天气", "avatar": "⛅" },
        "settings": { "type": "object", "required": ["API_KEY"],
                      "properties": { "API_KEY": { "type": "string" }, "城市": { "type": "string" } } },
        "api": [{ "name": "now", "description": "Weather now", "url": format!("{}/weather", service.url),
                  "parameters": { "type": "object", "properties": { "city": { "type": "string" } } } }]
    });
    let mut wanted = order(manifest);
    assert_eq!(house.refused(wanted.clone()).await, "secrets.API_KEY: it is missing");
    wanted.secrets.insert("API_KEY".into(), "sk-secret".into());
    wanted.secrets.insert("城市".into(), "北京".into());
    let made = house.install(wanted).await;
    assert_eq!((made.manifest.name.as_str(), made.manifest.icon.as_str()), ("weather-plugin", "⛅"));
    let text = house.call("weather-plugin__now", &json!({ "city": "上海" })).await;
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON")["sent"], json!({ "city": "上海" }));
    let seen = service.seen();
    assert_eq!(seen[0].line, "POST /weather");
    let settings: Value = serde_json::from_str(seen[0].header("x-lobe-plugin-settings")).expect("JSON in ASCII");
    assert_eq!(settings, json!({ "API_KEY": "sk-secret", "城市": "北京" }));
}
