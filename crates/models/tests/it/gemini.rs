//! What only Gemini's dialect has: the table of parameters row by row, endings, signatures of thoughts, and Google's refusals. What
//! every dialect promises is the suite's.

use std::path::Path;

use domain::{Finish, ModelError, ModelState, Prompt, Task};
use models::testing::Scripted;
use models::{Models, Options, ProviderConfig};
use serde_json::{Value, json};

use crate::{Heard, asked, egress, hear, open, options, provider, until};

async fn start() -> (Scripted, Models) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemini");
    let scripted = Scripted::replay(&fixtures).await;
    let models = Models::new(Options { retries: 0, ..options() }, egress());
    models.configure(vec![ProviderConfig { kind: "gemini".into(), models: None, ..provider(&scripted.url) }]);
    // From here on it is known which of them think.
    until(&models, |models| models.state("mock/m") == Some(ModelState::Ready)).await;
    (scripted, models)
}

fn chat(more: &Value) -> Prompt {
    let mut body = json!({"model": "mock/m", "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let model = body["model"].as_str().expect("a name").to_owned();
    Prompt { model, ..asked(body) }
}

fn sent(scripted: &Scripted, method: &str) -> Value {
    scripted.seen().iter().rev().find(|seen| seen.path.ends_with(method)).expect("a request").json()
}

async fn answer(case: &str, prompt: Prompt) -> Heard {
    let (scripted, models) = start().await;
    scripted.next(case);
    hear(open(&models, prompt).await.expect(case)).await
}

#[tokio::test]
async fn each_parameter_that_has_a_word_is_said_in_it() {
    let (scripted, models) = start().await;
    let parameters = json!({"type": "object"});
    let function = |strict: bool| json!({"type": "function", "function": {"name": "f", "parameters": parameters, "strict": strict}});
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    for (given, at, expected) in [
        (json!({"max_tokens": 7}), "/generationConfig/maxOutputTokens", json!(7)),
        (json!({"max_completion_tokens": 7}), "/generationConfig/maxOutputTokens", json!(7)),
        (json!({"stop": "."}), "/generationConfig/stopSequences", json!(["."])),
        (json!({"temperature": 0.7}), "/generationConfig/temperature", json!(0.7)),
        // What OpenAI takes for granted is not what Gemini does.
        (json!({"top_p": 1}), "/generationConfig/topP", json!(1)),
        (json!({"top_k": 40}), "/generationConfig/topK", json!(40)),
        (json!({"seed": 4_294_967_303_u64}), "/generationConfig/seed", json!(7)),
        (json!({"presence_penalty": 0.5}), "/generationConfig/presencePenalty", json!(0.5)),
        (json!({"frequency_penalty": 0.5}), "/generationConfig/frequencyPenalty", json!(0.5)),
        (json!({"logprobs": true}), "/generationConfig/responseLogprobs", json!(true)),
        (json!({"logprobs": true, "top_logprobs": 2}), "/generationConfig/logprobs", json!(2)),
        (json!({"service_tier": "default"}), "/serviceTier", json!("standard")),
        (json!({"service_tier": "flex"}), "/serviceTier", json!("flex")),
        (
            json!({"tools": [function(false)]}),
            "/tools/0/functionDeclarations/0",
            json!({"name": "f", "parametersJsonSchema": parameters}),
        ),
        (json!({"tools": [function(true)]}), "/toolConfig/functionCallingConfig", json!({"mode": "VALIDATED"})),
        (
            json!({"tools": [function(false)], "tool_choice": "required"}),
            "/toolConfig/functionCallingConfig",
            json!({"mode": "ANY"}),
        ),
        (
            json!({"tools": [function(false)], "tool_choice": "none"}),
            "/toolConfig/functionCallingConfig",
            json!({"mode": "NONE"}),
        ),
        (
            json!({"tools": [function(false)], "tool_choice": {"type": "function", "function": {"name": "f"}}}),
            "/toolConfig/functionCallingConfig",
            json!({"mode": "ANY", "allowedFunctionNames": ["f"]}),
        ),
        (
            json!({"response_format": {"type": "json_object"}}),
            "/generationConfig/responseMimeType",
            json!("application/json"),
        ),
        (
            json!({"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}),
            "/generationConfig/responseJsonSchema",
            schema.clone(),
        ),
        (
            json!({"reasoning_effort": "high"}),
            "/generationConfig/thinkingConfig",
            json!({"includeThoughts": true, "thinkingLevel": "high"}),
        ),
        (
            json!({"model": "mock/gemini-3-flash-preview", "reasoning_effort": "minimal"}),
            "/generationConfig/thinkingConfig/thinkingLevel",
            json!("minimal"),
        ),
        (
            json!({"model": "mock/gemini-2.5-flash", "reasoning_effort": "medium"}),
            "/generationConfig/thinkingConfig",
            json!({"includeThoughts": true, "thinkingBudget": 8192}),
        ),
        (
            json!({"model": "mock/gemini-2.5-flash", "reasoning_effort": "none"}),
            "/generationConfig/thinkingConfig",
            json!({"thinkingBudget": 0}),
        ),
    ] {
        let reply = open(&models, chat(&given)).await.expect("an answer");
        assert_eq!(reply.dropped, Vec::<String>::new(), "{given}");
        assert_eq!(sent(&scripted, ":generateContent").pointer(at), Some(&expected), "{given}");
    }
}

#[tokio::test]
async fn each_parameter_without_a_word_is_dropped_and_named_or_refused() {
    let (scripted, models) = start().await;
    hear(open(&models, chat(&json!({}))).await.expect("an answer")).await;
    let bare = sent(&scripted, ":generateContent");
    assert_eq!(
        bare,
        json!({
            "contents": [{"role": "user", "parts": [{"text": "hi"}]}],
            "generationConfig": {"thinkingConfig": {"includeThoughts": true}},
        })
    );
    for (name, value) in [
        ("min_p", json!(0.1)),
        ("repetition_penalty", json!(1.1)),
        ("logit_bias", json!({"1": 2})),
        ("parallel_tool_calls", json!(false)),
        ("user", json!("u1")),
        ("safety_identifier", json!("s1")),
        ("metadata", json!({"a": "b"})),
        ("store", json!(true)),
        ("prediction", json!({"type": "content", "content": "x"})),
        ("prompt_cache_key", json!("k")),
        ("prompt_cache_retention", json!("24h")),
        ("verbosity", json!("low")),
        ("service_tier", json!("scale")),
        // A model of the third generation always thinks.
        ("reasoning_effort", json!("none")),
        ("something_new", json!(1)),
    ] {
        let reply = open(&models, chat(&json!({ name: value }))).await.expect(name);
        assert_eq!(reply.dropped, [name]);
        assert_eq!(sent(&scripted, ":generateContent"), bare, "{name}");
    }
    for (name, value) in [
        ("n", json!(2)),
        ("audio", json!({"voice": "x"})),
        ("modalities", json!(["text", "audio"])),
        ("web_search_options", json!({"user_location": {}})),
        ("functions", json!([{"name": "f"}])),
        ("function_call", json!("auto")),
        ("tools", json!([{"type": "custom", "custom": {"name": "x"}}])),
        ("messages", json!([{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}])),
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
}

#[tokio::test]
async fn endings_are_told_apart() {
    let stream = json!({"stream": true});
    let stopped = answer("stopped", chat(&stream)).await;
    assert_eq!((stopped.text().as_str(), stopped.finish()), ("One, two", Some(Finish::Length)));
    let declined = answer("declined", chat(&stream)).await;
    assert_eq!((declined.text().as_str(), declined.finish()), ("I", Some(Finish::ContentFilter)));
    let (scripted, models) = start().await;
    for stream in [true, false] {
        scripted.next("blocked");
        let blocked = open(&models, chat(&json!({ "stream": stream }))).await.expect_err("blocked");
        let ModelError::Rejected { status: 400, code: Some(code), message, .. } = blocked else {
            unreachable!("{blocked:?}")
        };
        assert!(code == "content_filter" && message.contains("PROHIBITED_CONTENT"), "{message}");
    }
    scripted.next("malformed");
    let malformed = open(&models, chat(&stream)).await.expect_err("no call that can be read");
    assert!(
        matches!(&malformed, ModelError::Broken { message, .. } if message.contains("print(get_weather(")),
        "{malformed:?}"
    );
}

#[tokio::test]
async fn the_signature_of_a_call_goes_back_with_its_result() {
    let (scripted, models) = start().await;
    scripted.next("tools");
    hear(open(&models, chat(&json!({"stream": true}))).await.expect("calls")).await;
    scripted.next("text");
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    let history = |first: &str, second: &str| {
        json!({"messages": [
            {"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"},
            {"role": "assistant", "content": "I look.", "tool_calls": [call(first, "get_weather", "{\"city\":\"Paris\"}"), call(second, "get_time", "")]},
            {"role": "tool", "tool_call_id": first, "content": "{\"degrees\": 21}"}, {"role": "tool", "tool_call_id": second, "content": "noon"},
        ]})
    };
    hear(open(&models, chat(&history("fc_w", "fc_t"))).await.expect("an answer")).await;
    let bare = json!({"thinkingConfig": {"includeThoughts": true}});
    assert_eq!(
        sent(&scripted, ":generateContent"),
        json!({"systemInstruction": {"parts": [{"text": "Be brief."}]}, "generationConfig": bare, "contents": [
            {"role": "user", "parts": [{"text": "hi"}]},
            {"role": "model", "parts": [
                {"text": "I look."},
                {"functionCall": {"id": "fc_w", "name": "get_weather", "args": {"city": "Paris"}}, "thoughtSignature": "CiQBcsjafA=="},
                {"functionCall": {"id": "fc_t", "name": "get_time", "args": {}}},
            ]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "fc_w", "name": "get_weather", "response": {"degrees": 21}}},
                {"functionResponse": {"id": "fc_t", "name": "get_time", "response": {"output": "noon"}}},
            ]},
        ]})
    );
    // Calls of another model, or of a time before a restart.
    hear(open(&models, chat(&history("call_a", "call_b"))).await.expect("an answer")).await;
    let signature = sent(&scripted, ":generateContent")["contents"][1]["parts"][1]["thoughtSignature"].clone();
    assert_eq!(signature, "skip_thought_signature_validator");
    let mut older = history("call_a", "call_b");
    older["model"] = json!("mock/gemini-2.5-pro");
    hear(open(&models, chat(&older)).await.expect("an answer")).await;
    assert_eq!(sent(&scripted, ":generateContent")["contents"][1]["parts"][1].get("thoughtSignature"), None);
    let mut lost = history("call_a", "call_b");
    lost["messages"][3]["tool_call_id"] = json!("call_x");
    let refused = open(&models, chat(&lost)).await.expect_err("nobody called it");
    assert!(
        matches!(&refused, ModelError::Rejected { status: 400, message, .. } if message.contains("call_x")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_key_goes_in_its_own_header_and_the_model_in_the_path() {
    let (scripted, models) = start().await;
    hear(open(&models, chat(&json!({"stream": true}))).await.expect("an answer")).await;
    let seen = scripted.seen().into_iter().rev().find(|seen| seen.path.contains("Content")).expect("a request");
    assert_eq!(seen.path, "/v1beta/models/m:streamGenerateContent");
    assert_eq!(seen.headers["x-goog-api-key"], "sk-test");
    assert!(!seen.headers.contains_key("authorization"));
    open(&models, chat(&json!({}))).await.expect("an answer");
    let seen = scripted.seen().into_iter().rev().find(|seen| seen.path.contains("Content")).expect("a request");
    assert_eq!(seen.path, "/v1beta/models/m:generateContent");
}

#[tokio::test]
async fn a_picture_at_an_address_is_named_with_its_kind() {
    let (scripted, models) = start().await;
    let picture = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let parts = json!([picture("https://host.example/a.PNG?size=1"), picture("https://host.example/a")]);
    open(&models, chat(&json!({"messages": [{"role": "user", "content": parts}]}))).await.expect("an answer");
    assert_eq!(
        sent(&scripted, ":generateContent")["contents"][0]["parts"],
        json!([
            {"fileData": {"fileUri": "https://host.example/a.PNG?size=1", "mimeType": "image/png"}},
            {"fileData": {"fileUri": "https://host.example/a"}},
        ])
    );
}

#[tokio::test]
async fn those_that_answer_are_found_and_voices_and_vectors_are_not() {
    let (_scripted, models) = start().await;
    let names: Vec<String> = models.list().into_iter().map(|model| model.id).collect();
    assert_eq!(names, ["mock/m", "mock/gemini-2.5-flash", "mock/gemini-2.5-pro", "mock/gemini-3-flash-preview"]);
}

#[tokio::test]
async fn vectors_are_answered_in_openais_words() {
    let (scripted, models) = start().await;
    scripted.next("vectors");
    let vectors = |more: Value| {
        let mut body = json!({"model": "mock/m", "input": ["one", "two"]});
        more.as_object().into_iter().flatten().for_each(|(name, value)| body[name] = value.clone());
        Prompt { task: Task::Embeddings, ..asked(body) }
    };
    let reply = open(&models, vectors(json!({"dimensions": 3, "user": "u1"}))).await.expect("vectors");
    assert_eq!(reply.dropped, ["user"]);
    let heard = hear(reply).await;
    let told: Value = serde_json::from_str(&heard.wire).expect("JSON");
    assert_eq!(
        told,
        json!({"object": "list", "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}, "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -1.0, 0.25]},
            {"object": "embedding", "index": 1, "embedding": [0.25, 0.5, -1.0]},
        ]})
    );
    assert_eq!((heard.usage(), heard.finish()), (Some((3, 0)), Some(Finish::Stop)));
    let content =
        |text: &str| json!({"model": "models/m", "content": {"parts": [{"text": text}]}, "outputDimensionality": 3});
    assert_eq!(sent(&scripted, "batchEmbedContents"), json!({"requests": [content("one"), content("two")]}));
    let packed = hear(open(&models, vectors(json!({"encoding_format": "base64"}))).await.expect("vectors")).await;
    assert!(packed.wire.contains("\"AAAAPwAAgL8AAIA+\""), "{}", packed.wire);
    let refused = open(&models, vectors(json!({"input": [[1, 2]]}))).await.expect_err("token ids");
    assert!(
        matches!(&refused, ModelError::Rejected { status: 400, message, .. } if message.contains("token ids")),
        "{refused:?}"
    );
}

#[tokio::test]
async fn an_answer_with_log_probabilities_is_written_in_openais_chunks() {
    let (scripted, models) = start().await;
    scripted.next("logprobs");
    let wanted =
        json!({"logprobs": true, "top_logprobs": 1, "stream": true, "stream_options": {"include_usage": true}});
    let heard = hear(open(&models, chat(&wanted)).await.expect("an answer")).await;
    assert_eq!((heard.text().as_str(), heard.usage(), heard.finish()), ("Yes.", Some((12, 8)), Some(Finish::Stop)));
    let chunks = heard.chunks();
    let texts: String = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(texts, "Yes.");
    let weights: Vec<Value> = chunks
        .iter()
        .flat_map(|chunk| chunk["choices"][0]["logprobs"]["content"].as_array().cloned())
        .flatten()
        .collect();
    let token = |token: &str, logprob: f32, other: (&str, f32)| {
        json!({"token": token, "logprob": logprob, "bytes": token.as_bytes(), "top_logprobs": [
            {"token": other.0, "logprob": other.1, "bytes": other.0.as_bytes()},
        ]})
    };
    assert_eq!(weights, [token("Yes", -0.25, ("Yes", -0.25)), token(".", -0.5, (".", -0.5))]);
    let [.., ending, usage] = chunks.as_slice() else { unreachable!("{chunks:?}") };
    assert_eq!((&ending["choices"][0]["finish_reason"], &usage["usage"]["total_tokens"]), (&json!("stop"), &json!(20)));
    let heard = hear(open(&models, chat(&json!({"logprobs": true}))).await.expect("an answer")).await;
    let whole: Value = serde_json::from_str(&heard.wire).expect("one body");
    assert_eq!(whole["choices"][0]["message"]["content"], "Yes.");
    assert_eq!(whole["choices"][0]["logprobs"]["content"][0]["logprob"], -0.25);
}
