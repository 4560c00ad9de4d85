//! What only Anthropic's dialect has: the table of parameters row by row, endings, signed thoughts, and a client's own bytes. What
//! every dialect promises is the suite's.

use std::path::Path;

use domain::{ClientBody, Dialect, Finish, ModelError, Prompt, Wire};
use models::testing::Scripted;
use models::{Models, ProviderConfig};
use serde_json::{Value, json};

use crate::{Heard, asked, egress, hear, open, options, provider};

async fn start() -> (Scripted, Models) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/anthropic");
    let scripted = Scripted::replay(&fixtures).await;
    let models = Models::new(options(), egress());
    models.configure(vec![ProviderConfig { kind: "anthropic".into(), ..provider(&scripted.url) }]);
    (scripted, models)
}

fn chat(more: &Value) -> Prompt {
    let mut body = json!({"model": "mock/m", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    asked(body)
}

fn sent(scripted: &Scripted) -> Value {
    scripted.seen().iter().rev().find(|seen| seen.path.ends_with("/messages")).expect("a request").json()
}

async fn answer(case: &str, prompt: Prompt) -> Heard {
    let (scripted, models) = start().await;
    scripted.next(case);
    hear(open(&models, prompt).await.expect(case)).await
}

#[tokio::test]
async fn each_parameter_that_has_a_word_is_said_in_it() {
    let (scripted, models) = start().await;
    let function =
        json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": true}});
    for (given, at, expected) in [
        (json!({"max_completion_tokens": 7}), "/max_tokens", json!(7)),
        (json!({"stop": "."}), "/stop_sequences", json!(["."])),
        (json!({"user": "u1"}), "/metadata/user_id", json!("u1")),
        (json!({"safety_identifier": "s1", "user": "u1"}), "/metadata/user_id", json!("s1")),
        (json!({"service_tier": "default"}), "/service_tier", json!("standard_only")),
        (
            json!({"tools": [function]}),
            "/tools/0",
            json!({"name": "f", "input_schema": {"type": "object"}, "strict": true}),
        ),
        (json!({"tools": [function], "tool_choice": "required"}), "/tool_choice", json!({"type": "any"})),
        (json!({"tools": [function], "tool_choice": "none"}), "/tool_choice", json!({"type": "none"})),
        (
            json!({"tools": [function], "parallel_tool_calls": false}),
            "/tool_choice",
            json!({"type": "auto", "disable_parallel_tool_use": true}),
        ),
        (
            json!({"tools": [function], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
            "/tool_choice",
            json!({"type": "tool", "name": "f"}),
        ),
        (json!({"reasoning_effort": "none"}), "/thinking", json!({"type": "disabled"})),
        (json!({"reasoning_effort": "high"}), "/thinking", json!({"type": "adaptive", "display": "summarized"})),
        (json!({"reasoning_effort": "minimal"}), "/output_config/effort", json!("low")),
        (json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}), "/thinking/budget_tokens", json!(2048)),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}}),
            "/output_config/format",
            json!({"type": "json_schema", "schema": {"type": "object"}}),
        ),
    ] {
        let reply = open(&models, chat(&given)).await.expect("an answer");
        assert_eq!(reply.dropped, Vec::<String>::new(), "{given}");
        assert_eq!(sent(&scripted).pointer(at), Some(&expected), "{given}");
    }
}

#[tokio::test]
async fn each_parameter_without_a_word_is_dropped_and_named_or_refused() {
    let (scripted, models) = start().await;
    let plain = hear(open(&models, chat(&json!({}))).await.expect("an answer")).await.finish();
    assert_eq!(plain, Some(Finish::Stop));
    let bare = sent(&scripted);
    for (name, value) in [
        ("temperature", json!(0.5)),
        ("top_p", json!(0.9)),
        ("top_k", json!(40)),
        ("min_p", json!(0.1)),
        ("frequency_penalty", json!(1)),
        ("presence_penalty", json!(1)),
        ("repetition_penalty", json!(1.1)),
        ("logit_bias", json!({"1": 2})),
        ("seed", json!(7)),
        ("metadata", json!({"a": "b"})),
        ("store", json!(true)),
        ("prediction", json!({"type": "content", "content": "x"})),
        ("prompt_cache_key", json!("k")),
        ("prompt_cache_retention", json!("24h")),
        ("verbosity", json!("low")),
        ("service_tier", json!("flex")),
        ("response_format", json!({"type": "json_object"})),
        ("something_new", json!(1)),
    ] {
        let reply = open(&models, chat(&json!({ name: value }))).await.expect(name);
        assert_eq!(reply.dropped, [name]);
        assert_eq!(sent(&scripted), bare, "{name}");
    }
    for (name, value) in [
        ("logprobs", json!(true)),
        ("top_logprobs", json!(2)),
        ("n", json!(2)),
        ("audio", json!({"voice": "x"})),
        ("modalities", json!(["text", "audio"])),
        ("web_search_options", json!({"user_location": {}})),
        ("functions", json!([{"name": "f"}])),
        ("function_call", json!("auto")),
        ("tools", json!([{"type": "custom", "custom": {"name": "x"}}])),
        ("messages", json!([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}])),
        ("messages", json!([{"role": "user", "content": [{"type": "file", "file": {}}]}])),
    ] {
        let refused = open(&models, chat(&json!({ name: value }))).await.expect_err(name);
        let ModelError::Rejected { status: 400, code: Some(code), message, body: Some(body) } = refused else {
            unreachable!("{name}")
        };
        assert_eq!(code, "unsupported_parameter");
        assert!(message.contains(name), "{message}");
        // As OpenAI's clients read it.
        let told: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((&told["error"]["code"], &told["error"]["message"]), (&json!(code), &json!(message)));
        assert!(told["error"]["param"].as_str().is_some_and(|param| param.starts_with(name)), "{told}");
    }
    for neutral in [json!({"temperature": 1, "n": 1, "frequency_penalty": 0}), json!({"logprobs": false, "seed": null})]
    {
        assert_eq!(open(&models, chat(&neutral)).await.expect("an answer").dropped, Vec::<String>::new(), "{neutral}");
    }
}

#[tokio::test]
async fn endings_are_told_apart() {
    let stream = json!({"stream": true});
    let stopped = answer("stopped", chat(&stream)).await;
    assert_eq!((stopped.text().as_str(), stopped.finish()), ("One, two", Some(Finish::Length)));
    assert_eq!(answer("declined", chat(&stream)).await.finish(), Some(Finish::ContentFilter));
}

#[tokio::test]
async fn the_thoughts_that_led_to_a_call_go_back_with_its_result() {
    let (scripted, models) = start().await;
    scripted.next("tools");
    hear(open(&models, chat(&json!({"stream": true}))).await.expect("calls")).await;
    scripted.next("text");
    let call =
        |id: &str, name: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": ""}});
    let messages = json!([
        {"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "I look.", "tool_calls": [call("toolu_01w", "get_weather"), call("toolu_01t", "get_time")]},
        {"role": "tool", "tool_call_id": "toolu_01w", "content": "21"}, {"role": "tool", "tool_call_id": "toolu_01t", "content": "noon"},
    ]);
    hear(open(&models, chat(&json!({ "messages": messages }))).await.expect("an answer")).await;
    let text = |text: &str| json!({"type": "text", "text": text});
    let result = |id: &str, said: &str| json!({"type": "tool_result", "tool_use_id": id, "content": [text(said)]});
    let made = |id: &str, name: &str| json!({"type": "tool_use", "id": id, "name": name, "input": {}});
    assert_eq!(
        sent(&scripted),
        json!({"model": "m", "max_tokens": 99, "system": "Be brief.", "messages": [
            {"role": "user", "content": [text("hi")]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "I must look.", "signature": "EqQBCgI="}, text("I look."),
                made("toolu_01w", "get_weather"), made("toolu_01t", "get_time"),
            ]},
            {"role": "user", "content": [result("toolu_01w", "21"), result("toolu_01t", "noon")]},
        ]})
    );
}

#[tokio::test]
async fn an_anthropic_client_gets_its_bytes_through_both_ways() {
    let (scripted, models) = start().await;
    let own = r#"{ "model":"mock/m", "max_tokens" : 5,"temperature":0.70, "stream":true,"messages":[{"role":"user","content":"hi"}],"new":1 }"#;
    let mut prompt = chat(&json!({"stream": true}));
    let wire = Wire { dialect: Dialect::Anthropic, bytes: own.into() };
    let bytes = prompt.body.take().expect("a body").bytes;
    prompt.body = Some(ClientBody { original: Some(wire), ..ClientBody::json(bytes, false) });
    let heard = hear(open(&models, prompt.clone()).await.expect("an answer")).await;
    let seen = scripted.seen().into_iter().rev().find(|seen| seen.path == "/v1/messages").expect("a request");
    assert_eq!(String::from_utf8_lossy(&seen.body), own.replace("mock/m", "m"));
    assert_eq!(
        (&seen.headers["x-api-key"], &seen.headers["anthropic-version"]),
        (&"sk-test".parse().expect("a value"), &"2023-06-01".parse().expect("a value"))
    );
    assert_eq!((heard.text().as_str(), heard.usage()), ("Hello, 世界! 🌍", Some((12, 8))));
    assert!(heard.wire.starts_with("event: message_start\n") && heard.wire.contains("message_delta"), "{}", heard.wire);
    assert!(
        !heard.wire.contains("message_stop") && !heard.wire.contains("ping"),
        "the end mark is the door's to write"
    );
    scripted.next("too_long");
    let refused = open(&models, prompt).await.expect_err("too long");
    let ModelError::Rejected { body: Some(body), .. } = refused else { unreachable!("{refused:?}") };
    assert!(String::from_utf8_lossy(&body).contains("request_id"), "its own words are kept");
}
