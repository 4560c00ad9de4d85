//! The scheduler over the scripted backend, which refuses gaps, overfull caches and oversized batches: so every run here checks those, too.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use engine::{
    backend::{
        Adapter, Facts, Input,
        scripted::{Script, Scripted, StepClock},
    },
    sampler::Sampling,
    scheduler::{Event, Finish, NotTaken, Priority, Request, STEP_TARGET, Scheduler, Usage, Work},
};
use tokio::sync::mpsc::{Receiver, error::TryRecvError};

struct Run {
    scheduler: Scheduler,
    log: Arc<Mutex<Vec<Vec<Input>>>>,
}

fn run(script: Script) -> Run {
    let backend = Scripted::new(script);
    let log = backend.log();
    let (scheduler, work) = Scheduler::new(Box::new(backend), STEP_TARGET);
    std::thread::spawn(move || work.run());
    Run { scheduler, log }
}

/// The same on the test's own thread, where a step takes 10 ms and 1 ms for each token by a clock that nothing else moves; it is to take 100.
struct Stepped {
    scheduler: Scheduler,
    work: Work,
    log: Arc<Mutex<Vec<Vec<Input>>>>,
}

fn stepped(script: Script) -> Stepped {
    let clock = Arc::<StepClock>::default();
    let (step, token) = (Duration::from_millis(10), Duration::from_millis(1));
    let backend = Scripted::new(Script { step, token, clock: Some(Arc::clone(&clock)), ..script });
    let log = backend.log();
    let (scheduler, work) = Scheduler::new(Box::new(backend), Duration::from_millis(100));
    Stepped { scheduler, work: work.timed_by(clock), log }
}

impl Stepped {
    fn first_delta(&mut self, events: &mut Receiver<Event>) {
        for _ in 0..1000 {
            if let Ok(Event::Delta(_)) = events.try_recv() {
                return;
            }
            assert!(self.work.advance());
        }
        panic!("nothing is answered");
    }

    /// What each is told until all have come to their end.
    fn events(&mut self, running: impl IntoIterator<Item = Receiver<Event>>) -> Vec<Vec<Event>> {
        let mut running: Vec<_> = running.into_iter().map(|events| (events, Vec::new())).collect();
        let is_end = |event: &Event| matches!(event, Event::Finished(..) | Event::Failed(_));
        for _ in 0..10_000 {
            for (events, told) in &mut running {
                told.extend(std::iter::from_fn(|| events.try_recv().ok()));
            }
            if running.iter().all(|(_, told)| told.last().is_some_and(is_end)) {
                return running.into_iter().map(|(_, told)| told).collect();
            }
            assert!(self.work.advance());
        }
        panic!("no end comes");
    }
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
        assert_eq!(end, Event::Finished(Finish::Stop, Usage { prompt: 5, completion: 41, ..Usage::default() }));
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
    let facts = Facts { batch: 512, context: 2000, ..Facts::default() };
    let mut run = stepped(Script { facts, ..counting(60) });
    let mut answering = run.scheduler.submit(ask(3, 60)).expect("taken");
    run.first_delta(&mut answering);
    let long = run.scheduler.submit(ask(900, 2)).expect("taken");
    run.events([long, answering]);
    let log = run.log.lock().expect("the log");
    let beside: Vec<_> = log.iter().filter(|batch| batch.len() > 3 && batch[0].wants_logits).collect();
    let sizes: Vec<_> = beside.iter().map(|batch| batch.len()).collect();
    assert!(sizes.len() >= 9, "the prompt came in pieces: {sizes:?}");
    assert!(sizes.iter().any(|&size| size > 60) && sizes.iter().all(|&size| size <= 90), "as the target: {sizes:?}");
    assert!(beside.iter().all(|batch| batch[0].slot != batch[1].slot), "each piece beside a token of the other");
}

#[test]
fn a_heavy_adapter_keeps_nobody_waiting() {
    let facts = Facts { batch: 512, context: 2000, ..Facts::default() };
    let mut run = stepped(Script { facts, ..counting(60) });
    let (id, _) = run.work.attach(Path::new("Cargo.toml")).expect("attached");
    let mut answering = run.scheduler.submit(ask(3, 60)).expect("taken");
    run.first_delta(&mut answering);
    let heavy = |person: i32| Request {
        prompt: vec![person; 900],
        adapter: Some(Adapter::new(id, 1.0)),
        person: person.to_string(),
        ..ask(0, 60)
    };
    let heavy: Vec<_> = (70..75).map(|person| run.scheduler.submit(heavy(person)).expect("taken")).collect();
    run.events([answering]);
    let log = run.log.lock().expect("the log").clone();
    let mine = log[0][0].slot;
    let last = log.iter().rposition(|batch| batch[0].slot == mine).expect("answered");
    let others: Vec<_> = log[..last].split(|batch| batch[0].slot == mine).filter(|others| !others.is_empty()).collect();
    assert!(others.len() >= 10, "they took turns: {}", others.len());
    for steps in others {
        let sizes: Vec<_> = steps.iter().map(Vec::len).collect();
        assert!(sizes.len() <= 4 && sizes.iter().all(|&size| size <= 110), "{sizes:?} between two tokens");
    }
    for told in run.events(heavy) {
        let text = |event| if let Event::Delta(delta) = event { Some(delta.text) } else { None };
        assert_eq!(told.into_iter().filter_map(text).collect::<String>(), counted(60));
    }
}

#[test]
fn a_beginning_in_common_is_computed_once_for_all_who_come_at_once_and_for_who_comes_later() {
    let run = run(Script { step: Duration::from_millis(1), ..counting(20) });
    let asks = || {
        (0..8_u8).map(|person| Request { prompt: [vec![65; 600], vec![i32::from(person); 5]].concat(), ..ask(0, 30) })
    };
    let running: Vec<_> = asks().map(|ask| run.scheduler.submit(ask).expect("taken")).collect();
    let mut cached = Vec::new();
    for events in running {
        let (text, Event::Finished(Finish::Stop, usage)) = whole(events) else { panic!("an answer is not whole") };
        assert_eq!((text, usage.prompt, usage.completion), (counted(20), 605, 21));
        cached.push(usage.cached);
    }
    let shared = cached.iter().filter(|cached| **cached == 600).count();
    assert_eq!(shared, 7, "what the first did not have to compute: {cached:?}");
    let computed = || run.log.lock().expect("the log").iter().map(Vec::len).sum::<usize>();
    let first = computed();
    assert!(first <= 600 + 8 * (5 + 21), "{first} tokens were computed");
    for ask in asks() {
        assert_eq!(whole(run.scheduler.submit(ask).expect("taken")).0, counted(20));
    }
    let again = computed() - first;
    assert!(again <= 8 * 25, "{again} tokens were computed again");
}

#[test]
fn what_is_kept_makes_way_the_least_useful_first() {
    let facts = Facts { cells: 700, context: 500, ..Facts::default() };
    let run = run(Script { facts, ..counting(3) });
    let told = |prompt: i32, len: usize| {
        let before = run.log.lock().expect("the log").iter().map(Vec::len).sum::<usize>();
        let ask = Request { prompt: vec![prompt; len], ..ask(0, 5) };
        assert_eq!(whole(run.scheduler.submit(ask).expect("taken")).0, counted(3));
        run.log.lock().expect("the log").iter().map(Vec::len).sum::<usize>() - before
    };
    assert!(told(1, 400) >= 400);
    assert!(told(1, 400) <= 5, "kept and used");
    assert!(told(2, 200) >= 200);
    assert!(told(3, 150) >= 150, "for which the one that nobody has used goes");
    assert!(told(1, 400) <= 5, "and not the long one that has been used");
    assert!(told(2, 200) >= 200);
}

#[test]
fn what_is_kept_waits_beside_the_cache_and_is_not_computed_again() {
    // Room for one of the long ones beside the cache, where a token takes twelve bytes, besides the one that was last in it.
    let facts = Facts { cells: 2000, context: 500, kept: 100, parked: 410 * 12, ..Facts::default() };
    let run = run(Script { facts, ..counting(3) });
    let cells = || run.log.lock().expect("the log").iter().map(Vec::len).sum::<usize>();
    let told = |prompt: i32, len: usize| {
        let before = cells();
        let ask = Request { prompt: vec![prompt; len], ..ask(0, 5) };
        assert_eq!(whole(run.scheduler.submit(ask).expect("taken")).0, counted(3));
        cells() - before
    };
    assert!(told(1, 400) >= 400);
    assert!(told(2, 401) >= 401);
    assert!(told(1, 400) <= 5, "brought back");
    assert!(told(2, 401) <= 5, "and again");
    assert!(told(3, 402) >= 402);
    assert!(told(1, 400) >= 400, "which was worth least when that of the third made two too many");
    assert!(told(3, 402) <= 5);
    assert!(told(2, 401) >= 401, "and then this one was");
}

#[test]
fn people_take_turns_however_much_one_of_them_asks() {
    let facts = Facts { parallel: 2, ..Facts::default() };
    let run = run(Script { step: Duration::from_millis(2), facts, ..counting(20) });
    let of = |person: &str| Request { person: person.into(), ..ask(5, 20) };
    let many: Vec<_> = (0..20).map(|_| run.scheduler.submit(of("ann")).expect("taken")).collect();
    let one = run.scheduler.submit(of("ben")).expect("taken");
    assert_eq!(whole(one).0, counted(20));
    assert!(run.scheduler.load().queued() >= 14, "{} of the others still wait", run.scheduler.load().queued());
    for events in many {
        assert_eq!(whole(events).0, counted(20));
    }
}

#[test]
fn a_batch_makes_way_for_who_waits_and_comes_to_its_end() {
    let facts = Facts { parallel: 2, ..Facts::default() };
    let run = run(Script { step: Duration::from_millis(1), facts, ..counting(400) });
    let long = || Request { priority: Priority::Batch, ..ask(5, 400) };
    let batches: Vec<_> = (0..4).map(|_| run.scheduler.submit(long()).expect("taken")).collect();
    while run.scheduler.load().active() < 2 {
        std::thread::sleep(Duration::from_millis(1));
    }
    for _ in 0..5 {
        assert_eq!(whole(run.scheduler.submit(ask(5, 10)).expect("taken")).0, counted(10));
    }
    let load = run.scheduler.load();
    assert!(load.queued() + load.active() >= 4, "no batch was at its end before");
    for events in batches {
        assert_eq!(whole(events).0, counted(400));
    }
}

#[test]
fn who_waits_is_told_its_place_and_for_how_long() {
    let facts = Facts { parallel: 1, ..Facts::default() };
    let mut run = stepped(Script { facts, ..counting(10) });
    let asked: Vec<_> =
        (0..4).map(|_| run.scheduler.submit(Request { tell_place: true, ..ask(5, 10) }).expect("taken")).collect();
    let place = |event| if let Event::Queued { position, wait } = event { Some((position, wait)) } else { None };
    let told: Vec<Vec<_>> =
        run.events(asked).into_iter().map(|told| told.into_iter().filter_map(place).collect()).collect();
    // Before anybody has left the queue nothing is known; then an answer takes 15 ms for its prompt and 11 for each token after it.
    let after = |answers: u32| Some(Duration::from_millis(15 + 9 * 11) * answers);
    let expected =
        [vec![], vec![(1, None)], vec![(2, None), (1, after(1))], vec![(3, None), (2, after(2)), (1, after(1))]];
    assert_eq!(told, expected);
}

#[test]
fn what_can_be_guessed_takes_fewer_steps_and_is_the_same() {
    let told = |guesses: u32| {
        let facts = Facts { guesses, ..Facts::default() };
        let run = run(Script { recalls: true, facts, ..Script::default() });
        let ask = Request { ignore_end: true, ..ask(7, 400) };
        let (text, end) = whole(run.scheduler.submit(ask).expect("taken"));
        assert_eq!(end, Event::Finished(Finish::Length, Usage { prompt: 7, completion: 400, ..Usage::default() }));
        let steps = run.log.lock().expect("the log").len();
        (text, steps)
    };
    let (alone, guessed) = (told(0), told(9));
    assert_eq!(alone.0, guessed.0);
    assert!(alone.1 == 400 && guessed.1 < 390, "{} and {} steps", alone.1, guessed.1);
}

#[test]
fn a_prompt_is_read_in_whole_tiles_beside_those_who_answer() {
    let facts = Facts { batch: 512, context: 2000, tile: 4, ..Facts::default() };
    let mut run = stepped(Script { recalls: true, facts, ..Script::default() });
    let answer = |prompt, tokens| Request { ignore_end: true, ..ask(prompt, tokens) };
    let mut three: Vec<_> = (1..4).map(|prompt| run.scheduler.submit(answer(prompt, 100)).expect("taken")).collect();
    three.iter_mut().for_each(|events| run.first_delta(events));
    let long = run.scheduler.submit(answer(900, 5)).expect("taken");
    run.events(three.into_iter().chain([long]));
    let log = run.log.lock().expect("the log");
    let (tiles, rest): (Vec<_>, Vec<_>) = log.iter().map(Vec::len).filter(|&len| len > 8).partition(|len| len % 4 == 0);
    assert!(tiles.len() >= 8 && rest.len() <= 1, "all but its end: {tiles:?}, {rest:?}");
}

#[test]
fn what_can_never_be_computed_is_refused_with_figures() {
    let facts = Facts { cells: 100, context: 200, ..Facts::default() };
    let run = run(Script { facts, ..counting(3) });
    let refused = |request| run.scheduler.submit(request).expect_err("refused").to_string();
    assert_eq!(refused(ask(90, 20)), "prompt (90 tokens) and answer (at most 20) need 110 of cache, which has 100");
    assert_eq!(refused(ask(0, 20)), "the prompt is empty");
    let adapter = Some(Adapter::new(1, 1.0));
    assert_eq!(refused(Request { adapter, ..ask(5, 5) }), "there is no adapter 1");
    assert!(matches!(run.scheduler.submit(ask(1, 100)), Err(NotTaken::TooLong { .. })));
    assert_eq!(whole(run.scheduler.submit(ask(90, 10)).expect("taken")).0, counted(3));
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
fn who_asks_after_the_end_is_refused_and_does_not_count_as_waiting() {
    let (scheduler, work) = Scheduler::new(Box::new(Scripted::new(counting(1))), STEP_TARGET);
    drop(work);
    assert_eq!(scheduler.submit(ask(1, 1)).expect_err("refused"), NotTaken::Gone);
    assert_eq!(scheduler.load().queued(), 0);
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
