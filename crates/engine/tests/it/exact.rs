//! The same bytes whatever happens around: random schedules over llama.cpp itself. Compared is more than the text: the log probability of each
//! token and of those beside it, to the last bit, so that a sum in another order is seen long before it turns a word.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    env,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use engine::{
    Loaded, Options, Progress,
    backend::{Adapter, Backend, Facts, Failed, Input, Lora, Slot, Token, Vocabulary},
    sampler::Sampling,
    scheduler::{Event, Priority, Request, Scheduler, Scored, Usage, Work},
};
use proptest::prelude::*;
use tokio::sync::mpsc::Receiver;

use crate::llama::models;

/// Tokens of a sequence, at most.
const CONTEXT: u32 = 160;

/// The test model; tokens that come together are computed together unless it is `deterministic`.
pub(crate) fn loaded(model: &Path, context: Option<u32>, deterministic: Option<bool>) -> Box<dyn Backend> {
    let options = Options {
        model: model.to_owned(),
        model_name: None,
        listen: "127.0.0.1:0".parse().expect("an address"),
        front: None,
        key: None,
        context,
        threads: Some(1),
        gpu_layers: engine::GpuLayers::Auto,
        step_target: None,
        guesses: true,
        adapters: Vec::new(),
        calibration: engine::confidence::Calibration::default(),
        prefixes: None,
        draft: None,
        projector: None,
        deterministic,
        cache: engine::Cache::default(),
        parent_watch: false,
    };
    match engine::load(&options, &Progress::default()).expect("loaded") {
        Loaded::Writer(backend) => backend,
        Loaded::Embedder(_) => panic!("it writes"),
    }
}

/// A loaded model that several engines use one after the other, each as if it had the size of `facts`.
pub(crate) struct Resized {
    model: Arc<Mutex<Box<dyn Backend>>>,
    facts: Facts,
}

impl Resized {
    pub(crate) fn engine(model: &Arc<Mutex<Box<dyn Backend>>>, size: Facts) -> (Scheduler, Work) {
        let mut backend = model.lock().unwrap_or_else(PoisonError::into_inner);
        let own = backend.facts().clone();
        // What an earlier case left.
        (0..own.slots).for_each(|slot| backend.truncate(Slot(slot), 0));
        drop(backend);
        let facts = Facts { shares: own.shares, ..size };
        let resized = Resized { model: Arc::clone(model), facts };
        Scheduler::new(Box::new(resized), Duration::from_millis(400))
    }

    fn model(&self) -> std::sync::MutexGuard<'_, Box<dyn Backend>> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backend for Resized {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn vocabulary(&self) -> Arc<dyn Vocabulary> {
        self.model().vocabulary()
    }

    fn decode(
        &mut self,
        batch: &[Input],
        adapter: Option<Adapter>,
        row: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Failed> {
        self.model().decode(batch, adapter, row)
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) {
        self.model().share(from, to, len);
    }

    fn truncate(&mut self, slot: Slot, len: u32) {
        self.model().truncate(slot, len);
    }

    fn attach(&mut self, id: u32, file: &Path) -> Result<Lora, String> {
        self.model().attach(id, file)
    }

    fn detach(&mut self, id: u32) {
        self.model().detach(id);
    }

    fn identity(&self, adapter: Option<u32>) -> Option<String> {
        self.model().identity(adapter)
    }

    fn save(&mut self, slot: Slot) -> Option<Vec<u8>> {
        self.model().save(slot)
    }

    fn restore(&mut self, slot: Slot, len: u32, state: &[u8]) -> bool {
        self.model().restore(slot, len, state)
    }
}

/// What is asked; its answer follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Question {
    prompt: Vec<Token>,
    max_tokens: u32,
}

impl Question {
    /// Scores are asked for, so that they can be compared.
    fn request(&self) -> Request {
        Request {
            prompt: self.prompt.clone(),
            max_tokens: self.max_tokens,
            sampling: Sampling { temperature: 0.0, ..Sampling::default() },
            likelihoods: Some(4),
            ignore_end: true,
            ..Request::default()
        }
    }
}

#[derive(Debug, Clone)]
enum Act {
    Ask { question: Question, person: u8, batch: bool, reads: bool },
    Leave(usize),
    Compute(usize),
}

fn question() -> impl Strategy<Value = Question> {
    // Few beginnings and few ways to go on, so that much is in common.
    let prompt = (0..3_i32, 0..70_usize, 0..3_i32, 1..30_usize);
    (prompt, 1..60_u32).prop_map(|((family, shared, tail, own), max_tokens)| {
        let begin = (0_i32..).map(|at| (at * 7 + family) % 256).take(shared);
        Question { prompt: begin.chain(std::iter::repeat_n(tail, own)).collect(), max_tokens }
    })
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (question(), 0..3_u8, any::<bool>(), proptest::bool::weighted(0.9))
            .prop_map(|(question, person, batch, reads)| Act::Ask { question, person, batch, reads }),
        1 => (0..20_usize).prop_map(Act::Leave),
        4 => (1..40_usize).prop_map(Act::Compute),
    ]
}

/// A machine that is too small for much at once.
fn machine() -> impl Strategy<Value = Facts> {
    let sizes = (CONTEXT..600, 1..7_u32, 0..8_u32, 4..40_u32, 0..12_u32);
    sizes.prop_map(|(cells, parallel, more, batch, guesses)| {
        let slots = parallel + more;
        Facts { context: CONTEXT, cells, parallel, slots, batch, guesses, ..Facts::default() }
    })
}

/// An answer, bit for bit.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    text: String,
    scores: Vec<Scored>,
    end: Option<Event>,
}

struct Reader {
    question: Question,
    events: Receiver<Event>,
    reads: bool,
    answer: Answer,
}

impl Reader {
    fn of(question: Question, events: Receiver<Event>, reads: bool) -> Self {
        Reader { question, events, reads, answer: Answer::default() }
    }

    fn read(&mut self) {
        while let Ok(event) = self.events.try_recv() {
            match event {
                Event::Delta(mut delta) => {
                    self.answer.text.push_str(&delta.text);
                    self.answer.scores.append(&mut delta.tokens);
                }
                Event::Queued { .. } => {}
                Event::Finished(finish, usage) => {
                    // What it cost depends on what was there already; what was said may not.
                    let end = Event::Finished(finish, Usage { cached: 0, drafted: 0, accepted: 0, ..usage });
                    assert_eq!(self.answer.end.replace(end), None, "one end");
                }
                end => assert_eq!(self.answer.end.replace(end), None, "one end"),
            }
        }
    }
}

/// Plays a schedule to its end: those who stayed, with what they were answered.
fn play(scheduler: &Scheduler, work: &mut Work, acts: Vec<Act>) -> Vec<Reader> {
    let mut readers: Vec<Reader> = Vec::new();
    for act in acts {
        match act {
            Act::Ask { question, person, batch, reads } => {
                let priority = if batch { Priority::Batch } else { Priority::Interactive };
                let asked = Request { person: person.to_string(), priority, ..question.request() };
                readers.push(Reader::of(question, scheduler.submit(asked).expect("taken"), reads));
            }
            Act::Leave(index) if !readers.is_empty() => _ = readers.swap_remove(index % readers.len()),
            Act::Leave(_) => {}
            Act::Compute(steps) => {
                for _ in 0..steps {
                    assert!(work.advance());
                    readers.iter_mut().filter(|reader| reader.reads).for_each(Reader::read);
                }
            }
        }
    }
    for step in 0.. {
        if readers.iter().all(|reader| reader.answer.end.is_some()) {
            break;
        }
        assert!(step < 50_000 && work.advance(), "no end comes");
        readers.iter_mut().for_each(Reader::read);
    }
    readers
}

#[test]
fn in_any_schedule_a_real_model_answers_as_if_alone_to_the_last_bit() {
    let Some(models) = models() else { return };
    let model = Arc::new(Mutex::new(loaded(&models.join("stories260K.gguf"), None, None)));
    let whole = model.lock().expect("unused").facts().clone();
    let cases = env::var("SCHEDULES").map_or(24, |cases| cases.parse().expect("a number"));
    // A schedule takes a while: what fails is made smaller only so far.
    let config =
        ProptestConfig { cases, max_shrink_iters: 100, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let known: RefCell<HashMap<Question, Answer>> = RefCell::default();
    let answers = Cell::new(0);
    let ran = runner.run(&(machine(), proptest::collection::vec(act(), 1..20)), |(size, acts)| {
        let (scheduler, mut work) = Resized::engine(&model, size);
        let readers = play(&scheduler, &mut work, acts);
        drop(work);
        for Reader { question, answer, .. } in readers {
            let mut known = known.borrow_mut();
            let expected = known.entry(question.clone()).or_insert_with(|| {
                // All that it has, guesses at nothing, and reads the prompt token by token.
                let size = Facts { context: CONTEXT, batch: 1, guesses: 0, ..whole.clone() };
                let (scheduler, mut work) = Resized::engine(&model, size);
                let ask = Act::Ask { question: question.clone(), person: 0, batch: false, reads: true };
                play(&scheduler, &mut work, vec![ask]).remove(0).answer
            });
            prop_assert_eq!(&answer, &*expected, "{:?}", question);
            answers.set(answers.get() + 1);
        }
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
    let answers = answers.get();
    println!("{answers} of {answers} answers of {cases} random schedules were the same to the last bit");
    assert!(answers > cases, "only {answers} answers in {cases} schedules");
}
