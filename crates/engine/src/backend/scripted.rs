//! A backend that says what it was told to, for tests without C++. It keeps the promises of the port strictly: a gap in positions, a
//! forgotten `forget` or an oversized batch is a failure here, where llama.cpp might only compute nonsense.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Backend, Facts, Failed, Input, Slot, Token, Vocabulary};

/// Its first 256 tokens are bytes, then BOS and EOS, then the pieces given.
const BOS: Token = 256;
const EOS: Token = 257;
const FIRST_PIECE: Token = 258;

/// The script and its pace.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// What the model answers to everything, piece by piece; a piece is a token and may be any bytes.
    pub answer: Vec<Vec<u8>>,
    /// How long one step takes.
    pub step: Duration,
    /// The step, counted from 1, that fails.
    pub fails_at: Option<u64>,
    /// What the model is; the zeros are filled in.
    pub facts: Facts,
}

impl Script {
    /// A model that answers with `pieces`.
    pub fn answering(pieces: &[&str]) -> Self {
        Script { answer: pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect(), ..Script::default() }
    }
}

/// The scripted backend. See [`Script`].
pub struct Scripted {
    script: Script,
    pieces: Arc<Pieces>,
    slots: HashMap<Slot, Sequence>,
    steps: u64,
    log: Arc<Mutex<Vec<Vec<Input>>>>,
}

#[derive(Default)]
struct Sequence {
    tokens: u32,
    answered: usize,
}

impl Scripted {
    /// A backend that follows `script`.
    pub fn new(mut script: Script) -> Self {
        let facts = &mut script.facts;
        for (value, default) in [
            (&mut facts.context, 1024),
            (&mut facts.slots, 8),
            (&mut facts.batch, 64),
            (&mut facts.trained_context, 1024),
        ] {
            if *value == 0 {
                *value = default;
            }
        }
        if facts.cells == 0 {
            facts.cells = facts.context * facts.slots;
        }
        let pieces = Arc::new(Pieces(script.answer.clone()));
        Scripted { script, pieces, slots: HashMap::new(), steps: 0, log: Arc::default() }
    }

    /// Every batch so far, for tests that look at how work was laid out.
    pub fn log(&self) -> Arc<Mutex<Vec<Vec<Input>>>> {
        Arc::clone(&self.log)
    }

    fn accept(&mut self, input: &Input) -> Result<(), Failed> {
        if input.slot.0 >= self.script.facts.slots {
            return Err(Failed(format!("no slot {}", input.slot.0)));
        }
        let sequence = self.slots.entry(input.slot).or_default();
        if sequence.tokens != input.position {
            return Err(Failed(format!("slot {} is at {}, not {}", input.slot.0, sequence.tokens, input.position)));
        }
        sequence.tokens += 1;
        let held: u32 = self.slots.values().map(|sequence| sequence.tokens).sum();
        if held > self.script.facts.cells {
            return Err(Failed(format!("{held} tokens in {} cells", self.script.facts.cells)));
        }
        Ok(())
    }
}

impl Backend for Scripted {
    fn facts(&self) -> &Facts {
        &self.script.facts
    }

    fn vocabulary(&self) -> Arc<dyn Vocabulary> {
        Arc::clone(&self.pieces) as Arc<dyn Vocabulary>
    }

    fn decode(&mut self, batch: &[Input], row: &mut dyn FnMut(usize, &[f32])) -> Result<(), Failed> {
        self.steps += 1;
        std::thread::sleep(self.script.step);
        if self.script.fails_at == Some(self.steps) {
            return Err(Failed("the script says so".into()));
        }
        if batch.is_empty() || batch.len() > self.script.facts.batch as usize {
            return Err(Failed(format!("a batch of {}", batch.len())));
        }
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(batch.to_vec());
        for input in batch {
            self.accept(input)?;
        }
        let mut logits = vec![0.0; self.pieces.size()];
        for (index, input) in batch.iter().enumerate().filter(|(_, input)| input.wants_logits) {
            let sequence = self.slots.entry(input.slot).or_default();
            let next = match self.script.answer.get(sequence.answered) {
                Some(_) => FIRST_PIECE + Token::try_from(sequence.answered).unwrap_or(0),
                None => EOS,
            };
            sequence.answered += 1;
            logits.fill(0.0);
            if let Some(logit) = usize::try_from(next).ok().and_then(|next| logits.get_mut(next)) {
                *logit = 10.0;
            }
            row(index, &logits);
        }
        Ok(())
    }

    fn forget(&mut self, slot: Slot) {
        self.slots.remove(&slot);
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
