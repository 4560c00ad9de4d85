//! The scheduler over the scripted backend, which refuses gaps, overfull caches and oversized batches: so every run here checks those, too.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use engine::{
    backend::{
        Facts, Input,
        scripted::{Script, Scripted},
    },
    sampler::Sampling,
    scheduler::{Event, Finish, Request, Scheduler, Usage},
};
use proptest::prelude::*;
use tokio::sync::mpsc::{Receiver, error::TryRecvError};

struct Run {
    scheduler: Scheduler,
    log: Arc<Mutex<Vec<Vec<Input>>>>,
}

fn run(script: Script) -> Run {
    let backend = Scripted::new(script);
    let log = backend.log();
    let (scheduler, work) = Scheduler::new(Box::new(backend));
    std::thread::spawn(move || work.run());
    Run { scheduler, log }
}

fn ask(prompt: usize, max_tokens: u32) -> Request {
    let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
    Request { prompt: vec![65; prompt], max_tokens, sampling, ..Request::default() }
}

fn whole(mut events: Receiver<Event>) -> (String, Event) {
    let mut text = String::new();
    loop {
        match events.blocking_recv().expect("an end") {
            Event::Delta(delta) => text.push_str(&delta.text),
            end => return (text, end),
        }
    }
}

fn counting(words: usize) -> Script {
    Script { answer: (0..words).map(|word| format!("{word} ").into_bytes()).collect(), ..Script::default() }
}

fn counted(words: usize) -> String {
    (0..words).map(|word| format!("{word} ")).collect()
}

#[test]
fn more_requests_than_slots_are_all_answered_and_share_batches() {
    let run = run(Script { step: Duration::from_millis(1), ..counting(40) });
    let running: Vec<_> = (0..20).map(|_| run.scheduler.submit(ask(5, 100)).expect("taken")).collect();
    for events in running {
        let (text, end) = whole(events);
        assert_eq!(text, counted(40));
        assert_eq!(end, Event::Finished(Finish::Stop, Usage { prompt: 5, completion: 41 }));
    }
    let log = run.log.lock().expect("the log");
    assert!(
        log.iter().any(|batch| batch.iter().filter(|input| input.wants_logits).count() == 8),
        "eight answer at once"
    );
    assert!(log.len() < 20 * 40 / 4, "{} steps", log.len());
}

#[test]
fn a_long_prompt_does_not_hold_up_those_who_are_answering() {
    let facts = Facts { batch: 256, context: 2000, ..Facts::default() };
    let run = run(Script { step: Duration::from_millis(2), facts, ..counting(60) });
    let mut answering = run.scheduler.submit(ask(3, 60)).expect("taken");
    answering.blocking_recv().expect("a first delta");
    let long = run.scheduler.submit(ask(900, 2)).expect("taken");
    whole(long);
    whole(answering);
    let log = run.log.lock().expect("the log");
    let beside: Vec<_> = log.iter().filter(|batch| batch.len() > 3 && batch.len() < 100).collect();
    assert!(beside.len() >= 10, "the prompt came in pieces: {:?}", log.iter().map(Vec::len).collect::<Vec<_>>());
    for batch in beside.iter().take(10) {
        assert!(batch[0].wants_logits && batch[0].slot != batch[1].slot, "each piece beside a token of the other");
    }
}

#[test]
fn who_does_not_fit_waits_and_then_gets_its_turn() {
    let facts = Facts { cells: 100, context: 100, ..Facts::default() };
    let run = run(Script { facts, ..counting(30) });
    let running: Vec<_> = (0..6).map(|_| run.scheduler.submit(ask(30, 30)).expect("taken")).collect();
    for events in running {
        assert_eq!(whole(events).0, counted(30));
    }
}

#[test]
fn a_slow_reader_pauses_itself_and_nobody_else() {
    let run = run(counting(500));
    let mut slow = run.scheduler.submit(ask(1, 500)).expect("taken");
    let quick = run.scheduler.submit(ask(1, 500)).expect("taken");
    assert_eq!(whole(quick).0, counted(500));
    let mut waiting = 0;
    let mut text = String::new();
    while let Ok(Event::Delta(delta)) = slow.try_recv() {
        text.push_str(&delta.text);
        waiting += 1;
    }
    assert!((32..=128).contains(&waiting), "{waiting} events were waiting");
    let (rest, end) = whole(slow);
    assert_eq!(text + &rest, counted(500));
    assert!(matches!(end, Event::Finished(Finish::Length, _)));
}

#[test]
fn a_failed_step_ends_its_sequences_and_the_next_request_is_served() {
    let run = run(Script { fails_at: Some(3), ..counting(10) });
    let (text, end) = whole(run.scheduler.submit(ask(1, 10)).expect("taken"));
    assert_eq!((text.as_str(), end), ("0 1 ", Event::Failed("the model failed to compute: the script says so".into())));
    assert_eq!(whole(run.scheduler.submit(ask(1, 10)).expect("taken")).0, counted(10));
}

#[test]
fn the_queue_has_an_end() {
    let run = run(Script { step: Duration::from_millis(50), ..counting(1000) });
    let mut taken = Vec::new();
    while let Ok(events) = run.scheduler.submit(ask(1, 1000)) {
        taken.push(events);
    }
    assert!((256..=264).contains(&taken.len()), "{} were taken", taken.len());
    drop(taken);
    while run.scheduler.load().queued() + run.scheduler.load().active() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn stopping_cuts_every_answer() {
    let run = run(Script { step: Duration::from_millis(5), ..counting(1000) });
    let mut events = run.scheduler.submit(ask(1, 1000)).expect("taken");
    events.blocking_recv().expect("a first delta");
    run.scheduler.stop();
    while events.blocking_recv().is_some_and(|event| matches!(event, Event::Delta(_))) {}
    assert_eq!(events.try_recv(), Err(TryRecvError::Disconnected), "no end is invented");
}

#[test]
fn characters_split_over_tokens_arrive_whole() {
    let answer = ["h", "\u{e9}", "\u{4f60}\u{597d}", "\u{1f600}!"].concat().into_bytes();
    let script = Script { answer: answer.iter().map(|&byte| vec![byte]).collect(), ..Script::default() };
    let run = run(script);
    let mut events = run.scheduler.submit(ask(1, 100)).expect("taken");
    let mut deltas = Vec::new();
    while let Some(Event::Delta(delta)) = events.blocking_recv() {
        deltas.push(delta.text);
    }
    assert_eq!(deltas, ["h", "\u{e9}", "\u{4f60}", "\u{597d}", "\u{1f600}", "!"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_mix_of_requests_is_answered_each_as_if_alone(
        asks in proptest::collection::vec((1_usize..80, 1_u32..40, any::<bool>()), 1..30),
        batch in 8_u32..64,
        cells in 120_u32..400,
    ) {
        let facts = Facts { batch, cells, context: 120, ..Facts::default() };
        let run = run(Script { facts, ..counting(25) });
        let mut running = Vec::new();
        for (prompt, max_tokens, leaves) in asks {
            let events = run.scheduler.submit(ask(prompt, max_tokens)).expect("taken");
            if !leaves {
                running.push((events, prompt, max_tokens));
            }
        }
        for (events, prompt, max_tokens) in running {
            let (text, end) = whole(events);
            let (words, finish) = if max_tokens <= 25 { (max_tokens, Finish::Length) } else { (25, Finish::Stop) };
            prop_assert_eq!(text, counted(words as usize));
            let completion = if finish == Finish::Stop { words + 1 } else { words };
            prop_assert_eq!(end, Event::Finished(finish, Usage { prompt: u32::try_from(prompt).expect("small"), completion }));
        }
        while run.scheduler.load().active() + run.scheduler.load().queued() > 0 {
            std::thread::yield_now();
        }
    }
}
