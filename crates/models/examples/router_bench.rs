//! What the router's choice costs: from a model's name to a place at one of its deployments, nanoseconds a request.
//!
//! `cargo run --release -p models --example router_bench -- [requests]`

#![expect(clippy::print_stdout, reason = "a measuring tool speaks on its output")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::testing::{ManualClock, somebody};
use domain::{ClientBody, ModelState, Prompt, Sampling, Task};
use egress::Egress;
use models::testing::Scripted;
use models::{AliasConfig, Balance, Errand, ModelConfig, Models, Options, ProviderConfig, Target};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Goal of the house: at most this much for a choice.
const GOAL: Duration = Duration::from_micros(3);

fn main() -> Result<(), Failure> {
    let requests: u32 = std::env::args().nth(1).map_or(Ok(200_000), |n| n.parse())?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measure(requests))
}

async fn measure(requests: u32) -> Result<(), Failure> {
    let scripted = Scripted::start_with("models=m").await;
    println!("{:>14} {:>14} {:>12}", "deployments", "balance", "ns a choice");
    let mut slow = 0;
    for count in [1, 2, 8, 32] {
        let models = house(&scripted.url, count).await?;
        for balance in Balance::ALL {
            let took = choices(&models, balance.as_str(), requests).await?;
            println!("{count:>14} {:>14} {:>12}", balance.as_str(), took.as_nanos());
            slow += usize::from(took > GOAL);
        }
        models.shutdown().await;
    }
    println!("over {} ns: {slow}", GOAL.as_nanos());
    Ok(())
}

/// So many deployments, and an alias over all of them for each way to balance.
async fn house(url: &str, count: usize) -> Result<Models, Failure> {
    let egress = Egress::new(egress::Options::default(), Arc::new(ManualClock::at(0)))?;
    let models = Models::new(Options::default(), Arc::new(egress));
    let provider = |number: usize| ProviderConfig {
        slug: format!("p{number}"),
        name: format!("P{number}"),
        kind: "openai".into(),
        base_url: url.into(),
        key: None,
        models: Some(vec![ModelConfig::named("m")]),
        enabled: true,
        timeouts: None,
        max_concurrent: Some(64),
        warm_up: false,
    };
    let alias = |balance: Balance| AliasConfig {
        name: balance.as_str().into(),
        targets: (0..count).map(|number| Target::of(&format!("p{number}/m"))).collect(),
        balance,
        max_concurrent: Some(60_000),
        ..AliasConfig::default()
    };
    models.configure_all((0..count).map(provider).collect(), Balance::ALL.map(alias).to_vec());
    while models.deployments().iter().any(|one| one.state != ModelState::Ready) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(models)
}

async fn choices(models: &Models, alias: &str, requests: u32) -> Result<Duration, Failure> {
    let question = "Which of these is the shortest way? ".repeat(20);
    let body = format!(r#"{{"model":"{alias}","messages":[{{"role":"user","content":"{question}"}}]}}"#);
    let prompt = Prompt {
        model: alias.to_owned(),
        task: Task::Chat,
        messages: Vec::new(),
        tools: Vec::new(),
        rounds: Vec::new(),
        sampling: Sampling::default(),
        stream: false,
        body: Some(ClientBody::json(body.into(), false)),
        on_behalf: None,
    };
    let caller = somebody(1);
    let began = Instant::now();
    for _ in 0..requests {
        models.choose(&caller, Errand::default(), &prompt).await?;
    }
    Ok(began.elapsed() / requests)
}
