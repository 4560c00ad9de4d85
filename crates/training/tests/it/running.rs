//! Runs: that a model learns, and that one that was stopped ends where one that was not does.

use std::time::Duration;

use training::{Example, Examples, Lora, Model, Run, Schedule, Settings, State, Target, Then};

use crate::small::{documents, shapes};

fn settings(steps: usize) -> Settings {
    Settings {
        schedule: Schedule { peak: 0.02, floor: 0.001, warmup: 2, steps },
        batch_tokens: 40,
        accumulate: 2,
        clip: 1.0,
        decay: 0.1,
        seed: 6,
        held_out_every: 4,
        checkpoint_every: Duration::from_secs(3600),
    }
}

fn examples() -> Examples {
    let shape = &shapes()[0];
    Examples::new(documents(shape.vocabulary, &[9, 12, 14, 21, 5, 8, 30, 17]), shape.vocabulary, 64).unwrap()
}

/// Every bit of what a model has.
fn bits(model: &Model) -> Vec<(String, Vec<u32>)> {
    let tensors = model.tensors().unwrap().into_iter().chain(model.adapter_tensors());
    let of = |tensor: candle_core::Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    tensors.map(|(name, tensor)| (name, of(tensor).into_iter().map(f32::to_bits).collect())).collect()
}

fn fresh(adapter: bool) -> Model {
    let mut model = Model::new(shapes()[0].clone(), 2).unwrap();
    if adapter {
        let lora = Lora { rank: 2, alpha: 4.0, dropout: 0.2, targets: vec![Target::Query, Target::Down] };
        model.adapt(lora, 9).unwrap();
    }
    model
}

#[test]
fn a_model_learns_what_it_is_shown() {
    let (examples, mut model) = (examples(), fresh(false));
    let mut told = Vec::new();
    let mut run = Run::new(&mut model, &examples, Some(&examples), settings(60), None).unwrap();
    let end = run.go(|progress| {
        told.push(progress.clone());
        Then::GoOn
    });
    assert_eq!(end.unwrap(), State::Done);
    let (first, last) = (&told[0], &told[59]);
    assert!(first.loss > 2.8 && last.held_out.unwrap() < 0.6, "{first:?} {last:?}");
    assert_eq!((last.step, last.steps, last.state), (60, 60, State::Done));
    let looks: Vec<usize> = told.iter().filter(|one| one.held_out.is_some()).map(|one| one.step).collect();
    assert_eq!(looks, (1..=15).map(|look| look * 4).collect::<Vec<_>>());
}

#[test]
fn what_is_held_stays_and_all_else_learns() {
    let (examples, mut model) = (examples(), fresh(false));
    let width = model.shape().width;
    model.hold("blk.0.attn_k.weight", 1..3, 2..5).unwrap();
    model.hold("blk.1.attn_norm.weight", 0..1, 0..width).unwrap();
    for (name, rows, columns) in [("blk.9.attn_k.weight", 0..1, 0..1), ("blk.0.attn_norm.weight", 0..2, 0..1)] {
        assert!(model.hold(name, rows, columns).is_err(), "{name}");
    }
    let before = bits(&model);
    Run::new(&mut model, &examples, None, settings(5), None).unwrap().go(|_| Then::GoOn).unwrap();
    for ((name, old), (_, new)) in before.iter().zip(bits(&model)) {
        let stays = |at: usize| match name.as_str() {
            "blk.0.attn_k.weight" => (1..3).contains(&(at / width)) && (2..5).contains(&(at % width)),
            "blk.1.attn_norm.weight" => true,
            _ => false,
        };
        let same: Vec<usize> = (0..old.len()).filter(|&at| old[at] == new[at]).collect();
        let held: Vec<usize> = (0..old.len()).filter(|&at| stays(at)).collect();
        assert!(held.iter().all(|at| same.contains(at)), "{name}");
        assert!(same.len() < held.len() + old.len() / 10 + 1, "{name}: {} of {} did not learn", same.len(), old.len());
    }
}

#[test]
fn a_run_that_was_stopped_ends_as_one_that_was_not() {
    for adapter in [false, true] {
        let (examples, folder) = (examples(), tempfile::tempdir().unwrap());
        let path = folder.path().join("checkpoint");
        let mut whole = fresh(adapter);
        Run::new(&mut whole, &examples, None, settings(11), None).unwrap().go(|_| Then::GoOn).unwrap();

        let mut ends = Vec::new();
        let mut steps = Vec::new();
        let mut last = fresh(adapter);
        for stop_after in [3, 4, 100] {
            let mut model = fresh(adapter);
            let mut run = Run::new(&mut model, &examples, None, settings(11), Some(&path)).unwrap();
            let mut done = 0;
            let end = run.go(|progress| {
                done += 1;
                steps.push(progress.step);
                if done == stop_after { Then::Stop } else { Then::GoOn }
            });
            ends.push(end.unwrap());
            last = model;
        }
        assert_eq!(ends, [State::Stopped, State::Stopped, State::Done]);
        assert_eq!(steps, (1..=11).collect::<Vec<_>>());
        assert_eq!(bits(&whole), bits(&last), "adapter: {adapter}");
        assert_ne!(bits(&whole), bits(&fresh(adapter)));
    }
}

#[test]
fn a_checkpoint_is_not_taken_for_another() {
    let (examples, folder) = (examples(), tempfile::tempdir().unwrap());
    let path = folder.path().join("checkpoint");
    let mut model = fresh(false);
    Run::new(&mut model, &examples, None, settings(2), Some(&path)).unwrap().go(|_| Then::GoOn).unwrap();
    let refusal = |model: &mut Model, examples: &Examples, settings: Settings| {
        let refused = Run::new(model, examples, None, settings, Some(&path)).map(|_| ()).unwrap_err();
        refused.to_string().replace(folder.path().to_str().unwrap(), "FOLDER")
    };

    let other_seed = Settings { seed: 7, ..settings(2) };
    let other = Examples::new(vec![Example::text(vec![1, 2, 3])], 23, 64).unwrap();
    let is = |what: &str| {
        let (begin, end) =
            ("FOLDER/checkpoint is the checkpoint of another run: its", "take the same settings, or another folder");
        format!("{begin} {what} is different; {end}")
    };
    assert_eq!(refusal(&mut fresh(false), &examples, other_seed), is("seed"));
    assert_eq!(refusal(&mut fresh(false), &other, settings(2)), is("data"));
    assert_eq!(refusal(&mut fresh(true), &examples, settings(2)), is("adapter"));

    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let damaged = refusal(&mut fresh(false), &examples, settings(2));
    assert_eq!(damaged, "FOLDER/checkpoint is damaged: its checksum is another one");
}

#[test]
fn what_cannot_be_learned_is_refused() {
    let refusal = |examples: Vec<Example>| Examples::new(examples, 23, 64).unwrap_err().to_string();
    assert_eq!(refusal(vec![Example::text(vec![1, 23])]), "the token 23 is none of the model's 23");
    let nothing = "there is nothing to learn: no example has an answer within the context";
    assert_eq!(
        refusal(vec![Example::text(vec![1]), Example { tokens: vec![1, 2], learned: vec![true, false] }]),
        nothing
    );
}
