//! A worker as a process of its own, for tests and measurements: `worker MODEL.gguf [--listen A] [--key K] [--name N] [--context N]
//! [--threads N] [--deterministic BOOL] [--prefixes DIR] [--mmproj FILE] [--lora NAME=FILE:SCALE]… [--watch]`. `worker --scripted PIECE|PIECE… [--pace MS] …` says the pieces instead, `worker --recalls` what follows from all before it; `worker --embeds DIMENSIONS` makes vectors, or scores where that is 0. The real one is `portico engine`.

#![expect(clippy::expect_used, clippy::panic, reason = "a tool for tests; its arguments are ours")]

use std::{process::ExitCode, time::Duration};

use engine::{
    Loaded, Options,
    backend::scripted::{Script, Scripted},
    embedding::scripted::{Plan, Scripted as Embedder},
};

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let mut options = Options {
        model: "model.gguf".into(),
        model_name: None,
        listen: "127.0.0.1:0".parse().expect("an address"),
        front: None,
        key: None,
        context: None,
        threads: None,
        gpu_layers: engine::GpuLayers::Auto,
        step_target: None,
        guesses: true,
        draft: None,
        projector: None,
        adapters: Vec::new(),
        calibration: engine::confidence::Calibration::default(),
        prefixes: None,
        deterministic: None,
        cache: engine::Cache::default(),
        parent_watch: false,
    };
    let mut script: Option<Script> = None;
    let mut pace = Duration::ZERO;
    let mut load_time = Duration::ZERO;
    let mut template = None;
    let mut plan: Option<Plan> = None;
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_else(|| panic!("{word} wants a value"));
        match word.as_str() {
            "--listen" => options.listen = value().parse().expect("an address"),
            "--key" => options.key = Some(value()),
            "--name" => options.model_name = Some(value()),
            "--context" => options.context = Some(value().parse().expect("a number")),
            "--threads" => options.threads = Some(value().parse().expect("a number")),
            "--lora" => options.adapters.push(value().parse().expect("NAME=FILE:SCALE")),
            "--calibration" => options.calibration = value().parse().expect("FIGURE:SHARE,…"),
            "--prefixes" => options.prefixes = Some(value().into()),
            "--draft" => options.draft = Some(value().into()),
            "--mmproj" => options.projector = Some(value().into()),
            "--deterministic" => options.deterministic = Some(value().parse().expect("true or false")),
            "--watch" => options.parent_watch = true,
            "--scripted" => script = Some(Script::answering(&value().split('|').collect::<Vec<_>>())),
            "--recalls" => script = Some(Script { recalls: true, ..Script::default() }),
            "--embeds" => {
                plan = Some(Plan { dimensions: value().parse().expect("a number"), nested: true, ..Plan::default() });
            }
            "--pace" => pace = Duration::from_millis(value().parse().expect("milliseconds")),
            "--load-time" => load_time = Duration::from_millis(value().parse().expect("milliseconds")),
            "--template" => template = Some(value()),
            file => options.model = file.into(),
        }
    }
    let served = async {
        if let Some(plan) = plan {
            let plan = Plan { step: pace, ..plan };
            return engine::serve_with(options, move |_, _| {
                Ok(Loaded::Embedder(Box::new(Embedder::new(plan.clone()))))
            })
            .await;
        }
        let Some(mut script) = script else { return engine::serve(options).await };
        script.step = pace;
        script.facts.chat_template = template;
        script.facts.context = options.context.unwrap_or(0);
        let load = move |_: &Options, progress: &engine::Progress| {
            progress.report(0.5);
            std::thread::sleep(load_time);
            Ok(Loaded::Writer(Box::new(Scripted::new(script.clone()))))
        };
        engine::serve_with(options, load).await
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    match runtime.block_on(served) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
