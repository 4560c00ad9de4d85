//! A model that makes numbers by a function of the tokens alone, for tests without C++. It keeps the promises of the port strictly: an empty
//! text, or more than it takes at once, is a failure here, where llama.cpp might abort.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{Embedder, Facts, Makes, Pooling};
use crate::{
    backend::{
        Backend, Failed, Token, Vocabulary,
        scripted::{Script, Scripted as Writer},
    },
    rerank::Pairing,
};

/// What it is, and its pace.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Numbers of a vector; 0 makes it a reranker.
    pub dimensions: u32,
    /// Whether a vector may be cut.
    pub nested: bool,
    /// Most tokens of a text.
    pub context: u32,
    /// Most tokens of a step, where that is more.
    pub batch: u32,
    /// Most texts of a step.
    pub texts: u32,
    /// How long a step takes.
    pub step: Duration,
    /// A token that no step with it survives.
    pub poison: Option<Token>,
}

impl Default for Plan {
    fn default() -> Self {
        Plan { dimensions: 8, nested: false, context: 64, batch: 128, texts: 16, step: Duration::ZERO, poison: None }
    }
}

/// The scripted model. See [`Plan`].
pub struct Scripted {
    plan: Plan,
    facts: Facts,
    vocabulary: Arc<dyn Vocabulary>,
    log: Arc<Mutex<Vec<Vec<Vec<Token>>>>>,
}

impl Scripted {
    /// A model that follows `plan`. Its tokens are bytes, as the scripted writer's.
    pub fn new(plan: Plan) -> Self {
        let makes = match plan.dimensions {
            0 => Makes::Scores(Pairing { begins: 1, between: Vec::new(), template: None }),
            dimensions => Makes::Vectors { dimensions, nested: plan.nested },
        };
        let facts = Facts {
            makes,
            pooling: if plan.dimensions == 0 { Pooling::Rank } else { Pooling::Mean },
            context: plan.context,
            batch: plan.batch.max(plan.context),
            texts: plan.texts,
            parameters: 0,
            size: 0,
            trained_context: plan.context,
            description: "scripted".into(),
        };
        Scripted { plan, facts, vocabulary: Writer::new(Script::default()).vocabulary(), log: Arc::default() }
    }

    /// Every step so far, for tests that look at how work was laid out.
    pub fn log(&self) -> Arc<Mutex<Vec<Vec<Vec<Token>>>>> {
        Arc::clone(&self.log)
    }

    /// What it makes of a text: numbers from 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "below 1000")]
    pub fn numbers(&self, text: &[Token]) -> Vec<f32> {
        let number = |nth: u32| {
            let mut hasher = DefaultHasher::new();
            (nth, text).hash(&mut hasher);
            (hasher.finish() % 1000) as f32 / 1000.0
        };
        (0..self.plan.dimensions.max(1)).map(number).collect()
    }
}

impl Embedder for Scripted {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn vocabulary(&self) -> Arc<dyn Vocabulary> {
        Arc::clone(&self.vocabulary)
    }

    fn compute(&mut self, texts: &[&[Token]]) -> Result<Vec<Vec<f32>>, Failed> {
        std::thread::sleep(self.plan.step);
        let tokens: usize = texts.iter().map(|text| text.len()).sum();
        let fits = !texts.is_empty() && texts.len() <= self.plan.texts as usize;
        if !fits
            || tokens > self.facts.batch as usize
            || texts.iter().any(|text| text.is_empty() || text.len() > self.plan.context as usize)
        {
            return Err(Failed::Broken(format!("a step of {} texts with {tokens} tokens", texts.len())));
        }
        if texts.iter().any(|text| text.iter().any(|&token| Some(token) == self.plan.poison)) {
            return Err(Failed::Broken("the plan says so".into()));
        }
        let step = texts.iter().map(|text| text.to_vec()).collect();
        self.log.lock().unwrap_or_else(PoisonError::into_inner).push(step);
        Ok(texts.iter().map(|text| self.numbers(text)).collect())
    }
}
