//! How sure the model was of its answer: told when asked for, and worth something.

use serde_json::{Value, json};

use crate::worker::Worker;

#[test]
fn confidence_is_told_with_the_usage_where_it_is_asked_for() {
    let worker = Worker::scripted("a|b|c", &[]);
    let ask = |more: Value| {
        let mut ask = json!({"prompt": "x", "temperature": 0, "max_tokens": 20});
        more.as_object().expect("fields").iter().for_each(|(key, value)| ask[key] = value.clone());
        ask
    };
    let told = |more: Value| worker.post("/v1/completions", &ask(more)).json()["usage"]["confidence"].clone();
    assert_eq!(told(json!({})), Value::Null);
    // One logit of 10 among 260 of 0.
    let sure = 1.0 / (1.0 + 260.0 * (-10.0_f64).exp());
    let confidence = told(json!({"confidence": true}));
    for figure in ["mean", "worst"] {
        let figure = confidence[figure].as_f64().expect("a number");
        assert!((figure - sure).abs() < 1e-5, "{figure} is not {sure}");
    }
    assert_eq!(confidence["tokens"], 4, "the token that ends the answer was chosen, too");
    assert_eq!((&confidence["worst_from"], &confidence["window"]), (&json!(0), &json!(4)));
    assert_eq!(told(json!({"logprobs": 1})), confidence, "who wants log probabilities gets it with them");

    let stream = ask(json!({"confidence": true, "stream": true, "stream_options": {"include_usage": true}}));
    let events = worker.stream("/v1/completions", &stream);
    let last: Value = serde_json::from_str(&events[events.len() - 2]).expect("JSON");
    assert_eq!(last["usage"]["confidence"], confidence);

    let learned = Worker::scripted("a|b|c", &["--calibration", "0.5:0.1,1:0.4"]);
    let calibrated = learned.post("/v1/completions", &ask(json!({"confidence": true}))).json();
    let mean = calibrated["usage"]["confidence"]["mean"].as_f64().expect("a number");
    assert!((mean - (0.1 + 0.3 * (sure - 0.5) / 0.5)).abs() < 1e-4, "{mean}");
}

#[cfg(feature = "llama")]
#[test]
fn an_answer_of_the_models_own_is_surer_than_one_of_random_tokens() {
    let Some(models) = crate::llama::models() else { return };
    let worker = Worker::start(&[models.join("stories260K.gguf").to_str().expect("a path")]).ready();
    let mean = |prompt: &str, temperature: f64, seed: u32| {
        let ask =
            json!({"prompt": prompt, "max_tokens": 80, "temperature": temperature, "seed": seed, "confidence": true});
        let confidence = worker.post("/v1/completions", &ask).json()["usage"]["confidence"].clone();
        let of = |key: &str| confidence[key].as_f64().unwrap_or_else(|| panic!("{key} in {confidence}"));
        assert!(of("worst") <= of("mean") && of("mean") <= 1.0, "{confidence}");
        of("mean")
    };
    let prompts = ["Once upon a time", "Lily and Tom went to the park", "The big dog", "One day, a bird"];
    let (mut greedy, mut drawn, mut random) = (Vec::new(), Vec::new(), Vec::new());
    for (seed, prompt) in (0..).zip(prompts) {
        greedy.push(mean(prompt, 0.0, seed));
        drawn.push(mean(prompt, 1.0, seed));
        random.push(mean(prompt, 100.0, seed));
    }
    eprintln!("mean confidence: greedy {greedy:.3?}, drawn {drawn:.3?}, random {random:.5?}");
    for ((greedy, drawn), random) in greedy.iter().zip(&drawn).zip(&random) {
        assert!(greedy > drawn && drawn > random, "{greedy}, {drawn}, {random}");
    }
}
