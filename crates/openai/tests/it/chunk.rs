//! Chunks as many back ends write them.

use domain::{Finish, Tokens, TurnEvent};
use openai::{CallIndexes, Usages, parse_chunk};

fn events(data: &str) -> Vec<TurnEvent> {
    let mut out = Vec::new();
    parse_chunk(data.as_bytes()).expect(data).events(&mut CallIndexes::default(), &mut out);
    out
}

fn text(text: &str) -> TurnEvent {
    TurnEvent::Delta { text: text.to_owned() }
}

fn thought(text: &str) -> TurnEvent {
    TurnEvent::Thought { text: text.to_owned() }
}

#[test]
fn text_reasoning_and_nothing() {
    assert_eq!(
        events(r#"{"choices":[{"index":0,"delta":{"content":"a\nb"},"logprobs":{"x":[1]}}],"vendor":{"deep":[{}]}}"#),
        [text("a\nb")]
    );
    assert_eq!(events(r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#), []);
    assert_eq!(events(r#"{"choices":[{"delta":{"content":"","reasoning_content":"hm"}}]}"#), [thought("hm")]);
    assert_eq!(events(r#"{"choices":[{"delta":{"reasoning":"hm","content":"so"}}]}"#), [thought("hm"), text("so")]);
    assert_eq!(events(r#"{"choices":[{"delta":null},{"index":1,"delta":{"content":"other"}}]}"#), []);
    assert_eq!(events(r#"{"choices":[{"text":"once"}]}"#), [text("once")]);
    assert_eq!(events(r#"{"choices":[{"message":{"role":"assistant","content":"all"}}]}"#), [text("all")]);
    assert_eq!(
        events(r#"{"choices":[{"delta":{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}}]}"#),
        [text("ab")]
    );
    assert_eq!(events("{}"), []);
}

#[test]
fn case_07_usage_with_choices_empty_null_or_missing() {
    for choices in [r#""choices":[],"#, r#""choices":null,"#, ""] {
        let data = format!(
            r#"{{{choices}"usage":{{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"prompt_tokens_details":{{"cached_tokens":2}}}}}}"#
        );
        let chunk = parse_chunk(data.as_bytes()).expect("sound");
        let usage = chunk.usage().expect("usage");
        assert_eq!(
            (chunk.usages(), usage.prompt, usage.completion, usage.cached),
            (Usages::Only, Tokens(3), Tokens(4), Tokens(2))
        );
    }
    let beside =
        parse_chunk(br#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1,"completion_tokens":null}}"#)
            .expect("sound");
    assert_eq!(beside.usages(), Usages::Beside);
    assert_eq!(parse_chunk(br#"{"choices":[],"usage":null}"#).expect("sound").usages(), Usages::None);
}

#[test]
fn endings() {
    let finish = |word: &str| {
        parse_chunk(format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":{word}}}]}}"#).as_bytes())
            .expect("sound")
            .finish()
    };
    assert_eq!(finish("null"), None);
    assert_eq!(finish("\"\""), None);
    assert_eq!(finish("\"stop\""), Some(Finish::Stop));
    assert_eq!(finish("\"length\""), Some(Finish::Length));
    assert_eq!(finish("\"tool_calls\""), Some(Finish::ToolCalls));
    assert_eq!(finish("\"eos_token\""), Some(Finish::Stop));
}

#[test]
fn errors_of_every_shape() {
    let fault = |data: &'static str| {
        let chunk = parse_chunk(data.as_bytes()).expect(data);
        let fault = chunk.fault().expect(data);
        (fault.message.to_string(), fault.code.as_ref().map(ToString::to_string), fault.status)
    };
    assert_eq!(fault(r#"{"error":"out of memory"}"#), ("out of memory".into(), None, None));
    assert_eq!(
        fault(r#"{"error":{"message":"no","code":"oops","type":"x","param":null}}"#),
        ("no".into(), Some("oops".into()), None)
    );
    assert_eq!(fault(r#"{"error":{"message":"no","code":503}}"#), ("no".into(), None, Some(503)));
    assert!(parse_chunk(br#"{"error":null,"choices":[]}"#).expect("sound").fault().is_none());
}

fn calls(pieces: &[(u32, Option<&str>, &str)]) -> Vec<(u32, String)> {
    let mut indexes = CallIndexes::default();
    let mut out = Vec::new();
    for (index, id, arguments) in pieces {
        let call = serde_json::json!({"index": index, "id": id, "function": {"name": id, "arguments": arguments}});
        let data = serde_json::json!({"choices": [{"delta": {"tool_calls": [call]}}]}).to_string();
        parse_chunk(data.as_bytes()).expect("sound").events(&mut indexes, &mut out);
    }
    let mut joined: Vec<(u32, String)> = Vec::new();
    for event in out {
        let TurnEvent::ToolCalled { index, arguments, .. } = event else { continue };
        match joined.iter_mut().find(|(known, _)| *known == index) {
            Some((_, text)) => text.push_str(&arguments),
            None => joined.push((index, arguments)),
        }
    }
    joined
}

#[test]
fn case_09_interleaved_parallel_tool_calls() {
    let joined = calls(&[
        (1, Some("b"), ""),
        (0, Some("a"), ""),
        (0, None, "{1"),
        (1, None, "{2"),
        (0, None, "}"),
        (1, None, "}"),
    ]);
    assert_eq!(joined, [(1, "{2}".to_owned()), (0, "{1}".to_owned())]);
}

#[test]
fn case_10_one_index_for_two_calls() {
    let joined = calls(&[
        (0, Some("a"), "{1}"),
        (0, Some("b"), "{2"),
        (0, None, "}"),
        (0, Some("a"), "!"),
        (1, Some("c"), "{3}"),
    ]);
    assert_eq!(joined, [(0, "{1}!".to_owned()), (1, "{2}".to_owned()), (2, "{3}".to_owned())]);
}
