//! Turns across the portals of one database: following an answer that another portal writes, having it stopped there, and hearing when
//! one begins or ends. A reader here is behind by the writer's tick and one look at the delta log, a quarter of a second together;
//! what is not text (steps, places in a queue) it learns at the end.

use std::sync::Arc;
use std::time::Duration;

use domain::{Caller, TurnEvent, TurnId};
use store::{Store, TurnRow, Word};
use tokio::sync::broadcast::error::RecvError;

use crate::live::{Happened, Notice, Step, TurnChange};
use crate::{Error, House};

/// How often the delta log of another portal's turn is looked at.
const LOOK: Duration = Duration::from_millis(150);

/// How often it is looked whether somebody wants a turn of this portal stopped, where no word came.
const STOPS: Duration = Duration::from_secs(2);

/// A reader of a turn that another portal writes.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    store: Store,
    caller: Caller,
    turn: TurnId,
    after: u64,
    /// Whether the next look is the first: a reader that has seen a part gets the whole, because its part may end within a piece.
    first: bool,
    /// Bytes of text and of reasoning that were told.
    told: (usize, usize),
}

impl Elsewhere {
    pub(crate) fn new(store: Store, caller: Caller, turn: TurnId, after: u64) -> Self {
        Elsewhere { store, caller, turn, after, first: true, told: (0, 0) }
    }

    /// What happened since the last call; `None` where the turn is gone. Cancel safe: it moves on only with what it returns.
    pub(crate) async fn next(&mut self) -> Option<Vec<Step>> {
        loop {
            match self.look().await {
                Ok(Looked::Steps(steps)) => return Some(steps),
                Ok(Looked::Gone) => return None,
                Ok(Looked::Nothing) => {}
                Err(error) => {
                    tracing::warn!(turn = %self.turn, %error, "a turn of another portal could not be read; trying again")
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look(&mut self) -> Result<Looked, store::Error> {
        // First whether it has ended: its log is gone in the same commit that gives the answer its text.
        let Some(row) = self.store.turn(&self.caller, self.turn).await? else { return Ok(Looked::Gone) };
        let whole = self.first && self.after > 0;
        if !row.running() {
            let message = self.store.message(&self.caller, row.answer).await?;
            let (text, thought) = message.map(|message| (message.text, message.thought)).unwrap_or_default();
            let id = self.after + 1;
            let rest = |all: &str, told: usize| all.get(told..).unwrap_or_default().to_owned();
            let mut steps = match whole {
                true => vec![Step { id, happened: Happened::Snapshot { text, thought } }],
                // What was written after the last look is in the answer alone.
                false => pieces(id, rest(&thought, self.told.1), rest(&text, self.told.0)),
            };
            steps.push(Step { id: id + 1, happened: finished(&row) });
            return Ok(Looked::Steps(steps));
        }
        let from = if whole { 0 } else { self.after };
        let Some((last, text, thought)) = self.store.gained(&self.caller, self.turn, from).await? else {
            return Ok(Looked::Nothing);
        };
        self.first = false;
        self.after = self.after.max(last);
        self.told = (self.told.0 + text.len(), self.told.1 + thought.len());
        let id = self.after;
        if whole {
            return Ok(Looked::Steps(vec![Step { id, happened: Happened::Snapshot { text, thought } }]));
        }
        Ok(Looked::Steps(pieces(id, thought, text)))
    }
}

/// The steps that tell a piece of reasoning and a piece of text, where there is any.
fn pieces(id: u64, thought: String, text: String) -> Vec<Step> {
    let thought = (!thought.is_empty()).then_some(TurnEvent::Thought { text: thought });
    let text = (!text.is_empty()).then_some(TurnEvent::Delta { text });
    thought.into_iter().chain(text).map(|event| Step { id, happened: Happened::Event(event) }).collect()
}

enum Looked {
    Steps(Vec<Step>),
    Nothing,
    Gone,
}

fn finished(row: &TurnRow) -> Happened {
    Happened::Finished {
        finish: row.finish.unwrap_or(domain::Finish::Interrupted),
        failure: row.failure.clone(),
        ttft_ms: None,
        tpot_us: None,
        answer: row.answer,
        unsaved: false,
    }
}

impl House {
    /// Hears what other portals say of turns, until the house closes.
    pub(crate) async fn hear_the_others(self: Arc<Self>) {
        if !self.store.shared() {
            return;
        }
        let mut heard = self.store.heard();
        loop {
            let word = tokio::select! {
                () = self.interrupt.cancelled() => return,
                () = tokio::time::sleep(STOPS) => Word::Stop,
                word = heard.recv() => match word {
                    Ok(word) => word,
                    Err(RecvError::Lagged(_)) => Word::Stop,
                    Err(RecvError::Closed) => return,
                },
            };
            match word {
                Word::Stop | Word::Everything => {
                    if let Err(error) = self.stop_the_wanted().await {
                        tracing::warn!(%error, "it could not be read whether a turn is to be stopped");
                    }
                }
                Word::Turn { tenant, person, turn, conversation, started } => {
                    let change = if started { TurnChange::Started } else { TurnChange::Finished };
                    self.live.pass_on(Notice { tenant, person, turn, conversation, change });
                }
                _ => {}
            }
        }
    }

    async fn stop_the_wanted(&self) -> Result<(), Error> {
        for turn in self.store.take_stops(&self.live.running_turns()).await? {
            self.live.stop(turn);
        }
        Ok(())
    }
}
