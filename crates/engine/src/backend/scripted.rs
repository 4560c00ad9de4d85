//! A backend that says what it was told to, for tests without C++. It keeps the promises of the port strictly: a gap in positions, a cell too
//! many or an oversized batch is a failure here, where llama.cpp might only compute nonsense. And what it says follows from what its cells
//! hold, so that cells that were mixed up are heard.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{Clock, Timestamp};

use super::{Adapter, Backend, Facts, Failed, Input, Lora, Slot, Token, Vocabulary};

/// Its first 256 tokens are bytes, then BOS and EOS, then the pieces given.
const BOS: Token = 256;
const EOS: Token = 257;
const FIRST_PIECE: Token = 258;
/// Bytes of a saved cell: token and state.
const SAVED_CELL: usize = 12;

/// The script and its pace.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// What the model answers to everything, piece by piece; a piece is a token and may be any bytes. The piece after the last one that
    /// the sequence holds comes next.
    pub answer: Vec<Vec<u8>>,
    /// Instead of the answer: each token is a letter, or the end, by a function of all tokens before it and the adapters that they were
    /// computed with. Often it is the letter five before, so that some of it can be guessed.
    pub recalls: bool,
    /// How long one step takes.
    pub step: Duration,
    /// How much longer it takes for each token.
    pub token: Duration,
    /// What goes on by that time instead of the machine's own clock, which then waits for nothing.
    pub clock: Option<Arc<StepClock>>,
    /// The step, counted from 1, that fails.
    pub fails_at: Option<u64>,
    /// Pictures whose places have to be computed all at once, by their tokens.
    pub whole: Vec<Range<Token>>,
    /// Which weights it stands for.
    pub weights: String,
    /// What the model is; the zeros are filled in.
    pub facts: Facts,
}

impl Script {
    /// A model that answers with `pieces`.
    pub fn answering(pieces: &[&str]) -> Self {
        Script { answer: pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect(), ..Script::default() }
    }
}

/// A clock that stands still but for the steps that were computed: what is measured by it is the same on every machine.
#[derive(Debug, Default)]
pub struct StepClock(AtomicU64);

impl Clock for StepClock {
    fn now(&self) -> Timestamp {
        Timestamp(i64::try_from(self.monotonic().as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// The scripted backend. See [`Script`].
pub struct Scripted {
    script: Script,
    pieces: Arc<Pieces>,
    cells: Vec<Cell>,
    adapters: BTreeMap<u32, PathBuf>,
    steps: u64,
    log: Arc<Mutex<Vec<Vec<Input>>>>,
    broken: Arc<AtomicU32>,
}

/// A computed token.
#[derive(Debug, Clone)]
struct Cell {
    position: u32,
    token: Token,
    adapter: Option<Adapter>,
    /// Stands for what was computed: of this token, its adapter and all before it.
    state: u64,
    slots: Vec<Slot>,
}

impl Scripted {
    /// A backend that follows `script`.
    pub fn new(mut script: Script) -> Self {
        let facts = &mut script.facts;
        for (value, default) in [
            (&mut facts.context, 1024),
            (&mut facts.parallel, 8),
            (&mut facts.slots, 24),
            (&mut facts.batch, 64),
            (&mut facts.trained_context, 1024),
        ] {
            if *value == 0 {
                *value = default;
            }
        }
        facts.slots = facts.slots.max(facts.parallel);
        facts.shares = true;
        if facts.cells == 0 {
            facts.cells = facts.context * facts.parallel;
        }
        let pieces = Arc::new(Pieces(script.answer.clone()));
        Scripted {
            script,
            pieces,
            cells: Vec::new(),
            adapters: BTreeMap::new(),
            steps: 0,
            log: Arc::default(),
            broken: Arc::default(),
        }
    }

    /// Every batch so far, for tests that look at how work was laid out.
    pub fn log(&self) -> Arc<Mutex<Vec<Vec<Input>>>> {
        Arc::clone(&self.log)
    }

    /// How often a promise of the port was broken by whoever uses this, for tests that must not see it mended.
    pub fn broken(&self) -> Arc<AtomicU32> {
        Arc::clone(&self.broken)
    }

    fn take_time(&self, tokens: usize) {
        let time = self.script.step + self.script.token * u32::try_from(tokens).unwrap_or(0);
        match &self.script.clock {
            Some(clock) => _ = clock.0.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(0), Ordering::Relaxed),
            None => std::thread::sleep(time),
        }
    }

    /// Computes one token from the cells of its slot.
    fn accept(&mut self, input: &Input, adapter: Option<Adapter>) -> Result<(), Failed> {
        let Input { slot, position, token, .. } = *input;
        if slot.0 >= self.script.facts.slots {
            return Err(Failed::Broken(format!("no slot {}", slot.0)));
        }
        let before: Vec<_> = self.held(slot).collect();
        let whole = before.iter().zip(0..).all(|(cell, at)| cell.position == at);
        if !whole || before.len() != position as usize {
            return Err(Failed::Broken(format!(
                "slot {} holds {} tokens, and {position} is next",
                slot.0,
                before.len()
            )));
        }
        let mut hasher = DefaultHasher::new();
        let applied = adapter.map(|adapter| (self.adapters.get(&adapter.id), adapter.scale().to_bits()));
        (before.last().map(|cell| cell.state), position, token, applied).hash(&mut hasher);
        let state = hasher.finish();
        if self.cells.len() >= self.script.facts.cells as usize {
            return Err(Failed::Full { cells: self.script.facts.cells, wanted: 1 });
        }
        self.cells.push(Cell { position, token, adapter, state, slots: vec![slot] });
        Ok(())
    }

    fn accept_all(&mut self, batch: &[Input], adapter: Option<Adapter>) -> Result<(), Failed> {
        if batch.is_empty() || batch.len() > self.script.facts.batch as usize {
            return Err(Failed::Broken(format!("a batch of {}", batch.len())));
        }
        if adapter.is_some_and(|adapter| !self.adapters.contains_key(&adapter.id)) {
            return Err(Failed::Broken(format!("no such adapter: {adapter:?}")));
        }
        self.whole_pictures(batch)?;
        batch.iter().try_for_each(|input| self.accept(input, adapter))
    }

    fn whole_pictures(&self, batch: &[Input]) -> Result<(), Failed> {
        let mut left = batch;
        while let Some(input) = left.first() {
            let picture = self.script.whole.iter().find(|places| places.contains(&input.token)).cloned();
            let places = picture.unwrap_or(input.token..input.token + 1);
            let (of_it, rest) = left.split_at_checked(places.len()).unwrap_or((left, &[]));
            if !of_it.iter().map(|place| (place.slot, place.token)).eq(places.map(|token| (input.slot, token))) {
                return Err(Failed::Broken("a picture came in pieces".into()));
            }
            left = rest;
        }
        Ok(())
    }

    /// The cells of a slot, in the order of their positions: that in which they were computed.
    fn held(&self, slot: Slot) -> impl Iterator<Item = &Cell> {
        self.cells.iter().filter(move |cell| cell.slots.contains(&slot))
    }

    fn next(&self, input: &Input) -> Token {
        let cells = self.held(input.slot).filter(|cell| cell.position <= input.position);
        if self.script.recalls {
            let cells: Vec<_> = cells.collect();
            let state = cells.last().map_or(0, |cell| cell.state);
            let letters = Token::from(b'a')..=Token::from(b'z');
            let before = cells.iter().nth_back(4).map(|cell| cell.token).filter(|token| letters.contains(token));
            let letter = Token::try_from(state % 26).unwrap_or(0) + letters.start();
            return match (state / 26 % 48, state / 26 / 48 % 4, before) {
                (0, ..) => EOS,
                (_, 1.., Some(before)) => before,
                _ => letter,
            };
        }
        let answered = cells.filter_map(|cell| usize::try_from(cell.token - FIRST_PIECE).ok()).last();
        let piece = answered.map_or(0, |piece| piece + 1);
        let said = piece < self.script.answer.len();
        Token::try_from(piece).ok().filter(|_| said).map_or(EOS, |piece| FIRST_PIECE + piece)
    }
}

impl Backend for Scripted {
    fn facts(&self) -> &Facts {
        &self.script.facts
    }

    fn vocabulary(&self) -> Arc<dyn Vocabulary> {
        Arc::clone(&self.pieces) as Arc<dyn Vocabulary>
    }

    fn decode(
        &mut self,
        batch: &[Input],
        adapter: Option<Adapter>,
        row: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), Failed> {
        self.steps += 1;
        self.take_time(batch.len());
        if self.script.fails_at == Some(self.steps) {
            return Err(Failed::Broken("the script says so".into()));
        }
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(batch.to_vec());
        self.accept_all(batch, adapter).inspect_err(|_| _ = self.broken.fetch_add(1, Ordering::Relaxed))?;
        let mut logits = vec![0.0; self.pieces.size()];
        for (index, input) in batch.iter().enumerate().filter(|(_, input)| input.wants_logits) {
            logits.fill(0.0);
            if let Some(logit) = usize::try_from(self.next(input)).ok().and_then(|next| logits.get_mut(next)) {
                *logit = 10.0;
            }
            row(index, &logits);
        }
        Ok(())
    }

    fn share(&mut self, from: Slot, to: Slot, len: u32) {
        if self.held(to).next().is_some() || self.held(from).count() < len as usize {
            self.broken.fetch_add(1, Ordering::Relaxed);
        }
        for cell in self.cells.iter_mut().filter(|cell| cell.position < len && cell.slots.contains(&from)) {
            cell.slots.push(to);
        }
    }

    fn truncate(&mut self, slot: Slot, len: u32) {
        for cell in self.cells.iter_mut().filter(|cell| cell.position >= len) {
            cell.slots.retain(|&other| other != slot);
        }
        self.cells.retain(|cell| !cell.slots.is_empty());
    }

    /// Any file will do.
    fn attach(&mut self, id: u32, file: &Path) -> Result<Lora, String> {
        let facts = file.metadata().map_err(|error| format!("cannot be read: {error}"))?;
        if self.adapters.insert(id, file.to_owned()).is_some() {
            self.broken.fetch_add(1, Ordering::Relaxed);
        }
        Ok(Lora { rank: 1, alpha: 1.0, bytes: facts.len() })
    }

    fn detach(&mut self, id: u32) {
        let held = self.cells.iter().any(|cell| cell.adapter.is_some_and(|adapter| adapter.id == id));
        if held || self.adapters.remove(&id).is_none() {
            self.broken.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn identity(&self, adapter: Option<u32>) -> Option<String> {
        match adapter {
            None => Some(self.script.weights.clone()),
            Some(id) => self.adapters.get(&id).map(|file| file.display().to_string()),
        }
    }

    fn save(&mut self, slot: Slot) -> Option<Vec<u8>> {
        Some(
            self.held(slot)
                .flat_map(|cell| [&cell.token.to_le_bytes()[..], &cell.state.to_le_bytes()].concat())
                .collect(),
        )
    }

    fn restore(&mut self, slot: Slot, len: u32, state: &[u8]) -> bool {
        let (cells, rest) = state.as_chunks::<SAVED_CELL>();
        let room = self.script.facts.cells as usize - self.cells.len();
        if self.held(slot).next().is_some() || cells.len() > room {
            self.broken.fetch_add(1, Ordering::Relaxed);
            return false;
        }
        if !rest.is_empty() || cells.len() != len as usize {
            return false;
        }
        for ([a, b, c, d, state @ ..], position) in cells.iter().zip(0..) {
            let token = Token::from_le_bytes([*a, *b, *c, *d]);
            self.cells.push(Cell {
                position,
                token,
                state: u64::from_le_bytes(*state),
                adapter: None,
                slots: vec![slot],
            });
        }
        true
    }
}

struct Pieces(Vec<Vec<u8>>);

impl Vocabulary for Pieces {
    fn size(&self) -> usize {
        258 + self.0.len()
    }

    fn encode(&self, text: &str, begin: bool, _markup: bool) -> Vec<Token> {
        begin.then_some(BOS).into_iter().chain(text.bytes().map(Token::from)).collect()
    }

    fn decode(&self, token: Token, _opening: bool, into: &mut Vec<u8>) {
        if let Ok(byte) = u8::try_from(token) {
            into.push(byte);
        } else if let Some(piece) = usize::try_from(token - FIRST_PIECE).ok().and_then(|index| self.0.get(index)) {
            into.extend_from_slice(piece);
        }
    }

    fn ends(&self, token: Token) -> bool {
        token == EOS
    }

    fn marks(&self) -> (String, String) {
        ("<s>".into(), "</s>".into())
    }
}
