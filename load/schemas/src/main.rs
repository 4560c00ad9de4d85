//! Which of the public schemas in `list.txt` the engine takes, and whether whatever its constraint lets through fits them. Of each schema that is
//! taken, documents are written by random walks over the allowed tokens of a real vocabulary, and judged by another's validator; of a suite,
//! its own instances are put to the automaton as well. It builds no schema itself and tunes nothing by what it sees.

mod material;
mod walk;

use std::{collections::BTreeMap, fmt::Write as _, path::PathBuf, sync::Arc, time::Instant};

use anyhow::{Context as _, Result};
use engine::grammar::{Automaton, Grammar, Words};
use jsonschema::Validator;
use material::Case;
use serde_json::Value;
use walk::{Times, Walked};

/// Keys of an object up to which every order of an instance is tried: the engine writes them in the schema's order, an instance has its own.
const ORDERED: usize = 4;

fn main() -> Result<()> {
    let ask = Ask::read()?;
    let began = Instant::now();
    let (words, tokens) = material::words(&ask.material)?;
    println!("{} tokens, read in {:.1} s", tokens.len(), began.elapsed().as_secs_f32());
    let mut report = Report::default();
    for case in material::cases(&ask.material)? {
        if ask.only.as_ref().is_none_or(|only| case.name.contains(only.as_str())) {
            report.judge(&case, &ask, &words, &tokens);
        }
    }
    std::fs::write(&ask.refused, &report.refusals)?;
    report.tell(&ask);
    anyhow::ensure!(report.wrong.is_empty(), "{} documents or instances were judged wrongly", report.wrong.len());
    Ok(())
}

/// The command line: `--material FOLDER --refused FILE [--walks 3] [--tokens 60] [--seed 1] [--only PART_OF_A_NAME]`.
struct Ask {
    material: PathBuf,
    refused: PathBuf,
    walks: u64,
    tokens: usize,
    seed: u64,
    only: Option<String>,
}

impl Ask {
    fn read() -> Result<Self> {
        let mut ask = Ask {
            material: ".work/schemas".into(),
            refused: ".work/prove/schemas-refused.txt".into(),
            walks: 3,
            tokens: 60,
            seed: 1,
            only: None,
        };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let value = words.next().with_context(|| format!("{word} needs a value"))?;
            match word.as_str() {
                "--material" => ask.material = value.into(),
                "--refused" => ask.refused = value.into(),
                "--walks" => ask.walks = value.parse()?,
                "--tokens" => ask.tokens = value.parse()?,
                "--seed" => ask.seed = value.parse()?,
                "--only" => ask.only = Some(value),
                other => anyhow::bail!("there is no {other}"),
            }
        }
        Ok(ask)
    }
}

/// What was counted of one package, or of one draft of a suite.
#[derive(Default)]
struct Count {
    schemas: usize,
    taken: usize,
    written: usize,
    fit: usize,
    unended: usize,
    unjudged: usize,
    valid: usize,
    let_through: usize,
    invalid: usize,
    stopped: usize,
}

#[derive(Default)]
struct Report {
    groups: BTreeMap<String, Count>,
    reasons: BTreeMap<String, usize>,
    refusals: String,
    wrong: Vec<String>,
    missed: Vec<String>,
    compile: Vec<f64>,
    times: Times,
}

impl Report {
    fn judge(&mut self, case: &Case, ask: &Ask, words: &Arc<Words>, tokens: &[Vec<u8>]) {
        let count = self.groups.entry(case.group.clone()).or_default();
        count.schemas += 1;
        let began = Instant::now();
        let grammar = match Grammar::of_schema(&case.schema) {
            Ok(grammar) => Arc::new(grammar),
            Err(why) => {
                // The place is the schema's own; what stands behind it is the reason.
                let why = why.to_string();
                let reason = why.split_once(": ").map_or(why.as_str(), |(_, reason)| reason).to_owned();
                let _ = writeln!(self.refusals, "{}: {why}", case.name);
                *self.reasons.entry(reason).or_default() += 1;
                return;
            }
        };
        self.compile.push(began.elapsed().as_secs_f64());
        count.taken += 1;
        let judge = validator(&case.schema);
        for nth in 0..ask.walks {
            let seed = ask.seed.wrapping_mul(1_000_003).wrapping_add(nth);
            match walk::walk(&grammar, words, tokens, seed, ask.tokens, &mut self.times) {
                Walked::Whole(text) => {
                    count.written += 1;
                    let Ok(value) = serde_json::from_slice::<Value>(&text) else {
                        self.wrong.push(format!("{}: no JSON: {}", case.name, String::from_utf8_lossy(&text)));
                        continue;
                    };
                    match &judge {
                        Err(_) => count.unjudged += 1,
                        Ok(judge) if judge.is_valid(&value) => count.fit += 1,
                        Ok(judge) => {
                            let why = judge.iter_errors(&value).next().map(|error| error.to_string());
                            let why: String = why.unwrap_or_default().chars().take(200).collect();
                            let shown: String = value.to_string().chars().take(300).collect();
                            self.wrong.push(format!("{}: written but invalid: {shown}: {why}", case.name));
                        }
                    }
                }
                Walked::Unended => count.unended += 1,
                Walked::Stuck(text) => {
                    self.wrong.push(format!("{}: no token may come after {}", case.name, String::from_utf8_lossy(&text)));
                }
            }
        }
        for (value, fits) in &case.instances {
            let through = orders(value).iter().any(|text| accepts(&grammar, text));
            match (fits, through) {
                (true, _) => {
                    count.valid += 1;
                    count.let_through += usize::from(through);
                    if !through {
                        self.missed.push(format!("{}: {value}", case.name));
                    }
                }
                (false, through) => {
                    count.invalid += 1;
                    count.stopped += usize::from(!through);
                    if through {
                        self.wrong.push(format!("{}: let through though invalid: {value}", case.name));
                    }
                }
            }
        }
    }

    fn tell(&self, ask: &Ask) {
        println!(
            "\n{:<44} {:>7} {:>7} {:>8} {:>8} {:>8} {:>9} {:>15} {:>15}",
            "package or draft", "schemas", "taken", "written", "fit", "unended", "unjudged", "valid: through", "invalid: stopped"
        );
        let mut all = Count::default();
        for (name, count) in &self.groups {
            let Count { schemas, taken, written, fit, unended, unjudged, valid, let_through, invalid, stopped } = count;
            println!(
                "{name:<44} {schemas:>7} {taken:>7} {written:>8} {fit:>8} {unended:>8} {unjudged:>9} {:>15} {:>15}",
                if *valid > 0 { format!("{let_through}/{valid}") } else { String::new() },
                if *invalid > 0 { format!("{stopped}/{invalid}") } else { String::new() },
            );
            for (sum, more) in [
                (&mut all.schemas, schemas),
                (&mut all.taken, taken),
                (&mut all.written, written),
                (&mut all.fit, fit),
                (&mut all.unjudged, unjudged),
                (&mut all.unended, unended),
                (&mut all.valid, valid),
                (&mut all.let_through, let_through),
                (&mut all.invalid, invalid),
                (&mut all.stopped, stopped),
            ] {
                *sum += more;
            }
        }
        let mut reasons: Vec<_> = self.reasons.iter().collect();
        reasons.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        println!("\nrefused (each with its place in {}):", ask.refused.display());
        reasons.iter().take(40).for_each(|(reason, times)| println!("  {times:>5}  {}", reason.chars().take(140).collect::<String>()));
        println!("\nvalid, yet not among what is written (the first 40 of {}):", self.missed.len());
        self.missed.iter().take(40).for_each(|missed| println!("  {}", missed.chars().take(200).collect::<String>()));
        if !self.wrong.is_empty() {
            println!("\nwrong:");
            self.wrong.iter().take(60).for_each(|wrong| println!("  {wrong}"));
        }
        println!("\ncompile a schema: {}", walk::spread(&self.compile, 1e3, "ms"));
        println!("allow and take a token: {}", walk::spread(&self.times.step, 1e6, "µs"));
        println!("mask all tokens, first time in a state: {}", walk::spread(&self.times.mask, 1e6, "µs"));
        println!("mask all tokens again: {}", walk::spread(&self.times.again, 1e6, "µs"));
        println!("\nschemas taken: {} of {}", all.taken, all.schemas);
        println!("documents that fit: {} of {} ({} more have no judge, {} were not ended)", all.fit, all.written - all.unjudged, all.unjudged, all.unended);
        println!("valid instances let through: {} of {}", all.let_through, all.valid);
        println!("invalid instances stopped: {} of {}", all.stopped, all.invalid);
    }
}

/// Another's judgement; formats are held to as well.
fn validator(schema: &Value) -> Result<Validator> {
    let built = jsonschema::options().should_validate_formats(true).build(schema);
    built.map_err(|error| anyhow::anyhow!("{error}"))
}

fn accepts(grammar: &Arc<Grammar>, text: &str) -> bool {
    let (mut automaton, start) = Automaton::new(Arc::clone(grammar));
    text.bytes().try_fold(start, |state, byte| automaton.step(state, byte)).is_some_and(|state| automaton.ends(state))
}

/// The texts of a value by the order of its keys.
fn orders(value: &Value) -> Vec<String> {
    let Value::Object(members) = value else { return vec![value.to_string()] };
    if members.len() > ORDERED {
        return vec![value.to_string()];
    }
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{}:{value}", Value::from(name.as_str()))).collect();
    let mut texts = Vec::new();
    let mut left = vec![(Vec::new(), members)];
    while let Some((before, rest)) = left.pop() {
        if rest.is_empty() {
            texts.push(format!("{{{}}}", before.join(",")));
        }
        for nth in 0..rest.len() {
            let (mut before, mut rest) = (before.clone(), rest.clone());
            before.push(rest.remove(nth));
            left.push((before, rest));
        }
    }
    texts
}
