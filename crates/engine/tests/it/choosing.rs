//! The sampler: exact where it promises to be, and shaped as its settings say where it draws.

use std::collections::HashMap;

use engine::sampler::{Likelihood, Sampler, Sampling, argmax};
use proptest::prelude::*;

fn drawn(sampling: &Sampling, logits: &[f32], times: u64) -> HashMap<i32, u64> {
    let mut counts = HashMap::new();
    for seed in 0..times {
        let mut sampler = Sampler::new(Sampling { seed: Some(seed), ..sampling.clone() }, &[]);
        *counts.entry(sampler.choose(logits)).or_default() += 1;
    }
    counts
}

fn greedy() -> Sampling {
    Sampling { temperature: 0.0, ..Sampling::default() }
}

#[test]
fn greedy_takes_the_likeliest_and_the_first_of_equals() {
    assert_eq!(argmax(&[1.0, 3.0, 3.0, 2.0]), 1);
    assert_eq!(argmax(&[f32::NAN, -1.0, f32::NEG_INFINITY]), 1);
    assert_eq!(Sampler::new(greedy(), &[]).choose(&[0.1, 0.104, 0.1]), 1);
}

#[test]
fn draws_follow_the_probabilities() {
    let logits = [0.5_f32.ln(), 0.3_f32.ln(), 0.2_f32.ln()];
    let counts = drawn(&Sampling::default(), &logits, 20_000);
    for (token, share) in [(0, 0.5), (1, 0.3), (2, 0.2)] {
        let got = f64::from(u32::try_from(counts[&token]).expect("small")) / 20_000.0;
        assert!((got - share).abs() < 0.015, "token {token}: {got}, not {share}");
    }
    let cold = drawn(&Sampling { temperature: 0.1, ..Sampling::default() }, &logits, 1000);
    assert!(cold[&0] > 970, "{cold:?}");
}

#[test]
fn each_filter_keeps_what_it_says() {
    let logits = [0.5_f32.ln(), 0.3_f32.ln(), 0.15_f32.ln(), 0.05_f32.ln()];
    let kept = |sampling: Sampling| {
        let mut tokens: Vec<_> = drawn(&sampling, &logits, 2000).into_keys().collect();
        tokens.sort_unstable();
        tokens
    };
    let default = Sampling::default;
    assert_eq!(kept(default()), [0, 1, 2, 3]);
    assert_eq!(kept(Sampling { top_k: 2, ..default() }), [0, 1]);
    assert_eq!(kept(Sampling { top_k: 1, temperature: 50.0, ..default() }), [0]);
    assert_eq!(kept(Sampling { top_p: 0.7, ..default() }), [0, 1]);
    assert_eq!(kept(Sampling { top_p: 0.0, ..default() }), [0]);
    assert_eq!(kept(Sampling { min_p: 0.25, ..default() }), [0, 1, 2]);
    assert_eq!(kept(Sampling { min_p: 1.0, ..default() }), [0]);
}

#[test]
fn penalties_and_bias_move_the_choice() {
    let logits = [2.0, 1.9, 1.0];
    let choose = |sampling: Sampling, prompt: &[i32], times: usize| {
        let mut sampler = Sampler::new(Sampling { temperature: 0.0, ..sampling }, prompt);
        (0..times).map(|_| sampler.choose(&logits)).collect::<Vec<_>>()
    };
    let default = Sampling::default;
    assert_eq!(choose(default(), &[0], 3), [0, 0, 0]);
    assert_eq!(choose(Sampling { presence_penalty: 0.5, ..default() }, &[], 3), [0, 1, 0]);
    assert_eq!(choose(Sampling { presence_penalty: 2.0, ..default() }, &[], 4), [0, 1, 2, 0]);
    assert_eq!(choose(Sampling { frequency_penalty: 0.3, ..default() }, &[], 5), [0, 1, 0, 1, 0]);
    assert_eq!(
        choose(Sampling { presence_penalty: 2.0, ..default() }, &[0], 1),
        [0],
        "presence counts the answer only"
    );
    assert_eq!(
        choose(Sampling { repeat_penalty: 2.0, ..default() }, &[0], 1),
        [1],
        "repetition counts the prompt, too"
    );
    assert_eq!(choose(Sampling { bias: vec![(2, 1.5), (99, 5.0), (-4, 5.0)], ..default() }, &[], 1), [2]);
}

#[test]
fn a_seed_is_the_same_answer_and_another_seed_another() {
    let logits: Vec<f32> = (0_i16..500).map(|token| f32::from(token % 17) / 7.0).collect();
    let answer = |seed| {
        let mut sampler = Sampler::new(Sampling { seed, ..Sampling::default() }, &[]);
        (0..50).map(|_| sampler.choose(&logits)).collect::<Vec<_>>()
    };
    assert_eq!(answer(Some(7)), answer(Some(7)));
    assert_ne!(answer(Some(7)), answer(Some(8)));
    assert_ne!(answer(None), answer(None));
}

proptest! {
    #[test]
    fn likelihoods_are_a_distribution_in_order(logits in proptest::collection::vec(-50.0_f32..50.0, 1..200), top in 0_usize..30) {
        let all = Likelihood::of(&logits, 0, logits.len());
        let sum: f64 = all.top.iter().map(|(_, logprob)| f64::from(*logprob).exp()).sum();
        prop_assert!((sum - 1.0).abs() < 1e-3, "sum {}", sum);
        prop_assert!(all.top.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        prop_assert_eq!(all.top[0].0, argmax(&logits));
        let some = Likelihood::of(&logits, 0, top);
        prop_assert_eq!(&some.top[..], &all.top[..top.min(logits.len())]);
        prop_assert_eq!(some.chosen, all.top.iter().find(|(token, _)| *token == 0).expect("token 0").1);
    }

    #[test]
    fn whatever_the_settings_a_token_of_the_vocabulary_is_chosen(
        logits in proptest::collection::vec(prop_oneof![8 => -20.0_f32..20.0, 1 => Just(f32::NEG_INFINITY), 1 => Just(f32::NAN)], 1..100),
        temperature in 0.0_f32..5.0, top_p in 0.0_f32..=1.0, top_k in 0_u32..200, min_p in 0.0_f32..=1.0, seed in any::<u64>(),
    ) {
        let sampling = Sampling { temperature, top_p, top_k, min_p, seed: Some(seed), repeat_penalty: 1.3, ..Sampling::default() };
        let token = Sampler::new(sampling, &[0]).choose(&logits);
        prop_assert!(usize::try_from(token).is_ok_and(|token| token < logits.len()));
    }
}
