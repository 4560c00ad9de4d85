//! Grammars by themselves and through the door: what they accept, what they refuse, and that whatever a schema's grammar lets through fits it.

use std::sync::Arc;

use engine::grammar::{Automaton, Grammar};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::worker::{Worker, told};

fn accepts(grammar: &Grammar, text: &str) -> bool {
    let (mut automaton, start) = Automaton::new(Arc::new(grammar.clone()));
    text.bytes().try_fold(start, |state, byte| automaton.step(state, byte)).is_some_and(|state| automaton.ends(state))
}

#[test]
fn gbnf_is_read_as_llama_cpp_reads_it() {
    let arithmetic = r#"
        # A comment.
        root  ::= (expr "=" ws term "\n")+
        expr  ::= term ([-+*/] term)*
        term  ::= ident | num | "(" ws expr ")" ws
        ident ::= [a-z] [a-z0-9_]* ws
        num   ::= [0-9]+ ws
        ws    ::= [ \t\n]*
    "#;
    let cases: &[(&str, &[&str], &[&str])] = &[
        (arithmetic, &["1+2=3\n", "(a_1 *2)= x\n", "1=1\n2=2\n"], &["", "1+=3\n", "1=1", "(1=1\n"]),
        ("root ::= \"a\" | \"b\" |", &["a", "b", ""], &["ab", "c"]),
        ("root ::= [^a-y\"\\\\]{2,3}", &["zz", "zzz", "zéz", "你好"], &["z", "zzzz", "za", "z\""]),
        ("root ::= x x?\nx ::= [\\u4f60\\x41-\\x43-]", &["你", "AB", "-C"], &["你你你", "D"]),
        ("root ::= (\"ab\"{2} | \"c\"{2,}\n | .)", &["abab", "cc", "ccccc", "😀", "c"], &["ab", "abababab", "xy"]),
        ("root ::= item*\nitem ::= \"[\" root \"]\" | \"\"", &["", "[]", "[[][[]]]"], &["[", "]["]),
    ];
    for (grammar, fits, others) in cases {
        let read = Grammar::read(grammar).unwrap_or_else(|why| panic!("{why}: {grammar}"));
        fits.iter().for_each(|text| assert!(accepts(&read, text), "{text:?} fits {grammar}"));
        others.iter().for_each(|text| assert!(!accepts(&read, text), "{text:?} does not fit {grammar}"));
    }
}

#[test]
fn what_is_no_grammar_is_refused_with_the_place() {
    for (grammar, why) in [
        ("", "the grammar does not define root"),
        ("root ::= a", "the grammar does not define a"),
        ("root ::= \"a\nb", "line 2 of the grammar: the rest of a text or a class is expected, not the end"),
        ("root ::= (\"a\"", "line 1 of the grammar: ) is expected, not the end"),
        ("root ::= \"a\"\nroot ::= \"b\"", "line 2 of the grammar: root is defined twice"),
        ("root ::= root \"a\" | \"a\"", "a rule begins with itself (left recursion), which is not supported"),
        ("root ::= x root\nx ::= \"\"", "a rule fits no text that comes to an end"),
        ("root ::= [z-a]", "line 1 of the grammar: the range z-a is empty"),
        ("root ::= \"a\"{3,2}", "line 1 of the grammar: a repetition such as {2}, {2,} or {2,5} is expected, not '}'"),
        ("root = \"a\"", "line 1 of the grammar: ::= is expected, not '='"),
        ("root ::= \"a\"{999999999}", "a repetition of more than 65536 is not supported"),
    ] {
        assert_eq!(Grammar::read(grammar).expect_err(grammar).to_string(), why);
    }
}

#[test]
fn schemas_let_through_what_fits_and_nothing_else() {
    let person = json!({
        "type": "object", "additionalProperties": false, "required": ["name", "age"],
        "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 5}, "nick": {"type": ["string", "null"]}, "age": {"type": "integer", "minimum": 0, "maximum": 130}},
    });
    let tree = json!({"$ref": "#/$defs/node", "$defs": {"node": {"type": "object", "required": ["next"], "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}}}}});
    let either = json!({"oneOf": [
        {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "a"}, "x": {"type": "boolean"}}},
        {"type": "object", "required": ["kind"], "properties": {"kind": {"const": "b"}}},
    ]});
    let cases: Vec<(Value, &[&str], &[&str])> = vec![
        (
            person,
            &[r#"{"age":7,"name":"Lily"}"#, "{\n  \"age\": 130,\n  \"name\": \"\\u00e9\",\n  \"nick\": null\n}"],
            &[
                r#"{"age":131,"name":"Lily"}"#,
                r#"{"age":7,"name":""}"#,
                r#"{"age":7,"name":"Lilian"}"#,
                r#"{"age":7}"#,
                r#"{"age":07,"name":"x"}"#,
                r#"{"age":7,"name":"x","y":1}"#,
            ],
        ),
        (tree, &[r#"{"next":null}"#, r#"{"next":{"next":null}}"#], &["{}", r#"{"next":1}"#]),
        (either, &[r#"{"kind":"a","x":true}"#, r#"{"kind":"b"}"#], &[r#"{"kind":"c"}"#, "{}"]),
        (
            json!({"type": "array", "items": {"enum": [1, "two", null]}, "minItems": 1, "maxItems": 2}),
            &["[1]", r#"["two", null]"#],
            &["[]", "[1,1,1]", "[2]"],
        ),
        (
            json!({"type": "integer", "minimum": -12, "exclusiveMaximum": 305}),
            &["-12", "-1", "0", "9", "10", "99", "100", "304"],
            &["-13", "305", "-0", "1000", "00"],
        ),
        (json!({"type": "number", "minimum": 0}), &["0", "1.5", "2e-7"], &["-1", "01", "1."]),
        (
            json!({"type": "string", "format": "date-time"}),
            &[r#""2026-11-25T23:31:00Z""#],
            &[r#""2026-13-25T23:31:00Z""#, r#""today""#],
        ),
        (
            json!({"prefixItems": [{"type": "boolean"}, {"type": "string"}], "type": "array"}),
            &[r#"[true,"a"]"#, "[true]"],
            &["[1]"],
        ),
        (json!({}), &["1", "[]", r#"{"a":[{"b":null}]}"#, r#""\"""#], &["", "nul", "{a:1}", r#""\ud800""#]),
        (json!({"type": "object"}), &["{}", r#"{"a": 1, "b": {}}"#], &["[]", "1"]),
        (
            json!({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1}),
            &[r#"{"a":1}"#],
            &["{}", r#"{"a":"b"}"#],
        ),
    ];
    for (schema, fits, others) in cases {
        let grammar = Grammar::of_schema(&schema).unwrap_or_else(|why| panic!("{why}: {schema}"));
        fits.iter().for_each(|text| assert!(accepts(&grammar, text), "{text} fits {schema}"));
        others.iter().for_each(|text| assert!(!accepts(&grammar, text), "{text} does not fit {schema}"));
    }
}

#[test]
fn every_keyword_lets_through_what_it_says_and_nothing_else() {
    let cases: Vec<(Value, &[&str], &[&str])> = vec![
        (json!({"type": "string", "pattern": "^a[b-d]{2}$|x"}), &["\"abd\"", "\"fox\""], &["\"ab\"", "\"aab\""]),
        (
            json!({"type": "string", "pattern": "^[^a]$", "not": {"enum": ["é"]}}),
            &["\"你\"", "\"\\n\""],
            &["\"é\"", "\"ab\""],
        ),
        (
            json!({"type": "string", "minLength": 3, "pattern": "^[ab]+$", "maxLength": 4}),
            &["\"aba\"", "\"bbbb\""],
            &["\"ab\"", "\"ababa\"", "\"abc\""],
        ),
        (json!({"type": "string", "format": "ipv4"}), &["\"10.0.255.1\""], &["\"256.0.0.1\"", "\"1.2.3\""]),
        (json!({"type": "string", "format": "email"}), &["\"a.b@ex.org\""], &["\"a@\"", "\"@b.c\""]),
        (
            json!({"type": "number", "minimum": 0.5, "exclusiveMaximum": 2}),
            &["0.5", "1", "1.99"],
            &["0.4", "2", "2.0", "-1"],
        ),
        (json!({"type": "number", "multipleOf": 0.25, "maximum": 1}), &["0.25", "0.5", "-3.75", "1"], &["0.3", "1.25"]),
        (json!({"type": "integer", "multipleOf": 7, "minimum": 10}), &["14", "700"], &["7", "15"]),
        (json!({"type": "integer", "not": {"multipleOf": 1, "maximum": 9}}), &["10"], &["9"]),
        (
            json!({"enum": [1, "a", {"b": [null]}, true], "type": ["object", "integer"]}),
            &["1", "{\"b\":[null]}"],
            &["\"a\"", "true"],
        ),
        (json!({"const": "\u{1}\"\\"}), &["\"\\u0001\\\"\\\\\""], &["\"\""]),
        (
            json!({"type": "array", "uniqueItems": true, "items": {"enum": ["a", "b", 1]}}),
            &["[]", "[\"b\",\"a\",1]"],
            &["[\"a\",\"a\"]", "[1,\"b\",1]", "[1,\"a\",\"b\",1]"],
        ),
        (
            json!({"type": "array", "uniqueItems": true, "minItems": 2, "items": {"type": "string"}}),
            &["[\"x\",\"xy\"]", "[\"xy\", \"x\", \"xyz\"]"],
            &["[\"x\"]", "[\"x\",\"x\"]", "[\"xy\",\"x\",\"xy\"]"],
        ),
        (
            json!({"type": "array", "uniqueItems": true, "items": {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}, "a": {"type": "null"}}}}),
            &["[{\"id\":1},{\"id\":2,\"a\":null}]"],
            &["[{\"id\":1},{\"id\":1}]", "[{\"id\":1,\"a\":null},{\"id\":1}]"],
        ),
        (
            json!({"type": "array", "contains": {"const": 0}, "minContains": 2, "maxContains": 2, "items": {"type": "integer"}}),
            &["[0,0]", "[1,0,2,0]"],
            &["[0]", "[0,0,0]", "[]"],
        ),
        (
            json!({"type": "array", "prefixItems": [{"type": "null"}, {"const": 1}], "items": {"type": "boolean"}}),
            &["[]", "[null]", "[null,1]", "[null,1,true,false]"],
            &["[1]", "[null,2]", "[null,1,1]"],
        ),
        (
            json!({"allOf": [{"properties": {"a": {"minimum": 1}}, "required": ["a"]}, {"properties": {"a": {"maximum": 2}}}, {"type": "object", "properties": {"a": {"type": "integer"}}}]}),
            &["{\"a\":1}", "{\"a\":2}"],
            &["{}", "{\"a\":0}", "{\"a\":3}", "{\"a\":1.5}"],
        ),
        (json!({"oneOf": [{"type": "integer"}, {"minimum": 2}]}), &["1", "2.5"], &["3", "1.5"]),
        (
            json!({"type": "object", "properties": {"a": {"enum": [1, 2]}, "b": {"type": "null"}}, "required": ["a"], "if": {"properties": {"a": {"const": 1}}}, "then": {"required": ["b"]}}),
            &["{\"a\":1,\"b\":null}", "{\"a\":2}", "{\"a\":2,\"b\":null}"],
            &["{\"a\":1}", "{\"b\":null}"],
        ),
        (
            json!({"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "null"}}, "dependentRequired": {"a": ["b"]}, "additionalProperties": false}),
            &["{}", "{\"b\":null}", "{\"a\":null,\"b\":null}"],
            &["{\"a\":null}"],
        ),
        (
            json!({"type": "object", "patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": {"type": "string"}, "propertyNames": {"maxLength": 2}}),
            &["{\"x\":1,\"y\":\"a\"}", "{}"],
            &["{\"x\":\"a\"}", "{\"y\":1}", "{\"xyz\":1}"],
        ),
        (
            json!({"type": "object", "minProperties": 2, "maxProperties": 3, "additionalProperties": {"type": "null"}}),
            &["{\"a\":null,\"b\":null}", "{\"a\":null,\"b\":null,\"c\":null}"],
            &["{\"a\":null}", "{\"a\":null,\"a\":null}", "{\"a\":null,\"b\":null,\"c\":null,\"d\":null}"],
        ),
        (
            json!({"type": "object", "allOf": [{"properties": {"a": {"type": "null"}}}], "properties": {"b": {"type": "null"}}, "unevaluatedProperties": {"type": "integer"}}),
            &["{\"b\":null,\"a\":null}", "{\"c\":1}"],
            &["{\"c\":null}", "{\"a\":1}"],
        ),
        (
            json!({"$defs": {"t": {"$anchor": "tree", "type": "object", "properties": {"l": {"$ref": "#tree"}, "v": {"type": "integer"}}, "required": ["v"], "additionalProperties": false}}, "$ref": "#/$defs/t"}),
            &["{\"v\":1}", "{\"l\":{\"v\":2},\"v\":1}"],
            &["{\"l\":{},\"v\":1}", "{\"v\":1,\"w\":1}"],
        ),
        (json!({"$id": "http://a/b", "$ref": "c", "$defs": {"c": {"$id": "c", "type": "boolean"}}}), &["true"], &["1"]),
    ];
    for (schema, fits, others) in cases {
        let grammar = Grammar::of_schema(&schema).unwrap_or_else(|why| panic!("{why}: {schema}"));
        fits.iter().for_each(|text| assert!(accepts(&grammar, text), "{text} fits {schema}"));
        others.iter().for_each(|text| assert!(!accepts(&grammar, text), "{text} does not fit {schema}"));
    }
}

#[test]
fn what_cannot_be_promised_is_refused_with_its_place() {
    for (schema, why) in [
        (json!({"type": "string", "pattern": "(a)\\1"}), "the schema at #: the pattern \"(a)\\\\1\" refers back"),
        (json!({"properties": {"a": {"not": {}}}, "required": ["a"]}), "the schema at #: nothing fits it"),
        (
            json!({"properties": {"a": {"type": "object", "not": {"propertyNames": {"maxLength": 1}}}}}),
            "the schema at #/properties/a/not: propertyNames that is not to fit is not supported",
        ),
        (json!({"$ref": "https://example.org/x"}), "the schema at #: https://example.org/x is in another document"),
        (json!({"$ref": "#/$defs/x"}), "the schema at #: #/$defs/x is not there"),
        (json!({"$ref": "#"}), "the schema at #: more than 64 schemas at one place, or one that is itself"),
        (
            json!({"type": "array", "uniqueItems": true, "items": {"type": "array"}}),
            "the schema at #: uniqueItems of arrays, or of objects without a member that tells them apart, is not supported",
        ),
        (json!({"type": "integer", "minimum": 3, "maximum": 2}), "the schema at #: nothing fits it"),
        (json!({"type": "object", "required": ["x"], "properties": {"x": false}}), "the schema at #: nothing fits it"),
        (json!({"type": "thing"}), "the schema at #: there is no type thing"),
        (json!({"minLength": -1}), "the schema at #: minLength is a whole number from 0"),
    ] {
        assert_eq!(Grammar::of_schema(&schema).expect_err(&schema.to_string()).to_string(), why);
    }
}

/// Whether a value fits a schema, of the keywords that [`schema`] makes.
fn fits(schema: &Value, value: &Value) -> bool {
    if let Some(values) = schema["enum"].as_array() {
        return values.contains(value);
    }
    if let Some(schemas) = schema["anyOf"].as_array() {
        return schemas.iter().any(|schema| fits(schema, value));
    }
    let within = |count: usize, least: &str, most: &str| {
        schema[least].as_u64().is_none_or(|least| count as u64 >= least)
            && schema[most].as_u64().is_none_or(|most| count as u64 <= most)
    };
    match (schema["type"].as_str(), value) {
        (Some("boolean"), Value::Bool(_)) | (Some("null"), Value::Null) | (Some("number"), Value::Number(_)) => true,
        (Some("integer"), Value::Number(number)) => number.as_i64().is_some_and(|number| {
            schema["minimum"].as_i64().is_none_or(|least| number >= least)
                && schema["maximum"].as_i64().is_none_or(|most| number <= most)
        }),
        (Some("string"), Value::String(text)) => within(text.chars().count(), "minLength", "maxLength"),
        (Some("array"), Value::Array(items)) => {
            within(items.len(), "minItems", "maxItems") && items.iter().all(|item| fits(&schema["items"], item))
        }
        (Some("object"), Value::Object(members)) => {
            let required = schema["required"].as_array().into_iter().flatten();
            required.filter_map(Value::as_str).all(|name| members.contains_key(name))
                && members.iter().all(|(name, member)| fits(&schema["properties"][name], member))
        }
        _ => false,
    }
}

fn schema() -> impl Strategy<Value = Value> {
    let bounds = (0_u32..4, 0_u32..4);
    let leaf = prop_oneof![
        Just(json!({"type": "boolean"})),
        Just(json!({"type": "null"})),
        Just(json!({"type": "number"})),
        (-2000_i64..2000, 0_i64..5000)
            .prop_map(|(least, more)| json!({"type": "integer", "minimum": least, "maximum": least + more})),
        any::<i64>().prop_map(|least| json!({"type": "integer", "minimum": least})),
        bounds
            .clone()
            .prop_map(|(least, more)| json!({"type": "string", "minLength": least, "maxLength": least + more})),
        Just(json!({"enum": ["a\"b", 3, null, {"x": [1.5]}]})),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let members = proptest::collection::btree_map("[a-c/\"é]{1,3}", (inner.clone(), any::<bool>()), 1..4);
        prop_oneof![
            (inner.clone(), bounds.clone()).prop_map(|(items, (least, more))| json!({"type": "array", "items": items, "minItems": least, "maxItems": least + more})),
            proptest::collection::vec(inner, 1..3).prop_map(|schemas| json!({"anyOf": schemas})),
            members.prop_map(|members| {
                let required: Vec<_> = members.iter().filter(|(_, (_, must))| *must).map(|(name, _)| name.clone()).collect();
                let properties: serde_json::Map<_, _> = members.into_iter().map(|(name, (schema, _))| (name, schema)).collect();
                json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_a_schemas_grammar_lets_through_fits_the_schema(schema in schema(), seed in any::<u64>()) {
        let grammar = Grammar::of_schema(&schema).expect("supported");
        let (mut automaton, mut state) = Automaton::new(Arc::new(grammar));
        let mut random = seed | 1;
        let mut text = Vec::new();
        while automaton.goes_on(state) && text.len() < 20_000 {
            let next: Vec<_> = (0..=255).filter_map(|byte| Some((byte, automaton.step(state, byte)?))).collect();
            prop_assert!(!next.is_empty());
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            if automaton.ends(state) && random % 5 == 0 {
                break;
            }
            let (byte, after) = next[usize::try_from(random >> 20).expect("64 bits") % next.len()];
            text.push(byte);
            state = after;
        }
        prop_assert!(automaton.ends(state));
        let value: Value = serde_json::from_slice(&text).expect("JSON");
        prop_assert!(fits(&schema, &value), "{} by {}", value, schema);
    }
}

#[test]
fn an_answer_with_a_schema_fits_it_whatever_the_model_would_rather_say() {
    let worker = Worker::scripted("I| would| rather| not", &[]);
    let schema = json!({"type": "object", "required": ["sure"], "properties": {"sure": {"type": "boolean"}}, "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": schema}});
    for temperature in [0.0, 1.0] {
        let ask = json!({"messages": [{"role": "user", "content": "?"}], "temperature": temperature, "response_format": format, "max_tokens": 900});
        let answer = worker.post("/v1/chat/completions", &ask).json();
        let choice = &answer["choices"][0];
        let told: Value = serde_json::from_str(choice["message"]["content"].as_str().expect("text")).expect("JSON");
        assert!(told == json!({"sure": true}) || told == json!({"sure": false}), "{told}");
        assert_eq!(choice["finish_reason"], "stop");
    }
    let ask = json!({"prompt": "?", "temperature": 0, "grammar": "root ::= \"I\" \" wouldn't\" \"!\"?", "stream": true, "max_tokens": 40});
    let (text, finish, _) = told(&worker.stream("/v1/completions", &ask));
    assert_eq!((text.as_str(), finish.as_deref()), ("I wouldn't!", Some("stop")));
}
