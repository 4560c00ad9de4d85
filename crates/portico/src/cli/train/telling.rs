//! What a run tells: JSON lines for a portal, or lines for a person; and its losses step by step in a file of their own.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use models::library::shown;
use serde_json::json;
use training::{Memory, Progress, Settings, State};

use super::TrainArgs;
use super::card::Card;
use super::lessons::Lessons;
use crate::cli::print;

/// A person is told so often, beside every look at the held-out examples.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// To whom it tells.
pub(super) struct Telling {
    json: bool,
    /// Of the last line to a person.
    told: Option<Instant>,
}

impl Telling {
    pub(super) fn new(json: bool) -> Self {
        Telling { json, told: None }
    }

    /// What will be done.
    pub(super) fn begins(&self, lessons: &Lessons, settings: &Settings, memory: Memory) {
        let (learned, held_out) = (&lessons.learned, lessons.held_out.as_ref());
        let (examples, tokens, steps) = (learned.examples.len(), learned.tokens, settings.schedule.steps);
        let apart = held_out.map_or(0, |side| side.examples.len());
        let cut = learned.cut + held_out.map_or(0, |side| side.cut);
        let needed = memory.total();
        if self.json {
            let line = json!({ "begins": { "examples": examples, "tokens": tokens, "held_out": apart, "cut": cut, "memory": needed } });
            return print::line(format_args!("{line}"));
        }
        let by = if lessons.templated {
            "by the model's chat template"
        } else {
            "as plain text: the model has no chat template"
        };
        print::line(format_args!(
            "{examples} examples to learn ({tokens} tokens, {} of them answers), {apart} held out, {by}",
            learned.answers
        ));
        if cut > 0 {
            print::line(format_args!("{cut} examples are longer than the context and are cut at their ends"));
        }
        print::line(format_args!("{steps} steps; about {} of memory", shown(needed)));
    }

    /// The held-out loss of the model itself.
    pub(super) fn measured(&self, loss: Option<f64>) {
        if let Some(loss) = loss.filter(|_| !self.json) {
            print::line(format_args!("held-out loss of the model itself: {loss:.3}"));
        }
    }

    /// A step that is not the last.
    pub(super) fn step(&mut self, progress: &Progress) {
        if self.json {
            return line(progress);
        }
        let due = self.told.is_none_or(|told| told.elapsed() >= TOLD_EVERY);
        if due || progress.held_out.is_some() {
            self.told = Some(Instant::now());
            print::line(format_args!("{}", sentence(progress)));
        }
    }

    /// It will go on another time.
    pub(super) fn stopped(&self, last: Option<Progress>) {
        match (self.json, last) {
            (true, Some(last)) => line(&Progress { state: State::Stopped, ..last }),
            (true, None) => print::line(format_args!("{}", json!({ "state": State::Stopped }))),
            (false, last) => {
                let step = last.map_or(0, |last| last.step);
                print::line(format_args!("stopped after step {step}; the same command goes on from there"));
            }
        }
    }

    /// The adapter is there.
    pub(super) fn done(&self, last: Option<Progress>, card: &Card, args: &TrainArgs) {
        match (self.json, last) {
            (true, Some(last)) => line(&Progress { state: State::Done, ..last }),
            (true, None) => print::line(format_args!("{}", json!({ "state": State::Done }))),
            (false, last) => {
                if let Some(last) = last {
                    print::line(format_args!("{}", sentence(&last)));
                }
                if let (Some(before), Some(after)) = (card.losses.held_out_before, card.losses.held_out_after) {
                    print::line(format_args!("held-out loss: {before:.3} before, {after:.3} after"));
                }
                let (out, model) = (args.out.display(), args.model.display());
                print::line(format_args!("the adapter is in {out}; to ask the model with it:"));
                print::line(format_args!("  portico engine --model {model} --lora taught={out}/adapter.gguf"));
            }
        }
    }

    /// Why it cannot be done; for a portal.
    pub(super) fn failed(&self, why: &str) {
        print::line(format_args!("{}", json!({ "failed": why })));
    }
}

fn line(progress: &Progress) {
    if let Ok(text) = serde_json::to_string(progress) {
        print::line(format_args!("{text}"));
    }
}

fn sentence(progress: &Progress) -> String {
    let Progress { step, steps, loss, held_out, tokens_per_s, eta_s, epoch, .. } = progress;
    let apart = held_out.map_or_else(String::new, |loss| format!(", held out {loss:.3}"));
    let (rate, left) = (tokens_per_s.round(), eta_s.round());
    format!("step {step} of {steps} (pass {epoch}): loss {loss:.3}{apart}, {rate} tokens/s, {left} s left")
}

/// The steps so far, one JSON object a line. Those that a checkpoint does not know are taken again and told again.
pub(super) struct Losses {
    path: PathBuf,
    file: File,
    first: Option<Progress>,
    last: Option<Progress>,
    fault: Option<std::io::Error>,
}

impl Losses {
    /// Those up to `step`, and more to come.
    pub(super) fn open(path: &Path, step: usize) -> anyhow::Result<Losses> {
        let mut kept = Vec::new();
        if let Ok(file) = File::open(path) {
            let lines = BufReader::new(file).lines().map_while(Result::ok);
            let steps = lines.filter_map(|line| serde_json::from_str::<Progress>(&line).ok());
            kept.extend(steps.filter(|progress| progress.step <= step));
        }
        let (first, last) = (kept.first().cloned(), kept.last().cloned());
        let mut text = String::new();
        for progress in &kept {
            text.push_str(&serde_json::to_string(progress)?);
            text.push('\n');
        }
        let partial = path.with_extension("partial");
        let opened = fs::write(&partial, text)
            .and_then(|()| fs::rename(&partial, path))
            .and_then(|()| File::options().append(true).open(path));
        let file = opened.with_context(|| path.display().to_string())?;
        Ok(Losses { path: path.to_owned(), file, first, last, fault: None })
    }

    pub(super) fn add(&mut self, progress: &Progress) {
        let written = serde_json::to_string(progress).map(|text| writeln!(self.file, "{text}"));
        if let Ok(Err(error)) = written {
            self.fault.get_or_insert(error);
        }
        self.first.get_or_insert_with(|| progress.clone());
        self.last = Some(progress.clone());
    }

    /// The last step; or why one could not be written.
    pub(super) fn finish(&mut self) -> anyhow::Result<Option<Progress>> {
        if let Some(fault) = self.fault.take() {
            return Err(fault).with_context(|| self.path.display().to_string());
        }
        Ok(self.last.clone())
    }

    /// The losses of the first step and of the last.
    pub(super) fn ends(&self) -> (Option<f64>, Option<f64>) {
        let of = |progress: &Option<Progress>| progress.as_ref().map(|progress| progress.loss);
        (of(&self.first), of(&self.last))
    }
}
