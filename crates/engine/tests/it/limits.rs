//! More than llama.cpp can hold: an error with its figures, and what comes next is computed as if nothing had been.

use std::sync::{Arc, Mutex};

use engine::{
    backend::{Backend, Facts, Failed, Input, Slot},
    sampler::Sampling,
    scheduler::{Event, Request},
};
use serde_json::json;

use crate::{
    exact::{Resized, loaded},
    llama::models,
    worker::Worker,
};

fn inputs(slot: u32, positions: std::ops::Range<u32>, wants_logits: bool) -> Vec<Input> {
    let token = |position: u32| 3 + i32::try_from(position % 500).expect("small");
    positions.map(|position| Input { slot: Slot(slot), position, token: token(position), wants_logits }).collect()
}

/// The logits of the last input.
fn computed(backend: &mut dyn Backend, mut batch: Vec<Input>) -> Result<Vec<f32>, Failed> {
    batch.last_mut().expect("not empty").wants_logits = true;
    let mut last = Vec::new();
    backend.decode(&batch, None, &mut |_, row| last = row.to_vec())?;
    Ok(last)
}

#[test]
fn a_batch_that_is_too_large_is_refused_with_its_size_and_the_next_is_computed() {
    let Some(models) = models() else { return };
    for deterministic in [true, false] {
        let mut backend = loaded(&models.join("stories260K.gguf"), None, Some(deterministic));
        let expected = computed(&mut *backend, inputs(0, 0..20, false)).expect("computed");
        let most = backend.facts().batch;
        let refused = computed(&mut *backend, inputs(1, 0..most + 1, false)).expect_err("refused").to_string();
        assert!(refused.contains("a batch of 513 tokens (at most 512)"), "{refused}");
        let refused = computed(&mut *backend, inputs(1, 0..65, true)).expect_err("refused").to_string();
        assert!(refused.contains("wants 65 rows (at most 64)"), "{refused}");
        assert_eq!(computed(&mut *backend, inputs(1, 0..20, false)), Ok(expected), "deterministic: {deterministic}");
    }
}

#[test]
fn a_full_cache_is_told_with_its_size_and_what_is_given_back_can_be_used() {
    let Some(models) = models() else { return };
    // Eight contexts of 64 for all, or a multiple of 256 for each.
    for (deterministic, cells) in [(false, 512), (true, 256)] {
        let mut backend = loaded(&models.join("stories260K.gguf"), Some(64), Some(deterministic));
        let expected = computed(&mut *backend, inputs(0, 0..64, false)).expect("computed");
        let filled = inputs(0, 64..cells - 10, false);
        for piece in filled.chunks(100) {
            computed(&mut *backend, piece.to_vec()).expect("there is room");
        }
        let full = computed(&mut *backend, inputs(0, cells - 10..cells + 2, false)).expect_err("it is full");
        // Computed one by one, it is one that finds no room.
        let wanted = if deterministic { 1 } else { 12 };
        assert_eq!(full, Failed::Full { cells, wanted });
        assert_eq!(
            full.to_string(),
            format!("the cache of the model holds {cells} tokens and has no room for {wanted} more")
        );
        backend.truncate(Slot(0), 0);
        assert_eq!(computed(&mut *backend, inputs(2, 0..64, false)), Ok(expected));
    }
}

#[test]
fn requests_that_overfill_the_cache_fail_one_by_one_and_the_next_is_answered() {
    let Some(models) = models() else { return };
    let model = loaded(&models.join("stories260K.gguf"), Some(64), Some(false));
    // A book that believes in more cells than there are, as where something else fills them.
    let facts = Facts { cells: 4096, context: 1024, parallel: 4, slots: 8, ..model.facts().clone() };
    let (scheduler, mut work) = Resized::engine(&Arc::new(Mutex::new(model)), facts);
    let mut answer = |prompt: u32, max_tokens: u32| {
        let sampling = Sampling { temperature: 0.0, ..Sampling::default() };
        let prompt = inputs(0, 0..prompt, false).iter().map(|input| input.token).collect();
        let request = Request { prompt, max_tokens, sampling, ignore_end: true, ..Request::default() };
        let mut events = scheduler.submit(request).expect("taken");
        let mut text = String::new();
        loop {
            assert!(work.advance());
            while let Ok(event) = events.try_recv() {
                match event {
                    Event::Delta(delta) => text.push_str(&delta.text),
                    Event::Queued { .. } => {}
                    end => return (text, end),
                }
            }
        }
    };
    let (expected, _) = answer(20, 10);
    let (_, end) = answer(600, 10);
    let Event::Failed(why) = end else { panic!("{end:?}") };
    assert!(why.starts_with("the cache of the model holds 512 tokens and has no room for"), "{why}");
    assert_eq!(answer(20, 10).0, expected);
}

#[test]
fn a_prompt_longer_than_the_context_is_refused_with_figures_and_the_worker_goes_on() {
    let Some(models) = models() else { return };
    let file = models.join("stories260K.gguf");
    let worker = Worker::start(&[file.to_str().expect("a path")]).ready();
    let ask = |prompt: &str, max_tokens: u32| {
        worker.post("/v1/completions", &json!({"prompt": prompt, "max_tokens": max_tokens, "temperature": 0}))
    };
    let expected = ask("Lily", 5).json()["choices"][0]["text"].clone();
    for (prompt, max_tokens) in [("Lily ".repeat(600), 5), ("Lily ".repeat(1 << 20), 1)] {
        let reply = ask(&prompt, max_tokens);
        let error = reply.json()["error"].clone();
        assert_eq!((reply.status, error["code"].as_str()), (400, Some("context_length_exceeded")), "{error}");
        assert!(error["message"].as_str().is_some_and(|message| message.contains("512")), "{error}");
        assert_eq!(ask("Lily", 5).json()["choices"][0]["text"], expected);
    }
}
