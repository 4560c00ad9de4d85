//! Random schedules: requests that share beginnings, have different priorities, people and adapters, are cancelled, fall behind with reading
//! and have to make way. Each answers as it would alone. The scripted backend says what follows from all that its cells hold, so a cell that
//! is lost, stale, misplaced or another's is heard at once.

use std::{
    collections::HashMap,
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use engine::{
    backend::{
        Adapter, Backend, Facts, Rows, Token,
        scripted::{Script, Scripted},
    },
    sampler::Sampling,
    scheduler::{Event, Priority, Request, Scheduler, Usage, Work},
};
use proptest::prelude::*;
use tokio::sync::mpsc::{Receiver, error::TryRecvError};

const CONTEXT: u32 = 160;

/// Places of a picture, and after how many tokens of a prompt one is shown.
const PLACES: u32 = 9;
const SHOWN: usize = 20;

/// One of a few pictures; the places of some are computed all at once, where the machine can.
fn picture(nth: i32, can: bool) -> Rows {
    let first = Token::MIN + 1000 * nth;
    Rows { first, len: PLACES, numbers: Vec::new(), whole: can && nth > 0 }
}

/// What is asked; its answer depends on the prompt, the adapter and the length only.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    prompt: Vec<Token>,
    /// At first the place of an adapter, then its file: which one lies there when it is asked.
    adapter: Option<usize>,
    max_tokens: u32,
}

/// Files stand for adapters.
const FILES: [&str; 4] = ["Cargo.toml", "src/lib.rs", "src/error.rs", "src/text.rs"];

#[derive(Debug, Clone)]
enum Act {
    Ask {
        question: Question,
        person: u8,
        batch: bool,
        reads: bool,
    },
    Leave(usize),
    Pin {
        question: Question,
        len: usize,
    },
    Unpin,
    Compute(usize),
    /// Another adapter comes to a place; the one before ends with those who want it.
    Swap(usize, usize),
}

fn question() -> impl Strategy<Value = Question> {
    // Few beginnings and few ways to go on, so that much is in common.
    let prompt = (0..3_i32, 0..70_usize, 0..3_i32, 1..30_usize, proptest::option::weighted(0.4, 0..3_i32));
    (prompt, proptest::option::weighted(0.3, 0..2_usize), 1..50_u32).prop_map(
        |((family, shared, tail, own, shown), adapter, max_tokens)| {
            let begin = (0_i32..).map(|at| (at * 7 + family) % 256).take(shared);
            let mut prompt: Vec<Token> = begin.chain(std::iter::repeat_n(tail, own)).collect();
            let places = shown.into_iter().flat_map(|nth| picture(nth, false).tokens());
            prompt.splice(SHOWN.min(prompt.len() - 1)..SHOWN.min(prompt.len() - 1), places);
            Question { prompt, adapter, max_tokens }
        },
    )
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (question(), 0..3_u8, any::<bool>(), proptest::bool::weighted(0.9))
            .prop_map(|(question, person, batch, reads)| Act::Ask { question, person, batch, reads }),
        1 => (0..20_usize).prop_map(Act::Leave),
        1 => (0..2_usize, 0..FILES.len()).prop_map(|(place, file)| Act::Swap(place, file)),
        1 => (question(), 1..70_usize).prop_map(|(question, len)| Act::Pin { question, len }),
        1 => Just(Act::Unpin),
        4 => (1..40_usize).prop_map(Act::Compute),
    ]
}

/// The model, the step that fails, and the cells of a draft model.
fn machine() -> impl Strategy<Value = (Facts, Option<u64>, Option<u32>)> {
    let sizes = (CONTEXT..600, 1..7_u32, 0..8_u32, 4..40_u32, 0..12_u32, (0..200_u32, 0..9_u64));
    let fails_at = proptest::option::weighted(0.3, 1..200_u64);
    (sizes, fails_at, proptest::option::of(CONTEXT..400)).prop_map(
        |((cells, parallel, more, batch, guesses, (kept, parked)), fails_at, draft)| {
            let slots = parallel + more;
            let (tile, parked) = (guesses % 5, parked.saturating_sub(2) * 1000);
            let sizes = Facts { context: CONTEXT, cells, parallel, slots, batch, ..Facts::default() };
            let facts = Facts { guesses, tile, kept, parked, ..sizes };
            (facts, fails_at, draft)
        },
    )
}

fn engine(
    facts: Facts,
    fails_at: Option<u64>,
    draft: Option<u32>,
    folder: Option<&Path>,
) -> (Scheduler, Work, Vec<Arc<AtomicU32>>) {
    // It guesses what the model says without an adapter, and else mostly something else.
    let draft = draft.map(|cells| {
        let facts = Facts { cells, slots: 3, batch: 512, ..facts.clone() };
        Scripted::new(Script { recalls: true, facts, ..Script::default() })
    });
    let whole = (0..3).map(|nth| picture(nth, can_see_whole(&facts))).filter(|rows| rows.whole);
    let whole = whole.map(|rows| rows.tokens()).collect();
    let backend = Scripted::new(Script { recalls: true, facts, fails_at, whole, ..Script::default() });
    let broken = [&backend].into_iter().chain(&draft).map(Scripted::broken).collect();
    let draft = draft.map(|draft| Box::new(draft) as Box<dyn Backend>);
    let (scheduler, work) = Scheduler::with_draft(Box::new(backend), draft, Duration::from_millis(400), folder);
    (scheduler, work, broken)
}

/// Whether a picture fits into a step beside all who answer.
fn can_see_whole(facts: &Facts) -> bool {
    facts.batch == 0 || facts.batch >= PLACES + facts.parallel.max(facts.guesses)
}

fn attach(work: &mut Work, file: usize) -> u32 {
    work.attach(Path::new(FILES[file])).expect("attached").0
}

fn request(question: &Question, id: Option<u32>, can_see_whole: bool) -> Request {
    Request {
        prompt: question.prompt.clone(),
        pictures: (0..3).map(|nth| Arc::new(picture(nth, can_see_whole))).collect(),
        max_tokens: question.max_tokens,
        adapter: id.map(|id| Adapter::new(id, 1.0)),
        sampling: Sampling { temperature: 0.0, ..Sampling::default() },
        ..Request::default()
    }
}

/// An answer as far as it has been read.
struct Reader {
    question: Question,
    events: Option<Receiver<Event>>,
    reads: bool,
    text: String,
    end: Option<Event>,
}

/// How it ended: what a draft guessed is no part of the answer.
fn ending(end: &Event) -> Event {
    match end {
        Event::Finished(finish, usage) => Event::Finished(*finish, Usage { drafted: 0, accepted: 0, ..*usage }),
        end => end.clone(),
    }
}

impl Reader {
    fn read(&mut self) {
        let Some(events) = &mut self.events else { return };
        loop {
            match events.try_recv() {
                Ok(Event::Delta(delta)) => self.text.push_str(&delta.text),
                Ok(Event::Queued { .. }) => {}
                Ok(mut end) => {
                    // How much of it others had computed depends on them.
                    if let Event::Finished(_, usage) = &mut end {
                        usage.cached = 0;
                    }
                    assert_eq!(self.end.replace(end), None, "one end");
                }
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    assert!(self.end.is_some(), "an answer without an end");
                    self.events = None;
                    return;
                }
            }
        }
    }
}

fn alone(question: &Question) -> (String, Event) {
    let facts = Facts { context: CONTEXT, cells: CONTEXT, parallel: 1, slots: 1, ..Facts::default() };
    let (scheduler, mut work, _) = engine(facts, None, None, None);
    let id = question.adapter.map(|file| attach(&mut work, file));
    let events = scheduler.submit(request(question, id, true)).expect("taken");
    let mut reader =
        Reader { question: question.clone(), events: Some(events), reads: true, text: String::new(), end: None };
    while reader.events.is_some() {
        assert!(work.advance());
        reader.read();
    }
    (reader.text, reader.end.expect("an end"))
}

/// A pinning under way.
type Pinning<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

fn goes_on(pinning: &mut Pinning<'_>) -> bool {
    pinning.as_mut().poll(&mut Context::from_waker(Waker::noop())) == Poll::Pending
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn in_any_schedule_each_request_is_answered_as_if_alone((facts, fails_at, draft) in machine(), acts in proptest::collection::vec(act(), 1..40)) {
        let folder = tempfile::tempdir().expect("a folder");
        let sees_whole = can_see_whole(&facts);
        let (scheduler, mut work, broken) = engine(facts, fails_at, draft, Some(folder.path()));
        let mut readers: Vec<Reader> = Vec::new();
        let mut pinnings: Vec<Pinning<'_>> = Vec::new();
        let mut places = [0, 1].map(|file| (attach(&mut work, file), file));
        for act in acts {
            match act {
                Act::Ask { mut question, person, batch, reads } => {
                    let chosen = question.adapter.map(|place| places[place]);
                    question.adapter = chosen.map(|(_, file)| file);
                    let priority = if batch { Priority::Batch } else { Priority::Interactive };
                    let asked = Request { person: person.to_string(), priority, ..request(&question, chosen.map(|(id, _)| id), sees_whole) };
                    let events = scheduler.submit(asked).expect("taken");
                    readers.push(Reader { question, events: Some(events), reads, text: String::new(), end: None });
                }
                Act::Leave(index) if !readers.is_empty() => {
                    let index = index % readers.len();
                    readers.swap_remove(index);
                }
                Act::Leave(_) => {}
                Act::Pin { mut question, len } => {
                    // Only text is pinned.
                    question.prompt.truncate(question.prompt.iter().take(len).take_while(|token| **token >= 0).count());
                    let scheduler = &scheduler;
                    // Where there is no room, there is none.
                    pinnings.push(Box::pin(async move { drop(scheduler.pin(None, &question.prompt).await) }));
                }
                Act::Unpin => {
                    let scheduler = &scheduler;
                    pinnings.push(Box::pin(async move {
                        if let Some(first) = scheduler.prefixes().await.expect("it works").into_iter().next() {
                            scheduler.unpin(first.id).await.expect("it works");
                        }
                    }));
                }
                Act::Swap(place, file) => {
                    let before = std::mem::replace(&mut places[place], (attach(&mut work, file), file));
                    scheduler.detach(before.0, true).expect("attached");
                }
                Act::Compute(steps) => {
                    for _ in 0..steps {
                        pinnings.retain_mut(goes_on);
                        prop_assert!(work.advance());
                        readers.iter_mut().filter(|reader| reader.reads).for_each(Reader::read);
                    }
                }
            }
        }
        let mut steps = 0;
        while readers.iter().any(|reader| reader.events.is_some()) || !pinnings.is_empty() {
            pinnings.retain_mut(goes_on);
            prop_assert!(work.advance());
            readers.iter_mut().for_each(Reader::read);
            steps += 1;
            prop_assert!(steps < 50_000, "no end comes");
        }
        work.advance();
        let gone = places.map(|(id, _)| scheduler.detach(id, false));
        work.advance();
        for gone in gone {
            prop_assert_eq!(gone.expect("nobody wants it").try_recv(), Ok(()));
        }
        prop_assert_eq!((scheduler.load().active(), scheduler.load().queued()), (0, 0));
        let broken: Vec<_> = broken.iter().map(|broken| broken.load(Ordering::Relaxed)).collect();
        prop_assert_eq!(broken[0], 0, "promises of the port were broken");

        let mut known: HashMap<Question, (String, Event)> = HashMap::new();
        let mut failed = 0;
        for Reader { question, text, end, .. } in readers {
            let expected = known.entry(question.clone()).or_insert_with(|| alone(&question));
            if matches!(end, Some(Event::Failed(_))) {
                failed += 1;
                prop_assert!(expected.0.starts_with(&text));
                continue;
            }
            prop_assert_eq!((&text, end.as_ref().map(ending)), (&expected.0, Some(ending(&expected.1))), "{:?}", question);
        }
        prop_assert!(failed <= usize::from(fails_at.is_some()), "one step failed, and {} requests", failed);
    }
}
