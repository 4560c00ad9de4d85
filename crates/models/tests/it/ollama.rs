//! Ollama's own interface, over a real socket: what is installed and in memory, loading and unloading, pulls that are followed,
//! left and failed, and its habit of giving several tool calls one index.

use std::time::Duration;

use domain::{Finish, ModelError, ModelState, TurnEvent};
use models::testing::ScriptedOllama;
use models::{Errand, ModelConfig, Models, Options, ProviderConfig, PullState};
use serde_json::json;

use crate::{ME, asked, egress, hear, open, options, provider};

fn house(url: &str, named: Option<Vec<ModelConfig>>) -> Models {
    let models = Models::new(Options { retries: 0, ..options() }, egress());
    let config = ProviderConfig { slug: "ollama".into(), kind: "ollama".into(), models: named, ..provider(url) };
    models.configure(vec![config]);
    models
}

async fn until(models: &Models, wanted: impl Fn(&Models) -> bool) {
    for _ in 0..2_000 {
        if wanted(models) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(wanted(models), "it never came to that: {:?} {:?}", models.list(), models.pulls());
}

fn question(model: &str, text: &str) -> domain::Prompt {
    let body = json!({"model": model, "messages": [{"role": "user", "content": text}], "stream": true});
    domain::Prompt { model: format!("ollama/{model}"), ..asked(body) }
}

#[tokio::test]
async fn what_is_installed_is_offered_and_an_embedder_is_not_for_chat() {
    let ollama = ScriptedOllama::start().await;
    let models = house(&ollama.url, None);
    until(&models, |models| !models.list().is_empty()).await;
    let seen: Vec<_> = models.list().into_iter().map(|m| (m.id, m.context, m.chat_template, m.state)).collect();
    let expected = [
        ("ollama/llama3:latest".to_owned(), Some(8192), Some(true), ModelState::Cold),
        ("ollama/mistral:latest".to_owned(), Some(16384), Some(true), ModelState::Cold),
    ];
    assert_eq!(seen, expected);
    let details = models.installed("ollama").await.expect("details");
    let llama = &details[0];
    assert_eq!((llama.size, llama.quantization.as_deref()), (4_661_224_676, Some("Q4_0")));
    assert_eq!((llama.family.as_deref(), llama.parameter_size.as_deref()), (Some("llama"), Some("8.0B")));
    assert_eq!(details[2].capabilities.as_deref(), Some(&["embedding".to_owned()][..]));
    assert_eq!(llama.loaded, None);
}

#[tokio::test]
async fn a_model_goes_from_cold_through_loading_to_ready_and_back() {
    let ollama = ScriptedOllama::start().await;
    ollama.slow(0, 150);
    let models = house(&ollama.url, None);
    until(&models, |models| !models.list().is_empty()).await;
    let id = "ollama/mistral:latest";
    assert_eq!(models.state(id), Some(ModelState::Cold));
    let seen = until(&models, |models| matches!(models.state(id), Some(ModelState::Loading { .. })));
    let (loaded, ()) = tokio::join!(models.bring_in("ollama", "mistral", Some("10m")), seen);
    loaded.expect("it loads");
    assert_eq!(models.state(id), Some(ModelState::Ready));
    assert_eq!(ollama.loaded(), ["mistral:latest"]);
    let asked = ollama.seen().into_iter().rev().find(|seen| seen.path == "/api/generate").expect("it was asked");
    assert_eq!(asked.json()["keep_alive"], "10m");
    let loaded = models.installed("ollama").await.expect("details")[1].loaded.clone().expect("in memory");
    assert_eq!((loaded.size_vram, loaded.context), (4_372_824_384, Some(4096)));
    assert!(loaded.expires_at.is_some());
    models.send_away("ollama", "mistral").await.expect("it leaves");
    assert_eq!(models.state(id), Some(ModelState::Cold));
    assert!(ollama.loaded().is_empty());
}

#[tokio::test]
async fn a_question_to_a_cold_model_is_answered_through_the_openai_door() {
    let ollama = ScriptedOllama::start().await;
    let models = house(&format!("{}/api/generate", ollama.url), None);
    until(&models, |models| !models.list().is_empty()).await;
    let heard = hear(open(&models, question("llama3:latest", "good morning")).await.expect("an answer")).await;
    assert_eq!((heard.text().as_str(), heard.finish()), ("You said: good morning", Some(Finish::Stop)));
    assert_eq!(heard.usage(), Some((7, 3)));
    assert_eq!(models.state("ollama/llama3:latest"), Some(ModelState::Ready));
    let unknown = house(&ollama.url, Some(vec![ModelConfig::named("phi3")]));
    let error = open(&unknown, question("phi3", "hi")).await.expect_err("it is not installed");
    assert!(matches!(error, ModelError::NoSuchModel { .. }), "{error:?}");
}

#[tokio::test]
async fn whoever_wakes_a_cold_model_is_told_that_it_loads() {
    let ollama = ScriptedOllama::start().await;
    ollama.slow(0, 50);
    let models = house(&ollama.url, None);
    until(&models, |models| !models.list().is_empty()).await;
    let id = "ollama/llama3:latest";
    assert_eq!(models.find(id).and_then(|model| model.context), Some(8192), "what the model was made for");
    let mut told = Vec::new();
    models
        .open(&ME, Errand::default(), question("llama3:latest", "hi"), &mut |event| told.push(event))
        .await
        .expect("an answer");
    let loading = ModelState::Loading { percent: None, eta_ms: None };
    assert_eq!(told, [TurnEvent::Warming { state: loading }]);
    assert_eq!(models.state(id), Some(ModelState::Ready));
    models
        .open(&ME, Errand::default(), question("llama3:latest", "hi"), &mut |event| told.push(event))
        .await
        .expect("an answer");
    assert_eq!(told.len(), 1, "the next one is not");
    models.refresh("ollama");
    until(&models, |models| models.find(id).and_then(|model| model.context) == Some(4096)).await;

    let asleep = "ollama/mistral:latest";
    assert_eq!(models.state(asleep), Some(ModelState::Cold));
    models.delete("ollama", "mistral").await.expect("it is removed");
    let error = models
        .open(&ME, Errand::default(), question("mistral:latest", "hi"), &mut |_| ())
        .await
        .expect_err("it is gone");
    assert!(matches!(error, ModelError::NoSuchModel { .. }), "{error:?}");
}

#[tokio::test]
async fn case_10_two_calls_under_one_index_are_two_calls() {
    let ollama = ScriptedOllama::start().await;
    let models = house(&ollama.url, None);
    until(&models, |models| !models.list().is_empty()).await;
    let body = json!({"model": "x", "stream": true, "tools": [{"type": "function", "function": {"name": "weather"}}],
        "messages": [{"role": "user", "content": "weather?"}]});
    let prompt = domain::Prompt { model: "ollama/mistral:latest".into(), ..asked(body) };
    let heard = hear(open(&models, prompt).await.expect("an answer")).await;
    let calls: Vec<_> = heard
        .events
        .iter()
        .filter_map(|event| match event {
            TurnEvent::ToolCalled { index, id, .. } => Some((*index, id.clone().unwrap_or_default())),
            _ => None,
        })
        .collect();
    assert_eq!(calls, [(0, "call_a".to_owned()), (1, "call_b".to_owned())]);
    let on_the_wire: Vec<_> = heard
        .chunks()
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0]["index"].as_u64())
        .collect();
    assert_eq!(on_the_wire, [0, 1], "the client is told them apart, too");
    assert_eq!(heard.finish(), Some(Finish::ToolCalls));
}

#[tokio::test]
async fn a_model_that_must_not_stream_is_asked_for_one_piece_and_shown_as_one() {
    let ollama = ScriptedOllama::start().await;
    let whole = ModelConfig { streaming: false, ..ModelConfig::named("llama3") };
    let models = house(&ollama.url, Some(vec![whole]));
    let mut prompt = question("llama3", "one piece");
    prompt.body.as_mut().expect("a body").wants_usage = true;
    let heard = hear(open(&models, prompt).await.expect("an answer")).await;
    assert_eq!((heard.text().as_str(), heard.finish()), ("You said: one piece", Some(Finish::Stop)));
    assert_eq!(heard.wire, "", "an answer in one piece is not what an event stream holds");
    let sent = ollama.seen().into_iter().find(|seen| seen.path == "/v1/chat/completions").expect("asked").json();
    assert_eq!((sent.get("stream"), sent.get("stream_options")), (None, None));
    assert_eq!(sent["messages"][0]["content"], "one piece");
}

#[tokio::test]
async fn a_pull_is_followed_to_its_end_and_the_model_is_there() {
    let ollama = ScriptedOllama::start().await;
    ollama.slow(5, 0);
    let models = house(&ollama.url, None);
    until(&models, |models| !models.list().is_empty()).await;
    let begun = models.pull("ollama", "qwen3:8b").expect("it begins");
    assert_eq!((begun.id.as_str(), begun.state), ("ollama/qwen3:8b", PullState::Running));
    assert_eq!(models.pull("ollama", "qwen3:8b").expect("joined").id, begun.id, "one pull, however often asked");
    until(&models, |models| models.pulls().iter().all(|pull| pull.state == PullState::Done)).await;
    let done = models.pulls();
    assert_eq!((done.len(), done[0].status.as_str()), (1, "success"));
    assert_eq!((done[0].total, done[0].completed), (4_661_211_424 + 12_403, 4_661_211_424 + 12_403));
    assert_eq!(ollama.seen().iter().filter(|seen| seen.path == "/api/pull").count(), 1);
    until(&models, |models| models.find("ollama/qwen3:8b").is_some()).await;
    models.delete("ollama", "qwen3:8b").await.expect("it is removed");
    until(&models, |models| models.find("ollama/qwen3:8b").is_none()).await;
    assert!(models.cancel_pull(&begun.id), "what is over is forgotten");
    assert!(models.pulls().is_empty());
}

#[tokio::test]
async fn a_pull_that_is_stopped_leaves_ollama_and_one_that_fails_says_why() {
    let ollama = ScriptedOllama::start().await;
    ollama.slow(200, 0);
    let models = house(&ollama.url, None);
    let begun = models.pull("ollama", "qwen3:8b").expect("it begins");
    until(&models, |models| models.pulls()[0].status.starts_with("pulling")).await;
    assert!(models.cancel_pull(&begun.id));
    until(&models, |models| models.pulls()[0].state == PullState::Cancelled).await;
    until(&models, |_| ollama.left() == 1).await;
    ollama.slow(0, 0);
    models.pull("ollama", "no-such-model").expect("it begins");
    until(&models, |models| models.pulls()[1].state == PullState::Failed).await;
    let failure = models.pulls()[1].failure.clone().expect("why");
    assert!(failure.message.contains("file does not exist"), "{failure:?}");
    models.pull("ollama", "qwen3:8b").expect("again");
    until(&models, |models| models.pulls().iter().any(|pull| pull.state == PullState::Done)).await;
}

#[tokio::test]
async fn others_are_not_told_what_to_load() {
    let models = Models::new(options(), egress());
    models.configure(vec![provider("http://127.0.0.1:1")]);
    let error = models.pull("mock", "x").expect_err("no Ollama");
    assert!(error.to_string().contains("only an Ollama"), "{error}");
    assert!(models.installed("nobody").await.is_err());
}
