//! The loop of the scheduler's thread: take in, admit, lay out one batch, compute it, retire. A sequence that has to make way loses its place in
//! the cache and nothing else: it waits, and is computed again up to where it was.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    time::{Duration, Instant},
};

use domain::{Clock, SystemClock};
use tokio::sync::oneshot;

use super::{
    Load, Message,
    adapters::{Adapters, Attached, NotChanged, Wanted},
    draft::Draft,
    guesses::Guessers,
    memory::{Memory, Piece, WORTH_SHARING},
    pace::{self, Pace},
    saved::Saved,
    sequence::Sequence,
    tree,
    turns::{Priority, Turns},
};
use crate::backend::{Backend, Facts, Failed, Lora, Slot, Token, Vocabulary};

/// How often sequences that cannot go on look whether they can.
const PAUSE: Duration = Duration::from_millis(2);
/// How long nobody has asked for anything when what is worth it is saved, and how much time there is for that at the end.
const QUIET: Duration = Duration::from_secs(5);
const LAST_CHORES: Duration = Duration::from_millis(500);
/// Cells that are left to each running sequence to answer into when one more is admitted: it is not to be thrown out again at once.
const RESERVE: u32 = 64;
/// A batch that has made way this often makes way no more, so that it comes to its end.
const PATIENCE: u32 = 3;
/// What a new measurement of the queue's pace counts against all before it.
const NEW: f64 = 0.3;

/// The scheduler's own side: backend, queue and running sequences.
pub struct Work {
    memory: Memory,
    vocabulary: Arc<dyn Vocabulary>,
    inbox: Receiver<Message>,
    waiting: Vec<Sequence>,
    running: Vec<Sequence>,
    turns: Turns,
    adapters: Adapters,
    pace: Pace,
    /// By which steps and waiting are measured.
    clock: Arc<dyn Clock>,
    guessers: Guessers,
    load: Arc<Load>,
    arrivals: u64,
    /// Whether the last turn found nothing to compute.
    idle: bool,
    /// Whether something has ended since what was computed was last looked through for what to save.
    untidy: bool,
    /// Seconds between two requests that leave the queue, and since when the first has been waiting to.
    between: Option<f64>,
    queue_stands: Option<Duration>,
}

/// What one sequence has in a step.
struct Part {
    arrival: u64,
    slot: Slot,
    tokens: Vec<Token>,
    /// Tokens of its history before the step.
    history: usize,
    /// How many of the tokens, at the end, are guessed.
    guessed: usize,
    /// Whether these are its last tokens, after which the next is chosen.
    completes: bool,
    /// Whether this is a piece of a longer text to read, not one token.
    reads: bool,
}

impl Work {
    pub(super) fn new(
        backend: Box<dyn Backend>,
        draft: Option<Box<dyn Backend>>,
        inbox: Receiver<Message>,
        load: Arc<Load>,
        wanted: Wanted,
        step_target: Duration,
        saved: Option<Saved>,
    ) -> Self {
        let vocabulary = backend.vocabulary();
        Work {
            guessers: Guessers::new(draft.map(|draft| Draft::new(draft, &*vocabulary))),
            vocabulary,
            memory: Memory::new(backend, saved),
            inbox,
            waiting: Vec::new(),
            running: Vec::new(),
            turns: Turns::default(),
            adapters: Adapters::new(wanted),
            pace: Pace::new(step_target),
            clock: Arc::new(SystemClock::new()),
            load,
            arrivals: 0,
            idle: false,
            untidy: false,
            between: None,
            queue_stands: None,
        }
    }

    /// Steps and waiting are measured by `clock`, not the machine's own.
    #[must_use]
    pub fn timed_by(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Works until it is stopped, or nobody can ask any more. Then what is worth it is saved, as far as there is time.
    pub fn run(mut self) {
        while self.wait_and_take_in() {
            self.turn();
        }
        let until = Instant::now() + LAST_CHORES;
        while self.untidy && Instant::now() < until && self.memory.tidy() {}
    }

    /// Takes in what has been asked and computes at most one step, without waiting. False when it is over. For who needs to know what happens
    /// between two steps; [`run`](Self::run) does all of it.
    pub fn advance(&mut self) -> bool {
        let first = self.inbox.try_recv();
        let goes_on = self.take_in(first);
        if goes_on {
            self.turn();
        }
        goes_on
    }

    fn turn(&mut self) {
        self.drop_left();
        self.admit();
        self.tell_positions();
        let step = self.lay_out();
        self.idle = step.is_empty();
        if !step.is_empty() {
            self.compute(&step);
        }
        self.retire();
        for (id, gone) in self.adapters.gone() {
            self.memory.detach(id);
            // Whoever asked need not have waited for it.
            let _ = gone.send(());
        }
    }

    /// Loads an adapter, as [`Scheduler::attach`](super::Scheduler::attach) does for who does not own the work.
    ///
    /// # Errors
    /// [`NotChanged::Refused`].
    pub fn attach(&mut self, file: &Path) -> Result<(u32, Lora), NotChanged> {
        let id = self.adapters.new_id();
        let lora = self.memory.attach(id, file).map_err(NotChanged::Refused)?;
        self.adapters.wanted.add(id);
        Ok((id, lora))
    }

    fn attach_for(&mut self, file: &Path, reply: Attached) {
        if let Err(Ok((id, _))) = reply.send(self.attach(file)) {
            // Whoever asked has left: nobody would ever use it or give it up.
            let _ = self.adapters.wanted.close(id, true);
            self.adapters.leaves(id, oneshot::channel().0);
        }
    }

    fn wait_and_take_in(&mut self) -> bool {
        let nobody_asks = self.waiting.is_empty() && self.running.is_empty();
        let first = if nobody_asks && !self.untidy {
            self.inbox.recv().map_err(|_| TryRecvError::Disconnected)
        } else if nobody_asks || self.idle {
            self.inbox.recv_timeout(if nobody_asks { QUIET } else { PAUSE }).map_err(|error| match error {
                RecvTimeoutError::Timeout => TryRecvError::Empty,
                RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
            })
        } else {
            self.inbox.try_recv()
        };
        if nobody_asks && matches!(first, Err(TryRecvError::Empty)) {
            self.untidy = self.memory.tidy();
        }
        self.take_in(first)
    }

    fn take_in(&mut self, first: Result<Message, TryRecvError>) -> bool {
        let mut message = first;
        loop {
            match message {
                Ok(Message::Ask(ask)) => {
                    self.arrivals += 1;
                    let sequence = Sequence::new(*ask, self.arrivals);
                    self.turns.enter(&sequence.flow);
                    self.waiting.push(sequence);
                }
                Ok(Message::Attach(file, reply)) => self.attach_for(&file, reply),
                Ok(Message::Detach(id, gone)) => self.adapters.leaves(id, gone),
                // Who asked and left need not be told.
                Ok(Message::Pin { adapter, tokens, done }) => drop(done.send(self.memory.pin(adapter, &tokens))),
                Ok(Message::Unpin { id, done }) => drop(done.send(self.memory.unpin(&id))),
                Ok(Message::Prefixes { done }) => drop(done.send(self.memory.prefixes())),
                Ok(Message::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
            message = self.inbox.try_recv();
        }
    }

    fn drop_left(&mut self) {
        for sequence in self.waiting.iter_mut().chain(&mut self.running) {
            sequence.notice_reader();
        }
        for sequence in self.waiting.extract_if(.., |sequence| sequence.has_ended()) {
            self.turns.leave(&sequence.flow);
            self.load.queued.fetch_sub(1, Ordering::Relaxed);
        }
        self.retire();
    }

    /// Starts who is next as long as there is a place; what waits behind it waits, too, so that large requests come to their turn. Only
    /// somebody who waits for an answer may go before a batch whose turn it would be, in the place of another batch.
    fn admit(&mut self) {
        while let Some(next) = self.next_waiting(|_| true) {
            if self.has_place(next, |_| true) {
                self.start(next);
                continue;
            }
            let urgent = self.next_waiting(|sequence| sequence.flow.priority == Priority::Interactive);
            match urgent {
                Some(urgent) if self.make_way(urgent) => self.start(urgent),
                _ => break,
            }
        }
        match self.waiting.is_empty() {
            true => self.queue_stands = None,
            false => _ = self.queue_stands.get_or_insert_with(|| self.clock.monotonic()),
        }
    }

    fn next_waiting(&self, may: impl Fn(&Sequence) -> bool) -> Option<usize> {
        let order = |&index: &usize| (self.turns.order(&self.waiting[index].flow), self.waiting[index].arrival);
        let ready = |&index: &usize| !self.waiting[index].is_paused() && may(&self.waiting[index]);
        (0..self.waiting.len()).filter(ready).min_by_key(order)
    }

    /// Whether a waiting sequence could run beside those of the running ones that stay: itself, what they have still to read, and something to
    /// answer into for all.
    fn has_place(&self, index: usize, stays: impl Fn(&Sequence) -> bool) -> bool {
        let newcomer = &self.waiting[index];
        let staying = || self.running.iter().filter(|sequence| stays(sequence));
        let count = staying().count();
        if count >= self.memory.facts().parallel as usize {
            return false;
        }
        let to_read = |sequence: &Sequence| sequence.pending(sequence.slot.map_or(0, |slot| self.memory.len(slot)));
        let answers = |sequence: &Sequence| sequence.left().min(RESERVE);
        let theirs: u32 = staying().map(|sequence| to_read(sequence).saturating_add(answers(sequence))).sum();
        let own = self.memory.need(newcomer.adapter(), newcomer.history()).saturating_add(answers(newcomer));
        count == 0
            || theirs.saturating_add(own) <= self.memory.room_beside(staying().filter_map(|sequence| sequence.slot))
    }

    /// Lets running batches make way for a waiting sequence; false where that does not help.
    fn make_way(&mut self, index: usize) -> bool {
        let yields = |sequence: &Sequence| rank(sequence).1;
        if !self.has_place(index, |running| !yields(running)) {
            return false;
        }
        while !self.has_place(index, |_| true) {
            let batches = (0..self.running.len()).filter(|&at| yields(&self.running[at]));
            let Some(victim) = batches.max_by_key(|&at| rank(&self.running[at])) else { return false };
            self.preempt(victim);
        }
        true
    }

    fn start(&mut self, index: usize) {
        let mut sequence = self.waiting.remove(index);
        // There is a slot: no more than `parallel` run, and what is kept makes way.
        sequence.slot = self.memory.open(sequence.adapter(), sequence.history());
        sequence.finds(sequence.slot.map_or(0, |slot| self.memory.len(slot)));
        let now = self.clock.monotonic();
        if let Some(since) = self.queue_stands.replace(now) {
            let seconds = now.saturating_sub(since).as_secs_f64();
            self.between = Some(self.between.map_or(seconds, |known| known + (seconds - known) * NEW));
        }
        self.load.queued.fetch_sub(1, Ordering::Relaxed);
        self.load.active.fetch_add(1, Ordering::Relaxed);
        self.running.push(sequence);
    }

    /// Takes a running sequence's place away. What it held is kept as long as nobody needs the room.
    fn preempt(&mut self, index: usize) {
        let mut sequence = self.running.remove(index);
        if let Some(slot) = sequence.slot.take() {
            self.memory.close(slot, &sequence.flow.person, true);
        }
        self.guessers.forget(sequence.arrival);
        sequence.preempted += 1;
        tracing::debug!(request = sequence.arrival, times = sequence.preempted, "a sequence makes way");
        self.load.active.fetch_sub(1, Ordering::Relaxed);
        self.load.queued.fetch_add(1, Ordering::Relaxed);
        self.waiting.push(sequence);
    }

    fn tell_positions(&mut self) {
        let turns = &self.turns;
        let mut queue: Vec<_> = self.waiting.iter_mut().collect();
        queue.sort_by_key(|sequence| (turns.order(&sequence.flow), sequence.arrival));
        for (position, sequence) in (1_u32..).zip(queue) {
            let wait = self.between.and_then(|seconds| Duration::try_from_secs_f64(seconds * f64::from(position)).ok());
            sequence.tell_position(position, wait);
        }
    }

    /// The next step: one token of each sequence that is answering, then pieces of what is still to be read, all with one adapter.
    fn lay_out(&mut self) -> Vec<Part> {
        if let Some(suspect) = self.running.iter().position(|sequence| sequence.suspect && !sequence.is_paused()) {
            let most = self.pace.prompt_tokens(0).min(self.memory.facts().batch);
            let part = self.part(suspect, self.with_whole_pictures(suspect, most));
            return part.into_iter().collect();
        }
        let ready = self.running.iter().filter(|sequence| !sequence.is_paused()).map(Sequence::adapter);
        let Some(adapter) = self.adapters.next(ready) else { return Vec::new() };
        let of_step = |sequence: &Sequence| sequence.adapter() == adapter && !sequence.is_paused();
        let answers = |work: &Work| -> Vec<usize> {
            let answering = |&index: &usize| of_step(&work.running[index]) && work.pending(index) == 1;
            (0..work.running.len()).filter(answering).collect()
        };
        while (self.memory.room() as usize) < answers(self).len() && self.running.len() > 1 {
            self.preempt_last(&[], None);
        }
        let batch = self.memory.facts().batch as usize;
        let mut step: Vec<Part> =
            answers(self).into_iter().take(batch).filter_map(|index| self.part(index, 1)).collect();
        self.add_guesses(&mut step);
        self.add_reading(&mut step, of_step);
        step
    }

    /// Adds what may come next where few are answering: a token more costs little then.
    fn add_guesses(&mut self, step: &mut [Part]) {
        let &Facts { shares, batch, guesses, tile, .. } = self.memory.facts();
        if !shares {
            return;
        }
        let (before, answering) = (size(step), step.len());
        let mut room = guesses.min(batch).min(self.memory.room()).saturating_sub(size(step)) as usize;
        for part in step.iter_mut() {
            let Some(index) = self.running.iter().position(|sequence| sequence.arrival == part.arrival) else {
                continue;
            };
            let guess = self.running[index].guess(&mut self.guessers, room, answering);
            room -= guess.len();
            part.guessed = guess.len();
            part.tokens.extend(guess);
        }
        // What is beyond a whole tile costs more than it can bring.
        let mut beyond = (size(step) % tile.max(1)).min(size(step) - before);
        for part in step.iter_mut().rev() {
            while beyond > 0 && part.guessed > 0 {
                part.tokens.pop();
                part.guessed -= 1;
                beyond -= 1;
            }
        }
    }

    /// Adds pieces of what is still to be read, those first who have had least.
    fn add_reading(&mut self, step: &mut Vec<Part>, of_step: impl Fn(&Sequence) -> bool) {
        // Those count, too, who answer with another adapter: their turn comes after this step.
        let answering = |&index: &usize| !self.running[index].is_paused() && self.pending(index) == 1;
        let answering = (0..self.running.len()).filter(answering).count();
        let most = self.memory.facts().batch.saturating_sub(size(step)).min(self.pace.prompt_tokens(answering));
        let mut left = most;
        let mut reading: Vec<_> = (0..self.running.len())
            .filter(|&index| of_step(&self.running[index]) && self.pending(index) > 1)
            .map(|index| (self.turns.order(&self.running[index].flow), self.running[index].arrival))
            .collect();
        reading.sort_unstable();
        for (_, arrival) in reading {
            let Some(index) = self.index_of(arrival) else { continue };
            self.catch_up(index);
            if left == 0 || self.is_read_by_another(index, step) {
                continue;
            }
            let wanted = pace::piece(self.pending(index), left, size(step), self.memory.facts().tile.max(1));
            let wanted = self.with_whole_pictures(index, wanted);
            if wanted > self.memory.facts().batch.saturating_sub(size(step)) {
                // A picture: others fill this step, and it comes first in another.
                continue;
            }
            while self.memory.room() < size(step) + wanted && self.preempt_last(step, Some(arrival)) {}
            let room = self.memory.room().saturating_sub(size(step));
            let Some(index) = self.index_of(arrival) else { continue };
            if let Some(part) = self.part(index, wanted.min(room)) {
                left = left.saturating_sub(count(&part.tokens));
                step.push(part);
            }
        }
    }

    fn catch_up(&mut self, index: usize) {
        let sequence = &mut self.running[index];
        if let Some(slot) = sequence.slot {
            let before = self.memory.len(slot);
            self.memory.catch_up(slot, sequence.adapter(), sequence.history());
            sequence.finds(self.memory.len(slot) - before);
        }
    }

    /// Whether what a sequence has to read next is being read by another in this step: then it waits, and shares it.
    fn is_read_by_another(&self, index: usize, step: &[Part]) -> bool {
        if !self.memory.facts().shares {
            return false;
        }
        let history = self.running[index].history();
        let held = history.len() - self.pending(index) as usize;
        let reading = step.iter().filter(|part| part.reads).filter_map(|part| self.index_of(part.arrival));
        reading.into_iter().any(|other| {
            let in_common = tree::common(history, self.running[other].history()).min(history.len() - 1);
            in_common >= held + WORTH_SHARING as usize
        })
    }

    /// The last in rank makes way: not one of `step`, and none that ranks before `arrival`. False when there is none.
    fn preempt_last(&mut self, step: &[Part], arrival: Option<u64>) -> bool {
        let least = arrival.and_then(|arrival| self.index_of(arrival)).map(|index| rank(&self.running[index]));
        let may = |&index: &usize| {
            let sequence = &self.running[index];
            least.is_none_or(|least| rank(sequence) > least)
                && !step.iter().any(|part| part.arrival == sequence.arrival)
        };
        let victim = (0..self.running.len()).filter(may).max_by_key(|&index| rank(&self.running[index]));
        victim.is_some_and(|victim| {
            self.preempt(victim);
            true
        })
    }

    fn index_of(&self, arrival: u64) -> Option<usize> {
        self.running.iter().position(|sequence| sequence.arrival == arrival)
    }

    fn pending(&self, index: usize) -> u32 {
        let sequence = &self.running[index];
        sequence.pending(sequence.slot.map_or(0, |slot| self.memory.len(slot)))
    }

    /// How many of a running sequence's next tokens are to be computed instead of `most`, so that no picture is cut whose places are computed all
    /// at once: fewer, or more where such a picture comes first.
    fn with_whole_pictures(&self, index: usize, most: u32) -> u32 {
        let (sequence, pending) = (&self.running[index], self.pending(index));
        let begin = sequence.history().len() - pending as usize;
        let cut = |end: usize| sequence.whole_picture(end).filter(|picture| picture.start < end);
        match cut(begin + pending.min(most) as usize) {
            None => most,
            Some(picture) if picture.start > begin => u32::try_from(picture.start - begin).unwrap_or(most),
            Some(picture) => u32::try_from(picture.end - begin).unwrap_or(most),
        }
    }

    /// The next `most` tokens of a running sequence; fewer where more would cut a picture.
    fn part(&self, index: usize, most: u32) -> Option<Part> {
        let sequence = &self.running[index];
        let pending = self.pending(index);
        let history = sequence.history();
        let begin = history.len() - pending as usize;
        let end = begin + pending.min(most) as usize;
        let cut = sequence.whole_picture(end).filter(|picture| picture.start < end);
        let end = cut.map_or(end, |picture| picture.start);
        let tokens = history.get(begin..end)?.to_vec();
        let part = Part {
            arrival: sequence.arrival,
            slot: sequence.slot?,
            tokens,
            history: history.len(),
            guessed: 0,
            completes: end == history.len(),
            reads: pending > 1,
        };
        (!part.tokens.is_empty()).then_some(part)
    }

    fn compute(&mut self, step: &[Part]) {
        let adapter =
            step.first().and_then(|part| self.index_of(part.arrival)).and_then(|at| self.running[at].adapter());
        let wants_from = |part: &Part| part.tokens.len() - usize::from(part.completes) - part.guessed;
        let pieces: Vec<_> = step
            .iter()
            .map(|part| Piece { slot: part.slot, tokens: &part.tokens, wants_from: wants_from(part) })
            .collect();
        let began = self.clock.monotonic();
        let (running, vocabulary) = (&mut self.running, &*self.vocabulary);
        let computed = self.memory.compute(adapter, &pieces, &mut |part, nth, logits| {
            let Some(part) = step.get(part) else { return };
            let Some(sequence) = running.iter_mut().find(|sequence| sequence.arrival == part.arrival) else { return };
            // What follows a guess counts only where that guess and those before it were right.
            let guesses = (nth + 1).saturating_sub(part.tokens.len() - part.guessed);
            let right = sequence.history().len() == part.history + guesses;
            if guesses == 0 || right && part.tokens.get(nth).is_some_and(|&guess| sequence.went_on_with(guess)) {
                sequence.continue_with(logits, vocabulary);
            }
        });
        match computed {
            Ok(()) => self.book(step, self.clock.monotonic().saturating_sub(began)),
            Err(failed) => self.bear(step, &failed),
        }
    }

    fn book(&mut self, step: &[Part], time: Duration) {
        let read: u32 = step.iter().filter(|part| part.reads).map(|part| count(&part.tokens)).sum();
        self.adapters.took(time);
        self.pace.observe(read, step.iter().filter(|part| !part.reads).count(), time);
        let mut drafted = 0;
        for part in step {
            let Some(index) = self.index_of(part.arrival) else { continue };
            let sequence = &mut self.running[index];
            sequence.suspect = false;
            let (read, answered) = if part.reads { (count(&part.tokens), 0) } else { (0, count(&part.tokens)) };
            self.turns.charge(&sequence.flow, read, answered);
            if part.guessed > 0 {
                // All but the last of the history has been computed; what was guessed beyond it was wrong.
                let right = count(sequence.history()).saturating_sub(1);
                let wrong = self.memory.len(part.slot).saturating_sub(right);
                let came = part.guessed.saturating_sub(wrong as usize);
                sequence.guesses.learn(part.guessed, came);
                drafted += if sequence.guesses.is_by_draft() { came } else { 0 };
                self.memory.cut(part.slot, right);
            }
            sequence.flush();
        }
        match read {
            0 => self.guessers.observe(step.len(), drafted, time),
            _ => self.guessers.pass_over(),
        }
    }

    /// A step failed: what was in it is tried again one by one, and what fails alone ends.
    fn bear(&mut self, step: &[Part], failed: &Failed) {
        tracing::warn!(error = %failed, tokens = size(step), sequences = step.len(), "a step failed");
        self.memory.drop_kept();
        for part in step {
            let Some(index) = self.index_of(part.arrival) else { continue };
            match step.len() {
                1 => self.running[index].fail(failed),
                _ => self.running[index].suspect = true,
            }
        }
    }

    /// Frees what ended sequences held.
    fn retire(&mut self) {
        for sequence in self.running.extract_if(.., |sequence| sequence.has_ended()) {
            if let Some(slot) = sequence.slot {
                self.memory.close(slot, &sequence.flow.person, !sequence.suspect);
                self.untidy = true;
            }
            self.guessers.forget(sequence.arrival);
            self.turns.leave(&sequence.flow);
            self.load.active.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Who makes way last comes first: nobody for one whose reader does not read, a batch that still has patience for those who wait, and else
/// who came later for who came earlier; so the earliest always comes to its end.
fn rank(sequence: &Sequence) -> (bool, bool, u64) {
    let yields = sequence.flow.priority == Priority::Batch && sequence.preempted < PATIENCE;
    (sequence.is_paused(), yields, sequence.arrival)
}

fn size(step: &[Part]) -> u32 {
    step.iter().map(|part| count(&part.tokens)).sum()
}

fn count(tokens: &[Token]) -> u32 {
    u32::try_from(tokens.len()).unwrap_or(u32::MAX)
}
