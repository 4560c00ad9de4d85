//! OpenAI's answers as events. Their bytes travel on as they came, but for the usage that the client did not ask for and for
//! calls that a back end named by one index.

mod renumbered;

use domain::{Finish, ModelError, OnBehalf, Prompt, TurnEvent, Usage};
use openai::{CallIndexes, DONE, Usages, parse_chunk};
use serde::Deserialize;

use super::fault;
use crate::providers::reading::{Keep, Listener, Said};
use renumbered::renumbered;

/// A place in the queue of our own worker.
#[derive(Deserialize)]
struct Place {
    position: u32,
    wait_ms: Option<u64>,
}

/// One answer being listened to.
pub(super) struct Chunks {
    model: String,
    wants_usage: bool,
    on_behalf: Option<OnBehalf>,
    calls: CallIndexes,
    called: bool,
    spoke: bool,
    done: bool,
    finish: Option<Finish>,
    usage: Option<Usage>,
}

impl Chunks {
    pub(super) fn new(prompt: &Prompt) -> Chunks {
        Chunks {
            model: prompt.model.clone(),
            wants_usage: prompt.body.as_ref().is_some_and(|body| body.wants_usage),
            on_behalf: prompt.on_behalf.clone(),
            calls: CallIndexes::default(),
            called: false,
            spoke: false,
            done: false,
            finish: None,
            usage: None,
        }
    }
}

impl Listener for Chunks {
    fn hear(&mut self, said: &Said<'_>, events: &mut Vec<TurnEvent>) -> Result<Keep, ModelError> {
        if said.data == DONE {
            self.done = true;
            return Ok(Keep::Not);
        }
        let chunk = match parse_chunk(said.data) {
            Ok(chunk) => chunk,
            Err(_) if said.event == Some(b"error") => {
                let message = String::from_utf8_lossy(said.data).chars().take(600).collect();
                return Err(ModelError::Broken { status: None, message, retry_after: None });
            }
            Err(error) => return Err(said.garbled(error)),
        };
        if let Some(fault) = chunk.fault() {
            return Err(fault::inside(fault, &self.model));
        }
        let before = events.len();
        let changed = chunk.events(&mut self.calls, events);
        let new = &events[before..];
        self.spoke |= !new.is_empty();
        self.called |= new.iter().any(|event| matches!(event, TurnEvent::ToolCalled { .. }));
        self.usage = chunk.usage().or(self.usage);
        self.finish = chunk.finish().or(self.finish);
        if changed {
            return Ok(renumbered(said.data, new).map_or(Keep::AsItCame, Keep::Instead));
        }
        Ok(if chunk.usages() == Usages::Only && !self.wants_usage { Keep::Not } else { Keep::AsItCame })
    }

    /// Our own worker tells a waiting request its place so.
    fn hear_comment(&mut self, text: &[u8]) {
        let Some(on_behalf) = &self.on_behalf else { return };
        let told = text.strip_prefix(b": queued ").and_then(|told| serde_json::from_slice::<Place>(told).ok());
        if let Some(Place { position, wait_ms }) = told {
            (on_behalf.queued)(position, wait_ms);
        }
    }

    /// Some back ends give no reason in an answer of one piece; that there is one is its end.
    fn hear_whole(&mut self, said: &Said<'_>, events: &mut Vec<TurnEvent>) -> Result<(), ModelError> {
        let chunk = parse_chunk(said.data).map_err(|error| said.garbled(error))?;
        if let Some(fault) = chunk.fault() {
            return Err(fault::inside(fault, &self.model));
        }
        chunk.events(&mut self.calls, events);
        self.finish = match chunk.finish() {
            None if events.is_empty() => return Err(said.garbled("there is no answer in it")),
            finish => finish.or(Some(Finish::Stop)),
        };
        self.usage = chunk.usage();
        Ok(())
    }

    fn finish(&self) -> Option<Finish> {
        self.finish
    }

    /// The answer is whole where the back end said so, by a reason or by its end mark.
    fn ending(&self) -> Result<Option<Finish>, ModelError> {
        match self.finish {
            Some(Finish::Failed) => {
                let message = "it ended the answer with an error of its own".to_owned();
                Err(ModelError::Broken { status: None, message, retry_after: None })
            }
            Some(finish) => Ok(Some(finish)),
            None if self.done && self.called => Ok(Some(Finish::ToolCalls)),
            None if self.done && self.spoke => Ok(Some(Finish::Stop)),
            None => Ok(None),
        }
    }

    fn done(&self) -> bool {
        self.done
    }

    fn usage(&self) -> Option<Usage> {
        self.usage
    }
}
