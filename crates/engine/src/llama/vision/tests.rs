//! What is answered about pictures is what mtmd alone would answer: for projectors of both kinds, alone and among others, whatever of it was
//! there already.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::mpsc::Receiver;

use super::super::{
    load,
    native_reference::{self, Choice},
};
use crate::{
    Loaded, Options, Progress,
    backend::{Seen, Sight, Token, Vocabulary},
    pictures::Pixels,
    sampler::Sampling,
    scheduler::{Event, Finish, Request, Scheduler, Scored, Usage, Work},
};
use projectors::{Kind, picture, write_eyes};

#[path = "../../../tests/it/projectors.rs"]
mod projectors;
#[path = "../../../tests/it/written.rs"]
mod written;

const BEFORE: &str = "Once upon a time, there was a little girl named Lily. She saw";
const AFTER: &str = " in the park and said";
const ANSWER: u32 = 24;

/// A model with eyes at work.
struct Engine {
    scheduler: Scheduler,
    work: Work,
    sight: Box<dyn Sight>,
    vocabulary: Arc<dyn Vocabulary>,
    model: PathBuf,
    eyes: PathBuf,
    _folder: tempfile::TempDir,
}

struct Answer {
    scores: Vec<Scored>,
    usage: Usage,
}

impl Answer {
    fn tokens(&self) -> Vec<(Token, f32)> {
        self.scores.iter().map(|scored| (scored.token, scored.likelihood.chosen)).collect()
    }
}

impl Engine {
    /// `None` where there is no model to give eyes to.
    fn open(kind: Kind, deterministic: bool) -> Option<Self> {
        let shared = std::env::var_os("PORTICO_SHARED").map_or_else(|| PathBuf::from("../../../shared"), PathBuf::from);
        let model = shared.join("models/stories260K.gguf");
        if !model.is_file() {
            assert!(std::env::var_os("CI").is_none(), "{} is absent", model.display());
            eprintln!("skipped: {} is absent (set PORTICO_SHARED)", model.display());
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let eyes = folder.path().join("mmproj.gguf");
        write_eyes(&eyes, kind);
        let options = Options {
            model: model.clone(),
            model_name: None,
            listen: "127.0.0.1:0".parse().expect("an address"),
            front: None,
            key: None,
            context: None,
            threads: Some(1),
            gpu_layers: crate::GpuLayers::Auto,
            step_target: None,
            guesses: true,
            draft: None,
            projector: Some(eyes.clone()),
            adapters: Vec::new(),
            calibration: crate::confidence::Calibration::default(),
            prefixes: None,
            deterministic: Some(deterministic),
            cache: crate::Cache::default(),
            parent_watch: false,
        };
        let Loaded::Writer(mut backend) = load(&options, &Progress::default()).expect("loaded") else {
            panic!("it writes")
        };
        let (sight, vocabulary) = (backend.sight().expect("eyes"), backend.vocabulary());
        let (scheduler, work) = Scheduler::new(backend, Duration::from_millis(400));
        Some(Engine { scheduler, work, sight, vocabulary, model, eyes, _folder: folder })
    }

    fn see(&mut self, picture: &Pixels) -> Seen {
        self.sight.look(picture).expect("seen")
    }

    fn ask(&self, before: &str, seen: &[&Seen], after: &str) -> Request {
        let mut prompt = self.vocabulary.encode(before, true, false);
        seen.iter().for_each(|seen| prompt.extend(&seen.tokens));
        prompt.extend(self.vocabulary.encode(after, false, false));
        Request {
            prompt,
            pictures: seen.iter().flat_map(|seen| seen.rows.clone()).collect(),
            max_tokens: ANSWER,
            sampling: Sampling { temperature: 0.0, ..Sampling::default() },
            likelihoods: Some(1),
            ignore_end: true,
            ..Request::default()
        }
    }

    fn submit(&self, request: Request) -> Receiver<Event> {
        self.scheduler.submit(request).expect("taken")
    }

    /// Computes until all of these have ended.
    fn finish(&mut self, readers: Vec<Receiver<Event>>) -> Vec<Answer> {
        let mut open: Vec<_> = readers.into_iter().map(|reader| (reader, Vec::new(), None)).collect();
        for step in 0.. {
            for (reader, scores, end) in &mut open {
                while let Ok(event) = reader.try_recv() {
                    match event {
                        Event::Delta(delta) => scores.extend(delta.tokens),
                        Event::Finished(Finish::Length, usage) => *end = Some(usage),
                        Event::Queued { .. } => {}
                        other => panic!("{other:?}"),
                    }
                }
            }
            if open.iter().all(|(.., end)| end.is_some()) {
                break;
            }
            assert!(step < 50_000 && self.work.advance(), "no end comes");
        }
        open.into_iter().map(|(_, scores, end)| Answer { scores, usage: end.expect("an end") }).collect()
    }

    fn answer(&mut self, request: Request) -> Answer {
        let reader = self.submit(request);
        self.finish(vec![reader]).remove(0)
    }

    fn reference(&self, pictures: &[&Pixels], at_once: i32) -> Vec<Choice> {
        let prompt = format!("{BEFORE}{}{AFTER}", "<__media__>".repeat(pictures.len()));
        native_reference::answer(&self.model, &self.eyes, (&prompt, pictures), at_once, ANSWER as usize)
    }
}

fn noise(seed: u64) -> Pixels {
    Pixels { width: 80, height: 50, rgb: picture(seed, 80, 50) }
}

/// The same tokens, as likely: to the last bit where each is computed by itself. Else up to the order of the sums in an F16 cache, which may turn a
/// token that another is about as likely as; what follows that is another text.
fn alike(ours: &[(Token, f32)], theirs: &[Choice], within: f32, what: &str) {
    assert_eq!(ours.len(), theirs.len(), "{what}");
    let (mut farthest, mut compared) = (0.0_f32, 0);
    for (&(token, likely), &(expected, as_likely, next)) in ours.iter().zip(theirs) {
        if token != expected && within > 0.0 && as_likely - next <= within {
            break;
        }
        assert_eq!(token, expected, "{what}, after {compared} tokens");
        farthest = farthest.max((likely - as_likely).abs());
        compared += 1;
    }
    println!("{what}: {compared} tokens, farthest log probability {farthest:e}");
    assert!(farthest <= within && compared > 4, "{what}: {farthest} in {compared}");
}

#[test]
fn alone_a_picture_is_answered_as_mtmd_answers_it() {
    for kind in [Kind::Causal, Kind::Whole] {
        for (deterministic, at_once, within) in [(true, 1, 0.0), (false, 512, 0.03)] {
            let Some(mut engine) = Engine::open(kind, deterministic) else { return };
            let (one, other) = (noise(1), noise(2));
            let (first, second) = (engine.see(&one), engine.see(&other));
            assert_eq!(first.rows.iter().map(|rows| u64::from(rows.len)).sum::<u64>(), kind.places());
            let what = format!("{kind:?}, deterministic {deterministic}");
            let said = engine.answer(engine.ask(BEFORE, &[&first], AFTER)).tokens();
            alike(&said, &engine.reference(&[&one], at_once), within, &what);
            let of_both = engine.answer(engine.ask(BEFORE, &[&first, &second], AFTER)).tokens();
            alike(&of_both, &engine.reference(&[&one, &other], at_once), within, &format!("two, {what}"));
            // It is seen at all: another picture is answered otherwise.
            let of_other = engine.answer(engine.ask(BEFORE, &[&second], AFTER)).tokens();
            alike(&of_other, &engine.reference(&[&other], at_once), within, &format!("another, {what}"));
            assert_ne!(of_other, said, "{what}");
        }
    }
}

#[test]
fn what_was_computed_of_a_picture_serves_whoever_shows_the_same_and_nobody_else() {
    for kind in [Kind::Causal, Kind::Whole] {
        let Some(mut engine) = Engine::open(kind, true) else { return };
        let (one, other) = (noise(1), noise(2));
        let (first, second) = (engine.see(&one), engine.see(&other));
        // With what the model writes before a picture.
        let text = engine.ask(BEFORE, &[&first], AFTER).prompt.iter().take_while(|token| **token >= 0).count();
        let text = u32::try_from(text).expect("short");
        let places = u32::try_from(kind.places()).expect("few");
        let before = engine.answer(engine.ask(BEFORE, &[&first], AFTER));
        assert_eq!(before.usage.cached, 0);
        let again = engine.answer(engine.ask(BEFORE, &[&first], AFTER));
        assert_eq!(again.tokens(), before.tokens());
        assert_eq!(again.usage.cached, again.usage.prompt - 1);
        let goes_on = engine.answer(engine.ask(BEFORE, &[&first], " and a cat"));
        assert!((text + places..goes_on.usage.prompt).contains(&goes_on.usage.cached), "{:?}", goes_on.usage);
        // Of another picture only the text before it was there.
        let of_other = engine.answer(engine.ask(BEFORE, &[&second], AFTER));
        assert_eq!(of_other.usage.cached, text);
        alike(&of_other.tokens(), &engine.reference(&[&other], 1), 0.0, "another picture after the same text");
        // Nor does it share with itself looked at once more, which has places of its own.
        let once_more = engine.see(&one);
        let told = engine.answer(engine.ask(BEFORE, &[&once_more], AFTER));
        assert_eq!((told.tokens(), told.usage.cached), (before.tokens(), text));
    }
}

#[test]
fn among_eight_texts_and_after_others_have_left_pictures_are_answered_as_alone() {
    for kind in [Kind::Causal, Kind::Whole] {
        let Some(mut engine) = Engine::open(kind, true) else { return };
        let (one, other) = (noise(1), noise(2));
        let (first, second) = (engine.see(&one), engine.see(&other));
        let stories: Vec<_> = (0..8).map(|nth| format!("{BEFORE} {nth} birds")).collect();
        let alone: Vec<_> = stories.iter().map(|story| engine.answer(engine.ask(story, &[], AFTER)).tokens()).collect();
        let mut readers: Vec<_> = stories.iter().map(|story| engine.submit(engine.ask(story, &[], AFTER))).collect();
        readers.push(engine.submit(engine.ask(BEFORE, &[&first], AFTER)));
        readers.push(engine.submit(engine.ask(BEFORE, &[&second], AFTER)));
        // Somebody leaves in the middle of a picture, of which a step reads only a piece; what is read of it may serve the others.
        let leaves = engine.submit(engine.ask("Tom", &[&second, &first], AFTER));
        for _ in 0..3 {
            engine.work.advance();
        }
        drop(leaves);
        let told = engine.finish(readers);
        for (nth, (told, alone)) in told.iter().zip(&alone).enumerate() {
            assert_eq!(told.tokens(), *alone, "{kind:?}, story {nth}");
        }
        alike(&told[8].tokens(), &engine.reference(&[&one], 1), 0.0, &format!("{kind:?} among others"));
        alike(&told[9].tokens(), &engine.reference(&[&other], 1), 0.0, &format!("{kind:?}, another, among others"));
    }
}

#[test]
fn what_nobody_holds_any_more_is_an_error_and_no_guess() {
    let Some(mut engine) = Engine::open(Kind::Causal, true) else { return };
    let seen = engine.see(&noise(1));
    let request = Request { pictures: Vec::new(), ..engine.ask(BEFORE, &[&seen], AFTER) };
    drop(seen);
    let mut reader = engine.submit(request);
    for _ in 0..50 {
        engine.work.advance();
    }
    let end = std::iter::from_fn(|| reader.try_recv().ok()).last();
    assert_eq!(end, Some(Event::Failed("the model failed to compute: nobody holds what was seen of a picture".into())));
}
