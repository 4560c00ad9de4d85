//! Workers of the house: started, warmed up, started again, stopped, and never left behind.

use std::time::{Duration, Instant};

use domain::{ModelError, ModelState, TurnEvent};
use futures_util::StreamExt;
use models::capability::{Answer, Capability};
use models::testing::{play_worker, scripted_worker};
use models::{AdapterConfig, Errand, KeepAlive, Models, WorkerConfig};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::{ME, chat, egress, hear, options};

/// Not a test: what [`scripted_worker`] starts.
#[tokio::test]
#[ignore = "the scripted worker's own process"]
async fn player() {
    play_worker().await;
}

fn worker(script: &str) -> WorkerConfig {
    scripted_worker("tiny", "workers::player", script)
}

fn house(script: &str) -> Models {
    let mut options = options();
    // The player starts a whole test binary.
    options.timeouts.first_token = Duration::from_secs(5);
    let models = Models::new(options, egress());
    models.run_workers(vec![worker(script)]);
    models
}

fn ask(script: &str) -> domain::Prompt {
    let mut prompt = chat(script);
    prompt.model = "local/tiny".into();
    prompt
}

async fn until(models: &Models, wanted: impl Fn(&ModelState) -> bool) -> ModelState {
    let mut changes = models.watch();
    let seen = async {
        loop {
            let state = models.state("local/tiny").expect("the model");
            if wanted(&state) {
                return state;
            }
            changes.changed().await.expect("the house stands");
        }
    };
    tokio::time::timeout(Duration::from_secs(10), seen).await.unwrap_or_else(|_| unreachable!("{:?}", models.list()))
}

async fn ready(models: &Models) {
    until(models, |state| *state == ModelState::Ready).await;
}

fn pid(models: &Models) -> Pid {
    let pid = models.workers()[0].pid.expect("a process");
    Pid::from_raw(pid.try_into().expect("a pid")).expect("a pid")
}

/// A process that has ended but was not waited for does not live.
fn lives(pid: Pid) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).unwrap_or_default();
    test_kill_process(pid).is_ok() && !stat.contains(") Z ")
}

async fn until_gone(pid: Pid) {
    for _ in 0..300 {
        if !lives(pid) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    unreachable!("process {} still runs", pid.as_raw_pid());
}

/// Not a test: a portal with a worker, to be killed.
#[tokio::test]
#[ignore = "a process of its own"]
async fn portal() {
    let models = house("");
    ready(&models).await;
    println!("\nworker {}", pid(&models).as_raw_pid());
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_worker_does_not_outlive_a_portal_that_is_killed() {
    let mut portal = tokio::process::Command::new(std::env::current_exe().expect("this binary"))
        .args(["workers::portal", "--exact", "--ignored", "--nocapture"])
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("a portal");
    let mut lines = BufReader::new(portal.stdout.take().expect("its output")).lines();
    let worker = loop {
        let line = lines.next_line().await.expect("output").expect("a worker");
        if let Some(pid) = line.strip_prefix("worker ") {
            break Pid::from_raw(pid.parse().expect("a pid")).expect("a pid");
        }
    };
    assert!(lives(worker));
    portal.kill().await.expect("it lived");
    until_gone(worker).await;
}

#[tokio::test]
async fn a_worker_is_loaded_warmed_up_and_ready() {
    let models = Models::new(options(), egress());
    let mut changes = models.watch();
    models.run_workers(vec![worker("load=300;chatter;models=tiny-1")]);
    let mut states: Vec<ModelState> = Vec::new();
    while states.last() != Some(&ModelState::Ready) {
        changes.changed().await.expect("the house stands");
        states.push(models.state("local/tiny").expect("the model"));
    }
    let percents: Vec<u8> = states
        .iter()
        .filter_map(|state| match state {
            ModelState::Loading { percent, .. } => *percent,
            _ => None,
        })
        .collect();
    assert!(percents.is_sorted() && percents.len() >= 2, "{states:?}");
    assert!(states.contains(&ModelState::Warming), "{states:?}");
    let view = models.find("local/tiny").expect("the model");
    assert_eq!((view.local, view.context, view.provider.as_str()), (true, Some(4096), "local"));
    let worker = &models.workers()[0];
    assert!(worker.load_ms >= Some(250) && worker.warm_ms.is_some(), "{worker:?}");
    assert_eq!((worker.model.id.as_str(), worker.file.as_deref()), ("local/tiny", None), "its arguments name no file");
    models.shutdown().await;
}

#[tokio::test]
async fn system_prompts_are_pinned_before_the_model_is_ready_and_let_go_when_they_are_no_longer_configured() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("pinned");
    let lines = || std::fs::read_to_string(&file).unwrap_or_default();
    std::fs::write(&file, "{\"id\": \"old\"}\n").expect("written");
    for prompts in [&["Be brief.", "Be a teacher."][..], &["Be a teacher."]] {
        let pinned = prompts.iter().map(|prompt| (*prompt).to_owned()).collect();
        let config = WorkerConfig { pinned, ..worker(&format!("prefixes={}", file.display())) };
        let models = Models::new(options(), egress());
        models.run_workers(vec![config]);
        ready(&models).await;
        let asked: Vec<serde_json::Value> = lines()
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["asked"]["messages"].clone())
            .collect();
        let expected: Vec<_> =
            prompts.iter().map(|prompt| serde_json::json!([{"role": "system", "content": prompt}])).collect();
        assert_eq!(asked, expected);
        models.shutdown().await;
    }
}

fn adapter(name: &str, path: &str, scale: f32) -> AdapterConfig {
    AdapterConfig { name: name.into(), path: path.into(), scale }
}

#[tokio::test]
async fn an_adapter_is_a_model_of_its_own_that_comes_and_goes_while_the_worker_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("acts");
    let script = format!("adapters={}", file.display());
    let models = Models::new(options(), egress());
    let config = |adapters| WorkerConfig { adapters, ..worker(&script) };
    models.run_workers(vec![config(vec![adapter("poet", "Cargo.toml", 1.0), adapter("lost", "no/such", 1.0)])]);
    ready(&models).await;
    let of = |name: &str| models.find(&format!("local/tiny:{name}")).map(|model| model.state);
    assert_eq!(of("poet"), Some(ModelState::Ready));
    let told = "the adapter lost cannot be read".to_owned();
    assert_eq!(of("lost"), Some(ModelState::Failed { code: "adapter_refused".into(), message: told }));
    answered(&models, "local/tiny:poet").await;

    let first = pid(&models);
    assert!(models.adapt_worker("tiny", vec![adapter("poet", "Cargo.toml", 0.5), adapter("clerk", "src", 2.0)]));
    until_of(&models, "local/tiny:clerk", |state| *state == ModelState::Ready).await;
    until_of(&models, "local/tiny:poet", |state| *state == ModelState::Ready).await;
    assert_eq!(of("lost"), None);
    models.run_workers(vec![config(vec![adapter("clerk", "src", 2.0), adapter("last", "src", 1.0)])]);
    until_of(&models, "local/tiny:last", |state| *state == ModelState::Ready).await;
    let acts = std::fs::read_to_string(&file).expect("told");
    assert_eq!(acts, "load poet 1.0\nload poet 0.5\nload clerk 2.0\nunload poet\nload last 1.0\n");
    assert_eq!((of("poet"), of("clerk"), pid(&models)), (None, Some(ModelState::Ready), first));
    assert!(!models.adapt_worker("other", Vec::new()));
    models.shutdown().await;
}

#[tokio::test]
async fn an_adapter_rests_and_wakes_with_its_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = format!("load=100;adapters={}", folder.path().join("acts").display());
    let keep_alive = KeepAlive::For(Duration::from_millis(200));
    let adapters = vec![adapter("poet", "Cargo.toml", 1.0)];
    let models = small_machine(vec![WorkerConfig { keep_alive, adapters, ..worker(&script) }]);
    until_of(&models, "local/tiny:poet", |state| *state == ModelState::Ready).await;
    until_of(&models, "local/tiny:poet", |state| *state == ModelState::Cold).await;
    let events = answered(&models, "local/tiny:poet").await;
    assert!(events.iter().any(|event| matches!(event, TurnEvent::Warming { .. })), "{events:?}");
    models.shutdown().await;
}

#[tokio::test]
async fn a_worker_is_told_people_apart_and_what_nobody_watches_and_no_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("people");
    let models = house(&format!("people={}", file.display()));
    ready(&models).await;
    let other = crate::somebody(2);
    let batch = Errand { priority: domain::Priority::Batch, ..Errand::default() };
    for (caller, errand) in [(&ME, Errand::default()), (&other, Errand::default()), (&ME, batch)] {
        hear(models.open(caller, errand, ask(""), &mut |_| ()).await.expect("an answer")).await;
    }
    let told = std::fs::read_to_string(&file).expect("lines");
    let lines: Vec<(&str, &str)> = told.lines().filter_map(|line| line.split_once(' ')).collect();
    let [warm_up, mine, others, batch] = lines[..] else { unreachable!("{told}") };
    assert_eq!(warm_up, ("-", "-"));
    assert!(mine.1 == "-" && mine.0.len() == 16 && mine.0 != others.0, "{told}");
    assert_eq!(batch, (mine.0, "batch"));
    assert!(!told.contains(&ME.person.0.simple().to_string()[..16]), "{told}");
    models.shutdown().await;
}

#[tokio::test]
async fn a_place_in_the_workers_own_queue_is_told_before_the_answer() {
    let models = house("");
    ready(&models).await;
    let mut told = Vec::new();
    let mut notice = |event| match event {
        TurnEvent::Queued { position, eta_ms } => told.push((position, eta_ms)),
        other => unreachable!("{other:?}"),
    };
    let reply = models.open(&ME, Errand::default(), ask("queued=3"), &mut notice).await.expect("an answer");
    let heard = hear(reply).await;
    assert_eq!(told, [(3, Some(300)), (2, Some(200)), (1, Some(100))]);
    assert_eq!((heard.text().as_str(), heard.wire.contains("queued")), ("t0 t1 t2 t3 ", false));
    models.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_can_pin_nothing_is_ready_all_the_same() {
    let models = Models::new(options(), egress());
    models.run_workers(vec![WorkerConfig { pinned: vec!["Be brief.".into()], ..worker("") }]);
    ready(&models).await;
    models.shutdown().await;
}

#[tokio::test]
async fn who_makes_vectors_or_ranks_is_warmed_up_by_that_and_is_not_for_chat() {
    for (can, task) in [("embedding", Capability::Embeddings), ("rerank", Capability::Rerank)] {
        // It refuses to talk: a warm-up in words would fail.
        let models = house(&format!("can={can};models=tiny-1"));
        ready(&models).await;
        let view = models.find("local/tiny").expect("the model");
        assert!(!view.answers, "{can}");
        let evidence = models.test("local/tiny").await.expect("the model");
        let answer = |capability| evidence.iter().find(|row| row.capability == capability).map(|row| row.answer);
        assert_eq!((answer(Capability::Chat), answer(task)), (Some(Answer::No), Some(Answer::Yes)), "{evidence:?}");
        models.shutdown().await;
    }
}

#[tokio::test]
async fn a_question_waits_while_the_model_loads() {
    let models = house("load=200");
    let mut notices = Vec::new();
    let reply =
        models.open(&ME, Errand::default(), ask(""), &mut |event| notices.push(event)).await.expect("an answer");
    assert_eq!(hear(reply).await.text(), "t0 t1 t2 t3 ");
    assert!(
        notices.iter().any(|event| matches!(event, TurnEvent::Warming { state: ModelState::Loading { .. } })),
        "{notices:?}"
    );
    models.shutdown().await;
}

#[tokio::test]
async fn kill_9_in_mid_answer_is_an_error_at_once_and_the_worker_is_back() {
    let models = house("");
    ready(&models).await;
    let mut reply = models.open(&ME, Errand::default(), ask("n=10000;itl=5"), &mut |_| ()).await.expect("an answer");
    reply.batches.next().await.expect("a batch").expect("content");
    let killed = Instant::now();
    kill_process(pid(&models), Signal::KILL).expect("it lives");
    let error = loop {
        match reply.batches.next().await.expect("an ending that is told") {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ModelError::Cut { .. }), "{error:?}");
    assert!(killed.elapsed() < Duration::from_millis(100), "{:?}", killed.elapsed());
    until(&models, |state| *state != ModelState::Ready).await;
    let reply = models.open(&ME, Errand::default(), ask(""), &mut |_| ()).await.expect("the question waited");
    assert_eq!(hear(reply).await.text(), "t0 t1 t2 t3 ");
    println!("ready again {} ms after kill -9", killed.elapsed().as_millis());
    assert_eq!(models.workers()[0].restarts, 1);
    models.shutdown().await;
}

#[tokio::test]
async fn a_question_that_meets_a_dying_worker_is_answered_by_the_next() {
    let models = house("");
    ready(&models).await;
    let dying = pid(&models);
    let mut ignore = |_| ();
    let opening = models.open(&ME, Errand::default(), ask("ttft=50"), &mut ignore);
    let kill = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        kill_process(dying, Signal::KILL).expect("it lives");
    };
    let (reply, ()) = futures_util::future::join(opening, kill).await;
    assert_eq!(hear(reply.expect("an answer")).await.text(), "t0 t1 t2 t3 ");
    models.shutdown().await;
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_is_told_and_not_tried_again() {
    let models = house("fail=broken.gguf is not a GGUF file: it begins with \"PK\"");
    let state = until(&models, |state| matches!(state, ModelState::Failed { .. })).await;
    let message = "broken.gguf is not a GGUF file: it begins with \"PK\"".to_owned();
    assert_eq!(state, ModelState::Failed { code: "model_failed".into(), message: message.clone() });
    let error = models.open(&ME, Errand::default(), ask(""), &mut |_| ()).await.expect_err("it failed");
    assert_eq!(error.to_string(), format!("tiny could not be loaded: {message}"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!((models.workers()[0].restarts, models.workers()[0].pid), (0, None));
    models.shutdown().await;
}

#[tokio::test]
async fn a_worker_that_keeps_crashing_is_tried_ever_later_and_told() {
    let models = house("exit=7");
    let state = until(&models, |state| matches!(state, ModelState::Failed { .. })).await;
    let ModelState::Failed { message, .. } = state else { unreachable!() };
    assert_eq!(message, "its worker has crashed 3 times in a row (exit code 7); it is tried again");
    let restarts = models.workers()[0].restarts;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(models.workers()[0].restarts <= restarts + 1, "the pauses double");
    models.shutdown().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_is_a_sentence() {
    let models = Models::new(options(), egress());
    models.run_workers(vec![WorkerConfig { program: "/nowhere/portico".into(), ..worker("") }]);
    let state = until(&models, |state| matches!(state, ModelState::Failed { .. })).await;
    let ModelState::Failed { message, .. } = state else { unreachable!() };
    assert!(message.starts_with("/nowhere/portico could not be started: No such file"), "{message}");
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let models = house("");
    ready(&models).await;
    let process = pid(&models);
    let started = Instant::now();
    models.shutdown().await;
    assert!(!lives(process));
    assert!(started.elapsed() < Duration::from_secs(1), "an obedient worker goes at once: {:?}", started.elapsed());

    let models = house("");
    ready(&models).await;
    let process = pid(&models);
    models.run_workers(Vec::new());
    until_gone(process).await;
}

#[tokio::test]
async fn a_deaf_worker_is_made_to_go() {
    let models = house("deaf");
    ready(&models).await;
    let process = pid(&models);
    let started = Instant::now();
    models.shutdown().await;
    let took = started.elapsed();
    assert!(!lives(process));
    assert!((4..7).contains(&took.as_secs()), "two seconds, a signal, three seconds, a kill: {took:?}");
}

#[tokio::test]
async fn one_more_is_started_and_stopped_while_the_others_run() {
    let models = house("");
    ready(&models).await;
    let first = pid(&models);
    let second =
        WorkerConfig { display_name: Some("Second".into()), ..scripted_worker("second", "workers::player", "") };
    assert!(models.start_worker(second.clone()));
    assert!(!models.start_worker(second), "there is one of this name");
    let names: Vec<String> = models.list().into_iter().map(|model| model.name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(models.stop_worker("second") && !models.stop_worker("second"));
    assert!(models.state("local/second").is_none());
    assert_eq!((models.workers().len(), pid(&models)), (1, first), "the other one was left alone");
    models.shutdown().await;
}

const GB: u64 = 1_000_000_000;

/// A machine with 10 GB on which each of this process's children takes 6.
fn free_memory() -> Option<u64> {
    let own = format!(" {} ", std::process::id());
    let stats = std::fs::read_dir("/proc").ok()?.flatten().map(|process| process.path().join("stat"));
    let after_name = |stat: String| stat.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
    let stats = stats.filter_map(|stat| after_name(std::fs::read_to_string(stat).ok()?));
    let children = stats.filter(|stat| stat.get(1..).is_some_and(|rest| rest.starts_with(&own))).count() as u64;
    Some((10 * GB).saturating_sub(children * 6 * GB))
}

fn large(name: &str, script: &str) -> WorkerConfig {
    WorkerConfig { needs: Some(6 * GB), ..scripted_worker(name, "workers::player", script) }
}

fn small_machine(workers: Vec<WorkerConfig>) -> Models {
    let mut options = models::Options { free_memory, ..options() };
    options.timeouts.first_token = Duration::from_secs(5);
    let models = Models::new(options, egress());
    models.run_workers(workers);
    models
}

async fn until_of(models: &Models, id: &str, wanted: impl Fn(&ModelState) -> bool) -> ModelState {
    let mut changes = models.watch();
    let seen = async {
        loop {
            let state = models.state(id).expect("the model");
            if wanted(&state) {
                return state;
            }
            changes.changed().await.expect("the house stands");
        }
    };
    tokio::time::timeout(Duration::from_secs(10), seen).await.unwrap_or_else(|_| unreachable!("{:?}", models.list()))
}

fn processes(models: &Models) -> Vec<(String, bool)> {
    models.workers().into_iter().map(|worker| (worker.id, worker.pid.is_some())).collect()
}

async fn answered(models: &Models, model: &str) -> Vec<TurnEvent> {
    let mut notices = Vec::new();
    let prompt = domain::Prompt { model: model.into(), ..chat("") };
    let reply = models.open(&ME, Errand::default(), prompt, &mut |event| notices.push(event)).await.expect("an answer");
    assert_eq!(hear(reply).await.text(), "t0 t1 t2 t3 ");
    notices
}

#[tokio::test]
async fn a_model_that_nobody_asks_leaves_memory_and_comes_back_for_a_question_which_sees_it_loading() {
    let keep_alive = KeepAlive::For(Duration::from_millis(300));
    let models = Models::new(options(), egress());
    models.run_workers(vec![WorkerConfig { keep_alive, ..worker("load=100") }]);
    ready(&models).await;
    let process = pid(&models);
    until(&models, |state| *state == ModelState::Cold).await;
    until_gone(process).await;
    assert_eq!(models.workers()[0].restarts, 0, "it has not crashed");
    let notices = answered(&models, "local/tiny").await;
    assert!(
        notices.iter().any(|event| matches!(event, TurnEvent::Warming { state: ModelState::Loading { .. } })),
        "{notices:?}"
    );
    models.shutdown().await;
}

#[tokio::test]
async fn a_model_that_is_answering_stays_however_short_it_is_kept() {
    let keep_alive = KeepAlive::For(Duration::from_millis(100));
    let models = Models::new(options(), egress());
    models.run_workers(vec![WorkerConfig { keep_alive, ..worker("") }]);
    let reply = models.open(&ME, Errand::default(), ask("n=50;itl=10"), &mut |_| ()).await.expect("an answer");
    let heard = hear(reply).await;
    assert!(heard.error.is_none() && heard.text().ends_with("t49 "), "{heard:?}");
    models.shutdown().await;
}

#[tokio::test]
async fn the_model_not_asked_for_longest_makes_way_for_one_that_is_asked_and_does_not_fit_beside_it() {
    let models = small_machine(vec![large("one", ""), large("two", "")]);
    until_of(&models, "local/one", |state| *state == ModelState::Ready).await;
    until_of(&models, "local/two", |state| *state == ModelState::Cold).await;
    let here = |one, two| vec![("local/one".to_owned(), one), ("local/two".to_owned(), two)];
    assert_eq!(processes(&models), here(true, false), "nobody has asked for the second");
    answered(&models, "local/two").await;
    assert_eq!(processes(&models), here(false, true));
    answered(&models, "local/one").await;
    assert_eq!(processes(&models), here(true, false));
    models.shutdown().await;
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_figure_and_nobody_makes_way_in_vain() {
    let always = WorkerConfig { keep_alive: KeepAlive::Always, ..large("one", "") };
    let models = small_machine(vec![always, large("two", "")]);
    until_of(&models, "local/one", |state| *state == ModelState::Ready).await;
    until_of(&models, "local/two", |state| *state == ModelState::Cold).await;
    let prompt = || domain::Prompt { model: "local/two".into(), ..chat("") };
    let error = models.open(&ME, Errand::default(), prompt(), &mut |_| ()).await.expect_err("no room");
    let message = error.to_string();
    assert!(message.starts_with("two could not be loaded: it needs 6.00 GB of memory, and "), "{message}");
    assert_eq!(processes(&models)[0], ("local/one".to_owned(), true));
    models.shutdown().await;

    let models = small_machine(vec![WorkerConfig { needs: Some(20 * GB), ..large("huge", "") }]);
    let state = until_of(&models, "local/huge", |state| matches!(state, ModelState::Failed { .. })).await;
    let ModelState::Failed { message, .. } = state else { unreachable!() };
    assert!(message.starts_with("it needs 20.00 GB of memory, and "), "{message}");
    models.shutdown().await;
}
