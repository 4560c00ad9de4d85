//! Pinned beginnings, from the side of whoever asks for them: what nobody has computed yet is read like any prompt, then pinned.

use tokio::sync::oneshot;

use super::{Event, Message, NotTaken, Priority, Request, Scheduler, memory::Pinning};
use crate::backend::{Adapter, Token};

/// How often a beginning is computed that is gone again before it can be pinned, as may be where memory is short.
const TRIES: u32 = 3;

/// A beginning that stays in memory and, where there is a folder for it, on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefix {
    /// Stands for its tokens, the model and the adapter.
    pub id: String,
    /// The adapter that it was computed with.
    pub adapter: Option<Adapter>,
    /// Its length.
    pub tokens: u32,
}

/// A beginning was not pinned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPinned {
    /// It cannot be read at all.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
    /// Others have been pinned that take the room: unpin some, or pin less.
    #[error("{tokens} tokens are to be pinned, and there is room for {left} more")]
    NoRoom {
        /// What was to be pinned.
        tokens: u32,
        /// What may still be.
        left: u32,
    },
    /// Reading it failed.
    #[error("{0}")]
    Failed(String),
}

impl Scheduler {
    /// Pins a beginning, which is computed where nobody has done so and it was not saved. Also says how many tokens were.
    ///
    /// # Errors
    /// [`NotPinned`] when there is no room for it or it could not be computed.
    pub async fn pin(&self, adapter: Option<Adapter>, tokens: &[Token]) -> Result<(Prefix, u32), NotPinned> {
        let mut computed = 0;
        for _ in 0..TRIES {
            let pinning = self.ask(|done| Message::Pin { adapter, tokens: tokens.to_vec(), done }).await?;
            match pinning {
                Pinning::Done(prefix) => return Ok((prefix, computed)),
                Pinning::NoRoom { tokens, left } => return Err(NotPinned::NoRoom { tokens, left }),
                Pinning::Missing => computed += self.read(adapter, tokens).await?,
            }
        }
        Err(NotPinned::Failed("there was no room to keep it until it could be pinned".into()))
    }

    /// Lets a pinned beginning go as others do; false where there is none of this id.
    ///
    /// # Errors
    /// [`NotTaken::Gone`].
    pub async fn unpin(&self, id: String) -> Result<bool, NotTaken> {
        self.ask(|done| Message::Unpin { id, done }).await
    }

    /// What is pinned.
    ///
    /// # Errors
    /// [`NotTaken::Gone`].
    pub async fn prefixes(&self) -> Result<Vec<Prefix>, NotTaken> {
        self.ask(|done| Message::Prefixes { done }).await
    }

    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, NotTaken> {
        let (done, answer) = oneshot::channel();
        self.inbox.send(message(done)).map_err(|_| NotTaken::Gone)?;
        answer.await.map_err(|_| NotTaken::Gone)
    }

    /// Has a beginning computed, in the gaps that others leave; how many tokens that took.
    async fn read(&self, adapter: Option<Adapter>, tokens: &[Token]) -> Result<u32, NotPinned> {
        let request = Request {
            prompt: tokens.to_vec(),
            max_tokens: 1,
            priority: Priority::Batch,
            adapter,
            ..Request::default()
        };
        let mut events = self.submit(request)?;
        loop {
            match events.recv().await {
                Some(Event::Finished(_, usage)) => return Ok(usage.prompt - usage.cached),
                Some(Event::Failed(why)) => return Err(NotPinned::Failed(why)),
                Some(_) => {}
                None => return Err(NotTaken::Gone.into()),
            }
        }
    }
}
