//! Portico as an MCP server: assistants as tools and kept texts as prompts, by API key; what the protocol refuses; and the house's
//! own client before it.

use serde_json::{Value, json};

use crate::portal::{House, Key, Person, Reply, call};

/// One message, with the headers that every client sends.
async fn send(key: &Key, more: &[(&str, &str)], body: &[u8]) -> Reply {
    let bearer = format!("Bearer {}", key.key);
    let mut headers = vec![
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("accept", "application/json, text/event-stream"),
    ];
    headers.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    headers.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    call(key.address, "POST", "/mcp", &headers, body).await
}

async fn ask(key: &Key, method: &str, params: Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let answer = send(key, &[], message.to_string().as_bytes()).await.expect(200);
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)));
    answer
}

async fn assistant(person: &Person, persona: &str) -> String {
    let made = person.post("/api/assistants", &json!({ "persona": persona, "language": "en" })).await;
    made["assistant"]["id"].as_str().expect("an id").to_owned()
}

fn names(answer: &Value, key: &str) -> Vec<String> {
    let all = answer["result"][key].as_array().expect(key);
    all.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
}

#[tokio::test]
async fn assistants_that_one_may_ask_are_tools() {
    let house = House::open().await;
    let (owner, key) = (&house.owner, &house.key);
    let hello = ask(
        key,
        "initialize",
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "t", "version": "1" } }),
    )
    .await;
    assert_eq!(
        (&hello["result"]["protocolVersion"], &hello["result"]["serverInfo"]["name"]),
        (&json!("2025-06-18"), &json!("portico"))
    );
    let newer = ask(key, "initialize", json!({ "protocolVersion": "2999-01-01", "capabilities": {} })).await;
    assert_eq!(newer["result"]["protocolVersion"], "2025-11-25");
    assert_eq!(ask(key, "ping", json!({})).await["result"], json!({}));
    assert_eq!(names(&ask(key, "tools/list", json!({})).await, "tools"), [""; 0]);

    let id = assistant(owner, "insurance-claims").await;
    owner.post("/api/assistants", &json!({ "name": "A draft" })).await;
    assistant(owner, "insurance-claims").await;
    let listed = ask(key, "tools/list", json!({})).await;
    let tools = names(&listed, "tools");
    assert_eq!(tools[0], "ask_insurance_claims_consultant");
    assert!(tools.len() == 2 && tools[1].starts_with("ask_") && tools[1].len() == 16, "one name, once: {tools:?}");
    assert_eq!(listed["result"]["tools"][0]["annotations"]["readOnlyHint"], true);

    let question = json!({ "name": tools[0], "arguments": { "question": "mock;n=3" } });
    let answer = ask(key, "tools/call", question.clone()).await;
    assert_eq!(answer["result"]["isError"], false);
    assert!(!answer["result"]["content"][0]["text"].as_str().expect("text").is_empty(), "{answer}");
    let told = house.scripted.latest().json();
    assert!(told["messages"][0]["content"].as_str().expect("text").starts_with("You are a senior insurance claims"));
    let row = house.portal.place.usage(1).await.remove(0);
    assert_eq!((row.door.as_str(), row.usage.completion.0 > 0), ("mcp", true));

    for (arguments, expected) in [
        (json!({}), "question: it is missing"),
        (json!({ "question": "x".repeat(20_001) }), "question: it has more than 20000 characters"),
    ] {
        let answer = ask(key, "tools/call", json!({ "name": tools[0], "arguments": arguments })).await;
        assert_eq!(answer["result"], json!({ "content": [{ "type": "text", "text": expected }], "isError": true }));
    }
    let unknown = ask(key, "tools/call", json!({ "name": "ask_nobody", "arguments": {} })).await;
    assert_eq!(unknown["error"], json!({ "code": -32602, "message": "there is no tool \"ask_nobody\"" }));

    // What the key may not, its assistants may not; what others may not see, they do not.
    let bound = owner.post("/api/keys", &json!({ "name": "bound", "scope": { "models": ["other/*"] } })).await;
    let bound = Key { address: key.address, key: bound["key"].as_str().expect("a key").to_owned() };
    let refused = ask(&bound, "tools/call", question.clone()).await;
    assert_eq!(refused["result"]["isError"], true);
    assert!(
        refused["result"]["content"][0]["text"].as_str().expect("text").contains("may not use the model"),
        "{refused}"
    );
    let lin = owner.invite("lin").await;
    let hers = lin.key().await;
    assert_eq!(names(&ask(&hers, "tools/list", json!({})).await, "tools"), [""; 0]);
    owner.call("PATCH", &format!("/api/assistants/{id}"), Some(&json!({ "shared": "everyone" }))).await.expect(200);
    assert_eq!(names(&ask(&hers, "tools/list", json!({})).await, "tools"), ["ask_insurance_claims_consultant"]);
    assert_eq!(ask(&hers, "tools/call", question).await["result"]["isError"], false);
}

#[tokio::test]
async fn kept_texts_are_prompts() {
    let house = House::open().await;
    let (owner, key) = (&house.owner, &house.key);
    for text in ["Be brief: {{topic}} in {{language}}, {{topic}}!", "Other"] {
        owner.post("/api/prompts", &json!({ "name": "简短", "text": text })).await;
    }
    let listed = ask(key, "prompts/list", json!({})).await;
    let mut told = names(&listed, "prompts");
    told.sort();
    assert_eq!(told, ["简短", "简短 (2)"]);
    let first = &listed["result"]["prompts"][0];
    assert_eq!(
        first["arguments"],
        json!([{ "name": "topic", "required": false }, { "name": "language", "required": false }])
    );
    let filled = ask(key, "prompts/get", json!({ "name": "简短", "arguments": { "topic": "{{language}}" } })).await;
    assert_eq!(
        filled["result"]["messages"][0]["content"]["text"],
        "Be brief: {{language}} in {{language}}, {{language}}!"
    );
    assert_eq!(ask(key, "prompts/get", json!({ "name": "none" })).await["error"]["code"], -32602);
}

#[tokio::test]
async fn what_the_protocol_refuses_is_refused() {
    let house = House::open().await;
    let key = &house.key;
    let ping = json!({ "jsonrpc": "2.0", "id": "a", "method": "ping" }).to_string();
    for (more, body, status, code) in [
        (vec![], "{", 400, -32700),
        (vec![], "[]", 400, -32600),
        (vec![], r#"{"id":1,"method":"ping"}"#, 400, -32600),
        (vec![], r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, 400, -32600),
        (vec![], r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, 400, -32600),
        (vec![], r#"{"jsonrpc":"2.0","id":1}"#, 400, -32600),
        (vec![("mcp-protocol-version", "1999-01-01")], &*ping, 400, -32600),
        (vec![("content-type", "text/plain")], &*ping, 415, -32600),
        (vec![("accept", "text/html")], &*ping, 406, -32600),
        (vec![("authorization", "")], &*ping, 401, -32600),
        (vec![("authorization", "Bearer pk-nobody")], &*ping, 401, -32600),
        (vec![("origin", "https://evil.example")], &*ping, 403, -32600),
        (vec![("origin", "http://localhost.evil.example")], &*ping, 403, -32600),
        (vec![("origin", "null")], &*ping, 403, -32600),
    ] {
        let reply = send(key, &more, body.as_bytes()).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]["code"]),
            (status, &json!(code)),
            "{more:?} {body}: {}",
            reply.text()
        );
        assert_eq!(reply.header("www-authenticate").is_some(), status == 401);
    }
    let own = format!("http://{}", house.portal.address);
    for more in [
        vec![("origin", own.as_str())],
        vec![("origin", "http://localhost:6274")],
        vec![("mcp-protocol-version", "2025-06-18")],
        vec![("accept", "*/*")],
    ] {
        let answer = send(key, &more, ping.as_bytes()).await.expect(200);
        assert_eq!(answer, json!({ "jsonrpc": "2.0", "id": "a", "result": {} }), "{more:?}");
    }
    let note = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string();
    let noted = send(key, &[], note.as_bytes()).await;
    assert_eq!((noted.status, noted.body.len()), (202, 0));
    assert_eq!(ask(key, "resources/list", json!({})).await["error"]["code"], -32601);
    assert_eq!(ask(key, "tools/list", json!({ "cursor": "x" })).await["error"]["code"], -32602);
    assert_eq!(ask(key, "initialize", json!({})).await["error"]["code"], -32602);
    for method in ["GET", "DELETE", "PUT"] {
        let reply = call(key.address, method, "/mcp", &[("authorization", &format!("Bearer {}", key.key))], b"").await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{method}");
    }
}

#[tokio::test]
async fn the_houses_own_client_finds_its_way_in() {
    let house = House::open().await;
    assistant(&house.owner, "invoice-clerk").await;
    let url = format!("http://{}/mcp", house.portal.address);
    let bearer = format!("Authorization: Bearer {}", house.key.key);
    let told = async |more: &[&str]| {
        let mut args = vec!["mcp-probe", url.as_str(), "--header", bearer.as_str()];
        args.extend(more);
        let done = house.portal.place.command(&args).output().await.expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.code(), text(&done.stdout), text(&done.stderr))
    };
    let (code, listed, _) = told(&[]).await;
    assert!(code == Some(0) && listed.starts_with("portico 0.1.0, protocol 2025-11-25\n\n1 tools\n"), "{listed}");
    assert!(listed.contains("ask_invoice_clerk  reads only  Asks the assistant Invoice clerk"), "{listed}");
    let (code, answer, _) = told(&["--call", "ask_invoice_clerk", "--arguments", r#"{"question":"mock;n=2"}"#]).await;
    assert!(code == Some(0) && !answer.trim().is_empty());
    let (code, out, err) = told(&["--call", "ask_invoice_clerk"]).await;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(err, "portico: arguments_invalid: question: it is missing\n");
    let done = house.portal.place.command(&["mcp-probe", &url]).output().await.expect("it runs");
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(err.contains("status 401: it asks for a proof"), "{err}");
}
