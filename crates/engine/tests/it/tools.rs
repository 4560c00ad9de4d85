//! Tool calls as the families of models write them, in any pieces, and through the door.

use engine::tools::{Calls, Piece, Thoughts};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::worker::Worker;

fn known() -> Vec<String> {
    ["weather", "time"].map(str::to_owned).into()
}

/// The text and the calls of an answer that comes in `pieces`, arguments as what they say.
fn read<'a>(pieces: impl Iterator<Item = &'a str>, mut calls: Calls) -> (String, Vec<(String, Value)>) {
    let (mut text, mut found) = (String::new(), Vec::<(String, String)>::new());
    let mut take = |pieces: Vec<Piece>| {
        for piece in pieces {
            match piece {
                Piece::Text(more) => text.push_str(&more),
                Piece::Begin(name) => found.push((name, String::new())),
                Piece::Arguments(more) => found.last_mut().expect("a call was begun").1.push_str(&more),
            }
        }
    };
    pieces.for_each(|piece| take(calls.push(piece)));
    take(calls.finish());
    let said = |(name, arguments): (String, String)| (name, serde_json::from_str(&arguments).expect(&arguments));
    (text, found.into_iter().map(said).collect())
}

/// `text` cut at characters, as `cuts` say.
fn cut<'a>(text: &'a str, cuts: &'a [usize]) -> impl Iterator<Item = &'a str> {
    let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| borders[cut % borders.len()]).chain([0, text.len()]).collect();
    cuts.sort_unstable();
    (1..cuts.len()).map(move |nth| &text[cuts[nth - 1]..cuts[nth]]).collect::<Vec<_>>().into_iter()
}

/// An answer, its text, and its calls by name and arguments.
type Case = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

const CASES: &[Case] = {
    const WEATHER: &str = r#"{"city":"Köln"}"#;
    &[
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
    ]
};

proptest! {
    #[test]
    fn every_familys_calls_are_found_however_they_are_cut(
        nth in 0..CASES.len(), cuts in proptest::collection::vec(any::<usize>(), 0..40), thinks in any::<bool>(), names_known in any::<bool>(),
    ) {
        let (answer, text, calls) = CASES[nth];
        let expected: Vec<_> = calls
            .iter()
            .map(|(name, arguments)| ((*name).to_owned(), serde_json::from_str::<Value>(arguments).expect("JSON")))
            .collect();
        let reader = || Calls::new(if names_known { known() } else { Vec::new() }, None);
        prop_assert_eq!(read(cut(answer, &cuts), reader()), (text.to_owned(), expected.clone()), "{} by {:?}", answer, cuts);

        // The same behind thoughts, which may speak of calls.
        let (begin, end) = if thinks { ("<think>", "</think>") } else { ("[THINK]", "[/THINK]") };
        let thoughtful = format!("\n{begin}\nHm, <tool_call> or 你好 </thin\n{end}\n\n{answer}");
        let (mut thoughts, mut thought, mut rest) = (Thoughts::default(), String::new(), Vec::new());
        let parts: Vec<_> = cut(&thoughtful, &cuts).map(|piece| thoughts.push(piece)).collect();
        for (more, answer) in parts.into_iter().chain([thoughts.finish()]) {
            thought.push_str(&more);
            rest.push(answer);
        }
        prop_assert_eq!(thought, "Hm, <tool_call> or 你好 </thin");
        prop_assert_eq!(read(rest.iter().map(String::as_str), reader()), (text.to_owned(), expected));
    }
}

#[test]
fn every_familys_calls_are_found_whole_and_letter_by_letter() {
    for (answer, text, calls) in CASES {
        let expected: Vec<_> =
            calls.iter().map(|(name, said)| ((*name).to_owned(), serde_json::from_str(said).expect("JSON"))).collect();
        let letters: Vec<usize> = (0..answer.chars().count()).collect();
        for cuts in [&[], letters.as_slice()] {
            assert_eq!(
                read(cut(answer, cuts), Calls::new(known(), None)),
                ((*text).to_owned(), expected.clone()),
                "{answer}"
            );
        }
    }
}

#[test]
fn arguments_come_as_the_model_writes_them() {
    for begin in [
        "<tool_call>\n{\"name\": \"weather\", \"arguments\": ",
        "[TOOL_CALLS]weather[ARGS]",
        "{\"name\": \"weather\", \"parameters\": ",
    ] {
        let mut calls = Calls::new(known(), None);
        assert_eq!(calls.push(begin), [], "{begin}");
        assert_eq!(calls.push("{\"ci"), [Piece::Begin("weather".into()), Piece::Arguments("{\"ci".into())]);
        assert_eq!(calls.push("ty\": \"a}"), [Piece::Arguments("ty\": \"a}".into())]);
        assert_eq!(calls.push("\"}"), [Piece::Arguments("\"}".into())]);
    }
    // Of two calls, where only one is wanted, the first.
    let two = "<tool_call>{\"name\": \"time\"}</tool_call><tool_call>{\"name\": \"weather\", \"arguments\": {\"a\": 1}}</tool_call>";
    assert_eq!(
        read(std::iter::once(two), Calls::new(known(), Some(1))),
        (String::new(), vec![("time".into(), json!({}))])
    );
    // A thought that the prompt began, and one that is never ended.
    let mut thoughts = Thoughts::after("<|assistant|><think>\n");
    assert_eq!(thoughts.push("so </th"), ("so".into(), String::new()));
    assert_eq!(thoughts.push("ink> it is"), (String::new(), "it is".into()));
    let mut thoughts = Thoughts::default();
    assert_eq!(thoughts.push("<think>a b"), ("a b".into(), String::new()));
    assert_eq!(thoughts.finish(), (String::new(), String::new()));
}

#[test]
fn what_cannot_be_a_call_is_shown_at_once() {
    let mut calls = Calls::new(known(), None);
    assert_eq!(calls.push("It ra"), [Piece::Text("It ra".into())]);
    assert_eq!(calls.push("ins <to"), [Piece::Text("ins ".into())]);
    assert_eq!(calls.push("p>"), [Piece::Text("<top>".into())]);
    let mut calls = Calls::new(known(), None);
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
            (&json!("function"), &json!({"name": "weather", "arguments": "{\"city\": \"Bonn\"}"}))
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
        assert_eq!(text, "So: ");
        assert_eq!((&calls[0]["index"], &calls[0]["function"]["name"]), (&json!(0), &json!("weather")));
        let arguments: String = calls.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect();
        assert_eq!(arguments, "{\"city\": \"Bonn\"}");
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

#[test]
fn a_call_that_is_asked_for_is_made_and_fits_in_every_style() {
    let tools = json!([
        {"type": "function", "function": {"name": "time", "parameters": {"additionalProperties": false}}},
        {"type": "function", "function": {"name": "weather", "strict": true, "parameters": {
            "type": "object", "required": ["city"], "additionalProperties": false, "properties": {"city": {"enum": ["Bonn", "Köln"]}},
        }}},
    ]);
    for template in [
        "{{ messages[-1].content }}",
        "{% if tools %}<tool_call>{% endif %}{{ messages[-1].content }}",
        "{% if tools %}[TOOL_CALLS]{% endif %}{{ messages[-1].content }}",
        "{% if tools %}ipython {\"name\": name, \"parameters\": {} }{% endif %}{{ messages[-1].content }}",
    ] {
        let worker = Worker::scripted("I| would| rather| not", &["--template", template, "--context", "4000"]);
        let ask = |choice: Value| {
            json!({
                "messages": [{"role": "user", "content": "Rain?"}], "tools": tools, "tool_choice": choice, "temperature": 0,
                "parallel_tool_calls": false, "max_tokens": 900,
            })
        };
        let named = json!({"type": "function", "function": {"name": "weather"}});
        for choice in [json!("required"), named] {
            let answer = worker.post("/v1/chat/completions", &ask(choice.clone())).json();
            let told = &answer["choices"][0];
            assert_eq!(told["finish_reason"], "tool_calls", "{template}: {answer}");
            let calls = told["message"]["tool_calls"].as_array().expect("calls");
            assert_eq!(calls.len(), 1);
            let function = &calls[0]["function"];
            let arguments: Value = serde_json::from_str(function["arguments"].as_str().expect("text")).expect("JSON");
            if function["name"] == "weather" {
                assert!(arguments == json!({"city": "Bonn"}) || arguments == json!({"city": "Köln"}), "{arguments}");
            } else {
                assert!(choice == "required" && function["name"] == "time" && arguments.is_object(), "{function}");
            }
        }
        let refused = worker.post("/v1/chat/completions", &ask(json!({"type": "function", "function": {"name": "x"}})));
        assert_eq!(refused.status, 400);
    }
}

#[test]
fn a_strict_function_that_is_called_freely_gets_what_fits() {
    let tools = json!([{"type": "function", "function": {"name": "weather", "strict": true, "parameters": {
        "type": "object", "required": ["days"], "additionalProperties": false, "properties": {"days": {"type": "integer", "minimum": 1, "maximum": 7}},
    }}}]);
    let worker = Worker::scripted(
        "So: |<tool|_call>\n{\"name\": \"weather\", |\"arguments\": {\"city\": \"Bonn\"}}\n</tool_call>",
        &["--template", "{{ messages[-1].content }}", "--context", "4000"],
    );
    let ask = json!({"messages": [{"role": "user", "content": "Rain?"}], "tools": tools, "temperature": 0, "max_tokens": 900});
    let answer = worker.post("/v1/chat/completions", &ask).json();
    let message = &answer["choices"][0]["message"];
    assert!(message["content"].as_str().is_some_and(|text| text.starts_with("So: ")), "{answer}");
    let arguments = message["tool_calls"][0]["function"]["arguments"].as_str().expect("text");
    let days = serde_json::from_str::<Value>(arguments).expect("JSON")["days"].as_i64();
    assert!(days.is_some_and(|days| (1..=7).contains(&days)), "{arguments}");
}

#[test]
fn thoughts_are_told_apart_from_the_answer_whole_and_streamed() {
    let worker = Worker::scripted("<thi|nk>\nHm.\n</think>\n\n|Yes.", &["--template", "{{ messages[-1].content }}"]);
    let mut ask = json!({"messages": [{"role": "user", "content": "Rain?"}], "temperature": 0});
    let answer = worker.post("/v1/chat/completions", &ask).json();
    let message = &answer["choices"][0]["message"];
    assert_eq!((&message["reasoning_content"], &message["content"]), (&json!("Hm."), &json!("Yes.")));
    ask["stream"] = true.into();
    let events = worker.stream("/v1/chat/completions", &ask);
    let chunks: Vec<Value> = events.iter().filter_map(|event| serde_json::from_str(event).ok()).collect();
    let of = |key: &str| -> String {
        chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"][key].as_str()).collect()
    };
    assert_eq!((of("reasoning_content"), of("content")), ("Hm.".into(), "Yes.".into()));
}
