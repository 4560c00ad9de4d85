//! Answers of both endpoints, plain and streamed, compared whole.

use serde_json::{Value, json};

use crate::worker::{Worker, told};

fn question() -> Value {
    json!([{"role": "user", "content": "Who is there?"}])
}

/// Replaces what differs from run to run.
fn fixed(mut answer: Value) -> Value {
    answer["id"] = "ID".into();
    answer["created"] = 0.into();
    answer
}

#[test]
fn a_chat_is_answered_whole() {
    let worker = Worker::scripted("Nobody|, |really|.", &["--name", "echo"]);
    let reply = worker.post("/v1/chat/completions", &json!({"messages": question(), "temperature": 0}));
    assert_eq!(reply.status, 200);
    let expected = json!({
        "id": "ID", "object": "chat.completion", "created": 0, "model": "echo",
        "choices": [{
            "index": 0, "finish_reason": "stop", "logprobs": null,
            "message": {"role": "assistant", "content": "Nobody, really.", "refusal": null},
        }],
        "usage": {"prompt_tokens": 14, "completion_tokens": 5, "total_tokens": 19, "prompt_tokens_details": {"cached_tokens": 0}},
        "portico": {"chat_template": false},
    });
    assert_eq!(fixed(reply.json()), expected);
}

#[test]
fn a_chat_is_streamed_with_its_usage_when_asked_for() {
    let worker = Worker::scripted("No|body", &["--name", "echo"]);
    let ask =
        json!({"messages": question(), "temperature": 0, "stream": true, "stream_options": {"include_usage": true}});
    let events = worker.stream("/v1/chat/completions", &ask);
    let chunk = |delta: Value, finish: Value| {
        json!({
            "id": "ID", "object": "chat.completion.chunk", "created": 0, "model": "echo", "usage": null,
            "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
        })
    };
    let mut first = chunk(json!({"role": "assistant", "content": ""}), Value::Null);
    first["portico"] = json!({"chat_template": false});
    let mut usage = chunk(Value::Null, Value::Null);
    usage["choices"] = json!([]);
    usage["usage"] = json!({"prompt_tokens": 14, "completion_tokens": 3, "total_tokens": 17, "prompt_tokens_details": {"cached_tokens": 0}});
    let expected = [
        first,
        chunk(json!({"content": "No"}), Value::Null),
        chunk(json!({"content": "body"}), Value::Null),
        chunk(json!({}), "stop".into()),
        usage,
    ];
    let (done, chunks) = events.split_last().expect("events");
    let chunks: Vec<_> = chunks.iter().map(|chunk| fixed(serde_json::from_str(chunk).expect("JSON"))).collect();
    assert_eq!(chunks, expected);
    assert_eq!(done, "[DONE]");
}

#[test]
fn a_stream_says_that_it_must_not_be_buffered_or_changed() {
    let worker = Worker::scripted("No", &[]);
    let reply = worker.post("/v1/chat/completions", &json!({"messages": question(), "stream": true}));
    for header in ["content-type: text/event-stream", "cache-control: no-cache, no-transform", "x-accel-buffering: no"]
    {
        assert!(reply.head.contains(header), "{header} in {}", reply.head);
    }
}

#[test]
fn a_completion_is_answered_whole_and_streamed() {
    let worker = Worker::scripted("a|b|c|d", &["--name", "echo"]);
    let ask = json!({"prompt": "x", "temperature": 0, "max_tokens": 3, "logprobs": 0});
    let answer = fixed(worker.post("/v1/completions", &ask).json());
    assert_eq!(answer["choices"][0]["text"], "abc");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["choices"][0]["logprobs"]["tokens"], json!(["a", "b", "c"]));
    assert_eq!(answer["choices"][0]["logprobs"]["text_offset"], json!([0, 1, 2]));
    let count = |key: &str| answer["usage"][key].as_u64();
    assert_eq!(["prompt_tokens", "completion_tokens", "total_tokens"].map(count), [Some(2), Some(3), Some(5)]);
    assert_eq!(answer["object"], "text_completion");

    let events = worker.stream("/v1/completions", &json!({"prompt": "x", "temperature": 0, "stream": true}));
    assert_eq!(told(&events), ("abcd".into(), Some("stop".into()), true));
}

#[test]
fn stop_strings_end_an_answer_across_token_borders_and_never_leak() {
    let worker = Worker::scripted("one t|wo|, thr|ee|, f|our", &[]);
    let cases = [
        (json!("two"), "one ", "stop"),
        (json!(", three"), "one two", "stop"),
        (json!([", thirty", "e, f"]), "one two, thre", "stop"),
        (json!(["never", ""]), "one two, three, four", "stop"),
        (json!("ours"), "one two, three, four", "stop"),
        (json!("one"), "", "stop"),
    ];
    for (stop, expected, finish) in cases {
        let ask = json!({"messages": question(), "temperature": 0, "stop": stop});
        let answer = worker.post("/v1/chat/completions", &ask).json();
        assert_eq!(answer["choices"][0]["message"]["content"], expected, "{stop}");
        assert_eq!(answer["choices"][0]["finish_reason"], finish, "{stop}");

        let mut ask = ask;
        ask["stream"] = true.into();
        let events = worker.stream("/v1/chat/completions", &ask);
        assert_eq!(told(&events), (expected.into(), Some(finish.into()), true), "{stop} streamed");
    }
}

#[test]
fn log_probabilities_come_with_the_text_they_belong_to() {
    let worker = Worker::scripted("ab|cd|ef", &[]);
    let ask = json!({"messages": question(), "temperature": 0, "stop": "de", "logprobs": true, "top_logprobs": 2});
    let answer = worker.post("/v1/chat/completions", &ask).json();
    assert_eq!(answer["choices"][0]["message"]["content"], "abc");
    let tokens = answer["choices"][0]["logprobs"]["content"].as_array().expect("a list").clone();
    let words: Vec<_> = tokens.iter().map(|token| token["token"].as_str().expect("text")).collect();
    assert_eq!(words, ["ab", "cd"], "the token that begins the stop string is told, the one behind it is not");
    for token in tokens {
        assert_eq!(token["top_logprobs"].as_array().expect("a list").len(), 2);
        assert_eq!(token["top_logprobs"][0]["token"], token["token"]);
        assert!(token["logprob"].as_f64().expect("a number") <= 0.0);
    }
}

#[test]
fn a_model_without_a_template_gets_the_last_question_with_the_system_prompt_before_it() {
    let worker = Worker::scripted("x", &[]);
    let count = |messages: Value| {
        let answer = worker.post("/v1/chat/completions", &json!({"messages": messages})).json();
        answer["usage"]["prompt_tokens"].as_u64().expect("a count") - 1
    };
    let talk = json!([
        {"role": "user", "content": "first"}, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "second!"},
    ]);
    assert_eq!(count(talk), "second!".len() as u64);
    let talk = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Why?"}]}]);
    assert_eq!(count(talk), "Be brief.\nWhy?".len() as u64);
    assert_eq!(worker.get("/v1/models").json()["data"][0]["meta"]["has_chat_template"], false);
}

#[test]
fn a_model_with_a_template_gets_the_whole_conversation() {
    let template = "{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}[assistant]";
    let worker = Worker::scripted("x", &["--template", template]);
    let talk = json!([{"role": "system", "content": "S"}, {"role": "user", "content": "{{ 7 * 7 }}"}]);
    let answer = worker.post("/v1/chat/completions", &json!({"messages": talk})).json();
    // The scripted vocabulary has no markup: every byte is a token, and the BOS that the template wrote is not added again.
    assert_eq!(answer["usage"]["prompt_tokens"], "<s>[system]S[user]{{ 7 * 7 }}[assistant]".len());
    assert_eq!(answer["portico"], json!({"chat_template": true}));
    assert_eq!(worker.get("/v1/models").json()["data"][0]["meta"]["has_chat_template"], true);
}

#[test]
fn the_list_of_models_says_what_is_known() {
    let worker = Worker::scripted("x", &["--name", "echo", "--context", "99"]);
    let listed = worker.get("/v1/models").json();
    assert_eq!(listed["data"][0]["id"], "echo");
    assert_eq!(listed["data"][0]["meta"]["context_length"], 99);
}
