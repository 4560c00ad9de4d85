//! The responses dialect before a model that speaks chat: what reaches the model, the response whole and event by event, what is
//! kept and for whom, refusals, and an ending that is never better than the truth.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::files::{id, upload};
use crate::portal::{House, Key, Reply, call};

const PATH: &str = "/v1/responses";

fn asked(script: &str, stream: bool) -> Value {
    json!({ "model": "mock/m", "input": "hi", "stream": stream, "user": format!("mock;{script}") })
}

async fn at(key: &Key, method: &str, path: &str) -> Reply {
    let bearer = format!("Bearer {}", key.key);
    call(key.address, method, path, &[("authorization", &bearer)], b"").await
}

/// The events of a stream: each is named as its type, and they are numbered from 0.
async fn hear(house: &House, body: &Value) -> Vec<Value> {
    let mut wire = house.key.send(PATH, body.to_string().as_bytes()).await;
    wire.head().await;
    let heard = wire.hear().await;
    assert_eq!((heard.status, heard.header("content-type")), (200, Some("text/event-stream")), "{}", heard.wire());
    for (number, block) in heard.wire().split("\n\n").filter(|block| !block.is_empty()).enumerate() {
        let (name, data) = block.split_once('\n').expect(block);
        let data: Value = serde_json::from_str(data.strip_prefix("data: ").expect(block)).expect(block);
        assert_eq!(name.strip_prefix("event: "), data["type"].as_str(), "{block}");
        assert_eq!(data["sequence_number"], number, "{block}");
    }
    heard.chunks()
}

/// What an event is about, in short: its type after `response.`, its place, its words.
fn short(event: &Value) -> String {
    let name = event["type"].as_str().unwrap_or_default().trim_start_matches("response.");
    let words = ["delta", "text", "arguments"].iter().find_map(|name| event[*name].as_str());
    let item = event["item"]["type"].as_str().or(event["part"]["type"].as_str());
    [Some(name), event["output_index"].as_u64().map(|at| at.to_string()).as_deref(), item, words]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
}

#[tokio::test]
async fn what_it_asks_reaches_the_model_as_a_chat() {
    let house = House::open().await;
    let body = json!({
        "model": "mock/m", "instructions": "Be brief.", "max_output_tokens": 50, "temperature": 0.5, "top_p": 0.9,
        "reasoning": { "effort": "low", "summary": "auto" }, "parallel_tool_calls": false, "store": false, "seed": 7,
        "metadata": { "team": "a" }, "include": ["reasoning.encrypted_content"], "truncation": "disabled",
        "text": { "format": { "type": "json_schema", "name": "city", "strict": true,
            "schema": { "type": "object", "properties": { "z": { "type": "string" }, "a": { "type": "integer" } } } } },
        "tools": [{ "type": "function", "name": "weather", "description": "d", "strict": true, "parameters": { "type": "object" } }],
        "tool_choice": { "type": "function", "name": "weather" },
        "input": [
            { "role": "developer", "content": "Answer in German." },
            { "role": "user", "content": [
                { "type": "input_text", "text": "What is this?" },
                { "type": "input_image", "detail": "low", "image_url": "data:image/png;base64,AAAA" }] },
            { "type": "reasoning", "id": "rs_1", "summary": [], "content": [{ "type": "reasoning_text", "text": "Hm." }] },
            { "type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
              "content": [{ "type": "output_text", "text": "Let me see.", "annotations": [] }] },
            { "type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{\"city\":\"Köln\"}" },
            { "type": "function_call", "call_id": "c2", "name": "weather", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "c1", "output": "wet" },
            { "type": "function_call_output", "call_id": "c2", "output": [
                { "type": "input_text", "text": "see" }, { "type": "input_image", "image_url": "https://a.example/b.png" }] },
            { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "and?" }] },
        ],
    });
    // A model fills in properties in the order in which they were written.
    let (sorted, ours) =
        (r#"{"a":{"type":"integer"},"z":{"type":"string"}}"#, r#"{"z":{"type":"string"},"a":{"type":"integer"}}"#);
    let text = body.to_string().replace(sorted, ours);
    let answer = house.key.send(PATH, text.as_bytes()).await.reply().await.expect(200);
    let seen = house.scripted.latest();
    let written = String::from_utf8_lossy(&seen.body).into_owned();
    assert!(written.contains(ours), "{written}");
    let call = |id: &str, arguments: &str| json!({ "id": id, "type": "function", "function": { "name": "weather", "arguments": arguments } });
    let expected = json!({
        "model": "m", "max_tokens": 50, "temperature": 0.5, "top_p": 0.9, "reasoning_effort": "low",
        "parallel_tool_calls": false, "seed": 7,
        "response_format": { "type": "json_schema", "json_schema": { "name": "city", "strict": true,
            "schema": { "type": "object", "properties": { "z": { "type": "string" }, "a": { "type": "integer" } } } } },
        "tools": [{ "type": "function", "function": { "name": "weather", "description": "d", "strict": true, "parameters": { "type": "object" } } }],
        "tool_choice": { "type": "function", "function": { "name": "weather" } },
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "system", "content": "Answer in German." },
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA", "detail": "low" } }] },
            { "role": "assistant", "content": "Let me see.", "reasoning_content": "Hm.",
              "tool_calls": [call("c1", "{\"city\":\"Köln\"}"), call("c2", "{}")] },
            { "role": "tool", "tool_call_id": "c1", "content": "wet" },
            { "role": "tool", "tool_call_id": "c2", "content": "see" },
            { "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "https://a.example/b.png" } }] },
            { "role": "user", "content": "and?" },
        ],
    });
    assert_eq!(seen.json(), expected);
    for name in [
        "instructions",
        "max_output_tokens",
        "temperature",
        "top_p",
        "parallel_tool_calls",
        "metadata",
        "text",
        "tools",
        "tool_choice",
        "reasoning",
        "store",
    ] {
        assert_eq!(answer[name], body[name], "{name}");
    }
}

#[tokio::test]
async fn an_answer_is_one_response_and_one_usage_row() {
    let house = House::open().await;
    let reply = house.key.post(PATH, &asked("n=2", false)).await;
    let turn = reply.header("x-portico-turn").expect("a turn").to_owned();
    let mut response = reply.expect(200);
    assert_eq!(response["id"], format!("resp_{turn}"));
    let at = response["created_at"].as_i64().expect("a time");
    assert!(response["completed_at"].as_i64().is_some_and(|end| end >= at && at > 1_700_000_000));
    for changing in ["id", "created_at", "completed_at"] {
        response[changing] = Value::Null;
    }
    let part = json!({ "type": "output_text", "text": "t0 t1 ", "annotations": [], "logprobs": [] });
    let item = json!({ "id": format!("msg_{turn}_0"), "type": "message", "role": "assistant", "status": "completed", "content": [part] });
    let expected = json!({
        "id": null, "object": "response", "created_at": null, "completed_at": null, "status": "completed", "model": "mock/m",
        "output": [item], "error": null, "incomplete_details": null, "background": false, "truncation": "disabled",
        "usage": { "input_tokens": 7, "input_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 0 },
            "output_tokens": 2, "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": 9 },
        "instructions": null, "previous_response_id": null, "store": true, "max_output_tokens": null, "max_tool_calls": null,
        "metadata": {}, "top_logprobs": 0, "reasoning": { "effort": null, "summary": null }, "tools": [], "tool_choice": "auto",
        "text": { "format": { "type": "text" } }, "temperature": null, "top_p": null, "parallel_tool_calls": true,
        "user": "mock;n=2", "safety_identifier": null, "prompt_cache_key": null,
    });
    assert_eq!(response, expected);
    let row = house.portal.place.usage(1).await.pop().expect("a row");
    assert_eq!((row.usage.prompt.0, row.usage.completion.0, row.usage.reported), (7, 2, true));
    assert_eq!((row.turn.to_string(), row.door.as_str()), (turn, "openai.responses"));
}

#[tokio::test]
async fn the_events_of_a_stream_stand_in_their_order() {
    let house = House::open().await;
    let events = hear(&house, &asked("n=4;fault=reasoning", true)).await;
    let told: Vec<String> = events.iter().map(short).collect();
    let expected = [
        "created",
        "in_progress",
        "output_item.added 0 reasoning",
        "content_part.added 0 reasoning_text",
        "reasoning_text.delta 0 t0 ",
        "reasoning_text.delta 0 t1 ",
        "reasoning_text.done 0 t0 t1 ",
        "content_part.done 0 reasoning_text",
        "output_item.done 0 reasoning",
        "output_item.added 1 message",
        "content_part.added 1 output_text",
        "output_text.delta 1 t2 ",
        "output_text.delta 1 t3 ",
        "output_text.done 1 t2 t3 ",
        "content_part.done 1 output_text",
        "output_item.done 1 message",
        "completed",
    ];
    assert_eq!(told, expected);
    let (first, last) = (&events[0]["response"], &events[events.len() - 1]["response"]);
    assert_eq!((&first["status"], &first["output"], &first["id"]), (&json!("in_progress"), &json!([]), &last["id"]));
    let done: Vec<&Value> = events
        .iter()
        .filter(|event| event["type"] == "response.output_item.done")
        .map(|event| &event["item"])
        .collect();
    assert_eq!(last["output"].as_array().expect("items").iter().collect::<Vec<_>>(), done);
    assert_eq!(last["usage"]["output_tokens"], 4);
}

#[tokio::test]
async fn calls_that_come_side_by_side_are_told_side_by_side() {
    let house = House::open().await;
    let events = hear(&house, &asked("n=6;fault=tools", true)).await;
    let told: Vec<String> = events.iter().map(short).collect();
    let expected = [
        "created",
        "in_progress",
        "output_item.added 0 function_call",
        "output_item.added 1 function_call",
        "function_call_arguments.delta 0 2",
        "function_call_arguments.delta 1 3",
        "function_call_arguments.delta 0 4",
        "function_call_arguments.delta 1 5",
        "function_call_arguments.done 0 24",
        "output_item.done 0 function_call",
        "function_call_arguments.done 1 35",
        "output_item.done 1 function_call",
        "completed",
    ];
    assert_eq!(told, expected);
    let output = &events[events.len() - 1]["response"]["output"];
    let calls: Vec<(&str, &str)> = output
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| (call["call_id"].as_str().unwrap_or_default(), call["name"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(calls, [("call_0", "f0"), ("call_1", "f1")]);
}

#[tokio::test]
async fn a_cut_is_a_failed_response_and_is_not_kept() {
    let house = House::open_with("[retries]\nbefore_first_token = 0").await;
    for (script, code) in [("fault=abort@2", "cut"), ("fault=eof@2", "cut"), ("fault=error@2", "upstream_failed")] {
        let events = hear(&house, &asked(script, true)).await;
        let last = events.last().expect("an event");
        let response = &last["response"];
        assert_eq!(
            (&last["type"], &response["status"]),
            (&json!("response.failed"), &json!("failed")),
            "{script}: {last}"
        );
        assert_eq!((&response["error"]["code"], &response["error"]["type"]), (&json!("server_error"), &json!(code)));
        assert_eq!(response["output"][0]["content"][0]["text"], "t0 t1 ", "{script}");
        assert_eq!(response["output"][0]["status"], "incomplete", "{script}");
        assert!(!events.iter().any(|event| event["type"] == "response.completed"));
        let path = format!("{PATH}/{}", response["id"].as_str().expect("an id"));
        at(&house.key, "GET", &path).await.expect(404);
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
async fn a_response_is_kept_for_its_person_and_gone_on_with() {
    let house = House::open().await;
    let mut first = asked("n=2", false);
    first["instructions"] = "Be brief.".into();
    let first = house.key.post(PATH, &first).await.expect(200);
    let id = first["id"].as_str().expect("an id").to_owned();
    let path = format!("{PATH}/{id}");
    assert_eq!(at(&house.key, "GET", &path).await.expect(200), first);

    let mut second = asked("n=1", true);
    second["previous_response_id"] = id.clone().into();
    second["input"] = "and then?".into();
    let second = hear(&house, &second).await.pop().expect("an event")["response"].take();
    assert_eq!(second["previous_response_id"], id);
    // Instructions are each request's own.
    let expected = json!([
        { "role": "user", "content": "hi" }, { "role": "assistant", "content": "t0 t1 " }, { "role": "user", "content": "and then?" },
    ]);
    assert_eq!(house.scripted.latest().json()["messages"], expected);
    assert_eq!(
        at(&house.key, "GET", &format!("{PATH}/{}", second["id"].as_str().expect("an id"))).await.expect(200),
        second
    );

    let other = house.owner.invite("ben").await.key().await;
    at(&other, "GET", &path).await.expect(404);
    at(&other, "DELETE", &path).await.expect(404);
    let mut theirs = asked("n=1", false);
    theirs["previous_response_id"] = id.clone().into();
    assert_eq!(other.post(PATH, &theirs).await.expect(404)["error"]["param"], "previous_response_id");

    let deleted = json!({ "id": id, "object": "response", "deleted": true });
    assert_eq!(at(&house.key, "DELETE", &path).await.expect(200), deleted);
    at(&house.key, "GET", &path).await.expect(404);
    let mut third = asked("n=1", false);
    third["previous_response_id"] = second["id"].clone();
    let told = house.key.post(PATH, &third).await.expect(404);
    assert!(told["error"]["message"].as_str().is_some_and(|told| told.contains(&id)), "{told}");

    let mut unkept = asked("n=1", false);
    unkept["store"] = false.into();
    let unkept = house.key.post(PATH, &unkept).await.expect(200);
    at(&house.key, "GET", &format!("{PATH}/{}", unkept["id"].as_str().expect("an id"))).await.expect(404);
}

#[tokio::test]
async fn files_that_it_names_are_read_for_the_model() {
    let house = House::open().await;
    let kept = [("purpose", "user_data")];
    let notes = id(&upload(&house.key, "notes.txt", "\u{feff}今天下雨".as_bytes(), &kept).await.expect(200));
    let dot = id(&upload(&house.key, "dot", b"\x89PNG\r\n", &kept).await.expect(200));
    let binary = id(&upload(&house.key, "a.pdf", b"%PDF\0\xff", &kept).await.expect(200));
    let ask = |parts: Value| {
        let mut body = asked("n=1", false);
        body["input"] = json!([{ "role": "user", "content": parts }]);
        body
    };
    let first = ask(json!([{ "type": "input_file", "file_id": notes }, { "type": "input_image", "file_id": dot },
        { "type": "input_file", "filename": "b.txt", "file_data": "data:text/plain;base64,aGk=" }]));
    let first = house.key.post(PATH, &first).await.expect(200);
    let told = json!({ "role": "user", "content": [{ "type": "text", "text": "notes.txt:\n\n今天下雨" },
        { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0K" } }, { "type": "text", "text": "b.txt:\n\nhi" }] });
    assert_eq!(house.scripted.latest().json()["messages"], json!([told]));
    let mut second = asked("n=1", false);
    second["previous_response_id"] = first["id"].clone();
    house.key.post(PATH, &second).await.expect(200);
    assert_eq!(house.scripted.latest().json()["messages"][0], told);

    let other = house.owner.invite("ben").await.key().await;
    let asks = house.scripted.stats().requests;
    for (key, part, says) in [
        (&other, json!({ "type": "input_file", "file_id": notes }), "there is no file"),
        (&house.key, json!({ "type": "input_file", "file_id": binary }), "only text"),
        (&house.key, json!({ "type": "input_image", "file_id": notes }), "no picture"),
        (&house.key, json!({ "type": "input_file", "file_url": "https://a.example/b" }), "nothing is fetched"),
        (&house.key, json!({ "type": "input_file", "file_data": "§" }), "not base64"),
    ] {
        let told = key.post(PATH, &ask(json!([part]))).await.expect(400);
        assert_eq!(told["error"]["param"], "input.0.content.0", "{told}");
        assert!(told["error"]["message"].as_str().is_some_and(|told| told.contains(says)), "{told}");
    }
    at(&house.key, "DELETE", &format!("/v1/files/{notes}")).await.expect(200);
    house.key.post(PATH, &second).await.expect(400);
    assert_eq!(house.scripted.stats().requests, asks);
}

#[tokio::test]
async fn the_items_of_a_request_are_listed_with_ids() {
    let house = House::open().await;
    let mut body = asked("n=1", false);
    body["input"] = json!([{ "role": "user", "content": "a" }, { "role": "assistant", "content": "b" },
        { "type": "function_call", "call_id": "c", "name": "f", "arguments": "{}" },
        { "type": "function_call_output", "call_id": "c", "output": "d" }]);
    let turn = house.key.post(PATH, &body).await.expect(200)["id"].as_str().expect("an id").to_owned();
    let path = format!("{PATH}/{turn}/input_items");
    let turn = turn.trim_start_matches("resp_");
    let list = at(&house.key, "GET", &format!("{path}?order=asc")).await.expect(200);
    let expected = json!([
        { "id": format!("msg_{turn}_in0"), "type": "message", "role": "user", "status": "completed",
          "content": [{ "type": "input_text", "text": "a" }] },
        { "id": format!("msg_{turn}_in1"), "type": "message", "role": "assistant", "status": "completed",
          "content": [{ "type": "output_text", "text": "b", "annotations": [] }] },
        { "id": format!("fc_{turn}_in2"), "type": "function_call", "status": "completed", "call_id": "c", "name": "f", "arguments": "{}" },
        { "id": format!("fco_{turn}_in3"), "type": "function_call_output", "status": "completed", "call_id": "c", "output": "d" },
    ]);
    assert_eq!((&list["data"], &list["has_more"]), (&expected, &json!(false)));
    let page = at(&house.key, "GET", &format!("{path}?limit=2&after=fco_{turn}_in3")).await.expect(200);
    assert_eq!((&page["data"], &page["has_more"]), (&json!([expected[2], expected[1]]), &json!(true)));
    for query in ["limit=0", "order=up", "after=nobody"] {
        at(&house.key, "GET", &format!("{path}?{query}")).await.expect(400);
    }
}

#[tokio::test]
async fn refusals_name_their_field() {
    let house = House::open_with("[retries]\nbefore_first_token = 0").await;
    let with = |name: &str, value: Value| {
        let mut body = asked("", false);
        body[name] = value;
        body
    };
    let item = |item: Value| with("input", json!([item]));
    for (body, param) in [
        (json!({ "model": "mock/m" }), "input"),
        (json!({ "input": "hi" }), "model"),
        (with("input", json!([])), "input"),
        (with("input", 5.into()), "input"),
        (with("tools", json!([{ "type": "web_search" }])), "tools.0.type"),
        (with("tools", json!([{ "type": "function" }])), "tools.0.name"),
        (with("tool_choice", json!({ "type": "file_search" })), "tool_choice"),
        (with("text", json!({ "format": { "type": "grammar" } })), "text.format.type"),
        (with("text", json!({ "format": { "type": "json_schema", "name": "a" } })), "text.format.schema"),
        (with("background", true.into()), "background"),
        (with("truncation", "auto".into()), "truncation"),
        (with("conversation", "conv_1".into()), "conversation"),
        (with("prompt", json!({ "id": "pmpt_1" })), "prompt"),
        (with("include", json!(["file_search_call.results"])), "include"),
        (with("top_logprobs", 21.into()), "top_logprobs"),
        (with("max_output_tokens", 0.into()), "max_output_tokens"),
        (with("metadata", json!({ "a": 1 })), "metadata"),
        (item(json!({ "type": "item_reference", "id": "msg_1" })), "input.0"),
        (item(json!({ "type": "computer_call" })), "input.0"),
        (item(json!({ "type": "function_call", "name": "f", "arguments": "{}" })), "input.0.call_id"),
        (item(json!({ "role": "tool", "content": "x" })), "input.0.role"),
        (item("hi".into()), "input.0"),
        (item(json!({ "role": "user" })), "input.0"),
        (item(json!({ "role": "user", "content": ["hi"] })), "input.0.content.0"),
        (item(json!({ "role": "user", "content": [{ "type": "input_text" }] })), "input.0.content.0"),
        (
            item(json!({ "role": "user", "content": [{ "type": "input_file", "file_id": "file-1" }] })),
            "input.0.content.0",
        ),
        (
            item(json!({ "role": "user", "content": [{ "type": "input_image", "file_id": "file-1" }] })),
            "input.0.content.0",
        ),
    ] {
        let told = house.key.post(PATH, &body).await.expect(400);
        assert_eq!(
            (&told["error"]["type"], &told["error"]["param"]),
            (&json!("invalid_request_error"), &json!(param)),
            "{told}"
        );
    }
    assert_eq!(house.scripted.stats().requests, 0);
    for (body, status, code) in [
        (with("model", "nobody".into()), 404, "model_not_found"),
        (with("previous_response_id", "resp_1".into()), 404, "not_found"),
        (asked("status=429;retry_after=7", false), 429, "mock_429"),
        (asked("status=500", true), 500, "upstream_failed"),
    ] {
        assert_eq!(house.key.post(PATH, &body).await.expect(status)["error"]["code"], code);
    }
    at(&house.key, "POST", &format!("{PATH}/resp_1/cancel")).await.expect(400);
    at(&house.key, "GET", &format!("{PATH}/resp_1")).await.expect(404);
    call(house.portal.address, "POST", PATH, &[], b"{}").await.expect(401);
}

#[tokio::test]
async fn a_key_may_no_more_here_than_elsewhere() {
    let house = House::open().await;
    let scopes = [(json!({ "models": ["other/*"] }), 403), (json!({ "requests_per_minute": 1 }), 200)];
    let mut told = BTreeMap::new();
    for (scope, first) in scopes {
        let made = house.owner.post("/api/keys", &json!({ "name": "bound", "scope": scope })).await;
        let key = Key { address: house.key.address, key: made["key"].as_str().expect("a key").to_owned() };
        let reply = key.post(PATH, &asked("n=1", false)).await.expect(first);
        told.insert(first, reply["error"]["code"].clone());
        if first == 200 {
            assert_eq!(key.post(PATH, &asked("n=1", false)).await.expect(429)["error"]["code"], "over_key_rate");
        }
    }
    assert_eq!(told, BTreeMap::from([(200, Value::Null), (403, json!("model_not_allowed"))]));
}
