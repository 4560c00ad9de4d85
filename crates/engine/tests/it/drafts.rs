//! A draft model changes how many steps an answer takes, and nothing of the answer.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use engine::{
    backend::{
        Adapter, Backend, Facts, Failed, Input, Lora, Slot, Vocabulary,
        scripted::{Script, Scripted},
    },
    sampler::Sampling,
    scheduler::{Event, Request, STEP_TARGET, Scheduler, Usage},
};

/// A model that says something else at every third position.
struct Noisy(Scripted);

impl Backend for Noisy {
    fn facts(&self) -> &Facts {
        self.0.facts()
    }

    fn vocabulary(&self) -> Arc<dyn Vocabulary> {
        self.0.vocabulary()
    }

    fn decode(
        &mut self,
        batch: &[Input],
        adapter: Option<Adapter>,
        row: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Failed> {
        self.0.decode(batch, adapter, &mut |at, logits| {
            let mut noisy = logits.to_vec();
            if batch[at].position.is_multiple_of(3) {
                noisy[usize::from(b'?')] = 20.0;
            }
            row(at, &noisy);
        })
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) {
        self.0.share(from, to, len);
    }

    fn truncate(&mut self, slot: Slot, len: u32) {
        self.0.truncate(slot, len);
    }

    fn attach(&mut self, id: u32, file: &Path) -> Result<Lora, String> {
        self.0.attach(id, file)
    }

    fn detach(&mut self, id: u32) {
        self.0.detach(id);
    }

    fn identity(&self, adapter: Option<u32>) -> Option<String> {
        self.0.identity(adapter)
    }

    fn save(&mut self, slot: Slot) -> Option<Vec<u8>> {
        self.0.save(slot)
    }

    fn restore(&mut self, slot: Slot, len: u32, state: &[u8]) -> bool {
        self.0.restore(slot, len, state)
    }
}

fn model(step: Duration) -> Scripted {
    let facts = Facts { guesses: 9, ..Facts::default() };
    Scripted::new(Script { recalls: true, facts, step, ..Script::default() })
}

/// The text, what was used, and in how many steps.
fn told(draft: Option<Box<dyn Backend>>, step: Duration, temperature: f32, seed: u64) -> (String, Usage, usize) {
    told_at_length(300, draft, step, Sampling { temperature, seed: Some(seed), ..Sampling::default() })
}

fn told_at_length(
    max_tokens: u32,
    draft: Option<Box<dyn Backend>>,
    step: Duration,
    sampling: Sampling,
) -> (String, Usage, usize) {
    let model = model(step);
    let log: Arc<Mutex<Vec<Vec<Input>>>> = model.log();
    let (scheduler, work) = Scheduler::with_draft(Box::new(model), draft, STEP_TARGET, None);
    std::thread::spawn(move || work.run());
    let ask = Request { prompt: vec![70; 20], max_tokens, sampling, ignore_end: true, ..Request::default() };
    let mut events = scheduler.submit(ask).expect("taken");
    let mut text = String::new();
    loop {
        match events.blocking_recv().expect("an end") {
            Event::Delta(delta) => text.push_str(&delta.text),
            Event::Finished(_, usage) => return (text, usage, log.lock().expect("the log").len()),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn with_a_draft_an_answer_takes_fewer_steps_and_is_the_same() {
    let slow = Duration::from_millis(2);
    for (temperature, seed) in [(0.0, 0), (1.0, 1), (3.0, 2)] {
        let (alone, usage, steps) = told(None, slow, temperature, seed);
        assert_eq!((usage.completion, usage.drafted), (300, 0));
        let (text, own, fewer) = told(Some(Box::new(model(Duration::ZERO))), slow, temperature, seed);
        assert_eq!(text, alone, "temperature {temperature}");
        if temperature == 0.0 {
            assert_eq!(own.accepted, own.drafted, "the model itself guesses what it will say");
            assert!(own.drafted > 100 && fewer < steps / 2, "{own:?} in {fewer} steps, {steps} without");
        }
        let (text, noisy, _) = told(Some(Box::new(Noisy(model(Duration::ZERO)))), slow, temperature, seed);
        assert_eq!(text, alone, "temperature {temperature}");
        assert!(noisy.drafted > noisy.accepted, "{noisy:?}");
    }
}

#[test]
fn a_draft_that_is_slower_than_what_it_saves_is_hardly_asked() {
    let draft = Noisy(model(Duration::from_millis(20)));
    let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
    let (_, usage, _) = told_at_length(900, Some(Box::new(draft)), Duration::from_millis(1), sampling);
    // Two trials of sixteen steps; asked in every step it would have guessed some two thousand.
    assert!(usage.drafted > 0 && usage.drafted <= 2 * 16 * 8, "{usage:?}");
}
