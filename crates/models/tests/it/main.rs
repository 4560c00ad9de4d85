//! Models reached over real sockets: every case of the streaming list that this crate answers for, named by its number.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a failed expectation is how a test says so, in its helpers too; and what is skipped is printed"
)]

mod adapters;
mod address;
mod aliases;
mod anthropic;
mod azure;
mod balancing;
mod bytes;
mod capabilities;
mod cards;
mod discovery;
mod gemini;
mod library;
mod live;
mod ollama;
mod queueing;
mod routing;
mod several;
mod states;
mod truth;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use domain::testing::{ManualClock, somebody};
use domain::{Batch, Caller, ClientBody, Finish, ModelError, Prompt, Reply, Task, TurnEvent};
use egress::Egress;
use futures_util::StreamExt;
use models::testing::Scripted;
use models::{Errand, ModelConfig, Models, Options, ProviderConfig, Timeouts};
use serde_json::{Value, json};

/// Somebody.
const ME: Caller = somebody(1);

/// Short clocks, so that a test of one is quick.
fn options() -> Options {
    let timeouts = Timeouts {
        first_token: Duration::from_millis(800),
        idle: Duration::from_millis(400),
        total: None,
        plain: Duration::from_millis(1500),
    };
    Options { timeouts, retries: 2, probe_every: Duration::from_secs(3600), ..Options::default() }
}

fn provider(url: &str) -> ProviderConfig {
    ProviderConfig {
        slug: "mock".into(),
        name: "Mock".into(),
        kind: "openai".into(),
        base_url: url.into(),
        key: Some(models::Key::new("sk-test\n")),
        models: Some(vec![ModelConfig::named("m")]),
        enabled: true,
        timeouts: None,
        max_concurrent: None,
        warm_up: false,
    }
}

fn egress() -> Arc<Egress> {
    Arc::new(Egress::new(egress::Options::default(), Arc::new(ManualClock::at(0))).expect("a client"))
}

/// The house with one provider.
fn house(url: &str) -> Models {
    house_with(url, options())
}

fn house_with(url: &str, options: Options) -> Models {
    let models = Models::new(options, egress());
    models.configure(vec![provider(url)]);
    models
}

/// A client's streamed chat whose `user` tells the back end what to do.
fn chat(script: &str) -> Prompt {
    asked(
        json!({"model": "mock/m", "messages": [{"role": "user", "content": "hi"}], "user": format!("mock;{script}"), "stream": true}),
    )
}

fn plain(script: &str) -> Prompt {
    asked(json!({"model": "mock/m", "messages": [{"role": "user", "content": "hi"}], "user": format!("mock;{script}")}))
}

fn asked(body: Value) -> Prompt {
    let stream = body["stream"] == true;
    let wants_usage = body["stream_options"]["include_usage"] == true;
    let bytes = body.to_string().into_bytes().into();
    Prompt {
        model: "mock/m".into(),
        task: if body.get("prompt").is_some() { Task::Completion } else { Task::Chat },
        messages: Vec::new(),
        tools: Vec::new(),
        rounds: Vec::new(),
        sampling: domain::Sampling::default(),
        stream,
        body: Some(ClientBody::json(bytes, wants_usage)),
        on_behalf: None,
    }
}

async fn open(models: &Models, prompt: Prompt) -> Result<Reply, ModelError> {
    models.open(&ME, Errand::default(), prompt, &mut |_| ()).await
}

/// Waits until the list of models is as wanted.
async fn until(models: &Models, wanted: impl Fn(&Models) -> bool) {
    let mut changes = models.watch();
    let seen = async {
        while !wanted(models) {
            changes.changed().await.expect("the house stands");
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(5), seen).await.is_ok(), "{:?}", models.list());
}

/// A whole answer: its events, its bytes, and the error it ended with.
#[derive(Debug, Default)]
struct Heard {
    events: Vec<TurnEvent>,
    wire: String,
    error: Option<ModelError>,
}

impl Heard {
    fn text(&self) -> String {
        let texts = self.events.iter().filter_map(|event| match event {
            TurnEvent::Delta { text } => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    fn finish(&self) -> Option<Finish> {
        match self.events.last() {
            Some(TurnEvent::Finished { finish, .. }) => Some(*finish),
            _ => None,
        }
    }

    fn usage(&self) -> Option<(u32, u32)> {
        self.events.iter().find_map(|event| match event {
            TurnEvent::Used { usage } => Some((usage.prompt.0, usage.completion.0)),
            _ => None,
        })
    }

    /// The data of the forwarded frames.
    fn chunks(&self) -> Vec<Value> {
        let frames = openai::frames(self.wire.as_bytes());
        frames.filter_map(|frame| serde_json::from_slice(&frame.data?).ok()).collect()
    }
}

async fn hear(mut reply: Reply) -> Heard {
    let mut heard = Heard::default();
    let mut wire = Vec::new();
    while let Some(next) = reply.batches.next().await {
        match next {
            Ok(Batch { events, wire: bytes }) => {
                heard.events.extend(events);
                wire.extend(bytes.into_iter().flat_map(|wire| wire.bytes));
            }
            Err(error) => heard.error = Some(error),
        }
    }
    heard.wire = String::from_utf8(wire).expect("whole characters");
    heard
}

/// Opens and hears an answer that must open.
async fn answer(script: &str) -> Heard {
    let scripted = Scripted::start().await;
    let models = house(&scripted.url);
    let reply = open(&models, chat(script)).await.expect(script);
    hear(reply).await
}

/// Why an answer did not open.
async fn failure(script: &str) -> ModelError {
    let scripted = Scripted::start().await;
    let models = house_with(&scripted.url, Options { retries: 0, ..options() });
    open(&models, chat(script)).await.expect_err(script)
}
