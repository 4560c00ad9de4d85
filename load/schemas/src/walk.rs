//! A random walk over the tokens that a constraint allows: each as likely as every other, until there are enough; from then on what closes the
//! text comes first. It measures what the constraint takes on the way.

use std::{sync::Arc, time::Instant};

use engine::{
    backend::Token,
    grammar::{Constraint, Form, Grammar, Words},
};

/// Tokens after which a text that still does not close is given up, beside those that were asked for.
const PATIENCE: usize = 3000;
/// The single bytes that lead to an end, the surest first.
const CLOSING: &[u8] = b"\"}]0e1a:,{[n";

pub enum Walked {
    Whole(Vec<u8>),
    Unended,
    Stuck(Vec<u8>),
}

/// Seconds.
#[derive(Default)]
pub struct Times {
    pub step: Vec<f64>,
    pub mask: Vec<f64>,
    pub again: Vec<f64>,
}

pub fn walk(grammar: &Arc<Grammar>, words: &Arc<Words>, tokens: &[Vec<u8>], seed: u64, most: usize, times: &mut Times) -> Walked {
    let mut constraint = Constraint::new(Form { grammar: Arc::clone(grammar), words: Arc::clone(words) });
    let mut random = Random(seed);
    let (mut text, mut logits) = (Vec::new(), vec![0.0_f32; tokens.len()]);
    let closing: Vec<usize> =
        CLOSING.iter().filter_map(|byte| tokens.iter().position(|token| token == &[*byte])).collect();
    for nth in 0..most + PATIENCE {
        let chosen = if nth < most {
            logits.fill(0.0);
            let began = Instant::now();
            constraint.mask(&mut logits);
            times.mask.push(began.elapsed().as_secs_f64());
            if nth % 16 == 0 {
                let began = Instant::now();
                constraint.mask(&mut logits);
                times.again.push(began.elapsed().as_secs_f64());
            }
            let allowed: Vec<usize> = (0..tokens.len()).filter(|&token| logits[token] == 0.0).collect();
            // Most tokens are words: without a coin a text would never leave its first string.
            let short: Vec<usize> = allowed.iter().copied().filter(|&token| tokens[token].len() < 2).collect();
            let among = if random.below(3) == 0 && !short.is_empty() { &short } else { &allowed };
            among.get(random.below(among.len().max(1))).copied()
        } else {
            let end = tokens.len() - 1;
            let closes = std::iter::once(end).chain(closing.iter().copied()).find(|&token| constraint.allows(id(token)));
            closes.or_else(|| (0..tokens.len()).find(|&token| tokens[token].len() == 1 && constraint.allows(id(token))))
        };
        let Some(token) = chosen else { return Walked::Stuck(text) };
        if token + 1 == tokens.len() {
            return Walked::Whole(text);
        }
        let began = Instant::now();
        let allowed = constraint.allows(id(token));
        constraint.push(id(token));
        times.step.push(began.elapsed().as_secs_f64());
        if !allowed {
            return Walked::Stuck(text);
        }
        text.extend_from_slice(&tokens[token]);
        if constraint.is_done() {
            return Walked::Whole(text);
        }
    }
    Walked::Unended
}

fn id(token: usize) -> Token {
    Token::try_from(token).unwrap_or(Token::MAX)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap_or(0) % bound.max(1)
    }
}

/// Median, 99th percentile and maximum of seconds.
pub fn spread(seconds: &[f64], times: f64, unit: &str) -> String {
    let mut sorted = seconds.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: usize| sorted.get((sorted.len() * share / 1000).min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0) * times;
    format!("median {:.2} {unit}, p99 {:.2} {unit}, most {:.2} {unit} of {}", at(500), at(990), at(1000), sorted.len())
}
