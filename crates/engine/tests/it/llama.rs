//! llama.cpp with a real model: the text that it must say, alone and among others.

use std::{env, fs, io::BufRead, path::PathBuf};

use serde_json::{Value, json};

use crate::worker::{Worker, eventually, told};

const QUESTION: &str = "Once upon a time, there was a little girl named Lily.";

/// The folder of the shared models; `None`, said aloud, where there is none.
pub(crate) fn models() -> Option<PathBuf> {
    let shared = env::var_os("PORTICO_SHARED").map_or_else(|| PathBuf::from("../../../shared"), PathBuf::from);
    let models = shared.join("models");
    if models.join("stories260K.gguf").is_file() {
        return Some(models);
    }
    assert!(env::var_os("CI").is_none(), "{} is absent", models.display());
    eprintln!("skipped: {} is absent (set PORTICO_SHARED)", models.display());
    None
}

fn story() -> Option<(Worker, String)> {
    let models = models()?;
    let expected = fs::read_to_string(models.join("stories260K.expected.txt")).expect("text");
    let worker = Worker::start(&[models.join("stories260K.gguf").to_str().expect("a path")]).ready();
    Some((worker, expected))
}

fn from_nothing() -> Value {
    json!({"prompt": "", "max_tokens": 200, "temperature": 0})
}

#[test]
fn the_greedy_text_from_the_empty_prompt_is_the_reference() {
    let Some((worker, expected)) = story() else { return };
    let answer = worker.post("/v1/completions", &from_nothing()).json();
    assert_eq!(answer["choices"][0]["text"], expected);
    let usage = json!({"prompt_tokens": 1, "completion_tokens": 200, "total_tokens": 201, "prompt_tokens_details": {"cached_tokens": 0}});
    assert_eq!(answer["usage"], usage);
}

#[test]
fn asked_in_a_chat_it_tells_the_rest_of_the_story() {
    let Some((worker, expected)) = story() else { return };
    let ask = json!({"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 185, "temperature": 0});
    let answer = worker.post("/v1/chat/completions", &ask).json();
    assert_eq!(answer["choices"][0]["message"]["content"], expected[QUESTION.len()..]);
    assert_eq!(answer["portico"], json!({"chat_template": false}));
}

#[test]
fn sixteen_streams_at_once_beside_other_prompts_tell_the_same_text() {
    let Some((worker, expected)) = story() else { return };
    std::thread::scope(|scope| {
        let worker = &worker;
        let streams: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(move || {
                    let mut ask = from_nothing();
                    ask["stream"] = true.into();
                    told(&worker.stream("/v1/completions", &ask))
                })
            })
            .collect();
        for length in [300, 100, 7] {
            let ask = json!({"prompt": "Lily ran to the park. ".repeat(length / 7), "max_tokens": 20, "seed": 1});
            assert_eq!(worker.post("/v1/completions", &ask).status, 200);
        }
        for stream in streams {
            assert_eq!(stream.join().expect("told"), (expected.clone(), Some("length".into()), true));
        }
    });
}

#[test]
fn what_was_computed_for_one_is_what_another_goes_on_from() {
    let Some((worker, expected)) = story() else { return };
    assert_eq!(worker.post("/v1/completions", &from_nothing()).json()["choices"][0]["text"], expected);
    // Each begins as the whole story does, ends at another word of it, and goes on as it does; some at once, some after one another.
    let goes_on = |at: usize| {
        let (before, after) = expected.split_at(at);
        let ask = json!({"prompt": before, "max_tokens": 10, "temperature": 0});
        let told = worker.post("/v1/completions", &ask).json()["choices"][0]["text"].as_str().expect("text").to_owned();
        assert!(!told.is_empty() && after.starts_with(&told), "{told:?} after {before:?}");
    };
    let words: Vec<_> = expected.match_indices(' ').map(|(at, _)| at).skip(12).step_by(9).take(8).collect();
    words.iter().for_each(|&at| goes_on(at));
    std::thread::scope(|scope| words.iter().for_each(|&at| _ = scope.spawn(move || goes_on(at))));
    assert_eq!(worker.post("/v1/completions", &from_nothing()).json()["choices"][0]["text"], expected);
}

#[test]
fn stop_strings_work_across_the_tokens_of_a_real_vocabulary() {
    let Some((worker, expected)) = story() else { return };
    for stop in ["named Lily", "e loved to pl", "\nLily's mom", "too high.\nL"] {
        let mut ask = from_nothing();
        ask["stop"] = stop.into();
        let before = &expected[..expected.find(stop).expect("in the text")];
        let answer = worker.post("/v1/completions", &ask).json();
        assert_eq!(answer["choices"][0]["text"], before);
        assert_eq!(answer["choices"][0]["finish_reason"], "stop");
        ask["stream"] = true.into();
        assert_eq!(told(&worker.stream("/v1/completions", &ask)).0, before);
    }
}

#[test]
fn log_probabilities_agree_with_the_greedy_choice() {
    let Some((worker, expected)) = story() else { return };
    let mut ask = from_nothing();
    ask["logprobs"] = 20.into();
    let answer = worker.post("/v1/completions", &ask).json();
    let logprobs = &answer["choices"][0]["logprobs"];
    let list = |key: &str| logprobs[key].as_array().expect("a list").clone();
    let (tokens, chosen, tops) = (list("tokens"), list("token_logprobs"), list("top_logprobs"));
    assert_eq!((tokens.len(), chosen.len(), tops.len()), (200, 200, 200));
    assert_eq!(tokens.iter().filter_map(Value::as_str).collect::<String>(), expected);
    for ((token, chosen), top) in tokens.iter().zip(&chosen).zip(&tops) {
        let top = top.as_object().expect("an object");
        let best = top.values().filter_map(Value::as_f64).fold(f64::NEG_INFINITY, f64::max);
        let chosen = chosen.as_f64().expect("a number");
        assert!(chosen <= 0.0 && (chosen - best).abs() < 1e-6, "{token}: {chosen} is not the best, {best}");
        assert!(top.values().filter_map(Value::as_f64).map(f64::exp).sum::<f64>() <= 1.0 + 1e-4);
    }

    let ask = json!({"messages": [{"role": "user", "content": QUESTION}], "max_tokens": 3, "logprobs": true, "top_logprobs": 5});
    let answer = worker.post("/v1/chat/completions", &ask).json();
    for token in answer["choices"][0]["logprobs"]["content"].as_array().expect("a list") {
        let top: Vec<_> = token["top_logprobs"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|top| top["logprob"].as_f64())
            .collect();
        assert_eq!(top.len(), 5);
        assert!(top.windows(2).all(|pair| pair[0] >= pair[1]), "the likeliest first: {top:?}");
    }
}

#[test]
fn a_seed_repeats_its_answer_even_among_others() {
    let Some((worker, _)) = story() else { return };
    let told = |seed: Value| {
        let ask = json!({"prompt": QUESTION, "max_tokens": 60, "temperature": 1.2, "top_p": 0.95, "seed": seed});
        worker.post("/v1/completions", &ask).json()["choices"][0]["text"].clone()
    };
    let alone = told(7.into());
    std::thread::scope(|scope| {
        let others: Vec<_> = (0..4).map(|_| scope.spawn(|| told(7.into()))).collect();
        for other in others {
            assert_eq!(other.join().expect("told"), alone);
        }
    });
    assert_ne!(told(8.into()), alone);
    assert_ne!(told(Value::Null), told(Value::Null));
}

#[test]
fn a_schema_is_followed_with_a_real_vocabulary_and_a_grammar_that_fits_changes_nothing() {
    let Some((worker, expected)) = story() else { return };
    let schema = json!({
        "type": "object", "required": ["girl", "age"], "additionalProperties": false,
        "properties": {"girl": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 3, "maximum": 12}},
    });
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    for seed in 0..8 {
        let ask = json!({"messages": [{"role": "user", "content": QUESTION}], "seed": seed, "response_format": format, "max_tokens": 200});
        let answer = worker.post("/v1/chat/completions", &ask).json();
        let told = answer["choices"][0]["message"]["content"].as_str().expect("text");
        let told: Value = serde_json::from_str(told).unwrap_or_else(|error| panic!("{error}: {told}"));
        assert!(told["age"].as_i64().is_some_and(|age| (3..=12).contains(&age)), "{told}");
        assert!(told["girl"].as_str().is_some_and(|girl| girl.chars().count() <= 20), "{told}");
    }
    let mut ask = from_nothing();
    ask["grammar"] = "root ::= .*".into();
    assert_eq!(worker.post("/v1/completions", &ask).json()["choices"][0]["text"], expected);
}

#[test]
fn a_client_that_leaves_frees_its_place() {
    let Some((worker, expected)) = story() else { return };
    for _ in 0..30 {
        let ask = json!({"prompt": QUESTION, "stream": true, "max_tokens": 400, "ignore_eos": true});
        let mut open = worker.open("/v1/completions", &ask);
        open.read_line(&mut String::new()).expect("a line");
    }
    eventually("all are given up", || worker.active() == 0);
    assert_eq!(worker.post("/v1/completions", &from_nothing()).json()["choices"][0]["text"], expected);
}

#[test]
fn what_is_told_of_the_model_is_true() {
    let Some((worker, _)) = story() else { return };
    let listed = worker.get("/v1/models").json()["data"][0].clone();
    assert_eq!(listed["id"], "stories260K");
    assert_eq!(listed["meta"]["context_length"], 512);
    assert_eq!(listed["meta"]["has_chat_template"], false);
    let long = json!({"prompt": "Lily ".repeat(600)});
    let reply = worker.post("/v1/completions", &long);
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (400, Some("context_length_exceeded")));
}

#[test]
fn what_was_saved_is_there_after_a_restart_and_goes_on_with_the_same_bytes() {
    let Some(models) = models() else { return };
    let expected = fs::read_to_string(models.join("stories260K.expected.txt")).expect("text");
    let folder = tempfile::tempdir().expect("a folder");
    let model = models.join("stories260K.gguf");
    let arguments = [model.to_str().expect("a path"), "--prefixes", folder.path().to_str().expect("a path"), "--watch"];
    let (before, after) = expected.split_at(expected.match_indices(' ').nth(60).expect("a long text").0);
    let ask = |worker: &Worker| {
        let ask = json!({"prompt": before, "max_tokens": 30, "temperature": 0});
        let answer = worker.post("/v1/completions", &ask).json();
        let text = answer["choices"][0]["text"].as_str().expect("text").to_owned();
        assert!(!text.is_empty() && after.starts_with(&text), "{text:?}");
        (answer["usage"]["prompt_tokens"].clone(), answer["usage"]["prompt_tokens_details"]["cached_tokens"].clone())
    };
    let ends = |mut worker: Worker| {
        drop(worker.stdin.take());
        worker.end();
    };

    let worker = Worker::start(&arguments).ready();
    let pinned = worker.put("/v1/prefixes", &json!({"text": before})).json();
    let (tokens, computed) = ask(&worker);
    assert_eq!((&pinned["tokens"], &pinned["computed"]), (&tokens, &tokens));
    let all_but_last = json!(tokens.as_u64().expect("a count") - 1);
    assert_eq!(computed, all_but_last);
    ends(worker);

    let worker = Worker::start(&arguments).ready();
    assert_eq!(ask(&worker), (tokens, all_but_last.clone()));
    let listed = worker.get("/v1/prefixes").json();
    assert_eq!(listed["data"][0]["id"], pinned["id"]);
    assert_eq!(worker.delete(&format!("/v1/prefixes/{}", pinned["id"].as_str().expect("an id"))).status, 204);
    ends(worker);

    // Another context, and the same weights: a state that fits is used, whatever room there is around it.
    let worker = Worker::start(&[&arguments[..], &["--context", "256"]].concat()).ready();
    assert_eq!(ask(&worker).1, all_but_last);
    assert_eq!(worker.get("/v1/prefixes").json()["data"], json!([]));
}
