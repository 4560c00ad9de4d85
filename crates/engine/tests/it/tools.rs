//! Tool calls as the families of models write them, in any pieces, and through the door.

use engine::tools::{Call, Calls, Piece};
use serde_json::{Value, json};

use crate::worker::Worker;

/// The text and the calls of an answer that comes in pieces of `size` bytes.
fn read(answer: &str, size: usize) -> (String, Vec<Call>) {
    let (mut text, mut found) = (String::new(), Vec::new());
    let mut calls = Calls::default();
    let mut take = |pieces: Vec<Piece>| {
        for piece in pieces {
            match piece {
                Piece::Text(more) => text.push_str(&more),
                Piece::Call(call) => found.push(call),
            }
        }
    };
    let letters: Vec<char> = answer.chars().collect();
    letters.chunks(size).for_each(|piece| take(calls.push(&piece.iter().collect::<String>())));
    take(calls.finish());
    (text, found)
}

/// An answer, its text, and its calls by name and arguments.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

#[test]
fn every_familys_calls_are_found_and_what_is_none_is_text() {
    const WEATHER: &str = r#"{"city":"Köln"}"#;
    let cases: &[Case] = &[
        (
            "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>",
            "",
            &[("weather", WEATHER)],
        ),
        (
            "Let me see.\n<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>\n<tool_call>\n{\"name\": \"time\"}\n</tool_call>",
            "Let me see.\n",
            &[("weather", WEATHER), ("time", "{}")],
        ),
        (
            "<tool_call>weather\n<arg_key>city</arg_key>\n<arg_value>Köln</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>\n</tool_call>",
            "",
            &[("weather", r#"{"city":"Köln","days":3}"#)],
        ),
        ("{\"name\": \"weather\", \"parameters\": {\"city\": \"Köln\"}}", "", &[("weather", WEATHER)]),
        (
            "<|python_tag|>{\"name\": \"weather\", \"parameters\": {\"city\": \"Köln\"}}; {\"name\": \"time\", \"parameters\": {}}",
            "",
            &[("weather", WEATHER), ("time", "{}")],
        ),
        (
            "{\"type\": \"function\", \"function\": \"weather\", \"parameters\": {\"city\": \"Köln\"}}",
            "",
            &[("weather", WEATHER)],
        ),
        (
            "[TOOL_CALLS][{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}, {\"name\": \"time\", \"arguments\": {}}]",
            "",
            &[("weather", WEATHER), ("time", "{}")],
        ),
        ("[TOOL_CALLS]weather[ARGS]{\"city\": \"Köln\"}", "", &[("weather", WEATHER)]),
        ("[{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}]", "", &[("weather", WEATHER)]),
        (
            "<|tool_call|>[{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}]<|/tool_call|>",
            "",
            &[("weather", WEATHER)],
        ),
        ("```json\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\"}}\n```", "", &[("weather", WEATHER)]),
        (
            "<tool_call>\n{\"name\": \"weather\", \"arguments\": \"{\\\"city\\\":\\\"Köln\\\"}\"}",
            "",
            &[("weather", WEATHER)],
        ),
        ("It rains.", "It rains.", &[]),
        ("{\"rain\": true}", "{\"rain\": true}", &[]),
        ("{\"name\": \"weather\", \"arguments\": [1]}", "{\"name\": \"weather\", \"arguments\": [1]}", &[]),
        ("[1] is the first <tool> of <tool_call", "[1] is the first <tool> of <tool_call", &[]),
        ("<tool_call>not json {</tool_call> so", "<tool_call>not json {</tool_call> so", &[]),
        ("Say {\"name\": \"weather\"}", "Say {\"name\": \"weather\"}", &[]),
        ("", "", &[]),
    ];
    for (answer, text, calls) in cases {
        let expected: Vec<_> = calls
            .iter()
            .map(|(name, arguments)| Call { name: (*name).into(), arguments: (*arguments).into() })
            .collect();
        for size in [1, 3, 7, 1000] {
            assert_eq!(read(answer, size), ((*text).to_owned(), expected.clone()), "{answer} by {size}");
        }
    }
}

#[test]
fn what_cannot_be_a_call_is_shown_at_once() {
    let mut calls = Calls::default();
    assert_eq!(calls.push("It ra"), [Piece::Text("It ra".into())]);
    assert_eq!(calls.push("ins <to"), [Piece::Text("ins ".into())]);
    assert_eq!(calls.push("p>"), [Piece::Text("<top>".into())]);
    let mut calls = Calls::default();
    assert_eq!(calls.push("{\"rain\""), [Piece::Text("{\"rain\"".into())]);
}

fn tools() -> Value {
    json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}])
}

#[test]
fn a_chat_with_tools_brings_calls_whole_and_streamed() {
    let template = "{% if tools %}{{ tools | tojson }}{% endif %}{% for m in messages %}{{ m.role }}:{{ m.content }}{% for c in m.tool_calls %}{{ c.function.arguments.city }}{% endfor %};{% endfor %}";
    for template in [template, "{% for m in messages %}{{ m.role }}:{{ m.content }};{% endfor %}"] {
        let worker = Worker::scripted(
            "So: |<tool|_call>{\"name\": \"weather\", |\"arguments\": {\"city\": \"Bonn\"}}</tool_call>",
            &["--template", template, "--context", "4000"],
        );
        let ask = json!({"messages": [{"role": "user", "content": "Rain?"}], "tools": tools(), "temperature": 0});
        let answer = worker.post("/v1/chat/completions", &ask).json();
        let choice = &answer["choices"][0];
        assert_eq!(choice["finish_reason"], "tool_calls", "{answer}");
        assert_eq!(choice["message"]["content"], "So: ");
        let call = &choice["message"]["tool_calls"][0];
        assert_eq!(
            (&call["type"], &call["function"]),
            (&json!("function"), &json!({"name": "weather", "arguments": "{\"city\":\"Bonn\"}"}))
        );
        assert!(call["id"].as_str().is_some_and(|id| id.starts_with("call_")));

        let mut streamed = ask.clone();
        streamed["stream"] = true.into();
        let events = worker.stream("/v1/chat/completions", &streamed);
        let chunks: Vec<Value> = events.iter().filter_map(|event| serde_json::from_str(event).ok()).collect();
        let choices = || chunks.iter().map(|chunk| &chunk["choices"][0]);
        let text: String = choices().filter_map(|choice| choice["delta"]["content"].as_str()).collect();
        let calls: Vec<_> =
            choices().map(|choice| &choice["delta"]["tool_calls"][0]).filter(|call| !call.is_null()).collect();
        assert_eq!((text.as_str(), calls.len()), ("So: ", 1));
        assert_eq!((&calls[0]["index"], &calls[0]["function"]["name"]), (&json!(0), &json!("weather")));
        assert!(choices().any(|choice| choice["finish_reason"] == "tool_calls"));

        // The next turn carries the call and its result; without tools the same text is text.
        let turn = json!([
            {"role": "user", "content": "Rain?"},
            {"role": "assistant", "content": null, "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Bonn\"}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "yes"},
        ]);
        assert_eq!(
            worker.post("/v1/chat/completions", &json!({"messages": turn, "tools": tools(), "max_tokens": 1})).status,
            200
        );
        let plain = json!({"messages": ask["messages"], "tools": tools(), "tool_choice": "none", "temperature": 0});
        let answer = worker.post("/v1/chat/completions", &plain).json();
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        assert!(answer["choices"][0]["message"]["content"].as_str().is_some_and(|text| text.contains("<tool_call>")));
    }
}
