//! A training run, from the first step to the last: forward, backward, clip, AdamW, again. It can be stopped at any step and goes on later
//! as if it had not been: the parameters, the moments and the place in the data are in the checkpoint, and everything random depends on
//! the seed and the step alone. The same bits come out on the same kind of processor with the same number of threads.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{
    Error, Schedule,
    adapter::Dropout,
    examples::{Batch, Examples},
    model::{Loss, Model},
    parameters::Gradients,
};

mod adam;
mod checkpoint;

use adam::Adam;
pub(crate) use checkpoint::{to_bytes, write_whole};

/// How a run goes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    pub schedule: Schedule,
    /// Tokens of one batch, at most (a single longer document is a batch, too).
    pub batch_tokens: usize,
    /// Batches whose gradients are summed before each step.
    pub accumulate: usize,
    /// The longest that a step's gradient may be; longer ones are shortened to it.
    pub clip: f64,
    /// How much of each matrix is taken away in each step, times the rate (decoupled weight decay).
    pub decay: f64,
    pub seed: u64,
    /// Steps between two looks at the held-out examples.
    pub held_out_every: usize,
    pub checkpoint_every: Duration,
}

/// What is told after each step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: usize,
    pub steps: usize,
    /// Nats for each token of this step's examples, before the step.
    pub loss: f64,
    /// Nats for each token of the held-out examples; only in steps that looked at them.
    pub held_out: Option<f64>,
    pub rate: f64,
    pub tokens_per_s: f64,
    pub eta_s: f64,
    /// Which pass over the examples, counted from 1.
    pub epoch: usize,
    pub state: State,
}

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Running,
    /// Told to stop before its last step; it can go on.
    Stopped,
    Done,
}

/// What is to happen after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    GoOn,
    Stop,
}

/// A place in the data: a pass over the examples, and the next batch in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    epoch: usize,
    batch: usize,
}

/// A run over a model.
pub struct Run<'a> {
    model: &'a mut Model,
    examples: &'a Examples,
    held_out: Option<&'a Examples>,
    settings: Settings,
    adam: Adam,
    step: usize,
    place: Place,
    /// The batches of the epoch of `place`.
    epoch: Vec<Vec<usize>>,
    checkpoint: Option<PathBuf>,
    last_held_out: Option<f64>,
}

impl<'a> Run<'a> {
    /// A run that has not begun. Where there is a `checkpoint`, it is written there from time to time, and when the run stops or ends;
    /// one that is there already is gone on from.
    ///
    /// # Errors
    /// [`Error::Refused`] when the settings cannot be, or the checkpoint is that of another run; [`Error::Broken`] when it is damaged.
    pub fn new(
        model: &'a mut Model,
        examples: &'a Examples,
        held_out: Option<&'a Examples>,
        settings: Settings,
        checkpoint: Option<&Path>,
    ) -> Result<Self, Error> {
        if settings.batch_tokens == 0 || settings.accumulate == 0 || settings.held_out_every == 0 {
            return Err(Error::Refused(
                "tokens of a batch, batches of a step and steps between looks begin at 1".into(),
            ));
        }
        let epoch = examples.epoch(settings.seed, 0, settings.batch_tokens);
        let adam = Adam::new(&model.parameters);
        let checkpoint = checkpoint.map(Path::to_owned);
        let place = Place::default();
        let mut run =
            Run { model, examples, held_out, settings, adam, step: 0, place, epoch, checkpoint, last_held_out: None };
        if let Some(path) = run.checkpoint.clone().filter(|path| path.exists()) {
            checkpoint::read(&mut run, &path)?;
            run.epoch = run.batches_of(run.place.epoch);
        }
        Ok(run)
    }

    /// Steps that so many passes over the examples take.
    pub fn steps_of(examples: &Examples, settings: &Settings, epochs: usize) -> usize {
        let batches = |epoch| examples.epoch(settings.seed, epoch, settings.batch_tokens).len();
        let total: usize = (0..epochs).map(batches).sum();
        total.div_ceil(settings.accumulate.max(1))
    }

    /// Steps that are done.
    pub fn step(&self) -> usize {
        self.step
    }

    /// The held-out loss that was measured last, in nats for each token.
    pub fn last_held_out(&self) -> Option<f64> {
        self.last_held_out
    }

    /// Runs until the last step, or until `watch`, which is told of each, says to stop.
    ///
    /// # Errors
    /// [`Error::Refused`] when the loss is no number any more; [`Error::Unreadable`] when the checkpoint cannot be written.
    pub fn go(&mut self, mut watch: impl FnMut(&Progress) -> Then) -> Result<State, Error> {
        let steps = self.settings.schedule.steps;
        let (begun, first) = (Instant::now(), self.step);
        let mut saved = begun;
        while self.step < steps {
            let (from, epoch) = (Instant::now(), self.place.epoch + 1);
            let rate = self.settings.schedule.rate(self.step);
            let (loss, tokens) = self.learn()?;
            let took = from.elapsed().as_secs_f64();
            let is_last = self.step == steps;
            let looks = is_last || self.step.is_multiple_of(self.settings.held_out_every);
            let held_out = if looks { self.look()? } else { None };

            let each = begun.elapsed().as_secs_f64() / (self.step - first) as f64;
            let state = if is_last { State::Done } else { State::Running };
            let then = watch(&Progress {
                step: self.step,
                steps,
                loss: loss.mean(),
                held_out,
                rate,
                tokens_per_s: tokens as f64 / took,
                eta_s: each * (steps - self.step) as f64,
                epoch,
                state,
            });
            let stops = then == Then::Stop;
            if is_last || stops || saved.elapsed() >= self.settings.checkpoint_every {
                self.save()?;
                saved = Instant::now();
            }
            if stops && !is_last {
                return Ok(State::Stopped);
            }
        }
        Ok(State::Done)
    }

    /// The mean loss on the held-out examples.
    ///
    /// # Errors
    /// [`Error::Computation`]: none that is known.
    pub fn look(&mut self) -> Result<Option<f64>, Error> {
        let Some(held_out) = self.held_out else { return Ok(None) };
        let loss = loss_of(self.model, held_out, self.settings.batch_tokens)?;
        self.last_held_out = Some(loss.mean());
        Ok(self.last_held_out)
    }

    /// One step: its loss before it, and the tokens that went through.
    fn learn(&mut self) -> Result<(Loss, usize), Error> {
        let mut gradients = Gradients::default();
        let (mut loss, mut tokens) = (Loss::default(), 0);
        let rate = self.model.lora().map_or(0.0, |lora| lora.dropout);
        for part in 0..self.settings.accumulate {
            let batch = self.next_batch();
            let step = [self.step as u64, part as u64];
            let dropout = (rate > 0.0).then_some(Dropout { rate, seed: self.settings.seed, step });
            loss += self.model.learn(&batch, dropout.as_ref(), &mut gradients)?;
            tokens += batch.tokens();
        }
        let mean = 1.0 / loss.tokens.max(1) as f64;
        let length = gradients.length()? * mean;
        if !(loss.sum.is_finite() && length.is_finite()) {
            return Err(Error::Refused(format!(
                "the loss is no number any more at step {}; a smaller learning rate may help",
                self.step + 1
            )));
        }
        let shorter = if length > self.settings.clip { self.settings.clip / length } else { 1.0 };
        let step = adam::Step {
            number: self.step + 1,
            rate: self.settings.schedule.rate(self.step),
            decay: self.settings.decay,
            scale: (mean * shorter) as f32,
        };
        self.adam.update(&mut self.model.parameters, &gradients, step)?;
        self.step += 1;
        Ok((loss, tokens))
    }

    fn next_batch(&mut self) -> Batch {
        if self.place.batch == self.epoch.len() {
            self.place = Place { epoch: self.place.epoch + 1, batch: 0 };
            self.epoch = self.batches_of(self.place.epoch);
        }
        self.place.batch += 1;
        self.examples.batch(&self.epoch[self.place.batch - 1])
    }

    fn batches_of(&self, epoch: usize) -> Vec<Vec<usize>> {
        self.examples.epoch(self.settings.seed, epoch, self.settings.batch_tokens)
    }

    fn save(&self) -> Result<(), Error> {
        match &self.checkpoint {
            Some(path) => checkpoint::write(self, path),
            None => Ok(()),
        }
    }
}

/// The loss of a model on examples, `batch_tokens` of them at a time.
///
/// # Errors
/// [`Error::Computation`]: none that is known.
pub fn loss_of(model: &Model, examples: &Examples, batch_tokens: usize) -> Result<Loss, Error> {
    let mut loss = Loss::default();
    for which in examples.in_order(batch_tokens) {
        loss += model.loss(&examples.batch(&which))?;
    }
    Ok(loss)
}

/// Does `work` on so many threads.
///
/// # Errors
/// [`Error::Refused`] when the system gives no such threads.
pub fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> Result<R, Error> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Refused(format!("{threads} threads cannot be started: {error}")))?;
    Ok(pool.install(work))
}
