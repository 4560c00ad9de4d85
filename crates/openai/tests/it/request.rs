//! Requests read and written, and the house's own answers.

use domain::{Author, Finish, Message, Prompt, Sampling, Task, Tokens, TurnEvent, Usage};
use openai::{ChatRequest, ChunkWriter, CompletionRequest, Encoder, Error, Whole};
use serde_json::{Value, json};

#[test]
fn unknown_fields_are_kept() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}], "name": "n"}],
        "guided_json": {"type": "object"}, "stop": ["x"], "stream_options": {"include_usage": true, "vendor": 1}});
    let request = ChatRequest::parse(body.to_string().as_bytes()).expect("sound");
    assert!(request.params.wants_usage());
    assert_eq!(request.messages[0].content.as_ref().map(|content| content.text().into_owned()).as_deref(), Some("a"));
    assert_eq!(serde_json::to_value(&request).expect("JSON"), body);
}

#[test]
fn a_stop_may_be_one_string_and_the_newer_limit_wins() {
    let request =
        CompletionRequest::parse(br#"{"prompt":"","stop":"x","max_tokens":3,"max_completion_tokens":4,"seed":7}"#)
            .expect("sound");
    let sampling = request.params.sampling();
    assert_eq!((sampling.stop, sampling.max_tokens, sampling.seed), (vec!["x".to_owned()], Some(4), Some(7)));
}

#[test]
fn a_wrong_field_is_named() {
    let named = |body: &str| match ChatRequest::parse(body.as_bytes()) {
        Err(Error::Invalid { field, .. }) => field,
        other => format!("{other:?}"),
    };
    assert_eq!(named(r#"{"model":"m","temperature":"hot","messages":[]}"#), "temperature");
    assert_eq!(named(r#"{"model":"m","messages":{}}"#), "messages");
    assert_eq!(named(r#"{"model":"m","stop":7}"#), "stop");
}

#[test]
fn a_prompt_of_the_house_becomes_a_body() {
    let sampling = Sampling { temperature: Some(0.5), stop: vec!["END".into()], ..Sampling::default() };
    let mut prompt =
        Prompt::chat(vec![Message::new(Author::System, "s"), Message::new(Author::User, "你好")], sampling);
    prompt.model = "llama3".into();
    let body: Value = serde_json::from_slice(&openai::body_of(&prompt).expect("JSON")).expect("JSON");
    assert_eq!(
        body,
        json!({"model": "llama3", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "你好"}],
        "stream": true, "stream_options": {"include_usage": true}, "temperature": 0.5, "stop": ["END"]})
    );
    prompt.stream = false;
    prompt.task = Task::Completion;
    prompt.messages = vec![Message::new(Author::User, "Once")];
    let body: Value = serde_json::from_slice(&openai::body_of(&prompt).expect("JSON")).expect("JSON");
    assert_eq!(body, json!({"model": "llama3", "prompt": "Once", "temperature": 0.5, "stop": ["END"]}));
}

fn turn() -> Vec<TurnEvent> {
    let usage = Usage { prompt: Tokens(3), completion: Tokens(2), reported: true, ..Usage::default() };
    vec![
        TurnEvent::Queued { position: 1, eta_ms: None },
        TurnEvent::Thought { text: "hm".into() },
        TurnEvent::Delta { text: "你".into() },
        TurnEvent::Delta { text: "好".into() },
        TurnEvent::Finished { finish: Finish::Stop, failure: None },
        TurnEvent::Used { usage },
    ]
}

#[test]
fn a_turn_of_the_house_as_chunks() {
    let mut out = Encoder::new();
    ChunkWriter::new(Task::Chat, "c-1".into(), "m".into(), 7, true).write(&turn(), &mut out);
    insta::assert_snapshot!(String::from_utf8(out.take().to_vec()).expect("UTF-8"), @r###"
    data: {"id":"c-1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"hm"},"finish_reason":null}]}

    data: {"id":"c-1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"你"},"finish_reason":null}]}

    data: {"id":"c-1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"好"},"finish_reason":null}]}

    data: {"id":"c-1","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

    data: {"id":"c-1","object":"chat.completion.chunk","created":7,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}
    "###);
    ChunkWriter::new(Task::Completion, "c-1".into(), "m".into(), 7, false).write(&turn(), &mut out);
    insta::assert_snapshot!(String::from_utf8(out.take().to_vec()).expect("UTF-8"), @r###"
    data: {"id":"c-1","object":"text_completion","created":7,"model":"m","choices":[{"index":0,"text":"你","logprobs":null,"finish_reason":null}]}

    data: {"id":"c-1","object":"text_completion","created":7,"model":"m","choices":[{"index":0,"text":"好","logprobs":null,"finish_reason":null}]}

    data: {"id":"c-1","object":"text_completion","created":7,"model":"m","choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"stop"}]}
    "###);
}

#[test]
fn a_turn_of_the_house_as_one_body() {
    let mut whole = Whole::new(Task::Chat, "c-1".into(), "m".into(), 7);
    turn().iter().for_each(|event| whole.take(event));
    insta::assert_snapshot!(String::from_utf8(whole.body().expect("JSON")).expect("UTF-8"), @r###"{"id":"c-1","object":"chat.completion","created":7,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"你好","reasoning_content":"hm"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"###);
}

#[test]
fn a_failed_turn_never_writes_an_ending() {
    let mut out = Encoder::new();
    let failed = [TurnEvent::Finished { finish: Finish::Failed, failure: None }];
    ChunkWriter::new(Task::Chat, "c".into(), "m".into(), 7, true).write(&failed, &mut out);
    assert!(out.take().is_empty());
}
