//! A client's body: what is read of it, and that only two places of it are ever changed.

use bytes::Bytes;
use domain::Tokens;
use openai::{Error, retarget, scan};
use proptest::prelude::*;
use serde_json::Value;

fn edited(body: &str, ask_usage: bool) -> String {
    let out = retarget(&Bytes::from(body.to_owned()), "new \"name\"", ask_usage).expect("an object");
    String::from_utf8(out.to_vec()).expect("UTF-8")
}

#[test]
fn case_08_usage_is_asked_and_nothing_else_changes() {
    let cases = [
        (r#"{"model":"a","x":1.50}"#, r#"{"stream_options":{"include_usage":true},"model":"new \"name\"","x":1.50}"#),
        (
            r#"{ "b" : [ ] , "model" : "a" }"#,
            r#"{"stream_options":{"include_usage":true}, "b" : [ ] , "model" : "new \"name\"" }"#,
        ),
        (
            r#"{"stream_options":null,"model":"a"}"#,
            r#"{"stream_options":{"include_usage":true},"model":"new \"name\""}"#,
        ),
        (
            r#"{"stream_options":{"x":1},"model":"a"}"#,
            r#"{"stream_options":{"include_usage":true,"x":1},"model":"new \"name\""}"#,
        ),
        (r#"{"stream_options":{},"model":"a"}"#, r#"{"stream_options":{"include_usage":true},"model":"new \"name\""}"#),
        (
            r#"{"stream_options":{"include_usage":false},"model":"a"}"#,
            r#"{"stream_options":{"include_usage":true},"model":"new \"name\""}"#,
        ),
        (
            r#"{"stream_options":{"include_usage":true} ,"model":"a"}"#,
            r#"{"stream_options":{"include_usage":true} ,"model":"new \"name\""}"#,
        ),
    ];
    for (body, expected) in cases {
        let out = edited(body, true);
        assert!(serde_json::from_str::<Value>(&out).is_ok(), "{out}");
        assert_eq!(out, expected);
    }
    assert_eq!(
        edited(r#"{"mod\u0065l":"a","stream_options":7}"#, false),
        r#"{"mod\u0065l":"new \"name\"","stream_options":7}"#
    );
}

#[test]
fn a_field_that_is_there_twice_is_refused() {
    let body = Bytes::from_static(br#"{"model":"cheap","model":"dear"}"#);
    let twice = Error::Invalid { field: "model".into(), message: "is there twice".into() };
    assert_eq!(retarget(&body, "x", false), Err(twice.clone()));
    let missing = retarget(&Bytes::from_static(b"{}"), "x", false).expect_err("no model to replace");
    assert_eq!(missing.to_string(), "model: is missing");
    assert_eq!(scan(&body), Err(twice));
}

#[test]
fn a_scan_reads_what_the_house_must_know() {
    let body = r#"{"messages":[{"role":"user","content":"你好"}],"model":"ollama/llama3","stream":true,"n":2,
        "stream_options":{"include_usage":true},"max_tokens":5,"max_completion_tokens":9,"user":"u"}"#;
    let seen = scan(body.as_bytes()).expect("sound");
    assert_eq!(
        (&*seen.model, seen.stream, seen.wants_usage, seen.max_tokens, seen.n),
        ("ollama/llama3", true, true, Some(9), 2)
    );
    assert_eq!(seen.prompt_tokens, Tokens(2 + 8));
    let plain = scan(br#"{"model":"m","prompt":"Once upon a time","max_tokens":null}"#).expect("sound");
    assert_eq!((plain.stream, plain.wants_usage, plain.max_tokens, plain.n), (false, false, None, 1));
}

#[test]
fn an_error_names_the_field() {
    let cases = [
        (r#"[1]"#, "the body is not a JSON object: invalid type: sequence, expected a JSON object at line 1 column 0"),
        (r#"{"model":"m","#, "the body is not a JSON object: EOF while parsing a value at line 1 column 13"),
        (r#"{"messages":[1]}"#, "model: is missing"),
        (r#"{"model":7,"messages":[1]}"#, "model: must be a string"),
        (r#"{"model":"","messages":[1]}"#, "model: is empty"),
        (r#"{"model":"m"}"#, "messages: is missing"),
        (r#"{"model":"m","messages":[ ]}"#, "messages: is empty"),
        (r#"{"model":"m","messages":"hi"}"#, "messages: must be an array"),
        (r#"{"model":"m","messages":[1],"stream":"yes"}"#, "stream: must be true or false"),
        (r#"{"model":"m","messages":[1],"max_tokens":-1}"#, "max_tokens: must be a whole number from 0 to 4294967295"),
        (r#"{"model":"m","messages":[1],"n":0}"#, "n: must be at least 1"),
        (r#"{"model":"m","messages":[1],"stream_options":[]}"#, "stream_options: must be an object"),
        (
            r#"{"model":"m","messages":[1],"stream_options":{"include_usage":1}}"#,
            "stream_options.include_usage: must be true or false",
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(scan(body.as_bytes()).expect_err(body).to_string(), expected);
    }
}

#[test]
fn pictures_and_escapes_count_as_what_they_are() {
    let count = |content: &str| {
        scan(format!(r#"{{"model":"m","prompt":"{content}"}}"#).as_bytes()).expect("sound").prompt_tokens.0
    };
    let picture = format!("data:image/png;base64,{}", "A".repeat(400_000));
    assert!(count(&picture) < 1_010);
    let (escaped, plain) = (count(&"\\u4f60\\u597d".repeat(50)), count(&"你好".repeat(50)));
    assert!(escaped.abs_diff(plain) < 3, "{escaped} against {plain}");
}

proptest! {
    #[test]
    fn every_other_field_survives_as_written(
        keys in prop::collection::vec("[a-z]{1,3}", 0..6),
        number in any::<f64>(),
        usage in any::<bool>(),
    ) {
        let fields: String = keys.iter().map(|key| format!(r#""{key}": {{"é{key}": [{number:?}, null]}},"#)).collect();
        let number_free = fields.replace("inf", "1").replace("NaN", "1");
        let body = format!(r#"{{{number_free}"model":"old"}}"#);
        let out = edited(&body, usage);
        prop_assert!(out.contains(&number_free));
        let value: Value = serde_json::from_str(&out).expect("JSON");
        prop_assert_eq!(&value["model"], "new \"name\"");
        prop_assert_eq!(value["stream_options"]["include_usage"] == true, usage);
    }
}
