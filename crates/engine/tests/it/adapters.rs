//! Adapters through the door, over the scripted model: it says what follows from all before it, the adapter's file and its scale.

use std::io::BufRead;

use serde_json::{Value, json};

use crate::worker::{Worker, eventually};

fn ask(change: &Value) -> Value {
    let mut ask = json!({"prompt": "Once", "max_tokens": 40, "temperature": 0, "ignore_eos": true});
    for (key, value) in change.as_object().expect("fields") {
        ask[key] = value.clone();
    }
    ask
}

/// The text, and the model that is said to have answered.
fn told(worker: &Worker, change: &Value) -> (String, String) {
    let answer = worker.post("/v1/completions", &ask(change)).json();
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    (text(&answer["choices"][0]["text"]), text(&answer["model"]))
}

/// Status, code and sentence.
fn refused(worker: &Worker, method: &str, path: &str, body: &Value) -> (u16, String, String) {
    let reply = worker.request(method, path, body);
    let error = reply.json()["error"].clone();
    let text = |key: &str| error[key].as_str().unwrap_or_else(|| panic!("{key} in {error}")).to_owned();
    (reply.status, text("code"), text("message"))
}

#[test]
fn an_adapter_is_a_model_of_its_own_name_for_who_asks_for_it() {
    let worker = Worker::start(&["--recalls", "--name", "base", "--lora", "poet=Cargo.toml:0.5"]).ready();
    let added = worker.post("/v1/adapters", &json!({"name": "clerk", "path": "src/lib.rs"}));
    let bytes = std::fs::metadata("src/lib.rs").expect("here").len();
    let clerk = json!({
        "id": "clerk", "object": "adapter", "parent": "base", "path": "src/lib.rs", "scale": 1.0, "rank": 1, "alpha": 1.0,
        "bytes": bytes, "requests": 0,
    });
    assert_eq!((added.status, added.json()), (200, clerk.clone()));
    assert_eq!(worker.get("/v1/adapters").json()["data"][0], clerk);
    let models = worker.get("/v1/models").json();
    let listed: Vec<_> =
        models["data"].as_array().expect("a list").iter().map(|model| (&model["id"], &model["parent"])).collect();
    let (base, none) = (json!("base"), Value::Null);
    assert_eq!(listed, [(&base, &none), (&json!("clerk"), &base), (&json!("poet"), &base)]);

    let (text, name) = told(&worker, &json!({}));
    assert_eq!((told(&worker, &json!({"model": "base"})), name.as_str()), ((text.clone(), name.clone()), "base"));
    let clerk = told(&worker, &json!({"model": "clerk"}));
    assert!(clerk.0 != text && clerk.1 == "clerk", "{clerk:?}");
    for same in [
        json!({"model": "base:clerk"}),
        json!({"lora": "clerk"}),
        json!({"model": "base", "lora": [{"id": "clerk"}]}),
        json!({"model": "clerk", "lora": [{"id": "clerk", "scale": 1.0}]}),
        json!({"model": "clerk", "lora": []}),
    ] {
        assert_eq!(told(&worker, &same), clerk, "{same}");
    }
    let half = told(&worker, &json!({"lora": [{"id": "clerk", "scale": 0.5}]}));
    assert!(half.0 != clerk.0 && half.0 != text, "{half:?}");
    assert_eq!(
        told(&worker, &json!({"lora": [{"id": "clerk", "scale": 0}]})).0,
        text,
        "nothing of it is the base model"
    );
    let poet = told(&worker, &json!({"model": "poet"}));
    assert_eq!(told(&worker, &json!({"lora": [{"id": "poet", "scale": 0.5}]})), poet);
    assert_eq!(told(&worker, &json!({})).0, text);

    assert_eq!(worker.request("PATCH", "/v1/adapters/clerk", &json!({"scale": 0.5})).json()["scale"], 0.5);
    assert_eq!(told(&worker, &json!({"model": "clerk"})), half);
    let other = json!({"lora_name": "clerk", "lora_path": "Cargo.toml", "load_inplace": true, "scale": 0.5});
    assert_eq!(worker.post("/v1/load_lora_adapter", &other).status, 200);
    assert_eq!(told(&worker, &json!({"model": "clerk"})).0, poet.0);
    assert_eq!(worker.post("/v1/unload_lora_adapter", &json!({"lora_name": "poet"})).status, 200);
    assert_eq!(worker.request("DELETE", "/v1/adapters/clerk", &json!({})).json()["deleted"], true);
    assert_eq!(worker.get("/v1/adapters").json()["data"], json!([]));
    assert_eq!(told(&worker, &json!({})), (text, "base".into()));
}

#[test]
fn what_is_wrong_with_an_adapter_is_said() {
    let worker = Worker::start(&["--recalls", "--name", "base"]).ready();
    assert_eq!(told(&worker, &json!({"model": "whatever"})).1, "base", "one model need not be told from others");
    let gone = json!({"name": "x", "path": "/nowhere/x.gguf"});
    let (status, code, sentence) = refused(&worker, "POST", "/v1/adapters", &gone);
    assert_eq!((status, code.as_str()), (400, "adapter_refused"));
    assert!(sentence.starts_with("the adapter x cannot be read: "), "{sentence}");

    let clerk = json!({"name": "clerk", "path": "Cargo.toml"});
    assert_eq!(worker.post("/v1/adapters", &clerk).status, 200);
    let completion = "/v1/completions";
    let cases = [
        ("POST", "/v1/adapters", clerk, 409, "adapter_exists", "there is an adapter clerk already"),
        (
            "POST",
            "/v1/adapters",
            json!({"name": "a/b", "path": "Cargo.toml"}),
            400,
            "adapter_refused",
            "1 to 64 letters",
        ),
        ("POST", "/v1/adapters", json!({"name": "a"}), 400, "invalid_json", "missing field `path`"),
        (
            "POST",
            "/v1/adapters",
            json!({"name": "a", "path": "x", "scale": 1e9}),
            400,
            "adapter_refused",
            "from -100 to 100",
        ),
        ("PATCH", "/v1/adapters/poet", json!({"scale": 1}), 404, "adapter_not_found", "no adapter poet"),
        ("DELETE", "/v1/adapters/poet", json!({}), 404, "adapter_not_found", "no adapter poet"),
        ("PUT", "/v1/adapters", json!({}), 405, "method_not_allowed", "does not take that method"),
        ("POST", completion, ask(&json!({"model": "base:poet"})), 404, "model_not_found", "no model base:poet"),
        ("POST", completion, ask(&json!({"model": "poet"})), 404, "model_not_found", "no model poet"),
        ("POST", completion, ask(&json!({"lora": "poet"})), 404, "adapter_not_found", "no adapter poet"),
        (
            "POST",
            completion,
            ask(&json!({"lora": [{"id": 0}]})),
            400,
            "invalid_value",
            "must tell an adapter by its name",
        ),
        (
            "POST",
            completion,
            ask(&json!({"lora": [{"id": "clerk"}, {"id": "clerk"}]})),
            400,
            "invalid_value",
            "at most one",
        ),
        (
            "POST",
            completion,
            ask(&json!({"lora": [{"id": "clerk", "scale": 101}]})),
            400,
            "invalid_value",
            "from -100 to 100",
        ),
    ];
    for (method, path, body, status, code, sentence) in cases {
        let (said_status, said_code, said) = refused(&worker, method, path, &body);
        assert_eq!((said_status, said_code.as_str()), (status, code), "{method} {path} {body}: {said}");
        assert!(said.contains(sentence), "{sentence:?} in {said:?}");
    }

    let guarded = Worker::start(&["--recalls", "--key", "k", "--lora", "clerk=Cargo.toml"]).ready();
    for (method, path) in [("GET", "/v1/adapters"), ("POST", "/v1/adapters"), ("DELETE", "/v1/adapters/clerk")] {
        assert_eq!(refused(&guarded, method, path, &json!({})).0, 401, "{method} {path}");
    }
    let mut ended = Worker::start(&["--recalls", "--lora", "clerk=/nowhere/x.gguf"]);
    let (said, status) = ended.end();
    assert!(said.contains("the adapter /nowhere/x.gguf cannot be read: ") && status.code() == Some(3), "{said}");
}

#[test]
fn an_adapter_that_is_wanted_stays_until_it_is_not() {
    let worker = Worker::start(&["--recalls", "--pace", "5", "--lora", "clerk=Cargo.toml"]).ready();
    let mut open = worker.open("/v1/completions", &ask(&json!({"model": "clerk", "stream": true, "max_tokens": 900})));
    open.read_line(&mut String::new()).expect("a line");
    let (status, code, sentence) = refused(&worker, "DELETE", "/v1/adapters/clerk", &json!({}));
    assert_eq!((status, code.as_str()), (409, "adapter_in_use"), "{sentence}");
    assert!(sentence.starts_with("1 requests want the adapter clerk"), "{sentence}");
    assert_eq!(worker.get("/v1/adapters").json()["data"][0]["requests"], 1);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| worker.request("DELETE", "/v1/adapters/clerk?wait=true", &json!({})));
        eventually("no new requests are let in", || {
            worker.post("/v1/completions", &ask(&json!({"model": "clerk", "max_tokens": 1}))).status == 404
        });
        assert!(!waiting.is_finished() && worker.active() == 1, "what runs goes on");
        drop(open);
        assert_eq!(waiting.join().expect("told").status, 200);
    });
    assert_eq!(worker.get("/v1/adapters").json()["data"], json!([]));
}
