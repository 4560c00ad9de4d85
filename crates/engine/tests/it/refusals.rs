//! Requests that get no answer: a status, a code and a sentence each.

use serde_json::{Value, json};

use crate::worker::Worker;

#[test]
fn what_cannot_be_done_is_refused_with_a_sentence() {
    let worker = Worker::scripted("x", &["--context", "20"]);
    let asked = |change: (&str, Value)| {
        let mut ask = json!({"messages": [{"role": "user", "content": "Hi"}]});
        ask[change.0] = change.1;
        ask
    };
    let chat = "/v1/chat/completions";
    let cases: Vec<(&str, Value, u16, &str, &str)> = vec![
        (chat, json!({}), 400, "invalid_json", "missing field `messages`"),
        (chat, asked(("messages", json!([]))), 400, "invalid_value", "messages must not be empty"),
        (chat, asked(("messages", json!([{"content": "x"}]))), 400, "invalid_value", "messages must have a role each"),
        (
            chat,
            asked(("messages", json!([{"role": "system", "content": "x"}]))),
            400,
            "invalid_value",
            "hold no question",
        ),
        (
            chat,
            asked((
                "messages",
                json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
            )),
            400,
            "wrong_kind_of_model",
            "this model reads text only: a picture needs one that sees",
        ),
        (chat, asked(("temperature", json!(-1))), 400, "invalid_value", "temperature is -1; it must be from 0 to 100"),
        (chat, asked(("temperature", json!("hot"))), 400, "invalid_json", "invalid type: string \"hot\""),
        (chat, asked(("top_p", json!(1.5))), 400, "invalid_value", "top_p is 1.5"),
        (chat, asked(("top_logprobs", json!(3))), 400, "invalid_value", "top_logprobs needs logprobs: true"),
        (chat, asked(("n", json!(2))), 400, "invalid_value", "n must be 1"),
        (chat, asked(("max_tokens", json!(0))), 400, "invalid_value", "max_tokens must be at least 1"),
        (chat, asked(("tools", json!([{}]))), 400, "invalid_value", "tools must be functions with a name each"),
        (
            chat,
            asked(("response_format", json!({"type": "xml"}))),
            400,
            "invalid_value",
            "response_format xml is not supported",
        ),
        (
            chat,
            asked(("response_format", json!({"type": "json_schema", "json_schema": {"schema": {"not": {}}}}))),
            400,
            "invalid_value",
            "response_format cannot be promised: the schema at #: nothing fits it",
        ),
        (
            chat,
            asked(("grammar", json!("root ::= more"))),
            400,
            "invalid_value",
            "grammar cannot be used: the grammar does not define more",
        ),
        (chat, asked(("logit_bias", json!({"word": 1.0}))), 400, "invalid_value", "no token id"),
        (
            chat,
            asked(("messages", json!([{"role": "user", "content": "a question too long"}]))),
            400,
            "context_length_exceeded",
            "the prompt has 20 tokens and the context of this model is 20",
        ),
        ("/v1/completions", json!({"prompt": ["a", "b"]}), 400, "invalid_value", "prompt must be one text"),
        ("/v1/completions", json!({"prompt": [999_999]}), 400, "invalid_value", "holds the token 999999"),
        ("/v1/completions", json!({"prompt": []}), 400, "invalid_value", "prompt must not be empty"),
        (
            "/v1/completions",
            json!({"prompt": "x", "logprobs": 21}),
            400,
            "invalid_value",
            "logprobs must be at most 20",
        ),
        ("/v1/completions", json!({"prompt": "x", "echo": true}), 400, "invalid_value", "echo is not supported"),
        ("/v1/images", json!({}), 404, "unknown_url", "there is nothing at /v1/images"),
        ("/v1/models", json!({}), 405, "method_not_allowed", "does not take that method"),
    ];
    for (path, ask, status, code, sentence) in cases {
        let reply = worker.post(path, &ask);
        let error = &reply.json()["error"];
        assert_eq!((reply.status, error["code"].as_str()), (status, Some(code)), "{path} {ask}: {error}");
        assert!(error["message"].as_str().is_some_and(|told| told.contains(sentence)), "{sentence} in {error}");
    }
    assert_eq!(worker.post_bytes(chat, "", b"{\"messages\":").json()["error"]["code"], "invalid_json");
}

#[test]
fn a_body_past_32_mib_is_refused_and_one_of_3_mib_is_read() {
    let worker = Worker::scripted("x", &[]);
    let reply = worker.post_bytes("/v1/completions", "", &vec![b' '; (32 << 20) + 1]);
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (413, Some("request_too_large")));
    let reply = worker.post("/v1/completions", &json!({"prompt": "x".repeat(3 << 20)}));
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (400, Some("context_length_exceeded")));
}

#[test]
fn without_the_key_nothing_is_answered() {
    let worker = Worker::scripted("x", &["--key", "s3cret"]);
    let ask = json!({"prompt": "x"}).to_string();
    for headers in
        ["", "Authorization: Bearer s3cre\r\n", "Authorization: Bearer S3CRET\r\n", "Authorization: Basic s3cret\r\n"]
    {
        let reply = worker.post_bytes("/v1/completions", headers, ask.as_bytes());
        assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (401, Some("invalid_api_key")), "{headers}");
    }
    assert_eq!(worker.get("/v1/models").status, 401);
    assert_eq!(worker.post_bytes("/v1/completions", "Authorization: Bearer s3cret\r\n", ask.as_bytes()).status, 200);
}

#[test]
fn a_template_refuses_in_its_own_words() {
    let template =
        "{% if messages|length > 1 %}{{ raise_exception('one message only') }}{% endif %}{{ messages[0].content }}";
    let worker = Worker::scripted("x", &["--template", template]);
    let two = json!({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]});
    let error = worker.post("/v1/chat/completions", &two).json()["error"].clone();
    assert_eq!(error["message"], "the model's chat template refused: one message only");
    assert_eq!(error["code"], "chat_template_refused");
}

#[test]
fn a_broken_template_refuses_chats_and_leaves_completions() {
    let worker = Worker::scripted("x", &["--template", "{% for %}"]);
    let reply = worker.post("/v1/chat/completions", &json!({"messages": [{"role": "user", "content": "a"}]}));
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (400, Some("chat_template_refused")));
    assert_eq!(worker.post("/v1/completions", &json!({"prompt": "a"})).status, 200);
}
