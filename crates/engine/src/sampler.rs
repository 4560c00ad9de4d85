//! Choosing the next token from a row of logits: ours, so that it is the same for every backend and exact where it is promised.
//! Order: bias, penalties, then top-k, top-p, min-p, then temperature, as llama.cpp has it. A grammar is asked
//! about the choice, and masks only where that may not come: what is drawn is then distributed as if it had masked before.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher},
};

use crate::{backend::Token, grammar::Constraint};

mod row;

pub use row::argmax;

/// How to choose. [`Sampling::default`] is what OpenAI's dialect says for absent fields.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampling {
    /// 0 takes the most likely token; larger is more even.
    pub temperature: f32,
    /// Keep the smallest set of tokens whose probabilities reach this sum (nucleus sampling, arXiv 1904.09751); 1 keeps all.
    pub top_p: f32,
    /// Keep this many most likely tokens; 0 keeps all.
    pub top_k: u32,
    /// Keep tokens at least this share as likely as the likeliest (arXiv 2407.01082); 0 keeps all.
    pub min_p: f32,
    /// Same seed, same prompt, same answer. `None` draws one.
    pub seed: Option<u64>,
    /// Taken from the logit of an answered token once per occurrence.
    pub frequency_penalty: f32,
    /// Taken from the logit of an answered token once.
    pub presence_penalty: f32,
    /// Divides the logit of a token of prompt or answer where positive, else multiplies it (arXiv 1909.05858); 1 is off.
    pub repeat_penalty: f32,
    /// Added to the logits of these tokens.
    pub bias: Vec<(Token, f32)>,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling {
            temperature: 1.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            seed: None,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            repeat_penalty: 1.0,
            bias: Vec::new(),
        }
    }
}

/// The sampler of one sequence: its settings, its random numbers and the tokens it has seen.
pub struct Sampler {
    sampling: Sampling,
    random: Random,
    prompt: HashMap<Token, u32>,
    answered: HashMap<Token, u32>,
    adjusted: Vec<f32>,
    candidates: Vec<(Token, f32)>,
    weights: Vec<f32>,
}

impl Sampler {
    /// A sampler for a sequence that begins with `prompt`.
    pub fn new(sampling: Sampling, prompt: &[Token]) -> Self {
        let random = Random(sampling.seed.unwrap_or_else(drawn_seed));
        let mut seen = HashMap::new();
        if is_other(sampling.repeat_penalty, 1.0) {
            for &token in prompt {
                *seen.entry(token).or_default() += 1;
            }
        }
        Sampler {
            sampling,
            random,
            prompt: seen,
            answered: HashMap::new(),
            adjusted: Vec::new(),
            candidates: Vec::new(),
            weights: Vec::new(),
        }
    }

    /// Chooses the next token; ties go to the smaller id.
    pub fn choose(&mut self, logits: &[f32]) -> Token {
        let token = self.pick(logits);
        *self.answered.entry(token).or_default() += 1;
        token
    }

    /// Chooses a token that `constraint` allows; `None` where the vocabulary has none.
    pub fn choose_within(&mut self, logits: &[f32], constraint: &mut Constraint) -> Option<Token> {
        let mut token = self.pick(logits);
        if !constraint.allows(token) {
            let mut masked = logits.to_vec();
            constraint.mask(&mut masked);
            token = self.pick(&masked);
            if !constraint.allows(token) {
                return None;
            }
        }
        *self.answered.entry(token).or_default() += 1;
        constraint.push(token);
        Some(token)
    }

    fn pick(&mut self, logits: &[f32]) -> Token {
        if !self.adjusts() {
            return if self.sampling.temperature <= 0.0 { argmax(logits) } else { self.draw(logits) };
        }
        let mut adjusted = std::mem::take(&mut self.adjusted);
        adjusted.clear();
        adjusted.extend_from_slice(logits);
        self.adjust(&mut adjusted);
        let token = if self.sampling.temperature <= 0.0 { argmax(&adjusted) } else { self.draw(&adjusted) };
        self.adjusted = adjusted;
        token
    }

    fn adjusts(&self) -> bool {
        let Sampling { frequency_penalty, presence_penalty, repeat_penalty, bias, .. } = &self.sampling;
        !bias.is_empty()
            || is_other(*frequency_penalty, 0.0)
            || is_other(*presence_penalty, 0.0)
            || is_other(*repeat_penalty, 1.0)
    }

    fn adjust(&self, logits: &mut [f32]) {
        let Sampling { frequency_penalty, presence_penalty, repeat_penalty, bias, .. } = &self.sampling;
        for (token, add) in bias {
            if let Some(logit) = at(logits, *token) {
                *logit += add;
            }
        }
        let prompt_only = self.prompt.keys().filter(|token| !self.answered.contains_key(token));
        for token in prompt_only.chain(self.answered.keys()) {
            if let Some(logit) = at(logits, *token) {
                *logit = if *logit > 0.0 { *logit / repeat_penalty } else { *logit * repeat_penalty };
            }
        }
        for (token, &times) in &self.answered {
            if let Some(logit) = at(logits, *token) {
                #[expect(clippy::cast_precision_loss, reason = "a count of tokens in one answer")]
                let often = times as f32 * frequency_penalty;
                *logit -= often + presence_penalty;
            }
        }
    }

    fn draw(&mut self, logits: &[f32]) -> Token {
        let Sampling { temperature, top_p, top_k, min_p, .. } = self.sampling;
        let most = row::highest(logits);
        if !most.is_finite() {
            return argmax(logits);
        }
        let floor = if min_p > 0.0 { most + min_p.ln() } else { f32::MIN };
        if top_k == 0 && top_p >= 1.0 {
            let sum = row::weigh(logits, most, floor, temperature, &mut self.weights);
            let drawn = row::find(&self.weights, self.random.unit() * sum);
            return drawn.and_then(|token| token.try_into().ok()).unwrap_or_else(|| argmax(logits));
        }
        self.choose_candidates(logits, most);
        self.candidates.retain(|(_, logit)| *logit >= floor);
        self.weights.clear();
        self.weights.extend(self.candidates.iter().map(|(_, logit)| ((*logit - most) / temperature).exp()));
        let sum: f64 = self.weights.iter().map(|weight| f64::from(*weight)).sum();
        let drawn = row::find(&self.weights, self.random.unit() * sum);
        // Past the end by rounding alone: the last, then.
        let drawn = drawn.and_then(|index| self.candidates.get(index)).or(self.candidates.last());
        drawn.map_or_else(|| argmax(logits), |(token, _)| *token)
    }

    /// Those that top-k and top-p leave, the likeliest first.
    fn choose_candidates(&mut self, logits: &[f32], most: f32) {
        let Sampling { top_p, top_k, .. } = self.sampling;
        let candidates = &mut self.candidates;
        if top_k > 0 {
            row::likeliest(logits, top_k as usize, candidates);
            let wanted = f64::from(top_p) * candidates.iter().map(|(_, logit)| weight(*logit, most)).sum::<f64>();
            keep_nucleus(candidates, most, wanted);
            return;
        }
        let wanted = f64::from(top_p) * row::mass(logits, most);
        let mut keep = NUCLEUS;
        loop {
            row::likeliest(logits, keep, candidates);
            if keep_nucleus(candidates, most, wanted) || keep >= logits.len() {
                return;
            }
            keep = keep.saturating_mul(NUCLEUS);
        }
    }
}

/// Tokens among which the nucleus is looked for first: it is small where a model knows what it says.
const NUCLEUS: usize = 256;

fn weight(logit: f32, most: f32) -> f64 {
    f64::from((logit - most).exp())
}

/// Keeps the fewest of the likeliest whose weights reach `wanted`, and at least one; false where all together do not.
fn keep_nucleus(candidates: &mut Vec<(Token, f32)>, most: f32, wanted: f64) -> bool {
    let mut reached = 0.0;
    let keep = candidates.iter().take_while(|(_, logit)| {
        let short = reached < wanted;
        reached += weight(*logit, most);
        short
    });
    let keep = keep.count().max(1);
    candidates.truncate(keep);
    reached >= wanted
}

fn at(logits: &mut [f32], token: Token) -> Option<&mut f32> {
    logits.get_mut(usize::try_from(token).ok()?)
}

#[expect(clippy::float_cmp, reason = "settings are compared with the exact value that turns them off")]
fn is_other(setting: f32, off: f32) -> bool {
    setting != off
}

/// The log probabilities of a chosen token and of the likeliest ones, from the model's own logits: before penalties and temperature.
#[derive(Debug, Clone, PartialEq)]
pub struct Likelihood {
    /// ln p of the token that was chosen.
    pub chosen: f32,
    /// The likeliest tokens with their ln p, the likeliest first.
    pub top: Vec<(Token, f32)>,
}

impl Likelihood {
    /// Looks at one row.
    pub fn of(logits: &[f32], chosen: Token, top: usize) -> Self {
        let most = row::highest(logits);
        #[expect(clippy::cast_possible_truncation, reason = "logits are f32")]
        let log_sum = most + row::mass(logits, most).ln() as f32;
        let mut likeliest = Vec::new();
        row::likeliest(logits, top, &mut likeliest);
        likeliest.iter_mut().for_each(|(_, logit)| *logit -= log_sum);
        let logit = usize::try_from(chosen).ok().and_then(|chosen| logits.get(chosen)).copied();
        Likelihood { chosen: logit.unwrap_or(f32::NEG_INFINITY) - log_sum, top: likeliest }
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine and in every release.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 (inclusive) to 1 (exclusive).
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn drawn_seed() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}
