//! Anthropic's dialect before a model that speaks OpenAI's: what reaches the model, the answer whole and streamed, refusals,
//! and an ending that is never better than the truth.

use serde_json::{Value, json};

use crate::portal::{House, call};

const PATH: &str = "/v1/messages";

fn asked(script: &str, stream: bool) -> Value {
    json!({ "model": "mock/m", "max_tokens": 50, "stream": stream, "messages": [{ "role": "user", "content": "hi" }],
        "metadata": { "user_id": format!("mock;{script}") } })
}

/// The events of a stream, each as `name` with its data.
async fn hear(house: &House, script: &str) -> Vec<Value> {
    let mut wire = house.key.send(PATH, asked(script, true).to_string().as_bytes()).await;
    wire.head().await;
    let heard = wire.hear().await;
    assert_eq!((heard.status, heard.header("content-type")), (200, Some("text/event-stream")), "{}", heard.wire());
    for block in heard.wire().split("\n\n").filter(|block| !block.is_empty()) {
        let (name, data) = block.split_once('\n').expect(block);
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect(block)).expect(block);
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str(), "{block}");
    }
    heard.chunks()
}

#[tokio::test]
async fn what_it_asks_reaches_the_model_in_its_own_dialect() {
    let house = House::open().await;
    let body = json!({
        "model": "mock/m", "max_tokens": 50, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop_sequences": ["END"],
        "system": [{ "type": "text", "text": "Be brief.", "cache_control": { "type": "ephemeral" } }],
        "metadata": { "user_id": "u1" }, "thinking": { "type": "enabled", "budget_tokens": 5000 },
        "tools": [{ "name": "weather", "description": "d", "input_schema": { "type": "object" } }],
        "tool_choice": { "type": "any", "disable_parallel_tool_use": true },
        "messages": [
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?" },
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } }] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "Hm.", "signature": "s" },
                { "type": "tool_use", "id": "t1", "name": "weather", "input": { "city": "Köln" } }] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "t1", "content": [{ "type": "text", "text": "wet" }] },
                { "type": "text", "text": "and?" }] },
        ],
    });
    house.key.post(PATH, &body).await.expect(200);
    let expected = json!({
        "model": "m", "max_tokens": 50, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop": ["END"], "user": "u1",
        "reasoning_effort": "medium", "tool_choice": "required", "parallel_tool_calls": false,
        "tools": [{ "type": "function", "function": { "name": "weather", "description": "d", "parameters": { "type": "object" } } }],
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }] },
            { "role": "assistant", "content": null, "reasoning_content": "Hm.", "tool_calls": [
                { "id": "t1", "type": "function", "function": { "name": "weather", "arguments": "{\"city\":\"Köln\"}" } }] },
            { "role": "tool", "tool_call_id": "t1", "content": "wet" },
            { "role": "user", "content": "and?" },
        ],
    });
    assert_eq!(house.scripted.latest().json(), expected);
}

#[tokio::test]
async fn an_answer_is_one_message() {
    let house = House::open().await;
    let reply = house.key.post(PATH, &asked("n=2", false)).await;
    assert_eq!(reply.header("request-id"), reply.header("x-portico-turn"));
    let mut message = reply.expect(200);
    assert!(message["id"].as_str().is_some_and(|id| id.starts_with("msg_")));
    message["id"] = Value::Null;
    let usage = json!({ "input_tokens": 7, "output_tokens": 2, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0 });
    let expected = json!({ "id": null, "type": "message", "role": "assistant", "model": "mock/m", "stop_reason": "end_turn",
        "stop_sequence": null, "content": [{ "type": "text", "text": "t0 t1 " }], "usage": usage });
    assert_eq!(message, expected);
    let row = house.portal.place.usage(1).await.pop().expect("a row");
    assert_eq!((row.usage.prompt.0, row.usage.completion.0, row.usage.reported), (7, 2, true));
}

#[tokio::test]
async fn the_events_of_a_stream_stand_in_their_order() {
    let house = House::open().await;
    let mut events = hear(&house, "n=4;fault=reasoning").await;
    let start = events.remove(0);
    assert_eq!((&start["type"], &start["message"]["content"]), (&json!("message_start"), &json!([])));
    let usage = json!({ "input_tokens": 7, "output_tokens": 4, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0 });
    let thought = |text: &str| json!({ "type": "content_block_delta", "index": 0, "delta": { "type": "thinking_delta", "thinking": text } });
    let said = |text: &str| json!({ "type": "content_block_delta", "index": 1, "delta": { "type": "text_delta", "text": text } });
    let expected = [
        json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "thinking", "thinking": "", "signature": "" } }),
        thought("t0 "),
        thought("t1 "),
        json!({ "type": "content_block_stop", "index": 0 }),
        json!({ "type": "content_block_start", "index": 1, "content_block": { "type": "text", "text": "" } }),
        said("t2 "),
        said("t3 "),
        json!({ "type": "content_block_stop", "index": 1 }),
        json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn", "stop_sequence": null }, "usage": usage }),
        json!({ "type": "message_stop" }),
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn calls_that_come_side_by_side_stand_one_after_the_other() {
    let house = House::open().await;
    let events = hear(&house, "n=6;fault=tools").await;
    let seen: Vec<(u64, String)> = events
        .iter()
        .filter_map(|event| {
            let text = match event["type"].as_str()? {
                "content_block_start" => format!("+{}", event["content_block"]["name"].as_str()?),
                "content_block_delta" => event["delta"]["partial_json"].as_str()?.to_owned(),
                "content_block_stop" => "-".to_owned(),
                _ => return None,
            };
            Some((event["index"].as_u64()?, text))
        })
        .collect();
    let expected = [(0, "+f0"), (0, "2"), (0, "4"), (0, "-"), (1, "+f1"), (1, "35"), (1, "-")];
    assert_eq!(seen, expected.map(|(index, text)| (index, text.to_owned())));
    assert_eq!(events[events.len() - 2]["delta"]["stop_reason"], "tool_use");
}

#[tokio::test]
async fn a_cut_is_an_error_event_and_never_a_stop() {
    let house = House::open_with("[retries]\nbefore_first_token = 0").await;
    for (script, code) in [("fault=abort@2", "cut"), ("fault=eof@2", "cut"), ("fault=error@2", "upstream_failed")] {
        let events = hear(&house, script).await;
        let last = events.last().expect("an event");
        assert_eq!((&last["type"], &last["error"]["type"]), (&json!("error"), &json!("api_error")), "{script}: {last}");
        assert_eq!(last["error"]["code"], code, "{script}");
        assert!(!events.iter().any(|event| event["type"] == "message_stop" || event["type"] == "message_delta"));
    }
    house.portal.place.usage(3).await;
}

#[tokio::test]
async fn who_hangs_up_is_told_to_the_model_at_once() {
    let house = House::open().await;
    let mut wire = house.key.send(PATH, asked("fault=stall@2", true).to_string().as_bytes()).await;
    wire.head().await;
    wire.piece().await.expect("the first word");
    let left = std::time::Instant::now();
    drop(wire);
    let stats = house.scripted.until(|stats| stats.cancelled == 1).await;
    assert!(stats.cancels[0].duration_since(left).as_millis() < 100);
    house.portal.place.usage(1).await;
}

#[tokio::test]
async fn refusals_are_errors_of_the_dialect() {
    let house = House::open_with("[retries]\nbefore_first_token = 0").await;
    let no_length = json!({ "model": "mock/m", "messages": [{ "role": "user", "content": "hi" }] });
    let mut no_model = asked("", false);
    no_model["model"] = "nobody".into();
    let mut server_tool = asked("", false);
    server_tool["tools"] = json!([{ "type": "web_search_20250305", "name": "web_search" }]);
    for (body, status, kind) in [
        (no_length, 400, "invalid_request_error"),
        (server_tool, 400, "invalid_request_error"),
        (no_model, 404, "not_found_error"),
        (asked("status=429;retry_after=7", false), 429, "rate_limit_error"),
        (asked("status=500", true), 500, "api_error"),
    ] {
        let reply = house.key.post(PATH, &body).await;
        let error = reply.expect(status);
        assert_eq!((&error["type"], &error["error"]["type"]), (&json!("error"), &json!(kind)), "{error}");
        assert!(status != 429 || reply.header("retry-after") == Some("7"));
    }
    let nobody = call(house.portal.address, "POST", PATH, &[("x-api-key", "pk-wrong")], b"{}").await;
    assert_eq!(nobody.expect(401)["error"]["type"], "authentication_error");
}

#[tokio::test]
async fn tokens_are_counted_without_a_model() {
    let house = House::open().await;
    let body = json!({ "model": "mock/m", "messages": [{ "role": "user", "content": "你好，世界" }] });
    let counted = house.key.post("/v1/messages/count_tokens", &body).await.expect(200);
    assert!(counted["input_tokens"].as_u64().is_some_and(|count| (5..30).contains(&count)), "{counted}");
    assert_eq!(house.scripted.stats().requests, 0);
}
