//! The promises of an adapter, tried on real engines with a real (very small) model: what a script cannot know, whether the
//! words on the wire are the ones that real servers speak. Not run by `make test`; `scripts/prove/live` starts the engines, names
//! them in `PORTICO_LIVE` (`engine=http://… llama-server=http://…`, each serving a model called `live`), and reads the lines.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::{Finish, ModelError, Prompt};
use futures_util::StreamExt;
use models::capability::{Answer, Capability, Evidence};
use models::{ModelConfig, Models, Options, ProviderConfig, Timeouts};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::{Heard, egress, hear, open};

type Promise = Result<String, String>;

#[tokio::test]
#[ignore = "needs engines; scripts/prove/live starts them"]
async fn live_engines_keep_the_promises() {
    let named = std::env::var("PORTICO_LIVE").expect("PORTICO_LIVE names the engines");
    let mut broken = 0;
    for engine in named.split_whitespace() {
        let (name, url) = engine.split_once('=').expect("NAME=URL");
        let told = promises(url).await;
        let held = told.iter().filter(|(_, told)| told.is_ok()).count();
        println!();
        for (promise, told) in &told {
            let (word, how) = match told {
                Ok(how) => ("held", how),
                Err(how) => ("BROKEN", how),
            };
            println!("{name:<14} {word:<7} {promise:<62} {how}");
        }
        println!("{name}: {held} of {}", told.len());
        broken += told.len() - held;
    }
    assert_eq!(broken, 0, "see the lines above");
}

async fn promises(url: &str) -> Vec<(&'static str, Promise)> {
    let relay = Relay::before(url).await;
    let models = house(&relay.url);
    vec![
        ("it lists its models", lists(&models, url).await),
        ("a stream and a whole answer say the same", same_both_ways(&models).await),
        ("usage is reported, the same both ways", usage(&models).await),
        ("the longest length is an ending of its own", length(&models).await),
        ("a stop string ends the answer and is not said", stops(&models).await),
        ("a seed makes chance repeatable", seeded(&models).await),
        ("unknown fields are no mistake", unknown_fields(&models).await),
        ("a Chinese question and its bytes pass", chinese(&models).await),
        ("text completion", completion(&models).await),
        ("JSON by a schema, or a refusal that says so", schema(&models).await),
        ("tools are taken, or refused in words", tools(&models).await),
        ("logprobs, or a refusal that says so", logprobs(&models).await),
        ("a picture is refused by a model without eyes", picture(&models).await),
        ("embeddings, or a refusal that says so", embeddings(&models).await),
        ("a prompt that is too long is told apart", too_long(&models).await),
        ("a request that makes no sense is told apart", senseless(&models).await),
        ("ten at once all answer, each its own words", ten(&models).await),
        ("dropping the answer ends it at the engine within 100 ms", leaving(&models, &relay).await),
        ("what it can do is found out by asking it", capabilities(&models).await),
    ]
}

fn house(url: &str) -> Models {
    let second = Duration::from_secs(1);
    let timeouts = Timeouts { first_token: 30 * second, idle: 30 * second, total: None, plain: 60 * second };
    let models = Models::new(
        Options { timeouts, retries: 0, probe_every: Duration::from_secs(3600), ..Options::default() },
        egress(),
    );
    models.configure(vec![ProviderConfig {
        slug: "mock".into(),
        name: "Live".into(),
        kind: "openai".into(),
        base_url: url.into(),
        key: None,
        models: Some(vec![ModelConfig::named("live")]),
        enabled: true,
        timeouts: None,
        max_concurrent: None,
        warm_up: false,
    }]);
    models
}

/// A greedy chat of 24 tokens, with `more` laid over it.
fn chat(text: &str, more: Value) -> Prompt {
    let mut body =
        json!({"model": "mock/m", "messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 24});
    let more = more.as_object().cloned().unwrap_or_default();
    body.as_object_mut().expect("an object").extend(more);
    Prompt { model: "mock/live".into(), ..crate::asked(body) }
}

async fn ask(models: &Models, prompt: Prompt) -> Result<Heard, String> {
    let heard = hear(open(models, prompt).await.map_err(|error| format!("it does not open: {error}"))?).await;
    match &heard.error {
        Some(error) => Err(format!("it breaks off: {error}")),
        None => Ok(heard),
    }
}

/// Refused for what it is, with the engine's words.
fn refused(error: &ModelError) -> Promise {
    match error {
        ModelError::Rejected { status: 400..=499, .. } => Ok(format!("refused: {error}")),
        // What an engine has not built (501) is no failure of it either.
        ModelError::Broken { status: Some(501), .. } => Ok(format!("refused: {error}")),
        other => Err(format!("{} instead of a refusal: {other}", other.code())),
    }
}

fn hold(holds: bool, said: impl FnOnce() -> String) -> Promise {
    if holds { Ok(said()) } else { Err(said()) }
}

async fn lists(models: &Models, url: &str) -> Promise {
    let probed = models.probe("openai", url, None).await.map_err(|error| error.to_string())?;
    let names: Vec<&str> = probed.models.iter().map(|model| model.name.as_str()).collect();
    hold(names.contains(&"live"), || names.join(", "))
}

async fn both(models: &Models, text: &str, more: Value) -> Result<(Heard, Heard), String> {
    let mut streamed = more.clone();
    streamed["stream"] = true.into();
    streamed["stream_options"] = json!({"include_usage": true});
    Ok((ask(models, chat(text, streamed)).await?, ask(models, chat(text, more)).await?))
}

/// The whole answer's text is in its body alone: a plain answer's events may hold it in one piece.
fn text(heard: &Heard) -> String {
    heard.text()
}

async fn same_both_ways(models: &Models) -> Promise {
    let (stream, whole) = both(models, "Once upon a time", json!({})).await?;
    let deltas = stream.events.iter().filter(|event| matches!(event, domain::TurnEvent::Delta { .. })).count();
    let same = text(&stream) == text(&whole) && !text(&stream).is_empty() && deltas > 4;
    hold(same, || format!("{deltas} pieces, {:?} and {:?}", text(&stream), text(&whole)))
}

async fn usage(models: &Models) -> Promise {
    let (stream, whole) = both(models, "Once upon a time", json!({})).await?;
    let told = (stream.usage(), whole.usage());
    hold(told.0 == told.1 && told.0.is_some_and(|(prompt, completion)| prompt > 0 && completion == 24), || {
        format!("{told:?}")
    })
}

async fn length(models: &Models) -> Promise {
    let (stream, whole) = both(models, "Once upon a time", json!({"max_tokens": 5})).await?;
    let told = (stream.finish(), whole.finish());
    hold(told == (Some(Finish::Length), Some(Finish::Length)), || format!("{told:?}"))
}

async fn stops(models: &Models) -> Promise {
    let first = ask(models, chat("Once upon a time", json!({}))).await?.text();
    let word = first.split_whitespace().nth(3).ok_or("too few words")?.to_owned();
    let (stream, whole) = both(models, "Once upon a time", json!({"stop": [word]})).await?;
    let ended = |heard: &Heard| heard.finish() == Some(Finish::Stop) && !heard.text().contains(&word);
    hold(ended(&stream) && ended(&whole) && text(&stream) == text(&whole), || {
        format!("before {word:?}: {:?}", text(&stream))
    })
}

async fn seeded(models: &Models) -> Promise {
    let hot = |seed: u32| chat("Once upon a time", json!({"temperature": 1.5, "seed": seed}));
    let told =
        [ask(models, hot(7)).await?.text(), ask(models, hot(7)).await?.text(), ask(models, hot(8)).await?.text()];
    hold(told[0] == told[1] && told[0] != told[2], || format!("{:?} {:?}", told[0], told[2]))
}

async fn unknown_fields(models: &Models) -> Promise {
    let more = json!({"user": "ada", "metadata": {"a": "b"}, "parallel_tool_calls": true, "store": false, "x_nobody_knows_this": 1});
    let told = ask(models, chat("Once upon a time", more)).await?.text();
    hold(!told.is_empty(), || format!("{told:?}"))
}

async fn chinese(models: &Models) -> Promise {
    let heard = ask(models, chat("你好，世界 🌍 写一个故事", json!({"stream": true}))).await?;
    hold(heard.finish().is_some(), || format!("{:?}", heard.text()))
}

async fn completion(models: &Models) -> Promise {
    let body = json!({"model": "mock/m", "prompt": "Once upon a time", "temperature": 0, "max_tokens": 12});
    let told = ask(models, Prompt { model: "mock/live".into(), ..crate::asked(body) }).await?;
    hold(told.text().trim_start().starts_with(", there"), || format!("{:?}", told.text()))
}

async fn schema(models: &Models) -> Promise {
    let shape = json!({"type": "object", "properties": {"answer": {"type": "integer", "minimum": 0, "maximum": 99}}, "required": ["answer"], "additionalProperties": false});
    let more = json!({"max_tokens": 64, "response_format": {"type": "json_schema", "json_schema": {"name": "reply", "strict": true, "schema": shape}}});
    match open(models, chat("How many?", more)).await {
        Err(error) => refused(&error),
        Ok(reply) => {
            let told = hear(reply).await.text();
            let value: Value = serde_json::from_str(&told).unwrap_or_default();
            hold(value["answer"].is_i64(), || told)
        }
    }
}

async fn tools(models: &Models) -> Promise {
    let tool = json!({"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}});
    let more = json!({"max_tokens": 16, "tools": [tool], "tool_choice": "required"});
    match open(models, chat("What is the weather in Paris?", more)).await {
        Err(error) => refused(&error),
        Ok(reply) => {
            let heard = hear(reply).await;
            let called = heard.events.iter().any(|event| matches!(event, domain::TurnEvent::ToolCalled { .. }));
            // A model of 260,000 weights calls nothing by itself; then its words must have come through whole.
            let told = if called { Finish::ToolCalls } else { Finish::Length };
            let how = if called { "called" } else { "taken; so small a model answers with words" };
            hold(heard.error.is_none() && heard.finish() == Some(told), || format!("{how}: {:?}", heard.finish()))
        }
    }
}

async fn logprobs(models: &Models) -> Promise {
    match open(models, chat("Once upon a time", json!({"logprobs": true, "top_logprobs": 2}))).await {
        Err(error) => refused(&error),
        Ok(reply) => {
            let body: Value = serde_json::from_str(&hear(reply).await.wire).unwrap_or_default();
            let first = &body["choices"][0]["logprobs"]["content"][0];
            let told =
                first["logprob"].as_f64().is_some_and(|logprob| logprob <= 0.0) && first["top_logprobs"][1].is_object();
            hold(told, || first.to_string())
        }
    }
}

async fn picture(models: &Models) -> Promise {
    let url = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    let parts = json!([{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]);
    match open(models, chat("", json!({"messages": [{"role": "user", "content": parts}]}))).await {
        // llama-server says 500 for what a model cannot see; any refusal will do but a made-up answer.
        Err(error @ ModelError::Broken { status: Some(500), .. }) => Ok(format!("refused: {error}")),
        Err(error) => refused(&error),
        Ok(reply) => Err(format!("it made an answer up: {:?}", hear(reply).await.text())),
    }
}

async fn embeddings(models: &Models) -> Promise {
    let body = json!({"model": "mock/m", "input": ["Once", "upon a time"]});
    let prompt = Prompt { model: "mock/live".into(), task: domain::Task::Embeddings, ..crate::asked(body) };
    match open(models, prompt).await {
        Err(error) => refused(&error),
        Ok(reply) => {
            let body: Value = serde_json::from_str(&hear(reply).await.wire).unwrap_or_default();
            let size = body["data"][1]["embedding"].as_array().map_or(0, Vec::len);
            hold(size > 0, || format!("{size} numbers"))
        }
    }
}

async fn too_long(models: &Models) -> Promise {
    match open(models, chat(&"word ".repeat(20_000), json!({}))).await {
        Err(error) if error.code() == "context_length_exceeded" => Ok(error.to_string()),
        Err(error @ ModelError::Rejected { .. }) => {
            let ModelError::Rejected { code, .. } = &error else { return Err(error.to_string()) };
            hold(code.as_deref() == Some("context_length_exceeded"), || format!("{code:?}: {error}"))
        }
        Err(error) => Err(format!("{}: {error}", error.code())),
        Ok(_) => Err("it opens".into()),
    }
}

async fn senseless(models: &Models) -> Promise {
    match open(models, chat("", json!({"messages": "no list"}))).await {
        Err(error) => refused(&error),
        Ok(_) => Err("it opens".into()),
    }
}

async fn ten(models: &Models) -> Promise {
    let alone = ask(models, chat("Once upon a time", json!({}))).await?.text();
    let all =
        futures_util::future::join_all((0..10).map(|_| ask(models, chat("Once upon a time", json!({"stream": true})))))
            .await;
    let told: Vec<String> = all.into_iter().map(|one| one.map(|heard| heard.text())).collect::<Result<_, _>>()?;
    // A batch sums in another order than a single sequence: the first words agree, a close race later may not.
    let begins = |text: &String| text.chars().take(12).eq(alone.chars().take(12));
    hold(told.iter().all(begins), || {
        format!("{} of 10 begin as the one alone", told.iter().filter(|text| begins(text)).count())
    })
}

async fn leaving(models: &Models, relay: &Relay) -> Promise {
    let mut worst = Duration::ZERO;
    for _ in 0..10 {
        let more = json!({"stream": true, "max_tokens": 4000, "stop": ["\u{0}"]});
        let mut reply = open(models, chat("Once upon a time", more)).await.map_err(|error| error.to_string())?;
        let first = reply.batches.next().await;
        if !matches!(first, Some(Ok(_))) {
            return Err(format!("no first words: {first:?}"));
        }
        drop(reply);
        let left = Instant::now();
        while relay.closed().is_none_or(|at| at < left) && left.elapsed() < Duration::from_secs(2) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        worst = worst.max(relay.closed().filter(|at| *at >= left).map_or(Duration::from_secs(2), |at| at - left));
    }
    hold(worst < Duration::from_millis(100), || format!("at most {worst:?}, ten times"))
}

/// The matrix, which the lines show whole. What every engine does is seen to be done; nothing but eyes is left open.
async fn capabilities(models: &Models) -> Promise {
    let matrix = models.test("mock/live").await.ok_or("there is no such model")?;
    let told = |row: &Evidence| format!("{:?} {:?}", row.capability, row.answer).to_lowercase();
    let basic = [Capability::Models, Capability::Chat, Capability::Stream, Capability::Usage];
    let found = |row: &&Evidence| match row.answer {
        Answer::Yes => true,
        Answer::No => !basic.contains(&row.capability),
        // What our adapter itself has no way to ask for says nothing of the engine.
        Answer::Unknown => row.capability == Capability::Vision || row.said.contains("is not asked for"),
    };
    let open: Vec<String> =
        matrix.iter().filter(|row| !found(row)).map(|row| format!("{}: {}", told(row), row.said)).collect();
    hold(open.is_empty(), || match open.is_empty() {
        true => matrix.iter().map(told).collect::<Vec<_>>().join(", "),
        false => open.join("; "),
    })
}

/// Stands between, so that it can be told when the connection to the engine was given up.
struct Relay {
    url: String,
    closed: Arc<Mutex<Option<Instant>>>,
    _running: JoinSet<()>,
}

impl Relay {
    async fn before(url: &str) -> Relay {
        let host = url.trim_start_matches("http://").split('/').next();
        let engine: SocketAddr = host.and_then(|host| host.parse().ok()).expect("http://ADDRESS:PORT");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let closed = Arc::new(Mutex::new(None));
        let mut running = JoinSet::new();
        running.spawn(accept(listener, engine, closed.clone()));
        Relay { url, closed, _running: running }
    }

    fn closed(&self) -> Option<Instant> {
        *self.closed.lock().expect("nobody panicked")
    }
}

async fn accept(listener: TcpListener, engine: SocketAddr, closed: Arc<Mutex<Option<Instant>>>) {
    let mut links = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let closed = closed.clone();
        links.spawn(async move {
            let Ok(engine) = TcpStream::connect(engine).await else { return };
            relay(client, engine).await;
            *closed.lock().expect("nobody panicked") = Some(Instant::now());
        });
    }
}

/// Until either side ends.
async fn relay(mut client: TcpStream, mut engine: TcpStream) {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_engine, mut to_engine) = engine.split();
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_engine) => {}
        _ = tokio::io::copy(&mut from_engine, &mut to_client) => {}
    }
}
